"""What an account has, folded from its events: orders, positions, cash, and the messages it was sent."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from openbell.gateway import protocol
from openbell.gateway.event_codec import Event, events, number_of
from openbell.gateway.listing import ListedAccount, Listing, money_text
from openbell.gateway.past import Past, Place, Slots, last_events
from openbell.kernel import ClosedOrders, OrderRecord
from openbell.messages.layouts import REPEATED
from openbell.model.terms import OrderState, OrderType, Side, TimeInForce

_LOW_64_BITS = 2**64 - 1
_SIDES = {one.value: one for one in Side}
_TYPES = {one.value: one for one in OrderType}
_FORCES = {one.value: one for one in TimeInForce}
"""By number; a look-up in a dict costs a quarter of `Side(number)`."""
_PRICED = (
    OrderType.LIMIT,
    OrderType.STOP_LIMIT,
    OrderType.LIMIT_IF_TOUCHED,
    OrderType.MARKET_TO_LIMIT,
    OrderType.PEGGED,
)
"""Types whose new terms are told with their limit; of the others it is the stop price, of a trailing one until it has come."""

ZERO_PRICE = 1
"""Bit of an order's zeros: a price of 0 is meant. See crates/kernel/src/command.rs."""
_FOUND_LATER = (OrderType.MARKET_TO_LIMIT, OrderType.TRAILING_STOP_LIMIT)
"""Types whose limit is found at the venue."""


@dataclass(slots=True)
class KnownOrder:
    """An order as its events tell it, in units."""

    order_id: int
    client_order_id: int
    instrument: int
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    state: OrderState
    price: int | None
    stop_price: int | None
    quantity: int
    cumulative_quantity: int = 0
    is_triggered: bool = False
    """The price it waited for has come."""
    session: int = 0
    """Of the account's client session that entered it."""

    @property
    def leaves_quantity(self) -> int:
        """What can still trade."""
        return 0 if self.state.is_terminal else self.quantity - self.cumulative_quantity


@dataclass(frozen=True, slots=True)
class PastMessage:
    """A private message with its place."""

    place: Place
    frame: str | Event
    """An event of the past is written out only if somebody asks for it."""


class AccountProjection:
    """Open orders, the last closed ones, positions, cash and the last private messages of one account.

    `kept_messages` and `kept_orders` bound what is remembered of the past.
    """

    def __init__(
        self, account: ListedAccount, listing: Listing, kept_messages: int, kept_orders: int
    ) -> None:
        self.account = account
        self._listing = listing
        self._kept_orders = kept_orders
        self.open: dict[int, KnownOrder] = {}
        self._closed: dict[int, KnownOrder] = {}
        self._by_client: dict[int, KnownOrder] = {}
        self._recalled: ClosedOrders | None = None
        """Closed orders from before the start, as the engine told them: most are never asked for."""
        self._asked: dict[int, int] = {}
        self.positions: dict[int, int] = {}
        self.cash_nano = 0
        self._kept_messages = kept_messages
        self._past: deque[PastMessage] = deque(maxlen=kept_messages)
        self._slept: Slots | None = None
        """Executions before those, as they came from the journal: most are never asked for."""
        self._forgotten_until: Place | None = None
        self._earlier: Callable[[], Past | None] | None = None
        """What came before those; None where there is no room for it, or it is forgotten."""
        self._appliers: dict[int, Callable[[Event], None]] = {
            number_of(name): applier
            for name, applier in (
                ("OrderSubmitted", self._submitted),
                ("OrderAccepted", self._accepted),
                ("OrderDenied", self._denied),
                ("OrderRejected", self._rejected),
                ("OrderFilled", self._filled),
                ("OrderReplaced", self._replaced),
                ("OrderRepriced", self._repriced),
                ("OrderReduced", self._reduced),
                ("OrderTriggered", self._triggered),
                ("OrderCanceled", self._canceled),
                ("OrderExpired", self._expired),
                ("PositionOpened", self._position),
                ("PositionChanged", self._position),
                ("PositionClosed", self._position),
                ("AccountChanged", self._cash),
            )
        }

    def apply(self, event: Event) -> None:
        """Take in one event of the account."""
        applier = self._appliers.get(event.message)
        if applier is not None:
            applier(event)

    # -- messages

    def remember(self, place: Place, frame: str) -> None:
        """Keep a private message, for a client that was away."""
        if len(self._past) == self._past.maxlen:
            self._forgotten_until = self._past[0].place
            self._slept = self._earlier = None
        self._past.append(PastMessage(place, frame))

    def restore(self, past: Past, still_open: Sequence[OrderRecord], closed: ClosedOrders | None) -> None:
        """Begin where the journal ends: its last executions, the account's open orders, and what became of the others."""
        self._slept, self._forgotten_until = past.executions(self.account.number)
        if self._forgotten_until == past.beginning:
            self._earlier = past.earlier
        self._recalled = closed
        for order in still_open:
            known = _known(order)
            self.open[known.order_id] = self._by_client[known.client_order_id] = known

    def messages_after(self, place: Place) -> Sequence[str | Event] | None:
        """The private messages after `place`, oldest first, some as events; None where some of them are forgotten."""
        self._wake_past()
        if self._forgotten_until is not None and place < self._forgotten_until:
            self._wake_earlier()
        if self._forgotten_until is not None and place < self._forgotten_until:
            return None
        first = bisect_right(self._past, place, key=lambda past: past.place)
        return [past.frame for past in islice(self._past, first, None)]

    def _wake_past(self) -> None:
        if self._slept is None:
            return
        known_from = self._forgotten_until
        slept, self._slept = self._slept, None
        self._put_before(slept, known_from)
        if self._forgotten_until != known_from:
            self._earlier = None

    def _wake_earlier(self) -> None:
        if self._earlier is None:
            return
        earlier, self._earlier = self._earlier(), None
        if earlier is not None:
            self._put_before(*earlier.executions(self.account.number))

    def _put_before(self, slots: Slots, forgotten_until: Place | None) -> None:
        """Put as many of these messages, the last ones, before those that are there as there is room for."""
        room = self._kept_messages - len(self._past)
        kept, self._forgotten_until = last_events(slots, room, forgotten_until)
        woken = [PastMessage((event.sequence, event.event_index), event) for event in events(kept)]
        self._past.extendleft(reversed(woken))

    # -- orders

    def asked(self, client_order_id: int, instrument: int) -> None:
        """Note that an order was sent to the engine, until the engine says what became of it."""
        self._asked[client_order_id] = instrument

    def answered(self, client_order_id: int) -> None:
        """The engine has said what became of it."""
        self._asked.pop(client_order_id, None)

    def instrument_of(self, client_order_id: int) -> int | None:
        """Number of the instrument of an order, also while it is on its way; None for an id that is not known."""
        known = self.order(client_order_id)
        return known.instrument if known is not None else self._asked.get(client_order_id)

    def order(self, client_order_id: int) -> KnownOrder | None:
        """An open order, one of the last that closed, or any that had closed before the start."""
        known = self._by_client.get(client_order_id)
        if known is not None or self._recalled is None:
            return known
        row = self._recalled.find(self.account.number, client_order_id)
        if row is None:
            return None
        (
            order_id,
            instrument,
            side,
            order_type,
            force,
            state,
            price,
            stop_price,
            quantity,
            traded,
            triggered,
            of,
        ) = row
        return KnownOrder(
            order_id,
            client_order_id,
            instrument,
            _SIDES[side],
            _TYPES[order_type],
            _FORCES[force],
            OrderState(state),
            price,
            stop_price,
            quantity,
            traded,
            triggered,
            of,
        )

    def is_open(self, client_order_id: int) -> bool:
        """Whether an order of that id can still trade."""
        found = self.order(client_order_id)
        return found is not None and not found.state.is_terminal

    def terms(self, order: KnownOrder) -> protocol.OrderTerms:
        """An order as clients see it."""
        listed = self._listing.instruments[order.instrument]
        return protocol.OrderTerms(
            order_id=order.order_id,
            client_order_id=order.client_order_id,
            instrument=listed.symbol,
            side=order.side.name,
            order_type=order.order_type.name,
            time_in_force=order.time_in_force.name,
            state=order.state.name,
            quantity=listed.quantity_text(order.quantity),
            cumulative_quantity=listed.quantity_text(order.cumulative_quantity),
            leaves_quantity=listed.quantity_text(order.leaves_quantity),
            price=None if order.price is None else listed.price_text(order.price),
            stop_price=None if order.stop_price is None else listed.price_text(order.stop_price),
            session=order.session,
        )

    def state(self, place: Place, request: int | None = None) -> protocol.AccountState:
        """Everything as of `place`, the last event that was taken in."""
        held = ((number, quantity) for number, quantity in sorted(self.positions.items()) if quantity)
        listed = self._listing.instruments
        return protocol.AccountState(
            request=request,
            sequence=place[0],
            index=place[1],
            account=self.account.name,
            cash=money_text(self.cash_nano),
            currency=self.account.currency,
            orders=tuple(self.terms(order) for order in self.open.values()),
            positions=tuple(
                protocol.Holding(listed[number].symbol, listed[number].quantity_text(quantity))
                for number, quantity in held
            ),
        )

    # -- events

    def _submitted(self, event: Event) -> None:
        self.answered(event.body[1])
        if event.flags & REPEATED:
            return
        order_id, client_order_id, price, quantity = event.body
        packed, stop_price, _, _, zeros = event.payload
        order_type = _TYPES[packed >> 8 & 255]
        order = KnownOrder(
            order_id,
            client_order_id,
            event.instrument,
            _SIDES[packed & 255],
            order_type,
            _FORCES[packed >> 16 & 255],
            OrderState.SUBMITTED,
            # A type that may go without says nothing by 0; where that is meant, the terms beside it do.
            price if price or order_type.has_limit or zeros & ZERO_PRICE else None,
            stop_price if stop_price or order_type.has_stop else None,
            quantity,
            session=packed >> 48 & 65_535,
        )
        self.open[order_id] = order
        self._by_client[client_order_id] = order

    def _accepted(self, event: Event) -> None:
        self.answered(event.body[1])
        order = self.open.get(event.body[0])
        if order is not None and not event.flags & REPEATED:
            order.state = OrderState.ACCEPTED

    def _filled(self, event: Event) -> None:
        order = self.open.get(event.body[0])
        if order is None:
            return
        order.cumulative_quantity = event.payload[2]
        if event.body[3] == 0:
            self._close(order, OrderState.FILLED)

    def _replaced(self, event: Event) -> None:
        order_id, _, price, quantity = event.body
        order = self.open.get(order_id)
        if order is None:
            return
        order.quantity = quantity
        if order.order_type in _PRICED or (
            order.is_triggered and order.order_type is OrderType.TRAILING_STOP_LIMIT
        ):
            order.price = price
        elif order.order_type is not OrderType.MARKET:
            order.stop_price = price

    def _repriced(self, event: Event) -> None:
        """What follows the market; of a pegged order the price that is kept is its limit, which stays."""
        order = self.open.get(event.body[0])
        if order is not None and order.order_type is not OrderType.PEGGED:
            price, stop_price = event.body[2:]
            if price or order.order_type in _FOUND_LATER:
                order.price = price
            if stop_price or order.order_type.trails:
                order.stop_price = stop_price

    def _triggered(self, event: Event) -> None:
        order = self.open.get(event.body[0])
        if order is not None:
            order.is_triggered = True

    def _reduced(self, event: Event) -> None:
        order = self.open.get(event.body[0])
        if order is not None:
            order.quantity = event.body[2]

    def _denied(self, event: Event) -> None:
        self.answered(event.body[1])
        if event.flags & REPEATED or self.order(event.body[1]) is not None:
            return  # it never was, or its id belongs to another order
        _, client_order_id, _, quantity = event.body
        side, order_type, time_in_force = event.payload[4].to_bytes(8, "little", signed=True)[:3]
        if event.instrument not in self._listing.instruments or not side:
            return
        order = KnownOrder(
            order_id=event.body[0],
            client_order_id=client_order_id,
            instrument=event.instrument,
            side=Side(side),
            order_type=OrderType(order_type),
            time_in_force=TimeInForce(time_in_force),
            state=OrderState.DENIED,
            price=None,
            stop_price=None,
            quantity=quantity,
        )
        self._by_client[client_order_id] = order
        self._close(order, OrderState.DENIED)

    def _rejected(self, event: Event) -> None:
        self.answered(event.body[1])
        self._end(event, OrderState.REJECTED)

    def _canceled(self, event: Event) -> None:
        self._end(event, OrderState.CANCELED)

    def _expired(self, event: Event) -> None:
        self._end(event, OrderState.EXPIRED)

    def _end(self, event: Event, state: OrderState) -> None:
        order = self.open.get(event.body[0])
        if order is not None and not event.flags & REPEATED:
            self._close(order, state)

    def _close(self, order: KnownOrder, state: OrderState) -> None:
        order.state = state
        self.open.pop(order.order_id, None)
        self._closed[order.order_id] = order
        if len(self._closed) > self._kept_orders:
            oldest = self._closed.pop(next(iter(self._closed)))
            if self._by_client.get(oldest.client_order_id) is oldest:
                del self._by_client[oldest.client_order_id]

    def _position(self, event: Event) -> None:
        self.positions[event.instrument] = event.body[0]

    def _cash(self, event: Event) -> None:
        low, high, _, _ = event.body
        self.cash_nano = (high << 64) | (low & _LOW_64_BITS)


def _known(order: OrderRecord) -> KnownOrder:
    return KnownOrder(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        instrument=order.instrument,
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        state=order.state,
        price=order.price_units if order.has_price else None,
        stop_price=order.stop_price_units if order.has_stop_price else None,
        quantity=order.quantity_units,
        cumulative_quantity=order.cumulative_units,
        is_triggered=order.is_triggered,
        session=order.session,
    )
