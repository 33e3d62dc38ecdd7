"""Follows a journal in a process of its own, compares the hashes in it, and saves snapshots.

    python -m openbell.runtime.follower JOURNAL SNAPSHOTS [SECONDS]

One at a time: it holds the file LOCK in the folder of the snapshots, and waits a moment for one that is about to end.

The node that trades never waits for a snapshot, and what is saved was replayed first: a state that is not the journal's is never
saved. It ends when the journal is closed, on SIGTERM and SIGINT, and with exit code 1 and one line on what is wrong.
"""

from __future__ import annotations

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

INTERVAL_SECONDS = 30.0
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
    configuration: int = 0,
    clock: Callable[[], int] = time.monotonic_ns,
    pause: Callable[[float], None] = time.sleep,
    goes_on: Callable[[], bool] = lambda: True,
) -> int:
    """Follow until the journal is closed or `goes_on` says no; save at the end what came since the last snapshot.

    Returns the last sequence taken in. Raises DivergenceError for a hash that is not the recorded one, EngineStopped for a record
    that stops the engine, JournalError for a journal or a snapshot that cannot be used.
    """
    follower = Follower(
        journal, snapshots, configuration=configuration, interval_ns=int(interval_seconds * 1e9)
    )
    unsaved, sequence, is_closed = 0, 0, False
    while goes_on() and not is_closed:
        records, sequence, snapshot, is_closed = follower.follow(clock())
        unsaved = 0 if snapshot is not None else unsaved + records
        if not records and not is_closed:
            pause(PAUSE_SECONDS)
    if unsaved:
        follower.save(clock())
    return sequence


class FollowerProcess:
    """A follower beside the node whose journal it follows. It ends with this process, however that ends."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, at the lowest priority."""
        snapshots = self._journal / SNAPSHOTS
        command = [sys.executable, "-m", __name__, str(self._journal), str(snapshots), str(INTERVAL_SECONDS)]
        self._process = subprocess.Popen(
            [*command, str(os.getpid())],
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
    if len(arguments) not in (2, 3, 4):
        print(
            "usage: python -m openbell.runtime.follower JOURNAL SNAPSHOTS [SECONDS [PARENT]]", file=sys.stderr
        )
        return 2
    journal, snapshots = Path(arguments[0]), Path(arguments[1])
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda found, _frame: stopped.append(found))
    interval = float(arguments[2]) if len(arguments) > 2 else INTERVAL_SECONDS
    parent = int(arguments[3]) if len(arguments) > 3 else os.getppid()
    os.nice(10)
    try:
        with _sole(snapshots):
            follow(
                journal,
                snapshots,
                interval_seconds=interval,
                goes_on=lambda: not stopped and os.getppid() == parent,
            )
    except (OpenbellError, OSError) as error:
        print(f"follower: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
