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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openbell import (
    Backtest,
    Bars,
    FeeModel,
    Instrument,
    MatchingPolicy,
    Money,
    Strategy,
    Venue,
    crossover,
    read_bars,
    read_orders,
)
from openbell.messages.layouts import select
from openbell.messages.market_data import bar_batches
from openbell.venue.models import PercentageFee

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

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


class ByTime(MatchingPolicy):
    """As cheap as an answer can be: by time."""

    def allocate(self, incoming: int, resting_quantities: Sequence[int]) -> Sequence[int]:
        shares = []
        for wanted in resting_quantities:
            shares.append(min(wanted, incoming))
            incoming -= shares[-1]
        return shares


class OneRate(FeeModel):
    """The same fee for every fill."""

    def fee(self, fill: Any) -> Money:
        return Money("1", "USD")


def order_history(count: int, levels: int = 20) -> pl.DataFrame:
    """A book of `levels` prices on each side, and takers that leave something to decide with every fourth row."""
    import polars as pl

    rng = np.random.default_rng(SEED)
    kind = np.where(np.arange(count) < 40 * levels, 0, rng.integers(0, 4, count))
    is_take = kind == 3
    is_buy = rng.integers(0, 2, count) == 1
    away = rng.integers(0, levels, count)
    price = np.where(is_buy, 9_999 - away, 10_001 + away)
    return pl.DataFrame(
        {
            "time": 1_700_000_000_000_000_000 + 1_000_000 * np.arange(count),
            "action": np.where(is_take, "TAKE", "ADD"),
            "side": np.where(is_buy, "BUY", "SELL"),
            "price": [
                None if take else f"{cents / 100:.2f}" for take, cents in zip(is_take, price, strict=True)
            ],
            "quantity": np.where(is_take, 30, rng.integers(5, 15, count)).astype(str),
            "order_id": [None if take else number for number, take in enumerate(is_take, start=1)],
        }
    )


def models(bars: Bars, rounds: int, rows: int = 20_000) -> None:
    """What a model in Python costs, by the difference to the kernel's own."""
    history = read_orders(order_history(rows), instrument=Instrument("ABC", "USD", tick="0.01", lot=1))
    policies = [
        Backtest(NoHook(), history, venue=Venue(policy)).prepare() for policy in ("PRICE_TIME", ByTime())
    ]
    fees = [
        Backtest(Cross(), bars, fees=model, cash=10**9).prepare() for model in (PercentageFee(), OneRate())
    ]
    questions = policies[1].execute().sequence - policies[0].execute().sequence
    fills = len(select(fees[0].execute().output, "OrderFilled"))
    for words, setups, count in (
        ("a matching policy in Python, a question", policies, questions),
        ("a fee model in Python, a fill          ", fees, fills),
    ):
        times = [[seconds(setup.execute) for setup in setups] for _ in range(rounds)]
        each = [(asked - own) / count * 1e6 for own, asked in times]
        print(f"  {words}  {spread(each, ' us')}, {count:,} of them")


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
    models(bars, args.rounds)


if __name__ == "__main__":
    main()
