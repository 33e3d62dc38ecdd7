"""What the engine holds at one moment, as tables in words: accounts, positions, orders, books, risk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from openbell.journal import Names, Wording
from openbell.journal.record_fields import heads_of
from openbell.journal.wording import LIMITS
from openbell.kernel import Depth, Holdings, Node, OrderRecord
from openbell.messages.layouts import SLOT_SIZE, Slots, message_numbers

Row = dict[str, str]
BIDS, ASKS = 1, 2


@dataclass(frozen=True)
class MomentTables:
    """Rows of text by table; the same column names in every row of a table. Books hold at most the levels asked for."""

    accounts: list[Row]
    positions: list[Row]
    orders: list[Row]
    books: list[Row]
    risk: list[Row]

    def items(self) -> Iterator[tuple[str, list[Row]]]:
        """The tables with their names."""
        yield from (("accounts", self.accounts), ("positions", self.positions), ("orders", self.orders))
        yield from (("books", self.books), ("risk", self.risk))


@dataclass
class Watcher:
    """Follows the records of a replay for the books of feeds: the engine is not asked for those."""

    observed: dict[int, Depth] = field(default_factory=dict)

    def watch(self, slots: Slots) -> None:
        """Take in one batch of records."""
        heads = heads_of(slots)
        is_level = heads["message"] == message_numbers()["BookLevelObserved"]
        rows = slots.reshape(-1, SLOT_SIZE)
        for instrument in np.unique(heads["instrument"][is_level]):
            mine = is_level & (heads["instrument"] == instrument)
            depth = self.observed.setdefault(int(instrument), Depth())
            depth.apply(np.ascontiguousarray(rows[mine]).reshape(-1))


def moment_tables(node: Node, watcher: Watcher | None = None, *, depth: int = 10) -> MomentTables:
    """What `node` holds now; books with at most `depth` levels a side. `watcher` adds the books of feeds."""
    holdings = Holdings(node, depth=depth)
    wording = Wording(Names.of(holdings))
    accounts = [account for account, _ in holdings.accounts]
    places = _queue_places(holdings)
    observed = {} if watcher is None else watcher.observed
    return MomentTables(
        accounts=[_account(node, wording, account) for account in accounts],
        positions=list(_positions(node, wording, accounts)),
        orders=[
            _order(order, wording, places) for account in accounts for order in node.open_orders(account)
        ],
        books=list(_books(wording, holdings, observed, depth)),
        risk=list(_risk(wording, holdings)),
    )


def _queue_places(holdings: Holdings) -> dict[int, str]:
    """Of every order in the shown levels of a book: its place at its price, counted from 1."""
    places: dict[int, str] = {}
    for _, _, _, orders in holdings.books:
        at_price: dict[int, int] = {}
        for order_id, price, _, _ in orders:
            at_price[price] = at_price.get(price, 0) + 1
            places[order_id] = str(at_price[price])
    return places


def _account(node: Node, wording: Wording, account: int) -> Row:
    currency = wording.names.account_currency(account)
    equity = node.equity(account)
    return {
        "account": str(account),
        "cash": wording.money(node.cash(account), currency),
        "equity": "unknown" if equity is None else wording.money(equity, currency),
        "open orders": str(len(node.open_orders(account))),
    }


def _positions(node: Node, wording: Wording, accounts: Iterable[int]) -> Iterator[Row]:
    for account in accounts:
        for number, instrument in wording.names.instruments.items():
            quantity, cost, realized, fees = node.position(account, number)
            if not (quantity or realized or fees):
                continue
            mark = node.mark(number)
            yield {
                "account": str(account),
                "instrument": instrument.symbol,
                "quantity": wording.quantity(quantity, number),
                "cost": wording.money(cost, instrument.currency),
                "mark": "none" if mark is None else wording.price(mark, number),
                "realized": wording.money(realized, instrument.currency),
                "fees": wording.money(fees, instrument.currency),
            }


def _order(order: OrderRecord, wording: Wording, places: dict[int, str]) -> Row:
    price, stop = order.price_units, order.stop_price_units
    terms = f"{order.side.name} {order.order_type.name} {order.time_in_force.name}"
    sized = order.is_sized_at_fill
    return {
        "order_id": str(order.order_id),
        "client_order_id": str(order.client_order_id),
        "account": str(order.account),
        "instrument": wording.names.symbol(order.instrument),
        "terms": terms,
        "price": wording.price(price, order.instrument) if order.has_price else "",
        "stop": wording.price(stop, order.instrument) if order.has_stop_price else "",
        "quantity": "at the fill" if sized else wording.quantity(order.quantity_units, order.instrument),
        "leaves": "" if sized else wording.quantity(order.leaves_units, order.instrument),
        "queue": places.get(order.order_id, ""),
        "state": "HELD" if order.is_held else order.state.name,
    }


def _books(wording: Wording, holdings: Holdings, observed: dict[int, Depth], depth: int) -> Iterator[Row]:
    ours = {(instrument, side): levels for instrument, side, levels, _ in holdings.books}
    for number, instrument in wording.names.instruments.items():
        feed = observed.get(number)
        sides = [
            ours.get((number, side), []) if feed is None else _feed_levels(feed, side, depth)
            for side in (BIDS, ASKS)
        ]
        for at in range(max(map(len, sides))):
            bid, ask = (_level(wording, number, levels, at) for levels in sides)
            yield {
                "instrument": instrument.symbol,
                "level": str(at + 1),
                **dict(zip(("bid orders", "bid quantity", "bid"), bid, strict=True)),
                **dict(zip(("ask", "ask quantity", "ask orders"), reversed(ask), strict=True)),
            }


def _level(
    wording: Wording, instrument: int, levels: list[tuple[int, int, int]], at: int
) -> tuple[str, str, str]:
    """Orders, quantity and price of one level; empty where the side is not that deep."""
    if at >= len(levels):
        return "", "", ""
    price, quantity, orders = levels[at]
    return str(orders or ""), wording.quantity(quantity, instrument), wording.price(price, instrument)


def _feed_levels(feed: Depth, side: int, depth: int) -> list[tuple[int, int, int]]:
    """(price, quantity, 0) from the best price on: a feed by price does not tell how many orders there are."""
    return [(int(price), int(quantity), 0) for price, quantity in feed.levels(side, depth)]


def _risk(wording: Wording, holdings: Holdings) -> Iterator[Row]:
    for account in holdings.killed:
        yield _risk_row(wording, account, 0, "KILL_SWITCH", "engaged")
    for instrument in holdings.halted:
        yield _risk_row(wording, 0, instrument, "TRADING", "halted")
    for account, instrument, kind, value in holdings.limits:
        name = LIMITS[kind][0] if kind in LIMITS else f"limit {kind}"
        yield _risk_row(
            wording, account, instrument, name, wording.limit_value(kind, value, instrument, account)
        )


def _risk_row(wording: Wording, account: int, instrument: int, what: str, value: str) -> Row:
    return {
        "account": str(account) if account else "every",
        "instrument": wording.names.symbol(instrument) if instrument else "every",
        "rule": what,
        "value": value,
    }
