"""An instrument through its sessions, auctions and price bands, against its twin: the same commands, the same story.

OPENBELL_SEQUENCES says how many sequences are generated in all; a failure prints the line that repeats it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import currently_in_test_context, given, note
from hypothesis import strategies as st
from numpy.typing import NDArray

from openbell.kernel import Commands, SpecialTerms
from openbell.messages.layouts import UNPRICED
from tests.kernel.generated import CHUNKS, drawn, generated, require_reached
from tests.kernel.one_market import INSTRUMENT, OneMarket, levels_told
from tests.kernel.recorded import Event, Journal, Reader, compare
from tests.model.allocation_twin import MILLION, Terms
from tests.model.trading_day_twin import (
    AT_CLOSE,
    AT_OPEN,
    AUCTIONS,
    BUY,
    BY_SIZE,
    CLOSED,
    CLOSING,
    CONTINUOUS,
    DAY,
    FOK,
    GTC,
    HALTED,
    IOC,
    NANO,
    OPENING,
    PRE_OPEN,
    SELL,
    VOLATILITY,
    Bands,
    Order,
    TradingDayTwin,
)

ACCOUNTS = (1, 2, 3)
ALLOCATION, PRICE_SIZE_TIME = 2, 3
MARKET_TYPE, LIMIT_TYPE, POST_ONLY = 1, 2, 1
READER = Reader()
MARKET = OneMarket(ACCOUNTS)
SPREADS = OneMarket(ACCOUNTS, negative_prices=True)
"""The same with an instrument whose prices may be zero and below."""
DOWN = 100
"""How much lower a day is played whose reference price is zero: nothing else may differ but bands, which are in money there."""
TERMS = (*(GTC,) * 6, *(DAY,) * 3, IOC, IOC, FOK, AT_OPEN, AT_CLOSE)
TERMS_OF_AUCTIONS = (*(GTC,) * 6, *(DAY,) * 2, IOC, AT_OPEN, AT_OPEN, AT_CLOSE)
SESSIONS = (PRE_OPEN, OPENING, *(CONTINUOUS,) * 4, VOLATILITY, HALTED, CLOSING, CLOSED)


class Day:
    """Makes commands out of numbers, plays them on the twin, and keeps them as records for the node."""

    def __init__(self, down: int = 0) -> None:
        self.down = down
        self.market = SPREADS if down else MARKET
        self.journal = Journal(self.market.sequence)
        self.twin = TradingDayTwin(INSTRUMENT)
        self.owners: dict[int, tuple[int, int]] = {}
        self.saved: NDArray[np.uint8] | None = None

    def play(self, numbers: list[int], saved_at: int) -> None:
        """Each number is a small random source of its own; 0 is no command at all."""
        self.set_rules(random.Random(numbers[0]))
        for place, number in enumerate(numbers):
            if number:
                self.command(random.Random(number))
            if place == saved_at:
                self.saved = self.journal.take()
            self.check()

    def set_rules(self, rng: random.Random) -> None:
        """Bands around a reference price, or none; the reference price itself may be missing."""
        static, dynamic = rng.choice((0, 0, NANO // 20, NANO // 10)), rng.choice((0, NANO // 50, NANO // 25))
        on_breach = rng.choice((VOLATILITY, VOLATILITY, HALTED))
        if self.down:
            static, dynamic = static * 100 // NANO, dynamic * 100 // NANO
        self.twin.bands = Bands(static, dynamic, on_breach, bool(self.down))
        self.set_bands(static, dynamic, on_breach)
        if rng.random() < 0.7:
            self.twin.reference = 100
            self.send("set_reference_price", INSTRUMENT, 100 - self.down, is_known=True)
        if rng.random() < 0.5:
            self.set_policy(rng)
        self.change_session(rng.choice((PRE_OPEN, OPENING, CONTINUOUS)))

    def set_bands(self, static: int, dynamic: int, on_breach: int) -> None:
        unit = "units" if self.down else "width"
        widths = {f"static_{unit}": static, f"dynamic_{unit}": dynamic}
        self.send("set_price_bands", INSTRUMENT, **widths, on_breach=on_breach)

    def set_policy(self, rng: random.Random) -> None:
        """How levels are shared: by size, or by steps without TOP."""
        commands = Commands()
        if rng.random() < 0.2:
            self.twin.policy = BY_SIZE
            commands.set_matching_policy(INSTRUMENT, PRICE_SIZE_TIME)
        else:
            lead = tuple(
                (account, rng.randint(0, MILLION // 3)) for account in ACCOUNTS if rng.random() < 0.3
            )
            minimum = rng.choice((0, 1, 1, 2))
            by_time, leveling = (rng.randint(0, MILLION), rng.random() < 0.5) if minimum else (0, False)
            self.twin.policy = Terms(minimum or None, by_time, leveling, None, lead)
            commands.set_matching_policy(
                INSTRUMENT, ALLOCATION, minimum=minimum, by_time=by_time, leveling=leveling, lead=list(lead)
            )
        self.journal.append(commands.slots())

    def command(self, rng: random.Random) -> None:
        kind = rng.randrange(100)
        live = [*self.twin.resting, *self.twin.for_the_close]
        limits = [order for order in live if order.price is not None]
        if kind < 10:
            self.change_session(rng.choice(SESSIONS))
        elif kind < 18 and live:
            self.cancel(rng.choice(live).order_id)
        elif kind < 28 and limits:
            self.replace(rng.choice(limits), rng)
        else:
            self.submit(rng)

    def submit(self, rng: random.Random) -> None:
        side, account = rng.choice((BUY, SELL)), rng.choice(ACCOUNTS)
        collects = self.twin.session != CONTINUOUS
        price = None if rng.random() < 0.15 else 100 - side * rng.randint(-6 if collects else -3, 6)
        term = rng.choice(TERMS_OF_AUCTIONS if collects else TERMS)
        post_only = price is not None and term in (GTC, DAY) and rng.random() < 0.1
        quantity = rng.randint(1, 12)
        client_order_id = len(self.owners) + 1
        order_id = self.add(
            "SubmitOrder",
            account=account,
            client_order_id=client_order_id,
            price=0 if price is None else price - self.down,
            quantity=quantity,
            terms={
                "side": 1 if side == BUY else 2,
                "order_type": MARKET_TYPE if price is None else LIMIT_TYPE,
                "time_in_force": term,
                "options": POST_ONLY * post_only,
            },
        )
        self.owners[order_id] = account, client_order_id
        self.twin.submit(Order(order_id, side, price, quantity, term, account, post_only))

    def replace(self, order: Order, rng: random.Random) -> None:
        assert order.price is not None
        price = order.price if rng.random() < 0.4 else 100 - order.side * rng.randint(-3, 6)
        quantity = order.executed + rng.randint(1, 12)
        sent = price - self.down
        special = None if sent else SpecialTerms(zero_price=True)
        self.send(
            "replace_order", *self.owners[order.order_id], price=sent, quantity=quantity, special=special
        )
        self.twin.replace(order.order_id, price, quantity)

    def cancel(self, order_id: int) -> None:
        account, client_order_id = self.owners[order_id]
        self.add("CancelOrder", account=account, client_order_id=client_order_id)
        self.twin.cancel(order_id)

    def change_session(self, session: int) -> None:
        self.add("ChangeTradingSession", session=session)
        self.twin.change_session(session)

    def send(self, command: str, *arguments: Any, **terms: Any) -> None:
        if currently_in_test_context():
            note(f"{command} {arguments} {terms}")
        commands = Commands()
        getattr(commands, command)(*arguments, **terms)
        self.journal.append(commands.slots())

    def lifted(self, event: Event) -> Event:
        """What the engine tells in the twin's prices."""
        up = self.down
        match event:
            case (
                str(word),
                order_id,
                "PRICE_MUST_BE_WITHIN_BANDS" | "POST_ONLY_MUST_NOT_TAKE" as rule,
                int(a),
                int(b),
            ):
                return (word, order_id, rule, a + up, b + up)
            case ("trade", int(price), *rest):
                return ("trade", price + up, *rest)
            case ("replaced", order_id, int(price), quantity):
                return ("replaced", order_id, price + up, quantity)
            case ("breach", order_id, int(price), int(bound)):
                return ("breach", order_id, price + up, bound + up)
            case ("indicated", int(price), volume, imbalance, reference):
                known = reference + up if isinstance(reference, int) else 0
                return ("indicated", price + up if volume else 0, volume, imbalance, known)
            case ("uncrossed", session, int(price), volume, imbalance):
                return ("uncrossed", session, price + up if volume else 0, volume, imbalance)
        return event

    def add(self, message: str, **fields: object) -> int:
        if currently_in_test_context():
            note(f"{message} {fields}")
        return self.journal.add(message, instrument=INSTRUMENT, **fields)

    def check(self) -> None:
        """What no sequence of commands may break, after each of them."""
        twin = self.twin
        if twin.session == CONTINUOUS:
            assert all(order.price is not None for order in twin.resting)
            bids, asks = twin.wishes(BUY), twin.wishes(SELL)
            assert not bids or not asks or (bids[0][0] or 0) < (asks[0][0] or 0), "crossed"
        for order in twin.resting:
            assert 0 < order.leaves <= order.quantity


def story(output: bytes) -> Iterator[Event]:
    """The events in the twin's words."""
    for name, flags, instrument, (a, b, c, d), refusal in READER.read(output):
        match name:
            case "OrderAccepted":
                yield ("accepted", a)
            case "OrderRejected" | "OrderDenied":
                yield ("rejected", a, *refusal)
            case "OrderCanceled":
                yield ("canceled", a, refusal[0])
            case "OrderExpired":
                yield ("expired", a)
            case "OrderReplaced":
                yield ("replaced", a, c, d)
            case "ReplaceRejected" | "CancelRejected":
                yield ("replace rejected", a, *refusal)
            case "TradeExecuted":
                yield ("trade", a, b, c, d)
            case "TradingSessionChanged":
                yield ("session", a, b)
            case "AuctionIndicated":
                yield ("indicated", a, b, c, None if flags & UNPRICED else d)
            case "AuctionUncrossed":
                yield ("uncrossed", d, a, b, c)
            case "PriceBandBreached":
                yield ("breach", a, b, c)
            case "CommandRefused":
                yield ("refused", instrument, *refusal)


def levels_of(twin: TradingDayTwin) -> dict[tuple[int, int], int]:
    levels: Counter[tuple[int, int]] = Counter()
    for order in twin.resting:
        if order.price is not None:
            levels[order.side, order.price] += order.leaves
    return dict(levels)


def run(numbers: list[int], saved_at: int, down: int = 0) -> Day:
    """Plays a day on the twin and on a node, one half of it also on a restored copy, and compares."""
    day = Day(down)
    day.play(numbers, saved_at)
    node, output = day.market.replay(day.saved, day.journal.take())
    compare([day.lifted(event) for event in story(output)], day.twin.told)
    told = levels_told(READER, output).items()
    assert {(side, price + down): quantity for (side, price), quantity in told} == levels_of(day.twin)
    live = {order.order_id: order for order in [*day.twin.resting, *day.twin.for_the_close]}
    day.market.check_accounts(node, day.owners, live)
    return day


numbers = st.lists(st.integers(0, 2**48), min_size=15, max_size=40)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_trading_day_goes_as_its_twin_says(chunk: int) -> None:
    @generated(chunk)
    @given(numbers, st.integers(0, 40))
    def play(numbers: list[int], saved_at: int) -> None:
        run(numbers, saved_at)

    play()


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_around_zero_a_trading_day_goes_as_it_does_a_hundred_higher(chunk: int) -> None:
    @generated(chunk)
    @given(numbers, st.integers(0, 40))
    def play(numbers: list[int], saved_at: int) -> None:
        run(numbers, saved_at, DOWN)

    play()


def test_the_generated_days_reach_all_of_the_list() -> None:
    seen: Counter[str] = Counter()
    for numbers, rng in drawn(400):
        day = run(numbers, rng.randint(0, 40))
        seen.update(word for event in day.twin.told for word in event if isinstance(word, str))
        seen.update(
            f"uncrossed in {event[1]}" for event in day.twin.told if event[0] == "uncrossed" and event[3]
        )
    require_reached(
        seen,
        """
        trade rejected canceled expired replaced session indicated uncrossed breach
        TRADING_MUST_NOT_BE_HALTED SESSION_MUST_TAKE_ORDER PRICE_MUST_BE_WITHIN_BANDS POST_ONLY_MUST_NOT_TAKE
        FILL_OR_KILL_MUST_FILL_WHOLE IMMEDIATE_OR_CANCEL_MUST_FILL_NOW MARKET_MUST_HAVE_LIQUIDITY
        """,
    )
    assert all(seen[f"uncrossed in {session}"] for session in AUCTIONS)
