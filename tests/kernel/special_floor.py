"""Commands about every type of order, made out of numbers, played on a twin and kept for a node."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import currently_in_test_context, note
from numpy.typing import NDArray

from openbell.kernel import Commands, SpecialTerms
from openbell.messages.layouts import UNPRICED
from tests.kernel.one_market import INSTRUMENT, OneMarket
from tests.kernel.recorded import Event, Journal, Reader
from tests.model.special_orders_twin import (
    ALL_OR_NONE,
    AMOUNT,
    BUY,
    DAY,
    FOK,
    GTC,
    HIDDEN,
    IOC,
    LIMIT,
    LIT,
    MARKET,
    MID,
    MIT,
    NANO,
    PEGGED,
    PERCENT,
    POST_ONLY,
    SELL,
    SLIDE,
    STOP,
    STOP_LIMIT,
    TO_LIMIT,
    TRAILING,
    TRAILING_LIMIT,
    TRIGGERABLE,
    Order,
    SpecialOrdersTwin,
)

ACCOUNTS = (1, 2, 3, 4)
KINDS = (
    *(LIMIT,) * 10,
    MARKET,
    STOP,
    STOP_LIMIT,
    MIT,
    LIT,
    TRAILING,
    TRAILING_LIMIT,
    TO_LIMIT,
    PEGGED,
    PEGGED,
)
SESSIONS = (1, 2)
PRICED = (LIMIT, STOP_LIMIT, LIT)
READER = Reader()
FLOOR = OneMarket(ACCOUNTS)
SPREADS = OneMarket(ACCOUNTS, negative_prices=True)
"""The same with an instrument whose prices may be zero and below."""
DOWN = 100
"""How much lower a day is played whose first trade is at zero: nothing else may differ but what is measured in percent."""


class Floor:
    """Makes commands out of numbers, plays them on the twin, and keeps them as records for the node."""

    def __init__(self, down: int = 0) -> None:
        self.down = down
        self.market = SPREADS if down else FLOOR
        self.kinds: dict[int, int] = {}
        self.journal = Journal(self.market.sequence)
        self.twin = SpecialOrdersTwin(INSTRUMENT)
        self.owners: dict[int, tuple[int, int]] = {}
        self.saved: NDArray[np.uint8] | None = None

    def play(self, numbers: list[int], saved_at: int) -> None:
        """Each number is a small random source of its own; 0 is no command at all."""
        self.trade_once()
        for place, number in enumerate(numbers):
            if number:
                self.command(random.Random(number))
            if place == saved_at:
                self.saved = self.journal.take()
            self.check()

    def trade_once(self) -> None:
        """A first trade, so that there is a price."""
        for account, side in ((1, BUY), (2, SELL)):
            order = self.new_order(account, side, LIMIT, 1)
            order.price = 100
            self.send(order)

    def new_order(self, account: int, side: int, kind: int, quantity: int) -> Order:
        return Order(0, account, side, kind, quantity)

    def command(self, rng: random.Random) -> None:
        kind = rng.randrange(100)
        movable = [order for order in self.twin.orders if can_be_replaced(order)]
        if kind < 12 and self.twin.orders:
            self.cancel(rng.choice(self.twin.orders).order_id)
        elif kind < 24 and movable:
            self.replace(rng.choice(movable), rng)
        elif kind < 28:
            self.prevent(rng)
        elif kind < 30:
            self.mass_cancel(rng)
        else:
            self.send(self.order(rng))

    def order(self, rng: random.Random) -> Order:
        side, kind = rng.choice((BUY, SELL)), rng.choice(KINDS)
        quantity = rng.randint(1, 12)
        order = self.new_order(rng.choice(ACCOUNTS), side, kind, quantity)
        order.time_in_force = (
            rng.choice((*(GTC,) * 5, DAY, IOC, FOK)) if kind != PEGGED else rng.choice((GTC, DAY))
        )
        if kind in PRICED or (kind == PEGGED and rng.random() < 0.3):
            order.price = 100 - side * rng.randint(-3, 5)
        if kind in TRIGGERABLE:
            order.stop = 100 + order.direction * rng.randint(-1, 4)
            order.trigger_by = rng.choice((0, 0, 1, 2, 3))
        if kind in (TRAILING, TRAILING_LIMIT):
            order.stop = order.stop if rng.random() < 0.3 else 0
            order.trail_by = rng.choice((AMOUNT, PERCENT))
            order.trail_by = AMOUNT if self.down else order.trail_by
            order.trail = rng.randint(1, 4) * (1 if order.trail_by == AMOUNT else NANO // 100)
            order.limit_offset = rng.randint(0, 3) if kind == TRAILING_LIMIT else 0
        if kind == PEGGED:
            order.peg, order.peg_offset = rng.choice((1, 2, MID)), rng.randint(-3, 2) * side
        self.add_options(order, rng)
        order.session = rng.choice((0, *SESSIONS))
        if rng.random() < 0.2:
            order.self_trade, order.group = rng.randint(0, 4), rng.choice((0, 7))
        return order

    def add_options(self, order: Order, rng: random.Random) -> None:
        """At most one of the options, where the type has it."""
        if order.kind in (MARKET, STOP, MIT, TRAILING) or order.is_immediate:
            if rng.random() < 0.1:
                order.minimum = rng.randint(1, order.quantity)
            elif order.kind != TO_LIMIT and rng.random() < 0.1:
                order.options = ALL_OR_NONE
            return
        option = rng.random()
        if option < 0.12:
            order.display = rng.randint(1, order.quantity)
        elif option < 0.24:
            order.options = HIDDEN
        elif option < 0.32 and order.kind != TO_LIMIT:
            order.options = POST_ONLY
        elif option < 0.40 and order.kind != TO_LIMIT:
            order.options = SLIDE
        elif option < 0.48 and order.kind not in (PEGGED, TO_LIMIT):
            order.options = ALL_OR_NONE
        elif option < 0.56 and order.kind != PEGGED:
            order.minimum = rng.randint(1, order.quantity)

    def send(self, order: Order) -> None:
        client_order_id = len(self.owners) + 1
        price, zero_price = self.lowered(order.price)
        stop, zero_stop_price = self.lowered(order.stop)
        special = SpecialTerms(
            zero_price=zero_price,
            zero_stop_price=zero_stop_price,
            display_quantity=order.display,
            minimum_quantity=order.minimum,
            trail=order.trail,
            trail_by=order.trail_by,
            limit_offset=order.limit_offset,
            peg=order.peg,
            peg_offset=order.peg_offset,
            trigger_by=order.trigger_by,
            self_trade=order.self_trade,
            self_trade_group=order.group,
        )
        self.add(
            "submit_order",
            order.account,
            INSTRUMENT,
            client_order_id,
            1 if order.side == BUY else 2,
            order.kind,
            order.time_in_force,
            order.quantity,
            price=price,
            stop_price=stop,
            options=order.options,
            expire_time=self.expiry(order),
            special=special,
            session=order.session,
        )
        order.order_id = self.journal.sequence
        if currently_in_test_context():
            note(f"{order}")
        self.owners[order.order_id] = order.account, client_order_id
        self.kinds[order.order_id] = order.kind
        self.twin.submit(order)

    def expiry(self, order: Order) -> int:
        """Of an order good till a time; here nothing takes any."""
        return 0

    def replace(self, order: Order, rng: random.Random) -> None:
        account, client_order_id = self.owners[order.order_id]
        price = 100 - order.side * rng.randint(-3, 5) if order.price and rng.random() < 0.6 else 0
        stop = 100 + order.direction * rng.randint(-1, 4) if order.stop and rng.random() < 0.5 else 0
        if order.place == "book":
            stop = 0
        quantity = order.executed + rng.randint(max(order.display, order.minimum, 1), 12)
        terms, zero_price = self.lowered(price)
        stop_terms, zero_stop_price = self.lowered(stop)
        special = SpecialTerms(zero_price=zero_price, zero_stop_price=zero_stop_price)
        self.add(
            "replace_order",
            account,
            client_order_id,
            price=terms,
            quantity=quantity,
            stop_price=stop_terms,
            special=special if zero_price or zero_stop_price else None,
        )
        if currently_in_test_context():
            note(f"replace {order.order_id}: {price}, {quantity}, {stop}")
        self.twin.replace(order.order_id, price, quantity, stop)

    def lowered(self, price: int) -> tuple[int, bool]:
        """The twin's price as it is sent, and whether it is a 0 that is meant; the twin's 0 is none."""
        sent = price - self.down if price else 0
        return sent, bool(price) and not sent

    def lifted(self, event: Event, flags: int) -> Event:
        """What the engine tells in the twin's prices."""
        match event:
            case ("rejected" | "replace rejected" as word, order_id, str(rule), int(limit), int(actual)) if (
                rule
                in ("STOP_MUST_NOT_BE_TRIGGERED", "POST_ONLY_MUST_NOT_TAKE", "PRICE_MUST_BE_WITHIN_BANDS")
            ):
                return (word, order_id, rule, limit + self.down, actual + self.down)
            case ("replaced" | "triggered" | "trade" as word, *_):
                at = 1 if word == "trade" else 2
                return tuple(
                    self._up(figure) if place == at else figure for place, figure in enumerate(event)
                )
            case ("repriced", int(order_id), price, stop):
                kind = self.kinds[order_id]
                has_price = not flags & UNPRICED and kind != TRAILING
                return (
                    "repriced",
                    order_id,
                    self._up(price) if has_price else 0,
                    self._up(stop) if kind in TRIGGERABLE else 0,
                )
            case ("breach", order_id, price, bound):
                return ("breach", order_id, self._up(price), self._up(bound))
            case ("indicated", price, volume, imbalance, reference):
                return ("indicated", self._up(price) if volume else 0, volume, imbalance, self._up(reference))
            case ("uncrossed", session, price, volume, imbalance):
                return ("uncrossed", session, self._up(price) if volume else 0, volume, imbalance)
        return event

    def _up(self, figure: object) -> int:
        assert isinstance(figure, int)
        return figure + self.down

    def cancel(self, order_id: int) -> None:
        self.add("cancel_order", *self.owners[order_id])
        if currently_in_test_context():
            note(f"cancel {order_id}")
        self.twin.cancel(order_id)

    def mass_cancel(self, rng: random.Random) -> None:
        account, side = rng.choice((0, *ACCOUNTS)), rng.choice((0, BUY, SELL))
        session = rng.choice((0, *SESSIONS)) if account else 0
        self.add("mass_cancel", account, INSTRUMENT, {BUY: 1, SELL: 2}.get(side, 0), session=session)
        if currently_in_test_context():
            note(f"mass cancel {account}, {side}, session {session}")
        self.twin.mass_cancel(account, side, session)

    def prevent(self, rng: random.Random) -> None:
        """Accounts 3 and 4 may be one owner."""
        account = rng.choice((0, *ACCOUNTS))
        self.set_prevention(account, rng.choice((0, 7)) if account in (3, 4) else 0, rng.randint(0, 4))

    def set_prevention(self, account: int, group: int, action: int) -> None:
        self.add("set_self_trade_prevention", account, group, action)
        if currently_in_test_context():
            note(f"prevent {account}: {group}, {action}")
        self.twin.prevention[account] = (group, action)

    def add(self, command: str, *arguments: Any, **terms: Any) -> None:
        commands = Commands()
        getattr(commands, command)(*arguments, **terms)
        self.journal.append(commands.slots())

    def check(self) -> None:
        """What no sequence of commands may break, after each of them."""
        bids, asks = self.twin.queue(BUY), self.twin.queue(SELL)
        assert not bids or not asks or bids[0].price < asks[0].price, "crossed"
        for order in self.twin.orders:
            assert order.leaves > 0, order
            assert order.place != "book" or 0 < order.shown <= order.leaves, order


def can_be_replaced(order: Order) -> bool:
    """Pegs and trailing orders have tests of their own: what a replace keeps of them is a story by itself."""
    return order.place in ("book", "stop") and order.kind not in (PEGGED, TRAILING, TRAILING_LIMIT)


def lifted_story(floor: Floor, output: bytes) -> Iterator[Event]:
    """The events in the twin's words and prices."""
    return (floor.lifted(event, flags) if floor.down else event for event, flags in flagged_story(output))


def story(output: bytes) -> Iterator[Event]:
    """The events in the twin's words."""
    return (event for event, _ in flagged_story(output))


def flagged_story(output: bytes) -> Iterator[tuple[Event, int]]:
    """The events in the twin's words, with their flags."""
    for name, flags, instrument, body, refusal in READER.read(output):
        for event in in_words(name, instrument, body, refusal):
            yield event, flags


def in_words(name: str, instrument: int, body: tuple[int, ...], refusal: Event) -> Iterator[Event]:
    """One event in the twin's words; nothing for those that it does not tell."""
    a, b, c, d = body
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
        case "OrderRepriced":
            yield ("repriced", a, c, d)
        case "OrderReduced":
            yield ("reduced", a, c)
        case "OrderTriggered":
            yield ("triggered", a, c)
        case "ReplaceRejected":
            yield ("replace rejected", a, *refusal)
        case "CancelRejected":
            yield ("cancel rejected", a)
        case "OrdersMassCanceled":
            yield ("mass canceled", c)
        case "TradeExecuted":
            yield ("trade", a, b, c, d)
        case "TradingSessionChanged":
            yield ("session", a, b)
        case "AuctionIndicated":
            yield ("indicated", a, b, c, d)
        case "AuctionUncrossed":
            yield ("uncrossed", d, a, b, c)
        case "PriceBandBreached":
            yield ("breach", a, b, c)
        case "CommandRefused":
            yield ("refused", instrument, *refusal)


def levels_of(twin: SpecialOrdersTwin) -> dict[tuple[int, int], int]:
    levels: Counter[tuple[int, int]] = Counter()
    for order in twin.at("book"):
        if not order.has(HIDDEN):
            levels[order.side, order.price] += order.shown
    return dict(levels)
