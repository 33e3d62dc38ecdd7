"""Generated sequences: how many, from which seed, and one stage on which engine and twin play them."""

from __future__ import annotations

import os
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, currently_in_test_context, note, seed, settings

from openbell.kernel import Node
from tests.kernel.engine_events import Words, run, send
from tests.model.engine_twin import EngineTwin
from tests.model.order_twin import Command, Event, Submit

SEQUENCES = int(os.environ.get("OPENBELL_SEQUENCES", "10000"))
"""Of all stages together: the exchange, its trading day, its special orders, both of them together and the bars share them."""
STAGES, CHUNKS = 5, 8
"""Parts of the sequences that run apart, so that several workers share them."""

SEED = int(os.environ.get("OPENBELL_SEED", secrets.randbelow(10**9)))
WORDS = Words()


def generated(chunk: int) -> Callable[[Any], Callable[[], None]]:
    """Runs a hypothesis test over this chunk's part of the sequences; a failure says how to repeat it."""
    own_seed = SEED + chunk
    chosen = settings(
        max_examples=max(SEQUENCES // STAGES // CHUNKS, 1),
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )

    def wrap(test: Any) -> Callable[[], None]:
        hunted = seed(own_seed)(chosen(test))

        def hunt() -> None:
            try:
                hunted()
            except BaseException as error:
                test_name = os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0]
                error.add_note(
                    f"to repeat: OPENBELL_SEED={SEED} OPENBELL_SEQUENCES={SEQUENCES} python -m pytest '{test_name}'"
                )
                raise

        return hunt

    return wrap


def drawn(sequences: int) -> Iterator[tuple[list[int], random.Random]]:
    """Numbers for as many sequences, always the same ones: what they reach does not hang on a seed."""
    rng = random.Random(0)
    for _ in range(sequences):
        yield [rng.getrandbits(48) for _ in range(rng.randint(20, 40))], rng


def require_reached(seen: Counter[str], wanted: str) -> None:
    """A generator that no longer gets anywhere proves nothing."""
    missed = [word for word in wanted.split() if not seen[word]]
    assert not missed, f"never seen in {seen.total()} events: {missed}"


@dataclass
class Stage:
    """A node and its twin, and what has been told so far."""

    node: Node
    twin: EngineTwin
    events: list[Event] = field(default_factory=list)
    levels: list[tuple[int, Event]] = field(default_factory=list)

    @classmethod
    def of(cls, node: Node, twin: Callable[[int], EngineTwin]) -> Stage:
        """After the set-up that is queued in `node`."""
        run(node, None)
        node.take_output()
        return cls(node, twin(node.sequence))

    def play(self, commands: list[Command], *, saved_at: int, check: Callable[[EngineTwin], None]) -> None:
        """Plays commands on both; a copy restored after command `saved_at` must have the same future."""
        expected: list[tuple[int, Event]] = []
        output = b""
        copy: Node | None = None
        for place, command in enumerate(commands):
            if currently_in_test_context():
                note(f"{place}: {command}")
            send(self.node, command)
            if copy is not None:
                send(copy, command)
            for sequence, events in self.twin.play(command):
                expected += [(sequence, event) for event in events]
            check(self.twin)
            if place == saved_at:
                run(self.node, None)
                output = self.node.take_output().tobytes()
                copy = restored(self.node)
        run(self.node, None)
        later = self.node.take_output()
        if copy is not None:
            run(copy, None)
            assert copy.take_output().tobytes() == later.tobytes(), "the restored copy's future"
            assert copy.state_hash() == self.node.state_hash(), "the restored copy's end"
        self.compare(output + later.tobytes(), expected)
        self.check_state()

    def words(self) -> Iterator[str]:
        """Names of events and rules that came up."""
        return (word for event in self.events for word in event if isinstance(word, str))

    def compare(self, output: bytes, expected: list[tuple[int, Event]]) -> None:
        """Event by event."""
        told = WORDS.told(output)
        self.levels = [found for found in told if found[1][0] == "BookLevelChanged"]
        events = [found for found in told if found[1][0] != "BookLevelChanged"]
        self.events = [event for _, event in events]
        for found, wanted in zip(events, expected, strict=False):
            assert found == wanted, f"\n  engine: {found}\n  twin:   {wanted}"
        assert len(events) <= len(expected), f"\n  engine: {events[len(expected)]}\n  twin:   nothing more"
        assert len(events) >= len(expected), f"\n  engine: nothing more\n  twin:   {expected[len(events)]}"

    def check_state(self) -> None:
        """What can be looked up is what the twin has."""
        node, twin = self.node, self.twin
        assert (node.sequence, node.time) == (twin.sequence, twin.time)
        for number, account in twin.accounts.items():
            assert node.cash(number) == account.cash
            assert node.equity(number) == account.equity(twin.instruments, twin.marks)
            for instrument in twin.instruments:
                held = account.positions.get(instrument)
                expected = (held.quantity, held.cost, held.realized, held.fees) if held else (0, 0, 0, 0)
                assert node.position(number, instrument) == expected
            mine = [order for order in twin.orders if order.is_open and order.request.account == number]
            assert [order.order_id for order in node.open_orders(number)] == [o.order_id for o in mine]
        for instrument in twin.instruments:
            assert node.mark(instrument) == twin.marks.get(instrument)
        for order in twin.orders:
            self.check_order(order.request)

    def check_order(self, request: Submit) -> None:
        found = self.node.order(request.account, request.client_id)
        order = self.twin.find(request.account, request.client_id)
        assert found is not None and order is not None
        assert found.state.name == order.state
        assert (found.cumulative_units, found.quantity_units) == (order.filled, order.terms.quantity)
        assert (found.price_units, found.stop_price_units) == (order.terms.price, order.terms.stop)
        assert found.filled_value == order.value
        assert found.is_held == order.held


def restored(node: Node) -> Node:
    """A copy through its bytes, with the same hash."""
    copy = Node.restore(node.snapshot())
    assert copy.state_hash() == node.state_hash(), "a restored engine has the same hash"
    return copy
