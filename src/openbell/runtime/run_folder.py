"""Runs something into a folder of its own."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from openbell.kernel import NewJournal
from openbell.runtime.begun import write_begun
from openbell.runtime.participant_files import ParticipantFiles
from openbell.runtime.recorded_code import RecordedCode
from openbell.runtime.result import JournalContent, RunResult
from openbell.runtime.run import Run
from openbell.runtime.run_files import RunFolder
from openbell.runtime.run_log import WallClock
from openbell.runtime.setup import Context, Interrupted, Setup
from openbell.runtime.versions import versions

Progress = Callable[[int, int], None]
FIRST_EPOCH = 1


class Prepared(Protocol):
    """A run with everything read and checked that only waits to be executed."""

    @property
    def strategy(self) -> Any:
        """The strategy that will run."""

    @property
    def fees(self) -> object:
        """What its fees are decided by."""

    @property
    def name(self) -> str:
        """What the run is called."""

    @property
    def journal(self) -> JournalContent:
        """What its journal is to hold."""

    def execute(self, context: Context, progress: Progress | None = None) -> RunResult:
        """Run it. The journal, if any, is closed afterwards."""


def run_into_folder(
    prepared: Prepared,
    out: Path,
    progress: Progress | None = None,
    *,
    clock: WallClock = time.time_ns,
    suffix: str = "",
) -> Run:
    """Execute a run into a new folder below `out`.

    Whatever ends it early (a strategy that raises, a full disk, an interrupt) leaves the folder marked INCOMPLETE, with the
    reason in its log, and is raised on.
    """
    code = RecordedCode.of(prepared.strategy, prepared.fees, getattr(prepared, "policy", None))
    folder = RunFolder.begin(out, strategy_name=prepared.name, clock=clock, code=code, suffix=suffix)
    started = clock()
    if isinstance(prepared, Setup):
        write_begun(folder.path, prepared, code, started)
    return finish_in_folder(prepared, folder, code, started, progress, clock=clock)


def finish_in_folder(
    prepared: Prepared,
    folder: RunFolder,
    code: RecordedCode,
    started: int,
    progress: Progress | None = None,
    *,
    clock: WallClock = time.time_ns,
    interrupted: Interrupted | None = None,
) -> Run:
    """Execute a run in a folder that was begun, from its first record or from where it was interrupted."""
    try:
        context = Context(
            journal=_journal(prepared.journal, folder, started),
            log=folder.log.info,
            keep=ParticipantFiles(folder.path).write,
            interrupted=interrupted,
        )
        result = prepared.execute(context, progress)
        result = dataclasses.replace(result, started_ns=started, ended_ns=clock(), versions=versions())
        for note in result.notes:
            folder.log.info("data", note=note)
        run = Run(result, code)
        run.complete(folder, code)
    except BaseException as error:
        folder.fail(error)
        raise
    return run


def _journal(content: JournalContent, folder: RunFolder, started: int) -> NewJournal | None:
    if content == "none":
        return None
    program = f"openbell {versions()['openbell']}"
    # A backtest can be run again from its inputs: nothing is lost that a sync would save.
    return NewJournal(
        folder.journal,
        epoch=FIRST_EPOCH,
        created_time=started,
        created_by=program,
        durability="none",
        content=content,
    )
