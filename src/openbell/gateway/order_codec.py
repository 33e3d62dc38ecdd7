"""Orders as clients write them, checked and in the engine's units.

What is refused here never reaches the engine and is not journaled: what cannot be understood, and what breaks a rule of the
instrument that every client can check itself. Everything else, limits first of all, is the engine's to judge.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple, NoReturn

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
_OPTIONS = {1: "post_only", 2: "reduce_only", 4: "hidden", 8: "all_or_none", 16: "slide"}
"""Bits of an order's options; see crates/kernel/src/terms.rs."""

_MOST_UNITS = 2**63 - 1
_MOST_DIGITS = 40
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
    order_type = OrderType[message.order_type]
    if order_type is not OrderType.PEGGED:
        _require_presence("price", message.price, order_type.has_limit, order_type)
    if not order_type.trails:
        _require_presence("stop_price", message.stop_price, order_type.has_stop, order_type)
    return NewOrder(
        instrument=listed.number,
        client_order_id=message.client_order_id,
        side=Side[message.side].value,
        order_type=order_type.value,
        time_in_force=TimeInForce[message.time_in_force].value,
        quantity=_quantity("quantity", message.quantity, listed),
        price=_price("price", message.price, listed),
        stop_price=_price("stop_price", message.stop_price, listed),
        options=sum(bit for bit, name in _OPTIONS.items() if getattr(message, name)),
        expire_time=_expire_time(message),
        special=_special_terms(message, listed),
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
    given = {
        "display_quantity": _quantity_or_none("display_quantity", message.display_quantity, listed),
        "limit_offset": _distance("limit_offset", message.limit_offset, listed),
        "peg_offset": _distance("peg_offset", message.peg_offset, listed),
        **_trail(message, listed),
    }
    if isinstance(message, Submit):
        given["minimum_quantity"] = _quantity_or_none("minimum_quantity", message.minimum_quantity, listed)
        given["peg"] = 0 if message.peg is None else Peg[message.peg].value
        given["trigger_by"] = 0 if message.trigger_by is None else TriggerBy[message.trigger_by].value
        given["self_trade"] = 0 if message.self_trade is None else SelfTradeAction[message.self_trade].value
    return SpecialTerms(**given) if any(given.values()) else None


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
    return {"trail": _price("trail_amount", amount, listed), "trail_by": TrailBy.AMOUNT.value}


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


def mass_cancel_record(account: int, instrument: int, side: int) -> NDArray[np.uint8]:
    """The record of a command to take back an account's orders, in one instrument or all (0), of one side or both (0)."""
    record = records("MassCancel", 1)
    record["account"], record["instrument"], record["side"] = account, instrument, side
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
        )
    return found


def _require_presence(field: str, value: Decimal | None, wanted: bool, order_type: OrderType) -> None:
    if (value is not None) == wanted:
        return
    verb = "needs" if wanted else "takes no"
    message = f"field '{field}': a {order_type.name} order {verb} {field}"
    raise ProtocolError("FIELD_MUST_BE_VALID", message, field=field)


def _price(field: str, value: Decimal | None, listed: ListedInstrument) -> int:
    if value is None:
        return 0
    instrument = listed.instrument
    units = _units(field, value, instrument.price_unit)
    if units is None or units % listed.tick:
        _refuse(f"{field.upper()}_MUST_BE_ON_TICK", field, value, f"a multiple of the tick {instrument.tick}")
    if units <= 0:
        _refuse(f"{field.upper()}_MUST_BE_POSITIVE", field, value, "more than zero")
    return units


def _quantity(field: str, value: Decimal, listed: ListedInstrument) -> int:
    instrument = listed.instrument
    units = _units(field, value, instrument.quantity_unit)
    if units is None or units % listed.lot:
        _refuse("QUANTITY_MUST_BE_ON_LOT", field, value, f"a multiple of the lot {instrument.lot}")
    if units <= 0:
        _refuse("QUANTITY_MUST_BE_POSITIVE", field, value, "more than zero")
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
        _refuse("FIELD_MUST_BE_VALID", field, value, f"at most {_MOST_UNITS} times {unit}")
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


def _refuse(code: str, field: str, value: object, expected: str) -> NoReturn:
    shown = f"{value}"
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    raise ProtocolError(code, f"field '{field}': found {shown}, expected {expected}", field=field)
