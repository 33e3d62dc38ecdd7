"""Exact columns: 128-bit integers while figures are folded, decimals with nine places when they are shown.

Nothing here is a float. Money and prices are counted in 10^-9 (nano) of their currency; a column of them is of type
Int128 inside a fold and Decimal(38, 9) in a finished table.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import gcd
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openbell.model.instrument import Instrument

if TYPE_CHECKING:
    import polars as pl

NANO = 10**9


def decimal_type() -> pl.DataType:
    """The type of every shown price, quantity and amount: 38 digits, nine of them decimals."""
    import polars as pl

    return pl.Decimal(38, 9)


def wide(column: str) -> pl.Expr:
    """A column of 64-bit integers in 128 bits, so that products and sums fit."""
    import polars as pl

    return pl.col(column).cast(pl.Int128)


def negated(value: pl.Expr) -> pl.Expr:
    """The negative of an Int128 expression, for which polars has no operator."""
    import polars as pl

    return pl.lit(0, pl.Int128) - value


def joined_halves(low: NDArray[np.uint64], high: NDArray[np.int64]) -> pl.Series:
    """The signed 128-bit integers whose halves are `low` and `high`."""
    import polars as pl

    halves = pl.DataFrame({"low": low, "high": high})
    whole = wide("high") * pl.lit(2**64, pl.Int128) + wide("low")
    return halves.select(whole.alias("value")).to_series()


def divide_half_even(numerator: pl.Expr, denominator: pl.Expr, whole: pl.Expr | None = None) -> pl.Expr:
    """`whole + numerator / denominator`, ties to the even neighbor: the one rounding rule, as the engine applies it.

    All are Int128 expressions and `denominator` is positive.
    """
    import polars as pl

    one, two = pl.lit(1, pl.Int128), pl.lit(2, pl.Int128)
    quotient = numerator // denominator  # rounds down, so the remainder is never negative
    quotient = quotient if whole is None else whole + quotient
    rest = numerator % denominator
    other = denominator - rest
    up = (rest > other) | ((rest == other) & (quotient % two != 0))
    return pl.when(up).then(quotient + one).otherwise(quotient)


def notional_nano(price: pl.Expr, quantity: pl.Expr) -> pl.Expr:
    """Money value of `quantity` units at `price` units in nano; needs the columns of `with_units`."""
    import polars as pl

    return divide_half_even(price * quantity * pl.col("value_numerator"), pl.col("value_denominator"))


def average_nano(value: pl.Expr, quantity: pl.Expr) -> pl.Expr:
    """The price in nano that `value` (a sum of price units x quantity units) makes for `quantity` units.

    Null where nothing traded. Whole price units are taken out before they are counted in nano: the product stays small.
    """
    import polars as pl

    unit = wide("price_unit_nano")
    nano = divide_half_even((value % quantity) * unit, quantity, (value // quantity) * unit)
    return pl.when(quantity > 0).then(nano)


def nano_decimal(nano: pl.Expr) -> pl.Expr:
    """Nano counts as decimals."""
    import polars as pl

    # Cast and product both scale by 10^9, so the digits stay what they were.
    return (nano.cast(decimal_type()) * pl.lit(Decimal("0.000000001"), decimal_type())).cast(decimal_type())


def price_decimal(units: pl.Expr) -> pl.Expr:
    """Price units as decimals; needs the columns of `with_units`."""
    import polars as pl

    return nano_decimal(units.cast(pl.Int128) * wide("price_unit_nano"))


def quantity_decimal(units: pl.Expr) -> pl.Expr:
    """Quantity units as decimals; needs the columns of `with_units`."""
    import polars as pl

    return nano_decimal(units.cast(pl.Int128) * wide("quantity_unit_nano"))


def utc(column: str) -> pl.Expr:
    """A column of UTC nanoseconds as points in time."""
    import polars as pl

    return pl.col(column).cast(pl.Int64).cast(pl.Datetime("ns", "UTC"))


def with_units(frame: pl.DataFrame, instruments: Sequence[Instrument]) -> pl.DataFrame:
    """`frame` with each row's symbol and units, by its column `instrument` (ids are dense from 1).

    An id that is not listed (an order may name one, and is denied) gets a symbol that says so, and no units.
    """
    import polars as pl

    unlisted = pl.concat_str(pl.lit("#"), pl.col("instrument"))
    joined = frame.join(units_frame(instruments), on="instrument", how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce("symbol", unlisted).alias("symbol"))


def units_frame(instruments: Sequence[Instrument]) -> pl.DataFrame:
    """One row per instrument: symbol, units in nano, and money per price unit x quantity unit as a reduced fraction."""
    import polars as pl

    fractions = [_value_fraction(one) for one in instruments]
    columns: dict[str, tuple[Sequence[object], pl.DataType]] = {
        "instrument": (range(1, len(instruments) + 1), pl.UInt32()),
        "symbol": ([one.symbol for one in instruments], pl.String()),
        "price_unit_nano": ([one.price_unit_nano for one in instruments], pl.Int64()),
        "quantity_unit_nano": ([one.quantity_unit_nano for one in instruments], pl.Int64()),
        "value_numerator": ([part[0] for part in fractions], pl.Int128()),
        "value_denominator": ([part[1] for part in fractions], pl.Int128()),
    }
    return pl.DataFrame({name: pl.Series(values, dtype=dtype) for name, (values, dtype) in columns.items()})


def _value_fraction(instrument: Instrument) -> tuple[int, int]:
    product = instrument.price_unit_nano * instrument.quantity_unit_nano * instrument.multiplier_nano
    divisor = gcd(product, NANO * NANO)
    return product // divisor, NANO * NANO // divisor
