"""Orders as clients write them, checked and in the engine's units.

What is refused here never reaches the engine and is not journaled: what cannot be understood, and what breaks a rule of the
instrument that every client can check itself. Everything else, limits first of all, is the engine's to judge.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from openbell.gateway.listing import ListedInstrument, Listing
from openbell.gateway.protocol import ChangeSession, ProtocolError, Replace, Submit, joined
from openbell.kernel import SpecialTerms
from openbell.messages.layouts import as_slots, records
from openbell.model.errors import InputError
from openbell.model.quantities import EXACT
from openbell.model.terms import (
    OrderType,
    Peg,
    SelfTradeAction,
    Side,
    TimeInForce,
    TradingSession,
    TrailBy,
    TriggerBy,
)
from openbell.model.time import to_ns

CANCEL_ON_DISCONNECT = 1 << 15


class _Kind(NamedTuple):
    """What an order of a type must and must not have; None where it may have it."""

    name: str
    number: int
    has_price: bool | None
    has_stop: bool | None


_KINDS = {
    one.name: _Kind(
        one.name,
        one.value,
        None if one is OrderType.PEGGED else one.has_limit,
        None if one.trails else one.has_stop,
    )
    for one in OrderType
}
_SIDES = {one.name: one.value for one in Side}
_FORCES = {one.name: one.value for one in TimeInForce}

_MOST_UNITS = 2**63 - 1
_MOST_DIGITS = 40
_MOST_KNOWN_AMOUNTS = 10_000
_PERCENT_OF_NANO = Decimal("0.0000001")


class NewOrder(NamedTuple):
    """An order in the engine's numbers and units."""

    instrument: int
    client_order_id: int
    side: int
    order_type: int
    time_in_force: int
    quantity: int
    price: int
    stop_price: int
    options: int
    expire_time: int
    special: SpecialTerms | None


class NewTerms(NamedTuple):
    """New terms of an order, in units; 0 keeps the old."""

    client_order_id: int
    price: int
    quantity: int
    stop_price: int
    special: SpecialTerms | None


def new_order(message: Submit, listing: Listing) -> NewOrder:
    """The order that a client asked for. Raises ProtocolError naming the field that is wrong."""
    listed = listed_instrument(message.instrument, listing)
    kind = _KINDS[message.order_type]
    if kind.has_price is not None and (message.price is not None) != kind.has_price:
        raise _presence("price", kind)
    if kind.has_stop is not None and (message.stop_price is not None) != kind.has_stop:
        raise _presence("stop_price", kind)
    return NewOrder(
        listed.number,
        message.client_order_id,
        _SIDES[message.side],
        kind.number,
        _FORCES[message.time_in_force],
        _quantity("quantity", message.quantity, listed),
        _price("price", message.price, listed),
        _price("stop_price", message.stop_price, listed),
        _options(message),
        _expire_time(message),
        _special_terms(message, listed) if _says_more(message) or _zeros(message, listed) else None,
    )


def _options(message: Submit) -> int:
    """Bits of an order's options; see crates/kernel/src/terms.rs."""
    return (
        (1 if message.post_only else 0)
        | (2 if message.reduce_only else 0)
        | (4 if message.hidden else 0)
        | (8 if message.all_or_none else 0)
        | (16 if message.slide else 0)
    )


def _says_more(message: Submit) -> bool:
    """Whether an order has any of the terms that few have: most are asked no further."""
    return not (
        message.display_quantity is None
        and message.minimum_quantity is None
        and message.limit_offset is None
        and message.peg_offset is None
        and message.trail_amount is None
        and message.trail_percent is None
        and message.trigger_by is None
        and message.peg is None
        and message.self_trade is None
    )


def new_terms(message: Replace, listed: ListedInstrument) -> NewTerms:
    """The terms that a client asked for. Raises ProtocolError naming the field that is wrong."""
    special = _special_terms(message, listed)
    if special is None and message.price is None and message.quantity is None and message.stop_price is None:
        raise ProtocolError(
            "FIELD_MUST_BE_VALID", "a replace needs a new price, quantity or stop_price", field="price"
        )
    quantity = 0 if message.quantity is None else _quantity("quantity", message.quantity, listed)
    return NewTerms(
        client_order_id=message.client_order_id,
        price=_price("price", message.price, listed),
        quantity=quantity,
        stop_price=_price("stop_price", message.stop_price, listed),
        special=special,
    )


def _special_terms(message: Submit | Replace, listed: ListedInstrument) -> SpecialTerms | None:
    """The uncommon terms of an order or a replace; None where it has none."""
    given: dict[str, Any] = {
        "display_quantity": _quantity_or_none("display_quantity", message.display_quantity, listed),
        "limit_offset": _distance("limit_offset", message.limit_offset, listed),
        "peg_offset": _distance("peg_offset", message.peg_offset, listed),
        **_trail(message, listed),
        **_zeros(message, listed),
    }
    if isinstance(message, Submit):
        given["minimum_quantity"] = _quantity_or_none("minimum_quantity", message.minimum_quantity, listed)
        given["peg"] = 0 if message.peg is None else Peg[message.peg].value
        given["trigger_by"] = 0 if message.trigger_by is None else TriggerBy[message.trigger_by].value
        given["self_trade"] = 0 if message.self_trade is None else SelfTradeAction[message.self_trade].value
    return SpecialTerms(**given) if any(given.values()) else None


def _zeros(message: Submit | Replace, listed: ListedInstrument) -> dict[str, bool]:
    """Prices of zero that are meant: without a word a price of 0 is none."""
    if not listed.negative_prices:
        return {}
    given = (("zero_price", message.price), ("zero_stop_price", message.stop_price))
    return {name: True for name, value in given if value is not None and not value}


def _trail(message: Submit | Replace, listed: ListedInstrument) -> dict[str, int]:
    amount, percent = message.trail_amount, message.trail_percent
    if amount is not None and percent is not None:
        told = "field 'trail_percent': a trail is an amount or a percentage, not both"
        raise ProtocolError("FIELD_MUST_BE_VALID", told, field="trail_percent")
    if percent is not None:
        trail = _units("trail_percent", percent, _PERCENT_OF_NANO)
        if trail is None or not 0 < trail < 10**9:
            _refuse("FIELD_MUST_BE_VALID", "trail_percent", percent, "above 0 and below 100, to 0.0000001")
        return {"trail": trail, "trail_by": TrailBy.PERCENT.value}
    if amount is None:
        return {"trail": 0, "trail_by": 0}
    return {"trail": _price("trail_amount", amount, listed, signed=False), "trail_by": TrailBy.AMOUNT.value}


def _distance(field: str, value: Decimal | None, listed: ListedInstrument) -> int:
    """Price units of a distance, which may be negative or nothing."""
    if value is None:
        return 0
    units = _units(field, value, listed.instrument.price_unit)
    if units is None or units % listed.tick:
        expected = f"a multiple of the tick {listed.instrument.tick}"
        _refuse("FIELD_MUST_BE_VALID", field, value, expected)
    return units


def _quantity_or_none(field: str, value: Decimal | None, listed: ListedInstrument) -> int:
    return 0 if value is None else _quantity(field, value, listed)


def mass_cancel_record(
    account: int, instrument: int = 0, side: int = 0, session: int = 0
) -> NDArray[np.uint8]:
    """The record of a command to take back an account's orders: of an instrument, a side, a session; 0 restricts nothing."""
    record = records("MassCancel", 1)
    record["account"], record["instrument"], record["side"] = account, instrument, side
    record["session"] = session
    return as_slots(record)


def cancel_record(account: int, client_order_id: int) -> NDArray[np.uint8]:
    """The record of a command to take back one order."""
    record = records("CancelOrder", 1)
    record["account"], record["client_order_id"] = account, client_order_id
    return as_slots(record)


def cancel_all_record(account: int, instrument: int) -> NDArray[np.uint8]:
    """The record of a command to take back all orders of an account, in one instrument or in all (0)."""
    record = records("CancelAllOrders", 1)
    record["account"], record["instrument"] = account, instrument
    return as_slots(record)


def session_record(account: int, instrument: int, message: ChangeSession) -> NDArray[np.uint8]:
    """The record of a command to open another session. Raises ProtocolError for a time that is none."""
    record = records("ChangeTradingSession", 1)
    record["account"], record["instrument"] = account, instrument
    record["session"] = TradingSession[message.session].value
    if message.until is not None:
        try:
            until = to_ns(message.until)
        except InputError as error:
            told = f"field 'until': {error}"
            raise ProtocolError("FIELD_MUST_BE_VALID", told, field="until") from None
        if until <= 0:
            _refuse("FIELD_MUST_BE_VALID", "until", message.until, "a time after 1970")
        record["until"] = until
    return as_slots(record)


def listed_instrument(symbol: str, listing: Listing) -> ListedInstrument:
    """The instrument of that symbol. Raises ProtocolError for one that is not listed."""
    found = listing.by_symbol.get(symbol)
    if found is None:
        raise ProtocolError(
            "INSTRUMENT_MUST_BE_LISTED",
            f"field 'instrument': {symbol!r} is not listed; listed are {joined(tuple(listing.by_symbol))}",
            field="instrument",
            actual=symbol[:60],
        )
    return found


def _presence(field: str, kind: _Kind) -> ProtocolError:
    """Why a price that is missing, or that should be, is wrong."""
    verb = "needs" if (kind.has_price if field == "price" else kind.has_stop) else "takes no"
    message = f"field '{field}': a {kind.name} order {verb} {field}"
    return ProtocolError("FIELD_MUST_BE_VALID", message, field=field)


def _price(field: str, value: Decimal | None, listed: ListedInstrument, *, signed: bool = True) -> int:
    """Price units; 0 where there is no price. Where one of 0 is meant, `_zeros` says so."""
    if value is None:
        return 0
    # Only what is finite can be looked up, and a distance may not be what a price may.
    known = listed.known_prices.get(value) if signed and value.is_finite() else None
    if known is not None:
        return known
    instrument = listed.instrument
    units = _units(field, value, instrument.price_unit)
    if units is None or units % listed.tick:
        told = f"a multiple of the tick {instrument.tick}"
        _refuse(f"{field.upper()}_MUST_BE_ON_TICK", field, value, told, limit=instrument.tick)
    if units <= 0 and not (listed.negative_prices and signed):
        limit = instrument.price_unit
        _refuse(f"{field.upper()}_MUST_BE_POSITIVE", field, value, "more than zero", limit=limit)
    if signed:
        _remember(listed.known_prices, value, units)
    return units


def _remember(known: dict[Decimal, int], value: Decimal, units: int) -> None:
    if len(known) >= _MOST_KNOWN_AMOUNTS:
        known.clear()
    known[value] = units


def _quantity(field: str, value: Decimal, listed: ListedInstrument) -> int:
    known = listed.known_quantities.get(value) if value.is_finite() else None
    if known is not None:
        return known
    instrument = listed.instrument
    units = _units(field, value, instrument.quantity_unit)
    if units is None or units % listed.lot:
        told = f"a multiple of the lot {instrument.lot}"
        _refuse("QUANTITY_MUST_BE_ON_LOT", field, value, told, limit=instrument.lot)
    if units <= 0:
        limit = instrument.quantity_unit
        _refuse("QUANTITY_MUST_BE_POSITIVE", field, value, "more than zero", limit=limit)
    _remember(listed.known_quantities, value, units)
    return units


def _units(field: str, value: Decimal, unit: Decimal) -> int | None:
    """`value` counted in units; None where it lies between two."""
    if not value.is_finite():
        _refuse("FIELD_MUST_BE_VALID", field, value, "a finite decimal number")
    # Before any division: 1e999999999 is short to write and long to count.
    if value and abs(value.adjusted()) > _MOST_DIGITS:
        _refuse("FIELD_MUST_BE_VALID", field, value, f"a number of at most {_MOST_DIGITS} digits")
    units = EXACT.divide(value, unit)
    if units != units.to_integral_value():
        return None
    if abs(units) > _MOST_UNITS:
        _refuse(
            "FIELD_MUST_BE_VALID",
            field,
            value,
            f"at most {_MOST_UNITS} times {unit}",
            limit=_MOST_UNITS * unit,
        )
    return int(units)


def _expire_time(message: Submit) -> int:
    is_dated = message.time_in_force == "GTD"
    if (message.expire_time is not None) != is_dated:
        verb = "needs" if is_dated else "takes no"
        told = f"field 'expire_time': a {message.time_in_force} order {verb} expire_time"
        raise ProtocolError("FIELD_MUST_BE_VALID", told, field="expire_time")
    if message.expire_time is None:
        return 0
    try:
        time = to_ns(message.expire_time)
    except InputError as error:
        raise ProtocolError(
            "FIELD_MUST_BE_VALID", f"field 'expire_time': {error}", field="expire_time"
        ) from None
    if time <= 0:
        _refuse("FIELD_MUST_BE_VALID", "expire_time", message.expire_time, "a time after 1970")
    return time


def _refuse(code: str, field: str, value: object, expected: str, *, limit: Decimal | None = None) -> NoReturn:
    shown = f"{value}"
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    told = f"field '{field}': found {shown}, expected {expected}"
    if limit is None:
        raise ProtocolError(code, told, field=field)
    raise ProtocolError(code, told, field=field, limit=f"{limit:f}", actual=shown)
