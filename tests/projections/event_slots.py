"""Arrays of events as the engine would hand them out, built slot by slot from the documented layout.

`Ledger` is also the naive twin: it books fills one by one with Python's own integers.
"""

import struct
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from openbell.model.instrument import Instrument

FILL, REFUSAL, ORDER, POSITION = 64, 65, 66, 67
SELL, MAKER, REPEATED = 2, 16, 32
BAR_NS = 60_000_000_000

NUMBERS = {
    "OrderSubmitted": 256, "OrderAccepted": 257, "OrderDenied": 258, "OrderRejected": 259, "OrderFilled": 260,
    "OrderReplaced": 261, "OrderCanceled": 262, "OrderExpired": 263, "CancelRejected": 264, "ReplaceRejected": 265,
    "OrderPending": 267, "OrderUnknown": 268, "PositionOpened": 290, "PositionChanged": 291, "PositionClosed": 292,
    "AccountChanged": 293,
}  # fmt: skip


def half_even(value: Fraction) -> int:
    return round(value)


def notional(instrument: Instrument, price: int, quantity: int) -> int:
    """Money in nano, rounded once."""
    unit = (
        Fraction(instrument.price_unit) * Fraction(instrument.quantity_unit) * Fraction(instrument.multiplier)
    )
    return half_even(unit * price * quantity * 10**9)


def saturated(amount: int) -> int:
    """An event shows at most 64 bits of a change."""
    return max(-(2**63), min(2**63 - 1, amount))


@dataclass
class Position:
    quantity: int = 0
    cost: int = 0


@dataclass
class Trip:
    """One round trip as the twin keeps it."""

    symbol: str
    is_long: bool
    entry_time: int
    entries: list[tuple[int, int]] = field(default_factory=list)
    exits: list[tuple[int, int]] = field(default_factory=list)
    exit_time: int = 0
    realized: int = 0
    fees: int = 0
    is_open: bool = True


class Ledger:
    """Books fills and writes down the events about them."""

    def __init__(self, instruments: tuple[Instrument, ...]) -> None:
        self.instruments = instruments
        self.slots: list[bytes] = []
        self.sequence = 0
        self.time = 0
        self.index = 0
        self.positions: dict[int, Position] = {}
        self.trips: list[Trip] = []
        self.realized: list[int] = []

    def at(self, sequence: int, time: int) -> None:
        self.sequence, self.time, self.index = sequence, time, 0

    def emit(
        self,
        name: str,
        body: bytes,
        payload: tuple[int, bytes] | None = None,
        *,
        instrument: int = 1,
        flags: int = 0,
    ) -> None:
        slots = 1 if payload is None else 2
        head = struct.pack(
            "<QQHBBHHII", self.sequence, self.time, NUMBERS[name], slots, 1, flags, self.index, instrument, 1
        )
        self.slots.append(head + body.ljust(32, b"\0"))
        if payload:
            tag, rest = payload
            head = struct.pack("<QQHBBHH", self.sequence, self.time, 2, 1, 0, tag, 0)
            self.slots.append(head + rest.ljust(40, b"\0"))
        self.index += 1

    def output(self) -> NDArray[np.uint8]:
        return np.frombuffer(b"".join(self.slots), dtype=np.uint8)

    def submit(
        self, order: int, side: int, quantity: int, *, order_type: int = 1, time_in_force: int = 2, sizing: int = 0,
        price: int = 0, stop: int = 0, instrument: int = 1, flags: int = 0,
    ) -> None:  # fmt: skip
        body = struct.pack("<QQqq", order, order + 1000, price, quantity)
        terms = struct.pack("<BBBBHHqQQQ", side, order_type, time_in_force, sizing, 0, 0, stop, 0, 1, 0)
        self.emit("OrderSubmitted", body, (ORDER, terms), instrument=instrument, flags=flags)

    def fill(
        self, order: int, traded: int, price: int, *, fee: int = 0, instrument: int = 1, trade: int = 0,
        cumulative: int | None = None, leaves: int = 0, maker: bool = False, venue_time: int = 0,
    ) -> None:  # fmt: skip
        flags = (SELL if traded < 0 else 0) | (MAKER if maker else 0)
        done = abs(traded) if cumulative is None else cumulative
        body = struct.pack("<Qqqq", order, price, abs(traded), leaves)
        rest = struct.pack("<QQqqQ", trade, order + 1000, done, fee, venue_time)
        self.emit("OrderFilled", body, (FILL, rest), instrument=instrument, flags=flags)
        self._position(order, traded, price, fee, instrument, trade, flags, venue_time or self.time)
        self.emit("AccountChanged", b"", instrument=instrument)

    def _position(
        self, order: int, traded: int, price: int, fee: int, at: int, trade: int, flags: int, when: int
    ) -> None:
        position = self.positions.setdefault(at, Position())
        before = position.quantity
        realized = self._book(position, traded, price, at)
        self.realized.append(realized)
        self._trip(at, before, traded, price, fee, realized, when)
        name = (
            "PositionOpened" if before == 0 else "PositionChanged" if position.quantity else "PositionClosed"
        )
        cost = position.cost % 2**128
        rest = struct.pack("<QQ", cost % 2**64, cost >> 64) + struct.pack("<qq", saturated(realized), fee)
        body = struct.pack("<qqQQ", position.quantity, price, order, trade)
        self.emit(name, body, (POSITION, rest), instrument=at, flags=flags)

    def _book(self, position: Position, traded: int, price: int, at: int) -> int:
        """As the engine books: cost leaves in proportion, half-even; a flip opens with what is left of the price paid."""
        instrument = self.instruments[at - 1]
        paid = notional(instrument, price, traded)
        opposite = position.quantity * traded < 0
        part = min(abs(position.quantity), abs(traded)) if opposite else 0
        if not part:
            position.quantity += traded
            position.cost += paid
            return 0
        sign = 1 if position.quantity > 0 else -1
        whole = part == abs(position.quantity)
        released = (
            position.cost if whole else half_even(Fraction(position.cost * part, abs(position.quantity)))
        )
        proceeds = -paid if part == abs(traded) else notional(instrument, price, sign * part)
        position.cost += paid + proceeds - released
        position.quantity += traded
        return proceeds - released

    def _trip(
        self, at: int, before: int, traded: int, price: int, fee: int, realized: int, when: int
    ) -> None:
        closed = min(abs(before), abs(traded)) if before * traded < 0 else 0
        opened = abs(traded) - closed
        closing_fee = half_even(Fraction(fee * closed, abs(traded)))
        symbol = self.instruments[at - 1].symbol
        if closed:
            trip = next(trip for trip in self.trips if trip.symbol == symbol and trip.is_open)
            trip.exits.append((price, closed))
            trip.realized += realized
            trip.fees += closing_fee
            trip.exit_time = when
            trip.is_open = closed != abs(before)
        if opened:
            if before == 0 or closed:
                self.trips.append(Trip(symbol, traded > 0, when))
            trip = next(trip for trip in self.trips if trip.symbol == symbol and trip.is_open)
            trip.entries.append((price, opened))
            trip.fees += fee - closing_fee
