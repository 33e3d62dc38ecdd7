"""Cash and positions booked by hand: fractions, rounded half-even once per amount."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

NANO = 10**9


@dataclass(frozen=True)
class InstrumentTwin:
    """What is traded; `unit_value` is the money in nano of one price unit x one quantity unit."""

    number: int
    unit_value: Fraction
    tick: int = 1
    lot: int = 1

    def notional(self, price: int, quantity: int) -> int:
        """Money of a signed quantity at a price."""
        return round(price * quantity * self.unit_value)


@dataclass(frozen=True)
class FeesTwin:
    """Rates in 10^-9 of the notional, and a flat part per fill."""

    maker: int = 0
    taker: int = 0
    flat: int = 0

    def fee(self, notional: int, is_maker: bool) -> int:
        """What a fill costs."""
        return round(Fraction(abs(notional) * (self.maker if is_maker else self.taker), NANO)) + self.flat

    def worst(self, notional: int) -> int:
        """The most it can cost."""
        return max(self.fee(notional, True), self.fee(notional, False), 0)


@dataclass
class PositionTwin:
    """What is held, what it cost (with the sign of the quantity), what it has brought, fees apart."""

    quantity: int = 0
    cost: int = 0
    realized: int = 0
    fees: int = 0

    def trade(self, instrument: InstrumentTwin, price: int, quantity: int) -> tuple[int, int]:
        """Books a signed quantity; what was paid and what was realized."""
        against = self.quantity * quantity < 0
        closed = min(abs(quantity), abs(self.quantity)) if against else 0
        direction = 1 if quantity > 0 else -1
        paid = instrument.notional(price, quantity)
        paid_for_closed = paid if closed == abs(quantity) else instrument.notional(price, closed * direction)
        released = round(Fraction(self.cost * closed, abs(self.quantity))) if closed else 0
        realized = -paid_for_closed - released if closed else 0
        self.cost += -released + paid - paid_for_closed
        self.quantity += quantity
        self.realized += realized
        return paid, realized


@dataclass
class AccountTwin:
    """An account in one currency."""

    number: int
    cash: int
    shorting: bool = True
    positions: dict[int, PositionTwin] = field(default_factory=dict)

    def position(self, instrument: int) -> PositionTwin:
        """What it holds of an instrument, flat where it never traded."""
        return self.positions.setdefault(instrument, PositionTwin())

    def quantity(self, instrument: int) -> int:
        """Signed quantity held."""
        return self.positions[instrument].quantity if instrument in self.positions else 0

    def values(
        self,
        instruments: dict[int, InstrumentTwin],
        marks: dict[int, int],
        priced: dict[int, int] | None = None,
    ) -> dict[int, int] | None:
        """Worth of each position held, at the marks or at the prices given; None when one is unknown."""
        prices = marks | (priced or {})
        held = {number: of.quantity for number, of in self.positions.items() if of.quantity}
        if any(number not in prices for number in held):
            return None
        return {number: instruments[number].notional(prices[number], held[number]) for number in held}

    def equity(
        self,
        instruments: dict[int, InstrumentTwin],
        marks: dict[int, int],
        priced: dict[int, int] | None = None,
    ) -> int | None:
        """Cash and all positions."""
        values = self.values(instruments, marks, priced)
        return None if values is None else self.cash + sum(values.values())
