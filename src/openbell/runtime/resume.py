"""Continues a run that was interrupted, to the same digest as if it had not been.

The journal holds everything the engine was told. The engine takes it in again; the strategy comes back from the state it saved
last (`on_save`, `on_load`), or from nothing where it saves none, and runs again over the rest: what it sends is compared with the
journal and not sent twice. Past the last record it is live, and the data goes on where it stopped.

The interrupted journal stays as `journal.interrupted` until the run is finished; what continues it is written beside it from the
first record, so that whatever happens now, nothing is lost that was there.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from openbell.kernel import JournalReader, verify_journal
from openbell.messages.layouts import HEAD_DTYPE, Slots, message_numbers, select
from openbell.model.errors import ConfigError, InputError, JournalError
from openbell.runtime.begun import Begun
from openbell.runtime.participant_files import ParticipantFiles
from openbell.runtime.run import Run
from openbell.runtime.run_files import RunFolder
from openbell.runtime.run_folder import Progress, finish_in_folder
from openbell.runtime.run_log import RunLog, WallClock
from openbell.runtime.run_names import find_run, is_incomplete
from openbell.runtime.setup import PARTICIPANT, Interrupted, SavedHere
from openbell.strategy.strategy import Strategy

INTERRUPTED = "journal.interrupted"
DATA_MESSAGES = (
    "BarObserved", "QuoteObserved", "TradeObserved", "BookLevelObserved", "FeedGapObserved", "ExternalSignalReceived",
    "SessionClosed",
)  # fmt: skip
"""What comes from the data of a run; everything else the engine, the strategy or the runtime said."""


def resume(
    run: str | Path,
    *,
    strategy: Strategy | None = None,
    data: Any = None,
    progress: Progress | None = None,
    clock: WallClock = time.time_ns,
) -> Run:
    """Continue the interrupted run in the folder `run` (a path, or a part of its name that only one in `runs/` has).

    `strategy` and `data` stand in for what the folder cannot give back: a strategy defined in a function, a frame in memory.

    Raises InputError for a run that is finished or has no full journal, and for data that is gone or was changed;
    DivergenceError where the strategy does other things than it did; JournalError for a journal that is damaged.
    """
    folder = find_run(run)
    begun = Begun(folder) if is_incomplete(folder) else _refuse_finished(folder)
    if begun.table["journal"] != "full":
        raise InputError(
            f'the journal of this run is "{begun.table["journal"]}"',
            source=folder,
            expected='one written by Backtest(..., journal="full").run(out=...); run this one again',
        )
    setup = begun.setup(strategy, data)
    interrupted = _Journal.of(_set_aside(folder))
    open_folder = RunFolder(folder, RunLog(folder / "log.jsonl", clock))
    open_folder.log.info("run is resumed", sequence=interrupted.last_sequence)
    return finish_in_folder(
        setup,
        open_folder,
        begun.code,
        begun.started_ns,
        progress,
        clock=clock,
        interrupted=interrupted.told(ParticipantFiles(folder)),
    )


def _refuse_finished(folder: Path) -> Begun:
    raise ConfigError(
        f"{folder} is finished: there is nothing to resume; `openbell replay {folder}` proves it"
    )


def _set_aside(folder: Path) -> Path | None:
    """Where the longest journal of the run lies now, under its other name; None where there is none that can be read.

    A run that was resumed and interrupted once more has two; the one that comes further stays.
    """
    current, aside = folder / "journal", folder / INTERRUPTED
    if _end_of(current) >= _end_of(aside):
        if current.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
            current.rename(aside)
    else:
        shutil.rmtree(current, ignore_errors=True)
    return aside if _end_of(aside) else None


def _end_of(journal: Path) -> int:
    """The last sequence in a journal; 0 for one that was hardly begun."""
    if not journal.is_dir() or not any(journal.glob("*.seg")):
        return 0
    try:
        return verify_journal(journal).last_sequence
    except JournalError:
        if any(path.stat().st_size for path in journal.glob("*.seg")):
            raise
        return 0


@dataclass(frozen=True)
class _Journal:
    """An interrupted journal, as far as it goes before the run's end began."""

    path: Path | None
    last_sequence: int
    """Of what is taken in: before `RunEnded`, after which everything follows from what was before."""
    data_records: int
    saves: tuple[tuple[int, str], ...]
    """Sequence and SHA-256 of the states that the strategy saved."""

    @classmethod
    def of(cls, path: Path | None) -> _Journal:
        numbers = message_numbers()
        data = [numbers[name] for name in DATA_MESSAGES]
        last, records = 0, 0
        saves: list[tuple[int, str]] = []
        for slots in () if path is None else _batches(path):
            heads = slots.view(HEAD_DTYPE)
            heads = heads[heads["message"] != numbers["Continuation"]]
            ended = np.flatnonzero(heads["message"] == numbers["RunEnded"])
            if len(ended):
                heads = heads[: ended[0]]
            records += int(np.count_nonzero(np.isin(heads["message"], data)))
            last = int(heads["sequence"][-1]) if len(heads) else last
            saves += [
                (int(row["sequence"]), row["sha256"].tobytes().hex())
                for row in select(slots, "ParticipantSaved")
                if row["sequence"] <= last and row["source"] == PARTICIPANT
            ]
            if len(ended):
                break
        # Without data only the set-up was done: there is nothing to continue that is not done faster again.
        return cls(path, last, records, tuple(saves)) if records else cls(None, 0, 0, ())

    def told(self, files: ParticipantFiles) -> Interrupted | None:
        """What a set-up needs to continue it; None where it has to begin anew."""
        if self.path is None:
            return None
        saved = [
            SavedHere(sequence, files.read(name), str(files.path(name))) for sequence, name in self.saves[-1:]
        ]
        path, last = self.path, self.last_sequence
        return Interrupted(
            batches=lambda: _up_to(_batches(path), last),
            data_records=self.data_records,
            saves=len(self.saves),
            saved=saved[0] if saved else None,
        )


def _batches(path: Path) -> Iterator[Slots]:
    """What a journal holds before its torn tail, if it has one."""
    reader, last = JournalReader(path), verify_journal(path).last_sequence
    while reader.report.last_sequence < last and (slots := reader.read(1)) is not None:
        yield slots


def _up_to(batches: Iterator[Slots], last: int) -> Iterator[Slots]:
    for slots in batches:
        sequences = slots.view(HEAD_DTYPE)["sequence"]
        if sequences[-1] <= last:
            yield slots
            continue
        end = int(np.searchsorted(sequences, last, side="right"))
        if end:
            yield slots[: end * HEAD_DTYPE.itemsize]
        return
