"""Files are short enough to read, documented, and say nothing of the machine they were written on."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.sources import read, require_none, tracked_files

MOST_LINES = 800
BINARY = (".parquet", ".seg", ".png", ".gz", ".zip", ".ico", ".woff2", ".journal")
# written with a mark inside, so that this file does not find itself
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+|tmp/\w+|opt/wheels)(?=/|\b)|C:\\Users")
TOOLS = re.compile(
    r"\b(?:cla~ude|anth~ropic|chat~gpt|open~ai|co~pilot|co~dex|l~lm)\b".replace("~", ""), re.IGNORECASE
)
HOST = re.compile(r"https?://([\w.-]+)")
LOCK_HOSTS = {"uv.lock": ("pypi.org", "files.pythonhosted.org"), "Cargo.lock": ("github.com",)}
INDEX_HOST = re.compile(
    r"https?://[\w.-]*(?:artifact|nexus|jfrog|mirror|proxy|internal|corp|registry\.)[\w.-]*", re.IGNORECASE
)


def test_no_file_is_longer_than_800_lines() -> None:
    lengths = {
        path: read(path).count("\n")
        for path in tracked_files("*.py", "*.rs", "*.js", "*.html", "*.css", "*.sh")
    }
    require_none(
        [f"{path}: {length} lines" for path, length in lengths.items() if length > MOST_LINES],
        f"cut it along its stories into files named after things; {MOST_LINES} lines is the most one reads",
    )


def test_no_file_names_the_machine_it_was_written_on() -> None:
    require_none(
        findings(MACHINE),
        "use a path from the repository's root, tmp_path in tests, or a variable with a default",
    )


def test_no_file_speaks_of_the_tools_it_was_written_with() -> None:
    require_none(findings(TOOLS), "say what the code does; how it came about is nobody's concern")


def test_no_file_names_a_private_package_index() -> None:
    foreign = [
        f"{name}: {host}"
        for name, hosts in LOCK_HOSTS.items()
        for host in sorted(set(HOST.findall(read(Path(name)))))
        if host not in hosts
    ]
    require_none(
        foreign + findings(INDEX_HOST),
        "lock against the default index (make lock); a mirror belongs into the machine's pip configuration",
    )


def findings(pattern: re.Pattern[str]) -> list[str]:
    """Where a pattern stands in the text files of the repository."""
    return [
        f"{path}:{number}: {found.group(0)}"
        for path in tracked_files()
        if path.suffix not in BINARY
        for number, line in enumerate(read(path).splitlines(), start=1)
        if (found := pattern.search(line))
    ]


@pytest.mark.parametrize("line", ["see ~root/x", "cd ~work/main", "~home/ann/x", "open('~tmp/a')"])
def test_the_check_sees_a_machine_path(line: str) -> None:
    assert MACHINE.search(line.replace("~", "/"))


@pytest.mark.parametrize(
    "line", ["a relative/tmp/x", "src/root/x", "network/work", "https://example.com/home", "/rooted"]
)
def test_the_check_lets_other_paths_pass(line: str) -> None:
    assert not MACHINE.search(line)


def test_every_public_name_of_the_compiled_module_is_documented_in_its_stub() -> None:
    stub = Path("src/openbell/_kernel.pyi")
    tree = ast.parse(read(stub))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    silent = [
        f"{stub}:{node.lineno}: {node.name}"
        for node in nodes
        if not node.name.startswith("_") and not ast.get_docstring(node) and not is_repetition(node)
    ]
    require_none(
        silent, "say what it means, with shapes, units and errors: people read the stub, not the Rust"
    )


def is_repetition(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """An overload or a setter, whose first appearance is documented."""
    names = [ast.unparse(decorator) for decorator in node.decorator_list]
    return any(name == "overload" or name.endswith((".setter", ".overload")) for name in names)
