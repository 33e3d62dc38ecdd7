"""A backtest ready to run: everything read, checked and in the engine's units."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from openbell.engine.session import Session, Stage
from openbell.engine.source import Source
from openbell.kernel import Hooks, NewJournal, Node
from openbell.messages.layouts import HEAD_DTYPE, SLOT_SIZE, message_numbers
from openbell.model.errors import InputError, StrategyError
from openbell.model.instrument import Instrument
from openbell.model.quantities import Money
from openbell.runtime.bar_source import CHUNK_ROWS, BarSource
from openbell.runtime.benchmark import benchmark_equity
from openbell.runtime.hook_failure import hook_failure
from openbell.runtime.own_venue import MarketOrders, set_up_market, set_up_venue
from openbell.runtime.recorded_figures import recorded_figures
from openbell.runtime.recorded_inputs import DATA, input_records
from openbell.runtime.refusals import refusal_notes, require_set_up
from openbell.runtime.result import JournalContent, RunResult
from openbell.strategy.binding import bind, start_again
from openbell.strategy.saved_state import load, saved_bytes, saves, sha256
from openbell.strategy.strategy import Strategy
from openbell.venue.matching_policy import MatchingPolicy, asked_shares
from openbell.venue.models import (
    CLOSE_OUT_AT_OPEN,
    LIMIT_FILLS_ON_TOUCH,
    FeeModel,
    FillModel,
    LatencyModel,
    PercentageFee,
    fraction,
)
from openbell.venue.venue import Venue

NANO = 10**9
MOST_NANO = 2**63 - 1
ACCOUNT, PARTICIPANT, CURRENCY, VENUE, SIMULATED = 1, 1, 1, 0, 2
BUY, SELL, MARKET, GTC, UNITS, CLOSE_POSITION, REDUCE_ONLY = 1, 2, 1, 2, 0, 3, 2
MAX_LEVERAGE = 6
"""Numbers of the engine; see crates/kernel/src/terms.rs and risk/limits.rs."""

Progress = Callable[[int, int], None]
CloseAtEnd = Literal[True, False, "open"]


@dataclass(frozen=True)
class SavedHere:
    """The state a strategy saved, in the record `sequence` of the journal; `source` names its file."""

    sequence: int
    content: bytes
    source: str


@dataclass(frozen=True)
class Interrupted:
    """A journal that ends before the run did.

    batches       its records, from the first to the last that counts
    data_records  how many of them came from the data
    saves         how often the strategy was saved
    saved         the last time
    """

    batches: Callable[[], Iterator[NDArray[np.uint8]]]
    data_records: int
    saves: int
    saved: SavedHere | None


@dataclass(frozen=True)
class Context:
    """Where a run is executed: what it is written to, and where it goes on from.

    `keep` puts the saved state of a strategy into a file for good and returns its SHA-256.
    """

    journal: NewJournal | None = None
    log: Callable[..., None] | None = None
    keep: Callable[[bytes], str] = sha256
    interrupted: Interrupted | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Setup:
    """A backtest with everything read, checked and in the engine's units. It can be executed more than once.

    `strategy` is a pattern: each execution builds a fresh one from a copy of its parameters. `start_ns` is when trading
    begins in the data; what lies before only warms up and is no part of the result.
    """

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
    close_at_end: CloseAtEnd
    journal: JournalContent
    seed: int
    start: str | None
    end: str | None
    start_ns: int
    venue: Venue | None = None

    @property
    def policy(self) -> MatchingPolicy | None:
        """The matching policy in Python that is asked."""
        return None if self.venue is None else self.venue.asked

    def settings(self) -> dict[str, object]:
        """Everything that was chosen, for people: reports and run.toml."""
        return {
            "cash": _plain(self.cash_nano),
            "currency": self.currency,
            "fee_model": self.fees.describe(),
            **self._how_it_fills(),
            "latency_model": self.latency.describe(),
            "leverage": _plain(self.leverage_nano),
            "shorting": self.shorting,
            "warm_up": self.warm_up,
            "history": self.history,
            "close_at_end": self.close_at_end,
            "benchmark": self.benchmark,
            "start": self.start,
            "end": self.end,
            "journal": self.journal,
        }

    def _how_it_fills(self) -> dict[str, object]:
        if self.venue is None:
            return {
                "fill_model": self.fills.describe(),
                "queue_model": self.fills.describe_queue(),
                "slippage_model": self.fills.describe_slippage(),
            }
        return {
            "fill_model": "matched with the orders of the data at a venue of our own",
            "queue_model": f"the true queue: {self.venue.describe()}",
            "slippage_model": "none: what the book gives",
        }

    def execute(self, context: Context | None = None, progress: Progress | None = None) -> RunResult:
        """Run it in this thread. The journal, if any, is closed afterwards.

        Raises StrategyError when a hook or a model in Python raises, ConfigError for what the engine refuses to set up.
        """
        batches = self.source.batches()
        first = next(batches, None)
        if first is None or not len(first):
            raise InputError("the data holds no records", expected="at least one")
        context = context or Context()
        interrupted = context.interrupted
        node = Node(
            mode="run" if interrupted is None else "replay", journal=context.journal, valuation_interval_ns=0
        )
        drive = _Drive(self, node, self._session(node), fresh(self.strategy), context)
        if interrupted is None:
            self._begin(node, first)
            drive.begin()
        else:
            drive.catch_up(interrupted)
        output = drive.to_end(chain([first], batches), progress)
        node.close()
        return self._result(node, drive.strategy, output, drive.market.notes())

    def _begin(self, node: Node, first: NDArray[np.uint8]) -> None:
        # Time is a record: what on_start schedules counts from here.
        first_time = self._first_time(first)
        node.advance_clock(first_time)
        node.run(input_records(self.source.inputs, first_time), None, [])
        self._set_up(node)

    def _session(self, node: Node) -> Session:
        return Session(
            node,
            PARTICIPANT,
            ACCOUNT,
            self.currency,
            tuple(self.source.instruments),
            history=self.history,
            interval_ns=self.source.interval_ns if isinstance(self.source, BarSource) else 0,
        )

    def _set_up(self, node: Node) -> None:
        node.define_currency(CURRENCY, self.currency)
        if self.venue is None:
            self._set_up_simulated(node)
        else:
            set_up_venue(node, VENUE, CURRENCY)
        for number, instrument in enumerate(self.source.instruments, start=1):
            _list(node, number, instrument)
            if self.venue is not None:
                set_up_market(node, self.venue, number, getattr(self.source, "first_price", None))
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

    def _set_up_simulated(self, node: Node) -> None:
        options = LIMIT_FILLS_ON_TOUCH if self.fills.limit_fills == "touch" else 0
        options |= CLOSE_OUT_AT_OPEN if self.close_at_end == "open" else 0
        share = self.fills.volume_share
        node.configure_venue(
            VENUE,
            SIMULATED,
            order_latency_ns=self.latency.order_ns,
            report_latency_ns=self.latency.report_ns,
            slippage=_nano(self.fills.slippage),
            volume_share=0 if share is None else _nano(share),
            options=options,
        )

    def _first_time(self, slots: NDArray[np.uint8]) -> int:
        """When the data begins: the open of the first bar, the time of any other record."""
        return (
            self.source.first_time
            if isinstance(self.source, BarSource)
            else int(slots.view(HEAD_DTYPE)["time"][0])
        )

    def _set_fees(self, node: Node) -> None:
        if isinstance(self.fees, FeeModel):
            rate = _nano(fraction(self.fees.sizing_rate, f"{type(self.fees).__name__}.sizing_rate"))
            node.set_fee_schedule(ACCOUNT, 0, maker_rate=rate, taker_rate=rate, external=True)
            return
        maker, taker, flat = (_nano(part) for part in (self.fees.maker, self.fees.taker, self.fees.flat))
        node.set_fee_schedule(ACCOUNT, 0, maker_rate=maker, taker_rate=taker, flat_nano=flat)

    def _result(
        self, node: Node, strategy: Strategy, output: NDArray[np.uint8], notes: tuple[str, ...]
    ) -> RunResult:
        bars = self.source.bars if isinstance(self.source, BarSource) else None
        valuations = _valuations(node, self.start_ns)
        instruments = tuple(self.source.instruments)
        return RunResult(
            name=self.name,
            strategy_name=type(strategy).__name__,
            # Not those of the strategy that ran: its hooks may have changed a list among them.
            parameters=self.strategy.parameters,
            settings=self.settings(),
            currency=self.currency,
            instruments=instruments,
            inputs=tuple(self.source.inputs),
            output=output,
            valuations=valuations,
            state_hash=node.state_hash(),
            output_hash=node.output_hash,
            sequence=node.sequence,
            bars={} if bars is None else {one.symbol: one for one in bars.series},
            indicators=recorded_figures(strategy, instruments[0].symbol),
            benchmark=None
            if bars is None or self.benchmark is None
            else benchmark_equity(
                bars, self.benchmark, self.cash_nano / NANO, self.start_ns, valuations["time"]
            ),
            marks=tuple(node.mark(number) for number in range(1, len(instruments) + 1)),
            notes=(*self.source.notes, *notes, *refusal_notes(output, instruments)),
            journal=self.journal,
            seed=self.seed,
        )


class _Drive:
    """One execution: the node, the strategy that runs on it, and what came out so far."""

    def __init__(
        self, setup: Setup, node: Node, session: Session, strategy: Strategy, context: Context
    ) -> None:
        self.setup = setup
        self.node = node
        self.session = session
        self.strategy = strategy
        self.keep = context.keep
        self.log = context.log
        # What was logged before an interruption is not logged again.
        log = context.log if context.interrupted is None else None
        self.hooks: Hooks = bind(strategy, session, seed=setup.seed, log=log)
        model = setup.fees
        self.fee = fee_answer(model, setup.currency) if isinstance(model, FeeModel) else None
        policy = setup.policy
        self.allocate = None if policy is None else asked_shares(policy)
        self.market = MarketOrders()
        self.parts: list[NDArray[np.uint8]] = []
        self.passed, self.saves = 0, 0

    def begin(self) -> None:
        """Take up the set-up."""
        self._run(None)
        require_set_up(self.parts[0])

    def catch_up(self, interrupted: Interrupted) -> None:
        """Take in an interrupted journal: the engine alone up to where the strategy was saved, both from there on."""
        saved = interrupted.saved
        if saved is None:
            self.node.rerun()
        for slots in interrupted.batches():
            before, after = _parted(slots, 0 if saved is None else saved.sequence)
            if len(before):
                self._run(before, [], journaled=True)
            if saved is not None and self.node.sequence == saved.sequence:
                start_again(self.strategy)
                load(self.strategy, saved.content, saved.source)
                self.node.rerun()
                saved = None
            if len(after):
                self._run(after, [self.hooks], journaled=True)
        self.node.go_live()
        self.strategy._log = self.log
        self.passed, self.saves = interrupted.data_records, interrupted.saves

    def to_end(self, batches: Iterable[NDArray[np.uint8]], progress: Progress | None) -> NDArray[np.uint8]:
        """Run over all the data. Returns all events, in order."""
        source = self.setup.source
        total = sum(len(one) for one in source.bars.series) if isinstance(source, BarSource) else 0
        done = 0
        for number, slots in enumerate(batches, 1):
            self._run(self._left_of(slots))
            if saves(self.strategy) and number > self.saves:
                self._save()
            done = min(done + CHUNK_ROWS, total) if total else done + len(slots) // SLOT_SIZE
            if progress is not None:
                progress(done, total)
        self._end()
        return np.concatenate(self.parts)

    def _left_of(self, slots: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What of a batch an interrupted journal does not hold yet."""
        if not self.passed:
            return slots
        is_head = slots.view(HEAD_DTYPE)["message"] != message_numbers()["Continuation"]
        heads = np.flatnonzero(is_head)
        passed = min(self.passed, len(heads))
        self.passed -= passed
        first = heads[passed] if passed < len(heads) else len(is_head)
        return slots[int(first) * SLOT_SIZE :]

    def _save(self) -> None:
        """Keep the state of the strategy, at the end of each batch: where that is depends on the data alone."""
        try:
            content = saved_bytes(self.strategy)
        except Exception as error:
            raise hook_failure(self.node, self.strategy, error, "on_save") from error
        self.node.participant_saved(PARTICIPANT, bytes.fromhex(self.keep(content)))
        self._run(None)

    def _run(
        self,
        slots: NDArray[np.uint8] | None,
        hooks: list[Hooks] | None = None,
        *,
        journaled: bool = False,
    ) -> None:
        source = None if slots is None or journaled else DATA
        try:
            called = [self.hooks] if hooks is None else hooks
            self.node.run(slots, source, called, self.fee, self.allocate)
        except Exception as error:
            failure = hook_failure(self.node, self.strategy, error, policy=self.setup.policy)
            if failure is error:
                raise
            raise failure from error
        output = self.node.take_output()
        self.parts.append(output if self.setup.venue is None else self.market.without(output))

    def _end(self) -> None:
        self.node.end_run()
        if self.setup.close_at_end:
            for number, side in self._held():
                # In a book it meets what stands there, as any order does; a simulated venue sizes it at the last price.
                held = self.node.position(ACCOUNT, number)[0]
                quantity, sizing = (0, CLOSE_POSITION) if self.setup.venue is None else (abs(held), UNITS)
                closing = self.session.next_order_id()
                self.node.submit_order(
                    0,
                    ACCOUNT,
                    number,
                    closing,
                    side,
                    MARKET,
                    GTC,
                    quantity,
                    sizing=sizing,
                    options=REDUCE_ONLY,
                )
        # What hooks send in answer to the end would fill at a price that is gone.
        self.node.halt_trading(0, 0)
        self._run(None)
        self.node.value_accounts()
        self.session.stage = Stage.STOPPING
        try:
            self.strategy.on_stop()
        except Exception as error:
            raise hook_failure(self.node, self.strategy, error, "on_stop") from error
        self.session.stage = Stage.OVER

    def _held(self) -> Iterator[tuple[int, int]]:
        """Number of each instrument that is held, and the side that closes it."""
        for number in range(1, len(self.setup.source.instruments) + 1):
            held = self.node.position(ACCOUNT, number)[0]
            if held:
                yield number, SELL if held > 0 else BUY


def _parted(slots: NDArray[np.uint8], sequence: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The records up to a sequence, and those after it."""
    end = int(np.searchsorted(slots.view(HEAD_DTYPE)["sequence"], sequence, side="right")) * SLOT_SIZE
    return slots[:end], slots[end:]


def fresh(strategy: Strategy) -> Strategy:
    """A strategy of the same class with a copy of the same parameters."""
    return type(strategy)(**copy.deepcopy(strategy.parameters))


def fee_answer(model: FeeModel, currency: str) -> Callable[[Any], int]:
    """What the engine asks: the fee of a fill in nano of `currency`. It raises StrategyError for anything but such Money."""
    name = f"{type(model).__name__}.fee"

    def answer(fill: Any) -> int:
        fee = model.fee(fill)
        if not isinstance(fee, Money):
            raise StrategyError(
                f'{name} returned {fee!r}; it must return Money, as Money("1.50", "{currency}")'
            )
        if fee.currency != currency:
            raise StrategyError(f"{name} returned {fee}; the account is in {currency}")
        if abs(fee.nano) > MOST_NANO:
            raise StrategyError(f"{name} returned {fee}, which does not fit 64 bits of 10^-9")
        return fee.nano

    return answer


def _valuations(node: Node, start_ns: int) -> NDArray[np.void]:
    """One valuation for each time at which something closed after the start, the last of those at one time."""
    taken = node.take_valuations()
    valuations: NDArray[np.void] = taken[taken["account"] == ACCOUNT]
    time = valuations["time"].astype(np.int64)
    is_wanted = time > start_ns
    is_wanted[:-1] &= time[1:] != time[:-1]
    return valuations if is_wanted.all() else valuations[is_wanted]


def _nano(value: Decimal) -> int:
    return int((value * NANO).to_integral_value())


def _plain(nano: int) -> str:
    return f"{Decimal(nano).scaleb(-9).normalize():f}"


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
        negative_prices=instrument.negative_prices,
    )
