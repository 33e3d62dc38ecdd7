"""The bars carried in examples/data are what their README says."""

import importlib.util
import runpy
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openbell.market_data.read_bars import read_bars

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "data"
FILE = FOLDER / "us_stocks_daily.parquet"
ROWS = {"AAPL": 3_270, "FB": 196, "GOOG": 2_148, "IBM": 3_270, "MSFT": 3_270}


@pytest.fixture(scope="module")
def bars():
    return read_bars(FILE)


def test_five_symbols_with_their_rows_and_periods(bars):
    assert {series.symbol: len(series) for series in bars} == ROWS and FILE.stat().st_size < 200_000
    frame = bars.to_polars()
    assert frame["open_time"].min().date() == date(2000, 3, 1) and frame["open_time"].max().date() == date(
        2013, 3, 1
    )


def test_prices_are_kept_to_the_last_digit(bars):
    frame = pl.read_parquet(FILE)
    for series in bars:
        source = frame.filter(symbol=series.symbol)
        for field in ("open", "high", "low", "close", "volume"):
            assert np.array_equal(series.values(field), source[field].to_numpy().astype(float))


def test_no_split_is_left_and_the_digits_are_those_documented(bars):
    assert not any("split" in note or "noise" in note or "rounded" in note for note in bars.notes)
    ticks = {series.symbol: str(series.instrument.tick) for series in bars}
    assert ticks == {"AAPL": "0.00001", "FB": "0.0001", "GOOG": "0.0001", "IBM": "0.0001", "MSFT": "0.0001"}
    off = sum(int(_off_cent(series).sum()) for series in bars)
    assert off == 3_135


def _off_cent(series):
    prices = np.stack([series.values(field) for field in ("open", "high", "low", "close")])
    return (np.round(prices, 2) != prices).any(axis=0)


def test_the_script_makes_the_same_table_from_the_package():
    if importlib.util.find_spec("bokeh_sampledata") is None:
        pytest.skip("bokeh_sampledata is not installed: pip install --no-deps bokeh_sampledata==2026.1")
    script = runpy.run_path(str(FOLDER / "make_us_stocks.py"))
    source = script["read"](script["packaged_file"]())
    made = script["adjusted"](source).sort("symbol", "date")
    assert made.equals(pl.read_parquet(FILE))
    raw = source.sort("symbol", "date").with_columns(pl.col("open", "high", "low", "close").cast(pl.Float64))
    changed = (
        raw.select(pl.col("close") / made["close"], "symbol")
        .group_by("symbol")
        .agg(pl.col("close").round(9).unique())
    )
    factors = {symbol: sorted(values) for symbol, values in changed.iter_rows()}
    assert factors == {"AAPL": [1, 2, 4], "FB": [1], "GOOG": [1], "IBM": [1], "MSFT": [1, 2]}
    off = sum(int((raw[c].round(2) != raw[c]).sum() > 0) for c in ("open",))
    assert off == 1
