"""What a gateway must know of the past when its exchange goes on: last executions of each account, last trades, books.

A journal of millions of records has millions of events, and Python would look at each of them. Only the last of each kind
matter: they are found with NumPy, and what the engine knows itself (orders, positions, cash) is asked of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from openbell.gateway.event_codec import EXECUTIONS, Event, events, number_of
from openbell.gateway.market_projection import BUY_SIDE, KEPT_TRADES, SELL_SIDE, Levels
from openbell.gateway.session_projection import SESSION_EVENTS, Queues, add_past_orders
from openbell.kernel import OrderRecord
from openbell.messages.layouts import HEAD_DTYPE, SELL, SLOT_SIZE, select

Slots = NDArray[np.uint8]


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


class Past:
    """Gathers what matters from events in order; `kept` executions of each of the accounts numbered in `accounts`."""

    def __init__(self, accounts: Sequence[int], instruments: Sequence[int], kept: int) -> None:
        self._kept = kept
        self._executions = np.array([number_of(name) for name in EXECUTIONS], dtype=np.uint16)
        self._continuation = number_of("Continuation")
        self._trade_executed = number_of("TradeExecuted")
        self._recent: dict[int, deque[Slots]] = {account: deque() for account in accounts}
        self._trades: dict[int, deque[Event]] = {one: deque(maxlen=KEPT_TRADES) for one in instruments}
        self.levels: dict[int, Levels] = {one: {} for one in instruments}
        self.orders: dict[int, Queues] = {one: {} for one in instruments}
        self.sessions: dict[int, dict[str, Event]] = {one: {} for one in instruments}
        """The last event of each kind about the session of an instrument, in their order."""
        self.place = (0, 0)
        """Sequence and index of the last event."""

    def add(self, slots: Slots) -> None:
        """Take in the next events."""
        heads = slots.view(HEAD_DTYPE)
        starts = np.flatnonzero(heads["message"] != self._continuation)
        if not len(starts):
            return
        self.place = (int(heads["sequence"][starts[-1]]), int(heads["source"][starts[-1]]))
        self._add_executions(slots, heads, starts)
        self._add_trades(slots, heads, starts)
        self._add_levels(slots)
        self._add_sessions(slots, heads, starts)
        add_past_orders(slots, self.orders)

    def executions(self, account: int) -> tuple[list[Event], tuple[int, int] | None]:
        """The last executions of an account, oldest first, and the place of the last one that is left out."""
        found = [event for part in self._recent[account] for event in events(part)]
        if len(found) <= self._kept:
            return found, None  # one more is gathered than is kept, so nothing was left out
        last = found[-self._kept - 1]
        return found[-self._kept :], (last.sequence, last.event_index)

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

    def _add_levels(self, slots: Slots) -> None:
        rows = select(slots, "BookLevelChanged")
        books = rows["instrument"].astype(np.int64) * 2 + ((rows["flags"] & SELL) != 0)
        order = np.lexsort((rows["price"], books))  # stable: the last row of each level is its newest
        is_last = np.ones(len(rows), dtype=bool)
        is_last[:-1] = (np.diff(books[order]) != 0) | (np.diff(rows["price"][order]) != 0)
        newest = order[is_last]
        for row in rows[newest].tolist():
            self._set_level(dict(zip(rows.dtype.names or (), row, strict=True)))

    def _set_level(self, row: dict[str, Any]) -> None:
        levels = self.levels[row["instrument"]]
        key = (SELL_SIDE if row["flags"] & SELL else BUY_SIDE, row["price"])
        if row["quantity"]:
            levels[key] = (row["quantity"], row["orders"])
        else:
            levels.pop(key, None)


def _events_at(slots: Slots, heads: NDArray[np.void], places: NDArray[np.intp]) -> Slots:
    """A copy of the events that begin at `places`, of two slots at most each."""
    second = places[heads["slots"][places] > 1] + 1
    rows = np.sort(np.concatenate([places, second]))
    picked: Slots = slots.reshape(-1, SLOT_SIZE)[rows].reshape(-1)
    return picked
