"""Follows a journal in a process of its own, compares the hashes in it, and saves snapshots.

    python -m openbell.runtime.follower JOURNAL SNAPSHOTS [--seconds N] [--records N] [--bytes N] [--parent PID]

One at a time: it holds the file LOCK in the folder of the snapshots, and waits a moment for one that is about to end.

The node that trades never waits for a snapshot, and what is saved was replayed first: a state that is not the journal's is never
saved. It ends when the journal is closed, on SIGTERM and SIGINT, and with exit code 1 and one line on what is wrong.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from openbell.kernel import Follower
from openbell.model.errors import OpenbellError

INTERVAL_SECONDS, MOST_RECORDS, MOST_BYTES = 30.0, 4_000_000, 512 << 20
"""A snapshot is due after so much, whichever comes first."""
PAUSE_SECONDS = 0.1
"""Between two looks at a journal in which nothing new was."""
LOCK_SECONDS, STOP_SECONDS = 10.0, 10.0
SNAPSHOTS = "snapshots"
"""The folder in that of a journal in which a restart looks for them."""


def follow(
    journal: Path,
    snapshots: Path,
    *,
    interval_seconds: float = INTERVAL_SECONDS,
    records: int = MOST_RECORDS,
    size: int = MOST_BYTES,
    configuration: int = 0,
    clock: Callable[[], int] = time.monotonic_ns,
    pause: Callable[[float], None] = time.sleep,
    goes_on: Callable[[], bool] = lambda: True,
) -> int:
    """Follow until the journal is closed or `goes_on` says no; save at the end what came since the last snapshot.

    A snapshot is saved after `interval_seconds`, `records` or `size` bytes of records, whichever comes first.

    Returns the last sequence taken in. Raises DivergenceError for a hash that is not the recorded one, EngineStopped for a record
    that stops the engine, JournalError for a journal or a snapshot that cannot be used.
    """
    follower = Follower(
        journal,
        snapshots,
        configuration=configuration,
        records=records,
        bytes=size,
        interval_ns=int(interval_seconds * 1e9),
    )
    unsaved, sequence, is_closed = 0, 0, False
    while goes_on() and not is_closed:
        taken, sequence, snapshot, is_closed = follower.follow(clock())
        unsaved = 0 if snapshot is not None else unsaved + taken
        if not taken and not is_closed:
            pause(PAUSE_SECONDS)
    if unsaved:
        follower.save(clock())
    return sequence


class FollowerProcess:
    """A follower beside the node whose journal it follows. It ends with this process, however that ends."""

    def __init__(
        self,
        journal: Path,
        *,
        seconds: float = INTERVAL_SECONDS,
        records: int = MOST_RECORDS,
        size: int = MOST_BYTES,
    ) -> None:
        self._journal = journal
        self._due = ("--seconds", str(seconds), "--records", str(records), "--bytes", str(size))
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, at the lowest priority."""
        snapshots = self._journal / SNAPSHOTS
        command = [sys.executable, "-m", __name__, str(self._journal), str(snapshots), *self._due]
        self._process = subprocess.Popen(
            [*command, "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def trouble(self) -> str | None:
        """What it ended with; None while it follows."""
        process = self._process
        if process is None or process.poll() in (None, 0) or process.stderr is None:
            return None
        if self._told is None:
            self._told = process.stderr.read().strip() or f"ended with exit code {process.returncode}"
        return self._told

    _told: str | None = None

    def stop(self) -> None:
        """Have it save what it has seen, and wait for it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def _sole(snapshots: Path) -> Iterator[None]:
    """Be the only one that writes there. Raises OpenbellError where another one does not end."""
    snapshots.mkdir(parents=True, exist_ok=True)
    with (snapshots / "LOCK").open("w") as lock:
        for _ in range(int(LOCK_SECONDS / PAUSE_SECONDS)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(PAUSE_SECONDS)
        else:
            raise OpenbellError(f"{snapshots}: another follower writes snapshots here")
        yield


def main(arguments: list[str]) -> int:
    """The program; returns its exit code."""
    try:
        told = _program().parse_args(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda found, _frame: stopped.append(found))
    os.nice(10)
    try:
        with _sole(told.snapshots):
            follow(
                told.journal,
                told.snapshots,
                interval_seconds=told.seconds,
                records=told.records,
                size=told.bytes,
                goes_on=lambda: not stopped and os.getppid() == told.parent,
            )
    except (OpenbellError, OSError) as error:
        print(f"follower: {error}", file=sys.stderr)
        return 1
    return 0


def _program() -> argparse.ArgumentParser:
    program = argparse.ArgumentParser(prog="python -m openbell.runtime.follower")
    program.add_argument("journal", type=Path)
    program.add_argument("snapshots", type=Path)
    program.add_argument("--seconds", type=float, default=INTERVAL_SECONDS)
    program.add_argument("--records", type=int, default=MOST_RECORDS)
    program.add_argument("--bytes", type=int, default=MOST_BYTES)
    program.add_argument("--parent", type=int, default=os.getppid(), help="ends with this process")
    return program


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
