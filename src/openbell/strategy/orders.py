"""Orders as a strategy holds them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from openbell.engine.session import Session, Stage
from openbell.kernel import OrderRecord
from openbell.model.errors import StrategyError
from openbell.model.instrument import Instrument
from openbell.model.position import rounded_price
from openbell.model.quantities import EXACT, Price, Quantity
from openbell.model.terms import OrderState, OrderType, Side
from openbell.strategy.refusal import refusal_text

NOT_TAKEN_UP = (
    "not taken up: the data has ended before on_stop (Backtest(close_at_end=True) closes positions)"
)


class Order:
    """An order that was sent. What it says is what the engine knows now; the object may be kept and compared.

    Until the hook that sent it returns, the engine has not taken it up: its state is SUBMITTED. Two objects for one order,
    such as the one `buy` returned and the one `on_order` gets, are equal.
    """

    __slots__ = ("__weakref__", "_last", "_session", "client_order_id", "instrument", "order_type", "side")

    def __init__(
        self,
        session: Session,
        client_order_id: int,
        instrument: Instrument,
        side: Side,
        order_type: OrderType,
    ) -> None:
        self._session = session
        self.client_order_id = client_order_id
        self.instrument = instrument
        self.side = side
        self.order_type = order_type
        self._last: OrderRecord | None = None
        session.hold(client_order_id, self)

    def _now(self) -> OrderRecord | None:
        """How it stands, or how it stood last: the engine forgets closed orders when their day is over."""
        found = self._session.order(self.client_order_id)
        if found is not None:
            self._last = found
        return self._last

    @property
    def _was_late(self) -> bool:
        """It was sent when nothing was taken up any more."""
        return self._session.stage >= Stage.STOPPING and self._now() is None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Order):
            return NotImplemented
        return self._session is other._session and self.client_order_id == other.client_order_id

    def __hash__(self) -> int:
        return hash(self.client_order_id)

    @property
    def order_id(self) -> int | None:
        """The engine's number of the order; None until it was taken up."""
        order = self._now()
        return None if order is None else order.order_id

    @property
    def state(self) -> OrderState:
        """Where it is in its life."""
        order = self._now()
        if order is None:
            return OrderState.DENIED if self._was_late else OrderState.SUBMITTED
        return order.state

    @property
    def is_open(self) -> bool:
        """True while it may still trade."""
        order = self._now()
        return not self._was_late if order is None else order.is_open

    @property
    def is_filled(self) -> bool:
        """True once all of it has traded."""
        return self.state is OrderState.FILLED

    @property
    def quantity(self) -> Quantity | None:
        """Total quantity; None while an order sized by percent waits for its fill."""
        order = self._now()
        if order is None or (order.is_sized_at_fill and not order.cumulative_units):
            return None
        return self.instrument.quantity(order.quantity_units)

    @property
    def cumulative_quantity(self) -> Quantity:
        """What it traded so far."""
        order = self._now()
        return self.instrument.quantity(0 if order is None else order.cumulative_units)

    @property
    def leaves_quantity(self) -> Quantity:
        """What it may still trade."""
        order = self._now()
        return self.instrument.quantity(0 if order is None else order.leaves_units)

    @property
    def average_price(self) -> Price | None:
        """Average price of its fills, to 10^-9; None without one."""
        order = self._now()
        if order is None or not order.cumulative_units:
            return None
        units = EXACT.divide(Decimal(order.filled_value), Decimal(order.cumulative_units))
        return rounded_price(EXACT.multiply(units, self.instrument.price_unit))

    @property
    def price(self) -> Price | None:
        """Limit price; None where its type has none."""
        order = self._now()
        return None if order is None or not order.has_price else self.instrument.price(order.price_units)

    @property
    def stop_price(self) -> Price | None:
        """Stop price; None where its type has none."""
        order = self._now()
        return (
            None
            if order is None or not order.has_stop_price
            else self.instrument.price(order.stop_price_units)
        )

    @property
    def refusal(self) -> str | None:
        """The rule that refused or ended it, with what it allows and what was asked; None when there was none."""
        order = self._now()
        if order is None or order.refusal is None:
            return NOT_TAKEN_UP if self._was_late else None
        return refusal_text(*order.refusal, self.instrument)

    def __repr__(self) -> str:
        return (
            f"<Order {self.client_order_id & (2**48 - 1)} {self.side.name} {self.order_type.name} "
            f"{self.instrument.symbol} {self.state.name} {self.cumulative_quantity} of {self.quantity or 'its size'}>"
        )


def order_of(session: Session, record: OrderRecord) -> Order:
    """The order that a record is of: the object that somebody holds already, where there is one."""
    known = session.held(record.client_order_id)
    if isinstance(known, Order):
        known._last = record
        return known
    terms = session.instruments[record.instrument - 1]
    order = Order(session, record.client_order_id, terms, record.side, record.order_type)
    order._last = record
    return order


@dataclass(frozen=True, slots=True)
class Bracket:
    """An entry with its protective stop and its target: the first of the two to trade cancels the other."""

    entry: Order
    stop: Order | None
    target: Order | None


def require_side(side: Side | str | int) -> Side:
    """The side named by a `Side`, its number, or "buy" and "sell"."""
    try:
        return Side[side.upper()] if isinstance(side, str) else Side(side)
    except (KeyError, ValueError):
        raise StrategyError(f"side is {side!r}; it must be BUY or SELL") from None
