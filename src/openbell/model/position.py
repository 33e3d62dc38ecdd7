"""A position as it stood when it was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from openbell.model.instrument import Instrument
from openbell.model.quantities import EXACT, NANO, Money, Price, Quantity


def rounded_price(exact: Decimal) -> Price:
    """An average as a price, to 10^-9 and without trailing zeros: a third has no last digit."""
    return Price(f"{EXACT.quantize(exact, NANO).normalize(EXACT):f}")


@dataclass(frozen=True, slots=True)
class Position:
    """Netted holding of one instrument by one account.

    `quantity` is signed (short below zero), `cost` is what the open quantity cost (below zero for a short: what selling it
    brought), `realized` the profit of what was closed before `fees`, which are kept apart and cover all its fills. `mark` is
    the price it is valued at, None before the first. `if position:` asks whether anything is held.
    """

    instrument: Instrument
    quantity: Quantity
    cost: Money
    realized: Money
    fees: Money
    mark: Price | None

    @property
    def is_long(self) -> bool:
        """True for a quantity above zero."""
        return self.quantity > 0

    @property
    def is_short(self) -> bool:
        """True for a quantity below zero."""
        return self.quantity < 0

    def __bool__(self) -> bool:
        """True while something is held."""
        return self.quantity != 0

    @property
    def average_price(self) -> Price | None:
        """Price at which the open quantity was entered on average, to 10^-9; None when flat."""
        if not self:
            return None
        held = EXACT.multiply(self.quantity, self.instrument.multiplier)
        return rounded_price(EXACT.divide(self.cost.amount, held))

    @property
    def value(self) -> Money | None:
        """Worth at the mark, below zero for a short; zero when flat, None without a mark."""
        if not self:
            return Money(0, self.cost.currency)
        if self.mark is None:
            return None
        units = EXACT.multiply(Decimal(self.quantity), self.instrument.multiplier)
        return Money(EXACT.multiply(units, self.mark), self.cost.currency)

    @property
    def unrealized(self) -> Money | None:
        """Value less cost; None without a mark."""
        value = self.value
        return None if value is None else value - self.cost
