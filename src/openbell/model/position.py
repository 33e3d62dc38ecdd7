"""A position as it stood when it was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from openbell.model.instrument import Instrument
from openbell.model.quantities import EXACT, Money, Price, Quantity


@dataclass(frozen=True, slots=True)
class Position:
    """Netted holding of one instrument by one account.

    `quantity` is signed (short below zero), `cost` is what the open quantity cost, `realized` what closing brought, before
    `fees`, which are kept apart. `mark` is the price it is valued at, None before the first.
    """

    instrument: Instrument
    quantity: Quantity
    cost: Money
    realized: Money
    fees: Money
    mark: Price | None

    @property
    def is_long(self) -> bool:
        return self.quantity > 0

    @property
    def is_short(self) -> bool:
        return self.quantity < 0

    def __bool__(self) -> bool:
        """True while something is held."""
        return self.quantity != 0

    @property
    def average_price(self) -> Price | None:
        """Cost per unit of the open quantity; None when flat."""
        if not self:
            return None
        return Price(EXACT.divide(self.cost.amount, EXACT.multiply(self.quantity, self.instrument.multiplier)))

    @property
    def value(self) -> Money | None:
        """Worth at the mark; None without one."""
        if self.mark is None:
            return None
        units = EXACT.multiply(Decimal(self.quantity), self.instrument.multiplier)
        return Money(EXACT.multiply(units, self.mark), self.cost.currency)

    @property
    def unrealized(self) -> Money | None:
        """Value less cost; None without a mark."""
        value = self.value
        return None if value is None else value - self.cost
