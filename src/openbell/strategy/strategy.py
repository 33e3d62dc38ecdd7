"""The class users derive from: hooks are called by the engine, helpers talk back to it."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, SupportsIndex, Unpack, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from openbell.engine.session import Session, Stage
from openbell.kernel import Bar, Fill, Quote, Trade
from openbell.model.errors import StrategyError
from openbell.model.instrument import Instrument
from openbell.model.position import Position
from openbell.model.quantities import Money, Number, exact_decimal
from openbell.model.terms import OrderType, Side, TimeInForce
from openbell.model.time import duration, duration_ns, iso, to_ns
from openbell.strategy.hooks import check_hooks
from openbell.strategy.indicators import Indicator
from openbell.strategy.orders import Bracket, Order, order_of, require_side
from openbell.strategy.parameters import Parameter, collect, resolve
from openbell.strategy.special_terms import SpecialArguments, special_of
from openbell.strategy.ticket import (
    AT_MARKET,
    CLOSING,
    OF_PARENT,
    WHOLE_POSITION,
    Size,
    Ticket,
    check_bracket,
    new_price,
    new_quantity,
    offset_of,
    size_of,
    target_of,
)

SMA, EMA = 1, 2
"""Numbers of the kernel's indicators; see crates/kernel/src/indicator/mod.rs."""
MOST_PERIOD = 1_000_000
LOG_FIELDS = ("event", "level", "strategy", "time")


# `param` is no field specifier: type checkers find a default in those by keyword only, and any value will do here.
@dataclass_transform(kw_only_default=True)
class Strategy:
    """Derive, annotate parameters, override hooks.

    Annotated class attributes are parameters, given by keyword: `Cross(fast=5)`. Every run builds a fresh strategy from a copy of
    them, so nothing leaks from one run to the next. There is no `__init__` to write: what a run needs is set up in `on_start`.
    Hooks and helpers belong to the thread that runs the engine; helpers work inside hooks only.
    """

    _parameters: ClassVar[Mapping[str, Parameter]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_hooks(cls)
        inherited: dict[str, Parameter] = {}
        for base in reversed(cls.__mro__[1:]):
            inherited |= base.__dict__.get("_parameters", {})
        cls._parameters = collect(cls, inherited)

    def __init__(self, **parameters: Any) -> None:
        values = resolve(type(self), self._parameters, parameters)
        self.parameters: dict[str, Any] = values
        """What was chosen, checked; each is an attribute as well."""
        for name, value in values.items():
            setattr(self, name, value)
        self._bound: Session | None = None
        self._random = random.Random(0)
        self._log: Callable[..., None] | None = None
        self._start: Callable[[], None] = _not_bound
        self._timers: dict[str, int] = {}
        self._recorded: dict[str, list[tuple[int, float]]] = {}

    # ---- hooks

    def on_start(self) -> None:
        """Called once, before the first data: ask for indicators, schedule timers."""

    def on_bar(self, bar: Bar) -> None:
        """Called for each closed bar, in instrument order; first when the instrument is warm and its indicators are ready.

        All bars that closed at one time are known before the first call; what is sent here fills at the next open at the
        earliest.
        """

    def on_bars(self, bars: list[Bar]) -> None:
        """Called once with all bars that closed at one time, after `on_bar`."""

    def on_quote(self, quote: Quote) -> None:
        """Called for each change of the best bid or offer."""

    def on_trade(self, trade: Trade) -> None:
        """Called for each trade a feed prints."""

    def on_order(self, order: Order) -> None:
        """Called when something became of an order: accepted, denied, filled, replaced, canceled, expired.

        `order` tells how it stands now, which may be further on than the news this call is about.
        """

    def on_fill(self, fill: Fill) -> None:
        """Called for each fill of an order of this strategy."""

    def on_timer(self, name: str) -> None:
        """Called when the timer `name` of `schedule` is due."""

    def on_save(self) -> Any:
        """Return what this strategy must remember to go on after a crash: numbers, text, None, lists and dicts of them.

        Called now and then while a run is written to a folder or is live; between two calls the journal keeps what happened.
        What `on_start` makes again (indicators, constants) does not belong here, nor do timers, orders, `record` and `random`,
        which are kept anyway. Put a version into it if its form may change.
        """

    def on_load(self, data: Any) -> None:
        """Take back what `on_save` returned: called on a fresh strategy after `on_start`, whose orders and timers are not sent
        again. The hooks that come next are those that came after the save.
        """

    def on_stop(self) -> None:
        """Called once, after the last data: look at the result. Orders sent here are not taken up (`close_at_end` closes)."""

    # ---- orders

    def buy(
        self,
        instrument: Instrument | str,
        quantity: Number | None = None,
        *,
        percent: Number | None = None,
        limit: Number | None = None,
        stop: Number | None = None,
        time_in_force: TimeInForce | str = TimeInForce.GTC,
        expire: Any = None,
        post_only: bool = False,
        reduce_only: bool = False,
        cancels: Order | None = None,
        **special: Unpack[SpecialArguments],
    ) -> Order:
        """Send an order to buy and return it.

        Size: `quantity`, or `percent` of what the account can still buy, that is leverage x equity less what open positions
        are worth (0.5 is half; 1 is all-in), sized at the price of the fill with room left for fees. Neither `limit` nor
        `stop`: at the market. `limit`: a limit order; `stop`: a stop; both: a stop-limit. `time_in_force` is a
        `TimeInForce` or its name; `expire` is a time and makes it GTD. `cancels` names an open order: whichever trades
        first cancels the other. Uncommon terms (`trail`, `touched`, `peg`, `display`, ...) are those of `SpecialArguments`;
        which of them a venue takes say docs/venue.md and docs/fills.md, the others are denied with ORDER_TYPE_MUST_BE_SUPPORTED.

        Raises StrategyError for terms that contradict, InputError for an instrument that is not in the run and for a price
        or quantity between two of the units the instrument is counted in. What breaks a rule (off the tick or the lot, a
        limit of risk, no cash) is refused by an event: see `order.refusal` and `on_order`.
        """
        ticket = Ticket(limit, stop, time_in_force, expire, post_only, reduce_only, cancels)
        if special:
            ticket = ticket._replace(special=special_of(special, limit, stop))
        return self._send(instrument, Side.BUY, size_of(quantity, percent), ticket)

    def sell(
        self,
        instrument: Instrument | str,
        quantity: Number | None = None,
        *,
        percent: Number | None = None,
        limit: Number | None = None,
        stop: Number | None = None,
        time_in_force: TimeInForce | str = TimeInForce.GTC,
        expire: Any = None,
        post_only: bool = False,
        reduce_only: bool = False,
        cancels: Order | None = None,
        **special: Unpack[SpecialArguments],
    ) -> Order:
        """Send an order to sell and return it; see `buy`. What is sold beyond the position is a short."""
        ticket = Ticket(limit, stop, time_in_force, expire, post_only, reduce_only, cancels)
        if special:
            ticket = ticket._replace(special=special_of(special, limit, stop))
        return self._send(instrument, Side.SELL, size_of(quantity, percent), ticket)

    def close(self, instrument: Instrument | str) -> Order | None:
        """Close the whole position at the market, however large it is at the fill. None when there is none now."""
        session = self._session
        held = session.node.position(session.account, session.id_of(instrument))[0]
        if held == 0:
            return None
        side = Side.SELL if held > 0 else Side.BUY
        return self._send(instrument, side, WHOLE_POSITION, CLOSING)

    def target_percent(self, instrument: Instrument | str, percent: Number) -> Order:
        """Trade to a position worth `percent` of equity at the fill, fees included; 1 is all, negative is short, 0 closes.

        Denied or canceled with `SIZED_QUANTITY_MUST_BE_POSITIVE` where less than a lot is missing to the target.
        """
        size = target_of(percent)
        # The venue decides at the fill; this is what it will be unless the price moves across the target.
        side = Side.BUY if self._freed(instrument, percent)[0] >= 0 else Side.SELL
        return self._send(instrument, side, size, AT_MARKET)

    def target_weights(self, weights: Mapping[Any, Number]) -> list[Order]:
        """Trade to several targets, those that free cash first. Instruments that are not named stay as they are.

        One with weight 0 that has neither a position nor an open order gets no order.
        """
        if not isinstance(weights, Mapping):
            raise StrategyError(
                f'weights is {weights!r}; it must map instruments to shares, as {{"AAPL": 0.5}}'
            )
        for weight in weights.values():
            target_of(weight)
        wanted = [item for item in weights.items() if item[1] or self._is_engaged(item[0])]
        wanted.sort(key=lambda item: self._freed(item[0], item[1]))
        return [self.target_percent(instrument, weight) for instrument, weight in wanted]

    def _is_engaged(self, instrument: Instrument | str) -> bool:
        return bool(self.position(instrument)) or bool(self.open_orders(instrument))

    def _freed(self, instrument: Instrument | str, weight: Number) -> tuple[Decimal, int]:
        """Sort key: the change of weight a target means at the last price, then the instrument's number."""
        value, equity = self.position(instrument).value, self.equity
        held = value / equity if value and equity else Decimal(0)
        return exact_decimal(weight) - held, self._session.id_of(instrument)

    def bracket(
        self,
        instrument: Instrument | str,
        quantity: Number | None = None,
        *,
        percent: Number | None = None,
        side: Side | str = Side.BUY,
        limit: Number | None = None,
        stop: Number | str | None = None,
        target: Number | str | None = None,
        trail: Number | str | None = None,
    ) -> Bracket:
        """Send an entry with a protective stop and a target that wait for its fill and then cancel each other.

        `stop` and `target` are prices, or text such as "-3%" and "+6%": that far from the price of the fill. `trail` instead of
        `stop` lets the stop follow the market from there, so much behind it, or so many percent ("2%"). Both reduce only, and
        follow the quantity that was really filled.
        """
        entry_side = require_side(side)
        check_bracket(entry_side, limit, stop, target, trail)
        entry = self._send(instrument, entry_side, size_of(quantity, percent), Ticket(limit=limit))
        exit_side = entry_side.opposite
        stop_order = self._send_exit(instrument, exit_side, entry, stop=stop, trail=trail, partner=None)
        target_order = self._send_exit(instrument, exit_side, entry, limit=target, partner=stop_order)
        return Bracket(entry, stop_order, target_order)

    def _send_exit(
        self,
        instrument: Instrument | str,
        side: Side,
        entry: Order,
        *,
        limit: Number | str | None = None,
        stop: Number | str | None = None,
        trail: Number | str | None = None,
        partner: Order | None,
    ) -> Order | None:
        if trail is not None:
            special = special_of({"trail": trail}, None, None)
            ticket = Ticket(reduce_only=True, cancels=partner, parent=entry, special=special)
            return self._send(instrument, side, OF_PARENT, ticket)
        if limit is None and stop is None:
            return None
        offset = offset_of("target", limit) if stop is None else offset_of("stop", stop)
        order_type = OrderType.LIMIT if stop is None else OrderType.STOP
        ticket = Ticket(
            None if offset else limit,
            None if offset else stop,
            reduce_only=True,
            cancels=partner,
            parent=entry,
            offset=offset,
        )
        return self._send(instrument, side, OF_PARENT, ticket, order_type)

    def _send(
        self,
        instrument: Instrument | str,
        side: Side,
        size: Size,
        ticket: Ticket,
        order_type: OrderType | None = None,
    ) -> Order:
        session = self._session
        number = session.id_of(instrument)
        terms = session.instruments[number - 1]
        kind = order_type or ticket.order_type()
        partner = 0 if ticket.cancels is None else self._own_id(ticket.cancels)
        parent = 0 if ticket.parent is None else self._own_id(ticket.parent)
        client_order_id = session.next_order_id()
        order = Order(session, client_order_id, terms, side, kind)
        if session.stage >= Stage.STOPPING:
            return order
        session.node.submit_order(
            session.participant,
            session.account,
            number,
            client_order_id,
            side,
            kind,
            ticket.force(),
            size.units(terms),
            price=ticket.price_units(terms),
            stop_price=ticket.stop_units(terms),
            sizing=size.sizing,
            options=ticket.options(),
            expire_time=ticket.expire_time(),
            parent=parent,
            partner=partner,
            offset_nano=ticket.offset,
            special=None if ticket.special is None else ticket.special_terms(terms),
        )
        return order

    def _own_id(self, order: Order) -> int:
        self._require_own(order)
        return order.client_order_id

    def _require_own(self, order: Order) -> None:
        if not isinstance(order, Order):
            raise StrategyError(
                f"{order!r} is no order; give the Order that buy, sell or open_orders returned"
            )
        if order._session is not self._session:
            raise StrategyError(f"{order!r} belongs to another run")

    def cancel(self, order: Order) -> None:
        """Ask to take an order back. Too late is told by `on_order`."""
        self._require_own(order)
        session = self._session
        if session.stage < Stage.STOPPING:
            session.node.cancel_order(session.participant, session.account, order.client_order_id)

    def cancel_all(self, instrument: Instrument | str | None = None) -> None:
        """Ask to take back all open orders of the account, in one instrument or in all."""
        session = self._session
        number = 0 if instrument is None else session.id_of(instrument)
        if session.stage < Stage.STOPPING:
            session.node.cancel_all_orders(session.participant, session.account, number)

    def replace(
        self,
        order: Order,
        *,
        quantity: Number | None = None,
        limit: Number | None = None,
        stop: Number | None = None,
    ) -> None:
        """Ask for other terms of an open order; what is not named stays. `quantity` is the new total, filled part included.

        A refusal is told by `on_order` and leaves the order as it was. Raises StrategyError for a price the type of the
        order does not have.
        """
        self._require_own(order)
        if quantity is None and limit is None and stop is None:
            raise StrategyError("replace needs quantity=, limit= or stop=")
        for name, price, has in (
            ("limit", limit, order.order_type.has_limit),
            ("stop", stop, order.order_type.has_stop),
        ):
            if price is not None and not has:
                raise StrategyError(f"a {order.order_type.name} order has no {name} to replace")
        session, terms = self._session, order.instrument
        price, stop_price = new_price("limit", limit, terms), new_price("stop", stop, terms)
        if session.stage < Stage.STOPPING:
            session.node.replace_order(
                session.participant,
                session.account,
                order.client_order_id,
                price=price,
                quantity=new_quantity(quantity, terms),
                stop_price=stop_price,
            )

    # ---- reading

    @property
    def _session(self) -> Session:
        if self._bound is None:
            raise StrategyError(
                f"{type(self).__name__} is not running: helpers work in its hooks only, of which on_start is the first"
            )
        if self._bound.stage is Stage.OVER:
            raise StrategyError(
                f"the run of {type(self).__name__} is over: helpers work in its hooks only; the result is in the Run"
            )
        return self._bound

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The instruments of the run, in the order of the data."""
        return self._session.instruments

    @property
    def time(self) -> int:
        """Time of what is being handled, UTC nanoseconds; in `on_start` the begin of the data."""
        return self._session.node.time

    @property
    def equity(self) -> Money:
        """Cash and positions at their marks. Raises StrategyError while a position has no price."""
        nano = self._session.node.equity(self._session.account)
        if nano is None:
            raise StrategyError("equity is not known: a position has no price yet")
        return Money.from_nano(nano, self._session.currency)

    @property
    def cash(self) -> Money:
        """Cash of the account."""
        return Money.from_nano(self._session.node.cash(self._session.account), self._session.currency)

    def position(self, instrument: Instrument | str) -> Position:
        """The position in an instrument as it stands; flat is a position of 0."""
        session = self._session
        number = session.id_of(instrument)
        terms = session.instruments[number - 1]
        quantity, cost, realized, fees = session.node.position(session.account, number)
        mark = session.node.mark(number)
        return Position(
            instrument=terms,
            quantity=terms.quantity(quantity),
            cost=Money.from_nano(cost, terms.currency),
            realized=Money.from_nano(realized, terms.currency),
            fees=Money.from_nano(fees, terms.currency),
            mark=None if mark is None else terms.price(mark),
        )

    def open_orders(self, instrument: Instrument | str | None = None) -> list[Order]:
        """Open orders of the account, oldest first."""
        session = self._session
        number = 0 if instrument is None else session.id_of(instrument)
        return [order_of(session, found) for found in session.node.open_orders(session.account, number)]

    def history(
        self, instrument: Instrument | str, count: SupportsIndex, every: str | None = None
    ) -> NDArray[np.void]:
        """The last `count` closed bars, oldest first, fewer where there were fewer: `self.history("AAPL", 20)["close"]`.

        A structured array with the fields open_time, close_time, interval_ns, trades, open, high, low, close, volume. With
        `every` ("1h") bars of that longer interval, which an indicator or `bars_every` must have asked for in `on_start`.

        Raises StrategyError for more bars than are kept (`Backtest(history=...)`) and an interval nobody asked for.
        """
        session = self._session
        if not _is_whole(count, 1):
            raise StrategyError(f"count is {count!r}; it must be a whole number of bars, at least 1")
        wanted = operator.index(count)
        if session.history is not None and wanted > session.history:
            raise StrategyError(
                f"{wanted} bars are asked for and {session.history} kept: Backtest(..., history={wanted})"
            )
        bars = session.bars(instrument, wanted, 0 if every is None else _interval(every))
        if bars is None:
            raise StrategyError(
                f"bars of {every} are not formed: ask for them with self.bars_every({every!r}) in on_start"
            )
        return bars

    # ---- asking for more

    def sma(self, period: int, *, every: str | None = None) -> Indicator:
        """Simple moving average of the closes of `period` bars, of a longer interval with `every="1h"`."""
        return self._indicator(SMA, "sma", period, every)

    def ema(self, period: int, *, every: str | None = None) -> Indicator:
        """Exponential moving average, alpha = 2 / (period + 1), seeded with the mean of the first `period` closes."""
        return self._indicator(EMA, "ema", period, every)

    def _indicator(self, kind: int, name: str, period: int, every: str | None) -> Indicator:
        if not _is_whole(period, 1) or period > MOST_PERIOD:
            raise StrategyError(
                f"{name} period is {period!r}; it must be a whole number from 1 to {MOST_PERIOD:,}"
            )
        self._require_start(f"{name}({period})")
        every_ns = 0 if every is None else self._bar_interval(every)
        label = f"{name}({period})" if every is None else f"{name}({period}, every={every})"
        return Indicator.streamed(
            self._session, self._session.add_indicator(kind, int(period), every_ns), label
        )

    def _require_start(self, what: str) -> None:
        if self._session.stage is not Stage.STARTING:
            raise StrategyError(
                f"{what} must be asked for in on_start: later it would have missed the bars before"
            )

    def bars_every(self, interval: str) -> None:
        """Have closed bars of a longer interval formed for `history`. To be asked in `on_start`."""
        self._require_start(f"bars of {interval}")
        self._session.node.add_bar_interval(self._session.participant, self._bar_interval(interval))

    def _bar_interval(self, every: str) -> int:
        length, fed = _interval(every), self._session.interval_ns
        if fed and length % fed:
            raise StrategyError(
                f"bars of {every} cannot be formed: the data has bars of {duration(fed)}; ask for a multiple of it"
            )
        return length

    def schedule(self, name: str, *, every: str | None = None, at: Any = None) -> None:
        """Have `on_timer(name)` called at a time, at every interval from now on, or at every interval from a time on.

        Timers and data come in the order of their times; at one time the timer is first. A timer of a name that is used
        already replaces it.
        """
        if every is None and at is None:
            raise StrategyError(f"timer {name!r} needs every=, at= or both")
        interval = 0 if every is None else _interval(every)
        first = self.time + interval if at is None else to_ns(at)
        if first < self.time:
            raise StrategyError(f"timer {name!r} is for {iso(first)}, which is past; it is {iso(self.time)}")
        session = self._session
        number = self._timers.setdefault(name, len(self._timers) + 1)
        if session.stage < Stage.STOPPING:
            session.node.start_timer(session.participant, number, first, interval)

    def cancel_timer(self, name: str) -> None:
        """Stop a timer."""
        if name not in self._timers:
            raise StrategyError(f"there is no timer {name!r}; there are: {', '.join(self._timers) or 'none'}")
        session = self._session
        if session.stage < Stage.STOPPING:
            session.node.cancel_timer(session.participant, self._timers[name])

    def record(self, name: str, value: float) -> None:
        """Keep a figure with the run: it is written to its folder and drawn in its report. NaN is a gap."""
        self._recorded.setdefault(name, []).append((self.time, float(value)))

    @property
    def random(self) -> random.Random:
        """The run's own source of chance, seeded by the run: the same seed gives the same run."""
        return self._random

    def log(self, event: str, /, **fields: Any) -> None:
        """Write a line to the log of the run, with the time of the engine: `self.log("entered", price=bar.close)`.

        It goes to log.jsonl in the folder of the run, and to the console where the run is kept in memory.
        """
        reserved = [name for name in LOG_FIELDS if name in fields]
        if reserved:
            raise StrategyError(f"log writes {', '.join(reserved)} by itself; give the field another name")
        if self._log is not None:
            self._log(event, time=iso(self.time), strategy=type(self).__name__, **fields)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        return f"{type(self).__name__}({values})"


def _not_bound() -> None:
    raise StrategyError("the strategy has not been bound to a run")


def _is_whole(value: Any, least: int) -> bool:
    """A whole number of Python or NumPy, not a truth value."""
    return hasattr(value, "__index__") and not isinstance(value, bool) and value >= least


def _interval(every: str) -> int:
    length = duration_ns(every)
    if length <= 0:
        raise StrategyError(f"every is {every!r}; it must be longer than nothing")
    return length
