"""Bad arguments, bad orders and strategies that fail: one clear error each, which says what to do."""

import math
import threading
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import numpy as np
import pytest

from openbell import (
    Backtest,
    ConfigError,
    FeeModel,
    FillModel,
    InputError,
    LatencyModel,
    Strategy,
    StrategyError,
    crossover,
)
from openbell.engine.session import Session
from openbell.kernel import Node
from openbell.strategy.binding import bind
from tests.runtime.story import ABC, FIRST_DAY, failure, flat, market, play

ROWS = flat(100, 5)


class Nothing(Strategy):
    """Does nothing."""

    period: int = 5


ARGUMENTS = [
    ({"cash": "much"}, "cash is 'much'; it must be a finite number"),
    ({"cash": float("nan")}, "cash is nan; it must be a finite number"),
    ({"cash": 0}, "cash is 0; it must be above 0"),
    ({"cash": -1}, "cash is -1; it must be above 0"),
    ({"cash": None}, "cash is None"),
    ({"cash": 1e30}, "cash is 1e+30; it must be above 0, at most"),
    ({"fees": "cheap"}, "fees is 'cheap'; it must be a fraction such as 0.001"),
    ({"fees": float("inf")}, "fees is inf"),
    ({"fees": (0.1, 0.1, 0.1)}, "a pair is (maker, taker)"),
    ({"fees": 1.5}, "lies between -1 and 1"),
    ({"fees": FeeModel}, "fees is the class FeeModel; give an instance"),
    ({"slippage": "1x"}, "slippage is '1x'"),
    ({"slippage": -0.1}, "slippage is -0.1; it must be a fraction from 0 up to 1"),
    ({"slippage": 0.1, "fills": FillModel(slippage=0.2)}, "slippage is given twice"),
    ({"leverage": 0}, "leverage is 0; it must be a number from 0.001 to 1000"),
    ({"leverage": "two"}, "leverage is 'two'; it must be a finite number"),
    ({"leverage": math.inf}, "leverage is inf"),
    ({"shorting": "no"}, "shorting is 'no'; it must be one of True, False"),
    ({"start": "yesterday"}, "start: not a time, found 'yesterday'"),
    ({"end": datetime(2022, 1, 3, 12)}, "end: a time without a zone"),
    ({"start": "2022-01-03", "end": "2022-01-03"}, "start 2022-01-03 is not before end 2022-01-03"),
    ({"start": "2023-01-03"}, "ABC has no bar from"),
    ({"warm_up": -1}, "warm_up is -1; it must be a whole number from 0"),
    ({"warm_up": 2.5}, "warm_up is 2.5"),
    ({"warm_up": True}, "warm_up is True"),
    ({"history": "all"}, "history is 'all'"),
    ({"seed": None}, "seed is None; it must be a whole number"),
    ({"seed": "x"}, "seed is 'x'"),
    ({"benchmark": "SPY"}, "benchmark is 'SPY'; it must be 'buy_and_hold' or one of ABC"),
    ({"benchmark": 5}, "benchmark is 5; it must be text"),
    ({"latency": 5}, "latency is 5; give a LatencyModel or text such as"),
    ({"latency": "soon"}, "latency: not a duration, found 'soon'"),
    ({"latency": LatencyModel}, "latency is the class LatencyModel"),
    ({"fills": "touch"}, "fills is 'touch'; it must be a FillModel"),
    ({"close_at_end": "close"}, "close_at_end is 'close'; it must be one of True, False, 'open'"),
    ({"close_at_end": 1}, "close_at_end is 1"),
    ({"journal": "some"}, "journal is 'some'"),
    ({"timezone": "Mars"}, "unknown timezone 'Mars'"),
    ({"currency": 5}, "currency is 5; it must be text"),
    ({"currency": "EUR"}, "quoted in USD and the account is in EUR"),
]


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS, ids=lambda value: str(value)[:40])
def test_an_argument_that_cannot_work_is_named(arguments, message):
    with pytest.raises((ConfigError, InputError)) as caught:
        Backtest(Nothing(), market(ROWS), **arguments).prepare()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (Nothing, "strategy is the class Nothing; give an instance: Nothing()"),
        (None, "strategy is None; it must be an instance of a class derived from openbell.Strategy"),
        ("sma", "strategy is 'sma'"),
    ],
)
def test_what_is_no_strategy_is_said_to_be_none(strategy, message):
    with pytest.raises(ConfigError) as caught:
        Backtest(strategy, market(ROWS))
    assert message in str(caught.value)


def test_a_parameter_that_was_changed_by_hand_is_refused_since_the_run_would_not_see_it():
    strategy = Nothing()
    strategy.period = 7
    with pytest.raises(ConfigError, match=r"Nothing.period was changed to 7 .* Nothing\(period=...\)"):
        Backtest(strategy, market(ROWS))


def test_bad_models_say_which_figure_is_wrong():
    for make, message in (
        (lambda: FillModel(limit_fills=cast(Any, "often")), "limit_fills is 'often'"),
        (lambda: FillModel(volume_share=0), "volume_share is 0"),
        (lambda: FillModel(volume_share="150%"), "volume_share is 1.5"),
        (lambda: LatencyModel(order_ns=-1), "latency order_ns is -1"),
        (lambda: LatencyModel(feed_ns=cast(Any, 1.5)), "latency feed_ns is 1.5"),
    ):
        with pytest.raises(ConfigError) as caught:
            make()
        assert message in str(caught.value)


# ---- hooks that raise

HOOKS = {
    "on_start": "2022-01-01T00:00:00Z",
    "on_timer": "2022-01-01T12:00:00Z",
    "on_bar": "2022-01-02T00:00:00Z",
    "on_bars": "2022-01-02T00:00:00Z",
    "on_order": "2022-01-02T00:00:00Z",
    "on_fill": "2022-01-03T00:00:00Z",
    "on_stop": "2022-01-06T00:00:00Z",
}


def raising(hook):
    """A strategy that raises in one hook, and does enough to reach each."""

    def boom(self, *news):
        raise ValueError(f"boom in {hook}")

    def start(self):
        self.schedule("noon", every="12h")

    def bar(self, bar):
        self.buy(bar.instrument, 1)

    return type("Failing", (Strategy,), {"on_start": start, "on_bar": bar, hook: boom})


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_that_raises_is_named_with_place_sequence_and_time(hook):
    error = None
    try:
        Backtest(raising(hook)(), market(ROWS)).prepare().execute(None)
    except StrategyError as caught:
        error = caught
    assert error is not None
    text = str(error)
    assert text.startswith(f"Failing.{hook} raised ValueError: boom in {hook} (")
    assert "test_backtest_bad_input.py, line " in text
    assert "sequence " in text and HOOKS[hook] in text
    assert isinstance(error.__cause__, ValueError)
    assert error.exit_code == 4


def test_an_interrupt_is_no_failure_of_the_strategy():
    class Interrupted(Strategy):
        def on_bar(self, bar):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Backtest(Interrupted(), market(ROWS)).prepare().execute(None)


# ---- garbage in helpers

NAN = float("nan")
GARBAGE = [
    (lambda s: s.buy("ABC"), "say how much: quantity=100, or percent=0.5"),
    (lambda s: s.buy("ABC", 1, percent=0.5), "say how much once: quantity=1 and percent=0.5 contradict"),
    (lambda s: s.buy("ABC", 0), "quantity is 0; it must be above 0"),
    (lambda s: s.buy("ABC", -5), "quantity is -5; it must be above 0 (to sell, use self.sell)"),
    (lambda s: s.buy("ABC", NAN), "quantity is nan; it must be a finite number"),
    (lambda s: s.buy("ABC", "ten"), "quantity is 'ten'; it must be a finite number"),
    (lambda s: s.buy("ABC", True), "quantity is True"),
    (lambda s: s.buy("ABC", [1]), "quantity is [1]"),
    (lambda s: s.buy("ABC", 1.5), "off its unit, found 1.5, expected a multiple of 1 (instrument.round_quantity() helps)"),
    (lambda s: s.buy("ABC", 10**30), "does not fit 64 bits"),
    (lambda s: s.buy("ABC", percent=0), "percent is 0; it is a share above 0, at most 1"),
    (lambda s: s.buy("ABC", percent=50), "percent is 50; it is a share above 0, at most 1: 0.5 is half"),
    (lambda s: s.buy("ABC", percent=-0.5), "percent is -0.5"),
    (lambda s: s.buy("ABC", percent=NAN), "percent is nan; it must be a finite number"),
    (lambda s: s.buy("ABC", percent="half"), "percent is 'half'"),
    (lambda s: s.buy("ABC", 1, limit=NAN), "limit is nan; it must be a finite number"),
    (lambda s: s.buy("ABC", 1, limit=math.inf), "limit is inf"),
    (lambda s: s.buy("ABC", 1, limit="cheap"), "limit is 'cheap'"),
    (lambda s: s.buy("ABC", 1, limit=0), "limit is 0; it must be above 0"),
    (lambda s: s.buy("ABC", 1, limit=-3), "limit is -3; it must be above 0"),
    (lambda s: s.buy("ABC", 1, limit=99.123), "found 99.123, expected a multiple of 0.01 (instrument.round_price() helps)"),
    (lambda s: s.sell("ABC", 1, stop=NAN), "stop is nan"),
    (lambda s: s.buy("XYZ", 1), "no such instrument in this run, found 'XYZ', expected bar.instrument or one of ABC"),
    (lambda s: s.buy(None, 1), "no such instrument in this run"),
    (lambda s: s.buy("ABC", 1, time_in_force="WHENEVER"), "time_in_force is 'WHENEVER'; it must be one of DAY, GTC"),
    (lambda s: s.buy("ABC", 1, time_in_force=99), "time_in_force is 99"),
    (lambda s: s.buy("ABC", 1, time_in_force="GTD"), "time_in_force GTD needs the time until which it is good: expire="),
    (lambda s: s.buy("ABC", 1, limit=1, time_in_force="IOC", expire="2022-02-01"), "IOC and expire='2022-02-01' contradict"),
    (lambda s: s.buy("ABC", 1, expire="2022-02-01 12:00"), "expire: a time without a zone"),
    (lambda s: s.buy("ABC", 1, post_only=True), "post_only needs limit="),
    (lambda s: s.buy("ABC", 1, cancels="that one"), "'that one' is no order"),
    (lambda s: s.target_percent("ABC", NAN), "percent is nan"),
    (lambda s: s.target_percent("ABC", "all"), "percent is 'all'"),
    (lambda s: s.target_percent("ABC", 5000), "percent is 5000; it is a share of equity: 1 is all of it"),
    (lambda s: s.target_weights([("ABC", 1)]), "weights is [('ABC', 1)]; it must map instruments to shares"),
    (lambda s: s.target_weights({"ABC": NAN}), "percent is nan"),
    (lambda s: s.target_weights({"XYZ": 0.5}), "no such instrument"),
    (lambda s: s.bracket("ABC", 1), "a bracket needs stop= (or trail=), target= or both"),
    (lambda s: s.bracket("ABC", 1, stop="+3%"), "stop is '+3%'; to buy it lies below the entry, as \"-3%\""),
    (lambda s: s.bracket("ABC", 1, target="-3%"), "target is '-3%'; to buy it lies above the entry"),
    (lambda s: s.bracket("ABC", 1, side="sell", stop="-3%"), "to sell it lies above the entry"),
    (lambda s: s.bracket("ABC", 1, stop="3%"), "stop is '3%'; a distance from the price of the fill has a sign"),
    (lambda s: s.bracket("ABC", 1, stop="-0%"), "stop is '-0%'"),
    (lambda s: s.bracket("ABC", 1, stop=110, target=90), "stop 110 must be below target 90"),
    (lambda s: s.bracket("ABC", 1, side="sell", stop=90, target=110), "target 110 must be below stop 90"),
    (lambda s: s.bracket("ABC", 1, limit=100, stop=101), "stop 101 must be below limit 100"),
    (lambda s: s.bracket("ABC", 1, stop=100, target=100), "must be different prices"),
    (lambda s: s.bracket("ABC", 1, stop=NAN), "stop is nan"),
    (lambda s: s.bracket("ABC", 1, side="long", stop=90), "side is 'long'; it must be BUY or SELL"),
    (lambda s: s.cancel(None), "None is no order; give the Order that buy, sell or open_orders returned"),
    (lambda s: s.cancel(5), "5 is no order"),
    (lambda s: s.cancel_all("XYZ"), "no such instrument"),
    (lambda s: s.replace(None, quantity=5), "None is no order"),
    (lambda s: s.replace(s.buy("ABC", 1)), "replace needs quantity=, limit= or stop="),
    (lambda s: s.replace(s.buy("ABC", 1), limit=5), "a MARKET order has no limit to replace"),
    (lambda s: s.replace(s.buy("ABC", 1, limit=5), stop=5), "a LIMIT order has no stop to replace"),
    (lambda s: s.replace(s.buy("ABC", 1, limit=5), quantity=0), "quantity is 0; it must be above 0 (self.cancel(order)"),
    (lambda s: s.replace(s.buy("ABC", 1, limit=5), limit=0), "limit is 0; it must be above 0"),
    (lambda s: s.close("XYZ"), "no such instrument"),
    (lambda s: s.position("XYZ"), "no such instrument"),
    (lambda s: s.history("ABC", 0), "count is 0; it must be a whole number of bars, at least 1"),
    (lambda s: s.history("ABC", 2.5), "count is 2.5"),
    (lambda s: s.history("ABC", 2000), "2000 bars are asked for and 1000 kept: Backtest(..., history=2000)"),
    (lambda s: s.history("ABC", 2, every="2d"), "ask for them with self.bars_every('2d') in on_start"),
    (lambda s: s.history("ABC", 2, every="often"), "not a duration"),
    (lambda s: s.sma(5), "sma(5) must be asked for in on_start"),
    (lambda s: s.bars_every("2d"), "bars of 2d must be asked for in on_start"),
    (lambda s: s.schedule("x"), "timer 'x' needs every=, at= or both"),
    (lambda s: s.schedule("x", every="0s"), "every is '0s'; it must be longer than nothing"),
    (lambda s: s.schedule("x", every="now and then"), "not a duration"),
    (lambda s: s.schedule("x", at="2020-01-01"), "is for 2020-01-01T00:00:00Z, which is past; it is 2022-01-02T00:00:00Z"),
    (lambda s: s.cancel_timer("x"), "there is no timer 'x'; there are: none"),
    (lambda s: s.record("x", "high"), "could not convert string to float"),
    (lambda s: s.log("x", time=5, level=3), "log writes level, time by itself; give the field another name"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "message"), GARBAGE, ids=[message[:50] for _, message in GARBAGE])
def test_garbage_in_a_helper_is_told_and_nothing_is_traded(action, message):
    error = failure(ROWS, {1: action})
    assert isinstance(error, StrategyError)
    assert message in str(error)
    assert "on_bars raised" in str(error)


START = [
    (lambda s: s.sma(0), "sma period is 0; it must be a whole number from 1 to 1,000,000"),
    (lambda s: s.ema(2.5), "ema period is 2.5"),
    (lambda s: s.ema(True), "ema period is True"),
    (
        lambda s: s.sma(5, every="1h"),
        "bars of 1h cannot be formed: the data has bars of 1d; ask for a multiple of it",
    ),
    (lambda s: s.bars_every("36h"), "bars of 36h cannot be formed"),
    (lambda s: s.sma(5, every="1y"), "not a duration"),
    (lambda s: s.schedule("x", at="2021-01-01"), "which is past"),
    (lambda s: s.sma(5)["XYZ"], "sma(5) knows no instrument 'XYZ'; there are: ABC"),
    (lambda s: s.sma(5)[-1], "sma(5) knows no instrument -1"),
    (lambda s: crossover(s.sma(5), cast(Any, None)), "float() argument must be"),
]


@pytest.mark.parametrize(("action", "message"), START, ids=[message[:50] for _, message in START])
def test_garbage_in_on_start_is_told(action, message):
    error = failure(ROWS, {0: action})
    assert message in str(error)
    assert "on_start raised" in str(error)


def test_numbers_of_numpy_are_numbers():
    story = play(
        ROWS,
        {
            1: lambda s: s.buy("ABC", np.int64(3), limit=np.float64(101.5)),
            2: lambda s: s.sell("ABC", percent=cast(Any, np.float32(0.5))),
            3: lambda s: s.history("ABC", np.int64(2)),
        },
    )
    assert story.fills == ["2 BUY 3 @ 100.00", "3 SELL 48 @ 100.00"]


# ---- the wrong moment, the wrong thread, the wrong session


def test_helpers_before_the_run_say_when_they_work():
    for use in (lambda s: s.buy("ABC", 1), lambda s: s.equity, lambda s: s.sma(5), lambda s: s.time):
        with pytest.raises(StrategyError, match="Nothing is not running: helpers work in its hooks only"):
            use(Nothing())


def test_helpers_after_the_run_say_that_it_is_over():
    story = play(ROWS, {1: lambda s: s.buy("ABC", 1)})
    for use in (lambda s: s.buy("ABC", 1), lambda s: s.equity, lambda s: s.cancel(s.kept[1])):
        with pytest.raises(
            StrategyError, match="is over: helpers work in its hooks only; the result is in the Run"
        ):
            use(story.player)
    assert story.order(1).is_filled, "what an order came to can still be read"


def test_another_thread_cannot_send_orders():
    errors = []

    def send(strategy):
        try:
            strategy.buy("ABC", 1)
        except Exception as error:
            errors.append(error)

    def from_elsewhere(strategy):
        thread = threading.Thread(target=send, args=(strategy,))
        thread.start()
        thread.join()

    story = play(ROWS, {1: from_elsewhere})
    assert story.fills == []
    assert isinstance(errors[0], StrategyError)
    assert "another thread" in str(errors[0]) and "from a hook" in str(errors[0])


def test_an_order_of_another_run_is_refused():
    other = play(ROWS, {1: lambda s: s.buy("ABC", 1, limit=50)}).order(1)
    for action in (
        lambda s: s.cancel(other),
        lambda s: s.replace(other, limit=60),
        lambda s: s.buy("ABC", 1, limit=50, cancels=other),
    ):
        assert "belongs to another run" in str(failure(ROWS, {1: action}))


def test_a_strategy_runs_once_and_a_session_serves_one_strategy():
    session = Session(Node(), 1, 1, "USD", (ABC,))
    first = Nothing()
    bind(first, session, seed=0)
    with pytest.raises(StrategyError, match="this session acts for another strategy; Nothing needs its own"):
        bind(Nothing(), session, seed=0)
    with pytest.raises(StrategyError, match="this Nothing has run already"):
        bind(first, Session(Node(), 1, 1, "USD", (ABC,)), seed=0)


def test_the_same_strategy_object_may_be_given_to_many_backtests():
    class Grow(Strategy):
        levels: list[int] = [1]  # noqa: RUF012 - each run has its own copy

        def on_bar(self, bar):
            self.levels.append(2)

    strategy = Grow()
    setup = Backtest(strategy, market(ROWS)).prepare()
    first, second = setup.execute(None), setup.execute(None)
    assert first.parameters == second.parameters == {"levels": [1]} == strategy.parameters
    assert first.state_hash == second.state_hash


def test_an_order_for_every_answer_at_one_time_is_stopped():
    class Echo(Strategy):
        def on_bar(self, bar):
            self.buy(bar.instrument, 10**9)

        def on_order(self, order):
            self.buy(order.instrument, 10**9)

    with pytest.raises(StrategyError, match="orders were sent at one time"):
        Backtest(Echo(), market(ROWS)).prepare().execute(None)


def test_the_first_time_a_strategy_sees_is_that_of_the_data():
    seen = []
    play(ROWS, {0: lambda s: seen.append(s.time), 1: lambda s: seen.append(s.time)})
    assert seen == [FIRST_DAY, FIRST_DAY + 86_400_000_000_000]


def test_data_that_cannot_be_read_is_an_input_error_that_names_it(tmp_path):
    broken = tmp_path / "bars.csv"
    broken.write_text("date,open,high,low,close\n2022-01-03,1,2,0,1\n2022-01-04,1,2,3,1\n")
    with pytest.raises(InputError, match=r"bars\.csv"):
        Backtest(Nothing(), str(broken)).prepare()
    unusable: tuple[Any, ...] = (None, 5, "missing.csv", [], {})
    for data in unusable:
        with pytest.raises((InputError, ConfigError)):
            Backtest(Nothing(), data).prepare()


def test_decimal_prices_are_exact():
    assert play(ROWS, {1: lambda s: s.buy("ABC", 1, limit=Decimal("100.01"))}).fills == ["2 BUY 1 @ 100.00"]


def test_what_a_strategy_logs_is_shown_where_no_folder_keeps_it(capsys):
    class Talker(Strategy):
        def on_bar(self, bar):
            self.log("seen", close=bar.close)

    Backtest(Talker(), market(flat(100, 1) * 2)).run()
    shown = capsys.readouterr().err.splitlines()
    assert shown == [
        "2022-01-02T00:00:00Z Talker: seen close=100.0",
        "2022-01-03T00:00:00Z Talker: seen close=100.0",
    ]
