"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from openbell.model.errors import OpenbellError


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`: to a temporary file beside it, synced, then renamed.

    Raises OpenbellError naming the file where that fails (a full disk, a missing right); `path` is then as it was before.
    """

    def write(partial: Path) -> None:
        partial.write_bytes(content)

    write_with(path, write)


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_with(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place. Errors as of `write_bytes`."""
    partial = path.with_name(path.name + ".partial")
    try:
        write(partial)
        _sync(partial)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OpenbellError(f"cannot write {path}: {error.strerror or error}") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Make renames, new and removed files in a folder last."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
