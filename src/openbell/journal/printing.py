"""Journals in words: every record as a line of text or as a JSON object, with the names of the kernel's registry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Literal

from openbell.journal.names import Names
from openbell.journal.reading import read_slots
from openbell.journal.record_fields import Record, last_sequence, records_in
from openbell.journal.selection import LAST_SEQUENCE, Selection
from openbell.journal.wording import Wording
from openbell.messages.layouts import Slots
from openbell.model.time import iso

Style = Literal["text", "json"]


def record_lines(path: str | PathLike[str], *, style: Style = "text") -> Iterator[str]:
    """Yield a line for each record of the journal in `path`, in order; markers of references are records of their own.

    As `lines_of`. Raises JournalError as `verify` does, after the lines of all that is whole.
    """
    yield from lines_of(read_slots(path), style=style)


def lines_of(
    batches: Iterable[Slots],
    *,
    style: Style = "text",
    selection: Selection | None = None,
    names: Names | None = None,
) -> Iterator[str]:
    """Yield a line for each record in `batches` that `selection` keeps.

    Text: sequence, time (ISO 8601), message, then every field that is not 0: prices in the instrument's decimals, money in
    its currency, rules and terms by name, as far as the records before say what the numbers mean, or `names` does.

    JSON: one object per line with `sequence`, `time` (UTC nanoseconds), `message`, `version`, `flags`, `source`,
    `instrument`, `account`, the fields of the message under `body` and those of its continuations under `payloads` (a
    list, each with its `name`): the numbers as they are in the journal.
    """
    names = Names() if names is None else names
    wording = Wording(names)
    selection = Selection() if selection is None else selection
    for slots in batches:
        names.learn(slots)
        if style == "text":
            names.learn_orders(slots)
        for record in records_in(slots, selection.starts(slots, names)):
            yield text_line(record, wording) if style == "text" else json_line(record)
        if selection.last != LAST_SEQUENCE and last_sequence(slots) >= selection.last:
            return


def text_line(record: Record, wording: Wording) -> str:
    """One record on a line, in words."""
    return f"{record.sequence:>10} {iso(record.time)} {wording.line(record)}"


def json_line(record: Record) -> str:
    """One record as a JSON object, its numbers as they are in the journal."""
    return json.dumps(record_object(record), separators=(",", ":"))


def record_object(record: Record) -> dict[str, object]:
    """One record as plain values; see `lines_of`."""
    return {
        "sequence": record.sequence,
        "time": record.time,
        "message": record.message,
        "version": record.version,
        "flags": record.flags,
        "source": record.source,
        "instrument": record.instrument,
        "account": record.account,
        "body": record.body,
        "payloads": [{"name": name, **fields} for name, fields in record.payloads],
    }
