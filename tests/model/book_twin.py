"""A slow, obvious order book: one list of orders, searched and sorted for every command.

It shares nothing with the book it judges but the words of the reports, which are plain tuples here:

    ("accepted", order_id, quantity)
    ("traded", maker, taker, price, quantity, maker_leaves, taker_leaves)
    ("canceled", order_id, leaves, rule, limit, actual)
    ("replaced", order_id, price, quantity, kept_priority)
    ("refused", order_id, rule, limit, actual)
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

Report = tuple[object, ...]

LARGEST = 2**56
HIGHEST_PRICE = 2**63 - 2


@dataclass
class Resting:
    """An order in the book; `arrival` breaks ties."""

    order_id: int
    side: str
    price: int
    leaves: int
    arrival: int


def opposite(side: str) -> str:
    """The other side."""
    return "SELL" if side == "BUY" else "BUY"


class BookTwin:
    """Price-time priority as one would explain it."""

    def __init__(self) -> None:
        self.resting: list[Resting] = []
        self.arrivals = 0
        self.next_id = 1
        # How much an order may trade when that much has traded so far: (order id, quantity) of each maker and the taker.
        self.room: Callable[[int, list[tuple[int, int]]], int] = lambda order_id, traded: LARGEST

    def find(self, order_id: int) -> Resting | None:
        """The live order of that id."""
        return next((order for order in self.resting if order.order_id == order_id), None)

    def queue(self, side: str) -> list[Resting]:
        """Orders of one side: the best price first, and at a price the earliest first."""
        orders = [order for order in self.resting if order.side == side]
        away_from_best = -1 if side == "BUY" else 1
        return sorted(orders, key=lambda order: (order.price * away_from_best, order.arrival))

    def depth(self, side: str) -> list[tuple[int, int, int]]:
        """(price, quantity, orders) of every level, best first."""
        prices = list(dict.fromkeys(order.price for order in self.queue(side)))
        at = {
            price: [order for order in self.resting if order.side == side and order.price == price]
            for price in prices
        }
        return [(price, sum(order.leaves for order in at[price]), len(at[price])) for price in prices]

    def ahead(self, order_id: int) -> tuple[int, int]:
        """(orders, quantity) before an order at its price."""
        order = self.find(order_id)
        assert order is not None
        before = [o for o in self.queue(order.side) if o.price == order.price and o.arrival < order.arrival]
        return len(before), sum(o.leaves for o in before)

    def reachable(self, side: str, price: int | None) -> list[Resting]:
        """Orders that an order of `side` with this limit (None: any price) could trade with, in order."""
        makers = self.queue(opposite(side))
        if price is None:
            return makers
        return [
            maker for maker in makers if (maker.price <= price if side == "BUY" else maker.price >= price)
        ]

    def take(self, taker: int, side: str, price: int | None, leaves: int) -> tuple[list[Report], int]:
        """Trades as far as the limit reaches; the reports, and what is left."""
        reports: list[Report] = []
        traded: list[tuple[int, int]] = []
        for maker in self.reachable(side, price):
            while leaves and maker.leaves:
                room = self.room(maker.order_id, traded)
                if room <= 0:
                    refusal = ("REDUCE_ONLY_MUST_REDUCE", 0, maker.leaves)
                    reports.append(("canceled", maker.order_id, maker.leaves, *refusal))
                    maker.leaves = 0
                    break
                quantity = min(leaves, maker.leaves, room)
                leaves -= quantity
                maker.leaves -= quantity
                traded += [(maker.order_id, quantity), (taker, quantity)]
                reports.append(("traded", maker.order_id, taker, maker.price, quantity, maker.leaves, leaves))
        self.resting = [order for order in self.resting if order.leaves > 0]
        return reports, leaves

    def rest(self, order_id: int, side: str, price: int, leaves: int) -> None:
        """Puts an order behind all others."""
        self.arrivals += 1
        self.resting.append(Resting(order_id, side, price, leaves, self.arrivals))

    def bad_quantity(self, order_id: int, quantity: int) -> Report | None:
        """The refusal a quantity earns."""
        if quantity <= 0:
            return ("refused", order_id, "QUANTITY_MUST_BE_POSITIVE", 1, quantity)
        if quantity > LARGEST:
            return ("refused", order_id, "QUANTITY_MUST_BE_IN_BOUNDS", LARGEST, quantity)
        return None

    def bad_price(self, order_id: int, price: int) -> Report | None:
        """The refusal a price earns."""
        if abs(price) > HIGHEST_PRICE:
            return ("refused", order_id, "FIELD_MUST_BE_IN_RANGE", HIGHEST_PRICE, price)
        return None

    def would_take(self, order_id: int, side: str, price: int) -> Report | None:
        """The refusal of a post-only order that crosses."""
        makers = self.reachable(side, price)
        return ("refused", order_id, "POST_ONLY_MUST_NOT_TAKE", makers[0].price, price) if makers else None

    def submit(
        self,
        order_id: int | None,
        side: str,
        price: int | None,
        quantity: int,
        time_in_force: str = "GTC",
        post_only: bool = False,
    ) -> list[Report]:
        """A limit order, or a market order where `price` is None."""
        order_id = self.next_id if order_id is None else order_id
        if self.find(order_id) is not None:
            return [("refused", order_id, "CLIENT_ORDER_ID_MUST_BE_UNIQUE", 1, order_id)]
        refusal = self.bad_quantity(order_id, quantity)
        if refusal is None and price is not None:
            refusal = self.bad_price(order_id, price)
        if refusal is None and price is not None and post_only:
            refusal = self.would_take(order_id, side, price)
        if refusal is not None:
            return [refusal]
        self.next_id = max(self.next_id, order_id + 1)
        return [("accepted", order_id, quantity), *self.match(order_id, side, price, quantity, time_in_force)]

    def match(
        self, order_id: int, side: str, price: int | None, quantity: int, time_in_force: str
    ) -> list[Report]:
        """Trades of an accepted order, and what becomes of the rest."""
        before = self.resting
        self.resting = [copy.copy(order) for order in before]
        available = quantity - self.take(order_id, side, price, quantity)[1]
        self.resting = before
        if time_in_force == "FOK" and available < quantity:
            return [("canceled", order_id, quantity, "FILL_OR_KILL_MUST_FILL_WHOLE", available, quantity)]
        reports, leaves = self.take(order_id, side, price, quantity)
        traded = quantity - leaves
        if leaves and price is None:
            reports.append(("canceled", order_id, leaves, "MARKET_MUST_HAVE_LIQUIDITY", traded, quantity))
        elif leaves and time_in_force == "IOC":
            reports.append(
                ("canceled", order_id, leaves, "IMMEDIATE_OR_CANCEL_MUST_FILL_NOW", traded, quantity)
            )
        elif leaves and price is not None:
            self.rest(order_id, side, price, leaves)
        return reports

    def cancel(self, order_id: int) -> list[Report]:
        """Takes an order out."""
        order = self.find(order_id)
        if order is None:
            return [("refused", order_id, "ORDER_MUST_EXIST", 0, order_id)]
        self.resting.remove(order)
        return [("canceled", order_id, order.leaves, "CANCELED_ON_REQUEST", 0, 0)]

    def replace(
        self, order_id: int, price: int | None, quantity: int | None, post_only: bool = False
    ) -> list[Report]:
        """New price, new open quantity, or both."""
        order = self.find(order_id)
        if order is None:
            return [("refused", order_id, "ORDER_MUST_EXIST", 0, order_id)]
        price = order.price if price is None else price
        quantity = order.leaves if quantity is None else quantity
        refusal = self.bad_quantity(order_id, quantity) or self.bad_price(order_id, price)
        if refusal is not None:
            return [refusal]
        if price == order.price and quantity <= order.leaves:
            order.leaves = quantity
            return [("replaced", order_id, price, quantity, True)]
        refusal = self.would_take(order_id, order.side, price) if post_only else None
        if refusal is not None:
            return [refusal]
        self.resting.remove(order)
        reports, leaves = self.take(order_id, order.side, price, quantity)
        if leaves:
            self.rest(order_id, order.side, price, leaves)
        return [("replaced", order_id, price, quantity, False), *reports]
