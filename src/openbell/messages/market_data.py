"""Market data as records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from openbell.messages.layouts import LAST_OF_MESSAGE, Slots, as_slots, records
from openbell.model.errors import InputError

IntArray = NDArray[np.int64]


class BarArrays(Protocol):
    """The arrays of one instrument's bars: times in UTC nanoseconds, prices and volume in units."""

    open_time: IntArray
    close_time: IntArray
    open: IntArray
    high: IntArray
    low: IntArray
    close: IntArray
    volume: IntArray
    interval: int


def bar_records(series: Sequence[BarArrays], ids: Sequence[int] | None = None) -> Slots:
    """Return the bars of several instruments as `BarObserved` records in the order the engine wants them.

    Instrument ids are `ids`, or count from 1 in the order given. Bars that close at one time follow each other in instrument
    order and the last of them completes the update, so that all are known before anybody reacts to one.
    """
    numbers = list(ids) if ids is not None else list(range(1, len(series) + 1))
    parts = [_records_of(one, number) for one, number in zip(series, numbers, strict=True)]
    merged = np.concatenate(parts) if len(parts) > 1 else parts[0]
    if len(parts) > 1:
        merged = merged[np.lexsort((merged["instrument"], merged["time"]))]
    is_last = np.ones(len(merged), dtype=bool)
    is_last[:-1] = merged["time"][1:] != merged["time"][:-1]
    merged["flags"] = np.where(is_last, LAST_OF_MESSAGE, 0)
    return as_slots(merged)


def _records_of(series: BarArrays, instrument: int) -> NDArray[np.void]:
    if len(series.open_time) and int(series.open_time.min()) < 0:
        raise InputError(
            "bars before 1970 cannot be run", field="time", value=int(series.open_time.min()), expected="1970 or later"
        )
    array = records("BarObserved", len(series.open_time))
    array["instrument"] = instrument
    array["time"] = series.close_time
    for name in ("open", "high", "low", "close", "volume", "open_time", "close_time"):
        array[name] = getattr(series, name)
    array["interval_ns"] = series.interval
    return array


DAY_NS = 86_400_000_000_000


def with_session_ends(slots: Slots, session_ns: int = DAY_NS) -> Slots:
    """Return bar records with a `SessionClosed` before the first bar of each new UTC day.

    A bar that closes at midnight belongs to the day that ends there. DAY orders sent before the end of the day expire at it.
    """
    bars = slots.view(records("BarObserved", 0).dtype)
    day = (bars["time"].astype(np.int64) - 1) // session_ns
    first_of_day = np.flatnonzero(day[1:] != day[:-1]) + 1
    if not len(first_of_day):
        return slots
    ends = records("SessionClosed", len(first_of_day))
    ends["session_end"] = (day[first_of_day - 1] + 1) * session_ns
    # Never before the bar that ends the day, never after the one that begins the next.
    ends["time"] = np.maximum(ends["session_end"], bars["time"][first_of_day - 1])
    return _insert(slots.reshape(-1, 128), first_of_day, as_slots(ends).reshape(-1, 64))


def _insert(bars: NDArray[np.uint8], before: NDArray[np.intp], single: NDArray[np.uint8]) -> Slots:
    """`single` slots put before the bars numbered `before`; each bar is two slots."""
    total = len(bars) * 2 + len(single)
    out = np.empty((total, 64), dtype=np.uint8)
    places = before * 2 + np.arange(len(before))
    is_bar = np.ones(total, dtype=bool)
    is_bar[places] = False
    out[is_bar] = bars.reshape(-1, 64)
    out[places] = single
    return out.reshape(-1)
