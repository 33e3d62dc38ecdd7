"""What of a journal nobody needs any more: full segments behind the second newest whole snapshot and behind every reader.

Nobody needs a segment is one thing, that it is to go another: a `RetentionPolicy` keeps some of them for people.
"""

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
class RetentionPolicy:
    """What is kept though nobody needs it: segments up to so many bytes in all, and written to less than so long ago.

    A segment beyond one of the two goes; None sets no bound. The default lets everything go that nobody needs.
    """

    keep_bytes: int | None = 0
    keep_seconds: float | None = None

    @property
    def keeps_everything(self) -> bool:
        """Whether nothing ever goes."""
        return self.keep_bytes is None and self.keep_seconds is None

    def expired(self, segments: Sequence[tuple[int, float]]) -> int:
        """How many go, of all segments from the oldest on, each with its bytes and the seconds since it was written to."""
        left = sum(size for size, _ in segments)
        for gone, (size, age) in enumerate(segments):
            is_too_much = self.keep_bytes is not None and left > self.keep_bytes
            is_too_old = self.keep_seconds is not None and age > self.keep_seconds
            if not is_too_much and not is_too_old:
                return gone
            left -= size
        return len(segments)


@dataclass(frozen=True)
class Retention:
    """What may go: segments whose every record comes before `needed_from`, and why nothing more.

    `needed_from` is 0 where nothing may go at all. `segments` are those that are to go, `remove_before` the sequence with which
    the journal then begins (0 where none goes), `removed` those that went.
    """

    journal: str
    needed_from: int
    remove_before: int
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
    # Its own record stays: a snapshot names a place behind it, which may be followed by the mark of a journal that was ended.
    bound, because = oldest, f"the second newest whole snapshot is of sequence {oldest}"
    for reader in readers:
        if reader.sequence + 1 < bound:
            bound, because = reader.sequence + 1, f"reader {reader.name} is at sequence {reader.sequence}"
    return bound, because


def whole_snapshots(history: History) -> tuple[int, ...]:
    """Sequences of the snapshots that are whole: each is read and checked."""
    return tuple(sequence for sequence, *_, problem in snapshots_in(history.snapshots) if problem is None)


def plan_retention(
    history: History,
    policy: RetentionPolicy = RetentionPolicy(),
    *,
    whole: tuple[int, ...] | None = None,
    now: float = 0.0,
) -> Retention:
    """What is to go. Nothing is changed.

    `whole` are the snapshots that are known to be whole, `now` the seconds since 1970 from which ages are counted.
    """
    if whole is None:
        whole = whole_snapshots(history)
    readers = tuple(registered_readers(history.journal))
    bound, because = needed_from(whole, readers)
    segments = journal_segments(history.journal)
    behind = [number for (number, *_), (_, follows, _) in pairwise(segments) if follows <= bound]
    if behind and policy != RetentionPolicy():
        behind = behind[: policy.expired(_sizes_and_ages(history, [one[0] for one in segments], now))]
    return Retention(
        journal=str(history.journal),
        needed_from=bound,
        remove_before=segments[len(behind)][1] if behind else 0,
        because=because,
        segments=tuple(behind),
        kept=len(segments) - len(behind),
        snapshots=whole,
        readers=readers,
    )


def _sizes_and_ages(history: History, numbers: Sequence[int], now: float) -> list[tuple[int, float]]:
    found = [(history.journal / f"{number:08}.seg").stat() for number in numbers]
    return [(one.st_size, now - one.st_mtime) for one in found]


def retain(history: History, *, now_ns: int, seal_key: bytes | None = None) -> Retention:
    """Delete what `plan_retention` says. Raises JournalError while somebody else writes the journal."""
    plan = plan_retention(history)
    if not plan.segments:
        return plan
    removed = remove_journal_segments(history.journal, plan.needed_from, time=now_ns, seal_key=seal_key)
    return Retention(**{**plan.__dict__, "removed": tuple(removed)})
