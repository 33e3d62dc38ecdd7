"""What a gateway must know of the past when its exchange goes on: last executions of each account, last trades.

A journal of millions of records has millions of events, and Python would look at each of them. Only the last of each kind
matter: they are found with NumPy, and what the engine knows itself (orders, books, positions, cash) is asked of it. So the past
may begin at a snapshot; what was told before it is then forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from openbell.gateway.event_codec import EXECUTIONS, Event, events, number_of
from openbell.gateway.market_projection import KEPT_TRADES
from openbell.gateway.session_projection import SESSION_EVENTS, Queues, add_past_orders
from openbell.kernel import OrderRecord
from openbell.messages.layouts import HEAD_DTYPE, SLOT_SIZE

Slots = NDArray[np.uint8]
_CONTINUATION = number_of("Continuation")
LAST_INDEX = 2**16 - 1
"""No event of a sequence has a higher one."""


class EngineView(Protocol):
    """What is asked of an engine that has replayed the journal. `openbell.kernel.Node` is one."""

    def open_orders(self, account: int, instrument: int = 0) -> list[OrderRecord]:
        """Open orders, oldest first."""

    def order(self, account: int, client_order_id: int) -> OrderRecord | None:
        """An order of the session day."""

    def position(self, account: int, instrument: int) -> tuple[int, int, int, int]:
        """Quantity first."""

    def cash(self, account: int) -> int:
        """Cash in 10^-9."""


BookSide = tuple[int, int, list[tuple[int, int, int]], list[tuple[int, int, int, int]]]
"""One side of a book as `openbell.kernel.Holdings` tells it: instrument, side, levels (price, shown quantity, orders), orders."""


class Past:
    """Gathers what matters from events in order; `kept` executions of each of the accounts numbered in `accounts`.

    The first event comes after sequence `begin`: 0 where the whole history is to be seen.
    """

    def __init__(
        self, accounts: Sequence[int], instruments: Sequence[int], kept: int, begin: int = 0
    ) -> None:
        self._kept = kept
        self._executions = np.array([number_of(name) for name in EXECUTIONS], dtype=np.uint16)
        self._trade_executed = number_of("TradeExecuted")
        self._recent: dict[int, deque[Slots]] = {account: deque() for account in accounts}
        self._trades: dict[int, deque[Event]] = {one: deque(maxlen=KEPT_TRADES) for one in instruments}
        self.orders: dict[int, Queues] = {one: {} for one in instruments}
        self.sessions: dict[int, dict[str, Event]] = {one: {} for one in instruments}
        """The last event of each kind about the session of an instrument, in their order."""
        self._forgotten_until = (begin, LAST_INDEX) if begin else None
        self.place = (begin, LAST_INDEX) if begin else (0, 0)
        """Sequence and index of the last event."""

    def add(self, slots: Slots) -> None:
        """Take in the next events."""
        heads = slots.view(HEAD_DTYPE)
        starts = np.flatnonzero(heads["message"] != _CONTINUATION)
        if not len(starts):
            return
        self.place = (int(heads["sequence"][starts[-1]]), int(heads["source"][starts[-1]]))
        self._add_executions(slots, heads, starts)
        self._add_trades(slots, heads, starts)
        self._add_sessions(slots, heads, starts)
        add_past_orders(slots, self.orders)

    def executions(self, account: int) -> tuple[Slots, tuple[int, int] | None]:
        """The last executions of an account, oldest first, and the place of the last one that is left out."""
        parts = self._recent[account]
        found: Slots = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint8)
        return last_events(found, self._kept, self._forgotten_until)

    def trades(self, instrument: int) -> list[Event]:
        """The last trades of an instrument, oldest first."""
        return list(self._trades[instrument])

    def _add_executions(self, slots: Slots, heads: NDArray[np.void], starts: NDArray[np.intp]) -> None:
        mine = starts[np.isin(heads["message"][starts], self._executions)]
        accounts = heads["account"][mine]
        for account, recent in self._recent.items():
            places = mine[accounts == account]
            if not len(places):
                continue
            recent.append(_events_at(slots, heads, places[-self._kept - 1 :]))
            while sum(map(len, list(recent)[1:])) > 2 * SLOT_SIZE * (self._kept + 1):
                # No execution has more than two slots: what is left is enough without the oldest part.
                recent.popleft()

    def _add_trades(self, slots: Slots, heads: NDArray[np.void], starts: NDArray[np.intp]) -> None:
        traded = starts[heads["message"][starts] == self._trade_executed]
        instruments = heads["instrument"][traded]
        for instrument, latest in self._trades.items():
            places = traded[instruments == instrument][-KEPT_TRADES:]
            if len(places):
                latest.extend(events(_events_at(slots, heads, places)))

    def _add_sessions(self, slots: Slots, heads: NDArray[np.void], starts: NDArray[np.intp]) -> None:
        for name in SESSION_EVENTS:
            places = starts[heads["message"][starts] == number_of(name)]
            for instrument in np.unique(heads["instrument"][places]).tolist():
                last = places[heads["instrument"][places] == instrument][-1:]
                for event in events(_events_at(slots, heads, last)):
                    known = self.sessions[instrument]
                    known[name] = event
                    in_order = sorted(known.items(), key=lambda item: (item[1].sequence, item[1].event_index))
                    self.sessions[instrument] = dict(in_order)


def last_events(
    slots: Slots, count: int, before: tuple[int, int] | None = None
) -> tuple[Slots, tuple[int, int] | None]:
    """The last `count` events of some, and the place of the last one that is left out; `before` where none is."""
    heads = slots.view(HEAD_DTYPE)
    starts = np.flatnonzero(heads["message"] != _CONTINUATION)
    if len(starts) <= count:
        return slots, before
    left_out = heads[starts[-count - 1]]
    first = len(heads) if count == 0 else int(starts[-count])
    return slots[first * SLOT_SIZE :], (int(left_out["sequence"]), int(left_out["source"]))


def _events_at(slots: Slots, heads: NDArray[np.void], places: NDArray[np.intp]) -> Slots:
    """A copy of the events that begin at `places`, of two slots at most each."""
    second = places[heads["slots"][places] > 1] + 1
    rows = np.sort(np.concatenate([places, second]))
    picked: Slots = slots.reshape(-1, SLOT_SIZE)[rows].reshape(-1)
    return picked
