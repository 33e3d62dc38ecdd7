"""The engine as it was after any record of a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from openbell.journal.selection import LAST_SEQUENCE
from openbell.kernel import Node
from openbell.messages.layouts import Slots
from openbell.model.errors import DivergenceError, InputError
from openbell.runtime.history import History, ToldBatch
from openbell.runtime.moment_tables import MomentTables, Watcher, moment_tables


@dataclass(frozen=True, eq=False)
class Moment:
    """The engine after the record `node.sequence`, and what was watched on the way."""

    history: History
    node: Node
    watcher: Watcher | None
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

    Raises InputError for a sequence that the journal does not have, JournalError for damage, DivergenceError where the
    engine gave other events than the journal's hash says.
    """
    require_sequence(history, sequence)
    if from_snapshot or history.report().first_sequence > 1:
        return _from_snapshot(history, sequence)
    node, watcher = Node(mode="replay"), Watcher()
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
    return Moment(history, node, watcher, compared)


def _from_snapshot(history: History, sequence: int | None) -> Moment:
    wanted = LAST_SEQUENCE if sequence is None else sequence
    node = Node.at(history.journal, wanted, history.snapshots, configuration=history.configuration())
    if sequence is not None and node.sequence < sequence:
        raise beyond_the_end(history, sequence, node.sequence)
    return Moment(history, node, None, 0)


def replayed(node: Node, history: History, last: int | None = None) -> Iterator[tuple[Slots, Slots]]:
    """Run a journal on `node`: the records of each batch and the events they made.

    Raises DivergenceError where the events, or the state at the end, are not those whose hash the journal has.
    """
    for batch in history.told_batches(last):
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


def require_sequence(history: History, sequence: int | None) -> None:
    """Pass only a sequence that a journal can have."""
    if sequence is None:
        return
    first = history.report().first_sequence
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
