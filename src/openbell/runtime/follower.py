"""Follows a journal in a process of its own, compares the hashes in it, and saves snapshots.

    python -m openbell.runtime.follower JOURNAL SNAPSHOTS [SECONDS]

The node that trades never waits for a snapshot, and what is saved was replayed first: a state that is not the journal's is never
saved. It ends when the journal is closed, on SIGTERM and SIGINT, and with exit code 1 and one line on what is wrong.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from openbell.kernel import Follower
from openbell.model.errors import OpenbellError

INTERVAL_SECONDS = 30.0
PAUSE_SECONDS = 0.1
"""Between two looks at a journal in which nothing new was."""


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


def main(arguments: list[str]) -> int:
    """The program; returns its exit code."""
    if len(arguments) not in (2, 3):
        print("usage: python -m openbell.runtime.follower JOURNAL SNAPSHOTS [SECONDS]", file=sys.stderr)
        return 2
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda found, _frame: stopped.append(found))
    interval = float(arguments[2]) if len(arguments) == 3 else INTERVAL_SECONDS
    try:
        follow(
            Path(arguments[0]),
            Path(arguments[1]),
            interval_seconds=interval,
            goes_on=lambda: not stopped,
        )
    except OpenbellError as error:
        print(f"follower: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
