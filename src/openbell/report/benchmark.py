"""The run against its benchmark: return, alpha and beta of daily returns on the days both have."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openbell.report.returns import daily_returns, finite, ratio

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a benchmark says about a run; each figure None where it is undefined."""

    benchmark_return: float | None = None
    alpha: float | None = None
    beta: float | None = None
    correlation: float | None = None


def against_benchmark(
    time_ns: Integers, equity: Floats, benchmark: Floats, periods_per_year: float
) -> Comparison:
    """Compare equity with the benchmark's value (NaN where it has none) on the rows that have both."""
    known = np.isfinite(benchmark)
    time_ns, equity, benchmark = time_ns[known], equity[known], benchmark[known]
    if benchmark.size == 0:
        return Comparison()
    own, other = daily_returns(time_ns, equity), daily_returns(time_ns, benchmark)
    length = min(own.size, other.size)  # the one that was ruined ends earlier
    own, other = own[:length], other[:length]
    slope = beta(own, other)
    return Comparison(
        benchmark_return=ratio(float(benchmark[-1] - benchmark[0]), float(benchmark[0])),
        alpha=alpha(own, other, slope, periods_per_year),
        beta=slope,
        correlation=_correlation(own, other),
    )


def beta(returns: Floats, benchmark: Floats) -> float | None:
    """Return the covariance with the benchmark over its variance; None where the benchmark does not move."""
    if returns.size < 2 or float(np.std(benchmark)) <= 1e-14:
        return None
    centered = benchmark - benchmark.mean()
    return finite(float(np.mean(centered * returns) / np.mean(centered * centered)))


def alpha(returns: Floats, benchmark: Floats, slope: float | None, periods_per_year: float) -> float | None:
    """Return the mean return that beta does not explain, compounded to a year: (1 + mean(r - beta b))^periods
    - 1.
    """
    if slope is None:
        return None
    unexplained = float(np.mean(returns - slope * benchmark))
    if unexplained <= -1:
        return None
    exponent = periods_per_year * math.log1p(unexplained)
    return finite(math.expm1(exponent)) if exponent < 700 else None


def _correlation(own: Floats, other: Floats) -> float | None:
    if own.size < 2 or float(np.std(own)) <= 1e-14 or float(np.std(other)) <= 1e-14:
        return None
    return finite(float(np.corrcoef(own, other)[0, 1]))
