"""Small nodes and data for the tests of the door."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from openbell.kernel import Hooks, NewJournal, Node
from openbell.messages.layouts import LAST_OF_MESSAGE, as_slots, records
from openbell.model.instrument import Instrument

Slots = NDArray[np.uint8]

MINUTE_NS = 60_000_000_000
SIMULATED, REMOTE = 2, 3
BARS, QUOTES, TRADES = 1, 2, 4
BUY, SELL, MARKET, LIMIT, GTC = 1, 2, 1, 2, 2
CASH_NANO = 10**15
INSTRUMENTS = (Instrument("AAA", tick="0.01", lot="1"), Instrument("BBB", tick="0.01", lot="1"))


def bar_slots(count: int, *, instrument: int = 1, first: int = 0, seed: int = 8123) -> Slots:
    """`count` one-minute bars of one instrument whose close wanders around 100.00."""
    close = 10_000 + np.random.default_rng(seed).integers(-50, 51, count).cumsum().clip(-5_000, 5_000)
    array = records("BarObserved", count)
    array["open_time"] = (np.arange(count, dtype=np.int64) + first) * MINUTE_NS
    array["time"] = array["close_time"] = array["open_time"] + np.uint64(MINUTE_NS)
    array["interval_ns"] = MINUTE_NS
    array["instrument"] = instrument
    array["flags"] = LAST_OF_MESSAGE
    for name, value in {
        "open": close,
        "high": close + 5,
        "low": close - 5,
        "close": close,
        "volume": 1_000,
    }.items():
        array[name] = value
    return as_slots(array)


def trade_slots(count: int, *, instrument: int = 1) -> Slots:
    """`count` trades of one slot each, a microsecond apart."""
    array = records("TradeObserved", count)
    array["time"] = array["exchange_time"] = np.arange(count) * 1_000
    array["instrument"] = instrument
    array["flags"] = LAST_OF_MESSAGE
    array["price"], array["quantity"], array["trade_id"] = 10_000, 1, np.arange(count)
    return as_slots(array)


def set_up(
    node: Node, *, wants: int = BARS, venue: int = SIMULATED, instruments: int = 1, external_fee: bool = False
) -> None:
    """Queue the commands of one account, one participant and one venue."""
    node.define_currency(1, "USD")
    node.configure_venue(0, venue)
    for number in range(1, instruments + 1):
        node.list_instrument(
            number,
            INSTRUMENTS[number - 1].symbol,
            currency=1,
            price_unit_nano=10_000_000,
            quantity_unit_nano=10**9,
            multiplier_nano=10**9,
            tick=1,
            lot=1,
            venue=0,
        )
    node.open_account(1, 1, shorting=True)
    node.deposit_cash(1, CASH_NANO, 1)
    node.set_fee_schedule(1, 0, maker_rate=0, taker_rate=1_000_000, external=external_fee)
    node.register_participant(1, 1)
    if wants:
        node.subscribe(1, 0, wants)


def new_node(
    *,
    mode: Any = "run",
    journal: NewJournal | None = None,
    valuation_interval_ns: int | None = None,
    **options: Any,
) -> Node:
    """A node with its set-up queued."""
    node = Node(mode=mode, journal=journal, valuation_interval_ns=valuation_interval_ns)
    set_up(node, **options)
    return node


def hooks(**callables: Any) -> Hooks:
    """The hooks of participant 1."""
    return Hooks(1, INSTRUMENTS, **callables)


class Trader:
    """Buys at the market on every tenth bar and sells again five bars later."""

    def __init__(self, node: Node, quantity: int = 3) -> None:
        self.node = node
        self.quantity = quantity
        self.seen = 0
        self.fills: list[Any] = []

    def on_start(self) -> None:
        self.node.subscribe(1, 0, BARS)

    def on_bar(self, bar: Any) -> None:
        self.seen += 1
        if self.seen % 5 == 0:
            side = BUY if self.seen % 10 == 0 else SELL
            self.node.submit_order(1, 1, 1, self.seen, side, MARKET, GTC, self.quantity)

    def hooks(self) -> Hooks:
        return hooks(on_start=self.on_start, on_bar=self.on_bar, on_fill=self.fills.append)
