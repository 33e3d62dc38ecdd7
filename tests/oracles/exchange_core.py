"""The scenarios of exchange-core (github.com/exchange-core/exchange-core), told to our node.

Their clients hold balances in several currencies; our accounts settle in one and hold positions besides. So a client
is one account per quote currency, and an amount of ETH is a position, bought from a bank at what is deposited for it.
EUR_USD is a future there and may be sold short; on ETH_XBT, as on any pair there, a client can spend and sell only
what it has: here a leverage of at most one, and no short positions. Scales are those of their test constants: a lot
of ETH_XBT is 100,000 szabo, a step of its price 10 satoshi.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gherkin.parser import Parser
from gherkin.pickles.compiler import Compiler

from openbell.kernel import Node
from openbell.messages.layouts import SELL, select
from openbell.model.terms import OrderType, Side, TimeInForce

MATCHING = 1
LEVERAGE = 6
NANO = 10**9
BANK = 900
CURRENCIES = {"USD": 1, "XBT": 2}
# They may use the id of a refused order again; our client_order_id is unique for a day, refused orders included.
REFUSED_IDS = 1_000_000
SEED_STEP = 10_000  # the least price at which any quantity of szabo costs whole satoshi


@dataclass(frozen=True)
class Symbol:
    """An instrument of theirs; `lot` in our quantity units, `price_unit_nano` of the quote currency."""

    number: int
    quote: str
    lot: int
    price_unit_nano: int

    def value(self, price: int, quantity: int) -> int:
        """Price times quantity, in units of the quote currency."""
        return price * quantity * self.price_unit_nano // NANO


SYMBOLS = {
    "EUR_USD": Symbol(1, "USD", 1, NANO),
    "ETH_XBT": Symbol(2, "XBT", 100_000, 10 * NANO // 100_000),
}
PAIR = SYMBOLS["ETH_XBT"]


class Placed(NamedTuple):
    """An order of theirs at our node."""

    account: int
    client_order_id: int
    symbol: Symbol


class Step(NamedTuple):
    """One line of a scenario with its table; `line` counts from 1 in the feature file."""

    line: int
    text: str
    table: tuple[tuple[str, ...], ...]


class Scenario(NamedTuple):
    """One scenario, or one example of an outline, with its background."""

    name: str
    steps: tuple[Step, ...]


def read_scenarios(feature: Path) -> list[Scenario]:
    """All scenarios of a feature file, outlines spread out."""
    document: Any = Parser().parse(feature.read_text(encoding="utf-8"))
    lines = dict(lines_of(document))
    document["uri"] = feature.name
    pickles: Any = Compiler().compile(document)
    return [
        Scenario(
            pickle["name"],
            tuple(
                Step(lines[step["astNodeIds"][0]], step["text"], table_of(step)) for step in pickle["steps"]
            ),
        )
        for pickle in pickles
    ]


def lines_of(node: Any) -> Iterator[tuple[str, int]]:
    """Ids of all parts of a document with their lines."""
    if isinstance(node, dict):
        if "id" in node and "location" in node:
            yield node["id"], node["location"]["line"]
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from lines_of(part)


def table_of(step: Any) -> tuple[tuple[str, ...], ...]:
    """The cells below a step."""
    rows = step.get("argument", {}).get("dataTable", {}).get("rows", [])
    return tuple(tuple(cell["value"].strip() for cell in row["cells"]) for row in rows)


class Floor:
    """A node with our venue and risk gate, spoken to in exchange-core's sentences.

    A sentence that is not true here raises AssertionError, one that nobody knows LookupError.
    """

    def __init__(self) -> None:
        self.node = Node()
        self.accounts: dict[tuple[str, str], int] = {}
        self.orders: dict[int, Placed] = {}
        self.refused = 0
        self.levels: dict[tuple[int, bool], dict[int, int]] = {}
        self.trades: list[tuple[int, int, int]] = []
        self.set_up()

    def copy(self) -> Floor:
        """Another floor that stands where this one does."""
        other = Floor()
        other.node = Node.restore(self.node.snapshot())
        other.accounts, other.orders, other.refused = dict(self.accounts), dict(self.orders), self.refused
        other.levels = {side: dict(levels) for side, levels in self.levels.items()}
        other.trades = list(self.trades)
        return other

    def set_up(self) -> None:
        for code, number in CURRENCIES.items():
            self.node.define_currency(number, code)
        self.node.configure_venue(0, MATCHING)
        for name, symbol in SYMBOLS.items():
            self.node.list_instrument(
                symbol.number,
                name,
                currency=CURRENCIES[symbol.quote],
                price_unit_nano=symbol.price_unit_nano,
                quantity_unit_nano=NANO,
                multiplier_nano=NANO,
                tick=1,
                lot=1,
                venue=0,
            )
        self.node.open_account(BANK, CURRENCIES["XBT"], shorting=True)
        self.node.deposit_cash(BANK, 10**9 * NANO, CURRENCIES["XBT"])
        self.run()

    def run(self) -> None:
        """Runs what is queued and takes in what came of it."""
        self.node.run(None, None, [])
        output = self.node.take_output()
        for change in select(output, "BookLevelChanged"):
            side = (int(change["instrument"]), bool(change["flags"] & SELL))
            levels = self.levels.setdefault(side, {})
            levels[int(change["price"])] = int(change["quantity"])
            self.levels[side] = {price: quantity for price, quantity in levels.items() if quantity}
        ids = {self.record(order).order_id: order for order in self.orders}
        for trade in select(output, "TradeExecuted"):
            maker = ids.get(int(trade["resting_order_id"]), 0)
            self.trades.append((maker, int(trade["price"]), int(trade["quantity"])))

    def record(self, order: int) -> Any:
        placed = self.orders[order]
        record = self.node.order(placed.account, placed.client_order_id)
        assert record is not None, f"order {order} is not known"
        return record

    # ---- sentences

    def say(self, step: Step) -> None:
        """Does what a step tells, or checks what it claims."""
        for pattern, act in SENTENCES:
            if found := re.fullmatch(pattern, step.text):
                act(self, step.table, **found.groupdict())
                return
        raise LookupError(f"line {step.line}: nobody knows what to do with {step.text!r}")

    def new_client(self, table: Table, client: str) -> None:
        for currency, number in CURRENCIES.items():
            account = 10 * (len(self.accounts) // len(CURRENCIES) + 1) + number
            self.accounts[client, currency] = account
            self.node.open_account(account, number, shorting=currency == "USD")
            if currency == PAIR.quote:
                self.node.set_risk_limit(account, 0, LEVERAGE, NANO)
        for currency, amount in table:
            self.add_balance((), amount, currency, client)

    def add_balance(self, table: Table, amount: str, currency: str, client: str) -> None:
        if currency in CURRENCIES:
            account = self.accounts[client, currency]
            self.node.deposit_cash(account, int(amount) * NANO, CURRENCIES[currency])
        else:
            self.give_from_bank(self.accounts[client, PAIR.quote], int(amount))
        self.run()

    def give_from_bank(self, account: int, quantity: int) -> None:
        """A position at the price of what is deposited for it, between the best quotes."""
        best_bid = max(self.levels.get((PAIR.number, False), {}), default=0)
        best_ask = min(self.levels.get((PAIR.number, True), {}), default=2 * best_bid + 10 * SEED_STEP)
        price = (best_bid // SEED_STEP + 1) * SEED_STEP
        assert price < best_ask, "no room for the bank between the quotes"
        self.node.deposit_cash(account, PAIR.value(price, quantity) * NANO, CURRENCIES[PAIR.quote])
        client_order_id = 10**12 + self.node.sequence
        for who, side, term in ((BANK, Side.SELL, TimeInForce.GTC), (account, Side.BUY, TimeInForce.IOC)):
            self.node.submit_order(
                0, who, PAIR.number, client_order_id, side, OrderType.LIMIT, term, quantity, price=price
            )
        self.run()
        self.trades.clear()

    def place(
        self, table: Table, client: str, side: str, order: str, price: str, size: str, type: str, symbol: str
    ) -> None:
        refused = self.try_to_place(client, side, int(order), int(price), int(size), type, symbol)
        assert refused is None, f"order {order} was refused: {refused}"

    def place_in_vain(
        self, table: Table, client: str, side: str, order: str, price: str, size: str, type: str, symbol: str
    ) -> None:
        refused = self.try_to_place(client, side, int(order), int(price), int(size), type, symbol)
        assert refused is not None, f"order {order} was accepted"
        rule = "LEVERAGE_MUST_NOT_EXCEED_LIMIT" if side == "BID" else "SHORT_MUST_BE_ALLOWED"
        assert refused[0] == rule, f"order {order} was refused for another reason: {refused}"
        del self.orders[int(order)]
        self.refused += 1

    def try_to_place(
        self, client: str, side: str, order: int, price: int, size: int, term: str, name: str
    ) -> Any:
        symbol = SYMBOLS[name]
        placed = Placed(self.accounts[client, symbol.quote], order + REFUSED_IDS * self.refused, symbol)
        self.orders[order] = placed
        self.trades.clear()
        self.node.submit_order(
            0,
            placed.account,
            symbol.number,
            placed.client_order_id,
            Side.BUY if side == "BID" else Side.SELL,
            OrderType.LIMIT,
            TimeInForce[term],
            size * symbol.lot,
            price=price,
        )
        self.run()
        return self.record(order).refusal

    def move(self, table: Table, client: str, price: str, order: str) -> None:
        assert self.try_to_move(client, int(order), int(price)) == int(price), f"order {order} was not moved"

    def move_in_vain(self, table: Table, client: str, price: str, order: str) -> None:
        moved = self.try_to_move(client, int(order), int(price))
        assert moved != int(price), f"order {order} was moved"

    def try_to_move(self, client: str, order: int, price: int) -> int:
        placed = self.orders[order]
        self.trades.clear()
        self.node.replace_order(0, placed.account, placed.client_order_id, price=price)
        self.run()
        return int(self.record(order).price_units)

    def cancel(self, table: Table, client: str, size: str, order: str) -> None:
        placed = self.orders[int(order)]
        assert self.record(int(order)).leaves_units == int(size) * placed.symbol.lot
        self.trades.clear()
        self.node.cancel_order(0, placed.account, placed.client_order_id)
        self.run()
        assert not self.record(int(order)).is_open

    def was_matched(self, table: Table, order: str, how: str, price: str, quantity: str) -> None:
        record = self.record(int(order))
        size = int(quantity) * self.orders[int(order)].symbol.lot
        assert self.trades == [(int(order), int(price), size)], self.trades
        assert (record.leaves_units == 0) == (how == "fully")

    def no_trades(self, table: Table) -> None:
        assert self.trades == []

    def book_is(self, table: Table, symbol: str) -> None:
        here = SYMBOLS[symbol]
        asks = sorted(self.levels.get((here.number, True), {}).items(), reverse=True)
        bids = sorted(self.levels.get((here.number, False), {}).items(), reverse=True)
        ours = [("", str(price), str(size // here.lot)) for price, size in asks]
        ours += [(str(size // here.lot), str(price), "") for price, size in bids]
        theirs = [row for row in table if row != ("bid", "price", "ask")]
        assert ours == theirs, f"the book is {ours}"

    def balance_is(self, table: Table, client: str) -> None:
        """What is not held for open orders."""
        account = self.accounts[client, PAIR.quote]
        free = {
            "XBT": self.node.cash(account) // NANO,
            "ETH": self.node.position(account, PAIR.number)[0],
        }
        for order in self.node.open_orders(account, PAIR.number):
            if order.side == Side.BUY:
                free["XBT"] -= PAIR.value(order.price_units, order.leaves_units)
            else:
                free["ETH"] -= order.leaves_units
        theirs = {currency: int(amount) for currency, amount in table}
        assert {currency: free[currency] for currency in theirs} == theirs, f"the balance is {free}"

    def orders_are(self, table: Table, client: str) -> None:
        """All columns but reservePrice, which our orders do not have."""
        head, *rows = table
        theirs = [dict(zip(head, row, strict=True)) for row in rows]
        for row in theirs:
            del row["reservePrice"]
        assert self.open_orders(client) == theirs, f"the orders are {self.open_orders(client)}"

    def has_no_orders(self, table: Table, client: str) -> None:
        assert self.open_orders(client) == []

    def open_orders(self, client: str) -> list[dict[str, str]]:
        found = []
        for symbol in SYMBOLS.values():
            for order in self.node.open_orders(self.accounts[client, symbol.quote], symbol.number):
                figures = {
                    "id": order.client_order_id % REFUSED_IDS,
                    "price": order.price_units,
                    "size": order.quantity_units // symbol.lot,
                    "filled": order.cumulative_units // symbol.lot,
                    "side": "BID" if order.side == Side.BUY else "ASK",
                }
                found.append({name: str(figure) for name, figure in figures.items()})
        return sorted(found, key=lambda row: int(row["id"]))


Table = tuple[tuple[str, ...], ...]
CLIENT = r"(?P<client>\w+)"
TERMS = (
    r"an (?P<side>ASK|BID) order (?P<order>\d+) at (?P<price>\d+)@(?P<size>\d+) "
    r"\(type: (?P<type>\w+), symbol: (?P<symbol>\w+)(?:, reservePrice: \d+)?\)"
)
SENTENCES: list[tuple[str, Callable[..., None]]] = [
    (rf"New client {CLIENT} has a balance:", Floor.new_client),
    (
        rf"(?P<amount>\d+) (?P<currency>\w+) is added to the balance of a client {CLIENT}",
        Floor.add_balance,
    ),
    (rf"A client {CLIENT} places {TERMS}", Floor.place),
    (rf"A client {CLIENT} could not place {TERMS} due to RISK_NSF", Floor.place_in_vain),
    (rf"A client {CLIENT} moves a price to (?P<price>\d+) of the order (?P<order>\d+)", Floor.move),
    (
        rf"A client {CLIENT} could not move a price to (?P<price>\d+) of the order (?P<order>\d+) due to \w+",
        Floor.move_in_vain,
    ),
    (
        rf"A client {CLIENT} cancels the remaining size (?P<size>\d+) of the order (?P<order>\d+)",
        Floor.cancel,
    ),
    (
        r"The order (?P<order>\d+) is (?P<how>fully|partially) matched\. LastPx: (?P<price>\d+), "
        r"LastQty: (?P<quantity>\d+)(?:, bidderHoldPrice: \d+)?",
        Floor.was_matched,
    ),
    (r"No trade events", Floor.no_trades),
    (r"An (?P<symbol>\w+) order book is:", Floor.book_is),
    (rf"A balance of a client {CLIENT}:", Floor.balance_is),
    (rf"A client {CLIENT} orders:", Floor.orders_are),
    (rf"A client {CLIENT} does not have active orders", Floor.has_no_orders),
]
