"""Fills: one row for every time one of our orders traded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from openbell.messages.layouts import MAKER, SELL, Slots
from openbell.model.instrument import Instrument
from openbell.projections.event_rows import event_frame, events_in_order
from openbell.projections.exact import (
    joined_halves,
    nano_decimal,
    negated,
    notional_nano,
    price_decimal,
    quantity_decimal,
    utc,
    wide,
    with_units,
)

if TYPE_CHECKING:
    import polars as pl

_FILL = (
    "time", "venue_time", "sequence", "flags", "instrument", "account", "order_id", "client_order_id", "trade_id",
    "last_price", "last_quantity", "fee_nano",
)  # fmt: skip
_POSITIONS = ("PositionOpened", "PositionChanged", "PositionClosed")


def booked_fills(output: Slots, instruments: Sequence[Instrument]) -> pl.DataFrame:
    """Every fill with what it did to its position, in units and nano (Int128): what the other tables fold.

    The engine tells the position right after each fill, so the k-th of the one belongs to the k-th of the other.
    """
    import polars as pl

    fills = with_units(event_frame(output, "OrderFilled", _FILL), instruments)
    after = events_in_order(output, _POSITIONS, ("quantity", "cost_low", "cost_high"))
    is_sell = pl.col("flags") & SELL != 0
    signed = pl.when(is_sell).then(negated(wide("last_quantity"))).otherwise(wide("last_quantity"))
    return (
        fills.with_columns(
            pl.col("flags").cast(pl.UInt32),
            signed.alias("traded"),
            after["quantity"].cast(pl.Int128).alias("quantity_after"),
            joined_halves(after["cost_low"].to_numpy(), after["cost_high"].to_numpy()).alias("cost_after"),
        )
        .with_columns(
            (pl.col("quantity_after") - pl.col("traded")).alias("quantity_before"),
            notional_nano(wide("last_price"), pl.col("traded")).alias("paid"),
            pl.col("cost_after")
            .shift(1, fill_value=pl.lit(0, pl.Int128))
            .over("account", "instrument")
            .alias("cost_before"),
        )
        .with_columns((pl.col("cost_after") - pl.col("cost_before") - pl.col("paid")).alias("realized"))
    )


def fills(booked: pl.DataFrame) -> pl.DataFrame:
    """The table of fills, from `booked_fills`.

    Columns: `time` (the venue's, where it gave one) and `recorded_time` (when the engine learned of it), `instrument`,
    `side` buy or sell, `quantity`, `price`, `notional`, `fee` (positive where paid), `realized` (profit of what it closed,
    before fees), `liquidity` maker or taker, `position` after it, `order_id`, `client_order_id`, `trade_id`, `account`,
    `sequence` of its cause.
    """
    import polars as pl

    return booked.select(
        filled_time().alias("time"),
        utc("time").alias("recorded_time"),
        pl.col("symbol").alias("instrument"),
        pl.when(pl.col("traded") > 0).then(pl.lit("buy")).otherwise(pl.lit("sell")).alias("side"),
        quantity_decimal(pl.col("last_quantity")).alias("quantity"),
        price_decimal(pl.col("last_price")).alias("price"),
        nano_decimal(pl.col("paid").abs()).alias("notional"),
        nano_decimal(wide("fee_nano")).alias("fee"),
        nano_decimal(pl.col("realized")).alias("realized"),
        pl.when(pl.col("flags") & MAKER != 0)
        .then(pl.lit("maker"))
        .otherwise(pl.lit("taker"))
        .alias("liquidity"),
        quantity_decimal(pl.col("quantity_after")).alias("position"),
        "order_id",
        "client_order_id",
        "trade_id",
        "account",
        "sequence",
    )


def filled_time() -> pl.Expr:
    """When a fill happened: at the venue where that is known, else when it was recorded."""
    import polars as pl

    return pl.when(pl.col("venue_time") > 0).then(utc("venue_time")).otherwise(utc("time"))
