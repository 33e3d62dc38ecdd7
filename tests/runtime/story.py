"""Short markets and what a strategy does in them, in a trader's words.

`play([(100, 101, 99, 100), ...], {1: lambda s: s.buy("ABC", 10)})` acts at the close of bar 1 and tells what came of it.
Fills read "2 BUY 10 @ 100": known at the close of bar 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from openbell import Backtest, Bar, Fill, Instrument, Order, Strategy
from openbell.market_data.bars import Bars
from openbell.market_data.read_bars import read_bars
from openbell.model.errors import OpenbellError
from openbell.runtime.result import RunResult

DAY = 86_400_000_000_000
FIRST_DAY = 18_993 * DAY  # 2022-01-01
ABC = Instrument("ABC", tick="0.01", lot=1)
Row = Sequence[float]
Action = Callable[["Player"], Any]


def frame(rows: Sequence[Row], first_day: int = 0, every_ns: int = DAY) -> pl.DataFrame:
    """Bars (open, high, low, close[, volume 1000]) that follow each other without a gap."""
    return pl.DataFrame(
        {
            "time": [FIRST_DAY + first_day * DAY + number * every_ns for number in range(len(rows))],
            **{
                name: [float(row[at]) for row in rows]
                for at, name in enumerate(("open", "high", "low", "close"))
            },
            "volume": [float(row[4]) if len(row) > 4 else 1000.0 for row in rows],
        }
    ).with_columns(pl.col("time").cast(pl.Datetime("ns", "UTC")))


def market(
    rows: Sequence[Row], instrument: Instrument = ABC, first_day: int = 0, every_ns: int = DAY
) -> Bars:
    """One instrument."""
    return read_bars(frame(rows, first_day, every_ns), instrument=instrument, bar_time="open")


def markets(**series: Bars) -> Bars:
    """Several instruments together; the names are only for the reader."""
    return Bars(one for bars in series.values() for one in bars.series)


def flat(price: float, count: int) -> list[Row]:
    """Bars that stand still."""
    return [(price, price, price, price)] * count


class Player(Strategy):
    """Acts at the close of numbered bars and notes what it is told."""

    def on_start(self) -> None:
        self.number = 0
        self.kept: dict[int, Any] = {}
        self.fills: list[str] = []
        self.news: list[str] = []
        self.act(0)

    def on_bars(self, bars: list[Bar]) -> None:
        self.number += 1
        self.act(self.number)

    def act(self, number: int) -> None:
        action = self._actions.get(number)
        if action is not None:
            self.kept[number] = action(self)

    def on_fill(self, fill: Fill) -> None:
        # Fills come before the bar that made them.
        self.fills.append(f"{self.number + 1} {fill.side.name} {fill.quantity:f} @ {fill.price:f}")

    def on_order(self, order: Order) -> None:
        self.news.append(f"{self.number + 1} {order.side.name} {order.state.name}")

    _actions: Mapping[int, Action] = {}


@dataclass
class Story:
    """What came of it."""

    result: RunResult
    player: Player
    fills: list[str] = field(default_factory=list)

    def order(self, number: int) -> Any:
        """What the action of a bar returned."""
        return self.player.kept[number]

    def states(self) -> list[str]:
        """State of every order that an action returned by itself, in order."""
        orders = [one for one in self.player.kept.values() if isinstance(one, Order)]
        return [order.state.name for order in orders]


def play(data: Bars | Sequence[Row], actions: Mapping[int, Action], **settings: Any) -> Story:
    """Run the actions over the market."""
    captured: list[Player] = []

    class Played(Player):
        _actions = actions

        def on_start(self) -> None:
            captured.append(self)
            super().on_start()

    bars = data if isinstance(data, Bars) else market(data)
    result = Backtest(Played(), bars, **settings).prepare().execute(None)
    return Story(result, captured[0], captured[0].fills)


def failure(data: Bars | Sequence[Row], actions: Mapping[int, Action], **settings: Any) -> OpenbellError:
    """The error that running the actions ends in."""
    try:
        story = play(data, actions, **settings)
    except OpenbellError as error:
        return error
    raise AssertionError(f"nothing was raised; fills: {story.fills}")
