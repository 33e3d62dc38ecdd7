"""Market data as records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from openbell.messages.layouts import LAST_OF_MESSAGE, SLOT_SIZE, Slots, as_slots, records
from openbell.model.errors import InputError
from openbell.model.time import NS_PER_DAY

IntArray = NDArray[np.int64]
_COLUMNS = ("open", "high", "low", "close", "volume", "open_time", "close_time")
_BAR_SLOTS = 2


class BarArrays(Protocol):
    """The arrays of one instrument's bars: times in UTC nanoseconds, prices and volume in units."""

    @property
    def open_time(self) -> IntArray:
        """When each bar opens."""
        ...

    @property
    def close_time(self) -> IntArray:
        """When each bar closes."""
        ...

    @property
    def interval(self) -> int:
        """Nanoseconds from one open to the next, 0 where unknown."""
        ...

    def __len__(self) -> int: ...


def bar_batches(
    series: Sequence[BarArrays], rows: int = 262_144, session_ns: int = NS_PER_DAY
) -> Iterator[Slots]:
    """Yield the bars of several instruments as records, in the order the engine wants them, `rows` bars at a time.

    Instrument ids count from 1 in the order given. Bars that close at one time follow each other in instrument order and the
    last of them completes the update, so that all are known before anybody reacts to one. A `SessionClosed` stands before
    the first bar of each new UTC day (`session_ns`); a bar that closes at midnight belongs to the day that ends there.
    """
    for number, one in enumerate(series, start=1):
        _refuse_early_times(one, number)
    columns = _in_order(series)
    day_before: int | None = None
    for first in range(0, len(columns["close_time"]), rows):
        part = {name: column[first : first + rows] for name, column in columns.items()}
        following = columns["close_time"][first + rows : first + rows + 1]
        bars = _bar_records(part, following)
        day = (part["close_time"] - 1) // session_ns
        yield _with_session_ends(bars, day, day_before, session_ns)
        day_before = int(day[-1])


def _in_order(series: Sequence[BarArrays]) -> dict[str, IntArray]:
    """The columns of all series below each other, by close time and then by instrument."""
    if len(series) == 1:  # in order already, and nothing to copy
        columns: dict[str, IntArray] = {name: getattr(series[0], name) for name in _COLUMNS}
        count = len(series[0])
        return columns | {"instrument": np.full(count, 1), "interval_ns": np.full(count, series[0].interval)}
    numbers = [np.full(len(one), number) for number, one in enumerate(series, start=1)]
    columns = {name: np.concatenate([getattr(one, name) for one in series]) for name in _COLUMNS}
    columns["instrument"] = np.concatenate(numbers)
    columns["interval_ns"] = np.concatenate([np.full(len(one), one.interval) for one in series])
    order = np.lexsort((columns["instrument"], columns["close_time"]))
    return {name: column[order] for name, column in columns.items()}


def _refuse_early_times(series: BarArrays, number: int) -> None:
    if len(series) and int(series.open_time.min()) < 0:
        raise InputError(
            f"bars of instrument {number} begin before 1970 and cannot be run",
            field="time",
            value=int(series.open_time.min()),
            expected="1970 or later; use start=",
        )


def _bar_records(columns: dict[str, IntArray], following: IntArray) -> Slots:
    array = records("BarObserved", len(columns["close_time"]))
    array["time"] = columns["close_time"]
    for name, column in columns.items():
        array[name] = column
    after = np.append(columns["close_time"][1:], following if len(following) else -1)
    array["flags"] = np.where(after != columns["close_time"], LAST_OF_MESSAGE, 0)
    return as_slots(array)


def _with_session_ends(bars: Slots, day: IntArray, day_before: int | None, session_ns: int) -> Slots:
    before = np.concatenate(([day[0] if day_before is None else day_before], day[:-1]))
    first_of_day = np.flatnonzero(day != before)
    if not len(first_of_day):
        return bars
    ends = records("SessionClosed", len(first_of_day))
    ends["session_end"] = (before[first_of_day] + 1) * session_ns
    ends["time"] = ends["session_end"]
    return _insert(bars.reshape(-1, SLOT_SIZE), first_of_day, as_slots(ends).reshape(-1, SLOT_SIZE))


def _insert(bars: NDArray[np.uint8], before: NDArray[np.intp], ends: NDArray[np.uint8]) -> Slots:
    """Put the slots `ends` before the bars numbered `before`; each bar is two slots."""
    out = np.empty((len(bars) + len(ends), SLOT_SIZE), dtype=np.uint8)
    places = before * _BAR_SLOTS + np.arange(len(before))
    is_bar = np.ones(len(out), dtype=bool)
    is_bar[places] = False
    out[is_bar] = bars
    out[places] = ends
    return out.reshape(-1)
