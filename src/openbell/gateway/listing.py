"""What is traded at an exchange and by whom: instruments and accounts by number and by name, and the text of their amounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from openbell.model.instrument import Instrument
from openbell.model.quantities import EXACT

NANO_DECIMALS = 9


def amount_text(unit_nano: int) -> Callable[[int], str]:
    """What writes a count of units as an exact decimal, with the decimals of the unit: `amount_text(10**7)(1050)` is `10.50`."""
    decimals = NANO_DECIMALS
    while decimals and unit_nano % 10 == 0:
        unit_nano //= 10
        decimals -= 1
    # A unit of 100 keeps no decimals and a factor that is no power of ten is fine too.
    scale = 10**decimals

    def text(units: int) -> str:
        if not decimals:
            return str(units * unit_nano)
        whole, part = divmod(abs(units * unit_nano), scale)
        sign = "-" if units < 0 else ""
        return f"{sign}{whole}.{part:0{decimals}d}"

    return text


def money_text(nano: int) -> str:
    """10^-9 of a currency as a plain decimal, without the zeros at its end."""
    return f"{Decimal(nano).scaleb(-NANO_DECIMALS, EXACT).normalize(EXACT):f}"


class ListedInstrument:
    """An instrument with its number, what writes its prices and quantities, and its rules in units."""

    __slots__ = (
        "currency",
        "instrument",
        "known_prices",
        "known_quantities",
        "lot",
        "negative_prices",
        "number",
        "price_text",
        "quantity_text",
        "symbol",
        "tick",
    )

    def __init__(self, number: int, instrument: Instrument) -> None:
        self.number = number
        self.instrument = instrument
        self.symbol = instrument.symbol
        self.currency = instrument.currency
        self.tick = instrument.tick_units
        self.lot = instrument.lot_units
        self.negative_prices = instrument.negative_prices
        self.price_text = amount_text(instrument.price_unit_nano)
        self.quantity_text = amount_text(instrument.quantity_unit_nano)
        self.known_prices: dict[Decimal, int] = {}
        """Units of good prices that came lately: the same few come again and again."""
        self.known_quantities: dict[Decimal, int] = {}


@dataclass(frozen=True, slots=True)
class ListedAccount:
    """An account with its number and the currency it is settled in."""

    number: int
    name: str
    currency: str


class Listing:
    """The instruments and accounts of an exchange, numbered from 1 in the order given."""

    def __init__(self, instruments: Sequence[Instrument], accounts: Sequence[tuple[str, str]]) -> None:
        self.instruments: Mapping[int, ListedInstrument] = {
            number: ListedInstrument(number, one) for number, one in enumerate(instruments, start=1)
        }
        self.by_symbol: Mapping[str, ListedInstrument] = {
            one.symbol: one for one in self.instruments.values()
        }
        self.accounts: Mapping[int, ListedAccount] = {
            number: ListedAccount(number, name, currency)
            for number, (name, currency) in enumerate(accounts, start=1)
        }
