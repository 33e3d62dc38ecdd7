"""Orders on bars, brackets and sizes included, against a twin that follows docs/fills.md step by step."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbell.kernel import Node
from tests.kernel.generated import CHUNKS, Stage, drawn, generated, require_reached
from tests.model import gate_twin
from tests.model.account_twin import NANO, AccountTwin, FeesTwin, InstrumentTwin
from tests.model.bar_venue_twin import BarVenueTwin
from tests.model.engine_twin import EngineTwin
from tests.model.order_twin import (
    CLOSE,
    DAY,
    FOK,
    GTC,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    PERCENT,
    STOP,
    STOP_LIMIT,
    TARGET,
    UNITS,
    Bars,
    Cancel,
    CancelAll,
    CloseSession,
    Command,
    EndRun,
    Kill,
    Release,
    Replace,
    SetLimit,
    Submit,
)

SIMULATED = 2
DEPOSIT = 40_000_000
INSTRUMENTS = [
    InstrumentTwin(1, Fraction(10_000)),
    InstrumentTwin(2, Fraction(999_999_999 * 10_000, 10**9), tick=2, lot=3),
]
FEES = FeesTwin(maker=500_000, taker=1_234_567, flat=7)
KINDS = (LIMIT, LIMIT, LIMIT, MARKET, MARKET, MARKET, STOP, STOP, STOP_LIMIT)
TIMES_IN_FORCE = (*(GTC,) * 12, DAY, GTD, IOC, FOK)
SIZINGS = (*(UNITS,) * 12, PERCENT, PERCENT, TARGET, TARGET, CLOSE)
SCALES = {
    gate_twin.SIZE: 2,
    gate_twin.NOTIONAL: 4_000_000,
    gate_twin.BAND: 5_000_000,
    gate_twin.OPEN_ORDERS: 1,
    gate_twin.POSITION: 2,
    gate_twin.LEVERAGE: 150_000_000,
    gate_twin.GROSS: 6_000_000,
}


def floor(slippage: int) -> Stage:
    """Two accounts, the second of which may not sell short, and two instruments with bars."""
    node = Node()
    node.define_currency(1, "USD")
    node.configure_venue(0, SIMULATED, slippage=slippage)
    for instrument, units in zip(INSTRUMENTS, ((10_000_000, 1_000_000), (30_000, 333_333_333)), strict=True):
        node.list_instrument(
            instrument.number,
            f"I{instrument.number}",
            currency=1,
            price_unit_nano=units[0],
            quantity_unit_nano=units[1],
            multiplier_nano=10**9,
            tick=instrument.tick,
            lot=instrument.lot,
            venue=0,
        )
    accounts = [AccountTwin(number, DEPOSIT, shorting=number == 1) for number in (1, 2)]
    for account in accounts:
        node.open_account(account.number, 1, shorting=account.shorting)
        node.deposit_cash(account.number, account.cash, 1)
    node.set_fee_schedule(0, 0, maker_rate=FEES.maker, taker_rate=FEES.taker, flat_nano=FEES.flat)
    return Stage.of(
        node, lambda sequence: EngineTwin(BarVenueTwin(slippage), INSTRUMENTS, accounts, FEES, sequence)
    )


class Maker:
    """Makes commands out of numbers: each number is a small random source of its own, 0 is no command at all."""

    def __init__(self) -> None:
        self.sent: list[Submit] = []
        self.place = 0
        self.price = 100
        self.bars = 0

    def commands(self, numbers: list[int]) -> list[Command]:
        """A sequence; it starts with bars, so that there are marks, and ends with the data."""
        made: list[Command] = [Bars(((1, 100, 100, 100, 100), (2, 100, 100, 100, 100)))]
        for number in numbers:
            if number:
                self.place += 1
                rng = random.Random(number)
                made += self.bracket(rng) if rng.random() < 0.12 else [self.command(rng)]
        return [*made, EndRun()]

    def command(self, rng: random.Random) -> Command:
        kind = rng.randrange(100)
        if kind < 38:
            return self.bar(rng)
        if kind < 74 or not self.sent:
            self.sent.append(self.submit(rng))
            return self.sent[-1]
        target = rng.choice(self.sent[-6:])
        if kind < 80:
            return Cancel(target.account, target.client_id)
        if kind < 89:
            return self.replace(target, rng)
        if kind < 91:
            return CloseSession()
        if kind < 92:
            return CancelAll(rng.randint(1, 2), rng.randint(0, 2))
        if kind < 93:
            return Kill(rng.randint(0, 2))
        if kind < 95:
            return Release(rng.randint(0, 2))
        limit = rng.choice(tuple(SCALES))
        most = 5 if limit == gate_twin.OPEN_ORDERS else 30
        value = gate_twin.LIFTED if rng.random() < 0.2 else SCALES[limit] * rng.randint(0, most)
        return SetLimit(rng.randint(0, 2), rng.randint(0, 2), limit, value)

    def bar(self, rng: random.Random) -> Bars:
        self.bars += 1
        instruments = rng.choice(((1,), (1, 2), (1, 2), (2,)))
        rows = []
        for number in instruments:
            opened, closed = self.price + rng.randint(-3, 3), self.price + rng.randint(-4, 4)
            high, low = max(opened, closed) + rng.randint(0, 4), min(opened, closed) - rng.randint(0, 4)
            rows.append((number, opened, high, low, closed))
            self.price = min(max(closed, 60), 150)
        return Bars(tuple(rows))

    def quantity(self, instrument: int, rng: random.Random) -> int:
        return rng.randint(1, 9) * (3 if instrument == 2 else 1)

    def near(self, instrument: int, rng: random.Random, away: int) -> int:
        """A price on the tick, some way from the last in the direction of `away`."""
        price = self.price + away * rng.randint(-2, 6)
        return price - price % 2 if instrument == 2 else price

    def sized(self, sizing: str, instrument: int, rng: random.Random) -> int:
        match sizing:
            case "UNITS":
                return self.quantity(instrument, rng)
            case "PERCENT":
                return rng.randint(1, 20) * NANO // 20
            case "TARGET_PERCENT":
                shares: list[int] = [0, *range(-10, 11)]
                return rng.choice(shares) * NANO // 10
            case _:
                return 0

    def submit(self, rng: random.Random) -> Submit:
        side, instrument = rng.choice((1, -1)), rng.choice((1, 1, 2))
        kind, sizing, time_in_force = rng.choice(KINDS), rng.choice(SIZINGS), rng.choice(TIMES_IN_FORCE)
        account = rng.randint(1, 2)
        mine = [order.client_id for order in self.sent if order.account == account][-4:]
        parent, partner = rng.choice(((0, 0), (0, 0), (0, 0), (0, 0), (0, 1), (1, 0), (1, 1)))
        # A parent in the same instrument: a child in another may or may not get the rest of that one's bar.
        parents = [of.client_id for of in self.sent if (of.account, of.instrument) == (account, instrument)][
            -4:
        ]
        parent = rng.choice(parents) if parents and parent else 0
        partner = rng.choice(mine) if mine and partner else 0
        has_limit = kind in (LIMIT, STOP_LIMIT)
        return Submit(
            account=account,
            client_id=self.place * 10,
            instrument=instrument,
            side=side,
            kind=kind,
            quantity=0 if parent and sizing == UNITS else self.sized(sizing, instrument, rng),
            price=self.near(instrument, rng, -side) if has_limit else 0,
            stop=self.near(instrument, rng, side) if kind in (STOP, STOP_LIMIT) else 0,
            time_in_force=time_in_force,
            sizing=sizing,
            post_only=has_limit and rng.random() < 0.1,
            reduce_only=rng.random() < (0.7 if parent or partner else 0.15),
            expire_time=self.bars * 10 + rng.randint(0, 60) if time_in_force == GTD else 0,
            parent=parent,
            partner=partner if partner != parent else 0,
            offset=rng.randint(-60, 60) * 1_000_000 if parent and rng.random() < 0.4 else 0,
        )

    def bracket(self, rng: random.Random) -> list[Command]:
        """An entry, its stop and its target."""
        side, instrument, account = rng.choice((1, -1)), rng.choice((1, 1, 2)), rng.randint(1, 2)
        kind, sizing = rng.choice((MARKET, MARKET, LIMIT, STOP)), rng.choice((UNITS, UNITS, PERCENT, TARGET))
        first = self.place * 10
        entry = Submit(
            account=account,
            client_id=first,
            instrument=instrument,
            side=side,
            kind=kind,
            quantity=self.sized(sizing, instrument, rng),
            price=self.near(instrument, rng, -side) if kind == LIMIT else 0,
            stop=self.near(instrument, rng, side) if kind == STOP else 0,
            sizing=sizing,
        )
        exits: dict[str, Any] = {
            "account": account,
            "instrument": instrument,
            "side": -side,
            "quantity": 0,
            "parent": first,
        }
        offset = rng.randint(10, 60) * 1_000_000
        stop = Submit(**exits, client_id=first + 1, kind=STOP, reduce_only=True, offset=-side * offset)
        away = rng.randint(10, 60) * 1_000_000
        target = Submit(
            **exits, client_id=first + 2, kind=LIMIT, reduce_only=True, offset=side * away, partner=first + 1
        )
        orders = [entry, stop, target]
        self.sent += orders
        return list(orders)

    def replace(self, target: Submit, rng: random.Random) -> Replace:
        price = stop = 0
        if target.kind in (LIMIT, STOP_LIMIT) and rng.random() < 0.6:
            price = self.near(target.instrument, rng, -target.side)
        if target.kind in (STOP, STOP_LIMIT) and rng.random() < 0.6:
            stop = self.near(target.instrument, rng, target.side)
        quantity = self.quantity(target.instrument, rng) if rng.random() < 0.5 else 0
        return Replace(target.account, target.client_id, price, quantity, stop)


def check_whole(twin: EngineTwin) -> None:
    """What no sequence of commands may break, after each of them."""
    for account in twin.accounts.values():
        positions = account.positions.values()
        assert account.cash == DEPOSIT + sum(of.realized - of.cost - of.fees for of in positions)
    for order in twin.orders:
        if order.state != "DENIED" and order.request.sizing == UNITS:
            assert order.leaves + order.filled == order.terms.quantity


numbers = st.lists(st.integers(0, 2**48), min_size=20, max_size=40)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_orders_on_bars_do_what_their_twin_does(chunk: int) -> None:
    @generated(chunk)
    @given(numbers, st.integers(0, 40), st.sampled_from((0, 0, 3_000_000)))
    def play(numbers: list[int], saved_at: int, slippage: int) -> None:
        floor(slippage).play(Maker().commands(numbers), saved_at=saved_at, check=check_whole)

    play()


def test_the_generated_orders_on_bars_reach_every_rule_of_the_list() -> None:
    seen: Counter[str] = Counter()
    for numbers, rng in drawn(400):
        stage = floor(rng.choice((0, 0, 3_000_000)))
        stage.play(Maker().commands(numbers), saved_at=rng.randint(0, 40), check=check_whole)
        seen.update(stage.words())
    require_reached(seen, REACHED)


REACHED = """
    OrderFilled OrderTriggered OrderExpired OrderReplaced CommandRefused PositionClosed
    CANCELED_AT_END_OF_RUN REDUCE_ONLY_MUST_REDUCE SIZED_QUANTITY_MUST_BE_POSITIVE
    POSITION_MUST_NOT_EXCEED_LIMIT SHORT_MUST_BE_ALLOWED POST_ONLY_MUST_NOT_TAKE
    IMMEDIATE_OR_CANCEL_MUST_FILL_NOW PARTNER_MUST_BE_OPEN
"""
