"""The engine as an exchange, against its twin: the same commands, the same events, figure for figure.

OPENBELL_SEQUENCES says how many sequences are generated in all; a failure prints the line that repeats it.
"""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbell.kernel import Node
from tests.kernel.generated import CHUNKS, Stage, drawn, generated, require_reached
from tests.model import gate_twin
from tests.model.account_twin import AccountTwin, FeesTwin, InstrumentTwin
from tests.model.engine_twin import EngineTwin
from tests.model.exchange_twin import ExchangeTwin
from tests.model.gate_twin import LIMIT_KINDS
from tests.model.order_twin import (
    DAY,
    FOK,
    GTC,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    STOP,
    STOP_LIMIT,
    Cancel,
    CancelAll,
    CloseSession,
    Command,
    Kill,
    Pass,
    Release,
    Replace,
    SetLimit,
    Submit,
)

MATCHING = 1
DEPOSIT = 50_000_000
# The second instrument's unit is worth 0.999999999 nano, so that every amount needs rounding.
INSTRUMENTS = [InstrumentTwin(1, Fraction(10_000)), InstrumentTwin(2, Fraction(999_999_999, 10**9), lot=2)]
FEES = FeesTwin(maker=-123_457, taker=1_234_567, flat=3)
KINDS = (*(LIMIT,) * 5, MARKET, MARKET, STOP, STOP, STOP_LIMIT)
TIMES_IN_FORCE = (*(GTC,) * 8, DAY, GTD, IOC, FOK)
SCALES = {
    gate_twin.SIZE: 1,
    gate_twin.NOTIONAL: 400_000,
    gate_twin.BAND: 3_000_000,
    gate_twin.OPEN_ORDERS: 1,
    gate_twin.POSITION: 1,
    gate_twin.LEVERAGE: 20_000_000,
    gate_twin.GROSS: 400_000,
}


def exchange() -> Stage:
    """Three accounts, the third of which may not sell short, and two instruments."""
    node = Node()
    node.define_currency(1, "USD")
    node.configure_venue(0, MATCHING)
    for instrument, units in zip(INSTRUMENTS, ((10_000_000, 1_000_000), (3, 333_333_333)), strict=True):
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
    accounts = [AccountTwin(number, DEPOSIT, shorting=number != 3) for number in (1, 2, 3)]
    for account in accounts:
        node.open_account(account.number, 1, shorting=account.shorting)
        node.deposit_cash(account.number, account.cash, 1)
    node.set_fee_schedule(0, 0, maker_rate=FEES.maker, taker_rate=FEES.taker, flat_nano=FEES.flat)
    return Stage.of(node, lambda sequence: EngineTwin(ExchangeTwin(), INSTRUMENTS, accounts, FEES, sequence))


class Maker:
    """Makes commands out of numbers: each number is a small random source of its own, 0 is no command at all."""

    def __init__(self) -> None:
        self.sent: list[Submit] = []
        self.place = 0

    def commands(self, numbers: list[int], warm: bool) -> list[Command]:
        """A sequence; a warm one starts with a trade in each instrument, so that there are marks."""
        made: list[Command] = list(self.first_trades()) if warm else []
        for number in numbers:
            if number:
                self.place += 1
                made.append(self.command(random.Random(number)))
                if isinstance(made[-1], Submit):
                    self.sent.append(made[-1])
        return made

    def first_trades(self) -> list[Submit]:
        orders = [(1, 1, 1, 9), (2, -1, 1, 6), (2, 1, 2, 8), (1, -1, 2, 6)]
        self.place = len(orders)
        self.sent = [
            Submit(account, place + 1, instrument, side, LIMIT, quantity, price=100)
            for place, (account, side, instrument, quantity) in enumerate(orders)
        ]
        return self.sent.copy()

    def command(self, rng: random.Random) -> Command:
        kind = rng.randrange(100) if self.sent else 0
        if kind < 60:
            return self.submit(rng)
        target = rng.choice(self.sent[-6:])
        if kind < 68:
            return Cancel(target.account, target.client_id + (rng.random() < 0.03))
        if kind < 80:
            return self.replace(target, rng)
        if kind < 86:
            return Pass(rng.randint(1, 9))
        if kind < 88:
            return CloseSession()
        if kind < 90:
            return CancelAll(rng.randint(1, 3), rng.randint(0, 2))
        if kind < 91:
            return Kill(rng.randint(0, 3))
        if kind < 93:
            return Release(rng.randint(0, 3))
        limit = rng.choice(LIMIT_KINDS)
        most = 5 if limit == gate_twin.OPEN_ORDERS else 30
        value = gate_twin.LIFTED if rng.random() < 0.2 else SCALES[limit] * rng.randint(0, most)
        return SetLimit(rng.randint(0, 3), rng.randint(0, 2), limit, value)

    def replace(self, target: Submit, rng: random.Random) -> Replace:
        price = (
            limit_price(target.side, rng) if target.kind in (LIMIT, STOP_LIMIT) and rng.random() < 0.6 else 0
        )
        stop = stop_price(target.side, rng) if target.kind in (STOP, STOP_LIMIT) and rng.random() < 0.6 else 0
        return Replace(target.account, target.client_id, price, self.quantity(target.instrument, rng), stop)

    def quantity(self, instrument: int, rng: random.Random) -> int:
        if rng.random() < 0.03:
            return rng.choice((0, -2, 1, 2**57))
        return rng.randint(1, 12) * (2 if instrument == 2 else 1)

    def submit(self, rng: random.Random) -> Submit:
        """A new order; now and then one sent before, or another one under its id."""
        if self.sent and rng.random() < 0.02:
            return rng.choice(self.sent)
        account = rng.randint(1, 3) if rng.random() < 0.99 else 9
        instrument = rng.choice((1, 1, 2)) if rng.random() < 0.99 else 5
        kind, time_in_force = rng.choice(KINDS), rng.choice(TIMES_IN_FORCE)
        has_limit, has_stop = kind in (LIMIT, STOP_LIMIT), kind in (STOP, STOP_LIMIT)
        mine = [order.client_id for order in self.sent if order.account == account][-4:]
        parent, partner = self.links(mine, rng)
        used = rng.choice(self.sent).client_id if self.sent and rng.random() < 0.02 else 0
        side = rng.choice((1, -1))
        return Submit(
            account=account,
            client_id=used or self.place,
            instrument=instrument,
            side=side,
            kind=kind,
            quantity=0 if parent and rng.random() < 0.8 else self.quantity(instrument, rng),
            price=limit_price(side, rng) if has_limit and rng.random() < 0.99 else 0,
            stop=stop_price(side, rng) if has_stop else 0,
            time_in_force=time_in_force,
            post_only=has_limit and rng.random() < 0.1,
            reduce_only=rng.random() < (0.6 if parent or partner else 0.1),
            expire_time=rng.randint(0, 60) if time_in_force == GTD else 0,
            parent=parent,
            partner=partner,
            offset=rng.randint(-80, 80) * 1_000_000 if parent and rng.random() < 0.5 else 0,
        )

    def links(self, mine: list[int], rng: random.Random) -> tuple[int, int]:
        """(parent, partner)"""
        if not mine or rng.random() < 0.8:
            return 0, 0
        one, other = rng.choice(mine), rng.choice(mine)
        return rng.choice(((one, 0), (0, one), (one, other if other != one else 0)))


def limit_price(side: int, rng: random.Random) -> int:
    """Mostly one that rests."""
    return 100 - side * rng.randint(-3, 5)


def stop_price(side: int, rng: random.Random) -> int:
    """Mostly one that waits."""
    return 100 + side * rng.randint(-1, 4)


def check_whole(twin: EngineTwin) -> None:
    """What no sequence of commands may break, after each of them."""
    accounts = twin.accounts.values()
    fees = sum(position.fees for account in accounts for position in account.positions.values())
    assert sum(account.cash for account in accounts) + fees == len(twin.accounts) * DEPOSIT
    for instrument in twin.instruments:
        assert sum(account.quantity(instrument) for account in accounts) == 0
    for account in accounts:
        positions = account.positions.values()
        booked = sum(position.realized - position.cost - position.fees for position in positions)
        assert account.cash == DEPOSIT + booked
    venue = twin.venue
    assert isinstance(venue, ExchangeTwin)
    for book in venue.books.values():
        bids, asks = book.depth("BUY"), book.depth("SELL")
        assert not bids or not asks or bids[0][0] < asks[0][0]
    for order in twin.orders:
        if order.state != "DENIED":
            assert order.leaves + order.filled == order.terms.quantity


def check_books(stage: Stage) -> None:
    """The levels that were told are those of the twin's books."""
    levels: dict[tuple[object, ...], tuple[object, ...]] = {}
    for _, event in stage.levels:
        _, instrument, side, price, quantity, orders = event
        levels[(instrument, side, price)] = (quantity, orders)
    told = {place: level for place, level in levels.items() if level[1]}
    venue = stage.twin.venue
    assert isinstance(venue, ExchangeTwin)
    expected = {
        (instrument, side, price): (quantity, orders)
        for instrument, book in venue.books.items()
        for side in ("BUY", "SELL")
        for price, quantity, orders in book.depth(side)
    }
    assert told == expected


numbers = st.lists(st.integers(0, 2**48), min_size=20, max_size=40)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_the_exchange_does_what_its_twin_does(chunk: int) -> None:
    @generated(chunk)
    @given(numbers, st.integers(0, 40), st.integers(0, 3))
    def play(numbers: list[int], saved_at: int, cold: int) -> None:
        stage = exchange()
        stage.play(Maker().commands(numbers, warm=cold != 1), saved_at=saved_at, check=check_whole)
        check_books(stage)

    play()


@pytest.mark.parametrize(("quantity", "trades"), [(11, [3, 8]), (20, [3, 9, 8]), (24, [])])
def test_a_fill_or_kill_counts_what_its_own_sale_lets_a_reduce_only_bid_of_its_account_take(
    quantity: int, trades: list[int]
) -> None:
    """Short of 6 and selling 3 to another, the account may buy back 9; what it sells to itself leaves that as it is."""
    stage = exchange()
    bid = Submit(2, 5, 1, 1, LIMIT, 20, price=97, reduce_only=True)
    sale = Submit(2, 6, 1, -1, MARKET, quantity, time_in_force=FOK)
    commands: list[Command] = [*Maker().first_trades(), bid, sale]
    stage.play(commands, saved_at=0, check=check_whole)
    sold = [event[2] for event in stage.events if event[0] == "TradeExecuted"][2:]
    assert sold == trades
    assert ("FILL_OR_KILL_MUST_FILL_WHOLE" in stage.words()) == (not trades)


def test_the_generated_commands_reach_every_rule_of_the_list() -> None:
    seen: Counter[str] = Counter()
    for numbers, rng in drawn(400):
        stage = exchange()
        commands = Maker().commands(numbers, warm=rng.random() < 0.75)
        stage.play(commands, saved_at=rng.randint(0, 40), check=check_whole)
        seen.update(stage.words())
    require_reached(seen, REACHED)


REACHED = """
    OrderFilled OrderTriggered OrderExpired OrderReplaced OrderRejected CommandRefused PositionClosed
    KILL_SWITCH_MUST_BE_OFF QUANTITY_MUST_NOT_EXCEED_LIMIT NOTIONAL_MUST_NOT_EXCEED_LIMIT PRICE_MUST_BE_IN_BAND
    OPEN_ORDERS_MUST_NOT_EXCEED_LIMIT POSITION_MUST_NOT_EXCEED_LIMIT SHORT_MUST_BE_ALLOWED
    LEVERAGE_MUST_NOT_EXCEED_LIMIT REDUCE_ONLY_MUST_REDUCE GROSS_EXPOSURE_MUST_NOT_EXCEED_LIMIT
    REFERENCE_PRICE_MUST_BE_KNOWN POST_ONLY_MUST_NOT_TAKE FILL_OR_KILL_MUST_FILL_WHOLE STOP_MUST_NOT_BE_TRIGGERED
    IMMEDIATE_OR_CANCEL_MUST_FILL_NOW MARKET_MUST_HAVE_LIQUIDITY PARTNER_MUST_BE_OPEN
    LINKED_ORDER_MUST_EXIST CLIENT_ORDER_ID_MUST_BE_UNIQUE EXPIRY_MUST_BE_IN_FUTURE QUANTITY_MUST_BE_ON_LOT
"""
