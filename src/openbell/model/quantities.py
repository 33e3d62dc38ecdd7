"""Price, Quantity and Money: exact decimals at the edges of the engine, which counts in integers inside.

A float never holds money. Where a float is accepted as a price or a quantity it means its shortest decimal form, the one
`repr` prints: `Price(0.1)` is exactly 0.1.
"""

from __future__ import annotations

import operator
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any, Self, SupportsIndex, overload

from openbell.model.errors import InputError

Number = str | int | Decimal | float | SupportsIndex
"""What is accepted where an exact decimal is wanted."""

# Wide enough for any product of two 64-bit amounts in nano units; the thread's own context (28 digits) could round silently.
EXACT = Context(prec=76, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])

NANO = Decimal("1e-9")


def exact_decimal(value: Number) -> Decimal:
    """Return `value` as a finite Decimal; floats by their shortest decimal form.

    Raises InputError for anything that is not a finite number.
    """
    try:
        number = _parse(value)
    except (InvalidOperation, ValueError, TypeError) as error:
        raise InputError("not a number", value=repr(value), expected="a decimal number") from error
    if not number.is_finite():
        raise InputError("not a finite number", value=str(value), expected="a decimal number")
    return number


def _parse(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise TypeError("a truth value is not a number")
    if isinstance(value, (Decimal, int)):
        return Decimal(value)
    if isinstance(value, str):
        return Decimal(value.strip())
    if isinstance(value, float):
        return Decimal(float.__repr__(value))
    if hasattr(value, "__index__"):
        return Decimal(operator.index(value))
    if hasattr(value, "__float__"):  # NumPy scalars other than float64: str() is their shortest form
        return Decimal(str(value))
    raise TypeError(f"{type(value).__name__} is not a number")


class Price(Decimal):
    """An exact price. Arithmetic gives plain `Decimal`, as of the standard library."""

    __slots__ = ()

    def __new__(cls, value: Number) -> Self:
        """Raises InputError for anything that is not a finite number."""
        return super().__new__(cls, exact_decimal(value))

    def __repr__(self) -> str:
        return f"Price('{self}')"


class Quantity(Decimal):
    """An exact quantity of an instrument. Arithmetic gives plain `Decimal`, as of the standard library."""

    __slots__ = ()

    def __new__(cls, value: Number) -> Self:
        """Raises InputError for anything that is not a finite number."""
        return super().__new__(cls, exact_decimal(value))

    @overload  # type: ignore[override]
    def __mul__(self, other: Money) -> Money: ...
    @overload
    def __mul__(self, other: Decimal | int) -> Decimal: ...
    def __mul__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, Money) else super().__mul__(other)

    def __repr__(self) -> str:
        return f"Quantity('{self}')"


class Money:
    """An amount of one currency, immutable and exact.

    Amounts of one currency add, subtract and compare; different currencies raise InputError (they are merely unequal under
    `==`). A Money is multiplied or divided by Decimal, int, Price or Quantity; a float is refused. Money divided by Money is
    the Decimal ratio. `nano` is what the engine books: the amount in 10^-9 of the currency, rounded half to even.
    """

    __slots__ = ("_amount", "_currency")
    _amount: Decimal
    _currency: str

    def __init__(self, amount: str | int | Decimal, currency: str) -> None:
        if isinstance(amount, float):
            raise InputError(
                "a float cannot hold money",
                value=amount,
                expected='a str or Decimal, as in Money("0.1", "USD")',
            )
        if not isinstance(currency, str) or not currency or not currency.isascii() or not currency.isalnum():
            raise InputError(
                "not a currency code", value=repr(currency), expected='letters and digits, as in "USD"'
            )
        object.__setattr__(self, "_amount", exact_decimal(amount))
        object.__setattr__(self, "_currency", currency)

    @classmethod
    def from_nano(cls, nano: int, currency: str) -> Money:
        """The amount of `nano` times 10^-9 of `currency`."""
        amount = EXACT.scaleb(Decimal(nano), -9)
        return cls(f"{amount.normalize(EXACT):f}", currency)

    @property
    def amount(self) -> Decimal:
        """The exact amount."""
        return self._amount

    @property
    def currency(self) -> str:
        """The currency's code."""
        return self._currency

    @property
    def nano(self) -> int:
        """The amount in 10^-9 of the currency, rounded half to even."""
        return int(EXACT.scaleb(self._amount, 9).to_integral_value(ROUND_HALF_EVEN, EXACT))

    def _same(self, other: Money) -> Decimal:
        if other._currency != self._currency:
            raise InputError(
                f"{self._currency} and {other._currency} do not mix", expected="amounts of one currency"
            )
        return other._amount

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Money is immutable: cannot set '{name}'")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Money is immutable: cannot delete '{name}'")

    def __reduce__(self) -> tuple[type[Money], tuple[Decimal, str]]:
        return Money, (self._amount, self._currency)

    def __add__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        return Money(EXACT.add(self._amount, self._same(other)), self._currency)

    def __radd__(self, other: int) -> Money:
        # sum() starts from the integer 0, which is nothing in every currency.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __sub__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        return Money(EXACT.subtract(self._amount, self._same(other)), self._currency)

    def __mul__(self, factor: Decimal | int) -> Money:
        if not isinstance(factor, (Decimal, int)):
            return NotImplemented
        return Money(EXACT.multiply(self._amount, Decimal(factor)), self._currency)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Money | Decimal | int) -> Any:
        """Money / number is Money; Money / Money is the Decimal ratio."""
        if isinstance(divisor, Money):
            return EXACT.divide(self._amount, self._same(divisor))
        if not isinstance(divisor, (Decimal, int)):
            return NotImplemented
        return Money(EXACT.divide(self._amount, Decimal(divisor)), self._currency)

    def __neg__(self) -> Money:
        return Money(EXACT.minus(self._amount), self._currency)

    def __abs__(self) -> Money:
        return Money(EXACT.abs(self._amount), self._currency)

    def __bool__(self) -> bool:
        return self._amount != 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self._currency == other._currency and self._amount == other._amount

    def __hash__(self) -> int:
        return hash((self._amount, self._currency))

    def __lt__(self, other: Money) -> bool:
        return self._amount < self._same(other) if isinstance(other, Money) else NotImplemented

    def __le__(self, other: Money) -> bool:
        return self._amount <= self._same(other) if isinstance(other, Money) else NotImplemented

    def __gt__(self, other: Money) -> bool:
        return self._amount > self._same(other) if isinstance(other, Money) else NotImplemented

    def __ge__(self, other: Money) -> bool:
        return self._amount >= self._same(other) if isinstance(other, Money) else NotImplemented

    def __str__(self) -> str:
        return f"{self._amount:f} {self._currency}"

    def __repr__(self) -> str:
        return f"Money('{self._amount:f}', '{self._currency}')"
