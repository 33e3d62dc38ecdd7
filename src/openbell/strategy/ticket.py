"""What an order asks for, in the user's words, and the same in the engine's integers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from openbell.model.errors import StrategyError
from openbell.model.instrument import Instrument
from openbell.model.quantities import Number, exact_decimal
from openbell.model.terms import OrderType, TimeInForce
from openbell.model.time import to_ns
from openbell.strategy.orders import Order

POST_ONLY, REDUCE_ONLY = 1 << 0, 1 << 1
UNITS, PERCENT, TARGET_PERCENT, CLOSE_POSITION = 0, 1, 2, 3
NANO = 10**9

_OFFSET = re.compile(r"\s*([+-])\s*(\d+(?:\.\d+)?)\s*%\s*")


@dataclass(frozen=True, slots=True)
class Size:
    """How much: units, a share of equity, a target, or the whole position."""

    sizing: int
    amount: Number

    @staticmethod
    def whole_position() -> Size:
        return Size(CLOSE_POSITION, 0)

    @staticmethod
    def of_parent() -> Size:
        """Whatever the order waited for was filled."""
        return Size(UNITS, 0)

    @staticmethod
    def target(percent: float | Decimal) -> Size:
        return Size(TARGET_PERCENT, percent)

    def units(self, instrument: Instrument) -> int:
        """The engine's integer: quantity units, or 10^-9 of equity."""
        if self.sizing == UNITS:
            return instrument.quantity_units(self.amount)
        if self.sizing == CLOSE_POSITION:
            return 0
        return int((exact_decimal(self.amount) * NANO).to_integral_value())


def size_of(quantity: Number | None, percent: float | Decimal | None) -> Size:
    """The size that `quantity` or `percent` says. Raises StrategyError for both or none."""
    if (quantity is None) == (percent is None):
        raise StrategyError("say how much: quantity= or percent=, one of the two")
    if quantity is not None:
        return Size(UNITS, quantity)
    share = exact_decimal(percent if percent is not None else 0)
    if not 0 < share <= 1000:
        raise StrategyError(f"percent is {percent!r}; it is a share of equity: 0.5 is half, 1 is all")
    return Size(PERCENT, share)


def offset_of(price: Number | str | None) -> int:
    """Text such as "-3%" in 10^-9; 0 for anything that is a price."""
    if not isinstance(price, str):
        return 0
    match = _OFFSET.fullmatch(price)
    if match is None:
        return 0
    share = exact_decimal(match[2]) * (NANO // 100)
    if not 0 < share < NANO * 1000:
        raise StrategyError(f"{price!r} is no usable distance from the fill price")
    return int(share) if match[1] == "+" else -int(share)


@dataclass(frozen=True, slots=True)
class Ticket:
    """Terms of an order besides its side and size."""

    limit: Number | None = None
    stop: Number | None = None
    time_in_force: TimeInForce | str = TimeInForce.GTC
    expire: Any = None
    post_only: bool = False
    reduce_only: bool = False
    cancels: Order | None = None
    parent: Order | None = None
    offset: int = 0

    def order_type(self) -> OrderType:
        if self.stop is not None:
            return OrderType.STOP if self.limit is None else OrderType.STOP_LIMIT
        return OrderType.MARKET if self.limit is None else OrderType.LIMIT

    def force(self) -> TimeInForce:
        """Time in force, by member or name; GTD where an expiry is given. Raises StrategyError for a contradiction."""
        named = self.time_in_force
        try:
            force = TimeInForce[named.upper()] if isinstance(named, str) else TimeInForce(named)
        except (KeyError, ValueError):
            names = ", ".join(member.name for member in TimeInForce)
            raise StrategyError(f"time_in_force is {named!r}; it must be one of {names}") from None
        if self.expire is not None and force in (TimeInForce.GTC, TimeInForce.GTD):
            return TimeInForce.GTD
        if (self.expire is not None) != (force is TimeInForce.GTD):
            raise StrategyError(f"time_in_force {force.name} and expire={self.expire!r} contradict: GTD has an expiry")
        return force

    def price_units(self, instrument: Instrument) -> int:
        return 0 if self.limit is None else instrument.price_units(self.limit)

    def stop_units(self, instrument: Instrument) -> int:
        return 0 if self.stop is None else instrument.price_units(self.stop)

    def expire_time(self) -> int:
        return 0 if self.expire is None else to_ns(self.expire)
