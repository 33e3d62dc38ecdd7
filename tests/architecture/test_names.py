"""Names say what a thing is. A name that fits everything says nothing."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.sources import read, require_none, tracked_files

VAGUE_ENDINGS = ("manager", "helper", "helpers", "util", "utils", "base", "impl", "processor", "info", "data")
VAGUE_FILES = (*VAGUE_ENDINGS, "common", "misc", "managers", "stuff", "tools", "calculator")
# `openbell data` is a verb of the command line, and folders of data hold data
GOOD_FILES = ("src/openbell/cli/data.py", "tests/cli/test_data.py")
RUST_DEFINITION = re.compile(
    r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:unsafe\s+)?(?:struct|enum|trait|union|type)\s+([A-Z]\w*)", re.MULTILINE
)
INSTEAD = (
    "name it after the thing it holds or does, in the field's word (docs/glossary.md): `drawdown.py`, not "
    "`calculator.py`. Endings of roles are a closed list: Service Source Sink Gateway Codec Projection Clock "
    "Model Limit Policy Venue Report"
)


def words(name: str) -> list[str]:
    """`OrderManager` and `order_manager` both as order, manager."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return [word for word in re.split(r"[_\-.]+", spaced.lower()) if word]


def is_vague_class(name: str) -> bool:
    return words(name)[-1:] != [] and words(name)[-1] in VAGUE_ENDINGS


def is_vague_path(path: Path) -> bool:
    if path.as_posix() in GOOD_FILES:
        return False
    stem = [word for word in words(path.stem) if word not in ("test", "tests")]
    folders = [folder for folder in path.parts[:-1] if folder in VAGUE_FILES and folder != "data"]
    return bool(folders) or (bool(stem) and stem[-1] in VAGUE_FILES and stem[-2:] != ["market", "data"])


def defined_classes(path: Path) -> list[str]:
    if path.suffix == ".rs":
        return RUST_DEFINITION.findall(read(path))
    return [node.name for node in ast.walk(ast.parse(read(path))) if isinstance(node, ast.ClassDef)]


def test_no_file_or_folder_has_a_vague_name() -> None:
    sources = tracked_files("*.py", "*.pyi", "*.rs", "*.js", "*.sh")
    require_none([str(path) for path in sources if is_vague_path(path)], INSTEAD)


def test_no_type_has_a_vague_name() -> None:
    found = [
        f"{path}: {name}"
        for path in tracked_files("*.py", "*.pyi", "*.rs")
        for name in defined_classes(path)
        if is_vague_class(name)
    ]
    require_none(found, INSTEAD)


@pytest.mark.parametrize(
    "name", ["OrderManager", "BookHelper", "DataUtil", "VenueBase", "MarketData", "HTTPInfo", "Manager"]
)
def test_the_check_sees_a_vague_type(name: str) -> None:
    assert is_vague_class(name)


@pytest.mark.parametrize("name", ["Database", "Order", "MatchingVenue", "DataSource", "Information"])
def test_the_check_lets_a_plain_type_pass(name: str) -> None:
    assert not is_vague_class(name)


def test_the_check_sees_vague_files_and_folders() -> None:
    assert is_vague_path(Path("src/openbell/utils/money.py"))
    assert is_vague_path(Path("src/openbell/report/order_utils.py"))
    assert is_vague_path(Path("crates/kernel/src/common.rs"))
    assert not is_vague_path(Path("src/openbell/messages/market_data.py"))
    assert not is_vague_path(Path("examples/data/prepare.py"))


def test_the_check_reads_rust_definitions() -> None:
    source = "pub struct BookManager;\npub(crate) enum Side {}\n    trait Util {}\nlet x: PhantomData<T>;\n"
    assert RUST_DEFINITION.findall(source) == ["BookManager", "Side", "Util"]
