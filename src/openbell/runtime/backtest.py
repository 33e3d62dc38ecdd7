"""Backtest: a strategy over files of market data, on the simulated venue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openbell.engine.source import Source
from openbell.market_data.bars import Bars, BarSeries
from openbell.market_data.read_bars import read_bars
from openbell.market_data.read_orders import OrderHistory
from openbell.model.errors import ConfigError, InputError
from openbell.model.instrument import Instrument
from openbell.model.quantities import Money, Number, exact_decimal
from openbell.model.time import to_ns, zone
from openbell.runtime.bar_source import BarSource
from openbell.runtime.benchmark import BUY_AND_HOLD
from openbell.runtime.result import JournalContent
from openbell.runtime.run_log import print_line
from openbell.runtime.setup import NANO, CloseAtEnd, Context, Progress, Setup, fresh
from openbell.strategy.strategy import Strategy
from openbell.venue.models import (
    FeeModel,
    FillModel,
    LatencyModel,
    PercentageFee,
    fee_model,
    fraction,
    latency_model,
)
from openbell.venue.venue import Venue

if TYPE_CHECKING:
    from openbell.runtime.run import Run

MOST_CASH = 10**18
MOST_BARS = 10**7
"""Of `warm_up` and `history`: what the engine keeps for each instrument lies in memory."""


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """A strategy over market data on the simulated venue, under one account.

    strategy      an instance: `Cross(fast=5)`; each run builds a fresh one from a copy of its parameters
    data          what `read_bars` takes (path, frames, dict of symbols), `Bars`, or a source such as `read_binance(...)`
    cash          at the start, in `currency` (by default that of the instruments), or Money
    fees          "0.1%", 0.001, (maker, taker), or a `FeeModel`
    slippage      fraction of the price against whoever takes: "0.05%"
    leverage      gross exposure at most this multiple of equity
    shorting      whether positions below zero are allowed
    start, end    bars that open in [start, end) are traded; `warm_up` bars before `start` are used to warm up
    warm_up       bars of an instrument before its first hook (indicators hold it back until they are ready anyway)
    benchmark     "buy_and_hold" (equal parts of all instruments), a symbol, or None
    latency       "50ms" or a `LatencyModel`
    fills         a `FillModel`
    venue         a `Venue` of our own, where the strategy trades with the orders of `data=read_orders(...)`; with such data it is
                  `Venue()` unless another is given. None: simulated
    history       bars kept for `self.history`
    close_at_end  True: positions left at the end are closed at the last close, at a venue of our own against what stands in its
                  book; "open": at the last bar's open, as some simulators do; False: they stay, valued at the last close
    journal       what a saved run's journal holds: "full", "by_reference" (data by its SHA-256) or "none"
    seed          of `self.random`
    timezone      of times without a zone, in the data and in `start` and `end`: "America/New_York"
    name          of the run; by default that of the strategy

    Every argument but the data is checked here, the data when it runs. Raises ConfigError for an argument that cannot work,
    InputError for data that cannot be used.
    """

    strategy: Strategy
    data: Any
    _: KW_ONLY
    cash: Number | Money = 10_000
    currency: str | None = None
    fees: Number | Sequence[Number] | FeeModel | PercentageFee = 0
    slippage: Number = 0
    leverage: Number = 1
    shorting: bool = True
    start: Any = None
    end: Any = None
    warm_up: int = 0
    benchmark: str | None = None
    latency: str | LatencyModel | None = None
    fills: FillModel | None = None
    venue: Venue | None = None
    history: int = 1_000
    close_at_end: CloseAtEnd = False
    journal: JournalContent = "full"
    seed: int = 0
    timezone: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        self._check_strategy()
        for name, least, most in (
            ("warm_up", 0, MOST_BARS),
            ("history", 0, MOST_BARS),
            ("seed", 0, 2**63 - 1),
        ):
            _require_whole(name, getattr(self, name), least, most)
        _require_one_of("close_at_end", self.close_at_end, (True, False, "open"))
        _require_one_of("journal", self.journal, ("full", "by_reference", "none"))
        _require_one_of("shorting", self.shorting, (True, False))
        for name in ("currency", "benchmark", "timezone", "name"):
            if not isinstance(getattr(self, name), (str, type(None))):
                raise ConfigError(f"{name} is {getattr(self, name)!r}; it must be text")
        if self.fills is not None and not isinstance(self.fills, FillModel):
            raise ConfigError(f"fills is {self.fills!r}; it must be a FillModel")
        if self.venue is not None and not isinstance(self.venue, Venue):
            raise ConfigError(f"venue is {self.venue!r}; it must be a Venue")
        self._cash_nano()
        self._leverage_nano()
        self._span()
        self._fill_model()
        self._check_venue()
        fee_model(self.fees)
        latency_model(self.latency)

    def _check_strategy(self) -> None:
        given = self.strategy
        if isinstance(given, type):
            raise ConfigError(f"strategy is the class {given.__name__}; give an instance: {given.__name__}()")
        if not isinstance(given, Strategy):
            raise ConfigError(
                f"strategy is {given!r}; it must be an instance of a class derived from openbell.Strategy"
            )
        for name, value in given.parameters.items():
            if getattr(given, name) is not value:
                raise ConfigError(
                    f"{type(given).__name__}.{name} was changed to {getattr(given, name)!r} after the strategy was made; a run "
                    f"is built from its parameters: {type(given).__name__}({name}=...)"
                )

    def _check_venue(self) -> None:
        """At a venue of our own orders fill by the book: nothing simulates what they meet."""
        is_history = isinstance(self.data, OrderHistory)
        if self.venue is not None and not is_history:
            raise ConfigError("venue=Venue(...) needs the orders of a market: data=read_orders(...)")
        if not is_history:
            return
        latency = latency_model(self.latency)
        for name, is_given, why in (
            ("fills", self.fills is not None, "orders fill as they match"),
            ("slippage", self._fill_model().slippage != 0, "orders fill as they match"),
            ("latency", latency.order_ns or latency.report_ns, "only LatencyModel(feed_ns=...) delays there"),
            ("warm_up", self.warm_up, "there are no bars"),
            ("close_at_end='open'", self.close_at_end == "open", "there are no bars"),
        ):
            if is_given:
                raise ConfigError(f"{name} does not go with a venue of our own: {why}")

    def run(self, *, out: str | Path | None = None, progress: Progress | None = None) -> Run:
        """Run it and return the `Run`; with `out` written to a new folder below that one.

        `progress(done, total)` is called with bars as they are done. Raises StrategyError when a hook raises: it names the
        hook, the place, the sequence and the time, and its cause is what was raised.
        """
        from openbell.runtime.run import Run
        from openbell.runtime.run_folder import run_into_folder

        setup = self.prepare()
        if out is None:
            return Run(setup.execute(Context(log=print_line), progress))
        return run_into_folder(setup, Path(out), progress)

    def prepare(self) -> Setup:
        """Read the data and check every argument against it. Nothing has run yet."""
        source = self._source()
        currency = self._currency_of(source.instruments)
        return Setup(
            strategy=fresh(self.strategy),
            source=source,
            name=self.name or type(self.strategy).__name__,
            currency=currency,
            cash_nano=self._cash_nano(),
            fees=fee_model(self.fees),
            fills=self._fill_model(),
            latency=latency_model(self.latency),
            leverage_nano=self._leverage_nano(),
            shorting=self.shorting,
            warm_up=self.warm_up,
            benchmark=self._benchmark(source),
            history=self.history,
            close_at_end=self.close_at_end,
            journal=self.journal,
            seed=self.seed,
            start=None if self.start is None else str(self.start),
            end=None if self.end is None else str(self.end),
            start_ns=self._span()[0],
            venue=(self.venue or Venue()) if isinstance(source, OrderHistory) else None,
        )

    def _source(self) -> Source:
        if isinstance(self.data, Source) and not isinstance(self.data, Bars):
            if self.start is not None or self.end is not None:
                raise ConfigError("start and end belong to the source here: give them where it is made")
            return self.data
        bars = self.data if isinstance(self.data, Bars) else read_bars(self.data, timezone=self.timezone)
        return BarSource(self._period(bars))

    def _period(self, bars: Bars) -> Bars:
        if self.start is None and self.end is None:
            return bars
        first, last = self._span()
        if not any(len(one.slice(first, last)) for one in bars.series):
            bars.slice(self.start, self.end, self.timezone)  # raises, saying which period there is
        return Bars(self._part(one, first, last) for one in bars.series)

    def _part(self, series: BarSeries, first: int, last: int) -> BarSeries:
        part = series.slice(self._warm_start(series.open_time, first), last)
        if len(part):
            return part
        return replace(part, notes=(*part.notes, f"no bar from {self.start} to {self.end}"))

    def _warm_start(self, open_time: NDArray[np.int64], first: int) -> int:
        """When the data has to begin so that `warm_up` bars come before `first`."""
        at = int(np.searchsorted(open_time, first))
        return int(open_time[max(at - self.warm_up, 0)]) if at else first

    def _span(self) -> tuple[int, int]:
        """From when to when bars are traded, UTC nanoseconds."""
        if self.timezone is not None:
            zone(self.timezone)
        first = -(2**63) if self.start is None else self._time("start", self.start)
        last = 2**63 - 1 if self.end is None else self._time("end", self.end)
        if first >= last:
            raise ConfigError(f"start {self.start} is not before end {self.end}")
        return first, last

    def _time(self, name: str, value: Any) -> int:
        try:
            return to_ns(value, self.timezone)
        except InputError as error:
            raise ConfigError(f"{name}: {error}") from None

    def _currency_of(self, instruments: Sequence[Instrument]) -> str:
        found = sorted({instrument.currency for instrument in instruments})
        cash = self.cash.currency if isinstance(self.cash, Money) else None
        wanted = {currency for currency in (self.currency, cash) if currency is not None}
        if len(found) > 1 or not wanted <= {found[0]}:
            asked = " and ".join(sorted(wanted)) or "one currency"
            raise ConfigError(
                f"the instruments are quoted in {', '.join(found)} and the account is in {asked}; "
                f"rates between currencies are not known"
            )
        return found[0]

    def _cash_nano(self) -> int:
        amount = self.cash.amount if isinstance(self.cash, Money) else _decimal("cash", self.cash)
        if not 0 < amount <= MOST_CASH:
            raise ConfigError(f"cash is {self.cash}; it must be above 0, at most {MOST_CASH}")
        return int((amount * NANO).to_integral_value())

    def _leverage_nano(self) -> int:
        leverage = _decimal("leverage", self.leverage)
        if not Decimal("0.001") <= leverage <= 1000:
            raise ConfigError(f"leverage is {self.leverage!r}; it must be a number from 0.001 to 1000")
        return int((leverage * NANO).to_integral_value())

    def _fill_model(self) -> FillModel:
        slippage = fraction(self.slippage, "slippage")
        if self.fills is None:
            return FillModel(slippage=slippage)
        if slippage and self.fills.slippage != slippage:
            raise ConfigError("slippage is given twice: as an argument and in the FillModel")
        return self.fills

    def _benchmark(self, source: Source) -> str | None:
        symbols = [instrument.symbol for instrument in source.instruments]
        if self.benchmark is None:
            return None
        if not isinstance(source, BarSource):
            raise ConfigError("a benchmark is drawn from bars; this source has none")
        if self.benchmark != BUY_AND_HOLD and self.benchmark not in symbols:
            raise ConfigError(
                f"benchmark is {self.benchmark!r}; it must be {BUY_AND_HOLD!r} or one of {', '.join(symbols)}"
            )
        return self.benchmark

    def __repr__(self) -> str:
        chosen = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields(self)
            if field.name not in ("strategy", "data") and getattr(self, field.name) != field.default
        ]
        data = repr(self.data) if isinstance(self.data, (str, Path)) else f"<{type(self.data).__name__}>"
        return f"Backtest({', '.join([repr(self.strategy), f'data={data}', *chosen])})"


def _decimal(name: str, value: Any) -> Decimal:
    try:
        return exact_decimal(value)
    except InputError:
        raise ConfigError(f"{name} is {value!r}; it must be a finite number") from None


def _require_whole(name: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(f"{name} is {value!r}; it must be a whole number from {least} to {most}")


def _require_one_of(name: str, value: Any, known: tuple[Any, ...]) -> None:
    if not any(value is one or (isinstance(one, str) and value == one) for one in known):
        raise ConfigError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, known))}")
