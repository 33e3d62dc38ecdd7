"""One instrument of our venue in continuous trading with every type of order, as one would explain it: lists, sorted anew
whenever looked at, one thing done after another.

One request is worked off in this order: its own answer and trades; then, again and again, what stands (pegs follow, an
all-or-none order trades if all of it can), and when nothing stands to be done, the next triggered order. It speaks in
plain tuples.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self

BUY, SELL = 1, -1
DAY, GTC, GTD, IOC, FOK = range(1, 6)
MARKET, LIMIT, STOP, STOP_LIMIT, MIT, LIT, TRAILING, TRAILING_LIMIT, TO_LIMIT, PEGGED = range(1, 11)
POST_ONLY, HIDDEN, ALL_OR_NONE, SLIDE = 1, 4, 8, 16
LAST, OPPOSITE, MARK = 1, 2, 3
AMOUNT, PERCENT = 1, 2
PRIMARY, MARKET_PEG, MID = 1, 2, 3
CANCEL_AGGRESSOR, CANCEL_RESTING, CANCEL_BOTH, DECREMENT = 1, 2, 3, 4
TRIGGERABLE = (STOP, STOP_LIMIT, MIT, LIT, TRAILING, TRAILING_LIMIT)
UNPRICED = (MARKET, STOP, MIT, TRAILING)
NANO = 10**9
FAR = 2**56

Event = tuple[object, ...]


@dataclass(eq=False)
class Order:
    """A live order; 0 stands for a term that it does not have."""

    order_id: int
    account: int
    side: int
    kind: int
    quantity: int
    price: int = 0
    stop: int = 0
    time_in_force: int = GTC
    options: int = 0
    display: int = 0
    minimum: int = 0
    trail: int = 0
    trail_by: int = 0
    limit_offset: int = 0
    peg: int = 0
    peg_offset: int = 0
    trigger_by: int = 0
    self_trade: int = 0
    group: int = 0
    session: int = 0
    """Of its account; it entered the order."""
    executed: int = 0
    place: str = "new"
    arrival: int = 0
    shown: int = 0
    followed: int = 0
    """Of a trailing stop: the best price it followed."""
    cap: int = 0
    """Of a pegged order: its own limit."""

    @property
    def leaves(self) -> int:
        return self.quantity - self.executed

    @property
    def is_immediate(self) -> bool:
        return self.time_in_force in (IOC, FOK)

    @property
    def direction(self) -> int:
        """+1 waits for a price to rise to its own, -1 to fall."""
        return -self.side if self.kind in (MIT, LIT) else self.side

    def has(self, option: int) -> bool:
        return bool(self.options & option)

    @property
    def takes_any_price(self) -> bool:
        return self.kind in UNPRICED or (self.kind == TO_LIMIT and not self.price)

    @property
    def waits_for_whole(self) -> bool:
        return self.has(ALL_OR_NONE) and self.kind not in UNPRICED and not self.is_immediate


class SpecialOrdersTwin:
    """What the venue tells, in order, is in `told`."""

    def __init__(self, instrument: int) -> None:
        self.instrument = instrument
        self.last: int | None = None
        self.orders: list[Order] = []
        self.triggered: list[tuple[Order, int]] = []
        self.prevention: dict[int, tuple[int, int]] = {}
        """Group and action by account; account 0 for those without."""
        self.arrivals = 0
        self.trades = 0
        self.is_restless = False
        self.collecting = False
        """Nothing trades: never in continuous trading."""
        self.told: list[Event] = []

    # ---- looking

    def find(self, order_id: int) -> Order | None:
        return next((order for order in self.orders if order.order_id == order_id), None)

    def at(self, place: str) -> list[Order]:
        return [order for order in self.orders if order.place == place]

    def queue(self, side: int) -> list[Order]:
        """One side in priority order: price, shown before hidden, time."""
        mine = [order for order in self.at("book") if order.side == side]
        return sorted(mine, key=lambda o: (-side * o.price, o.has(HIDDEN), o.arrival))

    def best(self, side: int) -> int | None:
        """Best price that is shown."""
        return next((order.price for order in self.queue(side) if not order.has(HIDDEN)), None)

    def best_against(self, order: Order, price: int | None) -> int | None:
        """The best opposite price, shown or not, if an order with this limit would trade with it."""
        there = self.queue(-order.side)
        if not there or (price is not None and (price - there[0].price) * order.side < 0):
            return None
        return there[0].price

    def owner(self, order: Order) -> tuple[str, int]:
        group = order.group or self.prevention.get(order.account, (0, 0))[0]
        return ("group", group) if group else ("account", order.account)

    def prevents(self, aggressor: Order, resting: Order) -> int:
        """What happens instead of a trade, 0 for nothing."""
        setting = self.prevention.get(aggressor.account, self.prevention.get(0, (0, 0)))
        action = aggressor.self_trade or setting[1]
        return action if action and self.owner(aggressor) == self.owner(resting) else 0

    def trial(self) -> Self:
        """A copy to find out on what would happen."""
        twin = copy.copy(self)
        twin.orders = [copy.copy(order) for order in self.orders]
        twin.told, twin.triggered = [], []
        return twin

    def could_trade(self, order: Order) -> int:
        """What it does trade where it is let."""
        return sum(quantity for _, quantity in self.trades_of(order, self.trial()))

    def trades_of(self, order: Order, trial: Self) -> list[tuple[int, int]]:
        """Price and quantity of each trade that an order makes on a trial."""
        taker = copy.copy(order)
        trial.orders = [one for one in trial.orders if one.order_id != order.order_id] + [taker]
        taker.place = "matching"
        trial.take(taker)
        found = []
        for event in trial.told:
            if event[0] == "trade":
                _, price, quantity, *_ = event
                assert isinstance(price, int) and isinstance(quantity, int)
                found.append((price, quantity))
        return found

    # ---- commands

    def submit(self, order: Order) -> None:
        if order.kind in TRIGGERABLE:
            self.hold(order)
        else:
            refusal = self.bring(order, known=False)
            if refusal:
                self.told.append(("rejected", order.order_id, *refusal))
        self.work_off()

    def cancel(self, order_id: int) -> None:
        order = self.find(order_id)
        assert order is not None
        self.take_back(order)
        self.work_off()

    def take_back(self, order: Order) -> None:
        was_resting = order.place == "book"
        self.end(order, "canceled", "CANCELED_ON_REQUEST")
        self.after_change(was_resting)

    def mass_cancel(self, account: int, side: int, session: int = 0) -> None:
        """All of an account, a side, a session (0: of all), oldest first; what that entails comes after the last."""
        chosen = [
            order
            for order in sorted(self.orders, key=lambda o: o.order_id)
            if account in (0, order.account) and side in (0, order.side) and session in (0, order.session)
        ]
        for order in chosen:
            self.take_back(order)
        self.work_off()
        self.told.append(("mass canceled", len(chosen)))

    def replace(self, order_id: int, price: int, quantity: int, stop: int) -> None:
        """New price, total quantity and stop of an order that rests (no peg) or waits for a price (and does not trail)."""
        order = self.find(order_id)
        assert order is not None
        price, stop = price or order.price, stop or order.stop
        if order.place == "stop":
            self.replace_waiting(order, price, quantity, stop)
        else:
            self.replace_resting(order, price, quantity)
        self.work_off()

    def replace_waiting(self, order: Order, price: int, quantity: int, stop: int) -> None:
        watched = self.watched(order)
        if watched is not None and (watched - stop) * order.direction >= 0:
            self.told.append(
                ("replace rejected", order.order_id, "STOP_MUST_NOT_BE_TRIGGERED", watched, stop)
            )
            return
        keeps_place = (price, stop) == (order.price, order.stop) and quantity <= order.quantity
        order.price, order.quantity, order.stop = price, quantity, stop
        self.told.append(("replaced", order.order_id, price or stop, quantity))
        if not keeps_place:
            self.arrive(order)

    def replace_resting(self, order: Order, price: int, quantity: int) -> None:
        if order.has(SLIDE):
            best = self.best_against(order, price)
            price = price if best is None else best - order.side
        self.requote(order, price, quantity, "replaced")

    def requote(self, order: Order, price: int, quantity: int, telling: str) -> Event | None:
        """New terms in the book; a refusal is told or returned."""
        told: Event = ("repriced", order.order_id, price, order.stop)
        if telling == "replaced":
            told = ("replaced", order.order_id, price, quantity)
        if price == order.price and quantity <= order.quantity:
            less = order.quantity - quantity
            order.quantity = quantity
            order.shown -= max(less - (order.leaves + less - order.shown), 0)
            self.told.append(told)
            self.after_change(True)
            return None
        best = self.best_against(order, price)
        if best is not None and order.options & (POST_ONLY | SLIDE):
            refusal = ("POST_ONLY_MUST_NOT_TAKE", best, price)
            if telling == "replaced":
                self.told.append(("replace rejected", order.order_id, *refusal))
            return refusal
        order.price, order.quantity, order.place = price, quantity, "moving"
        self.told.append(told)
        traded = self.take(order)
        if order in self.orders and order.leaves:
            self.rest(order)
        self.after_change(True, traded)
        return None

    # ---- on the way into the book

    def bring(self, order: Order, known: bool) -> Event | None:
        """To the book, or to where an order waits for what it needs; the refusal where it may not."""
        if order.kind == PEGGED or order.waits_for_whole:
            if order.kind == PEGGED:
                order.cap, order.price = order.price, 0
            self.accept(order, known)
            order.place = "parked"
            self.is_restless = True
            return None
        own = self.own_price(order)
        if own is None:
            return self.match(order, known)
        order.price = own
        self.accept(order, known)
        self.told.append(("repriced", order.order_id, own, order.stop))
        refusal = self.match(order, known=True)
        if refusal and not known:
            self.end(order, "canceled", refusal[0])
            return None
        return refusal

    def own_price(self, order: Order) -> int | None:
        """The price that market-to-limit and sliding orders take from the book."""
        if order.kind == TO_LIMIT:
            return self.best_against(order, None)
        if order.has(SLIDE):
            best = self.best_against(order, order.price)
            return None if best is None else best - order.side
        return None

    def accept(self, order: Order, known: bool) -> None:
        if not known:
            self.told.append(("accepted", order.order_id))
        if order not in self.orders:
            self.orders.append(order)

    def match(self, order: Order, known: bool) -> Event | None:
        limit = None if order.takes_any_price else order.price
        best = self.best_against(order, limit)
        if best is not None and order.options & (POST_ONLY | SLIDE):
            return ("POST_ONLY_MUST_NOT_TAKE", best, order.price)
        self.accept(order, known)
        minimum = order.leaves if order.has(ALL_OR_NONE) else 0 if order.executed else order.minimum
        order.place = "matching"
        traded: list[int] = []
        if minimum and self.could_trade(order) < minimum:
            self.end(order, "canceled", "MINIMUM_QUANTITY_MUST_FILL_NOW")
        elif order.time_in_force == FOK and self.could_trade(order) < order.leaves:
            self.end(order, "canceled", "FILL_OR_KILL_MUST_FILL_WHOLE")
        else:
            traded = self.take(order)
            if order in self.orders and order.leaves:
                self.leave_rest(order)
        self.after_change(True, traded)
        return None

    def leave_rest(self, order: Order) -> None:
        if order.takes_any_price:
            self.end(order, "canceled", "MARKET_MUST_HAVE_LIQUIDITY")
        elif order.time_in_force == IOC:
            self.end(order, "canceled", "IMMEDIATE_OR_CANCEL_MUST_FILL_NOW")
        else:
            self.rest(order)

    def arrive(self, order: Order) -> None:
        self.arrivals += 1
        order.arrival = self.arrivals

    def rest(self, order: Order) -> None:
        self.arrive(order)
        order.place = "book"
        order.shown = min(order.display or order.leaves, order.leaves)

    def end(self, order: Order, *why: object) -> None:
        self.orders.remove(order)
        self.told.append((why[0], order.order_id, *why[1:]))

    # ---- trading

    def take(self, order: Order) -> list[int]:
        """Trades as far as an order reaches; the prices, in order."""
        prices: list[int] = []
        while order.leaves and order in self.orders:
            maker = self.next_against(order)
            if maker is None:
                break
            action = self.prevents(order, maker)
            if action:
                self.prevent(order, maker, action)
                continue
            quantity = self.quantity_between(order, maker)
            if quantity:
                prices.append(maker.price)
                self.trade(maker.price, quantity, order, maker)
        return prices

    def next_against(self, order: Order) -> Order | None:
        """The order that it would meet next."""
        there = self.queue(-order.side)
        reaches = there and (order.takes_any_price or (order.price - there[0].price) * order.side >= 0)
        return there[0] if reaches else None

    def quantity_between(self, order: Order, maker: Order) -> int:
        return min(order.leaves, maker.shown)

    def trade(self, price: int, quantity: int, order: Order, maker: Order) -> None:
        self.trades += 1
        self.told.append(("trade", price, quantity, order.order_id, maker.order_id))
        order.executed += quantity
        maker.executed += quantity
        self.show_less(maker, quantity)
        if not order.leaves:
            self.orders.remove(order)

    def show_less(self, maker: Order, quantity: int) -> None:
        """What is used up is shown anew at the end of the queue, or the order is done."""
        maker.shown -= quantity
        if maker.shown == 0:
            if maker.leaves:
                self.rest(maker)
            else:
                self.orders.remove(maker)

    def prevent(self, aggressor: Order, resting: Order, action: int) -> None:
        rule = "SELF_TRADE_MUST_NOT_HAPPEN"
        if action == DECREMENT:
            quantity = min(aggressor.leaves, resting.shown)
            for order in (resting, aggressor):
                if order.leaves == quantity:
                    self.end(order, "canceled", rule)
                else:
                    order.quantity -= quantity
                    self.told.append(("reduced", order.order_id, self.whole_quantity(order)))
            if resting in self.orders:
                self.show_less(resting, quantity)
            return
        if action != CANCEL_AGGRESSOR:
            self.end(resting, "canceled", rule)
        if action != CANCEL_RESTING:
            self.end(aggressor, "canceled", rule)

    def whole_quantity(self, order: Order) -> int:
        """As its client knows it."""
        return order.quantity

    # ---- what waits for a price

    def watched(self, order: Order) -> int | None:
        if order.trigger_by == OPPOSITE:
            return self.best(-order.side)
        return self.last

    def hold(self, order: Order) -> None:
        price = self.watched(order)
        if order.kind in (TRAILING, TRAILING_LIMIT):
            if order.stop == 0:
                if price is None:
                    refusal = ("REFERENCE_PRICE_MUST_BE_KNOWN", 0, self.instrument)
                    self.told.append(("rejected", order.order_id, *refusal))
                    return
                order.stop = self.behind(order, price)
            if order.kind == TRAILING_LIMIT:
                order.price = order.stop + order.side * order.limit_offset
            order.followed = price if price is not None else FAR * order.direction
        if price is not None and (price - order.stop) * order.direction >= 0:
            self.told.append(("rejected", order.order_id, "STOP_MUST_NOT_BE_TRIGGERED", price, order.stop))
            return
        self.accept(order, known=False)
        if order.kind in (TRAILING, TRAILING_LIMIT):
            self.told.append(("repriced", order.order_id, order.price, order.stop))
        order.place = "stop"
        self.arrive(order)

    def behind(self, order: Order, price: int) -> int:
        """A stop that stays behind a price by its trail, rounded away from the market."""
        if order.trail_by == AMOUNT:
            return max(price + order.direction * order.trail, 1)
        exact = price * (NANO + order.direction * order.trail)
        return max(-(-exact // NANO) if order.direction > 0 else exact // NANO, 1)

    def watching(self, what: tuple[int, int]) -> list[Order]:
        """Who waits for the last trade (1, 0), for a side's best (2, side), or for the mark (3, 0)."""
        found = []
        for order in self.at("stop"):
            by = order.trigger_by or LAST
            if (by, -order.side if by == OPPOSITE else 0) == what:
                found.append(order)
        return found

    def follow(self, what: tuple[int, int], price: int) -> None:
        """Trailing stops go along with a price that moved their way."""
        for direction in (1, -1):
            trailing = [
                order
                for order in self.watching(what)
                if order.kind in (TRAILING, TRAILING_LIMIT)
                and order.direction == direction
                and (order.followed - price) * direction > 0
            ]
            for order in sorted(trailing, key=lambda o: (o.followed * -direction, o.arrival)):
                order.followed = price
                stop = self.behind(order, price)
                if (stop - order.stop) * direction < 0:
                    order.stop = stop
                    if order.kind == TRAILING_LIMIT:
                        order.price = stop + order.side * order.limit_offset
                    self.told.append(("repriced", order.order_id, order.price, order.stop))

    def line_up(self, what: tuple[int, int], first: int, last: int) -> None:
        self.follow(what, first)
        for direction in (1, -1):
            extreme = max(first, last) if direction > 0 else min(first, last)
            waiting = [order for order in self.watching(what) if order.direction == direction]
            for order in sorted(waiting, key=lambda o: (o.stop * direction, o.arrival)):
                if (extreme - order.stop) * direction >= 0:
                    order.place = "triggered"
                    self.triggered.append((order, last))
        self.follow(what, last)

    def after_change(self, book_changed: bool, traded: list[int] | None = None) -> None:
        """What trades and new bests set off."""
        if traded:
            self.last = traded[-1]
            # Along a request prices go one way.
            self.line_up((LAST, 0), traded[0], traded[-1])
            self.line_up((MARK, 0), traded[0], traded[-1])
        if not book_changed:
            return
        self.watch_bests()
        self.is_restless = True

    def watch_bests(self) -> None:
        for side in (BUY, SELL):
            price = self.best(side)
            if price is not None:
                self.line_up((OPPOSITE, side), price, price)

    # ---- what stands

    def work_off(self) -> None:
        """All that a request entails."""
        while self.is_restless or self.triggered:
            if self.is_restless:
                self.settle()
                continue
            order, price = self.triggered.pop(0)
            if order not in self.orders:
                continue
            self.told.append(("triggered", order.order_id, price))
            refusal = self.bring(order, known=True)
            if refusal:
                self.end(order, "canceled", refusal[0])

    def settle(self) -> None:
        trades, before = self.trades, len(self.told)
        self.move_pegs()
        if self.trades == trades:
            self.try_whole()
        # Where nothing traded and no self-trade was prevented, what others follow stands where it stood.
        words = {event[0] for event in self.told[before:]}
        self.is_restless = bool(words & {"trade", "canceled", "reduced"})

    def bests_without_pegs(self) -> dict[int, int | None]:
        return {
            side: next((o.price for o in self.queue(side) if o.kind != PEGGED and not o.has(HIDDEN)), None)
            for side in (BUY, SELL)
        }

    def move_pegs(self) -> None:
        if self.collecting:
            return
        trades, bests = self.trades, self.bests_without_pegs()
        for order in sorted(self.orders, key=lambda o: o.order_id):
            if order.kind == PEGGED and order in self.orders:
                self.move_peg(order, self.peg_target(order, bests))
            if self.trades != trades or self.collecting:
                return

    def peg_target(self, order: Order, bests: dict[int, int | None]) -> int | None:
        own, other = bests[order.side], bests[-order.side]
        price = {PRIMARY: own, MARKET_PEG: other}.get(order.peg)
        if order.peg == MID and own is not None and other is not None:
            price = (own + other) // 2 if order.side == BUY else -(-(own + other) // 2)
        if price is None:
            return None
        price += order.peg_offset
        if order.cap:
            price = min(price, order.cap) if order.side == BUY else max(price, order.cap)
        best = self.best_against(order, price)
        if best is not None and order.options & (POST_ONLY | SLIDE):
            price = best - order.side
        return price if price > 0 else None

    def move_peg(self, order: Order, price: int | None) -> None:
        if order.place == "parked" and price is not None:
            order.price = price
            self.told.append(("repriced", order.order_id, price, 0))
            refusal = self.match(order, known=True)
        elif order.place == "book" and price is None:
            order.place, order.price = "parked", 0
            self.after_change(True)
            self.told.append(("repriced", order.order_id, 0, 0))
            refusal = None
        elif order.place == "book" and price is not None and price != order.price:
            refusal = self.requote(order, price, self.whole_quantity(order), "repriced")
        else:
            return
        if refusal and order in self.orders:
            self.end(order, "canceled", refusal[0])

    def try_whole(self) -> None:
        trades = self.trades
        for order in sorted(self.at("parked"), key=lambda o: o.order_id):
            if order.kind != PEGGED and self.could_trade(order) >= order.leaves:
                refusal = self.match(order, known=True)
                if refusal:
                    self.end(order, "canceled", refusal[0])
            if self.trades != trades:
                return
