"""Bars as records: their order, what completes an update, where days end, and that pieces make no difference."""

import numpy as np
import pytest

from openbell import InputError, Instrument
from openbell.messages.layouts import HEAD_DTYPE, LAST_OF_MESSAGE, message_numbers, select
from openbell.messages.market_data import bar_batches
from tests.runtime.story import DAY, FIRST_DAY, flat, market
from tests.runtime.wild import HOUR, wild_markets

BAR, CLOSED = (message_numbers()[name] for name in ("BarObserved", "SessionClosed"))


def heads(slots):
    """Heads of the records, continuations left out."""
    found = slots.view(HEAD_DTYPE)
    return found[np.isin(found["message"], (BAR, CLOSED))]


@pytest.mark.parametrize("rows", [1, 2, 7, 100, 10**6])
def test_the_size_of_the_pieces_makes_no_difference(rows):
    series = wild_markets(1, 100).series
    whole = np.concatenate(list(bar_batches(series)))
    assert np.concatenate(list(bar_batches(series, rows=rows))).tobytes() == whole.tobytes()


def test_bars_of_one_time_follow_each_other_by_instrument_and_the_last_completes_the_update():
    series = wild_markets(1, 60).series
    bars = heads(np.concatenate(list(bar_batches(series))))
    bars = bars[bars["message"] == BAR]
    assert (np.diff(bars["time"].astype(np.int64)) >= 0).all()
    same = bars["time"][1:] == bars["time"][:-1]
    assert (bars["instrument"][1:][same] > bars["instrument"][:-1][same]).all()
    is_last = (bars["flags"] & LAST_OF_MESSAGE) != 0
    assert is_last.tolist() == [*(~same).tolist(), True]
    assert len(bars) == sum(map(len, series))


def test_a_day_is_closed_before_the_first_bar_of_the_next_and_a_bar_that_ends_at_midnight_belongs_to_the_day_before():
    bars = market(flat(100, 30), every_ns=HOUR)
    found = heads(np.concatenate(list(bar_batches(bars.series))))
    at = np.flatnonzero(found["message"] == CLOSED)
    assert at.tolist() == [24], "after the bar that closes at midnight, before the one that closes at one"
    slots = np.concatenate(list(bar_batches(bars.series)))
    assert select(slots, "SessionClosed")["session_end"].tolist() == [FIRST_DAY + DAY]
    daily = heads(np.concatenate(list(bar_batches(market(flat(100, 3)).series))))
    assert daily["message"].tolist() == [BAR, CLOSED, BAR, CLOSED, BAR]


def test_days_without_bars_are_closed_once():
    first, second = market(flat(100, 2)), market(flat(100, 1), Instrument("XYZ"), first_day=5)
    slots = np.concatenate(list(bar_batches([*first.series, *second.series])))
    assert heads(slots)["message"].tolist() == [BAR, CLOSED, BAR, CLOSED, BAR]
    assert select(slots, "SessionClosed")["session_end"].tolist() == [FIRST_DAY + DAY, FIRST_DAY + 2 * DAY]


def test_every_figure_of_a_bar_arrives():
    bars = market([(100, 103.5, 99.25, 101, 1234), (1, 1, 1, 1)])
    record, _ = select(np.concatenate(list(bar_batches(bars.series))), "BarObserved")
    named = ("open", "high", "low", "close", "volume", "open_time", "close_time", "interval_ns")
    assert [int(record[name]) for name in named] == [
        10_000, 10_350, 9_925, 10_100, 1234, FIRST_DAY, FIRST_DAY + DAY, int(bars.series[0].interval),
    ]  # fmt: skip


def test_bars_before_1970_are_refused():
    early = market(flat(1, 2), first_day=-20_000)
    with pytest.raises(InputError, match=r"begin before 1970 .* use start="):
        list(bar_batches(early.series))
