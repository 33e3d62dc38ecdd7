"""Crossing from one epoch into the next: only through a snapshot of the end.

DIR/epochs/<number>/   the journal and the snapshots of an epoch that has ended
DIR/epochs/beginning/  the new ones, until everything in them is durable
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from openbell.journal import JournalReport
from openbell.kernel import RULES_VERSION, Follower, begin_journal_epoch, snapshots_in
from openbell.model.errors import ConfigError, JournalError
from openbell.runtime.durable_file import sync_folder
from openbell.runtime.history import JOURNAL, SNAPSHOTS, History, open_history

EPOCHS, BEGINNING = "epochs", "beginning"


@dataclass(frozen=True)
class NewEpoch:
    """From where to where: the old epoch, its last sequence and its place; the new one and its rules."""

    folder: str
    old_epoch: int
    last_sequence: int
    old_place: str
    epoch: int
    rules_version: int

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)


def begin_epoch(folder: Path, *, created_by: str, now_ns: int) -> NewEpoch:
    """End the epoch of the exchange in `folder` and begin the next, under this program's rules.

    The state is taken from a snapshot of exactly the end; under the same rules one is made. Interrupted, it can be called again:
    the directory has either epoch whole at every moment. Raises JournalError where there is no such snapshot, or where
    the journal is damaged or being written; ConfigError for what is no directory of an exchange.
    """
    _finish_interrupted(folder)
    history = open_history(folder)
    if history.kind != "exchange":
        raise ConfigError(f"{folder}: epochs are of the directory of an exchange, and this is {history.kind}")
    report = history.report()
    with _only_writer(history.journal):
        return _cross(folder, history, report, created_by, now_ns)


def _cross(folder: Path, history: History, report: JournalReport, created_by: str, now_ns: int) -> NewEpoch:
    _require_snapshot_at_end(history, report.rules_version, now_ns)
    beginning = folder / EPOCHS / BEGINNING
    shutil.rmtree(beginning, ignore_errors=True)
    beginning.mkdir(parents=True)
    epoch = begin_journal_epoch(
        history.journal,
        history.snapshots,
        beginning / JOURNAL,
        beginning / JOURNAL / SNAPSHOTS,
        created_time=now_ns,
        created_by=created_by,
    )
    last = open_history(beginning).report().first_sequence - 1
    place = folder / EPOCHS / str(report.epoch)
    place.mkdir()
    (folder / JOURNAL).rename(place / JOURNAL)
    _finish_interrupted(folder)
    return NewEpoch(str(folder), report.epoch, last, str(place), epoch, RULES_VERSION)


@contextmanager
def _only_writer(journal: Path) -> Iterator[None]:
    """Hold the lock of a journal. Raises JournalError while somebody else does: it must not be moved away from under them."""
    with (journal / "LOCK").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalError(
                f"{journal}: another writer has this journal open; only one may write"
            ) from None
        yield


def _finish_interrupted(folder: Path) -> None:
    """Put a new epoch in place whose old one was put away already."""
    beginning = folder / EPOCHS / BEGINNING
    if (folder / JOURNAL).exists() or not (beginning / JOURNAL).is_dir():
        return
    (beginning / JOURNAL).rename(folder / JOURNAL)
    beginning.rmdir()
    sync_folder(folder / EPOCHS)
    sync_folder(folder)


def _require_snapshot_at_end(history: History, rules_version: int, now_ns: int) -> None:
    if rules_version == RULES_VERSION:
        save_snapshot(history, now_ns)
        return
    if not any(problem is None for *_, problem in snapshots_in(history.snapshots)):
        raise JournalError(
            f"{history.journal}: written under rules version {rules_version}, this program has {RULES_VERSION}; the border is "
            "crossed only through a snapshot of the end, taken by the program that wrote it: run its "
            "`openbell journal snapshot` first"
        )


def save_snapshot(history: History, now_ns: int) -> tuple[Path, int]:
    """Replay a journal to its durable end and save the state; the file and the sequence it is of.

    Raises DivergenceError for a hash that is not the recorded one, EngineStopped for a record that stops the engine,
    JournalError for damage and for a journal that only points at its data.
    """
    follower = Follower(history.journal, history.snapshots, configuration=history.configuration())
    taken, sequence, *_ = follower.follow(now_ns)
    while taken:
        taken, sequence, *_ = follower.follow(now_ns)
    return Path(follower.save(now_ns)), sequence
