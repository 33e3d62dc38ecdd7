"""One instrument's chart: bars, and equity, benchmark and drawdown laid onto the same bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openbell.report.drawdown import underwater

if TYPE_CHECKING:
    import polars as pl

    from openbell.report.tables import RunTables

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ChartView:
    """One instrument's chart. Every array has one value per candle; `merged` bars make one candle (1 unless
    there were too many).
    """

    symbol: str
    time_ns: Integers
    prices: dict[str, Floats]
    equity: Floats
    benchmark: Floats
    drawdown: Floats
    indicators: dict[str, Floats]
    merged: int

    def candle_of(self, times: Integers, prices: Floats) -> Integers:
        """Return the candle in which each fill lies, -1 for none.

        That is the last candle that had opened. A fill stamped with its bar's close time would land on the
        next candle: where the price lies outside that one and inside the one before, it is moved there.
        """
        found = np.searchsorted(self.time_ns, times, side="right") - 1
        if not self.prices or found.size == 0:
            return found
        high, low = self.prices["high"], self.prices["low"]
        here, before = np.maximum(found, 0), np.maximum(found - 1, 0)
        outside = (prices > high[here]) | (prices < low[here])
        inside_before = (prices <= high[before]) & (prices >= low[before])
        return np.where(outside & inside_before & (found > 0), found - 1, found)


def chart_views(tables: RunTables, max_candles: int) -> list[ChartView]:
    """Return one view per instrument with bars; one without prices where no instrument has any.

    An instrument with more than `max_candles` bars has consecutive ones merged.
    """
    shown = {symbol: frame for symbol, frame in tables.bars.items() if frame.height}
    if not shown:
        return [_equity_view(tables, max_candles)]
    return [_bars_view(tables, symbol, frame, max_candles) for symbol, frame in shown.items()]


def _bars_view(tables: RunTables, symbol: str, frame: pl.DataFrame, max_candles: int) -> ChartView:
    time_ns = frame["time"].to_physical().to_numpy()
    merged = -(-time_ns.size // max_candles)
    starts = np.arange(0, time_ns.size, merged)
    ends = np.append(starts[1:], time_ns.size) - 1
    rows = _valuation_rows(time_ns, tables.equity["time"].to_physical().to_numpy())
    return ChartView(
        symbol=symbol,
        time_ns=time_ns[starts],
        prices=_candles(frame, starts, ends),
        **_curves(tables, rows, starts, ends),
        indicators=_indicators(tables, symbol, time_ns, ends),
        merged=merged,
    )


def _equity_view(tables: RunTables, max_candles: int) -> ChartView:
    # one value per moment: the chart takes no time twice
    time_ns, rows = _last_of_each(tables.equity["time"].to_physical().to_numpy())
    merged = -(-time_ns.size // max_candles)
    starts = np.arange(0, time_ns.size, merged)
    ends = np.append(starts[1:], time_ns.size) - 1
    return ChartView(
        "", time_ns[starts], {}, **_curves(tables, rows, starts, ends), indicators={}, merged=merged
    )


def _last_of_each(time_ns: Integers) -> tuple[Integers, Integers]:
    rows = np.flatnonzero(np.append(time_ns[1:] != time_ns[:-1], True))
    return time_ns[rows], rows


def _candles(frame: pl.DataFrame, starts: Integers, ends: Integers) -> dict[str, Floats]:
    return {
        "open": frame["open"].to_numpy()[starts],
        "high": np.maximum.reduceat(frame["high"].to_numpy(), starts),
        "low": np.minimum.reduceat(frame["low"].to_numpy(), starts),
        "close": frame["close"].to_numpy()[ends],
        "volume": np.add.reduceat(frame["volume"].to_numpy(), starts),
    }


def _valuation_rows(bar_ns: Integers, equity_ns: Integers) -> Integers:
    """Return, per bar, the row of equity valued at its close; -1 before the first.

    Bars are labeled with their open time and equity is valued at their close, which is the next bar's label.
    Where equity carries the bars' own labels (its last time is no later than the last bar), the row of the
    same time is taken.
    """
    same_labels = equity_ns[-1] <= bar_ns[-1]
    closes = bar_ns if same_labels else np.append(bar_ns[1:], np.iinfo(np.int64).max)
    return np.searchsorted(equity_ns, closes, side="right") - 1


def _curves(tables: RunTables, rows: Integers, starts: Integers, ends: Integers) -> dict[str, Floats]:
    equity = tables.equity["equity"].to_numpy()
    benchmark = tables.equity["benchmark"].cast(float).fill_null(float("nan")).to_numpy()
    depth = np.append(underwater(equity), 0.0)[rows]  # row -1 is before the first valuation: no drawdown
    return {
        "equity": _taken(equity, rows[ends]),
        "benchmark": _taken(benchmark, rows[ends]),
        "drawdown": np.minimum.reduceat(depth, starts),
    }


def _taken(values: Floats, rows: Integers) -> Floats:
    return np.where(rows < 0, np.nan, values[np.maximum(rows, 0)])


def _indicators(tables: RunTables, symbol: str, bar_ns: Integers, ends: Integers) -> dict[str, Floats]:
    frame = tables.indicators.get(symbol)
    if frame is None or frame.height == 0:
        return {}
    rows = np.searchsorted(frame["time"].to_physical().to_numpy(), bar_ns, side="right") - 1
    return {
        name: _taken(frame[name].cast(float).fill_null(float("nan")).to_numpy(), rows)[ends]
        for name in frame.columns
        if name != "time"
    }
