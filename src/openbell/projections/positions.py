"""Positions: what was held after every fill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openbell.projections.exact import divide_half_even, nano_decimal, quantity_decimal, wide
from openbell.projections.fills import filled_time

if TYPE_CHECKING:
    import polars as pl


def positions(booked: pl.DataFrame) -> pl.DataFrame:
    """The table of positions, from `booked_fills`: one row after each fill.

    Columns: `time`, `account`, `instrument`, `quantity` (negative is short), `cost` (what was paid for it, negative for a
    short), `average_price` (null when flat), `realized` and `fees` since the start, `order_id`, `trade_id`.
    """
    import polars as pl

    quantity = pl.col("quantity_after")
    group = ("account", "instrument")
    return booked.with_columns(
        pl.col("realized").cum_sum().over(*group).alias("realized_sum"),
        wide("fee_nano").cum_sum().over(*group).alias("fee_sum"),
        _average_cost().alias("average"),
    ).select(
        filled_time().alias("time"),
        "account",
        pl.col("symbol").alias("instrument"),
        quantity_decimal(quantity).alias("quantity"),
        nano_decimal(pl.col("cost_after")).alias("cost"),
        nano_decimal(pl.col("average")).alias("average_price"),
        nano_decimal(pl.col("realized_sum")).alias("realized"),
        nano_decimal(pl.col("fee_sum")).alias("fees"),
        "order_id",
        "trade_id",
    )


def _average_cost() -> pl.Expr:
    """Cost per unit in nano: cost x price unit / (quantity x value of one unit)."""
    import polars as pl

    quantity, cost = pl.col("quantity_after").abs(), pl.col("cost_after").abs()
    # one price unit x one quantity unit is worth numerator / denominator nano
    price_units = cost * pl.col("value_denominator")
    held = quantity * pl.col("value_numerator")
    unit = wide("price_unit_nano")
    nano = divide_half_even((price_units % held) * unit, held, (price_units // held) * unit)
    return pl.when(quantity > 0).then(nano)
