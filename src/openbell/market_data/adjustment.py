"""Adjustment of prices by `Adj Close`, and signs of splits in prices that were not adjusted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openbell.market_data.decimals import NumberColumn
from openbell.model.time import iso

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SPLITS = (1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0)
_SPLIT_TOLERANCE = 0.03
_SHOWN = 5


def coarse_decimals(values: Floats) -> int:
    """Decimals that keep seven significant digits of the smallest price: at least 6, at most 9."""
    smallest = float(np.min(values, initial=1.0))
    return int(np.clip(6 - np.floor(np.log10(smallest)), 6, 9))


def back_adjusted(numbers: dict[str, NumberColumn]) -> dict[str, Floats] | None:
    """Return open, high, low and close times Adj Close / Close, or None where the two are equal in every row."""
    close, adjusted = numbers["close"].values, numbers["adj_close"].values
    if np.array_equal(close, adjusted):
        return None
    factor = adjusted / close
    prices = {name: numbers[name].values * factor for name in ("open", "high", "low")}
    prices["close"] = adjusted
    # A product may round past the close that it equals: the highest and lowest of the four stay so.
    prices["high"] = np.max(list(prices.values()), axis=0)
    prices["low"] = np.min(list(prices.values()), axis=0)
    return prices


def split_notes(time: Ints, first: Floats, last: Floats) -> list[str]:
    """Return a note where an open differs from the close before it by a factor of a usual split, within 3 %."""
    # Around zero a factor means nothing.
    have_factor = (first[1:] > 0) & (last[:-1] > 0)
    ratio = np.divide(first[1:], last[:-1], out=np.ones(len(have_factor)), where=have_factor)
    jump = np.maximum(ratio, 1.0 / ratio)
    hits = [int(i) for i in np.flatnonzero(jump > 1.4) if _split(float(jump[i])) is not None]
    if not hits:
        return []
    shown = ", ".join(f"{iso(time[i + 1])[:10]} (x{ratio[i]:.3g})" for i in hits[:_SHOWN])
    more = f" and {len(hits) - _SHOWN} more" if len(hits) > _SHOWN else ""
    return [f"prices jump like an unadjusted split at {shown}{more}; adjust the data if it was one"]


def _split(jump: float) -> float | None:
    return next((split for split in _SPLITS if abs(jump / split - 1.0) <= _SPLIT_TOLERANCE), None)
