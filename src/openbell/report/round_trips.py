"""Figures over closed trades (round trips). `profit` is net of fees, in the run's currency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openbell.report.returns import finite, ratio

Floats = NDArray[np.float64]


def win_rate(profit: Floats) -> float | None:
    """Return the share of trades that made money. A trade at exactly zero is no win."""
    return float(np.count_nonzero(profit > 0)) / profit.size if profit.size else None


def profit_factor(profit: Floats) -> float | None:
    """Return gross profit over gross loss; None where nothing was lost."""
    return ratio(float(profit[profit > 0].sum()), -float(profit[profit < 0].sum()))


def payoff_ratio(profit: Floats) -> float | None:
    """Return the average win over the average loss; None without a win or without a loss."""
    wins, losses = profit[profit > 0], profit[profit < 0]
    if wins.size == 0 or losses.size == 0:
        return None
    return ratio(float(wins.mean()), -float(losses.mean()))


def mean(values: Floats) -> float | None:
    """Return the average, None of nothing."""
    return finite(float(values.mean())) if values.size else None


def longest_losing_streak(profit: Floats) -> int:
    """Return the most losing trades in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], profit < 0, [0])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
