"""Openbell: an event-driven trading platform with one deterministic engine.

    from openbell import Backtest, Strategy, crossover

    class Cross(Strategy):
        fast: int = 10
        slow: int = 30

        def on_start(self):
            self.a, self.b = self.sma(self.fast), self.sma(self.slow)

        def on_bar(self, bar):
            a, b = self.a[bar.instrument], self.b[bar.instrument]
            if crossover(a, b):
                self.target_percent(bar.instrument, 1)
            elif crossover(b, a):
                self.target_percent(bar.instrument, 0)

    run = Backtest(Cross(fast=5), data="prices.csv", cash=10_000, fees="0.1%").run()

Names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openbell.kernel import Bar, Fill, OrderBook, Quote, Trade
    from openbell.market_data.bars import Bars
    from openbell.market_data.binance import read_binance
    from openbell.market_data.read_bars import read_bars
    from openbell.market_data.read_orders import read_orders
    from openbell.model.errors import (
        ConfigError,
        DivergenceError,
        EngineStopped,
        InputError,
        JournalError,
        OpenbellError,
        StrategyError,
    )
    from openbell.model.instrument import Instrument
    from openbell.model.position import Position
    from openbell.model.quantities import Money, Price, Quantity
    from openbell.model.terms import OrderState, OrderType, Side, TimeInForce
    from openbell.runtime.backtest import Backtest
    from openbell.runtime.replay import replay
    from openbell.runtime.resume import resume
    from openbell.runtime.run import Run, open_run
    from openbell.strategy import Order, Strategy, crossover, param
    from openbell.venue.matching_policy import MatchingPolicy
    from openbell.venue.models import FeeModel, FillModel, LatencyModel
    from openbell.venue.venue import Venue

_HOME = {
    "Backtest": "runtime.backtest",
    "Bar": "kernel",
    "Bars": "market_data.bars",
    "ConfigError": "model.errors",
    "DivergenceError": "model.errors",
    "EngineStopped": "model.errors",
    "FeeModel": "venue.models",
    "Fill": "kernel",
    "FillModel": "venue.models",
    "InputError": "model.errors",
    "Instrument": "model.instrument",
    "JournalError": "model.errors",
    "LatencyModel": "venue.models",
    "MatchingPolicy": "venue.matching_policy",
    "Money": "model.quantities",
    "OpenbellError": "model.errors",
    "Order": "strategy",
    "OrderBook": "kernel",
    "OrderState": "model.terms",
    "OrderType": "model.terms",
    "Position": "model.position",
    "Price": "model.quantities",
    "Quantity": "model.quantities",
    "Quote": "kernel",
    "Run": "runtime.run",
    "Side": "model.terms",
    "Strategy": "strategy",
    "StrategyError": "model.errors",
    "TimeInForce": "model.terms",
    "Trade": "kernel",
    "Venue": "venue.venue",
    "crossover": "strategy",
    "open_run": "runtime.run",
    "param": "strategy",
    "read_bars": "market_data.read_bars",
    "read_binance": "market_data.binance",
    "read_orders": "market_data.read_orders",
    "replay": "runtime.replay",
    "resume": "runtime.resume",
}
"""Where each public name lives."""

__version__ = "0.1.0"
__all__ = [
    "Backtest",
    "Bar",
    "Bars",
    "ConfigError",
    "DivergenceError",
    "EngineStopped",
    "FeeModel",
    "Fill",
    "FillModel",
    "InputError",
    "Instrument",
    "JournalError",
    "LatencyModel",
    "MatchingPolicy",
    "Money",
    "OpenbellError",
    "Order",
    "OrderBook",
    "OrderState",
    "OrderType",
    "Position",
    "Price",
    "Quantity",
    "Quote",
    "Run",
    "Side",
    "Strategy",
    "StrategyError",
    "TimeInForce",
    "Trade",
    "Venue",
    "crossover",
    "open_run",
    "param",
    "read_bars",
    "read_binance",
    "read_orders",
    "replay",
    "resume",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'openbell' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"openbell.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
