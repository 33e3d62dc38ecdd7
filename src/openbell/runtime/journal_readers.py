"""Who still needs which part of a journal: one small file for each reader, with the last sequence it is done with.

    JOURNAL/readers/<name>.toml

One file each, so that two readers never write the same one. A reader that is gone for good must be taken off, else nothing behind
its cursor is ever deleted.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from openbell.model.errors import ConfigError, InputError
from openbell.model.time import iso
from openbell.runtime.durable_file import sync_folder, write_text
from openbell.runtime.toml_text import toml_text

FOLDER = "readers"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class RegisteredReader:
    """A reader that has taken in everything up to and including `sequence`; `seen` is when it said so (ISO 8601)."""

    name: str
    sequence: int
    seen: str


def register_reader(journal: Path, name: str, sequence: int, *, now_ns: int) -> RegisteredReader:
    """Register a reader, or move its cursor to `sequence`. Raises ConfigError for a name that is no plain file name."""
    path = _path(journal, name)
    reader = RegisteredReader(name, sequence, iso(now_ns))
    path.parent.mkdir(exist_ok=True)
    write_text(path, toml_text({"name": name, "sequence": sequence, "seen": reader.seen}))
    return reader


def forget_reader(journal: Path, name: str) -> None:
    """Take a reader off. Raises InputError where there is none of this name."""
    path = _path(journal, name)
    if not path.is_file():
        known = ", ".join(one.name for one in registered_readers(journal)) or "no reader at all"
        raise InputError("no such reader of the journal", source=journal, value=name, expected=known)
    path.unlink()
    sync_folder(path.parent)


def registered_readers(journal: Path) -> list[RegisteredReader]:
    """All readers, by name. Raises InputError for a file that cannot be understood: nothing may be deleted then."""
    folder = journal / FOLDER
    return [_read(path) for path in sorted(folder.glob("*.toml"))] if folder.is_dir() else []


def _read(path: Path) -> RegisteredReader:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return RegisteredReader(str(table["name"]), int(table["sequence"]), str(table["seen"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the cursor of a reader cannot be read: {type(error).__name__}: {error}",
            source=path,
            expected="name, sequence and seen; `openbell journal retain --forget NAME` takes a reader off",
        ) from error


def _path(journal: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"reader name {name!r}: letters, digits, '.', '_' and '-' are allowed, 64 at most")
    return journal / FOLDER / f"{name}.toml"
