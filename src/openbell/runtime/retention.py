"""What of a journal nobody needs any more: full segments behind the second newest whole snapshot and behind every reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from openbell.kernel import journal_segments, remove_journal_segments, snapshots_in
from openbell.runtime.history import History
from openbell.runtime.journal_readers import RegisteredReader, registered_readers

SNAPSHOTS_KEPT = 2
"""With so many whole snapshots the second newest is one that a damaged newest can fall back to."""


@dataclass(frozen=True)
class Retention:
    """What may go: segments whose every record comes before `needed_from`, and why nothing more.

    `needed_from` is 0 where nothing may go at all. `segments` are those that may go, `removed` those that went.
    """

    journal: str
    needed_from: int
    because: str
    segments: tuple[int, ...]
    kept: int
    snapshots: tuple[int, ...]
    readers: tuple[RegisteredReader, ...]
    removed: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)


def needed_from(snapshots: Sequence[int], readers: Sequence[RegisteredReader]) -> tuple[int, str]:
    """The first sequence that somebody may still need, and who; 0 where all of it is.

    `snapshots` are sequences of snapshots that are whole.
    """
    if len(snapshots) < SNAPSHOTS_KEPT:
        return 0, f"there are {len(snapshots)} whole snapshots, and {SNAPSHOTS_KEPT} are needed to begin from"
    oldest = sorted(snapshots)[-SNAPSHOTS_KEPT]
    bound, because = oldest + 1, f"the second newest whole snapshot is of sequence {oldest}"
    for reader in readers:
        if reader.sequence + 1 < bound:
            bound, because = reader.sequence + 1, f"reader {reader.name} is at sequence {reader.sequence}"
    return bound, because


def plan_retention(history: History) -> Retention:
    """What may go. Nothing is changed."""
    whole = tuple(sequence for sequence, *_, problem in snapshots_in(history.snapshots) if problem is None)
    readers = tuple(registered_readers(history.journal))
    bound, because = needed_from(whole, readers)
    segments = journal_segments(history.journal)
    behind = [number for (number, _), (_, follows) in pairwise(segments) if follows <= bound]
    return Retention(
        journal=str(history.journal),
        needed_from=bound,
        because=because,
        segments=tuple(behind),
        kept=len(segments) - len(behind),
        snapshots=whole,
        readers=readers,
    )


def retain(history: History, *, now_ns: int) -> Retention:
    """Delete what `plan_retention` says. Raises JournalError while somebody else writes the journal."""
    plan = plan_retention(history)
    if not plan.segments:
        return plan
    removed = remove_journal_segments(history.journal, plan.needed_from, time=now_ns)
    return Retention(**{**plan.__dict__, "removed": tuple(removed)})
