"""The simulated venue on bars, as docs/fills.md tells it: open, stops, limits, close, one order after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, cast

from tests.model.account_twin import NANO
from tests.model.order_twin import (
    BAR_NS,
    DAY,
    FOK,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    STOP,
    STOP_LIMIT,
    TARGET,
    UNITS,
    Event,
    RefusedError,
    Submit,
    Terms,
)
from tests.model.sizing_twin import Sizer

if TYPE_CHECKING:
    from tests.model.engine_twin import EngineTwin


@dataclass(frozen=True)
class Bar:
    """Four prices of one instrument."""

    instrument: int
    open: int
    high: int
    low: int
    close: int


@dataclass
class Live:
    """An order at the venue. `part` says from where on it takes part in the bar: "open", "after open", "next bar"."""

    order_id: int
    request: Submit
    terms: Terms
    priority: int
    arrival: int
    released_at: int | None
    side: int
    filled: int = 0
    triggered: bool = False
    fresh: bool = True
    part: str = "open"

    @property
    def waits(self) -> bool:
        return self.request.kind in (STOP, STOP_LIMIT) and not self.triggered

    @property
    def is_market(self) -> bool:
        return self.request.kind == MARKET or (self.request.kind == STOP and self.triggered)

    @property
    def is_immediate(self) -> bool:
        return self.request.time_in_force in (IOC, FOK)

    @property
    def leaves(self) -> int:
        return self.terms.quantity - self.filled if self.request.sizing == UNITS else self.terms.quantity


class BarVenueTwin:
    """Our orders against bars."""

    def __init__(self, slippage: int = 0) -> None:
        self.slippage = slippage
        self.orders: list[Live] = []
        self.arrivals: list[Event] = []
        self.out: list[Event] = []
        self.pass_: Iterator[None] | None = None
        self.bars: dict[int, Bar] = {}
        self.phase = ""
        self.released: list[Live] = []
        self.times = (0, 0)
        self.reacting = False
        self.over = False
        self.last_priority = 0
        self.trades = 0
        self.closed_at: dict[int, int] = {}
        self.now = 0

    def next_due(self) -> int | None:
        """Nothing happens between bars."""
        return None

    def close_session(self, time: int) -> None:
        """DAY orders expire when this arrives."""
        self.arrivals.append(("close",))

    def request(self, request: Event, time: int) -> None:
        """What is asked in answer to a fill inside a bar takes effect there; everything else arrives."""
        self.now = time
        if request[0] == "bars":
            rows = cast("tuple[tuple[int, int, int, int, int], ...]", request[1])
            self.bars = {row[0]: Bar(*row) for row in rows}
            self.times = (time - BAR_NS, time)
            self.pass_ = self.work()
        elif request[0] == "end":
            self.over = True
        elif self.reacting and self.is_linked(request):
            self.handle(request, time, reaction=True)
        else:
            self.arrivals.append(request)

    def is_linked(self, request: Event) -> bool:
        if request[0] == "submit":
            _, _, order, _, released_at = cast("tuple[str, int, Submit, Terms, int | None]", request)
            return released_at is not None and order.instrument in self.bars
        return request[2] in self.bars

    def next_report(self, time: int, engine: EngineTwin) -> Event | None:
        """One thing after another, each told before the next is decided."""
        self.engine, self.now = engine, time
        while True:
            if self.out:
                self.reacting = self.pass_ is not None
                return self.out.pop(0)
            self.reacting = False
            if open_now := [request for request in self.arrivals if not self.must_wait(request)]:
                self.arrivals.remove(open_now[0])
                self.handle(open_now[0], time, reaction=False)
            elif self.pass_ is not None:
                if next(self.pass_, "over") == "over":
                    self.pass_ = None
                    self.bars = {}
            elif self.over and self.orders:
                first = min(
                    self.orders, key=lambda order: (order.request.instrument, self.orders.index(order))
                )
                self.close(first, "canceled", "CANCELED_AT_END_OF_RUN", 0, 0)
            else:
                return None

    def must_wait(self, request: Event) -> bool:
        """What concerns a bar in work waits until it is done."""
        if self.pass_ is None:
            return False
        if request[0] == "close":
            return True
        about = cast(Submit, request[2]).instrument if request[0] == "submit" else request[2]
        return about in self.bars

    # ---- requests

    def handle(self, request: Event, time: int, reaction: bool) -> None:
        kind, *rest = request
        if kind == "close":
            for order in sorted(self.orders, key=lambda order: order.request.instrument):
                if order.request.time_in_force == DAY and order.arrival < time:
                    self.close(order, "expired")
            return
        order_id = cast(int, rest[0])
        try:
            if kind == "submit":
                _, submit, terms, released_at = cast("tuple[int, Submit, Terms, int | None]", tuple(rest))
                self.last_priority += 1
                live = Live(order_id, submit, terms, self.last_priority, time, released_at, submit.side)
                self.submit(live, time, reaction)
                return
            found = [order for order in self.orders if order.order_id == order_id]
            if not found:
                just_closed = self.closed_at.get(order_id) == time
                raise RefusedError("ORDER_MUST_BE_OPEN" if just_closed else "ORDER_MUST_EXIST")
            if kind == "cancel":
                self.close(found[0], "canceled", "CANCELED_ON_REQUEST", 0, 0)
            else:
                self.replace(found[0], cast(Terms, rest[2]), reaction)
        except RefusedError as refused:
            answer = {"submit": "rejected", "cancel": "cancel_rejected", "replace": "replace_rejected"}
            self.out.append((answer[cast(str, kind)], order_id, *refused.words))

    def submit(self, order: Live, time: int, reaction: bool) -> None:
        request = order.request
        try:
            if request.time_in_force == GTD and request.expire_time <= time:
                raise RefusedError("EXPIRY_MUST_BE_IN_FUTURE", time, request.expire_time)
            if request.post_only and request.kind not in (LIMIT, STOP_LIMIT):
                raise RefusedError("POST_ONLY_MUST_NOT_TAKE")
        except RefusedError:
            self.last_priority -= 1
            raise
        self.out.append(("accepted", order.order_id))
        if reaction:
            order.fresh = request.kind == MARKET
            order.part = "after open" if self.phase == "open" else "next bar"
            if request.kind == STOP and self.phase in ("stops", "limits"):
                self.released.append(order)
        self.orders.append(order)

    def replace(self, order: Live, terms: Terms, reaction: bool) -> None:
        old = order.terms
        if order.triggered and terms.stop != old.stop:
            raise RefusedError("STOP_MUST_NOT_BE_TRIGGERED", old.stop, terms.stop)
        repriced = (terms.price, terms.stop) != (old.price, old.stop)
        order.terms = terms
        if reaction:
            order.part = "next bar" if repriced else order.part
        elif repriced or terms.quantity > old.quantity:
            self.last_priority += 1
            order.priority, order.fresh, order.arrival = self.last_priority, True, self.now
            self.orders.remove(order)
            self.orders.append(order)
        self.out.append(("replaced", order.order_id, terms))

    def close(self, order: Live, *why: object) -> None:
        self.orders.remove(order)
        self.closed_at[order.order_id] = self.now
        self.out.append((why[0], order.order_id, *why[1:]))

    # ---- bars

    def work(self) -> Iterator[None]:
        """Every yield lets what was told take its effect."""
        for phase in ("open", "stops", "limits", "close"):
            self.phase = phase
            there = [order for order in self.orders if order.request.instrument in self.bars]
            for order in sorted(there, key=lambda order: order.priority):
                if order not in self.orders or order.part == "next bar":
                    continue
                if order.part == "after open" and phase == "open":
                    continue
                yield from self.visit(order, self.bars[order.request.instrument])
                while self.released:
                    yield from self.examine(self.released.pop(0))
        for order in self.orders:
            order.part = "open"

    def visit(self, order: Live, bar: Bar) -> Iterator[None]:
        opened, closed = self.times
        ends = order.request.expire_time if order.request.time_in_force == GTD else closed + 1
        last = {"open": opened, "stops": closed - 1, "limits": -1, "close": closed}[self.phase]
        if ends <= last and not (self.phase == "open" and order.part != "open"):
            self.close(order, "expired")
        elif self.phase == "open":
            yield from self.at_the_open(order, bar)
        elif self.phase == "stops" and order.waits:
            yield from self.touch(order, bar, bar.open)
        elif self.phase == "limits":
            yield from self.trade_through(order, bar)
        yield

    def at_the_open(self, order: Live, bar: Bar) -> Iterator[None]:
        side = order.side
        if order.waits:
            if (bar.open - order.terms.stop) * side < 0:
                return
            self.trigger(order, bar.open)
        takes = order.is_market or order.fresh
        was_fresh, order.fresh = order.fresh, False
        if not self.choose_side(order, bar.open):
            return
        if not order.is_market and not beyond(side, bar.open, order.terms.price):
            self.leave(order)
        elif order.request.post_only and was_fresh:
            self.close(order, "canceled", "POST_ONLY_MUST_NOT_TAKE", bar.open, order.terms.price)
        else:
            yield from self.execute(
                order, self.taker_price(order, bar.open) if takes else bar.open, not takes
            )

    def touch(self, order: Live, bar: Bar, reference: int) -> Iterator[None]:
        """A stop inside the bar's range fills at the worse of itself and the price it started from."""
        side, stop = order.side, order.terms.stop
        furthest = bar.high if side > 0 else bar.low
        if (furthest - stop) * side < 0:
            return
        price = max(stop, reference) if side > 0 else min(stop, reference)
        self.trigger(order, price)
        order.fresh = False
        if not self.choose_side(order, price):
            return
        if order.request.kind == STOP_LIMIT and beyond(side, order.terms.price, price):
            order.part = "next bar"
            self.leave(order)
            return
        yield from self.execute(order, self.taker_price(order, price), False)

    def examine(self, order: Live) -> Iterator[None]:
        """A stop whose parent filled inside the bar: taken as touched after the fill when it is in the range."""
        if order in self.orders and order.waits:
            bar = self.bars[order.request.instrument]
            yield from self.touch(order, bar, bar.open if order.released_at is None else order.released_at)
        yield

    def trade_through(self, order: Live, bar: Bar) -> Iterator[None]:
        side = order.side
        best = bar.low if side > 0 else bar.high
        if order.is_market or order.waits or order.is_immediate:
            return
        if beyond(side, best, order.terms.price):
            yield from self.execute(order, order.terms.price, True)

    def choose_side(self, order: Live, price: int) -> bool:
        """A market order for a target trades whichever way leads there."""
        if order.request.sizing == TARGET and order.is_market:
            try:
                order.side = (
                    -1 if Sizer(self.engine, order.request, price).executable(order.leaves) < 0 else 1
                )
            except RefusedError as refused:
                self.close(order, "canceled", *refused.words)
                return False
        return True

    def allowed(self, order: Live, price: int) -> int:
        """What may execute now, in the direction of the order's side."""
        signed = Sizer(self.engine, order.request, price).executable(order.leaves)
        return signed * order.side if order.request.sizing == TARGET else abs(signed)

    def trigger(self, order: Live, price: int) -> None:
        order.triggered = order.fresh = True
        self.out.append(("triggered", order.order_id, price))

    def taker_price(self, order: Live, price: int) -> int:
        """Slippage against the taker, to the worse tick, never beyond a limit."""
        side, tick = order.side, self.engine.instruments[order.request.instrument].tick
        if self.slippage:
            moved = Fraction(price * (NANO + side * self.slippage), NANO * tick)
            price = max((ceil(moved) if side > 0 else floor(moved)) * tick, tick)
        if order.request.kind in (LIMIT, STOP_LIMIT):
            price = min(price, order.terms.price) if side > 0 else max(price, order.terms.price)
        return price

    def execute(self, order: Live, price: int, is_maker: bool) -> Iterator[None]:
        """Fills what the engine allows; what it cut is asked for again, and refused in the end."""
        try:
            if order.request.time_in_force == FOK and order.filled == 0:
                possible = self.allowed(order, price)
                if order.request.sizing == UNITS and possible < order.leaves:
                    raise RefusedError("FILL_OR_KILL_MUST_FILL_WHOLE", order.leaves, possible)
            while order in self.orders:
                wanted = order.leaves
                quantity = self.allowed(order, price)
                if quantity <= 0:
                    raise RefusedError("SIZED_QUANTITY_MUST_BE_POSITIVE", 1, quantity)
                self.fill(order, price, quantity, is_maker)
                if order in self.orders and order.is_immediate:
                    self.leave(order)
                if order not in self.orders or quantity == wanted:
                    return
                yield
        except RefusedError as refused:
            self.close(order, "canceled", *refused.words)

    def fill(self, order: Live, price: int, quantity: int, is_maker: bool) -> None:
        self.trades += 1
        order.filled += quantity
        self.out.append(("filled", order.order_id, price, quantity * order.side, is_maker, self.trades))
        if order.request.sizing != UNITS or order.leaves == 0:
            self.orders.remove(order)
            self.closed_at[order.order_id] = self.now

    def leave(self, order: Live) -> None:
        """What may not wait is canceled."""
        if order.is_immediate:
            is_whole = order.request.time_in_force == FOK
            rule = "FILL_OR_KILL_MUST_FILL_WHOLE" if is_whole else "IMMEDIATE_OR_CANCEL_MUST_FILL_NOW"
            self.close(order, "canceled", rule, order.leaves, 0)


def beyond(side: int, price: int, limit: int) -> bool:
    """Strictly better for that side than the limit."""
    return (limit - price) * side > 0
