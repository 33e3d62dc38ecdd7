"""Every type of order through every session, within price bands, against their twin: the same commands, the same story.

OPENBELL_SEQUENCES says how many sequences are generated in all; a failure prints the line that repeats it.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace

import pytest
from hypothesis import currently_in_test_context, given, note
from hypothesis import strategies as st

from tests.kernel.generated import CHUNKS, drawn, generated, require_reached
from tests.kernel.one_market import INSTRUMENT, levels_told
from tests.kernel.recorded import compare
from tests.kernel.special_floor import DOWN, PRICED, READER, Floor, lifted_story
from tests.model.special_orders_twin import (
    ALL_OR_NONE,
    BUY,
    CANCEL_RESTING,
    FOK,
    GTC,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    MARKET_PEG,
    NANO,
    PEGGED,
    SELL,
    Order,
)
from tests.model.special_sessions_twin import (
    AT_CLOSE,
    AT_OPEN,
    AUCTIONS,
    CLOSED,
    CLOSING,
    CONTINUOUS,
    HALTED,
    OPENING,
    PRE_OPEN,
    REDUCE_ONLY,
    VOLATILITY,
    Bands,
    DayOrder,
    SpecialSessionsTwin,
)

SESSIONS = (PRE_OPEN, OPENING, OPENING, *(CONTINUOUS,) * 6, VOLATILITY, VOLATILITY, HALTED, CLOSING, CLOSED)
AUCTION_TERMS = (AT_OPEN, AT_CLOSE)


class Hall(Floor):
    """A floor that opens and closes."""

    def __init__(self, down: int = 0) -> None:
        super().__init__(down)
        self.day = SpecialSessionsTwin(INSTRUMENT)
        self.twin = self.day

    def command(self, rng: random.Random) -> None:
        self.pass_time()
        kind = rng.randrange(100)
        outside = [order for order in self.day.orders if waits_and_may_change(order)]
        if kind < 9:
            self.open_session(rng)
        elif kind < 12:
            self.set_rules(rng)
        elif kind < 15 and outside:
            self.replace(rng.choice(outside), rng)
        else:
            super().command(rng)

    def pass_time(self) -> None:
        """A little time goes by; what is due is done before anything else."""
        self.journal.time += 1
        before = len(self.day.told)
        self.day.advance(self.journal.time)
        if len(self.day.told) > before:
            self.journal.add("ClockAdvanced")

    def open_session(self, rng: random.Random) -> None:
        session = rng.choice(SESSIONS)
        until = self.journal.time + rng.randint(1, 6) if rng.random() < 0.3 else 0
        if currently_in_test_context():
            note(f"session {session} until {until}")
        self.add("change_trading_session", INSTRUMENT, session, until=until)
        self.day.open_session(session, until)

    def set_rules(self, rng: random.Random) -> None:
        """Bands around the last trade or the reference price, which is set anew or left as it is."""
        share = 0 if self.down else NANO  # near zero a share of a price is nothing
        bands = Bands(
            rng.choice((0, 0, share // 20, share // 10)),
            rng.choice((0, share // 50, share // 25)),
            rng.choice((0, 0, 5, 10)),
            rng.choice((0, 0, 2, 4)),
            rng.choice((VOLATILITY, VOLATILITY, HALTED)),
            rng.choice((0, 3)),
        )
        if currently_in_test_context():
            note(f"{bands}")
        self.day.bands = bands
        self.add(
            "set_price_bands",
            INSTRUMENT,
            static_width=bands.static,
            dynamic_width=bands.dynamic,
            static_units=bands.static_units,
            dynamic_units=bands.dynamic_units,
            on_breach=bands.on_breach,
            duration_ns=bands.duration,
        )
        if rng.random() < 0.5:
            self.day.reference = rng.randint(97, 103)
            self.add("set_reference_price", INSTRUMENT, self.day.reference - self.down, is_known=True)

    def new_order(self, account: int, side: int, kind: int, quantity: int) -> Order:
        return DayOrder(0, account, side, kind, quantity)

    def order(self, rng: random.Random) -> Order:
        order = super().order(rng)
        collects = self.day.session != CONTINUOUS
        if collects and order.kind in PRICED:
            order.price = 100 - order.side * rng.randint(-6, 6)
        if collects and order.is_immediate and rng.random() < 0.8:
            order.time_in_force = GTC
            order.minimum = order.minimum if rng.random() < 0.2 else 0
        term = rng.random()
        if term < 0.1 and not order.is_immediate:
            assert isinstance(order, DayOrder)
            order.time_in_force, order.expires = GTD, self.journal.time + rng.randint(1, 12)
        elif term < 0.25 and may_be_for_auction(order):
            order.time_in_force = rng.choice(AUCTION_TERMS)
        if rng.random() < 0.15:
            order.options |= REDUCE_ONLY
        return order

    def expiry(self, order: Order) -> int:
        return order.expires if isinstance(order, DayOrder) else 0

    def check(self) -> None:
        """What no sequence of commands may break, after each of them."""
        day = self.day
        if day.session == CONTINUOUS:
            super().check()
            assert all(not order.takes_any_price for order in day.at("book"))
        assert day.collecting == (day.session != CONTINUOUS)
        assert sum(day.positions.values()) == 0
        for order in day.orders:
            assert 0 < order.leaves <= order.quantity


def may_be_for_auction(order: Order) -> bool:
    is_plain = not order.is_immediate and not order.minimum and not order.has(ALL_OR_NONE)
    return is_plain and order.kind in (MARKET, LIMIT)


def waits_and_may_change(order: Order) -> bool:
    """For the close, or until all of it can trade."""
    return order.place in ("close", "parked") and order.kind not in (PEGGED, MARKET)


@dataclass(frozen=True)
class Whole:
    """An order with what was cut from it, as the engine has it."""

    executed: int
    leaves: int


def whole(order: Order) -> Whole:
    assert isinstance(order, DayOrder)
    return Whole(order.executed, order.leaves + order.excess)


def levels_of(day: SpecialSessionsTwin) -> dict[tuple[int, int], int]:
    levels: Counter[tuple[int, int]] = Counter()
    for order in [*day.shown(BUY), *day.shown(SELL)]:
        levels[order.side, order.price] += order.shown
    return dict(levels)


def run(numbers: list[int], saved_at: int, down: int = 0) -> Hall:
    """Plays a day on the twin and on a node, one half of it also on a restored copy, and compares."""
    hall = Hall(down)
    hall.play(numbers, saved_at)
    node, output = hall.market.replay(hall.saved, hall.journal.take())
    compare(list(lifted_story(hall, output)), hall.day.told)
    told = levels_told(READER, output).items()
    assert {(side, price + down): quantity for (side, price), quantity in told} == levels_of(hall.day), (
        "levels"
    )
    live = {order.order_id: whole(order) for order in hall.day.orders}
    hall.market.check_accounts(node, hall.owners, live)
    return hall


numbers = st.lists(st.integers(0, 2**48), min_size=15, max_size=40)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_type_of_order_goes_through_every_session_as_its_twin_does(chunk: int) -> None:
    @generated(chunk)
    @given(numbers, st.integers(0, 40))
    def play(numbers: list[int], saved_at: int) -> None:
        run(numbers, saved_at)

    play()


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_around_zero_every_session_goes_as_it_does_a_hundred_higher(chunk: int) -> None:
    @generated(chunk)
    @given(numbers, st.integers(0, 40))
    def play(numbers: list[int], saved_at: int) -> None:
        run(numbers, saved_at, DOWN)

    play()


def test_the_generated_days_reach_all_of_the_list() -> None:
    seen: Counter[str] = Counter()
    for numbers, rng in drawn(400):
        day = run(numbers, rng.randint(0, 40)).day
        seen.update(word for event in day.told for word in event if isinstance(word, str))
        seen.update(f"uncrossed-{event[1]}" for event in day.told if event[0] == "uncrossed" and event[3])
        seen.update(f"session-{event[2]}" for event in day.told if event[0] == "session")
    sessions = " ".join(f"session-{session}" for session in range(PRE_OPEN, CLOSED + 1))
    uncrossed = " ".join(f"uncrossed-{session}" for session in (PRE_OPEN, HALTED, *AUCTIONS))
    require_reached(
        seen,
        f"""
        trade rejected canceled expired replaced repriced reduced triggered session indicated uncrossed breach
        TRADING_MUST_NOT_BE_HALTED SESSION_MUST_TAKE_ORDER PRICE_MUST_BE_WITHIN_BANDS REDUCE_ONLY_MUST_REDUCE
        POST_ONLY_MUST_NOT_TAKE FILL_OR_KILL_MUST_FILL_WHOLE IMMEDIATE_OR_CANCEL_MUST_FILL_NOW
        MARKET_MUST_HAVE_LIQUIDITY MINIMUM_QUANTITY_MUST_FILL_NOW SELF_TRADE_MUST_NOT_HAPPEN STOP_MUST_NOT_BE_TRIGGERED
        {sessions} {uncrossed}
        """,
    )


SHORT_OF_6 = (DayOrder(0, 1, BUY, LIMIT, 6, price=100), DayOrder(0, 4, SELL, LIMIT, 6, price=100))


def told(*commands: DayOrder | tuple[int, int, int]) -> list[tuple[object, ...]]:
    """What is told of orders and settings (account, group, action) given one after the other, as twin and node have it."""
    hall = Hall()
    hall.trade_once()
    for command in commands:
        if isinstance(command, DayOrder):
            hall.send(replace(command))
        else:
            hall.set_prevention(*command)
    _, output = hall.market.replay(hall.saved, hall.journal.take())
    found = list(lifted_story(hall, output))
    compare(found, hall.day.told)
    return found


def traded_last(told: list[tuple[object, ...]]) -> list[object]:
    """Quantities of the trades after the last order was accepted."""
    last = max(place for place, event in enumerate(told) if event[0] == "accepted")
    return [event[2] for event in told[last:] if event[0] == "trade"]


def test_a_reduce_only_peg_that_moves_on_and_is_filled_is_canceled_with_what_it_could_not_trade() -> None:
    own, others = DayOrder(0, 4, SELL, LIMIT, 5, price=101), DayOrder(0, 3, SELL, LIMIT, 8, price=103)
    peg = DayOrder(0, 4, BUY, PEGGED, 12, options=REDUCE_ONLY, peg=MARKET_PEG)
    found = told((4, 0, CANCEL_RESTING), *SHORT_OF_6, own, others, peg)
    assert [event[0] for event in found[-6:]] == [
        "accepted",
        "repriced",
        "canceled",
        "repriced",
        "trade",
        "canceled",
    ]
    assert found[-1][2] == "REDUCE_ONLY_MUST_REDUCE"


@pytest.mark.parametrize(
    ("time_in_force", "minimum", "options"),
    [(FOK, 0, 0), (IOC, 12, 0), (GTC, 0, ALL_OR_NONE)],
    ids=["fill or kill", "minimum", "all or none"],
)
def test_a_reduce_only_iceberg_behind_which_its_account_buys_does_not_count_as_whole(
    time_in_force: int,
    minimum: int,
    options: int,
) -> None:
    iceberg = DayOrder(0, 4, BUY, LIMIT, 6, price=99, display=2, options=REDUCE_ONLY)
    plain = DayOrder(0, 4, BUY, LIMIT, 6, price=99)
    taker = DayOrder(
        0, 3, SELL, LIMIT, 12, price=99, time_in_force=time_in_force, minimum=minimum, options=options
    )
    found = told(*SHORT_OF_6, iceberg, plain, taker)
    assert traded_last(found) == [], "or it would be filled in part"


def test_what_a_reduce_only_iceberg_may_trade_before_its_account_has_bought_counts() -> None:
    iceberg = DayOrder(0, 4, BUY, LIMIT, 6, price=99, display=2, options=REDUCE_ONLY)
    plain = DayOrder(0, 4, BUY, LIMIT, 6, price=99)
    found = told(*SHORT_OF_6, iceberg, plain, DayOrder(0, 3, SELL, LIMIT, 8, price=99, time_in_force=FOK))
    assert traded_last(found) == [2, 6]
