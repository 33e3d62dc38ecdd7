"""Strategies with a state of their own, and a long run to interrupt. As a program it begins that run, to be killed."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from openbell import Backtest, Bar, Fill, Strategy, crossover

BARS = 140_000


class Remembers(Strategy):
    """What it sends depends on everything it ever saw: counts, chance, timers and the figures of its fills."""

    fast: int = 20
    slow: int = 80

    def on_start(self) -> None:
        self.a, self.b = self.sma(self.fast), self.sma(self.slow)
        self.seen, self.paid, self.turns, self.ticks = 0, 0.0, [0, 0], 0
        self.schedule("tick", every="6h")

    def on_bar(self, bar: Bar) -> None:
        self.seen += 1
        a, b = self.a[bar.instrument], self.b[bar.instrument]
        if crossover(a, b):
            self.turns[0] += 1
            self.target_percent(bar.instrument, 0.1 + 0.8 * self.random.random())
        elif crossover(b, a) and (self.seen + self.ticks) % 3:
            self.turns[1] += 1
            self.target_percent(bar.instrument, -0.5)
        if self.seen % 1_000 == 0:
            self.record("paid", self.paid)

    def on_fill(self, fill: Fill) -> None:
        self.paid += float(fill.price) * float(fill.quantity)

    def on_timer(self, name: str) -> None:
        self.ticks += 1
        if self.ticks % 50 == 0:
            self.close(self.instruments[0])


class Saves(Remembers):
    """The same, and it can be continued without running all of it again."""

    def on_save(self) -> dict[str, Any]:
        return {"seen": self.seen, "paid": self.paid, "turns": self.turns, "ticks": self.ticks}

    def on_load(self, data: dict[str, Any]) -> None:
        self.seen, self.paid, self.turns, self.ticks = (
            data[name] for name in ("seen", "paid", "turns", "ticks")
        )


def write_minutes(path: Path, count: int = BARS) -> Path:
    """A CSV of bars of a minute that wander around 100."""
    steps = np.random.default_rng(3).integers(-15, 16, count)
    close = 10_000 + np.cumsum(steps) % 4_000
    before = np.concatenate(([10_000], close[:-1]))
    high, low = np.maximum(before, close) + 5, np.minimum(before, close) - 5
    times = np.datetime64("2020-01-01T00:00:00") + np.arange(count).astype("timedelta64[m]")
    rows = zip(times.astype(str), before / 100, high / 100, low / 100, close / 100, strict=True)
    lines = [f"{time}Z,{o:.2f},{h:.2f},{lo:.2f},{c:.2f},1000" for time, o, h, lo, c in rows]
    path.write_text("\n".join(["date,open,high,low,close,volume", *lines]) + "\n")
    return path


def a_long_run(data: Path, strategy: str) -> Backtest:
    """The run that is interrupted."""
    cls = {"Remembers": Remembers, "Saves": Saves}[strategy]
    return Backtest(cls(), data, cash=100_000, fees="0.01%", seed=5, latency="1s")


if __name__ == "__main__":
    a_long_run(Path(sys.argv[1]), sys.argv[2]).run(out=sys.argv[3])
