"""Drawdowns: how far and how long an equity curve stays below its high watermark. Measured on every row, not
on daily closes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One fall from a high watermark. Rows count from 0.

    `depth` is negative (-0.25 = a quarter lost). `end` is the row where the watermark was reached again, or
    the last row where it was not (`recovered` False).
    """

    depth: float
    peak: int
    trough: int
    end: int
    recovered: bool

    @property
    def rows(self) -> int:
        """How many rows lie between the peak and the end."""
        return self.end - self.peak


def underwater(equity: Floats) -> Floats:
    """Return equity over its high watermark, minus 1, per row: 0 at a high, negative below. Zeros if it never
    was positive.
    """
    watermark = np.maximum.accumulate(equity)
    return np.where(watermark > 0, equity / np.where(watermark > 0, watermark, 1.0) - 1.0, 0.0)


def drawdowns(equity: Floats) -> list[Drawdown]:
    """Return every drawdown in order of time."""
    depth = underwater(equity)
    below = np.concatenate(([False], depth < 0, [False]))
    edges = np.flatnonzero(below[1:] != below[:-1])
    return [_between(depth, int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def deepest(falls: list[Drawdown]) -> Drawdown | None:
    """Return the deepest drawdown (the first of equals), None where there is none."""
    return min(falls, key=lambda fall: fall.depth, default=None)


def _between(depth: Floats, start: int, end: int) -> Drawdown:
    trough = start + int(np.argmin(depth[start:end]))
    recovered = end < depth.size
    return Drawdown(float(depth[trough]), start - 1, trough, end if recovered else end - 1, recovered)
