"""How a journal names the data that it does not hold."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from openbell.messages.layouts import HEAD_DTYPE, SLOT_SIZE, Slots, as_slots, message_numbers, records, select
from openbell.model.errors import InputError


@dataclass(frozen=True, slots=True)
class InputReference:
    """What a journal by reference says about one input.

    `number` counts the inputs of a journal from 0: the `source` of `Node.run`. `sha256` is `slots_sha256` of its records as
    they were decoded; `records` and `slots` say how many there are, `first_time` and `last_time` (UTC nanoseconds) from when.
    """

    number: int
    sha256: str
    records: int
    slots: int
    first_time: int
    last_time: int


def slots_sha256(slots: Slots) -> str:
    """SHA-256 of records as decoded, before the engine gave them sequences: 64 hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(slots).data).hexdigest()


def input_reference(number: int, slots: Slots) -> Slots:
    """Return the `InputReferenced` record that must be run, without a source, before the first record of the input `number`.

    `slots` are all records of the input, in time order, as they will be given to `Node.run`. The record has the time of the
    first of them. Raises InputError for an input without records.
    """
    if not len(slots):
        raise InputError(
            "an input without records cannot be referred to", field="slots", expected="one or more records"
        )
    heads = slots.view(HEAD_DTYPE)
    heads = heads[heads["message"] != message_numbers()["Continuation"]]
    record = records("InputReferenced", 1)
    record["time"] = heads["time"][0]
    record["sha256"] = np.frombuffer(bytes.fromhex(slots_sha256(slots)), np.uint8)
    record["input"] = number
    record["record_count"] = len(heads)
    record["slot_count"] = len(slots) // SLOT_SIZE
    record["first_time"] = heads["time"][0]
    record["last_time"] = heads["time"][-1]
    return as_slots(record)


def input_references(batch: Slots) -> list[InputReference]:
    """Return what the `InputReferenced` records of a batch say, in order."""
    return [
        InputReference(
            number=int(row["input"]),
            sha256=row["sha256"].tobytes().hex(),
            records=int(row["record_count"]),
            slots=int(row["slot_count"]),
            first_time=int(row["first_time"]),
            last_time=int(row["last_time"]),
        )
        for row in select(batch, "InputReferenced")
    ]
