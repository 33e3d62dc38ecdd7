"""Backtest speed: bars and callbacks per second, and an SMA cross beside backtesting.py in the same run.

    make bench-backtest            (or: python -m benchmarks.backtest --rounds 5 --bars 100000)

Rounds are interleaved and ratios are taken pair by pair, since these machines change their speed from minute to minute. Data:
a seeded random walk, so that the benchmark needs no files. What is timed is said in each line; decoding is shown apart.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openbell import Backtest, Bars, Strategy, crossover, read_bars
from openbell.messages.market_data import bar_batches

if TYPE_CHECKING:
    import pandas as pd

SEED = 8123


class NoHook(Strategy):
    """Nothing but the engine: bars are folded into the view, no callback is made."""


class NoOp(Strategy):
    """One empty callback per bar."""

    def on_bar(self, bar: Any) -> None:
        pass


class Cross(Strategy):
    """SMA cross 10/30, always in the market, all-in."""

    fast: int = 10
    slow: int = 30

    def on_start(self) -> None:
        self.a, self.b = self.sma(self.fast), self.sma(self.slow)

    def on_bar(self, bar: Any) -> None:
        a, b = self.a[bar.instrument], self.b[bar.instrument]
        if crossover(a, b):
            self.close(bar.instrument)
            self.buy(bar.instrument, percent=1)
        elif crossover(b, a):
            self.close(bar.instrument)
            self.sell(bar.instrument, percent=1)


def random_walk(count: int, seed: int = SEED) -> pd.DataFrame:
    """Minute bars on a tick of 0.01 around 100."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    close = 10_000 + np.cumsum(rng.integers(-8, 9, count))
    close += 2_000 - min(int(close.min()), 2_000)
    opened = np.concatenate(([close[0]], close[:-1]))
    high = np.maximum(opened, close) + rng.integers(0, 5, count)
    low = np.minimum(opened, close) - rng.integers(0, 5, count)
    index = pd.date_range("2020-01-01", periods=count, freq="1min", tz="UTC", name="time")
    prices = {"Open": opened / 100, "High": high / 100, "Low": low / 100, "Close": close / 100}
    return pd.DataFrame(prices | {"Volume": rng.integers(1, 1_000, count)}, index=index)


def seconds(action: Callable[[], Any]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def spread(values: list[float], unit: str = "") -> str:
    """Median, and the range the rounds gave."""
    return f"{statistics.median(values):,.2f}{unit} ({min(values):,.2f} to {max(values):,.2f})"


def rate(count: int, times: list[float]) -> str:
    return spread([count / taken / 1e6 for taken in times], " M/s")


def ours(bars: Bars, strategy: Strategy) -> Any:
    """Run from bars in memory to the finished result, encoding included."""
    return Backtest(strategy, data=bars, fees="0.2%", history=0).prepare().execute(None)


def with_backtesting_py(frame: pd.DataFrame) -> Callable[[], Any]:
    """The same cross in backtesting.py."""
    import pandas as pd
    from backtesting import Backtest as TheirBacktest
    from backtesting import Strategy as TheirStrategy
    from backtesting.lib import crossover as their_crossover

    def average(values: Any, period: int) -> Any:
        return pd.Series(values).rolling(period).mean()

    class TheirCross(TheirStrategy):  # type: ignore[misc]
        def init(self) -> None:
            self.a = self.I(average, self.data.Close, 10)
            self.b = self.I(average, self.data.Close, 30)

        def next(self) -> None:
            if their_crossover(self.a, self.b):
                self.position.close()
                self.buy()
            elif their_crossover(self.b, self.a):
                self.position.close()
                self.sell()

    test = TheirBacktest(frame.tz_localize(None), TheirCross, cash=10_000, commission=0.002)
    run: Callable[[], Any] = test.run
    return run


def compare(frame: pd.DataFrame, bars: Bars, rounds: int) -> None:
    warnings.simplefilter("ignore")
    mine, theirs = [], []
    for _ in range(rounds):
        mine.append(seconds(lambda: ours(bars, Cross())))
        theirs.append(seconds(with_backtesting_py(frame)))
    ratios = [their / own for own, their in zip(mine, theirs, strict=True)]
    print(f"  SMA cross, {len(frame):,} bars: ours          {spread(mine, ' s')}")
    print(f"  SMA cross, {len(frame):,} bars: backtesting.py {spread(theirs, ' s')}")
    print(f"  times backtesting.py                    {spread(ratios, ' x')}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bars", type=int, default=100_000)
    parser.add_argument("--callbacks", type=int, default=1_000_000)
    args = parser.parse_args()
    print(f"backtest, {args.rounds} rounds, median (least to most), seed {SEED}")
    many = read_bars(random_walk(args.callbacks), symbol="WALK")
    encode = [seconds(lambda: list(bar_batches(many.series))) for _ in range(args.rounds)]
    alone = [seconds(lambda: ours(many, NoHook())) for _ in range(args.rounds)]
    called = [seconds(lambda: ours(many, NoOp())) for _ in range(args.rounds)]
    print(f"  encode {args.callbacks:,} bars to records        {rate(args.callbacks, encode)}")
    print(f"  engine alone, encoding included         {rate(args.callbacks, alone)}")
    print(f"  one empty on_bar per bar, encoding incl. {rate(args.callbacks, called)}")
    frame = random_walk(args.bars)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk.csv"
        frame.to_csv(path)
        decode = [seconds(lambda: read_bars(path)) for _ in range(args.rounds)]
        bars = read_bars(path)
    print(f"  decode a CSV of {args.bars:,} bars          {rate(args.bars, decode)}")
    compare(frame, bars, args.rounds)


if __name__ == "__main__":
    main()
