"""Depth and trades of an instrument, folded from events, and what each subscriber is still to be sent.

Both channels are numbered: a change goes from `previous` to `number`, and whoever holds another number than `previous` has
missed something. A change is encoded once for everybody. A reader that does not keep up gets several changes merged into one
(conflation): levels with their newest quantities, and of trades the latest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from openbell.gateway import protocol
from openbell.gateway.event_codec import Event
from openbell.gateway.listing import ListedInstrument
from openbell.messages.layouts import SELL

BUY_SIDE, SELL_SIDE = 0, 1
WAITING_CHANGES = 16
"""Changes that wait for one reader before they are merged."""
WAITING_TRADES = 1_000
KEPT_TRADES = 100

Levels = dict[tuple[int, int], tuple[int, int]]
"""(quantity, orders) by (side, price), in units."""


class DepthChange:
    """Levels that changed between two numbers, and the frame that says so."""

    __slots__ = ("_frame", "levels", "listed", "number", "previous", "sequence")

    def __init__(
        self, listed: ListedInstrument, previous: int, number: int, sequence: int, levels: Levels
    ) -> None:
        self.listed = listed
        self.previous = previous
        self.number = number
        self.sequence = sequence
        self.levels = levels
        self._frame: str | None = None

    @property
    def frame(self) -> str:
        """The encoded message, made when first asked for."""
        if self._frame is None:
            self._frame = protocol.encode(
                protocol.Depth(
                    instrument=self.listed.symbol,
                    previous=self.previous,
                    number=self.number,
                    sequence=self.sequence,
                    bids=_side(self.listed, self.levels.items(), BUY_SIDE),
                    asks=_side(self.listed, self.levels.items(), SELL_SIDE),
                )
            )
        return self._frame

    @staticmethod
    def merged(changes: Iterable[DepthChange]) -> DepthChange:
        """Several changes in a row as one: the newest quantity of every level."""
        first, *rest = changes
        levels = dict(first.levels)
        last = first
        for last in rest:
            levels.update(last.levels)
        return DepthChange(first.listed, first.previous, last.number, last.sequence, levels)


class DepthProjection:
    """The book of one instrument by price."""

    def __init__(self, listed: ListedInstrument) -> None:
        self.listed = listed
        self.levels: Levels = {}
        self.number = 0
        self.sequence = 0
        self._changed: Levels = {}

    def apply(self, event: Event) -> None:
        """Take in one BookLevelChanged."""
        price, quantity, orders, _ = event.body
        key = (SELL_SIDE if event.flags & SELL else BUY_SIDE, price)
        if quantity:
            self.levels[key] = (quantity, orders)
        else:
            self.levels.pop(key, None)
        self._changed[key] = (quantity, orders)
        self.sequence = event.sequence

    def restore(self, levels: Levels, sequence: int) -> None:
        """Begin with a book as it stood after `sequence`."""
        self.levels = dict(levels)
        self.sequence = sequence

    def take_change(self) -> DepthChange | None:
        """What changed since this was last called."""
        if not self._changed:
            return None
        levels, self._changed = self._changed, {}
        self.number += 1
        return DepthChange(self.listed, self.number - 1, self.number, self.sequence, levels)

    def snapshot(self) -> str:
        """The whole book as of `number`, encoded."""
        return protocol.encode(
            protocol.DepthSnapshot(
                instrument=self.listed.symbol,
                number=self.number,
                sequence=self.sequence,
                bids=_side(self.listed, sorted(self.levels.items(), reverse=True), BUY_SIDE),
                asks=_side(self.listed, sorted(self.levels.items()), SELL_SIDE),
            )
        )


def _side(
    listed: ListedInstrument, levels: Iterable[tuple[tuple[int, int], tuple[int, int]]], side: int
) -> tuple[protocol.Level, ...]:
    return tuple(
        (listed.price_text(price), listed.quantity_text(quantity) if quantity else "0", orders)
        for (of, price), (quantity, orders) in levels
        if of == side
    )


class TradesChange:
    """Trades between two numbers, and the frame that says so."""

    __slots__ = ("_frame", "listed", "missed", "number", "previous", "trades")

    def __init__(
        self,
        listed: ListedInstrument,
        previous: int,
        number: int,
        trades: tuple[protocol.TradePrint, ...],
        missed: int = 0,
    ) -> None:
        self.listed = listed
        self.previous = previous
        self.number = number
        self.trades = trades
        self.missed = missed
        self._frame: str | None = None

    @property
    def frame(self) -> str:
        """The encoded message, made when first asked for."""
        if self._frame is None:
            self._frame = protocol.encode(
                protocol.Trades(
                    instrument=self.listed.symbol,
                    previous=self.previous,
                    number=self.number,
                    trades=self.trades,
                    missed=self.missed,
                )
            )
        return self._frame

    @staticmethod
    def merged(changes: Iterable[TradesChange]) -> TradesChange:
        """Several changes in a row as one, with the latest trades."""
        first, *rest = changes
        last = rest[-1] if rest else first
        trades = [trade for change in (first, *rest) for trade in change.trades]
        kept = tuple(trades[-WAITING_TRADES:])
        missed = sum(change.missed for change in (first, *rest)) + len(trades) - len(kept)
        return TradesChange(first.listed, first.previous, last.number, kept, missed)


class TradesProjection:
    """The latest trades of one instrument."""

    def __init__(self, listed: ListedInstrument) -> None:
        self.listed = listed
        self.number = 0
        self._latest: deque[protocol.TradePrint] = deque(maxlen=KEPT_TRADES)
        self._new: list[protocol.TradePrint] = []

    @property
    def is_full(self) -> bool:
        """Whether there is no room for older trades."""
        return len(self._latest) == KEPT_TRADES

    def recall(self, past: Iterable[Event], time_text: Callable[[int], str]) -> None:
        """Put trades from before those that are known in front of them, as many as there is room for."""
        room = KEPT_TRADES - len(self._latest)
        older = [self._print(event, time_text(event.time)) for event in past]
        self._latest.extendleft(reversed(older[len(older) - min(room, len(older)) :]))

    def apply(self, event: Event, time: str) -> None:
        """Take in one TradeExecuted."""
        trade = self._print(event, time)
        self._latest.append(trade)
        self._new.append(trade)

    def _print(self, event: Event, time: str) -> protocol.TradePrint:
        price, quantity, _, _ = event.body
        return protocol.TradePrint(
            sequence=event.sequence,
            index=event.event_index,
            time=time,
            price=self.listed.price_text(price),
            quantity=self.listed.quantity_text(quantity),
            side=event.side,
        )

    def take_change(self) -> TradesChange | None:
        """What was traded since this was last called."""
        if not self._new:
            return None
        trades, self._new = tuple(self._new), []
        previous, self.number = self.number, self.number + len(trades)
        return TradesChange(self.listed, previous, self.number, trades)

    def snapshot(self) -> str:
        """The latest trades as of `number`, encoded."""
        return protocol.encode(
            protocol.TradesSnapshot(
                instrument=self.listed.symbol, number=self.number, trades=tuple(self._latest)
            )
        )


class Change(Protocol):
    """What subscribers of a channel are sent."""

    @property
    def frame(self) -> str:
        """The encoded message."""

    @staticmethod
    def merged(changes: Iterable[Any]) -> Change:
        """Several changes in a row as one."""


class Subscription:
    """What one reader of one channel is still to be sent."""

    __slots__ = ("_snapshot", "_waiting")

    def __init__(self, snapshot: str) -> None:
        self._snapshot: str | None = snapshot
        self._waiting: deque[Change] = deque()

    def offer(self, change: Change) -> None:
        """Let a change wait for its turn; too many become one."""
        self._waiting.append(change)
        if len(self._waiting) > WAITING_CHANGES:
            one = change.merged(self._waiting)
            self._waiting.clear()
            self._waiting.append(one)

    def next_frame(self) -> str | None:
        """Move out the next frame; None where nothing waits."""
        if self._snapshot is not None:
            snapshot, self._snapshot = self._snapshot, None
            return snapshot
        return self._waiting.popleft().frame if self._waiting else None
