"""One instrument of our venue through its sessions, as docs/venue.md tells it: lists, sorted anew whenever looked at.

Orders with and without a limit, every time in force but GTD, price bands, policies that share a level (but for TOP). It
speaks in plain tuples.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.allocation_twin import Terms, share_level
from tests.model.auction_twin import NOTHING, Indicated, Wish, auction_price, most_that_can_trade

BUY, SELL = 1, -1
PRE_OPEN, OPENING, CONTINUOUS, VOLATILITY, HALTED, CLOSING, CLOSED = range(1, 8)
AUCTIONS = (OPENING, VOLATILITY, CLOSING)
DAY, GTC, GTD, IOC, FOK, AT_OPEN, AT_CLOSE = range(1, 8)
NANO = 10**9

Event = tuple[object, ...]


@dataclass
class Order:
    """A live order. `price` None is a market order."""

    order_id: int
    side: int
    price: int | None
    quantity: int
    time_in_force: int
    account: int = 0
    post_only: bool = False
    executed: int = 0
    arrival: int = 0

    @property
    def leaves(self) -> int:
        return self.quantity - self.executed

    def reaches(self, price: int) -> bool:
        return self.price is None or (self.price - price) * self.side >= 0


@dataclass(frozen=True)
class Bands:
    """Widths in 10^-9 of the price they lie around, or in price units."""

    static: int = 0
    dynamic: int = 0
    on_breach: int = VOLATILITY
    in_units: bool = False


BY_SIZE = "by size"
"""The largest order of a level first, equals by time."""


class TradingDayTwin:
    """What the venue tells of one instrument, in order, is in `told`."""

    def __init__(self, instrument: int) -> None:
        self.instrument = instrument
        self.session = CONTINUOUS
        self.reference = 0
        self.last: int | None = None
        self.bands = Bands()
        self.policy: Terms | str | None = None
        self.resting: list[Order] = []
        self.for_the_close: list[Order] = []
        self.indication = NOTHING
        self.arrivals = 0
        self.told: list[Event] = []

    # ---- looking

    def find(self, order_id: int) -> Order | None:
        """A live order."""
        return next((o for o in self.resting + self.for_the_close if o.order_id == order_id), None)

    def queue(self, side: int) -> list[Order]:
        """The orders of one side in priority order."""
        mine = [order for order in self.resting if order.side == side]
        return sorted(mine, key=lambda o: (o.price is not None, -side * (o.price or 0), o.arrival))

    def wishes(self, side: int) -> list[Wish]:
        return [(order.price, order.leaves) for order in self.queue(side)]

    def auction_reference(self) -> int:
        return self.reference if self.last is None else self.last

    def indicate(self) -> Indicated:
        return auction_price(self.wishes(BUY), self.wishes(SELL), self.auction_reference())

    def around(self, center: int, width: int) -> tuple[int, int]:
        distance = width if self.bands.in_units else center * width // NANO
        return center - distance, center + distance

    def order_range(self) -> tuple[int, int] | None:
        return (
            self.around(self.reference, self.bands.static) if self.bands.static and self.reference else None
        )

    def trade_range(self) -> tuple[int, int] | None:
        """Where trades may happen: inside both bands."""
        ranges = [self.order_range()] if self.order_range() else []
        center = self.last if self.last is not None else self.reference
        if self.bands.dynamic and center:
            ranges.append(self.around(center, self.bands.dynamic))
        found = [one for one in ranges if one is not None]
        return (max(low for low, _ in found), min(high for _, high in found)) if found else None

    # ---- commands

    def submit(self, order: Order) -> None:
        refusal = self.refused(order)
        if refusal:
            self.told.append(("rejected", order.order_id, *refusal))
        elif order.time_in_force == AT_CLOSE and self.session != CLOSING:
            self.told.append(("accepted", order.order_id))
            self.for_the_close.append(order)
        elif self.session != CONTINUOUS:
            self.told.append(("accepted", order.order_id))
            self.rest(order)
        else:
            self.take(order)
        self.tell_indication()

    def refused(self, order: Order) -> Event | None:
        """The rule that keeps an order out."""
        term = order.time_in_force
        if order.price is None and self.last is None and not self.reference:
            # Nobody knows what it would cost: the risk gate lets no such order pass.
            return ("REFERENCE_PRICE_MUST_BE_KNOWN", 0, self.instrument)
        if self.session == HALTED:
            return ("TRADING_MUST_NOT_BE_HALTED", 0, self.instrument)
        unfit = (
            self.session == CLOSED
            or (term == AT_OPEN and self.session not in (PRE_OPEN, OPENING))
            or (term in (IOC, FOK) and self.session != CONTINUOUS)
        )
        if unfit:
            return ("SESSION_MUST_TAKE_ORDER", self.session, term)
        return self.outside(order.price)

    def outside(self, price: int | None) -> Event | None:
        bounds = self.order_range()
        if price is None or bounds is None or bounds[0] <= price <= bounds[1]:
            return None
        return ("PRICE_MUST_BE_WITHIN_BANDS", bounds[0] if price < bounds[0] else bounds[1], price)

    def replace(self, order_id: int, price: int, quantity: int) -> None:
        """New limit and total quantity of a live limit order."""
        order = self.find(order_id)
        assert order is not None and order.price is not None
        refusal = self.replace_refused(order, price)
        if refusal:
            self.told.append(("replace rejected", order_id, *refusal))
            return
        keeps_place = price == order.price and quantity <= order.quantity
        if order in self.for_the_close:
            if not keeps_place:
                self.for_the_close.remove(order)
                self.for_the_close.append(order)
            order.price, order.quantity = price, quantity
            self.told.append(("replaced", order_id, price, quantity))
            return
        self.replace_resting(order, price, quantity, keeps_place)
        self.tell_indication()

    def replace_refused(self, order: Order, price: int) -> Event | None:
        if self.session == HALTED:
            return ("TRADING_MUST_NOT_BE_HALTED", 0, self.instrument)
        if self.session == CLOSED:
            return ("SESSION_MUST_TAKE_ORDER", self.session, order.time_in_force)
        outside = self.outside(price)
        if outside:
            return outside
        best = self.best_against(order.side, price)
        if order.post_only and self.session == CONTINUOUS and best is not None:
            return ("POST_ONLY_MUST_NOT_TAKE", best, price)
        return None

    def replace_resting(self, order: Order, price: int, quantity: int, keeps_place: bool) -> None:
        if keeps_place:
            order.quantity = quantity
            self.told.append(("replaced", order.order_id, price, quantity))
            return
        moved = Order(order.order_id, order.side, price, quantity - order.executed, order.time_in_force)
        self.resting.remove(order)
        breach = None if self.session != CONTINUOUS or order.post_only else self.breach_of(moved)
        self.told.append(("replaced", order.order_id, price, quantity))
        order.price, order.quantity = price, quantity
        if self.session == CONTINUOUS and breach is None:
            self.trade_up_to(order, None)
        if order.leaves:
            self.rest(order)
        if breach:
            self.answer_breach(order.order_id, *breach)

    def cancel(self, order_id: int) -> None:
        order = self.find(order_id)
        assert order is not None
        self.remove(order)
        self.told.append(("canceled", order_id, "CANCELED_ON_REQUEST"))
        self.tell_indication()

    def change_session(self, session: int) -> None:
        before = self.session
        crossed_at = self.end_collecting(session) if before not in (session, CONTINUOUS) else 0
        self.retire(session)
        self.session = session
        self.indication = NOTHING
        self.told.append(("session", before, session))
        if session == CLOSING:
            for order in self.for_the_close:
                self.rest(order)
            self.for_the_close = []
        assert not crossed_at or self.last == crossed_at
        self.tell_indication()

    # ---- trading

    def rest(self, order: Order) -> None:
        self.arrivals += 1
        order.arrival = self.arrivals
        self.resting.append(order)

    def remove(self, order: Order) -> None:
        (self.resting if order in self.resting else self.for_the_close).remove(order)

    def best_against(self, side: int, price: int | None) -> int | None:
        """The best opposite price, if an order with this limit would trade with it."""
        there = self.queue(-side)
        if not there or there[0].price is None:
            return None
        best = there[0].price
        return best if price is None or (price - best) * side >= 0 else None

    def reachable(self, order: Order, bound: int | None) -> int:
        """How much there is for an order up to its limit and up to a bound."""
        prices = [(o.price, o.leaves) for o in self.queue(-order.side) if o.price is not None]
        return sum(
            leaves
            for price, leaves in prices
            if order.reaches(price) and (bound is None or (bound - price) * order.side >= 0)
        )

    def breach_of(self, order: Order) -> tuple[int, int] | None:
        """(price, bound) of the first trade that would lie outside the bands."""
        bounds = self.trade_range()
        best = self.best_against(order.side, order.price)
        if bounds is None or best is None or order.post_only:
            return None
        behind, ahead = bounds if order.side == BUY else bounds[::-1]
        if (best - behind) * order.side < 0:
            return best, behind
        inside = self.reachable(order, ahead)
        if inside >= order.leaves or self.reachable(order, None) == inside:
            return None
        beyond = (o.price for o in self.queue(-order.side) if o.price is not None)
        return next(price for price in beyond if (price - ahead) * order.side > 0), ahead

    def take(self, order: Order) -> None:
        """A new order while trading goes on."""
        best = self.best_against(order.side, order.price)
        if order.post_only and best is not None:
            assert order.price is not None
            self.told.append(("rejected", order.order_id, "POST_ONLY_MUST_NOT_TAKE", best, order.price))
            return
        self.told.append(("accepted", order.order_id))
        breach = self.breach_of(order)
        bound = breach[1] if breach else None
        if breach and (best is None or (breach[0] == best)):
            bound = best - order.side if best is not None else None  # nothing may trade at all
        if order.time_in_force == FOK and self.reachable(order, bound) < order.leaves:
            self.told.append(("canceled", order.order_id, "FILL_OR_KILL_MUST_FILL_WHOLE"))
        else:
            self.trade_up_to(order, bound)
            if order.leaves:
                self.leave_rest(order, bool(breach))
        if breach:
            self.answer_breach(order.order_id, *breach)

    def leave_rest(self, order: Order, collects: bool) -> None:
        if order.price is None and not collects:
            self.told.append(("canceled", order.order_id, "MARKET_MUST_HAVE_LIQUIDITY"))
        elif order.time_in_force == IOC:
            self.told.append(("canceled", order.order_id, "IMMEDIATE_OR_CANCEL_MUST_FILL_NOW"))
        else:
            self.rest(order)

    def trade_up_to(self, order: Order, bound: int | None) -> None:
        """Level by level, each shared as the policy says."""
        while order.leaves:
            queue = self.queue(-order.side)
            price = queue[0].price if queue else None
            if price is None or not order.reaches(price):
                return
            if bound is not None and (bound - price) * order.side < 0:
                return
            level = [maker for maker in queue if maker.price == price]
            for maker, quantity in self.shared(level, order.leaves):
                if quantity:
                    self.trade(price, quantity, order, maker)

    def shared(self, level: list[Order], incoming: int) -> list[tuple[Order, int]]:
        """What each order of a level gives, in the order in which they trade."""
        if isinstance(self.policy, Terms):
            given = share_level(self.policy, incoming, [(maker.account, maker.leaves) for maker in level])
            return list(zip(level, given, strict=True))
        if self.policy == BY_SIZE:
            level = sorted(level, key=lambda maker: -maker.leaves)
        found = []
        for maker in level:
            found.append((maker, min(incoming, maker.leaves)))
            incoming -= found[-1][1]
        return found

    def trade(self, price: int, quantity: int, aggressor: Order, maker: Order) -> None:
        self.last = price
        self.told.append(("trade", price, quantity, aggressor.order_id, maker.order_id))
        for order in (aggressor, maker):
            order.executed += quantity
            if not order.leaves and order in self.resting:
                self.resting.remove(order)

    def answer_breach(self, order_id: int, price: int, bound: int) -> None:
        self.told.append(("breach", order_id, price, bound))
        self.told.append(("session", self.session, self.bands.on_breach))
        self.session = self.bands.on_breach
        self.indication = NOTHING
        self.tell_indication()

    # ---- auctions

    def tell_indication(self) -> None:
        if self.session not in AUCTIONS:
            return
        now = self.indicate()
        if now != self.indication:
            self.indication = now
            self.told.append(("indicated", *now, self.auction_reference()))

    def end_collecting(self, after: int) -> int:
        """Trades what crosses, if the next session wants it; the price, or 0."""
        is_auction = self.session in AUCTIONS
        if after != CONTINUOUS and not (after == CLOSED and is_auction):
            return 0
        found = self.indicate()
        if is_auction or found.price:
            self.told.append(("uncrossed", self.session, *found))
        if not found.price:
            return 0
        assert found.volume == most_that_can_trade(self.wishes(BUY), self.wishes(SELL))
        self.reference = found.price
        left = found.volume
        while left:
            buyer, seller = self.queue(BUY)[0], self.queue(SELL)[0]
            quantity = min(buyer.leaves, seller.leaves, left)
            self.trade(found.price, quantity, buyer, seller)
            left -= quantity
        return found.price

    def retire(self, after: int) -> None:
        """Takes out what does not live on in the next session."""
        before = self.session
        over = {
            AT_OPEN: after not in (PRE_OPEN, OPENING, HALTED),
            AT_CLOSE: after == CLOSED or (before == CLOSING and after == CONTINUOUS),
            DAY: after == CLOSED,
        }
        for order in [*self.queue(BUY), *self.queue(SELL), *self.for_the_close]:
            if over.get(order.time_in_force, False):
                self.remove(order)
                self.told.append(("expired", order.order_id))
            elif order.price is None and order in self.resting and after in (CONTINUOUS, CLOSED):
                self.remove(order)
                self.told.append(("canceled", order.order_id, "MARKET_MUST_HAVE_LIQUIDITY"))
