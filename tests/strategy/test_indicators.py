"""Indicators as a strategy reads them: the figures of TA-Lib, for each instrument apart, on real bars."""

import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from openbell import Backtest, Strategy, StrategyError, crossover, read_bars
from tests.runtime.story import flat, market, play

STOCKS = Path(__file__).resolve().parents[2] / "examples" / "data" / "us_stocks_daily.parquet"


class Reader(Strategy):
    """Notes every figure at every bar."""

    rows: ClassVar[list[Any]] = []
    period: int = 14

    def on_start(self):
        self.averages = (self.sma(self.period), self.ema(self.period))
        self.weekly = self.sma(3, every="7d")
        Reader.rows = []

    def on_bar(self, bar):
        one = bar.instrument
        now = [average[one].value for average in self.averages]
        before = [average[one].previous for average in self.averages]
        Reader.rows.append((one.symbol, bar.open_time, *now, *before, self.weekly[one].value))


@pytest.fixture(scope="module")
def stocks():
    return read_bars(STOCKS)


@pytest.mark.parametrize("period", [2, 14, 50])
def test_averages_of_five_stocks_are_those_of_talib(stocks, period):
    talib = pytest.importorskip("talib", reason="TA-Lib is not installed: make setup")
    Backtest(Reader(period=period), stocks).prepare().execute(None)
    read = pl.DataFrame(
        Reader.rows,
        orient="row",
        schema=["symbol", "time", "sma", "ema", "sma_before", "ema_before", "weekly"],
    )
    compared = 0
    for series in stocks.series:
        own = read.filter(pl.col("symbol") == series.symbol)
        at = np.searchsorted(series.open_time, own["time"].to_numpy())
        close = series.values("close")
        for name, expected in (("sma", talib.SMA(close, period)), ("ema", talib.EMA(close, period))):
            np.testing.assert_allclose(own[name].to_numpy(), expected[at], rtol=1e-9)
            np.testing.assert_allclose(own[f"{name}_before"].to_numpy()[1:], expected[at - 1][1:], rtol=1e-9)
        compared += len(own)
    assert compared > 10_000


def test_a_longer_timeframe_is_the_average_of_closed_longer_bars(stocks):
    one = stocks["IBM"]
    Backtest(Reader(), stocks).prepare().execute(None)
    rows = [row for row in Reader.rows if row[0] == "IBM"]
    week = 7 * 86_400_000_000_000
    monday = 4 * 86_400_000_000_000  # 1970-01-05
    bucket = (one.open_time - monday) // week
    last_of_week = np.append(np.flatnonzero(np.diff(bucket)), len(bucket) - 1)
    closes, ends = one.values("close")[last_of_week], monday + (bucket[last_of_week] + 1) * week
    for _, open_time, *_, value in rows[200:260]:
        index = int(np.searchsorted(one.open_time, open_time))
        # A week is known once its end has come, or once a bar of a later one shows that nothing more comes.
        known = (ends <= one.close_time[index]) | (ends <= one.open_time[index])
        assert value == pytest.approx(closes[known][-3:].mean(), rel=1e-12)


def test_comparisons_are_false_until_there_is_enough_data():
    seen = []

    class Early(Strategy):
        def on_start(self):
            self.average = self.sma(3)

        def on_bar(self, bar):
            seen.append(bar.close)

        def on_timer(self, name):
            pass

    def look(strategy):
        fresh = strategy.sma(3)
        seen.append(
            (
                fresh["ABC"].is_ready,
                fresh.is_ready,
                math.isnan(fresh.value),
                fresh > 1,
                fresh < 1,
                fresh["ABC"] > 1,
            )
        )
        seen.append(crossover(fresh, 1))

    play(flat(1, 3), {0: look})
    assert seen == [(False, False, True, False, False, False), False]


def test_crossing_is_from_below_to_above_and_touching_is_neither():
    rows = [(price,) * 4 for price in (10, 10, 9, 9, 11, 11, 10, 9)]
    crossed = []

    class Level(Strategy):
        def on_start(self):
            self.price = self.sma(1)

        def on_bar(self, bar):
            now = self.price[bar.instrument]
            crossed.append((bar.close, crossover(now, 10), crossover(10, self.price), now > 10, now >= 10))

    Backtest(Level(), market(rows)).prepare().execute(None)
    assert [row[0] for row in crossed if row[1]] == [11]
    assert [row[0] for row in crossed if row[2]] == []
    assert [row[3] for row in crossed] == [False] * 4 + [True, True] + [False] * 2


def test_several_instruments_have_to_be_told_apart(stocks):
    errors = []

    class Careless(Strategy):
        def on_start(self):
            self.average = self.sma(2)

        def on_bar(self, bar):
            for use in (
                lambda: self.average.value,
                lambda: float(self.average),
                lambda: crossover(self.average, 1),
            ):
                try:
                    use()
                except StrategyError as error:
                    errors.append(str(error))

    Backtest(Careless(), stocks, end="2000-03-20").prepare().execute(None)
    assert set(errors) == {"sma(2) is streamed for 5 instruments; say which: indicator[bar.instrument]"}
