"""Events of the engine as messages of the protocol.

A message follows from its event alone: after a restart the journal gives the same bytes again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from openbell.gateway import protocol
from openbell.gateway.listing import ListedInstrument, Listing, money_text
from openbell.messages.layouts import (
    BODY_OFFSET,
    MAKER,
    PAYLOAD_OFFSET,
    REPEATED,
    SELL,
    SLOT_SIZE,
    UNPRICED,
    message_numbers,
    rule_names,
)
from openbell.messages.refusal_figures import figure_text
from openbell.model.terms import Side
from openbell.model.time import iso

_HEAD = struct.Struct("<QQHBBHHII4q")  # the whole first slot: crates/kernel/src/record.rs
_PAYLOAD = struct.Struct("<5q")
_LOW_64_BITS = 2**64 - 1
assert _HEAD.size == SLOT_SIZE
assert _HEAD.size - 4 * 8 == BODY_OFFSET


class Event(NamedTuple):
    """One event as it came: its head, the four words of its body, the five of its first payload (zeros where it has none)."""

    sequence: int
    time: int
    message: int
    flags: int
    event_index: int
    instrument: int
    account: int
    body: tuple[int, int, int, int]
    payload: tuple[int, int, int, int, int]

    @property
    def side(self) -> str:
        """Side of the order, of the aggressor, or of the book."""
        return "SELL" if self.flags & SELL else "BUY"


def events(slots: NDArray[np.uint8]) -> Iterator[Event]:
    """The events in an array of 64-byte slots, in order."""
    buffer = np.ascontiguousarray(slots).data
    head, payload, nothing = _HEAD.unpack_from, _PAYLOAD.unpack_from, (0, 0, 0, 0, 0)
    at, end, made = 0, len(buffer), tuple.__new__
    while at < end:
        sequence, time, message, count, _, flags, index, instrument, account, one, two, three, four = head(
            buffer, at
        )
        rest = payload(buffer, at + SLOT_SIZE + PAYLOAD_OFFSET) if count > 1 else nothing
        words = (one, two, three, four)
        # As Event(...), at half the cost.
        yield made(Event, (sequence, time, message, flags, index, instrument, account, words, rest))
        at += SLOT_SIZE * count


def number_of(name: str) -> int:
    """Number of a message."""
    return message_numbers()[name]


EXECUTIONS = (
    "OrderAccepted",
    "OrderDenied",
    "OrderRejected",
    "OrderFilled",
    "OrderReplaced",
    "OrderCanceled",
    "OrderExpired",
    "OrderTriggered",
    "OrderRepriced",
    "OrderReduced",
    "OrdersMassCanceled",
    "CancelRejected",
    "ReplaceRejected",
    "CommandRefused",
)
"""Events that their account is told of. None has more than two slots."""


class ExecutionCodec:
    """Turns events about orders into the messages their account is sent."""

    def __init__(self, listing: Listing, durability: str) -> None:
        self._listing = listing
        self._durability = durability
        self._rules = rule_names()
        self._names = {number: name for name, number in message_numbers().items()}
        self._time = (0, "")
        writers: tuple[Callable[[Event], protocol.Execution], ...] = (
            self._accepted,
            self._denied,
            self._rejected,
            self._filled,
            self._replaced,
            self._canceled,
            self._expired,
            self._triggered,
            self._repriced,
            self._reduced,
            self._mass_canceled,
            self._cancel_rejected,
            self._replace_rejected,
            self._command_refused,
        )
        self._writers = dict(zip(map(number_of, EXECUTIONS), writers, strict=True))

    def message(self, event: Event) -> protocol.Execution | None:
        """What the account of `event` is told of it; None where nothing is."""
        writer = self._writers.get(event.message)
        return writer(event) if writer is not None and event.account else None

    def time_text(self, time: int) -> str:
        """ISO 8601. All events of one record have one time, so the last text is kept."""
        if self._time[0] != time:
            self._time = (time, iso(time))
        return self._time[1]

    def _place(self, event: Event) -> dict[str, Any]:
        return {
            "sequence": event.sequence,
            "index": event.event_index,
            "time": self.time_text(event.time),
            "durability": self._durability,
        }

    def _order(self, event: Event, client_order_id: int) -> dict[str, Any]:
        """What every message about an order begins with; its id is the first word of every such event."""
        return {
            "sequence": event.sequence,
            "index": event.event_index,
            "time": self.time_text(event.time),
            "durability": self._durability,
            "order_id": event.body[0],
            "client_order_id": client_order_id,
            "instrument": self._symbol(event.instrument),
            "side": event.side,
            "repeated": bool(event.flags & REPEATED),
        }

    def _symbol(self, instrument: int) -> str:
        listed = self._listing.instruments.get(instrument)
        return listed.symbol if listed is not None else ""

    def _listed(self, event: Event) -> ListedInstrument:
        return self._listing.instruments[event.instrument]

    def _refusal(self, event: Event, rule: int) -> dict[str, Any]:
        low, high, actual_low, actual_high, _ = event.payload
        name = self._rules.get(rule, f"rule {rule}")
        limit = (high << 64) | (low & _LOW_64_BITS)
        actual = (actual_high << 64) | (actual_low & _LOW_64_BITS)
        listed = self._listing.instruments.get(event.instrument)
        if listed is None:
            return {"rule": name, "limit": str(limit), "actual": str(actual)}
        figures = (figure_text(name, figure, listed.instrument) for figure in (limit, actual))
        return dict(zip(("rule", "limit", "actual"), (name, *figures), strict=True))

    def _accepted(self, event: Event) -> protocol.Execution:
        return protocol.OrderAccepted(**self._order(event, event.body[1]))

    def _denied(self, event: Event) -> protocol.Execution:
        refusal = self._refusal(event, event.body[2])
        return protocol.OrderDenied(**self._order(event, event.body[1]), **refusal)

    def _rejected(self, event: Event) -> protocol.Execution:
        refusal = self._refusal(event, event.body[2])
        return protocol.OrderRejected(**self._order(event, event.body[1]), **refusal)

    def _filled(self, event: Event) -> protocol.Execution:
        listed = self._listed(event)
        _, price, quantity, leaves = event.body
        trade_id, client_order_id, cumulative, fee, _ = event.payload
        return protocol.OrderFilled(
            **self._order(event, client_order_id),
            trade_id=trade_id,
            liquidity="MAKER" if event.flags & MAKER else "TAKER",
            price=listed.price_text(price),
            quantity=listed.quantity_text(quantity),
            leaves_quantity=listed.quantity_text(leaves),
            cumulative_quantity=listed.quantity_text(cumulative),
            fee=money_text(fee),
            currency=listed.currency,
        )

    def _replaced(self, event: Event) -> protocol.Execution:
        listed = self._listed(event)
        _, client_order_id, price, quantity = event.body
        return protocol.OrderReplaced(
            **self._order(event, client_order_id),
            price=listed.price_text(price),
            quantity=listed.quantity_text(quantity),
        )

    def _canceled(self, event: Event) -> protocol.Execution:
        _, client_order_id, rule, leaves = event.body
        return protocol.OrderCanceled(
            **self._order(event, client_order_id),
            rule=self._rules.get(rule, f"rule {rule}"),
            leaves_quantity=self._listed(event).quantity_text(leaves),
        )

    def _expired(self, event: Event) -> protocol.Execution:
        _, client_order_id, leaves, _ = event.body
        text = self._listed(event).quantity_text(leaves)
        return protocol.OrderExpired(**self._order(event, client_order_id), leaves_quantity=text)

    def _triggered(self, event: Event) -> protocol.Execution:
        _, client_order_id, price, _ = event.body
        text = self._listed(event).price_text(price)
        return protocol.OrderTriggered(**self._order(event, client_order_id), price=text)

    def _repriced(self, event: Event) -> protocol.Execution:
        listed = self._listed(event)
        _, client_order_id, price, stop_price = event.body
        return protocol.OrderRepriced(
            **self._order(event, client_order_id),
            price=None if event.flags & UNPRICED else listed.price_text(price),
            stop_price=listed.price_text(stop_price),
        )

    def _reduced(self, event: Event) -> protocol.Execution:
        _, client_order_id, quantity, rule = event.body
        return protocol.OrderReduced(
            **self._order(event, client_order_id),
            quantity=self._listed(event).quantity_text(quantity),
            rule=self._rules.get(rule, f"rule {rule}"),
        )

    def _mass_canceled(self, event: Event) -> protocol.Execution:
        side, _, orders, session = event.body
        return protocol.OrdersMassCanceled(
            **self._place(event),
            orders=orders,
            instrument=self._symbol(event.instrument),
            side=Side(side).name if side else "",
            session=session,
        )

    def _cancel_rejected(self, event: Event) -> protocol.Execution:
        refusal = self._refusal(event, event.body[2])
        return protocol.CancelRejected(**self._order(event, event.body[1]), **refusal)

    def _replace_rejected(self, event: Event) -> protocol.Execution:
        refusal = self._refusal(event, event.body[2])
        return protocol.ReplaceRejected(**self._order(event, event.body[1]), **refusal)

    def _command_refused(self, event: Event) -> protocol.Execution:
        command, rule, _, _ = event.body
        return protocol.CommandRefused(
            **self._place(event),
            command=self._names.get(command, f"message {command}"),
            **self._refusal(event, rule),
            instrument=self._symbol(event.instrument),
        )
