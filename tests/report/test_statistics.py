"""Statistics against empyrical-reloaded, on real and on made-up returns, and where they are undefined."""

import gzip
import json
import math
from pathlib import Path

import empyrical
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from openbell.model.errors import ConfigError
from openbell.report import benchmark, drawdown, returns, round_trips
from openbell.report.statistics import compute_statistics
from tests.report.run_tables import DAY_NS, MINUTE_NS, START_NS, equity_tables, synthetic_tables

Floats = NDArray[np.float64]


def business_days(count: int) -> NDArray[np.int64]:
    monday = 16_804  # 2016-01-04
    rows = np.arange(count)
    return (monday + rows // 5 * 7 + rows % 5) * DAY_NS


def equity_of(daily: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Daily equity with these returns: one row more than returns."""
    return business_days(daily.size + 1), 10_000 * np.concatenate(([1.0], np.cumprod(1 + daily)))


def pyfolio_returns(real_data: Path) -> Floats:
    with gzip.open(real_data / "stats/pyfolio_test_returns.csv.gz", "rt") as file:
        return pl.read_csv(file.read().encode())[:, 1].to_numpy()


def same(ours: float | None, theirs: float) -> None:
    """Equal to nine digits, or undefined in both: empyrical answers NaN or infinity where we answer None."""
    if ours is None:
        assert not math.isfinite(theirs) or abs(theirs) > 1e12
    else:
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


def check_against_empyrical(daily: Floats, other: Floats, periods: int) -> None:
    series = pd.Series(daily)
    same(returns.annual_return(daily, periods), empyrical.annual_return(series, annualization=periods))
    same(
        returns.annual_volatility(daily, periods), empyrical.annual_volatility(series, annualization=periods)
    )
    same(
        returns.sharpe_ratio(daily, periods, 1e-4),
        empyrical.sharpe_ratio(series, 1e-4, annualization=periods),
    )
    same(returns.sortino_ratio(daily, periods), empyrical.sortino_ratio(series, annualization=periods))
    same(returns.value_at_risk(daily), empyrical.value_at_risk(series))
    same(returns.conditional_value_at_risk(daily), empyrical.conditional_value_at_risk(daily))
    slope = benchmark.beta(daily, other)
    same(slope, empyrical.beta(series, pd.Series(other)))
    same(
        benchmark.alpha(daily, other, slope, periods),
        empyrical.alpha(series, pd.Series(other), annualization=periods),
    )
    equity = np.concatenate(([1.0], np.cumprod(1 + daily)))
    same(drawdown.underwater(equity).min(), empyrical.max_drawdown(series))


@pytest.mark.data
def test_every_ratio_equals_empyrical_on_a_real_series_of_returns(real_data: Path) -> None:
    daily = pyfolio_returns(real_data)
    assert daily.size > 500
    check_against_empyrical(daily, np.roll(daily, 3) * 0.5, 252)


@pytest.mark.data
def test_every_ratio_equals_empyrical_on_its_own_factor_returns(real_data: Path) -> None:
    """Those of empyrical's suite go below -100 %: scaled to what an equity can do."""
    frame = pl.read_csv(real_data / "stats/empyrical_factor_returns.csv")
    daily, other = (frame[name].to_numpy() / 100 for name in ("materials", "financials"))
    check_against_empyrical(daily, other, 252)


moves = hnp.arrays(np.float64, st.integers(3, 60), elements=st.floats(-0.2, 0.2, allow_subnormal=False))


@given(daily=moves, seed=st.integers(0, 10_000), periods=st.sampled_from([12, 52, 252, 365]))
def test_every_ratio_equals_empyrical_on_any_returns(daily: Floats, seed: int, periods: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.01, (2, daily.size))
    check_against_empyrical(daily + noise[0], 0.5 * daily + noise[1], periods)


@pytest.mark.data
def test_the_statistics_of_a_run_are_the_ratios_of_its_equity(real_data: Path) -> None:
    daily = pyfolio_returns(real_data)
    time_ns, equity = equity_of(daily)
    found, series = compute_statistics(equity_tables(time_ns, equity)), pd.Series(daily)
    assert found.calendar == "252 per year: no data on weekends"
    same(found.total_return, empyrical.cum_returns_final(series))
    same(found.annual_return, empyrical.annual_return(series))
    same(found.sharpe_ratio, empyrical.sharpe_ratio(series))
    same(found.sortino_ratio, empyrical.sortino_ratio(series))
    same(found.calmar_ratio, empyrical.calmar_ratio(series))
    same(found.max_drawdown, empyrical.max_drawdown(series))


def test_minutes_are_resampled_to_the_last_equity_of_each_utc_day() -> None:
    time_ns = START_NS + MINUTE_NS * np.arange(3 * 1440)
    equity = 1000 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 1e-4, time_ns.size)))
    closes = np.concatenate(([equity[0]], equity[1439::1440]))
    assert returns.daily_returns(time_ns, equity) == pytest.approx(closes[1:] / closes[:-1] - 1, rel=1e-12)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (np.arange(60), 365),
        (business_days(60) // DAY_NS, 252),
        (np.arange(0, 700, 7), 52),
        (np.arange(0, 700, 30), 12),
        (np.arange(0, 900, 91), 4),
        (np.arange(0, 3650, 365), 1),
        (np.array([3, 4, 5, 6, 7, 10, 11, 12, 13, 14]), 252),  # futures: from Sunday evening on
        (np.array([0]), 252),
    ],
)
def test_the_calendar_is_seen_in_the_data(days: NDArray[np.int64], expected: int) -> None:
    assert returns.detect_calendar(days * DAY_NS).periods_per_year == expected


def test_the_calendar_can_be_overridden_and_says_so() -> None:
    tables = equity_tables(*equity_of(np.array([0.01, -0.02, 0.03])))
    found = compute_statistics(tables, periods_per_year=365)
    assert (found.periods_per_year, found.calendar) == (365, "365 per year: as asked")
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ConfigError, match="periods_per_year must be positive"):
            compute_statistics(tables, periods_per_year=wrong)


def test_the_deepest_drawdown_runs_from_its_peak_to_its_recovery() -> None:
    equity = np.array([100.0, 110, 99, 88, 110, 120, 119, 121])
    worst = drawdown.deepest(drawdown.drawdowns(equity))
    assert worst == drawdown.Drawdown(88 / 110 - 1, peak=1, trough=3, end=4, recovered=True)
    found = compute_statistics(equity_tables(business_days(8), equity))
    assert (found.max_drawdown_bars, found.max_drawdown_days) == (3, 3.0)
    assert found.average_drawdown == pytest.approx((88 / 110 - 1 + 119 / 120 - 1) / 2)


def test_a_drawdown_without_recovery_lasts_until_the_end() -> None:
    worst = drawdown.deepest(drawdown.drawdowns(np.array([100.0, 90, 95])))
    assert worst == drawdown.Drawdown(90 / 100 - 1, peak=0, trough=1, end=2, recovered=False)


@given(hnp.arrays(np.float64, st.integers(1, 80), elements=st.floats(1, 1e6)))
def test_drawdowns_are_those_a_slow_loop_finds(equity: Floats) -> None:
    slow: list[tuple[int, int, float]] = []
    peak, depth = 0, 0.0
    for row in range(1, equity.size):
        if equity[row] >= equity[peak]:
            if depth < 0:
                slow.append((peak, row, depth))
            peak, depth = row, 0.0
        else:
            depth = min(depth, equity[row] / equity[peak] - 1)
    if depth < 0:
        slow.append((peak, equity.size - 1, depth))
    assert [(fall.peak, fall.end, fall.depth) for fall in drawdown.drawdowns(equity)] == slow


def test_trades_are_counted_by_hand() -> None:
    profit = np.array([10.0, -5, 0, 20, -5, -5])
    assert round_trips.win_rate(profit) == pytest.approx(2 / 6)
    assert round_trips.profit_factor(profit) == 2.0
    assert round_trips.payoff_ratio(profit) == 3.0
    assert round_trips.mean(profit) == 2.5
    assert round_trips.longest_losing_streak(profit) == 2


def test_open_trades_are_counted_apart() -> None:
    tables = synthetic_tables(300, 20)
    some_open = tables.trades.with_columns(is_open=pl.col("number") > 15)
    object.__setattr__(tables, "trades", some_open)
    found = compute_statistics(tables)
    assert (found.trades, found.open_trades) == (15, 5)
    assert found.expectancy == pytest.approx(some_open["profit_and_loss"][:15].mean())
    assert found.best_trade == some_open["return"][:15].max()


def test_fees_and_exposure_come_from_fills_and_equity() -> None:
    tables = synthetic_tables(300, 20)
    found = compute_statistics(tables)
    assert found.fees == pytest.approx(tables.trades["fees"].sum())
    assert found.exposure_time == pytest.approx(tables.trades["bars"].sum() / 300)


UNDEFINED = {
    "one row": np.array([1000.0]),
    "no movement": np.full(40, 1000.0),
    "ruin": np.array([1000.0, 500, 0, 0, 0]),
    "debt": np.array([1000.0, 500, -200, -300, 100]),
    "never any money": np.array([0.0, 0, 0]),
    "steady growth": 1000 * 1.01 ** np.arange(40),
    "a miracle": np.array([1.0, 1e9]),
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_what_is_undefined_is_none_and_never_nan(name: str) -> None:
    equity = UNDEFINED[name]
    with np.errstate(all="raise"):
        found = compute_statistics(equity_tables(business_days(equity.size), equity, equity))
    text = found.to_json()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["trades"] == 0
    assert found.win_rate is None
    assert found.profit_factor is None


def test_no_volatility_is_no_sharpe_ratio() -> None:
    for equity in (UNDEFINED["no movement"], UNDEFINED["steady growth"]):
        found = compute_statistics(equity_tables(business_days(40), equity))
        assert found.sharpe_ratio is None
        assert found.sortino_ratio is None
        assert found.calmar_ratio is None


def test_returns_end_with_ruin() -> None:
    found = compute_statistics(equity_tables(business_days(5), UNDEFINED["debt"]))
    assert found.returns == 2
    assert found.annual_return is None
    assert found.max_drawdown == pytest.approx(-1.3)
    assert found.total_return == pytest.approx(-0.9)


def test_a_benchmark_that_starts_late_is_compared_where_it_is_known() -> None:
    time_ns, equity = equity_of(np.array([0.01, -0.02, 0.03, 0.01, -0.01]))
    late = np.concatenate(([np.nan, np.nan], equity[2:] * 2))
    found = compute_statistics(equity_tables(time_ns, equity, late))
    assert found.beta == pytest.approx(1.0)
    assert found.alpha == pytest.approx(0.0, abs=1e-12)
    assert found.benchmark_return == pytest.approx(equity[-1] / equity[2] - 1)


def test_statistics_read_like_a_mapping_and_print_like_a_table() -> None:
    found = compute_statistics(synthetic_tables(300, 20))
    assert found["total_return"] == found.total_return == dict(found)["total_return"]
    assert "total_return" in found
    assert len(found) == len(list(found)) == len(found.to_dict())
    with pytest.raises(KeyError):
        found["table"]
    assert "Total return" in repr(found)
    assert f"{100 * (found.total_return or 0):,.2f} %" in repr(found)


def test_json_is_stable() -> None:
    first, second = (compute_statistics(synthetic_tables(300, 20)) for _ in range(2))
    assert first == second
    assert first.to_json() == second.to_json()
    assert list(json.loads(first.to_json())) == list(first)
