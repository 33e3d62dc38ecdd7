"""The tables of a run: exact ones for people and files, and their floats for the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from openbell.messages.layouts import rule_names
from openbell.projections.equity import equity, starting_cash
from openbell.projections.fills import booked_fills, fills
from openbell.projections.orders import orders
from openbell.projections.positions import positions
from openbell.projections.trades import trades
from openbell.runtime.result import RunResult

if TYPE_CHECKING:
    import polars as pl

    from openbell.market_data.bars import BarSeries
    from openbell.report.tables import RunTables

TABLES = ("orders", "fills", "trades", "equity", "positions", "indicators")
"""Names of the tables of a run, and of their Parquet files."""


class ExactTables(Protocol):
    """Where the tables of a run come from: its events in memory, or the files of its folder."""

    def table(self, name: str) -> pl.DataFrame:
        """One of `TABLES`."""

    def bars(self) -> Mapping[str, pl.DataFrame]:
        """By symbol: time (of the open), close_time, open, high, low, close, volume; empty where they are not known any more."""


class FoldedTables:
    """Tables folded from the events of a result, each when it is first asked for."""

    def __init__(self, result: RunResult) -> None:
        self._result = result
        self._known: dict[str, pl.DataFrame] = {}

    def table(self, name: str) -> pl.DataFrame:
        """One of `TABLES`."""
        if name not in self._known:
            fold: Callable[[], pl.DataFrame] = getattr(self, f"_{name}")
            self._known[name] = fold()
        return self._known[name]

    def bars(self) -> Mapping[str, pl.DataFrame]:
        """The bars that the run was over."""
        return {symbol: bars_frame(series) for symbol, series in self._result.bars.items()}

    @cached_property
    def _booked(self) -> pl.DataFrame:
        return booked_fills(self._result.output, self._result.instruments)

    def _orders(self) -> pl.DataFrame:
        result = self._result
        return orders(result.output, self._booked, result.instruments, rule_names())

    def _fills(self) -> pl.DataFrame:
        return fills(self._booked)

    def _positions(self) -> pl.DataFrame:
        return positions(self._booked)

    def _trades(self) -> pl.DataFrame:
        closes = {symbol: series.close_time for symbol, series in self._result.bars.items()}
        return trades(self._booked, self._result.last_marks(), closes)

    def _equity(self) -> pl.DataFrame:
        import polars as pl

        valuations, benchmark = self._result.valuations, self._result.benchmark
        curve = equity(valuations)
        column = pl.DataFrame(
            {
                "time": valuations["time"].astype(np.int64),
                "benchmark": np.full(len(valuations), np.nan) if benchmark is None else benchmark,
            }
        ).unique("time", keep="last")
        column = column.select(
            pl.col("time").cast(pl.Datetime("ns", "UTC")), pl.col("benchmark").fill_nan(None)
        )
        joined = curve.join(column, on="time", how="left", maintain_order="left")
        return _from_start(joined, starting_cash(self._result.output))

    def _indicators(self) -> pl.DataFrame:
        import polars as pl

        schema = {
            "instrument": pl.String(),
            "time": pl.Datetime("ns", "UTC"),
            "name": pl.String(),
            "value": pl.Float64(),
        }
        long = [
            frame.unpivot(index="time", variable_name="name", value_name="value")
            .with_columns(pl.lit(symbol).alias("instrument"))
            .select(*schema)
            for symbol, frame in self._result.indicators.items()
        ]
        return pl.concat([pl.DataFrame(schema=schema), *long])


def _from_start(curve: pl.DataFrame, cash_nano: int | None) -> pl.DataFrame:
    """With the starting equity as first row, where something had happened before the first valuation."""
    import polars as pl

    from openbell.projections.exact import decimal_type, nano_decimal

    if cash_nano is None or curve.height == 0:
        return curve
    cash = pl.select(nano_decimal(pl.lit(cash_nano, pl.Int128))).item()
    if curve["equity"][0] == cash:
        return curve
    zero = pl.lit(0).cast(decimal_type())
    start = curve.head(1).with_columns(
        pl.lit(cash).cast(decimal_type()).alias("equity"),
        pl.lit(cash).cast(decimal_type()).alias("cash"),
        zero.alias("exposure_gross"),
        zero.alias("exposure_net"),
    )
    return pl.concat([start, curve])


def bars_frame(series: BarSeries) -> pl.DataFrame:
    """One instrument's bars as the report wants them: by the time of their open, in floats."""
    frame = series.to_polars().rename({"open_time": "time"})
    return frame.select("time", "close_time", "open", "high", "low", "close", "volume")


def report_tables(exact: ExactTables, settings: Mapping[str, object], currency: str) -> RunTables:
    """The same tables in floats, for statistics, report and charts."""
    import polars as pl

    from openbell.report.tables import RunTables

    def floats(name: str) -> pl.DataFrame:
        frame = exact.table(name)
        return frame.with_columns(pl.col(pl.Decimal).cast(pl.Float64))

    bars = exact.bars()
    return RunTables(
        equity=floats("equity"),
        trades=floats("trades"),
        fills=floats("fills"),
        orders=floats("orders"),
        bars=bars,
        indicators=_wide_indicators(exact.table("indicators"), bars),
        settings=dict(settings),
        currency=currency,
    )


def _wide_indicators(long: pl.DataFrame, bars: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """One frame per symbol with a column per indicator. Values are recorded when a bar closes; a chart draws it at its open."""
    wide: dict[str, pl.DataFrame] = {}
    for symbol, frame in bars.items():
        mine = long.filter(long["instrument"] == symbol)
        if mine.height:
            columns = mine.pivot("name", index="time", values="value")
            closes = columns.rename({"time": "close_time"})
            on_bars = frame.select("time", "close_time").join(
                closes, on="close_time", how="left", maintain_order="left"
            )
            wide[symbol] = on_bars.drop("close_time")
    return wide
