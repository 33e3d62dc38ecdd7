"""One instrument of our venue with every type of order through all of its sessions, within its price bands, as docs/venue.md
tells it. What may happen is found out by trying it on a copy. It speaks in plain tuples.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self

from tests.model.auction_twin import NOTHING, Indicated, Wish, auction_price, most_that_can_trade
from tests.model.special_orders_twin import (
    BUY,
    DAY,
    FAR,
    FOK,
    GTD,
    HIDDEN,
    IOC,
    LAST,
    LIMIT,
    LIT,
    MARK,
    NANO,
    OPPOSITE,
    PEGGED,
    POST_ONLY,
    SELL,
    SLIDE,
    STOP_LIMIT,
    TO_LIMIT,
    Event,
    Order,
    SpecialOrdersTwin,
)

PRE_OPEN, OPENING, CONTINUOUS, VOLATILITY, HALTED, CLOSING, CLOSED = range(1, 8)
AUCTIONS = (OPENING, VOLATILITY, CLOSING)
AT_OPEN, AT_CLOSE = 6, 7
REDUCE_ONLY = 2
SUCCESSORS = {
    PRE_OPEN: OPENING,
    OPENING: CONTINUOUS,
    CONTINUOUS: CLOSING,
    VOLATILITY: CONTINUOUS,
    HALTED: CONTINUOUS,
    CLOSING: CLOSED,
    CLOSED: PRE_OPEN,
}


@dataclass(eq=False)
class DayOrder(Order):
    """A live order of a day that has sessions."""

    expires: int = 0
    """Of an order good till a time."""
    excess: int = 0
    """What a reduce-only order was cut by when it came to take; canceled when the rest is filled. No part of `quantity`."""


@dataclass(frozen=True)
class Bands:
    """Widths in 10^-9 of the price they lie around, and in price units: the wider holds. How long a breach lasts, 0 until
    somebody ends it.
    """

    static: int = 0
    dynamic: int = 0
    static_units: int = 0
    dynamic_units: int = 0
    on_breach: int = VOLATILITY
    duration: int = 0


class SpecialSessionsTwin(SpecialOrdersTwin):
    """What the venue tells, in order, is in `told`."""

    def __init__(self, instrument: int) -> None:
        super().__init__(instrument)
        self.time = 0
        self.session = CONTINUOUS
        self.until = 0
        self.reference = 0
        self.bands = Bands()
        self.indication = NOTHING
        self.breach: tuple[int, int, int] | None = None
        """Order, price and bound, until it is answered."""
        self.is_changing = False
        self.positions: dict[int, int] = {}
        self.shrunk: set[tuple[int, int]] = set()
        """Account and side of who traded since reduce-only orders were looked at."""
        self.capped: set[int] = set()
        """Reduce-only orders that were kept from trading all they could."""

    def trial(self) -> Self:
        twin = super().trial()
        twin.positions, twin.shrunk, twin.capped = dict(self.positions), set(), set()
        return twin

    # ---- looking

    def queue(self, side: int) -> list[Order]:
        """Orders without a limit stand before all others, by time."""
        mine = [order for order in self.at("book") if order.side == side]
        return sorted(
            mine,
            key=lambda o: (
                not o.takes_any_price,
                -side * o.price,
                o.has(HIDDEN) and not o.takes_any_price,
                o.arrival,
            ),
        )

    def shown(self, side: int) -> list[Order]:
        return [order for order in self.queue(side) if not order.has(HIDDEN) and not order.takes_any_price]

    def best(self, side: int) -> int | None:
        return next((order.price for order in self.shown(side)), None)

    def best_against(self, order: Order, price: int | None) -> int | None:
        """Nothing would trade while orders are collected."""
        return None if self.collecting else super().best_against(order, price)

    def wishes(self, side: int) -> list[Wish]:
        return [(None if order.takes_any_price else order.price, order.leaves) for order in self.queue(side)]

    def auction_reference(self) -> int:
        return self.reference if self.last is None else self.last

    def indicate(self) -> Indicated:
        return auction_price(self.wishes(BUY), self.wishes(SELL), self.auction_reference())

    def around(self, center: int, share: int, units: int) -> tuple[int, int]:
        if not center or not share + units:
            return -FAR, FAR
        distance = max(center * share // NANO, units)
        return center - distance, center + distance

    def order_range(self) -> tuple[int, int]:
        """Where limit orders may lie."""
        return self.around(self.reference, self.bands.static, self.bands.static_units)

    def trade_range(self) -> tuple[int, int]:
        """Where trades may happen: inside both bands."""
        center = self.reference if self.last is None else self.last
        near = self.around(center, self.bands.dynamic, self.bands.dynamic_units)
        low, high = self.order_range()
        return max(low, near[0]), min(high, near[1])

    def room(self, order: Order) -> int:
        """How much it may trade as the position is now."""
        if not order.has(REDUCE_ONLY):
            return order.leaves
        return max(0, -self.positions.get(order.account, 0) * order.side)

    def could_trade(self, order: Order) -> int:
        """Within the bands."""
        if self.collecting:
            return 0
        low, high = self.trade_range()
        trades = self.trades_of(order, self.without_bands())
        return sum(quantity for price, quantity in trades if low <= price <= high)

    def without_bands(self) -> Self:
        trial = self.trial()
        trial.bands, trial.breach = Bands(), None
        return trial

    def book(self, order: Order, quantity: int) -> None:
        """On the position."""
        self.positions[order.account] = self.positions.get(order.account, 0) + quantity * order.side

    # ---- commands

    def advance(self, time: int) -> None:
        """What is due by then happens, each at its time: orders expire, then a session that ends."""
        while True:
            expiries = [order.expires for order in self.due(time)]
            ends = [self.until] if 0 < self.until <= time else []
            if not expiries + ends:
                break
            self.time = min(expiries + ends)
            while due := self.due(self.time):
                self.expire(min(due, key=lambda order: order.order_id))
                self.work_off_orders()
            if self.until == self.time:
                self.change_session(SUCCESSORS[self.session])
            self.work_off()
        self.time = time

    def due(self, time: int) -> list[DayOrder]:
        """Orders good till then."""
        mine = [order for order in self.orders if isinstance(order, DayOrder)]
        return [order for order in mine if order.time_in_force == GTD and order.expires <= time]

    def expire(self, order: Order) -> None:
        was_resting = order.place == "book"
        self.end(order, "expired")
        self.after_change(was_resting)

    def submit(self, order: Order) -> None:
        refusal = self.refused(order)
        if refusal:
            self.told.append(("rejected", order.order_id, *refusal))
        elif order.time_in_force == AT_CLOSE and self.session != CLOSING:
            self.accept(order, known=False)
            order.place = "close"
            self.arrive(order)
        else:
            super().submit(order)

    def refused(self, order: Order) -> Event | None:
        """The rule that keeps an order out."""
        term = order.time_in_force
        if order.has(REDUCE_ONLY) and not self.may_reduce(order):
            return ("REDUCE_ONLY_MUST_REDUCE", 0, order.quantity)
        if self.session == HALTED:
            return ("TRADING_MUST_NOT_BE_HALTED", 0, self.instrument)
        unfit = (
            self.session == CLOSED
            or (term == AT_OPEN and self.session not in (PRE_OPEN, OPENING))
            or (term in (IOC, FOK) and self.session != CONTINUOUS)
        )
        if unfit:
            return ("SESSION_MUST_TAKE_ORDER", self.session, term)
        return self.outside(order, order.price)

    def may_reduce(self, order: Order) -> bool:
        """There is something to reduce, or an open order that may yet bring it."""
        bringing = [o for o in self.orders if o.account == order.account and o.side == -order.side]
        to_come = sum(o.leaves for o in bringing if not o.has(REDUCE_ONLY))
        return to_come - self.positions.get(order.account, 0) * order.side > 0

    def outside(self, order: Order, price: int) -> Event | None:
        low, high = self.order_range()
        has_limit = order.kind in (LIMIT, STOP_LIMIT, LIT) or (order.kind == TO_LIMIT and order.price)
        if not has_limit or low <= price <= high:
            return None
        return ("PRICE_MUST_BE_WITHIN_BANDS", low if price < low else high, price)

    def replace(self, order_id: int, price: int, quantity: int, stop: int) -> None:
        order = self.find(order_id)
        assert isinstance(order, DayOrder)
        refusal = self.replace_refused(order, price or order.price)
        if refusal:
            self.told.append(("replace rejected", order_id, *refusal))
            return
        price = price or order.price
        if order.place == "close":
            keeps_place = price == order.price and quantity <= order.quantity
            order.price, order.quantity = price, quantity
            self.told.append(("replaced", order_id, price, quantity))
            if not keeps_place:
                self.arrive(order)
        elif order.place == "parked":
            order.price, order.quantity = price, quantity
            self.told.append(("replaced", order_id, price, quantity))
            self.is_restless = True
            self.work_off()
        else:
            super().replace(order_id, price, quantity, stop)

    def replace_refused(self, order: Order, price: int) -> Event | None:
        if order.place == "book" and order.takes_any_price:
            return ("ORDER_TYPE_MUST_BE_SUPPORTED", 0, order.kind)
        if self.session == HALTED:
            return ("TRADING_MUST_NOT_BE_HALTED", 0, self.instrument)
        if self.session == CLOSED:
            return ("SESSION_MUST_TAKE_ORDER", self.session, order.time_in_force)
        return self.outside(order, price)

    # ---- trading within bands and positions

    def next_against(self, order: Order) -> Order | None:
        """Within the bands; reduce-only orders that nothing is left for are taken out on the way."""
        low, high = self.trade_range()
        while not self.collecting and (maker := super().next_against(order)):
            if self.breach and not low <= maker.price <= high:
                return None
            if self.prevents(order, maker) or self.room(maker):
                return maker
            self.withdraw(maker)
        return None

    def withdraw(self, order: Order) -> None:
        self.capped.add(order.order_id)
        self.end(order, "canceled", "REDUCE_ONLY_MUST_REDUCE")

    def quantity_between(self, order: Order, maker: Order) -> int:
        """An aggressor is cut to its position before it trades."""
        wanted = super().quantity_between(order, maker)
        return min(wanted, self.capped_room(maker, wanted))

    def capped_room(self, order: Order, wanted: int) -> int:
        room = self.room(order)
        if room < wanted:
            self.capped.add(order.order_id)
        return room

    def trade(self, price: int, quantity: int, order: Order, maker: Order) -> None:
        is_watched = any(one.has(REDUCE_ONLY) for one in self.orders)
        super().trade(price, quantity, order, maker)
        for one in (maker, order):
            self.book(one, quantity)
            if is_watched:
                self.shrunk.add((one.account, one.side))
            if one not in self.orders and isinstance(one, DayOrder) and one.excess:
                self.told.append(("canceled", one.order_id, "REDUCE_ONLY_MUST_REDUCE"))

    def whole_quantity(self, order: Order) -> int:
        """With what its position keeps it from trading: the client was not told of that."""
        assert isinstance(order, DayOrder)
        return order.quantity + order.excess

    def cut_to_position(self, order: Order, price: int, quantity: int) -> Event | int:
        """What a reduce-only order is cut by if it would take now, or why it may not."""
        leaves = quantity - order.executed
        limit = None if order.takes_any_price else price
        if not order.has(REDUCE_ONLY) or self.best_against(order, limit) is None:
            return 0
        room = self.room(order)
        return max(leaves - room, 0) if room else ("REDUCE_ONLY_MUST_REDUCE", 0, leaves)

    def first_outside(self, order: Order) -> tuple[int, int, int] | None:
        """Order, price and bound of the first trade outside the bands that an order would make without them."""
        low, high = self.trade_range()
        if self.collecting or order.options & (POST_ONLY | SLIDE):
            return None
        for price, _ in self.trades_of(order, self.without_bands()):
            if not low <= price <= high:
                return order.order_id, price, low if price < low else high
        return None

    def mind_bands(self, order: Order, *, trades_up_to: bool) -> None:
        """Notes a breach; where nothing may trade before it, orders are collected from now on."""
        self.breach = self.first_outside(order)
        if self.breach is None:
            return
        _, price, bound = self.breach
        best = self.best_against(order, None)
        assert best is not None
        is_behind = (price - bound) * order.side < 0
        self.collecting = is_behind or not trades_up_to or (best - bound) * order.side > 0

    def match(self, order: Order, known: bool) -> Event | None:
        cut = self.cut_to_position(order, order.price, order.quantity)
        if not isinstance(cut, int):
            return cut
        if cut:
            assert isinstance(order, DayOrder)
            order.excess, order.quantity = cut, order.quantity - cut
            order.minimum = min(order.minimum, order.leaves)
        self.mind_bands(order, trades_up_to=True)
        return super().match(order, known)

    def requote(self, order: Order, price: int, quantity: int, telling: str) -> Event | None:
        assert isinstance(order, DayOrder)
        cut = self.cut_to_position(order, price, quantity)
        if not isinstance(cut, int):
            if telling == "replaced":
                self.told.append(("replace rejected", order.order_id, *cut))
            return cut
        if price != order.price or quantity - cut > order.quantity:
            moved = copy.copy(order)
            moved.price, moved.quantity = price, quantity - cut
            self.mind_bands(moved, trades_up_to=False)
        at, excess = len(self.told), order.excess
        order.excess = cut
        refusal = super().requote(order, price, quantity - cut, telling)
        if refusal:
            order.excess = excess
        elif telling == "replaced":
            self.tell_whole(at, order.order_id, quantity)
        return refusal

    def tell_whole(self, at: int, order_id: int, quantity: int) -> None:
        """The quantity told is what was asked for."""
        event = self.told[at]
        if event[:2] == ("replaced", order_id):
            self.told[at] = (*event[:3], quantity)

    def leave_rest(self, order: Order) -> None:
        if not self.collecting and self.breach is None:
            super().leave_rest(order)
        elif order.time_in_force in (IOC, FOK):
            self.end(order, "canceled", "IMMEDIATE_OR_CANCEL_MUST_FILL_NOW")
        else:
            self.rest(order)

    def rest(self, order: Order) -> None:
        """What has no limit shows nothing."""
        super().rest(order)
        if order.takes_any_price:
            order.shown = order.leaves

    def watch_bests(self) -> None:
        if not self.collecting and not self.is_changing:
            super().watch_bests()

    def after_change(self, book_changed: bool, traded: list[int] | None = None) -> None:
        if self.breach:
            self.collecting = True
        super().after_change(book_changed, traded)
        if self.is_changing or not book_changed:
            return
        if self.breach:
            self.answer_breach(*self.breach)
        self.tell_indication()

    def answer_breach(self, order_id: int, price: int, bound: int) -> None:
        self.breach = None
        self.told.append(("breach", order_id, price, bound))
        self.begin(self.bands.on_breach, self.time + self.bands.duration if self.bands.duration else 0)

    # ---- sessions

    def begin(self, session: int, until: int) -> None:
        self.told.append(("session", self.session, session))
        self.session, self.until, self.indication = session, until, NOTHING
        self.collecting = session != CONTINUOUS

    def change_session(self, session: int, until: int = 0) -> None:
        self.is_changing = True
        before = self.session
        price = self.end_collecting(session) if before not in (session, CONTINUOUS) else 0
        self.retire(session)
        self.begin(session, until)
        if session == CLOSING:
            for order in sorted(self.at("close"), key=lambda o: o.arrival):
                self.rest(order)
        if session == CONTINUOUS:
            if price:
                self.line_up((LAST, 0), price, price)
                self.line_up((MARK, 0), price, price)
            super().watch_bests()
        self.is_changing, self.is_restless = False, True
        self.tell_indication()

    def open_session(self, session: int, until: int = 0) -> None:
        """By command."""
        self.change_session(session, until)
        self.work_off()

    def end_collecting(self, after: int) -> int:
        """Trades what crosses, if the next session wants it; the price, or 0."""
        is_auction = self.session in AUCTIONS
        if after != CONTINUOUS and not (after == CLOSED and is_auction):
            return 0
        found = self.indicate()
        while found.volume and self.cut_for_auction(found.price):
            found = self.indicate()
        if is_auction or found.volume:
            self.told.append(("uncrossed", self.session, *found))
        if not found.volume:
            return 0
        assert found.volume == most_that_can_trade(self.wishes(BUY), self.wishes(SELL))
        self.reference = self.last = found.price
        self.uncross(found.price)
        for order in [*self.queue(BUY), *self.queue(SELL)]:
            if order.kind == TO_LIMIT and order.takes_any_price:
                order.kind, order.price = LIMIT, found.price
                self.told.append(("repriced", order.order_id, found.price, 0))
                self.rest(order)
        return found.price

    def uncross(self, price: int) -> int:
        """All at one price, by price and time; nobody is the aggressor, so self-trades are not prevented."""
        volume = 0
        while True:
            firsts = [next(iter(self.queue(side)), None) for side in (BUY, SELL)]
            buyer, seller = firsts
            if buyer is None or seller is None:
                return volume
            reach = [o.takes_any_price or (o.price - price) * o.side >= 0 for o in (buyer, seller)]
            if not all(reach):
                return volume
            spent = next((order for order in (buyer, seller) if not self.room(order)), None)
            if spent:
                self.withdraw(spent)
                continue
            quantity = min(buyer.shown, seller.shown)
            for order in (buyer, seller):
                quantity = min(quantity, self.capped_room(order, quantity))
            self.trade(price, quantity, buyer, seller)
            if buyer in self.orders:
                self.show_less(buyer, quantity)
            volume += quantity

    def cut_for_auction(self, price: int) -> bool:
        """Cuts reduce-only orders to what each would trade; says whether there were any to cut."""
        trial = self.trial()
        trial.uncross(price)
        traded = {order.order_id: 0 for order in self.orders}
        for event in trial.told:
            if event[0] == "trade":
                _, _, quantity, *orders = event
                for order_id in orders:
                    assert isinstance(order_id, int) and isinstance(quantity, int)
                    traded[order_id] += quantity
        too_large = [
            order
            for order in sorted(self.orders, key=lambda o: o.order_id)
            if order.order_id in trial.capped and traded[order.order_id] < order.leaves
        ]
        for order in too_large:
            self.cut(order, traded[order.order_id])
        return bool(too_large)

    def cut(self, order: Order, most: int) -> None:
        """Its place kept."""
        was_resting = order.place == "book"
        if not most:
            self.end(order, "canceled", "REDUCE_ONLY_MUST_REDUCE")
        else:
            assert isinstance(order, DayOrder)
            less = order.leaves - most
            unseen = order.leaves - order.shown
            order.quantity, order.excess = order.executed + most, 0
            order.minimum = min(order.minimum, most)
            if was_resting:
                order.shown -= max(less - unseen, 0)
            self.told.append(("reduced", order.order_id, order.quantity))
            self.is_restless |= order.place == "parked"
        self.after_change(was_resting)

    def waiting(self) -> list[Order]:
        """Orders outside the book: by what they wait for, for the close, for somebody to follow or to trade with whole."""
        found: list[Order] = []
        for what in ((LAST, 0), (OPPOSITE, BUY), (OPPOSITE, SELL), (MARK, 0)):
            for direction in (1, -1):
                mine = [order for order in self.watching(what) if order.direction == direction]
                found += sorted(mine, key=lambda o: (o.stop * direction, o.arrival))
        found += sorted(self.at("close"), key=lambda o: o.arrival)
        return found + sorted(self.at("parked"), key=lambda o: (o.kind != PEGGED, o.order_id))

    def retire(self, after: int) -> None:
        """Takes out what does not live on in the next session."""
        over = {
            AT_OPEN: after not in (PRE_OPEN, OPENING, HALTED),
            AT_CLOSE: after == CLOSED or (self.session == CLOSING and after == CONTINUOUS),
            DAY: after == CLOSED,
        }
        for order in [*self.queue(BUY), *self.queue(SELL), *self.waiting()]:
            is_unpriced = order.place == "book" and order.takes_any_price
            if over.get(order.time_in_force, False):
                self.end(order, "expired")
            elif is_unpriced and after in (CONTINUOUS, CLOSED):
                self.end(order, "canceled", "MARKET_MUST_HAVE_LIQUIDITY")

    def tell_indication(self) -> None:
        if self.session not in AUCTIONS:
            return
        now = self.indicate()
        if now != self.indication:
            self.indication = now
            self.told.append(("indicated", *now, self.auction_reference()))

    # ---- what requests entail

    def work_off_orders(self) -> None:
        super().work_off()

    def work_off(self) -> None:
        """In the end, reduce-only orders are brought down."""
        super().work_off()
        while self.shrunk:
            shrunk, self.shrunk = self.shrunk, set()
            for order in sorted(self.orders, key=lambda o: o.order_id):
                is_concerned = order.has(REDUCE_ONLY) and (order.account, order.side) in shrunk
                if is_concerned and order.leaves > self.room(order):
                    self.cut(order, self.room(order))
            super().work_off()

    def settle(self) -> None:
        """Not before trading goes on."""
        if self.collecting:
            self.is_restless = False
        else:
            super().settle()
