"""What is traded, and the units its prices and quantities are counted in."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Literal

from openbell.model.errors import InputError
from openbell.model.quantities import EXACT, Money, Number, Price, Quantity, exact_decimal

Rounding = Literal["nearest", "down", "up"]

_ROUNDING = {"nearest": ROUND_HALF_EVEN, "down": ROUND_FLOOR, "up": ROUND_CEILING}
_INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Instrument:
    """What is traded: its symbol, currency, units and rules.

    `price_unit` and `quantity_unit` are what the engine counts in, positive multiples of 10^-9; they hold any observed price or
    quantity. `tick` and `lot` are rules for orders, multiples of their units (which default to them). A fill moves cash by
    price x quantity x `multiplier`. `tick_declared` is False where the tick was inferred from data: data off an inferred
    tick is no error.

    Every number is given as str, int or Decimal. Raises InputError where these rules are broken.
    """

    symbol: str
    currency: str
    tick: Decimal
    lot: Decimal
    price_unit: Decimal
    quantity_unit: Decimal
    multiplier: Decimal
    tick_declared: bool
    negative_prices: bool

    def __init__(
        self,
        symbol: str,
        currency: str = "USD",
        tick: Number = "0.01",
        lot: Number = 1,
        price_unit: Number | None = None,
        quantity_unit: Number | None = None,
        multiplier: Number = 1,
        tick_declared: bool = True,
        negative_prices: bool = False,
    ) -> None:
        if not isinstance(symbol, str) or not symbol.isprintable() or not symbol or symbol != symbol.strip():
            raise InputError("not a symbol", field="symbol", value=repr(symbol), expected="a printable name")
        if not isinstance(currency, str) or not currency.isascii() or not currency.isalnum():
            raise InputError(
                "not a currency code", field="currency", value=repr(currency), expected='one such as "USD"'
            )
        values: dict[str, object] = {
            "symbol": symbol,
            "currency": currency,
            "tick": _positive("tick", tick),
            "lot": _positive("lot", lot),
            "price_unit": _positive("price_unit", tick if price_unit is None else price_unit),
            "quantity_unit": _positive("quantity_unit", lot if quantity_unit is None else quantity_unit),
            "multiplier": _positive("multiplier", multiplier),
            "tick_declared": bool(tick_declared),
            "negative_prices": bool(negative_prices),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._require_multiple("tick", self.tick, "price_unit", self.price_unit)
        self._require_multiple("lot", self.lot, "quantity_unit", self.quantity_unit)

    def _require_multiple(self, name: str, value: Decimal, unit_name: str, unit: Decimal) -> None:
        if EXACT.remainder(value, unit) != 0:
            raise InputError(
                f"{name} of {self.symbol} is no multiple of {unit_name}",
                field=name,
                value=value,
                expected=f"a multiple of {unit}",
            )

    @property
    def price_unit_nano(self) -> int:
        """`price_unit` in 10^-9."""
        return _nano(self.price_unit)

    @property
    def quantity_unit_nano(self) -> int:
        """`quantity_unit` in 10^-9."""
        return _nano(self.quantity_unit)

    @property
    def multiplier_nano(self) -> int:
        """`multiplier` in 10^-9."""
        return _nano(self.multiplier)

    @property
    def tick_units(self) -> int:
        """`tick` counted in price units."""
        return int(EXACT.divide(self.tick, self.price_unit))

    @property
    def lot_units(self) -> int:
        """`lot` counted in quantity units."""
        return int(EXACT.divide(self.lot, self.quantity_unit))

    def round_price(self, value: Number, rounding: Rounding = "nearest") -> Price:
        """Return `value` on the tick: the nearest (a tie goes to the even tick), the next `down` or the next `up`."""
        return Price(_round(value, self.tick, rounding))

    def round_quantity(self, value: Number, rounding: Rounding = "down") -> Quantity:
        """Return `value` on the lot; by default the next lot down, so that a size never grows by rounding."""
        return Quantity(_round(value, self.lot, rounding))

    def price_units(self, value: Number) -> int:
        """Return a price counted in price units. Raises InputError where it lies between two units or outside 64 bits."""
        return self._count(value, "price", self.price_unit, "round_price()")

    def quantity_units(self, value: Number) -> int:
        """Return a quantity counted in quantity units. Raises InputError where it lies between two or outside 64 bits."""
        return self._count(value, "quantity", self.quantity_unit, "round_quantity()")

    def price(self, units: int) -> Price:
        """The price of `units` price units."""
        return Price(EXACT.multiply(Decimal(int(units)), self.price_unit))

    def quantity(self, units: int) -> Quantity:
        """The quantity of `units` quantity units."""
        return Quantity(EXACT.multiply(Decimal(int(units)), self.quantity_unit))

    def notional(self, price_units: int, quantity_units: int) -> Money:
        """The value of a quantity at a price, both counted in units, in `currency`, to 10^-9 half even."""
        value = EXACT.multiply(self.price(price_units), self.quantity(quantity_units))
        return Money.from_nano(
            Money(EXACT.multiply(value, self.multiplier), self.currency).nano, self.currency
        )

    def _count(self, value: Number, field: str, unit: Decimal, remedy: str) -> int:
        number = exact_decimal(value)
        units = EXACT.divide(number, unit)
        if units != units.to_integral_value():
            expected = f"a multiple of {unit} (instrument.{remedy} helps)"
            raise InputError(
                f"{field} of {self.symbol} is off its unit", field=field, value=number, expected=expected
            )
        if abs(units) > _INT64_MAX:
            raise InputError(
                f"{field} of {self.symbol} does not fit 64 bits",
                field=field,
                value=number,
                expected=f"at most {_INT64_MAX} units of {unit}",
            )
        return int(units)

    def __repr__(self) -> str:
        parts = [repr(self.symbol), repr(self.currency), f"tick='{self.tick}'", f"lot='{self.lot}'"]
        if self.price_unit != self.tick:
            parts.append(f"price_unit='{self.price_unit}'")
        if self.quantity_unit != self.lot:
            parts.append(f"quantity_unit='{self.quantity_unit}'")
        if self.multiplier != 1:
            parts.append(f"multiplier='{self.multiplier}'")
        if not self.tick_declared:
            parts.append("tick_declared=False")
        return f"Instrument({', '.join(parts)})"


def _positive(name: str, value: Number) -> Decimal:
    try:
        number = exact_decimal(value)
    except InputError as error:
        raise InputError(
            error.message, field=name, value=error.value, expected="a positive decimal number"
        ) from error
    if number <= 0:
        raise InputError(
            "must be positive", field=name, value=number, expected="a positive multiple of 0.000000001"
        )
    nano = EXACT.scaleb(number, 9)
    if nano != nano.to_integral_value() or nano > _INT64_MAX:
        raise InputError(
            "cannot be counted",
            field=name,
            value=number,
            expected="a multiple of 0.000000001 that fits 64 bits",
        )
    return _plain(number)


def _plain(number: Decimal) -> Decimal:
    """The same number without trailing zeros or exponent, so that equal instruments print alike."""
    return Decimal(f"{number.normalize(EXACT):f}")


def _nano(value: Decimal) -> int:
    return int(EXACT.scaleb(value, 9))


def _round(value: Number, step: Decimal, rounding: Rounding) -> Decimal:
    if rounding not in _ROUNDING:
        raise InputError("unknown rounding", field="rounding", value=rounding, expected="nearest, down or up")
    steps = EXACT.divide(exact_decimal(value), step).to_integral_value(_ROUNDING[rounding])
    return EXACT.multiply(steps, step)
