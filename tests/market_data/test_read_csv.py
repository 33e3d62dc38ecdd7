"""CSV files as users have them: names, separators, compressions, headerless layouts and forms of time."""

import gzip
import io
import zipfile

import numpy as np
import pytest

from openbell.market_data.read_bars import read_bars
from openbell.model.errors import InputError
from openbell.model.instrument import Instrument
from openbell.model.time import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, to_ns
from tests.market_data.conftest import GOOD

ROWS = GOOD.split("\n", 1)[1]
JAN3 = to_ns("2022-01-03")

HEADERS = {
    "plain": "date,open,high,low,close,volume",
    "backtesting.py": ",Open,High,Low,Close,Volume",
    "yfinance": "Date,Open,High,Low,Close,Volume",
    "freqtrade": "date,open,high,low,close,volume",
    "pandas index": "Unnamed: 0,Open,High,Low,Close,Volume",
    "capitals": "TIMESTAMP,OPEN,HIGH,LOW,CLOSE,VOLUME",
    "binance": "Open time,Open,High,Low,Close,Volume",
    "databento": "ts_event,open,high,low,close,volume",
    "alpha vantage": "timestamp,1. open,2. high,3. low,4. close,5. volume",
    "metatrader": "<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
    "short": "t,o,h,l,c,v",
    "coin named": "Date,Open,High,Low,Close,Volume BTC",
    "underlined": "datetime,open_price,high_price,low_price,close_price,volume_btc",
    "spaces": " Date , Open , High , Low , Close , Volume ",
    "byte order mark": "﻿date,open,high,low,close,volume",
}


def check(series):
    assert series.open_time.tolist() == [JAN3 + i * NS_PER_DAY for i in range(3)]
    assert series.close_time.tolist() == [JAN3 + (i + 1) * NS_PER_DAY for i in range(3)]
    assert series.interval == NS_PER_DAY
    assert series.instrument == Instrument(series.symbol, tick="0.01", lot=1, tick_declared=False)
    assert series.open.tolist() == [10000, 10100, 10175] and series.high.tolist() == [10150, 10200, 10300]
    assert series.low.tolist() == [9925, 10050, 10100] and series.close.tolist() == [10100, 10175, 10250]
    assert series.volume.tolist() == [1000, 1100, 1200]


@pytest.mark.parametrize("name", HEADERS)
def test_columns_are_found_under_the_names_users_have(name, write):
    check(read_bars(write(HEADERS[name] + "\n" + ROWS)).series[0])


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_are_seen(separator, write):
    check(read_bars(write(GOOD.replace(",", separator))).series[0])


def test_line_ends_blank_lines_and_a_missing_last_newline_do_not_matter(write):
    check(read_bars(write(GOOD.replace("\n", "\r\n"))).series[0])
    check(read_bars(write(GOOD.replace("\n", "\n\n") + "\n\n")).series[0])
    check(read_bars(write(GOOD.rstrip("\n"))).series[0])
    check(read_bars(write(GOOD.replace(",", " , "))).series[0])
    check(
        read_bars(
            write("\n".join(",".join(f'"{x}"' for x in line.split(",")) for line in GOOD.splitlines()))
        ).series[0]
    )


def test_compressed_files_are_known_by_their_bytes(write):
    check(read_bars(write(gzip.compress(GOOD.encode()), "bars.csv.gz")).series[0])
    check(read_bars(write(gzip.compress(GOOD.encode()), "misnamed.csv")).series[0])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bars.csv", GOOD)
    check(read_bars(write(buffer.getvalue(), "bars.zip")).series[0])


def test_zstd_needs_no_further_package(write):
    zstandard = pytest.importorskip("zstandard")
    check(read_bars(write(zstandard.compress(GOOD.encode()), "bars.csv.zst")).series[0])


def test_the_symbol_is_the_name_of_the_file_unless_given(write):
    assert read_bars(write(GOOD, "GOOG.csv.gz")).symbols == ("GOOG",)
    assert read_bars(write(GOOD, "BRK.B.csv")).symbols == ("BRK.B",)
    assert read_bars(write(GOOD), symbol="ACME").symbols == ("ACME",)
    assert read_bars(write(GOOD), instrument=Instrument("ACME")).symbols == ("ACME",)
    assert read_bars({"ACME": write(GOOD)}).symbols == ("ACME",)


@pytest.mark.parametrize("finer", ["", "000"], ids=["milliseconds", "microseconds since 2025"])
def test_binance_klines_without_header_are_read(finer, write):
    minutes = [1_640_995_200_000 + i * 60_000 for i in range(3)]
    middle = "46216.9,46271.0,46208.3,46250.0,40.579"
    last = finer.replace("0", "9")
    rows = [f"{t}{finer},{middle},{t + 59_999}{last},1876.1,1111,20.1,929.3,0" for t in minutes]
    series = read_bars(write("\n".join(rows)), symbol="BTCUSDT")["BTCUSDT"]
    assert series.open_time.tolist() == [t * 10**6 for t in minutes]
    assert series.close_time.tolist() == [t * 10**6 + NS_PER_MINUTE for t in minutes]
    assert series.instrument == Instrument("BTCUSDT", tick="0.1", lot="0.001", tick_declared=False)
    assert any("no header" in note for note in series.notes)


@pytest.mark.parametrize("tail", ["", ",12", ",12,7"], ids=["without volume", "six", "kraken with trades"])
def test_other_headerless_layouts_are_read(tail, write):
    rows = [f"{1_640_995_200 + i * 3600},1.5,2,1,1.75{tail}" for i in range(3)]
    series = read_bars(write("\n".join(rows))).series[0]
    assert series.interval == NS_PER_HOUR and series.volume.tolist() == [12 if tail else 0] * 3
    assert any("epoch s" in note for note in series.notes)
    assert bool(tail) != any("no volume column" in note for note in series.notes)


def test_kraken_rest_rows_put_the_average_before_the_volume(write):
    rows = [f"{1_640_995_200 + i * 60},1.5,2,1,1.75,1.6,12,7" for i in range(3)]
    assert read_bars(write("\n".join(rows))).series[0].volume.tolist() == [12, 12, 12]


def test_date_and_clock_in_two_columns_are_joined(write):
    text = "2020.01.02,17:00,1.5,2,1,1.75,3\n2020.01.02,17:01,1.5,2,1,1.75,3\n"
    for header in ("", "<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\n"):
        series = read_bars(write(header + text), timezone="UTC").series[0]
        assert series.open_time.tolist() == [to_ns("2020-01-02T17:00Z"), to_ns("2020-01-02T17:01Z")]


def test_an_unknown_headerless_layout_is_read_by_a_list_of_names(write):
    path = write("1,2022-01-03,7,1,2,0.5,1.5\n2,2022-01-04,7,1,2,0.5,1.5\n".replace(",7,", ",7,8,9,10,11,"))
    with pytest.raises(InputError, match=r"no usual layout of 11 columns.*columns=\["):
        read_bars(path)
    names = ["id", "date", "a", "b", "x", "y", "z", "open", "high", "low", "close"]
    assert len(read_bars(path, columns=names)) == 2
    with pytest.raises(InputError, match="names 2 columns"):
        read_bars(path, columns=["date", "open"])


def test_unusual_names_are_mapped(write):
    path = write("day,first,top,bottom,Px_Last\n2022-01-03,1,2,0.5,1.5\n2022-01-04,1,2,0.5,1.5\n")
    mapping = {"time": "day", "open": "first", "high": "top", "low": "bottom", "close": "Px_Last"}
    assert len(read_bars(path, columns=mapping)) == 2
    with pytest.raises(InputError, match=r"a column that is not there.*'last'"):
        read_bars(path, columns={**mapping, "close": "last"})


def test_yfinance_files_with_three_header_lines_are_read(write):
    text = (
        "Price,Close,High,Low,Open,Volume\nTicker,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,\n"
        "2022-01-03,101,101.5,99.25,100,1000\n2022-01-04,x,2,1,1,1\n"
    )
    series = read_bars(write(text), lenient=True)["AAPL"]
    assert series.open.tolist() == [10000] and series.close.tolist() == [10100] and series.skipped == 1
    with pytest.raises(InputError) as caught:
        read_bars(write(text))
    assert caught.value.row == 5


MINUTES = {
    "iso": ("2022-01-05 14:30:00", "2022-01-05 14:31:00"),
    "T": ("2022-01-05T14:30", "2022-01-05T14:31"),
    "fractions": ("2022-01-05 14:30:00.000000", "2022-01-05 14:31:00"),
    "nanoseconds": ("2022-01-05 14:30:00.000000000", "2022-01-05 14:31:00.000000000"),
    "slashes": ("2022/01/05 14:30", "2022/01/05 14:31"),
    "compact": ("20220105 143000", "20220105 143100"),
    "lean": ("20220105 14:30", "20220105 14:31"),
    "noon": ("2022-01-05 02:30 PM", "2022-01-05 02:31 PM"),
}
ZONED = {
    "Z": ("2022-01-05T14:30:00Z", "2022-01-05T14:31:00Z"),
    "UTC": ("2022-01-05 14:30:00 UTC", "2022-01-05 14:31:00 UTC"),
    "offset": ("2022-01-05 09:30:00-05:00", "2022-01-05 09:31:00-05:00"),
    "two offsets": ("2022-01-05 09:30:00-05:00", "2022-01-05 15:31:00+01:00"),
    "short offset": ("2022-01-05 14:30:00+00", "2022-01-05 14:31:00+00"),
    "dukascopy": ("05.01.2022 15:30:00.000 GMT+0100", "05.01.2022 15:31:00.000 GMT+0100"),
    "seconds": ("1641393000", "1641393060"),
    "seconds with point": ("1641393000.0", "1641393060.0"),
    "milliseconds": ("1641393000000", "1641393060000"),
    "microseconds": ("1641393000000000", "1641393060000000"),
    "nanoseconds": ("1641393000000000000", "1641393060000000000"),
}


def minute_file(write, times):
    return write("time,open,high,low,close\n" + "".join(f"{time},1,1,1,1\n" for time in times))


@pytest.mark.parametrize("name", MINUTES)
def test_naive_times_need_a_timezone(name, write):
    path = minute_file(write, MINUTES[name])
    with pytest.raises(InputError, match=r"times without a zone.*timezone=") as caught:
        read_bars(path)
    assert caught.value.row == 2
    first = to_ns("2022-01-05T14:30Z")
    assert read_bars(path, timezone="UTC").series[0].open_time.tolist() == [first, first + NS_PER_MINUTE]
    assert read_bars(path, timezone="America/New_York").series[0].open_time[0] == first + 5 * NS_PER_HOUR


@pytest.mark.parametrize("name", ZONED)
def test_times_with_a_zone_and_epochs_are_utc(name, write):
    first = to_ns("2022-01-05T14:30Z")
    for timezone in (None, "America/New_York"):
        series = read_bars(minute_file(write, ZONED[name]), timezone=timezone).series[0]
        assert series.open_time.tolist() == [first, first + NS_PER_MINUTE]
        assert (timezone is None) != any("is not used" in note for note in series.notes)


@pytest.mark.parametrize(
    ("times", "first"),
    [
        (("1/2/2022", "1/13/2022"), "2022-01-02"),
        (("2/1/2022", "13/1/2022"), "2022-01-02"),
        (("02.01.2022", "03.01.2022"), "2022-01-02"),
        (("20220102", "20220103"), "2022-01-02"),
        (("Jan 2, 2022", "Jan 3, 2022"), "2022-01-02"),
    ],
)
def test_dates_are_read_in_the_order_the_column_shows(times, first, write):
    path = write("time;open;high;low;close\n" + "".join(f"{time};1;1;1;1\n" for time in times))
    series = read_bars(path).series[0]
    assert series.open_time[0] == to_ns(first) and "plain dates are read as midnight UTC" in series.notes


def test_dates_whose_order_cannot_be_told_are_refused(write):
    with pytest.raises(InputError, match="cannot be told apart"):
        read_bars(minute_file(write, ("1/2/2022", "1/3/2022")))


def test_epochs_of_two_units_are_refused(write):
    with pytest.raises(InputError, match="no epoch of one unit"):
        read_bars(minute_file(write, ("1641393000", "1641393060000")))


def test_hours_that_a_clock_change_repeats_or_skips_are_refused_with_their_row(write):
    path = minute_file(write, ("2021-11-07 00:30", "2021-11-07 01:30", "2021-11-07 02:30"))
    with pytest.raises(InputError, match="twice or never in America/New_York") as caught:
        read_bars(path, timezone="America/New_York")
    assert (caught.value.row, caught.value.value) == (3, "2021-11-07 01:30")
    spring = minute_file(write, ("2021-03-14 01:30", "2021-03-14 02:30", "2021-03-14 03:30"))
    with pytest.raises(InputError, match="twice or never"):
        read_bars(spring, timezone="America/New_York")
    series = read_bars(spring, timezone="America/New_York", lenient=True).series[0]
    assert series.skipped == 1 and np.diff(series.open_time).tolist() == [NS_PER_HOUR]


def test_bar_time_says_which_end_of_the_bar_is_written(write):
    path = minute_file(write, ("2022-01-05T14:30Z", "2022-01-05T14:31Z", "2022-01-05T14:35Z"))
    first = to_ns("2022-01-05T14:30Z")
    opens = read_bars(path, bar_time="open").series[0]
    assert opens.open_time[0] == first and opens.close_time.tolist() == [
        first + m * NS_PER_MINUTE for m in (1, 2, 6)
    ]
    assert not any("bar_time" in note for note in opens.notes)
    closes = read_bars(path, bar_time="close").series[0]
    assert closes.close_time[0] == first and closes.open_time.tolist() == [
        first + m * NS_PER_MINUTE for m in (-1, 0, 4)
    ]
    assert any("bar_time= was not given" in note for note in read_bars(path).series[0].notes)


def test_weekends_and_months_do_not_stretch_the_bars(write):
    days = read_bars(minute_file(write, ("2022-01-06", "2022-01-07", "2022-01-10"))).series[0]
    assert (days.close_time - days.open_time).tolist() == [NS_PER_DAY] * 3
    two = read_bars(minute_file(write, ("2022-01-07", "2022-01-10"))).series[0]
    assert two.interval == NS_PER_DAY
    months = read_bars(minute_file(write, ("2022-01-01", "2022-02-01", "2022-03-01", "2022-04-01"))).series[0]
    assert months.interval == 31 * NS_PER_DAY
    assert (months.close_time[:-1] == months.open_time[1:]).all()


def test_a_single_bar_has_no_interval_unless_it_is_a_day(write):
    assert read_bars(minute_file(write, ("2022-01-05T14:30Z",))).series[0].interval == 0
    assert read_bars(minute_file(write, ("2022-01-05",))).series[0].interval == NS_PER_DAY


def test_a_file_written_newest_first_is_read_in_reverse(write):
    days = [f"2022-01-{day:02d}" for day in range(20, 4, -1)]
    series = read_bars(minute_file(write, days)).series[0]
    assert (
        np.diff(series.open_time) > 0
    ).all() and "rows were newest first and are read in reverse" in series.notes
    with pytest.raises(InputError, match="time goes backwards"):
        read_bars(minute_file(write, [*days[:5], days[7], days[6], *days[8:]]))
    with pytest.raises(InputError, match="time goes backwards"):
        read_bars(minute_file(write, days[:2]))


def test_several_files_follow_each_other_whatever_their_order(write):
    head, one, two, three, _ = GOOD.split("\n")
    a = write(f"{head}\n{one}\n{two}", "a.csv")
    b = write(f"{head}\n{three}", "b.csv")
    series = read_bars([b, a], symbol="ACME")["ACME"]
    check(series)
    assert [file.path for file in series.inputs] == [str(a), str(b)] and len(
        {file.sha256 for file in series.inputs}
    ) == 2
    assert len(read_bars([a, b]).series) == 1
    with pytest.raises(InputError, match=r"overlaps .*a\.csv in time") as caught:
        read_bars([a, write(f"{head}\n{two}\n{three}", "c.csv")], symbol="ACME")
    assert str(caught.value.source).endswith("c.csv") and caught.value.row == 2


def test_the_unit_is_the_finest_of_all_files(write):
    a = write("date,open,high,low,close\n2022-01-03,1,1,1,1\n", "a.csv")
    b = write("date,open,high,low,close\n2022-01-04,1,1.125,1,1\n", "b.csv")
    assert read_bars([a, b], symbol="X")["X"].high.tolist() == [1000, 1125]


def test_a_column_of_symbols_gives_one_series_each(write):
    lines = GOOD.splitlines()
    text = "\n".join([lines[0] + ",Name", *(f"{line},{name}" for line in lines[1:] for name in ("B", "A"))])
    path = write(text)
    bars = read_bars(path)
    assert bars.symbols == ("B", "A")
    check(bars["A"])
    assert read_bars(path, symbol="A").symbols == ("A",)
    with pytest.raises(InputError, match=r"no rows of this symbol.*'C'.*B, A"):
        read_bars(path, symbol="C")
    units = {"A": Instrument("A", tick="0.05", price_unit="0.01"), "B": Instrument("B", tick="0.25")}
    declared = read_bars(path, instrument=units)
    assert declared["A"].instrument == units["A"] and declared["B"].open.tolist() == [400, 404, 407]


def test_start_and_end_keep_the_bars_that_open_in_between(write):
    path = write(GOOD)
    assert read_bars(path, start="2022-01-04").series[0].open.tolist() == [10100, 10175]
    assert read_bars(path, start="2022-01-04", end="2022-01-05").series[0].open.tolist() == [10100]
    with pytest.raises(InputError, match="has no bar from 2023-01-01"):
        read_bars(path, start="2023-01-01")


def test_prices_written_as_scaled_integers_are_scaled_exactly(write):
    path = write(
        "date,open,high,low,close\n2022-01-03,136300,162500,135000,162501\n".replace("162500", "162501")
    )
    series = read_bars(path, price_scale="0.0001").series[0]
    assert series.high.tolist() == [162501] and str(series.instrument.tick) == "0.0001"


def test_a_declared_instrument_decides_units_and_rounds_only_volume(write):
    series = read_bars(
        write(GOOD.replace("1100", "1100.25")),
        instrument=Instrument("ACME", tick="0.25", lot=100, quantity_unit="0.5"),
    )["ACME"]
    assert series.open.tolist() == [400, 404, 407] and series.volume.tolist() == [2000, 2200, 2400]
    assert any("rounded to the quantity unit 0.5" in note for note in series.notes)


def test_close_times_that_are_written_are_used(write):
    text = (
        "open_time,open,high,low,close,close_time\n2022-01-05T14:30Z,1,1,1,1,2022-01-05T14:30:30Z\n"
        "2022-01-05T14:31Z,1,1,1,1,2022-01-05T14:31:30Z\n"
    )
    series = read_bars(write(text)).series[0]
    assert (series.close_time - series.open_time).tolist() == [NS_PER_MINUTE // 2] * 2
    with pytest.raises(InputError, match="closes before it opens"):
        read_bars(write(text.replace("14:30:30", "14:29:30")))
    with pytest.raises(InputError, match="closes after the next one opens"):
        read_bars(write(text.replace("14:30:30", "14:32:30")))


def test_an_address_above_the_header_is_passed_over(write):
    check(read_bars(write("https://www.example.com\n" + GOOD)).series[0])
    with pytest.raises(InputError) as caught:
        read_bars(write("https://www.example.com\n" + GOOD.replace("101.75,1100", "0,1100")))
    assert caught.value.row == 4


def test_a_single_bar_of_unknown_length_says_so(write):
    series = read_bars(minute_file(write, ("2022-01-05T14:30Z",))).series[0]
    assert series.close_time.tolist() == series.open_time.tolist()
    assert "the length of a single bar is unknown: it closes when it opens" in series.notes
