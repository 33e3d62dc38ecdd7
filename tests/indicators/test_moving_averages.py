"""SMA and EMA against TA-Lib, Skender's published results, pandas and exact fractions."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import talib

from openbell.kernel.codec import Indicator

SMA, EMA = 1, 2
PERIODS = (1, 2, 5, 10, 20, 30, 50, 200)


@pytest.fixture
def btc_closes(real_data: Path) -> np.ndarray:
    path = real_data / "ohlcv" / "btc-perp-20211231-20220201_1m.csv"
    return pd.read_csv(path)["close"].to_numpy(dtype=np.float64)


@pytest.fixture
def skender(real_data: Path) -> Path:
    return real_data / "indicators" / "skender"


def streamed(kind: int, period: int, values: np.ndarray) -> np.ndarray:
    return Indicator(kind, period).update_batch(values)


@pytest.mark.data
@pytest.mark.parametrize("period", PERIODS)
def test_averages_agree_with_ta_lib_on_real_minutes(btc_closes, period):
    # TA-Lib itself wants two values or more for a period
    for kind, function in ((SMA, talib.SMA), (EMA, talib.EMA)):
        expected = function(btc_closes, timeperiod=period) if period > 1 else btc_closes
        np.testing.assert_allclose(streamed(kind, period, btc_closes), expected, rtol=1e-12, atol=0)


@pytest.mark.data
@pytest.mark.parametrize(("kind", "name"), [(SMA, "sma"), (EMA, "ema")])
def test_averages_agree_with_the_published_results_of_skender(skender, kind, name):
    with (skender / "quotes_default.csv").open() as file:
        closes = np.array([float(row["close"]) for row in csv.DictReader(file)])
    results = json.loads((skender / "results" / f"{name}.standard.json").read_text())
    expected = np.array([np.nan if row[name] is None else row[name] for row in results])
    assert np.count_nonzero(~np.isnan(expected)) == 483
    np.testing.assert_allclose(streamed(kind, 20, closes), expected, rtol=1e-12, atol=0)


@pytest.mark.data
def test_each_simple_average_is_the_double_nearest_to_the_exact_mean(btc_closes):
    values = btc_closes[:6_000]
    exact = [Fraction(value) for value in values.tolist()]
    for period in (3, 10, 30):
        total = sum(exact[:period], Fraction(0))
        means = [float(total / period)]
        for index in range(period, len(exact)):
            total += exact[index] - exact[index - period]
            means.append(float(total / period))
        result = streamed(SMA, period, values)
        assert np.array_equal(result[period - 1 :], means), f"period {period}"


@pytest.mark.data
def test_no_crossover_differs_from_means_computed_afresh(btc_closes):
    """Fresh means by exact fractions of ticks: where two averages are equal, ours are equal too."""
    ticks = np.rint(btc_closes * 10).astype(np.int64)
    sums = np.concatenate([[0], np.cumsum(ticks)])
    fast, slow = 10, 30
    windows = np.arange(slow, len(ticks) + 1)
    exact = np.sign(
        (sums[windows] - sums[windows - fast]) * slow - (sums[windows] - sums[windows - slow]) * fast
    )
    ours = np.sign(streamed(SMA, fast, btc_closes) - streamed(SMA, slow, btc_closes))[slow - 1 :]
    assert np.count_nonzero(exact == 0) > 0
    assert np.array_equal(ours, exact)


def test_averages_agree_with_pandas_on_a_seeded_walk():
    seed = 20_240_808
    values = np.round(np.random.default_rng(seed).normal(0, 0.5, 200_000).cumsum() + 500, 2)
    for period in (7, 50):
        expected = pd.Series(values).rolling(period).mean().to_numpy()
        np.testing.assert_allclose(
            streamed(SMA, period, values), expected, rtol=1e-11, atol=1e-10, err_msg=f"seed {seed}"
        )


def test_one_by_one_and_in_a_batch_are_the_same():
    values = np.arange(1.0, 30.0) ** 1.5
    for kind in (SMA, EMA):
        one = Indicator(kind, 4)
        results = [one.update(value) for value in values.tolist()]
        batch = streamed(kind, 4, values)
        assert [None if np.isnan(value) else value for value in batch.tolist()] == results
        assert (one.value, one.previous, one.ready) == (results[-1], results[-2], True)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_no_number_is_refused_and_changes_nothing(value):
    average = Indicator(SMA, 2)
    average.update(1.0)
    with pytest.raises(ValueError, match="finite"):
        average.update(value)
    with pytest.raises(ValueError, match="finite"):
        average.update_batch(np.array([5.0, value]))
    assert average.update(3.0) == 2.0


@pytest.mark.parametrize(("kind", "period"), [(1, 0), (3, 5), (2, 10**7)])
def test_unknown_kinds_and_impossible_periods_are_refused_by_rule(kind, period):
    with pytest.raises(ValueError, match="MUST_BE"):
        Indicator(kind, period)
