"""Trading session and visible orders of an instrument, folded from events, and what each subscriber is still to be sent.

Numbered like the channels of `market_projection`. A session's change says all there is, so that of several only the last is sent.
Changes of orders are sent one by one: the queue at a price follows from their order.
"""

from __future__ import annotations

from collections.abc import Iterable

from openbell.gateway import protocol
from openbell.gateway.event_codec import Event, number_of
from openbell.gateway.listing import ListedInstrument
from openbell.messages.layouts import UNPRICED
from openbell.model.terms import TradingSession
from openbell.model.time import iso

SESSION_EVENTS = ("TradingSessionChanged", "AuctionIndicated", "ReferencePriceSet")
ORDER_EVENTS = ("BookOrderAdded", "BookOrderChanged", "BookOrderRemoved")
WAITING_ORDER_CHANGES = 10_000
"""Changes of orders that wait for one reader; one who lets more wait must subscribe again."""

Auction = tuple[int, int, int, int | None]
"""Price (which says nothing without a volume), volume, imbalance, and the reference price, where there is one."""
Queues = dict[tuple[str, int], dict[int, int]]
"""Quantity shown by order id, first in the queue first, by (side, price)."""


class SessionChange:
    """The session after a change, and the frame that says so."""

    __slots__ = ("number", "previous", "told")

    def __init__(self, previous: int, number: int, told: protocol.SessionTerms) -> None:
        self.previous = previous
        self.number = number
        self.told = told

    @property
    def frame(self) -> str:
        """The encoded message."""
        return protocol.encode(
            protocol.SessionChanged(previous=self.previous, number=self.number, state=self.told)
        )

    @staticmethod
    def merged(changes: Iterable[SessionChange]) -> SessionChange:
        """The last of several changes, from where the first began."""
        first, *rest = changes
        last = rest[-1] if rest else first
        return SessionChange(first.previous, last.number, last.told)


class SessionProjection:
    """The session of one instrument, and what its auction would come to."""

    def __init__(self, listed: ListedInstrument) -> None:
        self.listed = listed
        self.number = 0
        self._sequence = 0
        self._session = TradingSession.CONTINUOUS
        self._until = 0
        self._indicated: Auction | None = None
        self._changed = False
        self._session_changed = number_of("TradingSessionChanged")
        self._auction_indicated = number_of("AuctionIndicated")

    def apply(self, event: Event) -> None:
        """Take in one event about the session."""
        if event.message == self._session_changed:
            self._session, self._until = TradingSession(event.body[1]), event.body[2]
            self._indicated = None
        elif event.message == self._auction_indicated:
            price, volume, imbalance, reference = event.body
            has_reference = not event.flags & UNPRICED
            self._indicated = (price, volume, imbalance, reference if has_reference else None)
        else:
            return
        self._sequence = event.sequence
        self._changed = True

    def restore(self, session: int, until: int, auction: Auction | None, sequence: int) -> None:
        """Begin with the session as it stood after `sequence`; `auction` is its price, volume, imbalance, reference price."""
        self._session, self._until, self._indicated = TradingSession(session), until, auction
        self._sequence = sequence

    def take_change(self) -> SessionChange | None:
        """What changed since this was last called."""
        if not self._changed:
            return None
        self._changed = False
        self.number += 1
        return SessionChange(self.number - 1, self.number, self._terms())

    def snapshot(self) -> str:
        """The session as of `number`, encoded."""
        return protocol.encode(protocol.SessionSnapshot(number=self.number, state=self._terms()))

    def _terms(self) -> protocol.SessionTerms:
        listed = self.listed
        auction = None
        if self._indicated is not None:
            price, volume, imbalance, reference = self._indicated
            sign = "-" if imbalance < 0 else ""
            auction = protocol.AuctionTerms(
                price=listed.price_text(price) if volume else None,
                volume=listed.quantity_text(volume) if volume else "0",
                imbalance=sign + listed.quantity_text(abs(imbalance)) if imbalance else "0",
                reference_price=None if reference is None else listed.price_text(reference),
            )
        return protocol.SessionTerms(
            instrument=listed.symbol,
            sequence=self._sequence,
            session=self._session.name,
            until=iso(self._until) if self._until else None,
            auction=auction,
        )


class OrdersChange:
    """Changes of visible orders between two numbers, and the frame that says so."""

    __slots__ = ("changes", "listed", "missed", "number", "previous", "sequence")

    def __init__(
        self,
        listed: ListedInstrument,
        previous: int,
        number: int,
        sequence: int,
        changes: tuple[protocol.OrderChange, ...],
        missed: int = 0,
    ) -> None:
        self.listed = listed
        self.previous = previous
        self.number = number
        self.sequence = sequence
        self.changes = changes
        self.missed = missed

    @property
    def frame(self) -> str:
        """The encoded message."""
        return protocol.encode(
            protocol.BookOrders(
                instrument=self.listed.symbol,
                previous=self.previous,
                number=self.number,
                sequence=self.sequence,
                changes=self.changes,
                missed=self.missed,
            )
        )

    @staticmethod
    def merged(changes: Iterable[OrdersChange]) -> OrdersChange:
        """Several changes in a row as one; too many are only counted."""
        first, *rest = changes
        last = rest[-1] if rest else first
        rows = tuple(row for change in (first, *rest) for row in change.changes)
        missed = sum(change.missed for change in (first, *rest))
        if missed or len(rows) > WAITING_ORDER_CHANGES:
            rows, missed = (), missed + len(rows)
        return OrdersChange(first.listed, first.previous, last.number, last.sequence, rows, missed)


class OrdersProjection:
    """The visible orders of one instrument, where its exchange tells them."""

    def __init__(self, listed: ListedInstrument) -> None:
        self.listed = listed
        self.queues: Queues = {}
        self.number = 0
        self.sequence = 0
        self._changed: list[protocol.OrderChange] = []
        self._kinds = {
            number_of(name): word
            for name, word in zip(ORDER_EVENTS, ("ADD", "CHANGE", "REMOVE"), strict=True)
        }

    def apply(self, event: Event) -> None:
        """Take in one BookOrderAdded, Changed or Removed."""
        order_id, price, quantity, _ = event.body
        word = self._kinds[event.message]
        keep_order(self.queues, word, (event.side, price), order_id, quantity)
        self._changed.append(
            (
                word,
                event.side,
                order_id,
                self.listed.price_text(price),
                self.listed.quantity_text(quantity),
            )
        )
        self.sequence = event.sequence

    def restore(self, queues: Queues, sequence: int) -> None:
        """Begin with the orders as they stood after `sequence`."""
        self.queues = {key: dict(queue) for key, queue in queues.items()}
        self.sequence = sequence

    def take_change(self) -> OrdersChange | None:
        """What changed since this was last called."""
        if not self._changed:
            return None
        changes, self._changed = tuple(self._changed), []
        previous, self.number = self.number, self.number + len(changes)
        return OrdersChange(self.listed, previous, self.number, self.sequence, changes)

    def snapshot(self) -> str:
        """All visible orders as of `number`, best price first, in the order of their queues, encoded."""
        return protocol.encode(
            protocol.BookOrdersSnapshot(
                instrument=self.listed.symbol,
                number=self.number,
                sequence=self.sequence,
                bids=self._side("BUY"),
                asks=self._side("SELL"),
            )
        )

    def _side(self, side: str) -> tuple[protocol.ShownOrder, ...]:
        prices = sorted((price for of, price in self.queues if of == side), reverse=side == "BUY")
        return tuple(
            (order_id, self.listed.price_text(price), self.listed.quantity_text(quantity))
            for price in prices
            for order_id, quantity in self.queues[side, price].items()
        )


def keep_order(queues: Queues, word: str, key: tuple[str, int], order_id: int, quantity: int) -> None:
    """Note what happened to one order."""
    if word == "REMOVE":
        queue = queues.get(key, {})
        queue.pop(order_id, None)
        if not queue:
            queues.pop(key, None)
    else:
        queues.setdefault(key, {})[order_id] = quantity
