"""Points in time and durations as nanoseconds."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbell.model.errors import ConfigError, InputError
from openbell.model.time import duration, duration_ns, iso, to_ns

JAN5 = 1_641_340_800_000_000_000


@pytest.mark.parametrize(
    "value",
    [
        "2022-01-05",
        "2022-01-05T00:00:00Z",
        "2022-01-05 00:00Z",
        "2022-01-05T01:00+01:00",
        "2022-01-04T19:00:00.000-0500",
        dt.date(2022, 1, 5),
        dt.datetime(2022, 1, 5, tzinfo=dt.UTC),
        pd.Timestamp("2022-01-05", tz="UTC"),
        pd.Timestamp("2022-01-04 19:00", tz="America/New_York"),
        np.datetime64("2022-01-05"),
        JAN5,
        np.int64(JAN5),
    ],
)
def test_the_same_moment_in_every_form_is_the_same_number(value):
    assert to_ns(value) == JAN5


def test_nanoseconds_survive_text_and_pandas():
    assert to_ns("2022-01-05T00:00:00.123456789Z") == JAN5 + 123_456_789
    assert to_ns(pd.Timestamp("2022-01-05 00:00:00.123456789", tz="UTC")) == JAN5 + 123_456_789
    assert iso(JAN5 + 123_456_789) == "2022-01-05T00:00:00.123456789Z"
    assert iso(JAN5 + 120_000_000) == "2022-01-05T00:00:00.120Z" and iso(JAN5) == "2022-01-05T00:00:00Z"


@pytest.mark.parametrize(
    "value",
    [
        "2022-01-05T00:00:00",
        dt.datetime(2022, 1, 5),
        pd.Timestamp("2022-01-05"),
        np.datetime64("2022-01-05T00"),
    ],
)
def test_a_naive_time_needs_a_timezone(value):
    with pytest.raises(InputError, match="without a zone"):
        to_ns(value)
    assert to_ns(value, "UTC") == JAN5
    assert to_ns(value, "America/New_York") == JAN5 + duration_ns("5h")


def test_a_plain_date_is_midnight_in_the_zone_given_else_utc():
    assert (
        to_ns("2022-01-05", "America/New_York")
        == JAN5 + duration_ns("5h")
        == to_ns(dt.date(2022, 1, 5), "America/New_York")
    )


def test_an_hour_that_a_clock_change_repeats_or_skips_is_refused():
    with pytest.raises(InputError, match="happens twice"):
        to_ns("2021-11-07 01:30", "America/New_York")
    with pytest.raises(InputError, match="does not exist"):
        to_ns("2021-03-14 02:30", "America/New_York")
    assert to_ns("2021-11-07 01:30-05:00", "America/New_York") - to_ns(
        "2021-11-07 01:30-04:00"
    ) == duration_ns("1h")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "2022-13-01",
        "20220105",
        "2022-01-05T25:00Z",
        "2022-01-05T00:00+99:99",
        1.5,
        True,
        None,
        2**63,
        "2500-01-01",
    ],
)
def test_what_is_no_time_is_refused(value):
    with pytest.raises(InputError):
        to_ns(value)


def test_an_unknown_timezone_is_an_error_of_the_setting():
    with pytest.raises(ConfigError, match="Mars/Olympus"):
        to_ns("2022-01-05T00:00:00", "Mars/Olympus")


@given(st.integers(-(2**62), 2**62))
def test_iso_and_back_is_the_same_nanosecond(ns):
    assert to_ns(iso(ns)) == ns


@given(st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)))
def test_it_agrees_with_pandas_in_utc(moment):
    assert to_ns(moment, "UTC") == pd.Timestamp(moment, tz="UTC").as_unit("ns").value


def test_durations_have_units():
    assert [duration_ns(x) for x in ("30s", "5m", "5min", "1h", "1d", "1w", "250ms", "1us", "7ns", "1h30m", "1.5h")] == [
        30 * 10**9, 300 * 10**9, 300 * 10**9, 3_600 * 10**9, 86_400 * 10**9,
        7 * 86_400 * 10**9, 250 * 10**6, 1_000, 7, 5_400 * 10**9, 5_400 * 10**9,
    ]  # fmt: skip
    assert duration_ns(dt.timedelta(minutes=1)) == 60 * 10**9 and duration_ns(5) == 5
    assert duration(5_400 * 10**9) == "1h30m" and duration(86_400 * 10**9) == "1d" and duration(0) == "0s"


@pytest.mark.parametrize(
    "value", ["", "5", "5M", "1y", "h", "-5m", "5m junk", -1, 1.5, True, None, dt.timedelta(-1)]
)
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(InputError):
        duration_ns(value)
