"""Journals in words: every record as a line of text or as a JSON object, with the names of the kernel's registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from os import PathLike
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from openbell.journal.reading import read_records
from openbell.kernel import body_layouts, payload_layouts
from openbell.messages.layouts import BODY_OFFSET, PAYLOAD_OFFSET, SLOT_SIZE, field_layout, message_numbers
from openbell.model.time import iso

Fields = dict[str, Any]

_HEAD_NAMES = ("version", "flags", "source", "instrument", "account")
_RUN_COUNT_BITS = 48


def record_lines(path: str | PathLike[str], *, style: Literal["text", "json"] = "text") -> Iterator[str]:
    """Yield a line for each record of the journal in `path`, in order; markers of references are records of their own.

    Text: sequence, time (ISO 8601), message, then every field that is not 0. JSON: one object per line with `sequence`,
    `time` (UTC nanoseconds), `message`, `version`, `flags`, `source`, `instrument`, `account`, the fields of the message
    under `body` and those of its continuations under `payloads` (a list, each with its `name`).

    Raises JournalError as `verify` does, after the lines of all that is whole.
    """
    line = _text_line if style == "text" else _json_line
    for records in read_records(path):
        for start in np.flatnonzero(records["message"] != message_numbers()["Continuation"]):
            yield line(_describe(records[start : start + int(records["slots"][start])]))


@cache
def _names() -> dict[int, str]:
    return {number: name for name, number in message_numbers().items()}


@cache
def _body_dtype(message: int) -> np.dtype[np.void]:
    body = next(name for name, number, _ in body_layouts() if number == message)
    return _slot_dtype(body, BODY_OFFSET)


@cache
def _payload_of(tag: int) -> tuple[str, np.dtype[np.void]]:
    name = next(name for name, number, _ in payload_layouts() if number == tag)
    return name, _slot_dtype(name, PAYLOAD_OFFSET)


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


def _describe(slots: NDArray[np.void]) -> Fields:
    head = slots[0]
    message = int(head["message"])
    return {
        "sequence": int(head["sequence"]),
        "time": int(head["time"]),
        "message": _names()[message],
        **{name: int(head[name]) for name in _HEAD_NAMES},
        "body": _fields(slots[:1], _body_dtype(message)),
        "payloads": [_payload(slots[at : at + 1]) for at in range(1, len(slots))],
    }


def _payload(slot: NDArray[np.void]) -> Fields:
    name, dtype = _payload_of(int(slot["flags"][0]))
    return {"name": name, **_fields(slot, dtype)}


def _fields(slot: NDArray[np.void], dtype: np.dtype[np.void]) -> Fields:
    row = slot.view(dtype)[0]
    fields = {name: _plain(row[name]) for name in dtype.names or ()}
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
        return {name: _plain(value[name]) for name in value.dtype.names}
    return value.tolist()


def _json_line(record: Fields) -> str:
    return json.dumps(record, separators=(",", ":"))


def _text_line(record: Fields) -> str:
    front = f"{record['sequence']:>10} {iso(record['time'])} {record['message']}"
    head = {name: record[name] for name in _HEAD_NAMES[1:]}
    parts = [_text_fields(head), _text_fields(record["body"])]
    parts += [
        _text_fields({name: value for name, value in of.items() if name != "name"})
        for of in record["payloads"]
    ]
    return " ".join([front, *(part for part in parts if part)])


def _text_fields(fields: Fields) -> str:
    return " ".join(
        f"{name}={_text_value(value)}" for name, value in fields.items() if _says_something(value)
    )


def _says_something(value: Any) -> bool:
    return any(map(_says_something, value.values())) if isinstance(value, dict) else bool(value)


def _text_value(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + _text_fields(value) + ")"
    if isinstance(value, list):
        return "[" + ", ".join(_text_value(of) for of in value) + "]"
    return str(value)
