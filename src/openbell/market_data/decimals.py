"""Decimal numbers as integers: how many decimals a column really has, and its values counted in a unit.

A column is held as float64, the nearest to each written decimal. While a number has at most 15 significant digits its float
determines it, so `rint(x * 10^k) / 10^k == x` says exactly whether x has at most k decimals; this is vectorised. Longer
numbers keep their text and go through `Decimal`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openbell.model.quantities import EXACT

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

INT64_MAX = 2**63 - 1
MOST_DECIMALS = 9  # units are multiples of 10^-9
_EXACT_BELOW = float(2**51)  # below it x * 10^k rounds to the right integer in float64
_PLAUSIBLE_DECIMALS = (
    6  # more of them may be the binary tail of a single-precision float: 11555.9 is 11555.900390625
)
_NOISE_ULPS = 4.0  # what a few additions or multiplications of floats leave behind


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """Numbers of one column: floats, and their texts where a float does not determine them (more than 15 digits)."""

    values: Floats
    texts: tuple[str, ...] | None = None

    def take(self, rows: Ints | Mask) -> NumberColumn:
        """Return these rows only, in this order."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        texts = None if self.texts is None else tuple(self.texts[int(i)] for i in index)
        return NumberColumn(self.values[index], texts)


def concat_columns(columns: Sequence[NumberColumn]) -> NumberColumn:
    """Return the columns below each other."""
    values = np.concatenate([column.values for column in columns])
    if all(column.texts is None for column in columns):
        return NumberColumn(values)
    return NumberColumn(values, tuple(text for column in columns for text in _texts(column)))


def _texts(column: NumberColumn) -> Sequence[str]:
    return column.texts if column.texts is not None else [repr(x) for x in column.values.tolist()]


def number_column(series: pl.Series) -> tuple[NumberColumn, Mask]:
    """Return a column as numbers and a mask of the rows that are none (their value is NaN; a written nan is a number)."""
    import polars as pl

    dtype = series.dtype
    if dtype == pl.Float64:
        return NumberColumn(series.to_numpy()), series.is_null().to_numpy()
    if dtype == pl.String:
        return _from_text(series)
    if dtype.is_numeric():
        return _from_text(
            series.cast(pl.String)
        )  # float32 by its shortest form, int64 and decimals with every digit
    return NumberColumn(np.full(len(series), np.nan)), np.ones(len(series), dtype=np.bool_)


def _from_text(series: pl.Series) -> tuple[NumberColumn, Mask]:
    import polars as pl

    numbers = series.cast(pl.Float64, strict=False)
    if numbers.null_count() > series.null_count():
        series = series.str.strip_chars()
        numbers = series.cast(pl.Float64, strict=False)
    longest = series.str.len_bytes().max()
    long = isinstance(longest, int) and longest > 15  # with the point, at most 15 digits are surely kept
    texts = tuple("nan" if text is None else text for text in series.to_list()) if long else None
    return NumberColumn(numbers.fill_null(float("nan")).to_numpy(), texts), numbers.is_null().to_numpy()


def scaled(column: NumberColumn, exponent: int) -> NumberColumn:
    """Return the numbers times 10^exponent; a division by a power of ten is correctly rounded, so no digit is lost."""
    if exponent == 0:
        return column
    values = column.values / 10.0**-exponent if exponent < 0 else column.values * 10.0**exponent
    texts = (
        None
        if column.texts is None
        else tuple(str(_parsed(text).scaleb(exponent, EXACT)) for text in column.texts)
    )
    return NumberColumn(values, texts)


def _parsed(text: str) -> Decimal:
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        return Decimal("nan")


@dataclass(frozen=True, slots=True)
class Scale:
    """How a column becomes integers: its decimals, how they were found, and the rounding this costs.

    `kind` is "exact" (every written number has at most `decimals` decimals), "single" (the numbers are single-precision floats,
    read as their shortest decimals), "noise" (a few units in the last place of a float off such a number) or "rounded"
    (`worst` is the largest relative change).
    """

    decimals: int
    kind: str
    worst: float = 0.0


def finest_scale(column: NumberColumn, most: int, coarse: Callable[[Floats], int]) -> Scale:
    """Return the fewest decimals (at most `most`) that hold every number; where none do, round to `coarse(values)` decimals."""
    exact = _exact_decimals(column, most)
    values = column.values
    if exact is not None and exact <= _PLAUSIBLE_DECIMALS:
        return Scale(exact, "exact")
    single = _fewest(values, most, _same_single)
    if single is not None and (exact is None or single < exact):
        return Scale(single, "single")
    if exact is not None:
        return Scale(exact, "exact")
    noise = _fewest(values, most, _nearly)
    if noise is not None:
        return Scale(noise, "noise")
    decimals = coarse(values)
    rounded = np.rint(values * 10.0**decimals) / 10.0**decimals
    nonzero = values != 0
    worst = float(np.max(np.abs(rounded[nonzero] / values[nonzero] - 1.0), initial=0.0))
    return Scale(decimals, "rounded", worst)


def _exact_decimals(column: NumberColumn, most: int) -> int | None:
    if column.texts is None and _fits_float(column.values, most):
        return _fewest(column.values, most, np.equal)
    fewest = max((-_exponent(text) for text in set(_texts(column))), default=0)
    return max(fewest, 0) if fewest <= most else None


def _fits_float(values: Floats, decimals: int) -> bool:
    # Where a value is too large for all decimals asked, it still may be fine for those it has: _fewest checks it again.
    return bool(np.max(np.abs(values), initial=0.0) < _EXACT_BELOW) and decimals <= 22


def _exponent(text: str) -> int:
    try:
        exponent = Decimal(text.strip()).normalize(EXACT).as_tuple().exponent
    except InvalidOperation:
        return 0
    return exponent if isinstance(exponent, int) else 0


def _fewest(values: Floats, most: int, same: Callable[[Floats, Floats], Mask]) -> int | None:
    rest = values
    for decimals in range(most + 1):
        scaled = rest * 10.0**decimals
        if np.max(np.abs(scaled), initial=0.0) >= _EXACT_BELOW * 4:
            return None
        rest = rest[~same(np.rint(scaled) / 10.0**decimals, rest)]
        if not len(rest):
            return decimals
    return None


def _same_single(candidate: Floats, values: Floats) -> Mask:
    single = values.astype(np.float32)
    same: Mask = (single.astype(np.float64) == values) & (candidate.astype(np.float32) == single)
    return same


def _nearly(candidate: Floats, values: Floats) -> Mask:
    near: Mask = np.abs(candidate - values) <= _NOISE_ULPS * np.spacing(np.abs(values))
    return near


def to_units(column: NumberColumn, scale: Scale) -> tuple[Ints, Mask]:
    """Return the numbers times 10^decimals as int64, and a mask of those that do not fit (they are 0)."""
    scaled = column.values * 10.0**scale.decimals
    small = bool(np.max(np.abs(scaled), initial=0.0) < _EXACT_BELOW)
    if small and (column.texts is None or scale.kind != "exact"):
        return np.rint(scaled).astype(np.int64), np.zeros(len(scaled), dtype=np.bool_)
    texts = _texts(column)
    whole = [int(Decimal(text.strip()).scaleb(scale.decimals, EXACT).to_integral_value()) for text in texts]
    over = np.array([abs(number) > INT64_MAX for number in whole], dtype=np.bool_)
    return np.array([0 if abs(n) > INT64_MAX else n for n in whole], dtype=np.int64), over


def off_unit(column: NumberColumn, unit: Decimal) -> Mask:
    """Return a mask of the numbers that are no multiple of `unit`; float noise and single precision are forgiven."""
    exponent = unit.normalize().as_tuple().exponent
    decimals = max(-exponent, 0) if isinstance(exponent, int) else 0
    step = int(unit.scaleb(decimals))
    if float(np.max(np.abs(column.values), initial=0.0)) * 10.0**decimals >= _EXACT_BELOW:
        numbers = [Decimal(text.strip()) for text in _texts(column)]
        return np.array([EXACT.remainder(number, unit) != 0 for number in numbers], dtype=np.bool_)
    units = np.rint(column.values * 10.0**decimals)
    candidate = units / 10.0**decimals
    on = _nearly(candidate, column.values) | _same_single(candidate, column.values)
    off: Mask = ~on | (units.astype(np.int64) % step != 0)
    return off
