"""The engine as it was after any record of a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from openbell.journal.selection import LAST_SEQUENCE
from openbell.kernel import Node, compare_history, snapshots_in
from openbell.messages.layouts import Slots
from openbell.model.errors import DivergenceError, InputError, JournalError
from openbell.runtime.history import History, ToldBatch
from openbell.runtime.moment_tables import MomentTables, Watcher, moment_tables


@dataclass(frozen=True, eq=False)
class Moment:
    """The engine after the record `node.sequence`, and what was watched on the way."""

    history: History
    node: Node
    watcher: Watcher | None
    begun: int
    """The sequence of the snapshot it was replayed from; 0 for the first record."""
    compared_sequence: int
    """The last sequence at which a hash of the journal was compared with the replay; 0 where none was."""

    def tables(self, depth: int = 10) -> MomentTables:
        """Accounts, positions, orders, books and risk in words."""
        return moment_tables(self.node, self.watcher, depth=depth)


def state_at(
    history: History,
    sequence: int | None = None,
    progress: Callable[[int], None] | None = None,
    *,
    from_snapshot: bool = False,
) -> Moment:
    """Replay a journal up to and including `sequence`, or to its end.

    With `from_snapshot`, and where the journal's beginning was removed, from the nearest snapshot instead of the first record:
    quick, and without the books of feeds, which no snapshot holds.

    A record that is passed over changes nothing. Raises InputError for a sequence that the journal does not have (any more),
    JournalError for damage, DivergenceError where the
    engine gave other events than the journal's hash says.
    """
    require_sequence(history, sequence)
    if from_snapshot or history.report().first_sequence > 1:
        return _from_snapshot(history, sequence)
    node, watcher = history.begin(0), Watcher()
    compared = 0
    for batch in history.told_batches(sequence):
        replay_batch(node, batch)
        watcher.watch(batch.slots)
        if batch.output_hash is not None and batch.output_hash[0] == node.sequence:
            compared = node.sequence
        if progress is not None:
            progress(node.sequence)
    if sequence is not None and node.sequence < sequence:
        raise beyond_the_end(history, sequence, node.sequence)
    return Moment(history, node, watcher, 0, compared)


def _from_snapshot(history: History, sequence: int | None) -> Moment:
    wanted = LAST_SEQUENCE if sequence is None else sequence
    node = history.node_at(wanted)
    if sequence is not None and node.sequence < sequence:
        raise beyond_the_end(history, sequence, node.sequence)
    return Moment(history, node, None, _nearest_snapshot(history, node.sequence), 0)


def _nearest_snapshot(history: History, sequence: int) -> int:
    whole = [one[0] for one in snapshots_in(history.snapshots) if one[-1] is None and one[0] <= sequence]
    return max(whole, default=0)


def replayed(node: Node, history: History, last: int | None = None) -> Iterator[tuple[Slots, Slots]]:
    """Run what follows in a journal on `node` (`History.begin`): the records of each batch and the events they made.

    Raises DivergenceError where the events, or the state at the end, are not those whose hash the journal has.
    """
    for batch in history.told_batches(last, after=node.sequence):
        yield batch.slots, replay_batch(node, batch)


def replay_batch(node: Node, told: ToldBatch) -> Slots:
    """Run one batch on `node` and return its events.

    Raises DivergenceError where the hash of events or state that the journal has at its end is another.
    """
    same = node.sequence
    node.run(told.slots, None, [])
    output = node.take_output()
    _require_same_hashes(node, told, same)
    return output


def _require_same_hashes(node: Node, told: ToldBatch, same: int) -> None:
    for name, hash_there in (("events", told.output_hash), ("state", told.state_hash)):
        if hash_there is None or hash_there[0] != node.sequence:
            continue
        here = node.output_hash if name == "events" else node.state_hash()
        if here != hash_there[1]:
            raise DivergenceError(
                f"the engine came to other {name} between sequence {same + 1} and {node.sequence}: hash "
                f"{hash_there[1]:032x} is in the journal, the replay has {here:032x}"
            )


def compare_with_replay(history: History) -> list[str]:
    """What differs between a journal, its snapshots and a replay from its first record, in lines; none when all is the same.

    Raises JournalError where the first record is gone, or the journal only points at its data.
    """
    report = history.report()
    if report.content != "full":
        raise JournalError(
            f"{history.journal}: holds its data by reference; openbell replay compares such a run"
        )
    if report.first_sequence > 1:
        raise JournalError(
            f"{history.journal}: begins with sequence {report.first_sequence}; a replay from the first record needs all of them"
        )
    return compare_history(history.journal, history.snapshots, configuration=history.configuration())


def require_sequence(history: History, sequence: int | None) -> None:
    """Pass only a sequence that a journal can have."""
    if sequence is None:
        return
    first = history.report().first_sequence
    begin = history.begin_sequence()
    if first > 1 and first <= sequence < begin:
        raise InputError(
            "the moment cannot be told any more: the records before it were removed",
            source=history.folder,
            value=sequence,
            expected=f"{begin} or more, the sequence of the oldest whole snapshot",
        )
    if sequence < first:
        raise InputError(
            "no such sequence in the journal",
            source=history.folder,
            value=sequence,
            expected=f"{first} or more",
        )


def beyond_the_end(history: History, sequence: int, last: int) -> InputError:
    """The error for a sequence that is not written (yet)."""
    return InputError(
        "the journal ends before this sequence",
        source=history.folder,
        value=sequence,
        expected=f"at most {last}",
    )
