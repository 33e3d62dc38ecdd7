"""Commands as the records of a journal, so that any of them can be played by a node, and what it tells in words."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openbell.messages.layouts import as_slots, message_numbers, records, rule_names

Event = tuple[object, ...]

_HEAD = struct.Struct("<QQHBBHHII4q")
_REFUSAL = struct.Struct("<24x4q8x")


class Journal:
    """Records in the order in which they were given, each with its sequence; time stands still but for `time`."""

    def __init__(self, sequence: int = 0) -> None:
        self.sequence = sequence
        self.time = 0
        self.parts: list[NDArray[np.uint8]] = []

    def add(self, message: str, **fields: Any) -> int:
        """One command; `terms` may be a dict. Returns its sequence."""
        self.sequence += 1
        record: Any = records(message, 1)
        record["sequence"], record["time"] = self.sequence, self.time
        for field, value in fields.items():
            if isinstance(value, dict):
                for name, term in value.items():
                    record[field][name] = term
            else:
                record[field] = value
        slots = as_slots(record)
        # Every slot of a record bears its sequence.
        slots.reshape(-1, 64).view(np.uint64)[:, 0] = self.sequence
        self.parts.append(slots)
        return self.sequence

    def append(self, commands: NDArray[np.uint8]) -> None:
        """Commands as `openbell.kernel.Commands` gathers them."""
        slots = commands.reshape(-1, 64).copy()
        heads, at = slots.view(np.uint64), 0
        while at < len(slots):
            count = int(slots[at, 18])
            self.sequence += 1
            heads[at : at + count, 0] = self.sequence
            heads[at, 1] = self.time
            at += count
        self.parts.append(slots.reshape(-1))

    def take(self) -> NDArray[np.uint8]:
        """What was added since the last call."""
        parts, self.parts = self.parts, []
        return np.concatenate(parts) if parts else np.zeros(0, np.uint8)


class Reader:
    """Tells events as (name, flags, instrument, a, b, c, d) and, of a refusal, rule, limit and actual."""

    def __init__(self) -> None:
        self.names = {number: name for name, number in message_numbers().items()}
        self.rules = rule_names()

    def read(self, output: bytes) -> list[tuple[str, int, int, tuple[int, ...], Event]]:
        """In order; the last part is (rule, limit, actual) where there is one."""
        found = []
        at = 0
        while at < len(output):
            head = _HEAD.unpack_from(output, at)
            name = self.names[head[2]]
            refusal: Event = ()
            if name in REFUSALS:
                low, high, actual_low, actual_high = _REFUSAL.unpack_from(output, at + 64)
                rule = self.rules[head[9 + REFUSALS[name]]]
                refusal = (rule, wide(low, high), wide(actual_low, actual_high))
            found.append((name, head[5], head[7], head[9:], refusal))
            at += 64 * head[3]
        return found


def compare(found: list[Event], expected: list[Event]) -> None:
    """Event by event, with those before the first that differs."""
    for place, (ours, twins) in enumerate(zip(found, expected, strict=False)):
        before = expected[max(place - 3, 0) : place]
        assert ours == twins, f"\n  before: {before}\n  engine: {ours}\n  twin:   {twins}"
    assert len(found) <= len(expected), f"\n  engine: {found[len(expected)]}\n  twin:   nothing more"
    assert len(found) >= len(expected), f"\n  engine: nothing more\n  twin:   {expected[len(found)]}"


REFUSALS = {
    "OrderDenied": 2,
    "OrderRejected": 2,
    "OrderCanceled": 2,
    "ReplaceRejected": 2,
    "CancelRejected": 2,
    "CommandRefused": 1,
}
"""Events of refusals, and which figure of the body is the rule."""


def wide(low: int, high: int) -> int:
    """A 128-bit integer from its halves."""
    return (high << 64) | (low % 2**64)
