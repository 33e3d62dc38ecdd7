"""Every type of order and every way to prevent self-trades, against their twin: the same commands, the same story.

OPENBELL_SEQUENCES says how many sequences are generated in all; a failure prints the line that repeats it.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.generated import CHUNKS, drawn, generated, require_reached
from tests.kernel.one_market import levels_told
from tests.kernel.recorded import Event, compare
from tests.kernel.special_floor import DOWN, FLOOR, READER, Floor, levels_of, lifted_story, story
from tests.model.special_orders_twin import (
    ALL_OR_NONE,
    BUY,
    CANCEL_AGGRESSOR,
    CANCEL_BOTH,
    CANCEL_RESTING,
    DECREMENT,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET_PEG,
    PEGGED,
    SELL,
    Order,
)


def run(numbers: list[int], saved_at: int, down: int = 0) -> Floor:
    """Plays on the twin and on a node, one half of it also on a restored copy, and compares."""
    floor = Floor(down)
    floor.play(numbers, saved_at)
    node, output = floor.market.replay(floor.saved, floor.journal.take())
    compare(list(lifted_story(floor, output)), floor.twin.told)
    levels = {
        (side, price + down): quantity for (side, price), quantity in levels_told(READER, output).items()
    }
    assert levels == levels_of(floor.twin), "levels"
    floor.market.check_accounts(node, floor.owners, {order.order_id: order for order in floor.twin.orders})
    return floor


numbers = st.lists(st.integers(0, 2**48), min_size=15, max_size=40)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_type_of_order_does_what_its_twin_does(chunk: int) -> None:
    @generated(chunk)
    @given(numbers, st.integers(0, 40))
    def play(numbers: list[int], saved_at: int) -> None:
        run(numbers, saved_at)

    play()


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_around_zero_every_type_of_order_does_what_it_does_a_hundred_higher(chunk: int) -> None:
    @generated(chunk)
    @given(numbers, st.integers(0, 40))
    def play(numbers: list[int], saved_at: int) -> None:
        run(numbers, saved_at, DOWN)

    play()


def test_the_generated_orders_reach_all_of_the_list() -> None:
    seen: Counter[str] = Counter()
    for numbers, rng in drawn(400):
        floor = run(numbers, rng.randint(0, 40))
        seen.update(word for event in floor.twin.told for word in event if isinstance(word, str))
    require_reached(
        seen,
        """
        trade rejected canceled replaced repriced reduced triggered
        POST_ONLY_MUST_NOT_TAKE FILL_OR_KILL_MUST_FILL_WHOLE IMMEDIATE_OR_CANCEL_MUST_FILL_NOW
        MARKET_MUST_HAVE_LIQUIDITY MINIMUM_QUANTITY_MUST_FILL_NOW SELF_TRADE_MUST_NOT_HAPPEN STOP_MUST_NOT_BE_TRIGGERED
        """,
    )


def told(*commands: Order | tuple[int, int, int]) -> list[Event]:
    """What a node tells of orders and settings (account, group, action) given one after the other."""
    floor = Floor()
    floor.trade_once()
    for command in commands:
        if isinstance(command, Order):
            floor.send(command)
        else:
            floor.set_prevention(*command)
    node = FLOOR.open()
    node.take_output()
    node.run(floor.journal.take(), None, [])
    first_trade = 3
    found = list(story(node.take_output().tobytes()))
    compare(found, floor.twin.told)
    return found[first_trade:]


def test_an_account_that_lets_its_orders_trade_is_not_forgotten_before_there_is_a_default() -> None:
    bid = Order(0, 1, BUY, LIMIT, 3, price=99)
    found = told((1, 0, 0), (0, 0, CANCEL_RESTING), bid, Order(0, 1, SELL, LIMIT, 3, price=99))
    assert [event[0] for event in found] == ["accepted", "accepted", "trade"]


def test_a_peg_does_not_stay_where_a_prevented_self_trade_took_what_it_follows() -> None:
    peg = Order(0, 1, BUY, PEGGED, 9, peg=MARKET_PEG, peg_offset=2)
    found = told((1, 0, CANCEL_RESTING), peg, Order(0, 1, SELL, LIMIT, 4, price=99))
    words = ["accepted", "accepted", "repriced", "canceled", "repriced"]
    assert [event[0] for event in found] == words
    assert found[-1][2] == 0, "it waits for something to follow"


@pytest.mark.parametrize(
    ("time_in_force", "minimum", "options"),
    [(FOK, 0, 0), (IOC, 5, 0), (GTC, 0, ALL_OR_NONE)],
    ids=["fill or kill", "minimum", "all or none"],
)
@pytest.mark.parametrize("action", [CANCEL_AGGRESSOR, CANCEL_BOTH])
def test_what_an_iceberg_shows_after_the_takers_own_order_does_not_count_as_whole(
    action: int, time_in_force: int, minimum: int, options: int
) -> None:
    iceberg = Order(0, 2, SELL, LIMIT, 10, price=101, display=2)
    own = Order(0, 1, SELL, LIMIT, 4, price=101)
    taker = Order(
        0, 1, BUY, LIMIT, 5, price=101, time_in_force=time_in_force, minimum=minimum, options=options
    )
    found = told((1, 0, action), iceberg, own, taker)
    assert "trade" not in [event[0] for event in found], "or it would be filled in part"


def test_what_is_left_of_an_order_that_met_its_own_may_still_reach_a_minimum() -> None:
    own, other = Order(0, 1, SELL, LIMIT, 3, price=101), Order(0, 2, SELL, LIMIT, 7, price=101)
    taker = Order(0, 1, BUY, LIMIT, 10, price=101, time_in_force=IOC, minimum=7)
    found = told((1, 0, DECREMENT), own, other, taker)
    assert [event[2] for event in found if event[0] == "trade"] == [7]
