"""Bars and BarSeries as users hold them."""

import pickle

import numpy as np
import polars as pl
import pytest

from openbell.market_data.bars import Bars
from openbell.market_data.read_bars import read_bars
from openbell.model.errors import InputError
from openbell.model.time import to_ns
from tests.market_data.conftest import GOOD


@pytest.fixture
def bars(write):
    return read_bars(
        {
            "A": write(GOOD, "a.csv"),
            "B": write(GOOD.replace("101", "102", 1).replace("101.5", "103"), "b.csv"),
        }
    )


def test_bars_are_asked_by_symbol(bars):
    assert bars.symbols == ("A", "B") and "A" in bars and "C" not in bars
    assert bars["A"].symbol == "A" and len(bars["A"]) == 3 and len(bars) == 6
    assert [series.symbol for series in bars] == ["A", "B"]
    with pytest.raises(InputError, match=r"no such symbol.*'C'.*A, B"):
        bars["C"]


def test_repr_says_what_is_there(bars):
    text = repr(bars)
    assert (
        "A: 3 bars of 1d, 2022-01-03T00:00:00Z to 2022-01-06T00:00:00Z, USD, tick 0.01, lot 1 (inferred)"
        in text
    )
    assert repr(bars["A"]).startswith("<BarSeries A: 3 bars")


def test_arrays_cannot_be_written(bars):
    with pytest.raises(ValueError, match="read-only"):
        bars["A"].close[0] = 1


def test_slices_are_half_open_and_never_empty(bars):
    part = bars.slice("2022-01-04", "2022-01-05")
    assert len(part) == 2 and part["A"].open_time.tolist() == [to_ns("2022-01-04")]
    assert len(bars.slice(start="2022-01-04")) == 4 and len(bars.slice()) == 6
    assert read_bars(bars, end="2022-01-04").symbols == ("A", "B") and read_bars(bars) is bars
    with pytest.raises(InputError, match="A has no bar"):
        bars.slice(end="2022-01-01")


def test_frames_hold_utc_times_and_the_prices_written(bars):
    frame = bars.to_polars("A")
    assert frame.columns == ["open_time", "close_time", "open", "high", "low", "close", "volume"]
    assert frame.schema["open_time"] == pl.Datetime("ns", "UTC")
    assert frame["high"].to_list() == [101.5, 102.0, 103.0] and frame["volume"].to_list() == [
        1000,
        1100,
        1200,
    ]
    assert bars.to_polars()["symbol"].to_list() == ["A"] * 3 + ["B"] * 3
    assert np.array_equal(read_bars(bars.to_polars().drop("close_time"))["B"].close, bars["B"].close)


def test_bars_survive_pickle_and_refuse_a_symbol_twice(bars):
    again = pickle.loads(pickle.dumps(bars))
    assert again["A"].instrument == bars["A"].instrument and (again["A"].close == bars["A"].close).all()
    with pytest.raises(InputError, match="appears twice"):
        Bars([bars["A"], bars["A"]])
    with pytest.raises(InputError, match="no bars"):
        Bars([])
