"""What a gateway must know of the past when its exchange goes on.

A journal of millions of records has millions of events, and Python would look at each of them. Only the last of each kind
matter: they are picked out while the engine is replayed (`Past`), and what the engine knows itself (orders, books, positions,
cash, sessions) is asked of it once, where the journal ends (`Standing`). So the past may begin at a snapshot; what was told
before it is known when somebody has looked there (`Past.earlier`), or forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openbell.gateway.event_codec import EXECUTIONS, Event, events, number_of
from openbell.gateway.market_projection import KEPT_TRADES
from openbell.kernel import ClosedOrders, Holdings, Node, OrderRecord, RecentEvents
from openbell.messages.layouts import HEAD_DTYPE, SLOT_SIZE

Slots = NDArray[np.uint8]
Place = tuple[int, int]
"""Sequence and index of an event."""
_CONTINUATION = number_of("Continuation")
LAST_INDEX = 2**16 - 1
"""No event of a sequence has a higher one."""
_EXECUTIONS, _TRADES = 0, 1
_WHOLE_BOOK = 2**31

BookSide = tuple[int, int, list[tuple[int, int, int]], list[tuple[int, int, int, int]]]
"""One side of a book as `openbell.kernel.Holdings` tells it: instrument, side, levels (price, shown quantity, orders), orders
(order id, price, shown quantity, open quantity).
"""
SessionRow = tuple[int, int, int, tuple[int, int, int, int | None] | None]
"""Instrument, session, when it ends by itself, and of its auction price, volume, imbalance and reference price."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What an engine has where a journal ends."""

    orders: Mapping[int, Sequence[OrderRecord]]
    """Open orders by account, oldest first."""
    closed: ClosedOrders
    """Every other order of the session day: the engine keeps them, and so do its snapshots."""
    positions: Sequence[tuple[int, int, int]]
    """Account, instrument, quantity; none that is flat."""
    cash: Mapping[int, int]
    """By account, in 10^-9."""
    books: Sequence[BookSide]
    sessions: Sequence[SessionRow]
    told_by_order: Sequence[int]
    """Instruments of which every visible order is told."""

    @classmethod
    def of(cls, engine: Node, accounts: Iterable[int]) -> Standing:
        """Ask an engine that has replayed the journal."""
        holdings = Holdings(engine, depth=_WHOLE_BOOK)
        return cls(
            orders={account: still_open for account, (still_open, _) in engine.orders_by_account().items()},
            closed=engine.closed_orders(),
            positions=holdings.positions,
            cash={account: engine.cash(account) for account in accounts},
            books=holdings.books,
            sessions=holdings.sessions,
            told_by_order=holdings.told_by_order,
        )


class Past:
    """The last `kept` executions of each account, and the last trades of each instrument.

    Its events come after sequence `begin`: 0 where the whole history is to be seen.
    """

    def __init__(self, kept: int, begin: int = 0) -> None:
        executions = [number_of(name) for name in EXECUTIONS]
        trades = [number_of("TradeExecuted")]
        self.recent = RecentEvents([(executions, "account", kept), (trades, "instrument", KEPT_TRADES)])
        """What picks them out; events can be shown to it directly."""
        self.begin = begin
        self.earlier: Callable[[], Past | None] | None = None
        """What came before `begin`, for those who ask; may have to be waited for. It answers None where that is forgotten."""

    def add(self, slots: Slots) -> None:
        """Take in the next events."""
        self.recent.add(slots)

    @property
    def beginning(self) -> Place | None:
        """The place after which the events begin; None where nothing was before."""
        return (self.begin, LAST_INDEX) if self.begin else None

    @property
    def place(self) -> Place:
        """Of the last event."""
        return self.recent.place or self.beginning or (0, 0)

    def executions(self, account: int) -> tuple[Slots, Place | None]:
        """The last executions of an account, oldest first, and the place of the last one that is left out."""
        slots, left_out = self.recent.of(_EXECUTIONS, account)
        return slots, left_out or self.beginning

    def trades(self, instrument: int) -> list[Event]:
        """The last trades of an instrument, oldest first."""
        slots, _ = self.recent.of(_TRADES, instrument)
        return list(events(slots))


def last_events(slots: Slots, count: int, before: Place | None = None) -> tuple[Slots, Place | None]:
    """The last `count` events in `slots`, and the place of the one before them; `before` is what came before `slots`."""
    heads = slots.view(HEAD_DTYPE)
    starts = np.flatnonzero(heads["message"] != _CONTINUATION)
    if len(starts) <= count:
        return slots, before
    left_out = heads[starts[-count - 1]]
    first = len(heads) if count == 0 else int(starts[-count])
    return slots[first * SLOT_SIZE :], (int(left_out["sequence"]), int(left_out["source"]))
