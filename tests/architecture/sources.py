"""The files of the repository, and one way to complain about them."""

import subprocess
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


def tracked_files(*patterns: str) -> list[Path]:
    """Files under version control and those about to be, as paths from the root; a `*` also matches `/`."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = sorted(name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file())
    return [Path(name) for name in names if not patterns or any(fnmatch(name, p) for p in patterns)]


def read(path: Path) -> str:
    """The text of a file named from the root."""
    return (ROOT / path).read_text(encoding="utf-8")


def ledger(name: str) -> list[list[str]]:
    """The rows of a list kept beside these tests: fields between ` | `, comments after `#`."""
    lines = (line.split("#")[0].strip() for line in (HERE / name).read_text(encoding="utf-8").splitlines())
    return [[field.strip() for field in line.split("|")] for line in lines if line]


def require_none(violations: Iterable[str], instead: str) -> None:
    """Fails with every violation and, last, with what to do instead."""
    found = list(violations)
    if found:
        pytest.fail("\n".join([*found, "", f"Instead: {instead}"]), pytrace=False)
