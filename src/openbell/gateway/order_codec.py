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
from openbell.messages.layouts import as_slots, records
from openbell.model.errors import InputError
from openbell.model.quantities import EXACT
from openbell.model.terms import OrderType, Side, TimeInForce, TradingSession
from openbell.model.time import to_ns

POST_ONLY, REDUCE_ONLY, CANCEL_ON_DISCONNECT = 1, 2, 1 << 15
"""Bits of an order's options; see crates/kernel/src/terms.rs."""

_MOST_UNITS = 2**63 - 1
_MOST_DIGITS = 40


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


class NewTerms(NamedTuple):
    """New terms of an order, in units; 0 keeps the old."""

    client_order_id: int
    price: int
    quantity: int
    stop_price: int


def new_order(message: Submit, listing: Listing) -> NewOrder:
    """The order that a client asked for. Raises ProtocolError naming the field that is wrong."""
    listed = listed_instrument(message.instrument, listing)
    order_type = OrderType[message.order_type]
    _require_presence("price", message.price, order_type.has_limit, order_type)
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
        options=(POST_ONLY if message.post_only else 0) | (REDUCE_ONLY if message.reduce_only else 0),
        expire_time=_expire_time(message),
    )


def new_terms(message: Replace, listed: ListedInstrument) -> NewTerms:
    """The terms that a client asked for. Raises ProtocolError naming the field that is wrong."""
    if message.price is None and message.quantity is None and message.stop_price is None:
        raise ProtocolError(
            "FIELD_MUST_BE_VALID", "a replace needs a new price, quantity or stop_price", field="price"
        )
    quantity = 0 if message.quantity is None else _quantity("quantity", message.quantity, listed)
    return NewTerms(
        client_order_id=message.client_order_id,
        price=_price("price", message.price, listed),
        quantity=quantity,
        stop_price=_price("stop_price", message.stop_price, listed),
    )


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
