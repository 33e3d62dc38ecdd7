"""Copies of a journal: made while it is written, checked before they count, and brought back.

A backup is a folder with `journal/` (every durable batch, byte for byte), whatever else lay beside the journal, and BACKUP.toml,
which is written last: a copy without it is not finished. Segments only grow, so what the reader has found durable can be copied
while the writer goes on behind it. Meanwhile the backup is a registered reader: retention takes nothing from under it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from openbell.journal import JournalReport, verify
from openbell.kernel import JournalReader
from openbell.model.errors import ConfigError, InputError, JournalError, OpenbellError
from openbell.model.time import iso
from openbell.runtime.durable_file import sync_folder, write_text
from openbell.runtime.history import JOURNAL, SNAPSHOTS, History
from openbell.runtime.journal_readers import forget_reader, register_reader
from openbell.runtime.toml_text import toml_text

NOTE = "BACKUP.toml"
_FIRST = ("WATERMARK", "SEALS")
"""Copied before the segments: what they tell of must be in the segments that are copied after them."""
_LEFT_OUT = ("LOCK", "next.seg")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Backup:
    """What a backup holds: `chain` stands for every byte of the journal up to `last_sequence`."""

    source: str
    made: str
    epoch: int
    last_sequence: int
    segment: int
    offset: int
    chain: str
    journal_bytes: int
    files: int
    sha256: str
    """Of the names and contents of all files but BACKUP.toml."""

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)


def back_up(history: History, target: Path, *, now_ns: int) -> Backup:
    """Copy everything durable into the new folder `target`, check the copy, and say what it holds.

    The journal may be written meanwhile. Raises ConfigError where `target` holds something, JournalError for damage in the
    journal or a copy that is not the same.
    """
    require_new(target)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _registered(history.journal, now_ns):
            _copy_beside(history, target)
            _copy_first(history, target / JOURNAL)
            report = _durable_report(history.journal)
            _copy_journal(history.journal, target / JOURNAL, report)
    except OSError as error:
        raise JournalError(f"{target}: the backup cannot be written: {error.strerror or error}") from error
    copied = verify(target / JOURNAL)
    if copied.end != report.end or copied.torn:
        raise JournalError(
            f"{target}: the copy is not the same: it ends at {copied.end}, the journal at {report.end}"
        )
    backup = Backup(
        source=str(history.folder.resolve()),
        made=iso(now_ns),
        epoch=report.epoch,
        last_sequence=report.last_sequence,
        segment=report.end[0],
        offset=report.end[1],
        chain=f"{report.end[3]:032x}",
        journal_bytes=report.bytes,
        files=len(_content(target)),
        sha256=folder_sha256(target),
    )
    write_text(target / NOTE, toml_text(backup.to_dict()))
    return backup


@contextmanager
def _registered(journal: Path, now_ns: int) -> Iterator[None]:
    """Be a reader that needs all of a journal. One of a backup that was killed stays and keeps retention from removing anything:
    `openbell journal retain --forget` takes it off.
    """
    name = f"backup-{os.getpid()}"
    first = JournalReader(journal).report.first_sequence
    try:
        register_reader(journal, name, max(first - 1, 0), now_ns=now_ns)
    except (OSError, OpenbellError):
        # Whoever may only read goes on without: what is removed meanwhile is missed by the check of the copy.
        yield
        return
    try:
        yield
    finally:
        forget_reader(journal, name)


def read_backup(folder: Path) -> Backup:
    """What BACKUP.toml says. Raises InputError where it is missing: the copy was not finished, or is none."""
    try:
        return Backup(**tomllib.loads((folder / NOTE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            "no finished backup",
            source=folder,
            expected=f"a folder with {NOTE}, made by openbell journal backup",
        ) from error


def check_backup(folder: Path) -> Backup:
    """Read a whole backup and compare it with what was noted. Raises JournalError where it was changed since."""
    noted = read_backup(folder)
    report = verify(folder / JOURNAL)
    found = (report.end[2], f"{report.end[3]:032x}", folder_sha256(folder))
    if found != (noted.last_sequence, noted.chain, noted.sha256):
        raise JournalError(f"{folder}: the backup is not what it was when it was made ({noted.made})")
    return noted


def restore_backup(folder: Path, target: Path, to: int | None = None) -> Backup:
    """Check the backup in `folder` and copy it into the new folder `target`, ready to be opened and continued.

    Raises InputError where it does not hold sequence `to`.
    """
    require_new(target)
    noted = check_backup(folder)
    if to is not None and not 0 < to <= noted.last_sequence:
        raise InputError(
            "no such sequence in the backup", source=folder, value=to, expected=f"1 to {noted.last_sequence}"
        )
    try:
        for path in _content(folder):
            copy = target / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            _copy_bytes(path, copy, path.stat().st_size)
        for directory in [target, *(path for path in target.rglob("*") if path.is_dir())]:
            sync_folder(directory)
    except OSError as error:
        raise JournalError(f"{target}: the journal cannot be written: {error.strerror or error}") from error
    if folder_sha256(target) != noted.sha256:
        raise JournalError(f"{target}: the restored files are not those of the backup")
    return noted


def require_new(target: Path) -> None:
    """Pass only a folder that does not exist or is empty: nothing is ever written over."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} exists already and is not empty; name a new folder")


def folder_sha256(folder: Path) -> str:
    """SHA-256 over the names and contents of all files in a folder but BACKUP.toml, in hexadecimal digits."""
    digest = hashlib.sha256()
    for path in _content(folder):
        digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def _content(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.name not in _LEFT_OUT and path != folder / NOTE
    )


def _durable_report(journal: Path) -> JournalReport:
    """The journal up to its durable end, checked on the way. Raises JournalError for damage."""
    report = _read_durable(journal)
    if report.closed:
        return report
    try:
        verify(journal)
    except JournalError:
        # Without a watermark a batch that is being written looks like a damaged one, until it is whole.
        again = _read_durable(journal)
        if again.end == report.end:
            raise
        return again
    return report


def _read_durable(journal: Path) -> JournalReport:
    reader = JournalReader(journal)
    while reader.read_durable() is not None:
        pass
    return reader.report


def _copy_beside(history: History, target: Path) -> None:
    """Everything in the folder but the journal: settings, snapshots, tables."""
    if history.kind == "journal":
        return
    for path in sorted(history.folder.rglob("*")):
        if path.is_file() and history.journal not in path.parents and path.name not in _LEFT_OUT:
            to = target / path.relative_to(history.folder)
            to.parent.mkdir(parents=True, exist_ok=True)
            _copy_bytes(path, to, path.stat().st_size)


def _copy_first(history: History, target: Path) -> None:
    """What tells of the journal's end: before that end is looked for, so that it never tells of more."""
    target.mkdir()
    for name in _FIRST:
        if (history.journal / name).is_file():
            shutil.copyfile(history.journal / name, target / name)
    for path in sorted(history.snapshots.glob("*.snap")):
        (target / SNAPSHOTS).mkdir(exist_ok=True)
        try:
            _copy_bytes(path, target / SNAPSHOTS / path.name, path.stat().st_size)
        except FileNotFoundError:
            (target / SNAPSHOTS / path.name).unlink(missing_ok=True)  # a newer one took its place


def _copy_journal(journal: Path, target: Path, report: JournalReport) -> None:
    segment, offset, *_ = report.end
    for path in sorted(journal.iterdir()):
        if path.suffix == ".seg" and path.name not in _LEFT_OUT:
            _copy_segment(path, target / path.name, int(path.stem), segment, offset)
        elif path.is_file() and path.name not in (*_FIRST, *_LEFT_OUT):
            _copy_bytes(path, target / path.name, path.stat().st_size)
    for path in target.iterdir():
        _sync_file(path)


def _copy_segment(path: Path, to: Path, number: int, last: int, offset: int) -> None:
    """A segment up to the durable end; what was filled ahead behind it becomes a hole of the same length."""
    length = path.stat().st_size
    if number < last:
        _copy_bytes(path, to, length)
    elif number == last:
        _copy_bytes(path, to, offset)
        os.truncate(to, length if _is_filled_ahead(path, offset, length) else offset)


def _is_filled_ahead(path: Path, offset: int, length: int) -> bool:
    """Whether more than the last batch is there: room filled with zeros, or batches that came since."""
    return length > offset and (path.parent / "WATERMARK").is_file()


def _copy_bytes(path: Path, to: Path, count: int) -> None:
    """The first `count` bytes of a file, every one of them written: zeros, too."""
    with path.open("rb") as source, to.open("wb") as sink:
        left = count
        while left and (block := source.read(min(left, _BLOCK))):
            sink.write(block)
            left -= len(block)
        sink.flush()
        os.fsync(sink.fileno())


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
