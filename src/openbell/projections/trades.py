"""Trades: round trips of a netting position, from zero back to zero.

A trade opens when the position leaves zero and closes when it returns there; a fill that crosses zero closes one trade and
opens the next at its own price. Prices are averages over all its entries and exits; profit and fees are exact to 10^-9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openbell.projections.exact import (
    average_nano,
    divide_half_even,
    nano_decimal,
    negated,
    notional_nano,
    quantity_decimal,
    wide,
)
from openbell.projections.fills import filled_time

if TYPE_CHECKING:
    import polars as pl


def trades(
    booked: pl.DataFrame,
    marks: Sequence[int | None],
    closes: Mapping[str, NDArray[np.int64]] | None = None,
) -> pl.DataFrame:
    """The table of trades, from `booked_fills`, numbered in the order they were opened.

    `marks` are the last known prices in price units by instrument id - 1: what an open trade is valued at. `closes` are the
    close times of each symbol's bars, in which `bars` counts how long a trade was held.

    Columns: `number`, `account`, `instrument`, `side` long or short, `quantity` (all that was entered), `entry_time`,
    `entry_price`, `exit_time`, `exit_price` (both null while open), `profit_and_loss` net of `fees` (with what is unrealized
    while open), `fees`, `return` (profit over the notional entered), `bars`, `is_open`.
    """
    import polars as pl

    folded = _folded(_legs(booked))
    remaining = pl.col("remaining")
    is_open = remaining != 0
    known = pl.DataFrame({"mark": pl.Series(marks, dtype=pl.Int64)}).with_row_index("instrument", offset=1)
    unrealized = notional_nano(wide("mark"), remaining) - pl.col("cost_after")
    return (
        folded.join(known, on="instrument", how="left", maintain_order="left")
        .with_columns(is_open.alias("is_open"))
        .with_columns(
            (
                pl.col("realized")
                - pl.col("fee")
                + pl.when(is_open & pl.col("mark").is_not_null())
                .then(unrealized)
                .otherwise(pl.lit(0, pl.Int128))
            ).alias("profit")
        )
        .with_columns(_bars_held(folded, closes or {}))
        .select(
            pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("number"),
            "account",
            pl.col("symbol").alias("instrument"),
            pl.when(pl.col("is_long")).then(pl.lit("long")).otherwise(pl.lit("short")).alias("side"),
            quantity_decimal(pl.col("entered")).alias("quantity"),
            "entry_time",
            nano_decimal(average_nano(pl.col("entered_value"), pl.col("entered"))).alias("entry_price"),
            pl.when(~is_open).then(pl.col("exit_time")).alias("exit_time"),
            pl.when(~is_open)
            .then(nano_decimal(average_nano(pl.col("left_value"), pl.col("left"))))
            .alias("exit_price"),
            nano_decimal(pl.col("profit")).alias("profit_and_loss"),
            nano_decimal(pl.col("fee")).alias("fees"),
            pl.when(pl.col("entered_notional") != 0)
            .then(pl.col("profit").cast(pl.Float64) / pl.col("entered_notional").cast(pl.Float64))
            .alias("return"),
            "bars",
            "is_open",
        )
    )


def _legs(booked: pl.DataFrame) -> pl.DataFrame:
    """Each fill as what it closed and what it opened, in that order, with the number of its trade in its position."""
    import polars as pl

    before, traded, zero = pl.col("quantity_before"), pl.col("traded"), pl.lit(0, pl.Int128)
    against = (before > 0) & (traded < 0) | (before < 0) & (traded > 0)
    closed = pl.when(against).then(pl.min_horizontal(before.abs(), traded.abs())).otherwise(zero)
    legs = booked.with_columns(closed.alias("closed"), filled_time().alias("fill_time")).with_columns(
        (traded.abs() - pl.col("closed")).alias("opened"),
        divide_half_even(wide("fee_nano") * pl.col("closed"), traded.abs()).alias("closing_fee"),
    )
    closing = legs.filter(pl.col("closed") > 0).with_columns(
        pl.lit(0, pl.Int8).alias("part"),
        zero.alias("opened"),
        pl.col("closing_fee").alias("fee"),
    )
    opening = legs.filter(pl.col("opened") > 0).with_columns(
        pl.lit(1, pl.Int8).alias("part"),
        zero.alias("closed"),
        (wide("fee_nano") - pl.col("closing_fee")).alias("fee"),
        # what was realized belongs to the trade that the same fill closed
        pl.when(pl.col("closed") > 0).then(zero).otherwise(pl.col("realized")).alias("realized"),
    )
    starts = (pl.col("opened") > 0) & (before * pl.col("quantity_after") <= zero)
    return (
        pl.concat([closing, opening])
        .sort("place", "part")
        .with_columns(starts.cast(pl.Int64).cum_sum().over("account", "instrument").alias("trip"))
    )


def _folded(legs: pl.DataFrame) -> pl.DataFrame:
    """One row per trade, in the order of their first fills."""
    import polars as pl

    price = wide("last_price")
    is_exit = pl.col("closed") > 0
    notional = notional_nano(price, pl.col("opened"))
    return (
        legs.with_columns(
            (price * pl.col("opened")).alias("opened_value"),
            (price * pl.col("closed")).alias("closed_value"),
            notional.alias("opened_notional"),
        )
        .group_by("account", "instrument", "trip", maintain_order=True)
        .agg(
            pl.col(
                "symbol", "price_unit_nano", "quantity_unit_nano", "value_numerator", "value_denominator"
            ).first(),
            (pl.col("traded").first() > 0).alias("is_long"),
            pl.col("opened").sum().alias("entered"),
            pl.col("closed").sum().alias("left"),
            pl.col("opened_value").sum().alias("entered_value"),
            pl.col("closed_value").sum().alias("left_value"),
            pl.col("opened_notional").abs().sum().alias("entered_notional"),
            pl.col("realized").sum(),
            pl.col("fee").sum(),
            pl.col("fill_time").first().alias("entry_time"),
            pl.col("fill_time").filter(is_exit).last().alias("exit_time"),
            pl.col("time").first().alias("entry_recorded"),
            pl.col("time").filter(is_exit).last().alias("exit_recorded"),
            pl.col("cost_after").last(),
        )
        .with_columns((pl.col("entered") - pl.col("left")).alias("held"))
        .with_columns(
            pl.when(pl.col("is_long"))
            .then(pl.col("held"))
            .otherwise(negated(pl.col("held")))
            .alias("remaining")
        )
    )


def _bars_held(folded: pl.DataFrame, closes: Mapping[str, NDArray[np.int64]]) -> pl.Series:
    """Bars from the one of the entry to the one of the exit (or the last one); null where there are no bars.

    A fill is recorded when its bar closes, whether it happened at the open or within, so recorded times tell its bar.
    """
    import polars as pl

    entry = folded["entry_recorded"].to_numpy()
    leave = folded["exit_recorded"].fill_null(0).to_numpy()
    is_open = (folded["remaining"] != 0).to_numpy()
    symbols = folded["symbol"].to_numpy()
    held = np.zeros(folded.height, dtype=np.int64)
    is_known = np.zeros(folded.height, dtype=np.bool_)
    for symbol, close_times in closes.items():
        mine = symbols == symbol
        last = np.where(is_open[mine], len(close_times) - 1, np.searchsorted(close_times, leave[mine]))
        held[mine] = np.maximum(last - np.searchsorted(close_times, entry[mine]), 0)
        is_known |= mine
    frame = pl.DataFrame({"held": held, "is_known": is_known})
    return frame.select(pl.when("is_known").then("held").alias("bars")).to_series()
