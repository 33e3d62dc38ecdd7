"""Uncommon terms of an order, in the user's words: what few orders say, so that most do not carry it."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, NamedTuple, TypedDict

from openbell.kernel import SpecialTerms
from openbell.model.errors import InputError, StrategyError
from openbell.model.instrument import Instrument
from openbell.model.quantities import Number, exact_decimal
from openbell.model.terms import OrderType, Peg, SelfTradeAction, TrailBy, TriggerBy

HIDDEN, ALL_OR_NONE, SLIDE = 1 << 2, 1 << 3, 1 << 4
"""Bits of the engine's options; see crates/kernel/src/terms.rs."""

_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
_NANO_PER_PERCENT = 10**7


class SpecialArguments(TypedDict, total=False):
    """Arguments of `buy` and `sell` that few orders have.

    `touched`: a price better than now that wakes the order, a market order then, or a limit order where `limit` is given.
    `trail`: how far a stop stays behind the best price since, as a price or as text such as "2%"; with `limit_offset` it becomes
    a limit order that far beyond its stop. `trigger_by`: what wakes it, a `TriggerBy` or its name. `market_to_limit`: takes at
    the best price only, what is left rests there. `peg`: follows the `PRIMARY` (its own side's best), `MARKET` (the other's) or
    `MID` price with `peg_offset` added, not beyond `limit`. `display`: the most an iceberg shows; `hidden`: shows nothing.
    `minimum`: the least that must trade on arrival; `all_or_none`: trades whole or waits. `slide`: moves a tick behind the
    price it would take. `self_trade`: what happens when it meets an order of its own owner, a `SelfTradeAction` or its name.
    """

    touched: Number
    trail: Number | str
    limit_offset: Number
    trigger_by: TriggerBy | str
    market_to_limit: bool
    peg: Peg | str
    peg_offset: Number
    display: Number
    hidden: bool
    minimum: Number
    all_or_none: bool
    slide: bool
    self_trade: SelfTradeAction | str
    self_trade_group: int


_KNOWN: Final = frozenset(SpecialArguments.__annotations__)
_Kind = Literal["touched", "trail", "peg", "market_to_limit"]
_KINDS: Final[tuple[_Kind, ...]] = ("touched", "trail", "peg", "market_to_limit")


class Special(NamedTuple):
    """Special arguments that make sense together."""

    given: SpecialArguments

    def order_type(self, has_limit: bool) -> OrderType | None:
        """The type they make it; None where that is said by limit and stop."""
        given = self.given
        if "touched" in given:
            return OrderType.LIMIT_IF_TOUCHED if has_limit else OrderType.MARKET_IF_TOUCHED
        if "trail" in given:
            return OrderType.TRAILING_STOP_LIMIT if "limit_offset" in given else OrderType.TRAILING_STOP
        if "peg" in given:
            return OrderType.PEGGED
        return OrderType.MARKET_TO_LIMIT if given.get("market_to_limit") else None

    def options(self) -> int:
        """The engine's bits."""
        bits = {HIDDEN: "hidden", ALL_OR_NONE: "all_or_none", SLIDE: "slide"}
        return sum(bit for bit, name in bits.items() if self.given.get(name))

    def terms(self, instrument: Instrument) -> SpecialTerms:
        """The same in the engine's units."""
        given = self.given
        trail, trail_by = _trail(given.get("trail"), instrument)
        return SpecialTerms(
            display_quantity=_quantity("display", given.get("display"), instrument),
            minimum_quantity=_quantity("minimum", given.get("minimum"), instrument),
            trail=trail,
            trail_by=trail_by,
            limit_offset=_distance("limit_offset", given.get("limit_offset"), instrument),
            peg=_member("peg", given.get("peg"), Peg),
            peg_offset=_distance("peg_offset", given.get("peg_offset"), instrument),
            trigger_by=_member("trigger_by", given.get("trigger_by"), TriggerBy),
            self_trade=_member("self_trade", given.get("self_trade"), SelfTradeAction),
            self_trade_group=given.get("self_trade_group", 0),
        )


def special_of(given: SpecialArguments, limit: Number | None, stop: Number | str | None) -> Special | None:
    """The special terms of an order; None where it has none.

    Raises StrategyError for a name that is no term, and TypeError for one that `buy` does not know.
    """
    if not given:
        return None
    for name in given:
        if name not in _KNOWN:
            raise TypeError(f"buy and sell take no argument {name!r}")
    chosen = [name for name in _KINDS if given.get(name) not in (None, False)]
    if len(chosen) > 1:
        raise StrategyError(f"{chosen[0]} and {chosen[1]} contradict: an order is of one type")
    if chosen and chosen[0] != "trail" and stop is not None:
        raise StrategyError(f"{chosen[0]} and stop contradict: an order is of one type")
    if limit is not None and chosen and chosen[0] in ("trail", "market_to_limit"):
        raise StrategyError(f"{chosen[0]} and limit contradict; a trailing stop-limit has limit_offset=")
    kept = {name: value for name, value in given.items() if value is not None}
    return Special(SpecialArguments(**kept))  # type: ignore[typeddict-item]


def _trail(value: Number | str | None, instrument: Instrument) -> tuple[int, int]:
    if value is None:
        return 0, 0
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return _distance("trail", value, instrument), TrailBy.AMOUNT
    return int(exact_decimal(match[1]) * _NANO_PER_PERCENT), TrailBy.PERCENT


def _distance(name: str, value: Number | None, instrument: Instrument) -> int:
    if value is None:
        return 0
    try:
        exact = exact_decimal(value)
    except InputError:
        raise StrategyError(f"{name} is {value!r}; it must be a finite number") from None
    units = instrument.price_units(abs(exact)) if exact else 0
    return -units if exact < 0 else units


def _quantity(name: str, value: Number | None, instrument: Instrument) -> int:
    if value is None:
        return 0
    try:
        exact = exact_decimal(value)
    except InputError:
        raise StrategyError(f"{name} is {value!r}; it must be a finite number") from None
    if exact <= 0:
        raise StrategyError(f"{name} is {value!r}; it must be above 0 (leave it out where it has none)")
    return instrument.quantity_units(exact)


def _member(name: str, value: Any, kind: type[Peg] | type[TriggerBy] | type[SelfTradeAction]) -> int:
    if value is None:
        return 0
    try:
        return kind[value.upper()] if isinstance(value, str) else kind(value)
    except (KeyError, ValueError):
        names = ", ".join(member.name for member in kind)
        raise StrategyError(f"{name} is {value!r}; it must be one of {names}") from None
