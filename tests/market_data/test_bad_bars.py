"""Every kind of bad input gets one clear error that names file, row, field, what was found and what was expected."""

import gzip
import io
import zipfile

import polars as pl
import pytest

from openbell.market_data.read_bars import read_bars
from openbell.model.errors import ConfigError, InputError
from openbell.model.instrument import Instrument
from tests.market_data.conftest import GOOD

HEADER = "date,open,high,low,close,volume\n"
DAY1 = "2022-01-03,100,101.5,99.25,101,1000\n"


def day2(**cells):
    row = {
        "date": "2022-01-04",
        "open": "101",
        "high": "102",
        "low": "100.5",
        "close": "101.75",
        "volume": "1100",
        **cells,
    }
    return HEADER + DAY1 + ",".join(row.values()) + "\n" + "2022-01-05,101.75,103,101,102.5,1200\n"


BAD_ROWS = {
    "a duplicate time": (day2(date="2022-01-03"), "time", "duplicate time", "2022-01-03"),
    "a time that goes backwards": (day2(date="2022-01-02"), "time", "time goes backwards", "2022-01-02"),
    "a word for a time": (day2(date="yesterday"), "time", "not a time", "yesterday"),
    "an impossible date": (day2(date="2022-02-30"), "time", "not a time", "2022-02-30"),
    "no time": (day2(date=""), "time", "not a time", "nothing"),
    "a time beyond 64 bits": (day2(date="2400-01-01"), "time", "outside 64-bit", "2400-01-01"),
    "NaN": (day2(open="nan"), "open", "price is not finite", "nan"),
    "infinity": (day2(high="inf"), "high", "price is not finite", "inf"),
    "an empty price": (day2(close=""), "close", "not a number as price", "nothing"),
    "a word for a price": (day2(low="low"), "low", "not a number as price", "low"),
    "a decimal comma": (day2(open='"101,5"'), "open", "not a number as price", "101,5"),
    "a negative price": (day2(low="-1"), "low", "price not above zero", "-1"),
    "a price of zero": (day2(open="0"), "open", "price not above zero", "0"),
    "high below low": (day2(high="100.4"), "high", "high below low", "100.4"),
    "high below open": (day2(high="100.9", close="100.8"), "high", "high below open", "100.9"),
    "high below close": (day2(high="101.5"), "high", "high below close", "101.5"),
    "low above open": (day2(low="101.25"), "low", "low above open", "101.25"),
    "low above close": (day2(low="100.5", close="100.25"), "low", "low above close", "100.5"),
    "a negative volume": (day2(volume="-5"), "volume", "negative volume", "-5"),
    "a volume that is NaN": (day2(volume="NaN"), "volume", "volume is not finite", "NaN"),
    "a word for a volume": (day2(volume="many"), "volume", "not a number as volume", "many"),
    "a price beyond 64 bits": (day2(high="9e18", low="100.25"), "high", "price does not fit 64 bits", "9e18"),
    "a price beyond floats": (day2(high="1e400"), "high", "price is not finite", "1e400"),
    "a volume beyond 64 bits": (day2(volume="1e19"), "volume", "volume does not fit 64 bits", "1e19"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_named_with_file_row_field_and_value(name, write):
    text, field, reason, value = BAD_ROWS[name]
    path = write(text)
    with pytest.raises(InputError, match=reason) as caught:
        read_bars(path)
    error = caught.value
    assert (error.source, error.row, error.field, str(error.value)) == (str(path), 3, field, value)
    assert error.expected and "\n" not in str(error)


@pytest.mark.parametrize("name", [name for name in BAD_ROWS if name != "a volume beyond 64 bits"])
def test_a_lenient_reading_counts_what_it_skips(name, write):
    text, _, reason, _ = BAD_ROWS[name]
    series = read_bars(write(text), lenient=True).series[0]
    assert len(series) == 2 and series.skipped == 1
    assert any(
        f"1 bad row skipped: 1 {reason}" in note or ("1 bad row skipped" in note and reason in note)
        for note in series.notes
    )


def test_the_first_bad_row_is_the_one_named(write):
    path = write(HEADER + DAY1 + "2022-01-04,1,1,1,x,1\n" + "2022-01-05,-1,1,1,1,1\n")
    with pytest.raises(InputError) as caught:
        read_bars(path)
    assert caught.value.row == 3


def test_rows_are_counted_as_an_editor_does_past_blank_lines_and_quotes(write):
    path = write(
        '\ndate,open,high,low,close,volume,memo\n2022-01-03,1,1,1,1,1,"two\nlines"\n\n\n2022-01-04,1,1,1,0,1,x\n'
    )
    with pytest.raises(InputError) as caught:
        read_bars(path)
    assert (caught.value.row, caught.value.field) == (7, "close")


@pytest.mark.parametrize("row", ["2022-01-04,101,102,100.5", "2022-01-04,101,102,100.5,101.75,1100,7"])
def test_a_row_with_too_few_or_too_many_fields_is_refused(row, write):
    path = write(HEADER + DAY1 + row + "\n" + "2022-01-05,101.75,103,101,102.5,1200\n")
    with pytest.raises(InputError, match=r"wrong number of fields.*expected 6 fields") as caught:
        read_bars(path)
    assert caught.value.row == 3
    series = read_bars(path, lenient=True).series[0]
    assert len(series) == 2 and series.skipped == 1 and "wrong number of fields" in series.notes[-1]


def test_a_file_cut_inside_its_last_row_is_refused(write):
    with pytest.raises(InputError, match="wrong number of fields"):
        read_bars(write(GOOD[: GOOD.rindex(",102.5")]))


@pytest.mark.parametrize("content", ["", "\n\n  \n", "﻿"])
def test_an_empty_file_is_refused(content, write):
    with pytest.raises(InputError, match="empty file"):
        read_bars(write(content))


def test_a_header_without_rows_is_refused(write):
    with pytest.raises(InputError, match="a header and no rows"):
        read_bars(write(HEADER))


def test_missing_columns_are_listed_with_those_seen_and_the_remedy(write):
    path = write("date,open,top,low,volume\n2022-01-03,1,1,1,1\n")
    with pytest.raises(InputError) as caught:
        read_bars(path)
    message = str(caught.value)
    assert "missing columns high, close" in message and "date, open, top, low, volume" in message
    assert 'columns={"high":' in message


def test_two_columns_for_one_field_are_refused(write):
    with pytest.raises(InputError, match="two columns could be 'close': 'Close' and 'close'"):
        read_bars(write("date,open,high,low,Close,close\n2022-01-03,1,1,1,1,1\n"))


def test_text_that_is_not_utf8_is_refused_with_its_row(write):
    with pytest.raises(InputError, match="not UTF-8") as caught:
        read_bars(write(GOOD.encode().replace(b"101.75,1100", b"101.75\xff,1100")))
    assert caught.value.row == 3


@pytest.mark.parametrize("cut", [8, -12, -4])
def test_a_gzip_that_ends_early_is_refused(cut, write):
    with pytest.raises(InputError, match="ends early"):
        read_bars(write(gzip.compress(GOOD.encode())[:cut], "bars.csv.gz"))


def test_a_damaged_gzip_is_refused(write):
    data = bytearray(gzip.compress(GOOD.encode() * 50))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(InputError, match="damaged"):
        read_bars(write(bytes(data), "bars.csv.gz"))


def test_a_truncated_zstd_is_refused(write):
    zstandard = pytest.importorskip("zstandard")
    with pytest.raises(InputError, match="damaged or ends early"):
        read_bars(write(zstandard.compress(GOOD.encode() * 50)[:-6], "bars.csv.zst"))


def test_a_zip_of_several_files_or_cut_short_is_refused(write):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", GOOD)
        archive.writestr("b.csv", GOOD)
    with pytest.raises(InputError, match=r"zip holds 2 files.*a\.csv, b\.csv"):
        read_bars(write(buffer.getvalue(), "bars.zip"))
    with pytest.raises(InputError, match="damaged or ends early"):
        read_bars(write(buffer.getvalue()[:-30], "cut.zip"))


@pytest.mark.parametrize("keep", [0, 4, 200, -1, -8])
def test_a_truncated_parquet_is_refused(keep, tmp_path, write):
    whole = tmp_path / "whole.parquet"
    pl.read_csv(GOOD.encode()).write_parquet(whole)
    with pytest.raises(InputError, match="Parquet file"):
        read_bars(write(whole.read_bytes()[:keep], "cut.parquet"))


def test_a_damaged_parquet_is_refused(tmp_path, write):
    whole = tmp_path / "whole.parquet"
    pl.read_csv(GOOD.encode()).write_parquet(whole)
    data = bytearray(whole.read_bytes())
    data[4:80] = bytes(76)
    with pytest.raises(InputError, match="Parquet file is damaged"):
        read_bars(write(bytes(data), "bad.parquet"))


def test_a_path_that_is_not_there_suggests_what_may_be_meant(write):
    path = write(GOOD, "btc_1m.csv")
    with pytest.raises(InputError, match=r"no such file.*btc_1m\.csv"):
        read_bars(path.with_name("btc-1m.csv"))
    with pytest.raises(InputError, match=r"the directory .*nowhere to exist"):
        read_bars(path.parent / "nowhere" / "btc.csv")


def test_a_directory_is_refused_naming_what_it_holds(write):
    path = write(GOOD)
    with pytest.raises(InputError, match=r"is a directory.*bars\.csv"):
        read_bars(path.parent)


@pytest.mark.parametrize("source", [7, None, object(), b"bytes", [], {1, 2}])
def test_what_is_no_source_is_refused(source):
    with pytest.raises(InputError):
        read_bars(source)


def test_a_price_off_the_declared_tick_names_the_tick(write):
    path = write(day2(close="101.755"))
    with pytest.raises(InputError) as caught:
        read_bars(path, instrument=Instrument("ACME", tick="0.01"))
    error = caught.value
    assert (error.source, error.row, error.field, error.value) == (str(path), 3, "close", "101.755")
    assert "off the declared tick" in str(error) and "a multiple of the tick 0.01" in str(error)
    series = read_bars(path, instrument=Instrument("ACME", tick="0.01"), lenient=True)["ACME"]
    assert len(series) == 2 and series.skipped == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"bar_time": "middle"},
        {"adjust": "forward"},
        {"timezone": "Mars/Olympus"},
        {"columns": {"closing": "close"}},
        {"columns": {"Close": "close"}},
        {"columns": "close"},
        {"price_scale": 3},
        {"instrument": {"OTHER": Instrument("OTHER")}},
        {"instrument": Instrument("ACME"), "symbol": "OTHER"},
    ],
)
def test_impossible_arguments_are_errors_of_the_setting(arguments, write):
    with pytest.raises(ConfigError):
        read_bars(write(GOOD), **arguments)


def test_wrong_types_in_a_parquet_are_refused(tmp_path):
    path = tmp_path / "typed.parquet"
    frame = pl.read_csv(GOOD.encode())
    frame.with_columns(pl.Series("open", [True, False, True])).write_parquet(path)
    with pytest.raises(InputError, match="not a number as price") as caught:
        read_bars(path)
    assert caught.value.row == 1 and caught.value.field == "open"
    frame.with_columns(pl.Series("date", [[1], [2], [3]])).write_parquet(path)
    with pytest.raises(InputError, match="holds no times"):
        read_bars(path)


def test_when_nothing_good_is_left_a_lenient_reading_fails_too(write):
    with pytest.raises(InputError, match="no row is left"):
        read_bars(write(HEADER + "2022-01-03,0,0,0,0,0\n"), lenient=True)
