"""What an order asks for, in the user's words, and the same in the engine's integers."""

from __future__ import annotations

import operator
import re
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

from openbell.kernel import SpecialTerms
from openbell.model.errors import InputError, StrategyError
from openbell.model.instrument import Instrument
from openbell.model.quantities import Number, exact_decimal
from openbell.model.terms import OrderType, Side, TimeInForce
from openbell.model.time import to_ns
from openbell.strategy.orders import Order
from openbell.strategy.special_terms import Special

POST_ONLY, REDUCE_ONLY = 1 << 0, 1 << 1
UNITS, PERCENT, TARGET_PERCENT, CLOSE_POSITION = 0, 1, 2, 3
"""Numbers of the engine's options and sizings; see crates/kernel/src/terms.rs."""
NANO = 10**9
MOST_TARGET = 1000

_OFFSET = re.compile(r"\s*([+-])\s*(\d+(?:\.\d+)?)\s*%\s*")


PLAIN_NUMBERS = (int, float, str, Decimal)
"""Classes whose values never change, so that what was made of one may be kept; told apart by class, as True and 1 are."""


# A tuple, since one is made for every order: a frozen dataclass takes six times as long.
class Size(NamedTuple):
    """How much: units of a quantity, or a share in 10^-9 of what can be bought, of equity, or of the whole position."""

    sizing: int
    amount: Number

    def units(self, instrument: Instrument) -> int:
        """The engine's integer: quantity units, or 10^-9 of a share."""
        if self.sizing != UNITS:
            return operator.index(self.amount)  # type: ignore[arg-type]
        return instrument.quantity_units(self.amount) if self.amount else 0


WHOLE_POSITION = Size(CLOSE_POSITION, 0)
"""All that is held."""
OF_PARENT = Size(UNITS, 0)
"""Whatever the order waited for was filled."""


def size_of(quantity: Number | None, percent: Number | None) -> Size:
    """The size that `quantity` or `percent` says. Raises StrategyError for both, none, or one that is not positive."""
    if quantity is None and percent is None:
        raise StrategyError("say how much: quantity=100, or percent=0.5 for half of what the account can buy")
    if quantity is not None and percent is not None:
        raise StrategyError(f"say how much once: quantity={quantity!r} and percent={percent!r} contradict")
    if quantity is not None:
        return Size(UNITS, _positive("quantity", quantity, "to sell, use self.sell"))
    # A strategy gives the same share with each of its orders.
    return _known_share(percent) if isinstance(percent, PLAIN_NUMBERS) else _share(percent)


def _share(percent: Number | None) -> Size:
    share = _number("percent", percent)
    if not 0 < share <= 1:
        raise StrategyError(
            f"percent is {percent!r}; it is a share above 0, at most 1: 0.5 is half of what the account can buy"
        )
    return Size(PERCENT, _nano(share))


_known_share = lru_cache(maxsize=64, typed=True)(_share)


def target_of(percent: Number) -> Size:
    """The size of a target, a signed share of equity. Raises StrategyError for what is no such share."""
    share = _number("percent", percent)
    if abs(share) > MOST_TARGET:
        raise StrategyError(
            f"percent is {percent!r}; it is a share of equity: 1 is all of it, -0.5 short by half of it"
        )
    return Size(TARGET_PERCENT, _nano(share))


def _nano(share: Decimal) -> int:
    return int((share * NANO).to_integral_value())


def _number(name: str, value: Any, _: str = "") -> Decimal:
    try:
        return exact_decimal(value)
    except InputError:
        raise StrategyError(f"{name} is {value!r}; it must be a finite number") from None


_NONE: Final = "leave it out where it has none"


def _positive(name: str, value: Any, otherwise: str = _NONE) -> Number:
    number = _number(name, value)
    if number <= 0:
        raise StrategyError(f"{name} is {value!r}; it must be above 0 ({otherwise})")
    return number


def _price_units(name: str, value: Any, instrument: Instrument, otherwise: str = _NONE) -> int:
    """Price units of a price that was given. Raises StrategyError for one of zero or below where the instrument has none."""
    number = (_number if instrument.negative_prices else _positive)(name, value, otherwise)
    return instrument.price_units(number)


def new_price(name: str, value: Number | None, instrument: Instrument) -> int:
    """Price units of a price that `replace` gives; 0, the engine's word for "as it was", where it gives none.

    Raises StrategyError for a price of 0 too: the order's type has a price, and the engine would keep the one it has.
    """
    if value is None:
        return 0
    units = _price_units(name, value, instrument, "leave it out to keep it")
    if not units:
        raise StrategyError(
            f"{name} is {value!r}; replace cannot give a price of 0: cancel it and send another"
        )
    return units


def new_quantity(value: Number | None, instrument: Instrument) -> int:
    """Quantity units as `new_price`."""
    if value is None:
        return 0
    return instrument.quantity_units(_positive("quantity", value, "self.cancel(order) takes an order back"))


def offset_of(name: str, price: Number | str | None) -> int:
    """Text such as "-3%" in 10^-9 of the fill price; 0 for anything that is a price.

    Raises StrategyError for text with a percent sign that is no distance.
    """
    if not isinstance(price, str) or "%" not in price:
        return 0
    match = _OFFSET.fullmatch(price)
    share = exact_decimal(match[2]) * (NANO // 100) if match is not None else Decimal(0)
    if match is None or not 0 < share < NANO * MOST_TARGET:
        raise StrategyError(
            f'{name} is {price!r}; a distance from the price of the fill has a sign and a number, as "-3%" or "+6%"'
        )
    return int(share) if match[1] == "+" else -int(share)


def check_bracket(
    entry: Side,
    limit: Number | None,
    stop: Number | str | None,
    target: Number | str | None,
    trail: Number | str | None = None,
) -> None:
    """Raise StrategyError where a stop or target of an entry lies on the wrong side, as far as can be said now."""
    if stop is not None and trail is not None:
        raise StrategyError("stop and trail contradict: a bracket has one stop")
    if stop is None and target is None and trail is None:
        raise StrategyError("a bracket needs stop= (or trail=), target= or both")
    if (stop is not None and stop == target) or (
        target is not None and limit is not None and target == limit
    ):
        raise StrategyError("stop, limit and target of a bracket must be different prices")
    up, loses, wins = (1, "below", "above") if entry is Side.BUY else (-1, "above", "below")
    prices = {"limit": limit, "stop": stop, "target": target}
    for name, side, sign in (("stop", loses, -up), ("target", wins, up)):
        offset = offset_of(name, prices[name])
        if offset * sign < 0:
            raise StrategyError(
                f"{name} is {prices[name]!r}; to {entry.name.lower()} it lies {side} the entry, as "
                f'"{"-" if sign < 0 else "+"}{abs(offset) * 100 / NANO:g}%"'
            )
    known = [(name, _number(name, price)) for name, price in prices.items() if _is_price(name, price)]
    order = {"stop": -up, "limit": 0, "target": up}
    by_place = sorted(known, key=lambda one: order[one[0]])
    for (lower_name, lower), (upper_name, upper) in pairwise(by_place):
        if lower >= upper:
            raise StrategyError(
                f"{lower_name} {lower} must be below {upper_name} {upper} in a bracket that enters with a {entry.name.lower()}"
            )


def _is_price(name: str, value: Number | str | None) -> bool:
    return value is not None and not offset_of(name, value)


class Ticket(NamedTuple):
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
    special: Special | None = None

    def order_type(self) -> OrderType:
        """Market, limit, stop or stop-limit, by the prices given; or what its special terms make it."""
        special = None if self.special is None else self.special.order_type(self.limit is not None)
        if special is not None:
            return special
        if self.stop is not None:
            return OrderType.STOP if self.limit is None else OrderType.STOP_LIMIT
        return OrderType.MARKET if self.limit is None else OrderType.LIMIT

    def force(self) -> TimeInForce:
        """Time in force, by member or name; GTD where an expiry is given. Raises StrategyError for a contradiction."""
        named = self.time_in_force
        if named is TimeInForce.GTC and self.expire is None:
            return TimeInForce.GTC
        try:
            force = TimeInForce[named.upper()] if isinstance(named, str) else TimeInForce(named)
        except (KeyError, ValueError):
            names = ", ".join(member.name for member in TimeInForce)
            raise StrategyError(f"time_in_force is {named!r}; it must be one of {names}") from None
        if self.expire is not None and force in (TimeInForce.GTC, TimeInForce.GTD):
            return TimeInForce.GTD
        if force is TimeInForce.GTD:
            raise StrategyError("time_in_force GTD needs the time until which it is good: expire=")
        if self.expire is not None:
            raise StrategyError(f"time_in_force {force.name} and expire={self.expire!r} contradict")
        return force

    def options(self) -> int:
        """The engine's bits. Raises StrategyError for post-only without a limit."""
        is_pegged = self.special is not None and "peg" in self.special.given
        if self.post_only and self.limit is None and not self.offset and not is_pegged:
            raise StrategyError("post_only needs limit=: an order without one takes")
        special = 0 if self.special is None else self.special.options()
        return (POST_ONLY if self.post_only else 0) | (REDUCE_ONLY if self.reduce_only else 0) | special

    def price_units(self, instrument: Instrument) -> int:
        """The limit in price units; 0 where there is none."""
        return 0 if self.limit is None else _price_units("limit", self.limit, instrument)

    def stop_units(self, instrument: Instrument) -> int:
        """The stop, or the price that touches, in price units; 0 where there is none."""
        if self.special is not None and "touched" in self.special.given:
            return _price_units("touched", self.special.given["touched"], instrument)
        return 0 if self.stop is None else _price_units("stop", self.stop, instrument)

    def special_terms(self, instrument: Instrument) -> SpecialTerms | None:
        """The uncommon terms in the engine's units; None where it has none."""
        return None if self.special is None else self.special.terms(instrument)

    def expire_time(self) -> int:
        """When it ends, UTC nanoseconds; 0 where it does not."""
        if self.expire is None:
            return 0
        try:
            return to_ns(self.expire)
        except InputError as error:
            raise StrategyError(f"expire: {error}") from None


AT_MARKET = Ticket()
CLOSING = Ticket(reduce_only=True)
