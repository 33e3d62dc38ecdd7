"""Backtest: a strategy over files of market data, on the simulated venue."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from openbell.engine.session import Session
from openbell.engine.source import Source
from openbell.kernel import Hooks, NewJournal, Node
from openbell.market_data.bars import Bars
from openbell.market_data.read_bars import read_bars
from openbell.messages.market_data import bar_batches
from openbell.model.errors import ConfigError, OpenbellError, StrategyError
from openbell.model.instrument import Instrument
from openbell.model.quantities import Money, Number, exact_decimal
from openbell.model.time import iso, to_ns
from openbell.runtime.result import RunResult
from openbell.strategy.binding import bind
from openbell.strategy.strategy import Strategy
from openbell.venue.models import (
    CLOSE_OUT_AT_OPEN,
    LIMIT_FILLS_ON_TOUCH,
    FeeModel,
    FillModel,
    LatencyModel,
    PercentageFee,
    fee_model,
    fraction,
    latency_model,
)

if TYPE_CHECKING:
    from openbell.runtime.run import Run

NANO = 10**9
MOST_NANO = 2**63 - 1
ACCOUNT, PARTICIPANT, CURRENCY, VENUE, SIMULATED = 1, 1, 1, 0, 2
MAX_LEVERAGE = 6
CHUNK_ROWS = 65_536

Progress = Callable[[int, int], None]
JournalContent = Literal["full", "by_reference", "none"]


class BarSource:
    """Bars in memory as a source of records."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.instruments: tuple[Instrument, ...] = bars.instruments
        self.inputs = tuple(file for series in bars.series for file in series.inputs)
        self.notes = bars.notes

    def batches(self) -> Iterator[NDArray[np.uint8]]:
        """The bars as records, in pieces of bounded size."""
        return bar_batches(self.bars.series, rows=CHUNK_ROWS)


@dataclass(frozen=True)
class Backtest:
    """A strategy over market data on the simulated venue, under one account.

    strategy      an instance: `Cross(fast=5)`; each run builds a fresh one from a copy of its parameters
    data          what `read_bars` takes (path, frames, dict of symbols), `Bars`, or a source such as `read_binance(...)`
    cash          at the start, in `currency` (by default that of the instruments)
    fees          "0.1%", 0.001, (maker, taker), or a `FeeModel`
    slippage      fraction of the price against whoever takes: "0.05%"
    leverage      gross exposure at most this multiple of equity
    shorting      whether positions below zero are allowed
    start, end    bars that open in [start, end); `warm_up` bars before `start` are used to warm up
    warm_up       bars of an instrument before its first hook (indicators hold it back until they are ready anyway)
    benchmark     "buy_and_hold" (equal parts of all instruments), a symbol, or None
    latency       "50ms" or a `LatencyModel`
    fills         a `FillModel`
    history       bars kept for `self.history`
    close_at_end  True: positions left at the end are closed at the last close; "open": at the last bar's open, as some
                  simulators do; False: they stay, valued at the last close
    journal       what a saved run's journal holds: "full", "by_reference" (data by its SHA-256) or "none"
    seed          of `self.random`

    Raises ConfigError for an argument that cannot work, InputError for data that cannot be used.
    """

    strategy: Strategy
    data: Any
    cash: Number = 10_000
    currency: str | None = None
    fees: Any = 0
    slippage: Any = 0
    leverage: Number = 1
    shorting: bool = True
    start: Any = None
    end: Any = None
    warm_up: int = 0
    benchmark: str | None = None
    latency: Any = None
    fills: FillModel | None = None
    history: int = 1_000
    close_at_end: Literal[True, False, "open"] = False
    journal: JournalContent = "full"
    seed: int = 0
    timezone: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.strategy, type):
            raise ConfigError(
                f"strategy is the class {self.strategy.__name__}; give an instance: {self.strategy.__name__}()"
            )
        if not isinstance(self.strategy, Strategy):
            raise ConfigError(
                f"strategy is {type(self.strategy).__name__}; it must derive from openbell.Strategy"
            )
        for field, least in (("warm_up", 0), ("history", 0)):
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(f"{field} is {value!r}; it must be a whole number, at least {least}")
        if self.close_at_end not in (True, False, "open"):
            raise ConfigError(f"close_at_end is {self.close_at_end!r}; it must be True, False or 'open'")
        if self.journal not in ("full", "by_reference", "none"):
            raise ConfigError(f"journal is {self.journal!r}; it must be 'full', 'by_reference' or 'none'")

    def run(self, *, out: str | Path | None = None, progress: Progress | None = None) -> Run:
        """Run it and return the `Run`; with `out` written to a new folder below that one.

        `progress(done, total)` is called with bars as they are done. Raises StrategyError when a hook raises: it names the
        hook, the sequence and the time, and its cause is what was raised.
        """
        from openbell.runtime.run import Run
        from openbell.runtime.run_folder import run_into_folder

        setup = self.prepare()
        if out is None:
            return Run(setup.execute(None, progress))
        return run_into_folder(setup, Path(out), progress)

    def prepare(self) -> Setup:
        """Read the data and check every argument. Nothing has run yet."""
        source = self._source()
        return Setup(
            strategy=self._fresh_strategy(),
            source=source,
            name=self.name or type(self.strategy).__name__,
            currency=self._currency_of(source.instruments),
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
        )

    def _fresh_strategy(self) -> Strategy:
        return type(self.strategy)(**copy.deepcopy(self.strategy.parameters))

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
        first = -(2**63) if self.start is None else to_ns(self.start, self.timezone)
        last = 2**63 - 1 if self.end is None else to_ns(self.end, self.timezone)
        if first >= last:
            raise ConfigError(f"start {self.start} is not before end {self.end}")
        bars.slice(first, last)  # refuses a period without bars
        return Bars(one.slice(self._warm_start(one.open_time, first), last) for one in bars.series)

    def _warm_start(self, open_time: NDArray[np.int64], first: int) -> int:
        """When the data has to begin so that `warm_up` bars come before `first`."""
        at = int(np.searchsorted(open_time, first))
        return int(open_time[max(at - self.warm_up, 0)]) if self.warm_up and at else first

    def _currency_of(self, instruments: Sequence[Instrument]) -> str:
        found = sorted({instrument.currency for instrument in instruments})
        if len(found) > 1 or (self.currency is not None and [self.currency] != found):
            wanted = self.currency or "one currency"
            raise ConfigError(
                f"the instruments are quoted in {', '.join(found)} and the account is in {wanted}; "
                f"rates between currencies are not known"
            )
        return found[0]

    def _cash_nano(self) -> int:
        amount = self.cash.amount if isinstance(self.cash, Money) else exact_decimal(self.cash)
        nano = int((amount * NANO).to_integral_value())
        if nano <= 0:
            raise ConfigError(f"cash is {self.cash}; it must be above 0")
        return nano

    def _leverage_nano(self) -> int:
        leverage = exact_decimal(self.leverage)
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
        if self.benchmark != "buy_and_hold" and self.benchmark not in symbols:
            raise ConfigError(
                f"benchmark is {self.benchmark!r}; it must be 'buy_and_hold' or one of {', '.join(symbols)}"
            )
        return self.benchmark


@dataclass(frozen=True)
class Setup:
    """A backtest with everything read, checked and in the engine's units."""

    strategy: Strategy
    source: Source
    name: str
    currency: str
    cash_nano: int
    fees: FeeModel | PercentageFee
    fills: FillModel
    latency: LatencyModel
    leverage_nano: int
    shorting: bool
    warm_up: int
    benchmark: str | None
    history: int
    close_at_end: Literal[True, False, "open"]
    journal: JournalContent
    seed: int
    start: str | None
    end: str | None

    def settings(self) -> dict[str, object]:
        """Everything that was chosen, for people: reports and run.toml."""
        return {
            "cash": str(Decimal(self.cash_nano).scaleb(-9).normalize()),
            "currency": self.currency,
            "fee_model": self.fees.describe(),
            "fill_model": self.fills.describe(),
            "queue_model": "no queue: resting orders fill only when traded through"
            if self.fills.limit_fills == "through"
            else "no queue: resting orders fill when touched",
            "slippage_model": self.fills.describe_slippage(),
            "latency_model": self.latency.describe(),
            "leverage": str(Decimal(self.leverage_nano).scaleb(-9).normalize()),
            "shorting": self.shorting,
            "warm_up": self.warm_up,
            "history": self.history,
            "close_at_end": self.close_at_end,
            "benchmark": self.benchmark,
            "start": self.start,
            "end": self.end,
            "journal": self.journal,
        }

    def execute(
        self,
        journal: NewJournal | None,
        progress: Progress | None = None,
        log: Callable[..., None] | None = None,
    ) -> RunResult:
        """Run it in this thread. The journal, if any, is closed afterwards."""
        node = Node(journal=journal, valuation_interval_ns=0)
        self._set_up(node)
        session = Session(node, PARTICIPANT, ACCOUNT, self.currency, tuple(self.source.instruments))
        hooks = bind(self.strategy, session, seed=self.seed, log=log)
        output = self._drive(node, session, hooks, progress)
        node.close()
        return self._result(node, session, output)

    def _set_up(self, node: Node) -> None:
        node.define_currency(CURRENCY, self.currency)
        options = LIMIT_FILLS_ON_TOUCH if self.fills.limit_fills == "touch" else 0
        options |= CLOSE_OUT_AT_OPEN if self.close_at_end == "open" else 0
        node.configure_venue(
            VENUE,
            SIMULATED,
            order_latency_ns=self.latency.order_ns,
            report_latency_ns=self.latency.report_ns,
            slippage=_nano(self.fills.slippage),
            volume_share=0 if self.fills.volume_share is None else _nano(self.fills.volume_share),
            options=options,
        )
        for number, instrument in enumerate(self.source.instruments, start=1):
            _list(node, number, instrument)
        node.open_account(ACCOUNT, CURRENCY, shorting=self.shorting)
        for amount in _parts(self.cash_nano):
            node.deposit_cash(ACCOUNT, amount, CURRENCY)
        node.set_risk_limit(ACCOUNT, 0, MAX_LEVERAGE, self.leverage_nano)
        self._set_fees(node)
        node.register_participant(
            PARTICIPANT,
            ACCOUNT,
            feed_latency_ns=self.latency.feed_ns,
            history=self.history,
            warm_up=self.warm_up,
        )

    def _set_fees(self, node: Node) -> None:
        if isinstance(self.fees, FeeModel):
            rate = _nano(fraction(self.fees.sizing_rate, "sizing_rate"))
            node.set_fee_schedule(ACCOUNT, 0, maker_rate=rate, taker_rate=rate, external=True)
            return
        maker, taker, flat = (_nano(part) for part in (self.fees.maker, self.fees.taker, self.fees.flat))
        node.set_fee_schedule(ACCOUNT, 0, maker_rate=maker, taker_rate=taker, flat_nano=flat)

    def _drive(
        self, node: Node, session: Session, hooks: Hooks, progress: Progress | None
    ) -> NDArray[np.uint8]:
        fee = fee_answer(self.fees, self.currency) if isinstance(self.fees, FeeModel) else None
        total = sum(len(one) for one in self.source.bars.series) if isinstance(self.source, BarSource) else 0
        parts: list[NDArray[np.uint8]] = []
        done = 0

        def run(slots: NDArray[np.uint8] | None) -> None:
            try:
                node.run(slots, None if slots is None else 0, [hooks], fee)
            except Exception as error:
                raise hook_failure(node, self.strategy, error) from error
            parts.append(node.take_output())

        run(None)
        for slots in self.source.batches():
            run(slots)
            done += CHUNK_ROWS
            if progress is not None:
                progress(min(done, total) if total else done, total)
        self._finish(node, session, run)
        return np.concatenate(parts)

    def _finish(self, node: Node, session: Session, run: Callable[[NDArray[np.uint8] | None], None]) -> None:
        node.end_run()
        run(None)
        if self.close_at_end:
            for number in range(1, len(self.source.instruments) + 1):
                held = node.position(ACCOUNT, number)[0]
                if held:
                    node.submit_order(
                        0,
                        ACCOUNT,
                        number,
                        session.next_order_id(),
                        2 if held > 0 else 1,
                        1,
                        2,
                        0,
                        sizing=3,
                        options=2,
                    )
            run(None)
        node.value_accounts()
        try:
            self.strategy.on_stop()
        except Exception as error:
            raise hook_failure(node, self.strategy, error, "on_stop") from error

    def _result(self, node: Node, session: Session, output: NDArray[np.uint8]) -> RunResult:
        valuations = node.take_valuations()
        bars = self.source.bars if isinstance(self.source, BarSource) else None
        count = len(self.source.instruments)
        return RunResult(
            name=self.name,
            strategy_name=type(self.strategy).__name__,
            parameters=self.strategy.parameters,
            settings=self.settings(),
            currency=self.currency,
            instruments=tuple(self.source.instruments),
            inputs=tuple(self.source.inputs),
            output=output,
            valuations=valuations,
            state_hash=node.state_hash(),
            output_hash=node.output_hash,
            sequence=node.sequence,
            bars={} if bars is None else {one.symbol: one for one in bars.series},
            indicators=_recorded(self.strategy, self.source.instruments),
            benchmark=None if bars is None else self._benchmark_equity(bars, valuations),
            marks=tuple(node.mark(number) for number in range(1, count + 1)),
            notes=tuple(self.source.notes),
            journal=self.journal,
            seed=self.seed,
        )

    def _benchmark_equity(self, bars: Bars, valuations: NDArray[np.void]) -> NDArray[np.float64] | None:
        """The cash put into the benchmark at its first open and held, without costs, at each valuation."""
        if self.benchmark is None:
            return None
        held = bars.series if self.benchmark == "buy_and_hold" else (bars[self.benchmark],)
        cash = self.cash_nano / NANO
        growth = np.zeros(len(valuations))
        for one in held:
            at = np.searchsorted(one.close_time, valuations["time"].astype(np.int64), side="right")
            ratio = np.concatenate(([1.0], one.values("close") / one.values("open")[0]))
            growth += ratio[at] / len(held)
        return growth * cash


def _nano(value: Decimal) -> int:
    return int((value * NANO).to_integral_value())


def _parts(nano: int) -> list[int]:
    """An amount in pieces that fit 64 bits."""
    whole, rest = divmod(nano, MOST_NANO)
    return [MOST_NANO] * whole + ([rest] if rest else [])


def _list(node: Node, number: int, instrument: Instrument) -> None:
    node.list_instrument(
        number,
        instrument.symbol,
        currency=CURRENCY,
        price_unit_nano=instrument.price_unit_nano,
        quantity_unit_nano=instrument.quantity_unit_nano,
        multiplier_nano=instrument.multiplier_nano,
        tick=instrument.tick_units,
        lot=instrument.lot_units,
        venue=VENUE,
    )


def fee_answer(model: FeeModel, currency: str) -> Callable[[Any], int]:
    """What the engine asks: the fee of a fill in nano of `currency`. It raises StrategyError for anything but such Money."""

    def answer(fill: Any) -> int:
        fee = model.fee(fill)
        if not isinstance(fee, Money):
            raise StrategyError(f"{type(model).__name__}.fee returned {fee!r}; it must return Money")
        if fee.currency != currency:
            raise StrategyError(
                f"{type(model).__name__}.fee is in {fee.currency}; the account is in {currency}"
            )
        return fee.nano

    return answer


def hook_failure(node: Node, strategy: Strategy, error: Exception, hook: str | None = None) -> OpenbellError:
    """What a user is told when code of theirs raised: the hook, what it raised, and when."""
    failed = (hook, node.sequence, node.time) if hook is not None else node.failed_hook
    if failed is None:
        return error if isinstance(error, OpenbellError) else StrategyError(str(error))
    name, sequence, time = failed
    owner = "" if "." in name else f"{type(strategy).__name__}."
    when = iso(time) if time else "the start"
    return StrategyError(
        f"{owner}{name} raised {type(error).__name__}: {error} (sequence {sequence}, {when})"
    )


def _recorded(strategy: Strategy, instruments: Sequence[Instrument]) -> dict[str, Any]:
    """What `Strategy.record` kept, as one frame beside the first instrument's chart."""
    if not strategy._recorded:
        return {}
    import polars as pl

    merged: Any = None
    for name, points in strategy._recorded.items():
        frame = pl.DataFrame(
            {"time": [time for time, _ in points], name: [value for _, value in points]},
            schema={"time": pl.Int64, name: pl.Float64},
        ).unique("time", keep="last", maintain_order=True)
        merged = frame if merged is None else merged.join(frame, on="time", how="full", coalesce=True)
    frame = merged.sort("time").with_columns(pl.col("time").cast(pl.Datetime("ns", "UTC")))
    finite = [pl.when(pl.col(name).is_finite()).then(pl.col(name)) for name in strategy._recorded]
    return {instruments[0].symbol: frame.with_columns(finite)}
