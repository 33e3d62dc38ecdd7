"""Frames of pandas and polars, rows of ccxt, Parquet files."""

import datetime as dt
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest

from openbell.market_data.read_bars import read_bars
from openbell.model.errors import InputError
from openbell.model.instrument import Instrument
from openbell.model.time import NS_PER_HOUR, NS_PER_MINUTE, to_ns
from tests.market_data.conftest import GOOD
from tests.market_data.test_read_csv import check

DAYS = pd.date_range("2022-01-03", periods=3, name="Date")


def pandas_frame(index=DAYS):
    values = {
        "Open": [100, 101, 101.75],
        "High": [101.5, 102, 103],
        "Low": [99.25, 100.5, 101],
        "Close": [101, 101.75, 102.5],
        "Volume": [1000, 1100, 1200],
    }
    return pd.DataFrame(values, index=index)


def polars_frame():
    return pl.read_csv(GOOD.encode(), try_parse_dates=True)


FRAMES = {
    "pandas with dates in the index": pandas_frame(),
    "pandas with an unnamed index": pandas_frame(DAYS.rename(None)),
    "pandas with dates in a column": pandas_frame().reset_index(),
    "pandas with plain dates": pandas_frame(pd.Index([d.date() for d in DAYS], name="date")),
    "pandas with texts": pandas_frame(pd.Index(["2022-01-03", "2022-01-04", "2022-01-05"])),
    "pandas in UTC": pandas_frame(DAYS.tz_localize("UTC")),
    "pandas in microseconds": pandas_frame(DAYS.as_unit("us")),
    "pandas of objects": pandas_frame().astype(object),
    "pandas nullable": pandas_frame().convert_dtypes(),
    "pandas single precision": pandas_frame().astype("float32"),
    "polars": polars_frame(),
    "polars lazy": polars_frame().lazy(),
    "polars in ms": polars_frame().with_columns(pl.col("date").cast(pl.Datetime("ms"))),
    "polars texts": pl.read_csv(GOOD.encode(), infer_schema=False),
    "polars decimals": polars_frame().with_columns(
        pl.col("open", "high", "low", "close").cast(pl.Decimal(18, 4))
    ),
    "polars single precision": polars_frame().with_columns(
        pl.col("open", "high", "low", "close").cast(pl.Float32)
    ),
    "rows of ccxt": [
        [1641168000000, 100, 101.5, 99.25, 101, 1000],
        [1641254400000, 101, 102, 100.5, 101.75, 1100],
        [1641340800000, 101.75, 103, 101, 102.5, 1200],
    ],
}


@pytest.mark.parametrize("name", FRAMES)
def test_every_kind_of_frame_gives_the_same_bars(name):
    series = read_bars(FRAMES[name], symbol="ACME")["ACME"]
    check(series)
    assert (series.inputs[0].path, series.inputs[0].decoder) == ("<frame>", "frame-1")


def test_a_frame_is_hashed_by_what_it_holds():
    one, same = (read_bars(FRAMES[name]).series[0].inputs[0].sha256 for name in ("polars", "rows of ccxt"))
    other = (
        read_bars(FRAMES["polars"].with_columns(volume=pl.Series([1000, 1100, 1201])))
        .series[0]
        .inputs[0]
        .sha256
    )
    assert one == same != other and len(one) == 64


def test_frames_are_left_as_they_were():
    frame = pandas_frame().reset_index()
    before = frame.copy(deep=True)
    read_bars(frame)
    pd.testing.assert_frame_equal(frame, before)
    table = pl.DataFrame(
        {
            "date": ["2020.01.02"] * 2,
            "time": ["17:00", "17:01"],
            **{c: [1.0, 1.0] for c in ("open", "high", "low", "close")},
        }
    )
    again = table.clone()
    read_bars(table, timezone="UTC")
    assert table.equals(again)


def test_a_dict_gives_one_series_for_each_symbol(write):
    bars = read_bars(
        {"A": pandas_frame(), "B": polars_frame(), "C": write(GOOD), "D": [write(GOOD, "d.csv")]}
    )
    assert bars.symbols == ("A", "B", "C", "D") and len(bars) == 12
    for series in bars:
        check(series)


def test_the_two_level_columns_of_yfinance_give_a_series_for_each_ticker():
    both = pd.concat({"MSFT": pandas_frame(), "GOOG": pandas_frame().iloc[:2]}, axis=1)
    by_name = both.swaplevel(axis=1).sort_index(axis=1)
    for frame in (both, by_name):
        bars = read_bars(frame)
        assert set(bars.symbols) == {"MSFT", "GOOG"}
        check(bars["MSFT"])
        assert len(bars["GOOG"]) == 2 and any(
            "1 rows with no value at all" in note for note in bars["GOOG"].notes
        )
    check(read_bars(pd.concat({"MSFT": pandas_frame()}, axis=1))["MSFT"])


def test_a_long_frame_with_a_two_level_index_is_split_by_symbol():
    frame = pd.concat({"MSFT": pandas_frame(), "GOOG": pandas_frame()}, names=["symbol", "Date"])
    bars = read_bars(frame)
    check(bars["MSFT"]), check(bars["GOOG"])


def test_naive_intraday_frames_need_a_timezone():
    index = pd.date_range("2022-01-05 09:30", periods=3, freq="min", name="Datetime")
    with pytest.raises(InputError, match="<frame>, row 1, field 'Datetime': times without a zone"):
        read_bars(pandas_frame(index))
    first = to_ns("2022-01-05T14:30Z")
    for frame in (pandas_frame(index), pl.from_pandas(pandas_frame(index).reset_index())):
        series = read_bars(frame, timezone="America/New_York").series[0]
        assert series.open_time.tolist() == [first + i * NS_PER_MINUTE for i in range(3)]
    aware = pandas_frame(index.tz_localize("America/New_York"))
    assert read_bars(aware).series[0].open_time[0] == first


def test_aware_times_cross_a_clock_change_unharmed():
    index = pd.date_range("2021-11-07", periods=3, freq="h", tz="America/New_York", name="Datetime")
    assert np.diff(read_bars(pandas_frame(index)).series[0].open_time).tolist() == [NS_PER_HOUR] * 2


def test_rows_of_a_frame_are_counted_from_one():
    frame = pandas_frame()
    frame.iloc[1, 0] = np.nan
    with pytest.raises(InputError) as caught:
        read_bars(frame)
    assert (caught.value.source, caught.value.row, caught.value.field) == ("<frame>", 2, "open")
    mixed = pandas_frame().astype(object)
    mixed.iloc[2, 3] = "n/a"
    with pytest.raises(InputError, match="row 3, field 'close': not a number as price, found 'n/a'"):
        read_bars(mixed)


def test_an_empty_frame_and_ragged_rows_are_refused():
    with pytest.raises(InputError, match="no rows"):
        read_bars(pandas_frame().iloc[:0])
    with pytest.raises(InputError, match="wrong number of fields"):
        read_bars([[1641168000000, 1, 1, 1, 1], [1641254400000, 1, 1]])


def test_float_noise_of_a_frame_is_forgiven_by_a_declared_tick_but_not_more():
    frame = pl.DataFrame(
        {"date": [dt.date(2022, 1, 3)], **{c: [0.1 + 0.2] for c in ("open", "high", "low", "close")}}
    )
    assert read_bars(frame, instrument=Instrument("X", tick="0.1"))["X"].open.tolist() == [3]
    with pytest.raises(InputError, match="off the declared tick"):
        read_bars(
            frame.with_columns(pl.lit(0.29999999).alias(c) for c in ("open", "low")),
            instrument=Instrument("X", tick="0.1"),
        )


@pytest.mark.parametrize(
    "name", ["polars", "polars in ms", "polars decimals", "polars single precision", "polars texts"]
)
def test_parquet_files_hold_the_same(name, tmp_path):
    path = tmp_path / "ACME.parquet"
    FRAMES[name].write_parquet(path)
    series = read_bars(path)["ACME"]
    check(series)
    assert series.inputs[0].decoder == "parquet-1"


def test_pandas_parquet_with_its_index_is_read(tmp_path):
    path = tmp_path / "ACME.parquet"
    pandas_frame().to_parquet(path)
    check(read_bars(path)["ACME"])


def test_reading_a_file_imports_no_pandas(write):
    code = (
        "import sys; from openbell.market_data.read_bars import read_bars; assert 'polars' not in sys.modules; "
        "read_bars(sys.argv[1]); assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(write(GOOD))], check=True)
