"""Strategies and data that the tests of runs share."""

from decimal import Decimal
from pathlib import Path

import numpy as np

from openbell import Backtest, Bar, FeeModel, Fill, Money, Strategy, crossover


class Cross(Strategy):
    """Long above, short below; enough orders to be worth a replay."""

    fast: int = 3
    slow: int = 7

    def on_start(self) -> None:
        self.a, self.b = self.sma(self.fast), self.sma(self.slow)

    def on_bar(self, bar: Bar) -> None:
        a, b = self.a[bar.instrument], self.b[bar.instrument]
        if crossover(a, b):
            self.target_percent(bar.instrument, 0.9)
        elif crossover(b, a):
            self.target_percent(bar.instrument, -0.9)
        self.record("spread", float(a) - float(b))


class PerShare(FeeModel):
    """A cent a share, at least one unit of the currency."""

    sizing_rate = "0.01"

    def __init__(self, rate: Decimal = Decimal("0.01")) -> None:
        self.rate = rate

    def fee(self, fill: Fill) -> Money:
        fee: Money = fill.quantity * Money(self.rate, "USD")
        return max(Money("1", "USD"), fee)


def write_bars(path: Path, count: int = 120, seed: int = 7) -> Path:
    """A CSV of daily bars that wander around 100."""
    steps = np.random.default_rng(seed).integers(-150, 151, count)
    close = 10_000 + np.cumsum(steps)
    lines = ["date,open,high,low,close,volume"]
    for day, value in enumerate(close):
        date = np.datetime64("2020-01-01") + day
        before = int(close[max(day - 1, 0)])
        high, low = max(before, value) + 20, min(before, value) - 20
        lines.append(f"{date},{before / 100:.2f},{high / 100:.2f},{low / 100:.2f},{value / 100:.2f},1000")
    path.write_text("\n".join(lines) + "\n")
    return path


def a_backtest(folder: Path, **settings: object) -> Backtest:
    """A backtest over bars in `folder`."""
    data = write_bars(folder / "bars.csv")
    return Backtest(Cross(), data, cash=100_000, **{"fees": "0.1%", "benchmark": "buy_and_hold", **settings})  # type: ignore[arg-type]
