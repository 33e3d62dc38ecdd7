"""Reads a journal while it is written, as far as it is durable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from openbell.journal.record_fields import last_sequence
from openbell.kernel import JournalReader
from openbell.messages.layouts import Slots
from openbell.runtime.journal_readers import register_reader

PAUSE_SECONDS = 0.05
"""Between two looks at a journal that had nothing new."""


def followed(
    journal: Path,
    *,
    name: str | None = None,
    waits: bool = True,
    ends: bool = True,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], int] = time.time_ns,
) -> Iterator[Slots]:
    """Yield what is durable, batch by batch; with `waits` go on for more, with `ends` until the writer has ended the journal.

    An ended journal may be continued by a later writer, as that of an exchange is at every start: then without `ends`.

    With `name` the reader is registered from the start, and its cursor moves on when the next batch is asked for: what was
    yielded last may not be dealt with yet. Raises JournalError for damage.
    """
    reader = JournalReader(journal)
    if name is not None:
        register_reader(journal, name, max(reader.report.first_sequence - 1, 0), now_ns=clock())
    while True:
        slots = reader.read_durable()
        if slots is not None and len(slots):
            yield slots
            if name is not None:
                register_reader(journal, name, last_sequence(slots), now_ns=clock())
        elif slots is None:
            if not waits or (ends and reader.report.closed):
                return
            pause(PAUSE_SECONDS)
