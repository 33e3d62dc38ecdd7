"""NumPy views of records and events.

A record is one 64-byte slot or several: a head with 32 bytes of body, then continuations with 40 bytes of payload. `select`
picks all events of one message out of an array of slots as a structured array; `records` builds records to feed.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openbell.kernel import body_layouts, message_registry, payload_layouts, rule_registry
from openbell.model.errors import InputError

SLOT_SIZE = 64
Slots = NDArray[np.uint8]

LAST_OF_MESSAGE = 1 << 0
SELL = 1 << 1
SNAPSHOT = 1 << 2
CLEAR = 1 << 3
MAKER = 1 << 4
REPEATED = 1 << 5
UNPRICED = 1 << 6
"""Bits of `flags`; see crates/kernel/src/record.rs."""

_TERMS = np.dtype(
    [
        ("side", "u1"),
        ("order_type", "u1"),
        ("time_in_force", "u1"),
        ("sizing", "u1"),
        ("options", "<u2"),
        ("", "V2"),
    ]
)
_SCALARS: dict[str, Any] = {"u64": "<u8", "i64": "<i8", "u32": "<u4", "u8": "u1", "PackedTerms": _TERMS}
_ELEMENTS = {"u64": "<u8", "i64": "<i8", "u32": "<u4", "u8": "u1"}
_HEAD: list[tuple[str, Any, int]] = [
    ("sequence", "<u8", 0),
    ("time", "<u8", 8),
    ("message", "<u2", 16),
    ("slots", "u1", 18),
    ("version", "u1", 19),
    ("flags", "<u2", 20),
    ("source", "<u2", 22),
    ("instrument", "<u4", 24),
    ("account", "<u4", 28),
]
BODY_OFFSET = 32
PAYLOAD_OFFSET = 24

_PAYLOAD_OF = {
    "BarObserved": "BarPayload",
    "BarClosed": "BarPayload",
    "QuoteObserved": "QuotePayload",
    "VenueOrderFilled": "VenueFillPayload",
    "OrderSubmitted": "OrderPayload",
    "OrderFilled": "FillPayload",
    "OrderDenied": "RefusalPayload",
    "OrderRejected": "RefusalPayload",
    "OrderCanceled": "RefusalPayload",
    "CancelRejected": "RefusalPayload",
    "ReplaceRejected": "RefusalPayload",
    "CommandRefused": "RefusalPayload",
    "RiskLimitBreached": "RefusalPayload",
    "TradeExecuted": "TradePayload",
    "OrderReduced": "RefusalPayload",
    "PositionOpened": "PositionPayload",
    "PositionChanged": "PositionPayload",
    "PositionClosed": "PositionPayload",
    "InputReferenced": "InputPayload",
}
"""The payload in the first continuation of each message that has one."""


@cache
def message_numbers() -> dict[str, int]:
    """Number of every message, by name."""
    return {name: number for number, name, _, _ in message_registry()}


@cache
def rule_names() -> dict[int, str]:
    """Name of every rule that a refusal can give, by number."""
    return dict(rule_registry())


@cache
def _fields() -> dict[str, list[tuple[str, str]]]:
    numbers = {number: name for name, number in message_numbers().items()}
    bodies = {numbers[number]: fields for _, number, fields in body_layouts()}
    return bodies | {name: fields for name, _, fields in payload_layouts()}


def _type_of(field: str) -> Any:
    field = field.rsplit("::", 1)[-1]  # the registry may write a type with its path
    if field in _SCALARS:
        return _SCALARS[field]
    element, count = field.strip("[]").split("; ")
    return (_ELEMENTS[element], (int(count),))


def field_layout(name: str, offset: int) -> list[tuple[str, Any, int]]:
    """Return (name, dtype, offset) of the fields of a body or payload that begins at `offset`; reserved ones left out."""
    layout = []
    for field, kind in _fields()[name]:
        dtype = np.dtype(_type_of(kind))
        if not field.startswith("reserved"):
            layout.append((field, dtype, offset))
        offset += dtype.itemsize
    return layout


@cache
def dtype_of(message: str) -> np.dtype[np.void]:
    """Structured dtype of a message: head fields, body fields, and those of its payload where it has one.

    Raises InputError for a name that is not a message with a body.
    """
    if message not in _fields():
        raise InputError("no such message", value=message, expected="a name of the message registry")
    layout = _HEAD + field_layout(message, BODY_OFFSET)
    size = SLOT_SIZE
    payload = _PAYLOAD_OF.get(message)
    if payload is not None:
        layout += field_layout(payload, SLOT_SIZE + PAYLOAD_OFFSET)
        size += SLOT_SIZE
    names, formats, offsets = zip(*layout, strict=True)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})


HEAD_DTYPE = np.dtype(
    {
        "names": [name for name, _, _ in _HEAD],
        "formats": [kind for _, kind, _ in _HEAD],
        "offsets": [offset for _, _, offset in _HEAD],
        "itemsize": SLOT_SIZE,
    }
)
"""The head of any slot; what follows is the message's own."""


def select(slots: Slots, message: str) -> NDArray[np.void]:
    """Return all records or events named `message` in `slots` (bytes of 64-byte slots), in order, as a structured array.

    An event without its payload (one that ends the array, or a cancel without a reason) has zeros there.
    """
    dtype = dtype_of(message)
    heads = slots.view(HEAD_DTYPE)
    at = np.flatnonzero(heads["message"] == message_numbers()[message])
    width = dtype.itemsize // SLOT_SIZE
    rows = slots.reshape(-1, SLOT_SIZE)
    picked = np.zeros((len(at), dtype.itemsize), dtype=np.uint8)
    picked[:, :SLOT_SIZE] = rows[at]
    if width > 1:
        has_more = heads["slots"][at] > 1
        picked[has_more, SLOT_SIZE:] = rows[at[has_more] + 1]
    return picked.reshape(-1).view(dtype)


def records(message: str, count: int) -> NDArray[np.void]:
    """Return `count` records named `message`, zero but for what makes them well-formed, to be filled in."""
    dtype = dtype_of(message)
    width = dtype.itemsize // SLOT_SIZE
    array = np.zeros(count, dtype=dtype)
    array["message"] = message_numbers()[message]
    array["slots"] = width
    array["version"] = next(version for _, name, _, version in message_registry() if name == message)
    if width > 1:
        payload = _PAYLOAD_OF[message]
        tag = next(tag for name, tag, _ in payload_layouts() if name == payload)
        second = array.view(np.uint8).reshape(count, dtype.itemsize)[:, SLOT_SIZE:]
        second[:, 16:18] = np.frombuffer(np.uint16(message_numbers()["Continuation"]).tobytes(), np.uint8)
        second[:, 18] = 1
        second[:, 20:22] = np.frombuffer(np.uint16(tag).tobytes(), np.uint8)
    return array


def as_slots(array: NDArray[np.void]) -> Slots:
    """The bytes of a structured array of records, without a copy."""
    return array.view(np.uint8).reshape(-1)


def wide(low: NDArray[np.void], high: NDArray[np.void]) -> list[int]:
    """128-bit integers from their two halves."""
    return [(int(h) << 64) | int(low_half) for low_half, h in zip(low, high, strict=True)]
