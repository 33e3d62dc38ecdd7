"""What the engine holds at one moment, as tables in words: accounts, positions, orders, books, risk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from openbell.journal import Names, Wording, records_in
from openbell.journal.record_fields import heads_of
from openbell.journal.wording import LIMITS
from openbell.kernel import Depth, Node, OrderRecord
from openbell.messages.layouts import SELL, SLOT_SIZE, Slots, message_numbers, select

Row = dict[str, str]
BIDS, ASKS = 1, 2
_RISK = (
    *("RiskLimitSet", "KillSwitchEngaged", "KillSwitchReleased", "TradingHalted", "TradingResumed"),
    "RiskStateChanged",
)


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
    """Follows a replay for what the engine itself is not asked for: books, limits, switches."""

    levels: dict[tuple[int, int], dict[int, tuple[int, int]]] = field(default_factory=dict)
    """Of our own venues: by instrument and side, quantity and orders at each price."""
    observed: dict[int, Depth] = field(default_factory=dict)
    """Books of feeds, by instrument."""
    limits: dict[tuple[int, int, int], int] = field(default_factory=dict)
    killed: dict[int, None] = field(default_factory=dict)
    halted: dict[int, None] = field(default_factory=dict)

    def watch(self, slots: Slots, output: Slots) -> None:
        """Take in one batch of records and the events it made."""
        self._watch_levels(output)
        self._watch_feed(slots)
        messages = heads_of(output)["message"]
        wanted = [message_numbers()[name] for name in _RISK]
        for event in records_in(output, np.flatnonzero(np.isin(messages, wanted))):
            fields = event.fields
            if event.message == "RiskLimitSet":
                self.limits[event.account, event.instrument, fields["limit"]] = fields["value"]
            elif event.message == "KillSwitchEngaged":
                self.killed[event.account] = None
            elif event.message == "KillSwitchReleased":
                self.killed.pop(event.account, None)
            elif event.message == "TradingHalted":
                self.halted[event.instrument] = None
            elif event.message == "TradingResumed":
                self.halted.pop(event.instrument, None)

    def _watch_levels(self, output: Slots) -> None:
        for row in select(output, "BookLevelChanged"):
            side = ASKS if int(row["flags"]) & SELL else BIDS
            book = self.levels.setdefault((int(row["instrument"]), side), {})
            if int(row["quantity"]):
                book[int(row["price"])] = (int(row["quantity"]), int(row["orders"]))
            else:
                book.pop(int(row["price"]), None)

    def _watch_feed(self, slots: Slots) -> None:
        heads = heads_of(slots)
        is_level = heads["message"] == message_numbers()["BookLevelObserved"]
        rows = slots.reshape(-1, SLOT_SIZE)
        for instrument in np.unique(heads["instrument"][is_level]):
            mine = is_level & (heads["instrument"] == instrument)
            depth = self.observed.setdefault(int(instrument), Depth())
            depth.apply(np.ascontiguousarray(rows[mine]).reshape(-1))


def moment_tables(node: Node, names: Names, watcher: Watcher, *, depth: int = 10) -> MomentTables:
    """What `node` holds now; books with at most `depth` levels a side."""
    wording = Wording(names)
    accounts = list(names.account_currencies)
    return MomentTables(
        accounts=[_account(node, wording, account) for account in accounts],
        positions=list(_positions(node, wording, accounts)),
        orders=[_order(order, wording) for account in accounts for order in node.open_orders(account)],
        books=list(_books(node, wording, watcher, depth)),
        risk=list(_risk(wording, watcher)),
    )


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


def _order(order: OrderRecord, wording: Wording) -> Row:
    price, stop = order.price_units, order.stop_price_units
    terms = f"{order.side.name} {order.order_type.name} {order.time_in_force.name}"
    sized = order.is_sized_at_fill
    return {
        "order_id": str(order.order_id),
        "client_order_id": str(order.client_order_id),
        "account": str(order.account),
        "instrument": wording.names.symbol(order.instrument),
        "terms": terms,
        "price": wording.price(price, order.instrument) if price else "",
        "stop": wording.price(stop, order.instrument) if stop else "",
        "quantity": "at the fill" if sized else wording.quantity(order.quantity_units, order.instrument),
        "leaves": "" if sized else wording.quantity(order.leaves_units, order.instrument),
        "state": "HELD" if order.is_held else order.state.name,
    }


def _books(node: Node, wording: Wording, watcher: Watcher, depth: int) -> Iterator[Row]:
    for number, instrument in wording.names.instruments.items():
        sides = [_levels(watcher, number, side, depth) for side in (BIDS, ASKS)]
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


def _levels(watcher: Watcher, instrument: int, side: int, depth: int) -> list[tuple[int, int, int]]:
    """(price, quantity, orders) from the best price on; the count of orders is 0 where a feed does not tell it."""
    if instrument in watcher.observed:
        found = watcher.observed[instrument].levels(side, depth)
        return [(int(price), int(quantity), 0) for price, quantity in found]
    book = watcher.levels.get((instrument, side), {})
    best = sorted(book, reverse=side == BIDS)[:depth]
    return [(price, *book[price]) for price in best]


def _risk(wording: Wording, watcher: Watcher) -> Iterator[Row]:
    for account in watcher.killed:
        yield _risk_row(wording, account, 0, "KILL_SWITCH", "engaged")
    for instrument in watcher.halted:
        yield _risk_row(wording, 0, instrument, "TRADING", "halted")
    for (account, instrument, kind), value in watcher.limits.items():
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
