"""Returns of an equity curve, and the ratios made of them.

Ratios are made of one return per UTC day: the last equity of each day that has one, over the last equity of
the day before it (the first day over the starting equity). Minute and daily runs of the same strategy can
then be compared. Formulas are those of empyrical-reloaded, against which the tests check them; where it
answers NaN or infinity, these answer None.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NS_PER_DAY = 86_400_000_000_000

# Below this a deviation of daily returns is rounding of the division, not risk: dividing by it would print a
# Sharpe of 10^12.
_FLAT = 1e-14


@dataclass(frozen=True, slots=True)
class Calendar:
    """How many returns a year has, and why that was taken."""

    periods_per_year: float
    reason: str


def day_closes(time_ns: Integers, values: Floats) -> tuple[Integers, Floats]:
    """Return the UTC days (since 1970) that have a value, and the last value of each."""
    days = time_ns // NS_PER_DAY
    last = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    return days[last], values[last]


def daily_returns(time_ns: Integers, equity: Floats) -> Floats:
    """Return one simple return per UTC day. They end with the first day whose close is zero or less: what
    follows has no meaning.
    """
    _, closes = day_closes(time_ns, equity)
    if time_ns.size > 1 and time_ns[0] // NS_PER_DAY == time_ns[1] // NS_PER_DAY:
        closes = np.concatenate(([equity[0]], closes))  # an intraday run earns on its first day too
    ruined = np.flatnonzero(closes <= 0)
    if ruined.size:
        closes = closes[: ruined[0] + 1]
    if closes.size < 2 or closes[0] <= 0:
        return np.empty(0)
    return closes[1:] / closes[:-1] - 1.0


def detect_calendar(time_ns: Integers) -> Calendar:
    """Tell how many returns a year has from the days that are there.

    365 where most Saturdays and Sundays are present (markets that never close), else 252; 52, 12, 4 or 1
    where days are a week or more apart.
    """
    days = np.unique(time_ns // NS_PER_DAY)
    gap = float(np.median(np.diff(days))) if days.size > 1 else 1.0
    for limit, periods, word in (
        (250, 1, "yearly"),
        (75, 4, "quarterly"),
        (20, 12, "monthly"),
        (4, 52, "weekly"),
    ):
        if gap > limit:
            return Calendar(periods, f"{periods} per year: {word} data")
    if _trades_on_weekends(days):
        return Calendar(365, "365 per year: data on weekends")
    return Calendar(252, "252 per year: no data on weekends")


def _trades_on_weekends(days: Integers) -> bool:
    span = np.arange(days[0], days[-1] + 1)
    weekend = span[np.isin((span + 3) % 7, (5, 6))]  # 1970-01-01 was a Thursday: (0 + 3) % 7 = 3, Monday = 0
    saturdays = np.count_nonzero(
        (days + 3) % 7 == 5
    )  # futures open on Sunday evenings; only a Saturday is proof
    present = np.count_nonzero(np.isin(days, weekend))
    return bool(saturdays and present * 2 >= weekend.size)


def annual_return(returns: Floats, periods_per_year: float) -> float | None:
    """Return the compound annual growth rate, (1 + total)^(periods per year / periods) - 1; None without
    returns or after ruin.
    """
    if returns.size == 0:
        return None
    growth = float(np.prod(1.0 + returns))
    if growth < 0:
        return None
    return finite(_power(growth, periods_per_year / returns.size) - 1.0)


def _power(growth: float, exponent: float) -> float:
    try:
        return math.pow(growth, exponent)
    except OverflowError:  # three lucky days, compounded to a year
        return math.inf


def annual_volatility(returns: Floats, periods_per_year: float) -> float | None:
    """Return the sample standard deviation of returns times the square root of periods per year; None below
    two returns.
    """
    if returns.size < 2:
        return None
    return finite(float(np.std(returns, ddof=1)) * math.sqrt(periods_per_year))


def sharpe_ratio(returns: Floats, periods_per_year: float, risk_free: float = 0.0) -> float | None:
    """Return mean over standard deviation of the excess returns, annualized. `risk_free` is per period. None
    without deviation.

    Source: W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994).
    """
    if returns.size < 2:
        return None
    excess = returns - risk_free
    deviation = float(np.std(excess, ddof=1))
    return ratio(float(np.mean(excess)) * math.sqrt(periods_per_year), deviation)


def sortino_ratio(returns: Floats, periods_per_year: float, required: float = 0.0) -> float | None:
    """Return mean excess over downside deviation, annualized. `required` is per period. None where no return
    is below it.

    The downside deviation is the root of the mean square of shortfalls over all periods.
    Source: F. Sortino and L. Price, "Performance Measurement in a Downside Risk Framework", Journal of
    Investing 3 (1994).
    """
    if returns.size < 2:
        return None
    excess = returns - required
    downside = math.sqrt(float(np.mean(np.square(np.minimum(excess, 0.0)))))
    return ratio(float(np.mean(excess)) * math.sqrt(periods_per_year), downside)


def value_at_risk(returns: Floats, cutoff: float = 0.05) -> float | None:
    """Return the return that `cutoff` of all periods fall below (the percentile, linear between two)."""
    return finite(float(np.percentile(returns, 100 * cutoff))) if returns.size else None


def conditional_value_at_risk(returns: Floats, cutoff: float = 0.05) -> float | None:
    """Return the mean of the worst `cutoff` of returns."""
    if returns.size == 0:
        return None
    index = int((returns.size - 1) * cutoff)
    return finite(float(np.mean(np.partition(returns, index)[: index + 1])))


def ratio(numerator: float, denominator: float) -> float | None:
    """Return numerator / denominator, None where the denominator is nothing but rounding."""
    return None if abs(denominator) <= _FLAT else finite(numerator / denominator)


def finite(value: float) -> float | None:
    """Return the value, None where it is NaN or infinite: JSON has neither."""
    return value if math.isfinite(value) else None
