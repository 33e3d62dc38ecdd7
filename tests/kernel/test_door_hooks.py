"""What hooks receive and do: objects that may be kept, exceptions that come through, nothing that leaks."""

from __future__ import annotations

import gc
import os
import sys
import tracemalloc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openbell.kernel import Bar, Fill, Hooks, Node, OrderRecord, Quote, Trade
from openbell.messages.layouts import LAST_OF_MESSAGE, as_slots, dtype_of, records
from openbell.model.errors import ConfigError, StrategyError
from openbell.model.quantities import Money, Price, Quantity
from openbell.model.terms import Liquidity, OrderState, Side
from tests.kernel.door_nodes import (
    BARS,
    BUY,
    GTC,
    INSTRUMENTS,
    LIMIT,
    MARKET,
    QUOTES,
    TRADES,
    Trader,
    bar_slots,
    hooks,
    new_node,
    trade_slots,
)


def everything_a_hook_can_see() -> dict[str, Any]:
    """One object of each class, all of them shown to hooks by one node."""
    seen: dict[str, Any] = {}
    node = new_node(wants=BARS | QUOTES | TRADES)
    quote = records("QuoteObserved", 1)
    quote["time"], quote["instrument"], quote["flags"] = 10**13, 1, LAST_OF_MESSAGE
    quote["bid_price"], quote["bid_quantity"], quote["ask_quantity"] = 9_999, 3, 0
    trade = trade_slots(1)
    trade.view(dtype_of("TradeObserved"))["time"] = 10**13
    node.run(bar_slots(1), 0, [hooks()])  # an order needs a mark
    node.submit_order(1, 1, 1, 2, BUY, MARKET, GTC, 3)

    def keep(name: str) -> Callable[[Any], None]:
        return lambda value: seen.__setitem__(name, value)

    shown = hooks(on_bar=keep("bar"), on_quote=keep("quote"), on_trade=keep("trade"), on_fill=keep("fill"))
    node.run(bar_slots(2, first=1), 0, [shown])
    node.run(as_slots(quote), 0, [shown])
    node.run(trade, 0, [shown])
    seen["order"] = node.order(1, 2)
    return seen


SEEN = everything_a_hook_can_see()
CLASSES = {"bar": Bar, "quote": Quote, "trade": Trade, "fill": Fill, "order": OrderRecord}


def public(value: Any) -> list[str]:
    return [name for name in dir(value) if not name.startswith("_")]


@pytest.mark.parametrize("name", CLASSES)
def test_what_hooks_receive_cannot_be_changed_made_or_derived_from(name: str) -> None:
    value = SEEN[name]
    assert type(value) is CLASSES[name]
    for attribute in [*public(value), "something_new"]:
        with pytest.raises(AttributeError):
            setattr(value, attribute, 1)
        with pytest.raises(AttributeError):
            delattr(value, attribute)
    assert not hasattr(value, "__dict__")
    with pytest.raises(TypeError):
        type(value)()
    with pytest.raises(TypeError):
        type("Derived", (type(value),), {})


@pytest.mark.parametrize("name", CLASSES)
def test_what_hooks_receive_is_still_the_same_when_the_node_is_gone(name: str) -> None:
    first = {attribute: getattr(SEEN[name], attribute) for attribute in public(SEEN[name])}
    gc.collect()
    assert {attribute: getattr(SEEN[name], attribute) for attribute in public(SEEN[name])} == first
    assert repr(SEEN[name]).startswith(type(SEEN[name]).__name__ + "(")


def test_the_objects_say_what_the_records_say() -> None:
    bar, fill, order, quote, trade = (SEEN[name] for name in ("bar", "fill", "order", "quote", "trade"))
    fed = bar_slots(2, first=1).view(dtype_of("BarObserved"))[-1]
    assert [bar.open, bar.high, bar.low, bar.close] == [
        fed[name] / 100 for name in ("open", "high", "low", "close")
    ]
    assert (bar.time, bar.open_time, bar.interval_ns) == (fed["time"], fed["open_time"], fed["interval_ns"])
    assert bar.instrument is INSTRUMENTS[0] is fill.instrument is quote.instrument is trade.instrument
    assert (quote.bid, quote.bid_quantity, quote.ask, quote.mid) == (99.99, 3.0, None, None)
    assert (trade.price, trade.quantity, trade.side) == (100.0, 1.0, Side.BUY)
    assert (fill.client_order_id, fill.side, fill.liquidity) == (2, Side.BUY, Liquidity.TAKER)
    assert isinstance(fill.price, Price)
    assert isinstance(fill.quantity, Quantity)
    assert fill.notional == Money.from_nano(fill.price_units * 3 * 10_000_000, "USD")
    assert fill.fee == Money.from_nano(fill.fee_nano, "USD") == fill.notional * Price("0.001")
    assert (order.state, order.cumulative_units, order.leaves_units, order.is_open) == (
        OrderState.FILLED,
        3,
        0,
        False,
    )
    assert order.filled_value == fill.price_units * 3


def test_bars_of_one_time_come_in_instrument_order_and_then_all_at_once() -> None:
    node = new_node(instruments=2)
    second, first = (bar_slots(1, instrument=number) for number in (2, 1))
    second.view(dtype_of("BarObserved"))["flags"] = 0
    calls: list[Any] = []
    shown = hooks(on_bar=lambda bar: calls.append(bar.instrument.symbol), on_bars=calls.append)
    node.run(second, 0, [shown])
    assert calls == []
    node.run(first, 0, [shown])
    assert calls[:2] == ["AAA", "BBB"]
    assert [bar.instrument.symbol for bar in calls[2]] == ["AAA", "BBB"]


class Boom(Exception):
    pass


def boom(*_: Any) -> None:
    raise Boom("in the hook")


@pytest.mark.parametrize("hook", ["on_start", "on_bar", "on_bars", "on_fill", "on_order", "on_timer"])
def test_an_exception_of_a_hook_comes_through_and_the_node_says_where(hook: str) -> None:
    node = new_node()
    node.run(bar_slots(1), 0, [hooks()] if hook != "on_start" else [])
    node.submit_order(1, 1, 1, 1, BUY, LIMIT, GTC, 1, price=20_000)
    node.start_timer(1, 5, 90_000_000_000)
    with pytest.raises(Boom, match="in the hook") as caught:
        node.run(bar_slots(3, first=1), 0, [hooks(**{hook: boom})])
    assert caught.traceback[-1].name == "boom"
    assert node.failed_hook == (hook, node.sequence, node.time)
    node.run(None, None, [hooks()])
    assert node.failed_hook is None


def test_records_up_to_the_one_that_made_a_hook_raise_are_applied_and_no_more() -> None:
    node = new_node()
    at_third = bar_slots(9)
    seen: list[Bar] = []

    def on_bar(bar: Bar) -> None:
        seen.append(bar)
        if len(seen) == 3:
            boom()

    with pytest.raises(Boom):
        node.run(at_third, 0, [hooks(on_bar=on_bar)])
    assert node.time == seen[-1].time
    node.run(at_third[3 * 128 :], 0, [hooks(on_bar=seen.append)])
    assert [bar.time for bar in seen] == at_third.view(dtype_of("BarObserved"))["time"].tolist()


def waiting_for_a_fee() -> Node:
    """A node whose next bar fills an order, and whose fees are a model's."""
    node = new_node(external_fee=True)
    node.run(bar_slots(1), 0, [hooks()])
    node.submit_order(0, 1, 1, 1, BUY, MARKET, GTC, 3)
    return node


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (None, StrategyError, "the fee model answered None; expected a whole number"),
        (1.5, StrategyError, "the fee model answered 1.5"),
        (2**63, StrategyError, "of 64 bits"),
        (boom, Boom, "in the hook"),
    ],
)
def test_a_fee_model_that_answers_no_number_is_told_so(
    answer: Any, error: type[Exception], text: str
) -> None:
    node = waiting_for_a_fee()
    model = answer if callable(answer) else lambda fill: answer
    with pytest.raises(error, match=text):
        node.run(bar_slots(3, first=1), 0, [hooks()], model)
    assert node.failed_hook is not None
    assert node.failed_hook[0] == "FeeModel.fee"


def test_a_fee_model_sees_the_fill_and_its_answer_is_charged() -> None:
    node = waiting_for_a_fee()
    asked: list[Fill] = []

    def model(fill: Fill) -> int:
        asked.append(fill)
        return 123_456_789

    node.run(bar_slots(3, first=1), 0, [hooks()], model)
    (fill,) = asked
    assert (fill.quantity, fill.fee_nano, fill.instrument) == (Quantity(3), 0, INSTRUMENTS[0])
    assert node.position(1, 1)[3] == 123_456_789


def test_a_fee_that_nobody_can_answer_is_a_configuration_error() -> None:
    node = waiting_for_a_fee()
    with pytest.raises(ConfigError, match="a fill waits for the fee of a Python model and none was given"):
        node.run(bar_slots(3, first=1), 0, [])


@pytest.mark.parametrize("call", ["run", "advance_clock", "end_run", "close"])
def test_a_hook_that_moves_the_node_is_refused_and_the_run_can_go_on(call: str) -> None:
    node = new_node()
    moves: dict[str, Callable[[], object]] = {
        "run": lambda: node.run(None, None, []),
        "advance_clock": lambda: node.advance_clock(10**15),
        "end_run": node.end_run,
        "close": node.close,
    }
    refused: list[str] = []

    def on_bar(bar: Bar) -> None:
        with pytest.raises(StrategyError) as caught:
            moves[call]()
        refused.append(str(caught.value))

    node.run(bar_slots(3), 0, [hooks(on_bar=on_bar)])
    assert len(refused) == 3
    assert refused[0].startswith(f"Node.{call} was called from inside a hook or model")
    moves[call]()


def test_a_fee_model_that_runs_the_node_is_refused() -> None:
    node = waiting_for_a_fee()

    def model(fill: Fill) -> int:
        node.run(None, None, [])
        return 0

    with pytest.raises(StrategyError, match="from inside a hook or model"):
        node.run(bar_slots(3, first=1), 0, [hooks()], model)


def test_a_hook_may_read_everything_and_send_commands_while_the_node_runs() -> None:
    node = new_node(valuation_interval_ns=0)
    sequences: list[int] = []

    def on_bar(bar: Bar) -> None:
        sequences.append(node.sequence)
        assert node.time == bar.time
        assert node.equity(1) is not None
        assert node.position(1, 1)[0] == len(sequences) - 1
        node.submit_order(1, 1, 1, len(sequences), BUY, MARKET, GTC, 1)
        assert node.order(1, len(sequences)) is None  # queued, not taken up yet
        assert node.snapshot()
        assert node.state_hash() == Node.restore(node.snapshot()).state_hash()

    node.run(bar_slots(20), 0, [hooks(on_bar=on_bar)])
    assert len(sequences) == 20


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from /proc")
def test_a_hundred_thousand_wakes_leave_nothing_behind() -> None:
    count = 100_000
    node = new_node(wants=BARS)
    slots = bar_slots(3 * count)
    shown = hooks(on_bar=lambda bar: None, on_bars=lambda bars: None)
    node.run(slots[: 128 * count], 0, [shown])  # room is made once
    node.take_output()
    gc.collect()
    references = sys.getrefcount(INSTRUMENTS[0])
    resident = resident_bytes()
    tracemalloc.start()
    node.run(slots[128 * count : 256 * count], 0, [shown])
    traced = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    node.run(slots[256 * count :], 0, [shown])
    gc.collect()
    left = sys.getrefcount(INSTRUMENTS[0])  # not inside the assertion, which holds on to what it calls with
    assert left == references
    assert traced < 10_000, f"{traced} bytes of Python objects are left"
    assert resident_bytes() - resident < 8_000_000


def test_hooks_that_are_part_of_a_cycle_are_collected() -> None:
    class Owner:
        def __init__(self) -> None:
            self.node = new_node()
            self.hooks = Hooks(1, INSTRUMENTS, on_bar=self.on_bar)

        def on_bar(self, bar: Bar) -> None: ...

    owner = Owner()
    owner.node.run(bar_slots(3), 0, [owner.hooks])
    seen = weakref.ref(owner)
    del owner
    gc.collect()
    assert seen() is None


def test_a_trader_trades_the_same_whatever_the_size_of_the_batches() -> None:
    slots = bar_slots(120)
    results = []
    for size in (1, 7, 120):
        node = new_node()
        trader = Trader(node)
        for first in range(0, 120, size):
            node.run(slots[128 * first : 128 * (first + size)], 0, [trader.hooks()])
        results.append((node.state_hash(), node.output_hash, len(trader.fills)))
    assert results[0] == results[1] == results[2]
