"""What the chart shows: equity under the right bar, trades in the right candle, long runs merged."""

import numpy as np
import polars as pl
import pytest

from openbell.report.chart_view import chart_views
from openbell.report.tables import RunTables
from tests.report.run_tables import MINUTE_NS, equity_tables, synthetic_tables


def with_equity_at_close(tables: RunTables) -> RunTables:
    shifted = tables.equity.with_columns(pl.col("time").dt.offset_by("1m"))
    object.__setattr__(tables, "equity", shifted)
    return tables


@pytest.mark.parametrize("at_close", [False, True])
def test_equity_stands_under_the_bar_that_it_values(at_close: bool) -> None:
    tables = synthetic_tables(500, 20)
    expected = tables.equity["equity"].to_numpy()
    view = chart_views(with_equity_at_close(tables) if at_close else tables, 10_000)[0]
    assert np.array_equal(view.equity, expected)


def test_a_trade_lies_in_the_candle_of_its_fill() -> None:
    tables = synthetic_tables(500, 20)
    view, trades = chart_views(tables, 10_000)[0], tables.trades
    times = trades["entry_time"].cast(pl.Int64).to_numpy()
    prices = trades["entry_price"].to_numpy()
    candles = view.candle_of(times, prices)
    assert np.array_equal(view.prices["open"][candles], prices)
    assert np.array_equal(view.time_ns[candles], times)


def test_a_fill_stamped_at_the_close_of_its_bar_stays_in_that_bar() -> None:
    view = chart_views(synthetic_tables(500, 20), 10_000)[0]
    low = view.prices["low"]
    falls = np.flatnonzero(view.prices["high"][:-1] > view.prices["high"][1:])[:20]
    prices = view.prices["high"][falls]  # a price that the next bar never saw
    assert np.array_equal(view.candle_of(view.time_ns[falls] + MINUTE_NS, prices), falls)
    assert np.array_equal(view.candle_of(view.time_ns, low), np.arange(500))
    assert view.candle_of(view.time_ns[:1] - 1, low[:1])[0] == -1


def test_a_long_run_is_merged_without_losing_an_extreme() -> None:
    tables = synthetic_tables(20_000, 50)
    view, bars = chart_views(tables, 6_000)[0], tables.bars["BTCUSDT"]
    assert (view.merged, view.time_ns.size) == (4, 5_000)
    assert view.prices["high"].max() == bars["high"].max()
    assert view.prices["low"].min() == bars["low"].min()
    assert view.prices["volume"].sum() == pytest.approx(bars["volume"].sum())
    assert view.prices["open"][1] == bars["open"][4]
    assert view.prices["close"][1] == bars["close"][7]
    assert view.equity[1] == tables.equity["equity"][7]
    equity = tables.equity["equity"].to_numpy()
    assert view.drawdown.min() == pytest.approx((equity / np.maximum.accumulate(equity) - 1).min())


def test_a_run_without_bars_shows_its_equity() -> None:
    times = np.array([0, 60, 60, 120]) * 1_000_000_000
    view = chart_views(equity_tables(times, np.array([10.0, 11, 12, 9])), 1_000)[0]
    assert not view.prices
    assert view.equity.tolist() == [10, 12, 9]  # one value per moment, the last one


def test_an_instrument_whose_bars_start_earlier_has_no_equity_there() -> None:
    tables = synthetic_tables(100, 4)
    object.__setattr__(tables, "equity", tables.equity.tail(60))
    view = chart_views(tables, 1_000)[0]
    assert np.isnan(view.equity[:39]).all()
    assert np.isfinite(view.equity[40:]).all()
    assert (view.drawdown[:39] == 0).all()
