"""What a strategy may know when: bars before hooks, hooks in order, fills after orders, nothing from the future."""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openbell import Backtest, Bars, InputError, Instrument, Strategy
from openbell.messages.layouts import HEAD_DTYPE, select, wide
from tests.runtime.story import DAY, FIRST_DAY, flat, market, markets, play
from tests.runtime.wild import HOUR, Wild, wild_markets

XYZ = Instrument("XYZ")


def execute(strategy, data, **arguments):
    return Backtest(strategy, data, **arguments).prepare().execute(None)


def until(result, sequence):
    """The events up to a sequence, byte for byte."""
    slots = result.output.reshape(-1, 64)
    return slots[result.output.view(HEAD_DTYPE)["sequence"] <= sequence].tobytes()


def end_of_data(result):
    """Sequence of the last record before the run was ended: RunEnded, then HaltTrading."""
    return int(select(result.output, "TradingHalted")["sequence"][0]) - 2


def rising(count, first=100):
    return [(price, price, price, price) for price in range(first, first + count)]


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), keep=st.integers(30, 118))
def test_a_longer_future_changes_nothing_that_happened_before(seed, keep):
    whole = wild_markets(seed, 120)
    cut = FIRST_DAY + keep * HOUR
    part = Bars(one.slice(-(2**63), cut) for one in whole.series)
    first = execute(Wild(), whole, cash=100_000, fees="0.1%", slippage="0.02%", seed=seed)
    second = execute(Wild(), part, cash=100_000, fees="0.1%", slippage="0.02%", seed=seed)
    last = end_of_data(second)
    assert until(first, last) == until(second, last)
    assert len(until(first, last)) > 64 * 100


@settings(max_examples=10)
@given(seed=st.integers(0, 10_000), keep=st.integers(30, 100))
def test_another_future_changes_nothing_that_happened_before(seed, keep):
    cut = FIRST_DAY + keep * HOUR
    past, other = wild_markets(seed, 120), wild_markets(seed + 1, 120)
    spliced = Bars(splice(one, two, cut) for one, two in zip(past.series, other.series, strict=True))
    part = Bars(one.slice(-(2**63), cut) for one in past.series)
    first, second, third = (execute(Wild(), data, cash=100_000, seed=seed) for data in (past, spliced, part))
    last = end_of_data(third)
    assert until(first, last) == until(second, last) == until(third, last)
    assert first.output_hash != second.output_hash


def splice(one, two, cut):
    """Bars of `one` that close by `cut`, then those of `two`."""
    kept = one.close_time <= cut
    names = ("open", "high", "low", "close", "volume")
    return dataclasses.replace(
        one, **{name: np.where(kept, getattr(one, name), getattr(two, name)) for name in names}
    )


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_no_fill_lies_before_the_order_that_asked_for_it(seed):
    result = execute(Wild(), wild_markets(seed, 120), cash=100_000, seed=seed)
    sent = dict(
        zip(
            *(select(result.output, "OrderSubmitted")[name].tolist() for name in ("order_id", "time")),
            strict=True,
        )
    )
    fills = select(result.output, "OrderFilled")
    assert len(fills) > 10
    for fill in fills:
        assert int(fill["venue_time"]) >= sent[int(fill["order_id"])]


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_equity_is_cash_and_the_worth_of_positions_at_every_valuation(seed):
    data = wild_markets(seed, 120)
    result = execute(Wild(), data, cash=100_000, fees="0.1%", seed=seed, close_at_end=True)
    booked = sorted(ledger(result), key=lambda row: row[0])
    held, cash, at = [0, 0, 0], 100_000 * 10**9, 0
    compared = 0
    valuations = result.valuations
    equities, cashes = (
        wide(valuations[f"{name}_low"], valuations[f"{name}_high"]) for name in ("equity", "cash")
    )
    for time, equity, known_cash in zip(valuations["time"].tolist(), equities, cashes, strict=True):
        while at < len(booked) and booked[at][0] <= time:
            _, number, quantity, change = booked[at]
            held[number] += quantity
            cash += change
            at += 1
        marks = [last_close(one, time) for one in data.series]
        # A cent is 10^7 of 10^-9.
        assert (known_cash, equity) == (
            cash,
            cash + sum(q * m * 10**7 for q, m in zip(held, marks, strict=True)),
        )
        compared += 1
    assert compared == 120
    assert held == [0, 0, 0]


def ledger(result):
    """(time, instrument, signed quantity, change of cash) of every fill, from the fills alone."""
    for fill in select(result.output, "OrderFilled"):
        sign = -1 if fill["flags"] & 2 else 1
        quantity = sign * int(fill["last_quantity"])
        value = quantity * int(fill["last_price"]) * 10**7
        yield int(fill["time"]), int(fill["instrument"]) - 1, quantity, -value - int(fill["fee_nano"])


def last_close(series, time):
    at = int(np.searchsorted(series.close_time, time, side="right"))
    return int(series.close[at - 1]) if at else 0


class Watch(Strategy):
    """Notes which hook came when, and what was known then."""

    last: ClassVar[list[Any]] = []

    def on_start(self):
        self.average = self.sma(2)
        self.log_of = []

    def on_bar(self, bar):
        known = {one.symbol: self.history(one, 1)["close"].tolist() for one in self.instruments}
        self.log_of.append(("bar", bar.instrument.symbol, known, self.average["XYZ"].value))

    def on_bars(self, bars):
        self.log_of.append(("bars", [bar.instrument.symbol for bar in bars]))

    def on_stop(self):
        Watch.last = self.log_of


def test_all_bars_of_one_time_are_known_before_the_first_hook_and_on_bars_comes_once_after_them():
    data = markets(b=market(rising(4, 200), XYZ), a=market(rising(4)))
    execute(Watch(), data)
    known = {"XYZ": [201.0], "ABC": [101.0]}
    assert Watch.last[:3] == [
        ("bar", "XYZ", known, 200.5),
        ("bar", "ABC", known, 200.5),
        ("bars", ["XYZ", "ABC"]),
    ]
    assert [entry[0] for entry in Watch.last] == ["bar", "bar", "bars"] * 3


def test_instruments_that_list_later_are_warm_later_and_alone():
    data = markets(a=market(rising(5)), b=market(rising(3), XYZ, first_day=2))
    execute(Watch(), data)
    assert [entry[1] for entry in Watch.last if entry[0] == "bars"] == [
        ["ABC"],
        ["ABC"],
        ["ABC", "XYZ"],
        ["ABC", "XYZ"],
    ]


class Count(Strategy):
    """Notes the closes it is shown."""

    closes: ClassVar[list[float]] = []
    period: int = 1

    def on_start(self):
        self.average = self.sma(self.period)
        Count.closes = []

    def on_bar(self, bar):
        Count.closes.append(bar.close)


WARM_UP = [
    # settings, period of an indicator, first close that is shown
    ({}, 1, 100),
    ({}, 4, 103),
    ({"warm_up": 3}, 1, 103),
    ({"warm_up": 3}, 6, 105),
    ({"start": "2022-01-05"}, 1, 104),
    ({"start": "2022-01-05"}, 3, 106),
    ({"start": "2022-01-05", "warm_up": 2}, 3, 104),
    ({"start": "2022-01-05", "warm_up": 2}, 5, 106),
    ({"start": "2022-01-02", "warm_up": 3}, 1, 103),
]


@pytest.mark.parametrize(("arguments", "period", "first"), WARM_UP)
def test_the_first_hook_comes_when_warm_up_and_indicators_are_done(arguments, period, first):
    execute(Count(period=period), market(rising(10)), **arguments)
    assert Count.closes == [float(price) for price in range(first, 110)]


def test_a_period_trades_the_bars_that_open_in_it():
    execute(Count(), market(rising(10)), start="2022-01-03", end="2022-01-06")
    assert Count.closes == [102, 103, 104]


def test_a_period_may_be_open_at_either_side():
    execute(Count(), market(rising(10)), start="2022-01-08")
    assert Count.closes == [107, 108, 109]
    execute(Count(), market(rising(10)), end="2022-01-03", warm_up=1)
    assert Count.closes == [101]


def test_an_instrument_without_bars_in_the_period_takes_no_part_and_is_named():
    data = markets(a=market(rising(6)), b=market(rising(3, 200), XYZ, first_day=3))
    result = execute(Count(), data, end="2022-01-03", benchmark="buy_and_hold")
    assert Count.closes == [100, 101]
    assert "XYZ: no bar from None to 2022-01-03" in result.notes
    with pytest.raises(InputError, match="ABC has no bar from 2023-01-01 to None"):
        execute(Count(), data, start="2023-01-01")


def test_what_warms_up_is_no_part_of_the_result():
    rows = [*flat(50, 3), *rising(4)]
    result = execute(
        Count(), market(rows), start="2022-01-04", warm_up=2, benchmark="buy_and_hold", cash=1000
    )
    assert (result.valuations["time"].astype(np.int64) - FIRST_DAY).tolist() == [
        4 * DAY,
        5 * DAY,
        6 * DAY,
        7 * DAY,
    ]
    assert result.benchmark.tolist() == [1000, 1010, 1020, 1030], (
        "bought at the first open of the period, at 100"
    )


def test_the_benchmark_holds_equal_parts_and_waits_in_cash_for_what_lists_later():
    data = markets(a=market(rising(4)), b=market([(50, 50, 50, 50), (50, 60, 50, 60)], XYZ, first_day=2))
    result = execute(Count(), data, benchmark="buy_and_hold", cash=1000)
    assert result.benchmark == pytest.approx([1000, 1005, 1010, 515 + 600])
    assert execute(Count(), data, benchmark="XYZ", cash=1000).benchmark == pytest.approx(
        [1000, 1000, 1000, 1200]
    )


class Longer(Strategy):
    """Notes the second timeframe at every bar."""

    seen: ClassVar[list[Any]] = []

    def on_start(self):
        self.average = self.sma(1, every="4h")
        self.bars_every("2h")
        Longer.seen = []

    def on_bar(self, bar):
        four = self.history(bar.instrument, 10, every="4h")
        two = self.history(bar.instrument, 2, every="2h")
        Longer.seen.append((bar.close, self.average.value, four["close"].tolist(), two["open"].tolist()))


def test_a_second_timeframe_shows_closed_bars_only():
    execute(Longer(), market(rising(10), every_ns=HOUR))
    assert Longer.seen == [
        (103.0, 103.0, [103.0], [100.0, 102.0]),
        (104.0, 103.0, [103.0], [100.0, 102.0]),
        (105.0, 103.0, [103.0], [102.0, 104.0]),
        (106.0, 103.0, [103.0], [102.0, 104.0]),
        (107.0, 107.0, [103.0, 107.0], [104.0, 106.0]),
        (108.0, 107.0, [103.0, 107.0], [104.0, 106.0]),
        (109.0, 107.0, [103.0, 107.0], [106.0, 108.0]),
    ]


def test_bars_of_different_length_come_at_their_own_times():
    data = markets(hour=market(rising(8), every_ns=HOUR), four=market(rising(2, 500), XYZ, every_ns=4 * HOUR))
    execute(Count(), data)
    assert Count.closes == [100, 101, 102, 103, 500, 104, 105, 106, 107, 501]


class Clock(Strategy):
    """Notes timers and bars in the order they come."""

    seen: ClassVar[list[Any]] = []

    def on_start(self):
        Clock.seen = [("start", self.time - FIRST_DAY)]
        self.schedule("every", every="12h")
        self.schedule("once", at="2022-01-02T06:00:00Z")
        self.schedule("from", every="1d", at="2022-01-03")

    def on_timer(self, name):
        Clock.seen.append((name, self.time - FIRST_DAY))
        if name == "every" and self.time >= FIRST_DAY + 2 * DAY:
            self.cancel_timer("every")

    def on_bar(self, bar):
        Clock.seen.append(("bar", self.time - FIRST_DAY))


def test_timers_and_bars_come_in_the_order_of_their_times():
    execute(Clock(), market(rising(3)))
    half = DAY // 2
    assert Clock.seen == [
        ("start", 0),
        ("every", half),
        ("every", DAY),
        ("bar", DAY),
        ("once", DAY + DAY // 4),
        ("every", DAY + half),
        ("every", 2 * DAY),
        ("from", 2 * DAY),
        ("bar", 2 * DAY),
        ("from", 3 * DAY),
        ("bar", 3 * DAY),
    ]


def test_views_inside_hooks_show_the_account_as_it_stands():
    seen: dict[str, Any] = {}

    def look(strategy):
        one = strategy.position("ABC")
        seen.update(
            quantity=one.quantity,
            average=one.average_price,
            value=one.value,
            unrealized=one.unrealized,
            fees=one.fees,
            cash=strategy.cash,
            equity=strategy.equity,
            is_long=one.is_long,
        )

    play(rising(4), {1: lambda s: s.buy("ABC", 10), 3: look}, cash=2000, fees="1%")
    assert str(seen["value"]) == "1020.00 USD"
    assert (seen["quantity"], seen["average"], seen["is_long"]) == (10, 101, True)
    assert str(seen["fees"]) == "10.1 USD"
    assert str(seen["cash"]) == "979.9 USD"
    assert seen["equity"] == seen["cash"] + seen["value"]
    assert seen["unrealized"].amount == 10


def test_a_position_that_turned_keeps_what_it_realized():
    seen = []
    actions = {
        1: lambda s: s.buy("ABC", 10),
        2: lambda s: s.sell("ABC", 15),
        3: lambda s: seen.append(s.position("ABC")),
        4: lambda s: s.close("ABC"),
        5: lambda s: seen.append(s.position("ABC")),
    }
    play(rising(6), actions)
    short, flat_again = seen
    assert (short.quantity, short.average_price, short.realized.amount) == (-5, 102, 10)
    assert short.is_short and short.cost.amount == -510 and short.value.amount == -510
    assert short.unrealized.amount == 0
    assert not flat_again and flat_again.average_price is None and flat_again.value.amount == 0
    assert flat_again.realized.amount == 10 + (102 - 104) * 5


def test_what_is_recorded_is_a_frame_of_the_run():
    class Figures(Strategy):
        def on_bar(self, bar):
            self.record("close", bar.close)
            if bar.close > 101:
                self.record("double", 2 * bar.close)
                self.record("double", 3 * bar.close)

    frame = execute(Figures(), market(rising(3))).indicators["ABC"]
    assert frame.columns == ["time", "close", "double"]
    assert frame["close"].to_list() == [100, 101, 102]
    assert frame["double"].to_list() == [None, None, 306]


def test_chance_follows_from_the_seed_alone():
    class Dice(Strategy):
        def on_bar(self, bar):
            self.record("throw", self.random.random())

    throws = {
        seed: execute(Dice(), market(rising(5)), seed=seed).indicators["ABC"]["throw"].to_list()
        for seed in (0, 1)
    }
    again = execute(Dice(), market(rising(5)), seed=1).indicators["ABC"]["throw"].to_list()
    assert throws[0] != throws[1] == again


def test_no_order_is_taken_up_after_the_data_and_answers_to_the_end_do_not_go_round_for_ever():
    seen: dict[str, Any] = {}

    class Stubborn(Strategy):
        def on_bar(self, bar):
            if not self.open_orders():
                self.buy(bar.instrument, 1, limit=50)

        def on_order(self, order):
            if order.state.name == "CANCELED":
                seen["answer"] = self.buy("ABC", 1)

        def on_stop(self):
            seen["late"] = self.sell("ABC", 1)
            self.cancel_all()
            self.schedule("never", every="1h")
            seen["equity"] = self.equity

    result = execute(Stubborn(), market(rising(5)))
    assert seen["answer"].state.name == "DENIED"
    assert seen["answer"].refusal.startswith("TRADING_MUST_NOT_BE_HALTED")
    assert seen["late"].state.name == "DENIED" and not seen["late"].is_open
    assert "on_stop" in seen["late"].refusal
    assert len(select(result.output, "OrderFilled")) == 0
