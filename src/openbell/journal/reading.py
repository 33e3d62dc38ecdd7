"""Reads journals as arrays, checking every batch on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openbell.kernel import JournalReader, JournalReport, verify_journal
from openbell.messages.layouts import HEAD_DTYPE, Slots

_HEAD_FIELDS: dict[str, Any] = dict(HEAD_DTYPE.fields or {})

RECORD_DTYPE = np.dtype(
    {
        "names": [*_HEAD_FIELDS, "body"],
        "formats": [*(field[0] for field in _HEAD_FIELDS.values()), ("<u8", (4,))],
        "offsets": [*(field[1] for field in _HEAD_FIELDS.values()), 32],
        "itemsize": HEAD_DTYPE.itemsize,
    }
)
"""One slot: the head of a record and its 32 bytes of body. In a continuation (message 2), `slots` is its index, `flags`
the tag of its payload, and the payload begins at byte 24: `openbell.messages.layouts` knows the fields of each message."""


def verify(path: str | PathLike[str], *, require_closed: bool = False) -> JournalReport:
    """Read and check the whole journal in the directory `path`, and tell what it holds.

    Raises JournalError naming segment, offset, sequence and rule for damage, for what is no journal, and for a journal of
    a newer program. A write that was cut short at the end (a crash) is told in `torn` of the report.

    With `require_closed`, also raises for a journal that was not ended on purpose: of a finished run nothing may be
    missing. Without it, damage in the last batch of a journal that was not closed cannot be told from a crash.
    """
    return verify_journal(path, require_closed=require_closed)


def read_slots(path: str | PathLike[str], *, max_slots: int = 65_536) -> Iterator[Slots]:
    """Yield the bytes of all records of the journal in `path`, in whole batches of about `max_slots` slots.

    Records of inputs that the journal holds by reference come as `Interleave` markers. Raises JournalError as `verify`
    does, and at a torn tail, after all that comes before it was yielded.
    """
    reader = JournalReader(path)
    while (slots := reader.read(max_slots)) is not None:
        yield slots


def read_records(path: str | PathLike[str], *, max_slots: int = 65_536) -> Iterator[NDArray[np.void]]:
    """Yield what `read_slots` yields as arrays of RECORD_DTYPE over the same bytes, one row per slot."""
    for slots in read_slots(path, max_slots=max_slots):
        yield slots.view(RECORD_DTYPE)
