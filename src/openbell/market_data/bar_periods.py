"""When each bar opens and closes, from the one time its writer gave."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from openbell.market_data.findings import Finding
from openbell.market_data.joined_rows import JoinedRows
from openbell.model.time import NS_PER_DAY, NS_PER_SECOND, duration

Ints = NDArray[np.int64]

# Several venues write the last instant inside a bar as its close: 12:00:59.999 for the minute from 12:00.
_LAST_INSTANTS = (1_000_000, 1_000, 1, NS_PER_SECOND)


def open_and_close(rows: JoinedRows, bar_time: Literal["open", "close"] | None) -> tuple[Ints, Ints, int]:
    """Return open times, close times and the interval of the bars (0 where a single bar does not tell).

    A missing time is the other one and the interval; never past the neighboring bar, as months differ in length.
    """
    interval = _interval(rows)
    if interval == 0 and rows.close_time is None:
        rows.notes.append("the length of a single bar is unknown: it closes when it opens")
    elif bar_time is None:
        rows.notes.append(
            f"times are read as the open of each bar of {duration(interval)} (bar_time= was not given)"
        )
    if rows.close_time is not None:
        return rows.time, _closes(rows, interval), interval
    if bar_time == "close":
        opens = rows.time - interval
        opens[1:] = np.maximum(opens[1:], rows.time[:-1])
        return opens, rows.time, interval
    closes = rows.time + interval
    closes[:-1] = np.minimum(closes[:-1], rows.time[1:])
    return rows.time, closes, interval


def _interval(rows: JoinedRows) -> int:
    """The most frequent distance; the shortest of several equally frequent. Dates closer than a week are days."""
    steps, counts = np.unique(np.diff(rows.time), return_counts=True)
    if rows.dates and (not len(steps) or steps[0] < 7 * NS_PER_DAY):
        return NS_PER_DAY
    return int(steps[np.argmax(counts)]) if len(steps) else 0


def _closes(rows: JoinedRows, interval: int) -> Ints:
    written = rows.close_time if rows.close_time is not None else rows.time
    for instant in _LAST_INSTANTS:
        if np.all(written + instant == rows.time + interval):
            return written + instant
    return written


def leave_out_overlong(rows: JoinedRows) -> None:
    """Refuse written close times past the next open."""
    if rows.close_time is None:
        return
    closes = _closes(rows, _interval(rows))
    late = np.zeros(len(closes), dtype=np.bool_)
    late[:-1] = closes[:-1] > rows.time[1:]
    what = "bar closes after the next one opens"
    rows.leave_out([Finding(what, "close_time", late, "a time up to the next open")])
