"""What an exchange's clients were told before the snapshot with which it went on, found while it is at work again.

An exchange restarts from its newest snapshot, which may be a moment old: a client that was away for longer asks for what came
before. That is replayed from an older snapshot, in a thread of its own, after the exchange has begun to listen.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from openbell.gateway.past import Past
from openbell.kernel import JournalReader, Node, skipped_records, snapshots_in
from openbell.messages.layouts import HEAD_DTYPE, SLOT_SIZE
from openbell.model.errors import OpenbellError
from openbell.runtime.follower import SNAPSHOTS

REMEMBERED_RECORDS = 1_000_000
"""Records that are looked at, but for what came since the newest snapshot: clients can be told no more than is seen there."""


class EarlierPast:
    """Replays the records of `journal` up to sequence `end`, that of a snapshot, from as early as is remembered.

    `last` is the last sequence of the journal, `kept` how many executions of each account are looked for. Calling it waits for
    the end of that; the answer is None where nothing earlier is remembered, also when it was removed meanwhile.
    """

    def __init__(self, journal: Path, end: int, last: int, kept: int) -> None:
        self._journal = journal
        self._end = end
        self._last = last
        self._kept = kept
        self._past: Past | None = None
        self._failure: Exception | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="openbell-earlier-past", daemon=True)
        self._begun = threading.Lock()

    def __call__(self) -> Past | None:
        """What was found. Raises whatever is no trouble with the journal, which is a defect of this program."""
        self.start()
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self._past

    def start(self) -> None:
        """Begin to look. Once is enough."""
        with self._begun:
            if self._thread.ident is None:
                self._thread.start()

    def stop(self) -> None:
        """Nobody will ask any more."""
        self._is_over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _look(self) -> None:
        try:
            begin = first_of_past(self._journal, self._last)
            if begin < self._end:
                self._past = self._replayed(begin)
        except OpenbellError:
            # Retention has removed it meanwhile, as it removes all that nobody needs for a restart.
            self._past = None
        except Exception as failure:
            self._failure = failure

    def _replayed(self, begin: int) -> Past | None:
        past = Past(self._kept, begin)
        node = Node.at(self._journal, begin, self._journal / SNAPSHOTS) if begin else Node(mode="replay")
        node.pass_over(skipped_records(self._journal))
        reader = JournalReader(self._journal)
        while node.sequence < self._end and (slots := reader.read()) is not None:
            new = _between(slots, node.sequence, self._end)
            if len(new):
                node.run(new, None, [])
                node.commit()
                past.add(node.take_output())
            if self._is_over.is_set():
                return None
        return past


def first_of_past(journal: Path, last: int) -> int:
    """The sequence after which the past begins: that of a snapshot, or 0 for the journal's first record.

    As early as it can be with at most `REMEMBERED_RECORDS` up to `last`; the newest snapshot where all are further away.
    """
    whole = [head[0] for head in snapshots_in(journal / SNAPSHOTS) if head[-1] is None and head[0] <= last]
    begins = [0, *whole] if JournalReader(journal).report.first_sequence == 1 else whole
    near = [begin for begin in begins if last - begin <= REMEMBERED_RECORDS]
    return min(near, default=max(begins, default=0))


def _between(slots: NDArray[np.uint8], after: int, last: int) -> NDArray[np.uint8]:
    """The records after one sequence and up to another."""
    sequences = slots.view(HEAD_DTYPE)["sequence"]
    first, end = np.searchsorted(sequences, (after, last), side="right")
    return slots[first * SLOT_SIZE : end * SLOT_SIZE]
