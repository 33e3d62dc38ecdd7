"""How a journal names the data that a run was fed: one `InputReferenced` record for each file, before everything else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openbell.kernel import JournalReader, payload_layouts
from openbell.messages.layouts import (
    HEAD_DTYPE,
    PAYLOAD_OFFSET,
    SLOT_SIZE,
    Slots,
    as_slots,
    dtype_of,
    message_numbers,
    records,
)
from openbell.model.errors import ConfigError

TEXT_BYTES, LENGTH_BYTES = 36, 4
"""Of one piece of text, and of the count before it; see `TextPayload` in crates/kernel/src/command.rs."""
PATH_PIECES = 5
SLOTS = 3 + PATH_PIECES
MOST_PATH = PATH_PIECES * TEXT_BYTES
CUT = "\N{HORIZONTAL ELLIPSIS}"
"""Begins a path of which only the end fits the record."""


@dataclass(frozen=True, slots=True)
class InputReference:
    """What a journal says about one file that data was read from.

    `input` is the number under which the records that came of it stand by reference: the `source` of `Node.run`. `sha256` is
    that of the file's bytes (of a frame in memory: of its decoded arrays), `decoder` the name and version of what read it,
    `path` where it was, as it was given (of a very long one only the end, behind an ellipsis).
    """

    input: int
    sha256: str
    decoder: str
    path: str


def reference_records(references: Iterable[InputReference], time: int) -> Slots:
    """Return the records that name files, to be run without a source before any record of theirs. `time` in UTC nanoseconds.

    Every record has the same size, so that where a file lies changes no sequence. Raises ConfigError for a decoder whose
    name does not fit.
    """
    made = [_record(one, time) for one in references]
    return np.concatenate(made) if made else np.zeros(0, np.uint8)


def _record(reference: InputReference, time: int) -> Slots:
    front = records("InputReferenced", 1)
    front["slots"] = SLOTS
    front["time"] = time
    front["sha256"] = np.frombuffer(bytes.fromhex(reference.sha256), np.uint8)
    front["input"] = reference.input
    decoder = reference.decoder.encode()
    if len(decoder) > TEXT_BYTES:
        raise ConfigError(f"decoder is {reference.decoder!r}; its name must have at most {TEXT_BYTES} bytes")
    path = _fitting(reference.path)
    pieces = [decoder, *(path[at : at + TEXT_BYTES] for at in range(0, MOST_PATH, TEXT_BYTES))]
    texts = [_text_slot(index, piece) for index, piece in enumerate(pieces, start=2)]
    return np.concatenate([as_slots(front), *texts])


def _fitting(path: str) -> bytes:
    """The path in UTF-8, or the end of it behind a mark."""
    whole = path.encode("utf-8", "replace")
    if len(whole) <= MOST_PATH:
        return whole
    mark = CUT.encode()
    end = whole[len(mark) - MOST_PATH :].decode("utf-8", "ignore").encode()
    return mark + end


def _text_slot(index: int, text: bytes) -> Slots:
    slot = np.zeros(SLOT_SIZE, np.uint8)
    head = slot.view(HEAD_DTYPE)
    head["message"], head["slots"] = message_numbers()["Continuation"], index
    head["flags"] = next(tag for name, tag, _ in payload_layouts() if name == "TextPayload")
    content = len(text).to_bytes(LENGTH_BYTES, "little") + text
    slot[PAYLOAD_OFFSET : PAYLOAD_OFFSET + len(content)] = np.frombuffer(content, np.uint8)
    return slot


def input_references(batch: Slots) -> list[InputReference]:
    """Return what the `InputReferenced` records of a batch say, in order."""
    heads = batch.view(HEAD_DTYPE)
    wanted = np.flatnonzero(heads["message"] == message_numbers()["InputReferenced"])
    slots = batch.view(np.uint8).reshape(-1, SLOT_SIZE)
    return [_reference(slots[at : at + int(heads["slots"][at])]) for at in wanted]


def _reference(slots: NDArray[Any]) -> InputReference:
    front = np.ascontiguousarray(slots[:2]).reshape(-1).view(dtype_of("InputReferenced"))[0]
    decoder, *path = [_text(slot) for slot in slots[2:]] or [b""]
    return InputReference(
        input=int(front["input"]),
        sha256=front["sha256"].tobytes().hex(),
        decoder=decoder.decode("utf-8", "replace"),
        path=b"".join(path).decode("utf-8", "replace"),
    )


def _text(slot: NDArray[Any]) -> bytes:
    content: bytes = slot[PAYLOAD_OFFSET:].tobytes()
    return content[LENGTH_BYTES:][: int.from_bytes(content[:LENGTH_BYTES], "little")]


def read_references(path: str | PathLike[str]) -> tuple[InputReference, ...]:
    """Return the files that the journal in `path` names at its begin. Only as much of it is read as has to be.

    Raises JournalError for what is no journal or is damaged there.
    """
    return tuple(_first_references(JournalReader(path)))


def _first_references(reader: JournalReader) -> Iterator[InputReference]:
    before = [message_numbers()[name] for name in ("ClockAdvanced", "InputReferenced", "Continuation")]
    while (slots := reader.read(1)) is not None:
        yield from input_references(slots)
        if not np.isin(slots.view(HEAD_DTYPE)["message"], before).all():
            return
