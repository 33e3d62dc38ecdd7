"""Records and events taken apart: the names of the kernel's registry, the fields of body and continuations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openbell.kernel import body_layouts, payload_layouts
from openbell.messages.layouts import (
    BODY_OFFSET,
    HEAD_DTYPE,
    PAYLOAD_OFFSET,
    SLOT_SIZE,
    Slots,
    field_layout,
    message_numbers,
)

Fields = dict[str, Any]

_RUN_COUNT_BITS = 48
_WHO_AND_WHY = ("JournalCut", "RecordSkipped")


@dataclass(frozen=True, slots=True)
class Record:
    """One record or event: what its head says, the fields of its body, and each continuation with the name of its payload.

    Numbers are as the engine counts: units, 10^-9, UTC nanoseconds. Of an event, `sequence` is that of its cause.
    """

    sequence: int
    time: int
    message: str
    version: int
    flags: int
    source: int
    instrument: int
    account: int
    body: Fields
    payloads: tuple[tuple[str, Fields], ...]

    @property
    def fields(self) -> Fields:
        """Body and payloads together; 128-bit amounts as one number. What the body says comes before what a payload says."""
        merged: Fields = {}
        for part in (self.body, *(fields for _, fields in self.payloads)):
            for name, value in _joined(part).items():
                merged.setdefault(name, value)
        return self._named_texts(merged) if self.message in _WHO_AND_WHY else merged

    def _named_texts(self, merged: Fields) -> Fields:
        """Of what a person did to a journal: the first text is who, the others are why."""
        texts = [fields["text"] for _, fields in self.payloads if "text" in fields]
        rest = {name: value for name, value in merged.items() if name != "text"}
        return {**rest, "actor": "".join(texts[:1]), "reason": "".join(texts[1:])}

    def payload(self, name: str) -> Fields | None:
        """The fields of the first continuation that carries this payload."""
        return next((fields for found, fields in self.payloads if found == name), None)


@cache
def message_names() -> dict[int, str]:
    """Name of every message, by number."""
    return {number: name for name, number in message_numbers().items()}


def heads_of(slots: Slots) -> NDArray[np.void]:
    """The heads of all slots, continuations among them, as HEAD_DTYPE."""
    return slots.view(HEAD_DTYPE)


def record_starts(slots: Slots) -> NDArray[np.intp]:
    """Index of the first slot of every record."""
    return np.flatnonzero(heads_of(slots)["message"] != message_numbers()["Continuation"])


def first_sequence(slots: Slots) -> int:
    """Sequence of the first record in a batch; 0 of an empty one."""
    return int(heads_of(slots)["sequence"][0]) if len(slots) else 0


def last_sequence(slots: Slots) -> int:
    """Sequence of the last record in a batch; 0 of an empty one."""
    return int(heads_of(slots)["sequence"][-1]) if len(slots) else 0


def up_to_sequence(slots: Slots, sequence: int) -> Slots:
    """The records of a batch up to and including `sequence`."""
    count = int(np.searchsorted(heads_of(slots)["sequence"], sequence, side="right"))
    return slots[: count * SLOT_SIZE]


def after_sequence(slots: Slots, sequence: int) -> Slots:
    """The records of a batch behind `sequence`."""
    count = int(np.searchsorted(heads_of(slots)["sequence"], sequence, side="right"))
    return slots[count * SLOT_SIZE :]


def record_at(slots: Slots, start: int) -> Record:
    """The record whose first slot has the index `start`."""
    rows = slots.reshape(-1, SLOT_SIZE)
    head = heads_of(slots)[start]
    message = int(head["message"])
    count = max(int(head["slots"]), 1)
    return Record(
        sequence=int(head["sequence"]),
        time=int(head["time"]),
        message=message_names().get(message, f"message {message}"),
        version=int(head["version"]),
        flags=int(head["flags"]),
        source=int(head["source"]),
        instrument=int(head["instrument"]),
        account=int(head["account"]),
        body=_fields(rows[start], _body_dtype(message)),
        payloads=tuple(_payload(row) for row in rows[start + 1 : start + count]),
    )


def records_in(slots: Slots, starts: Sequence[int] | NDArray[np.intp] | None = None) -> Iterator[Record]:
    """The records of an array of slots, in order: all, or those that begin at `starts`."""
    for start in record_starts(slots) if starts is None else starts:
        yield record_at(slots, int(start))


@cache
def _body_dtype(message: int) -> np.dtype[np.void]:
    has_body = any(number == message for _, number, _ in body_layouts())
    return _slot_dtype(message_names()[message], BODY_OFFSET) if has_body else np.dtype([])


@cache
def _payload_of(tag: int) -> tuple[str, np.dtype[np.void]]:
    name = next((name for name, number, _ in payload_layouts() if number == tag), None)
    return (f"payload {tag}", np.dtype([])) if name is None else (name, _slot_dtype(name, PAYLOAD_OFFSET))


def _slot_dtype(layout: str, offset: int) -> np.dtype[np.void]:
    fields = field_layout(layout, offset)
    return np.dtype(
        {
            "names": [name for name, _, _ in fields],
            "formats": [of for _, of, _ in fields],
            "offsets": [at for _, _, at in fields],
            "itemsize": SLOT_SIZE,
        }
    )


def _payload(row: NDArray[np.uint8]) -> tuple[str, Fields]:
    name, dtype = _payload_of(int(row.view(HEAD_DTYPE)[0]["flags"]))
    return name, _fields(row, dtype)


def _fields(row: NDArray[np.uint8], dtype: np.dtype[np.void]) -> Fields:
    if not dtype.names:
        return {}
    values = row.view(dtype)[0]
    fields = {name: _plain(values[name]) for name in dtype.names}
    if "runs" in fields:
        fields["runs"] = [_run(word) for word in fields["runs"] if word]
    if "len" in fields and "bytes" in fields:
        length = fields.pop("len")
        fields = {"text": bytes(fields.pop("bytes")[:length]).decode("utf-8", "replace"), **fields}
    if "sha256" in fields:
        fields["sha256"] = bytes(fields["sha256"]).hex()
    return fields


def _run(word: int) -> dict[str, int]:
    return {"input": word >> _RUN_COUNT_BITS, "count": word & ((1 << _RUN_COUNT_BITS) - 1)}


def _plain(value: Any) -> Any:
    if value.dtype.names:
        return {name: _plain(value[name]) for name in value.dtype.names if value.dtype[name].kind != "V"}
    return value.tolist()


def _joined(fields: Fields) -> Fields:
    """`cost_low` and `cost_high` as one `cost`."""
    joined: Fields = {}
    for name, value in fields.items():
        stem = name.removesuffix("_low")
        if stem != name and f"{stem}_high" in fields:
            joined[stem] = (fields[f"{stem}_high"] << 64) | value
        elif not (name.endswith("_high") and f"{name.removesuffix('_high')}_low" in fields):
            joined[name] = value
    return joined
