"""What a run was fed: named in its journal, and found again by what is named there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from openbell.journal.references import InputReference, read_references, reference_records
from openbell.market_data.bars import InputFile
from openbell.market_data.frame_bars import FRAME
from openbell.messages.layouts import Slots
from openbell.model.errors import InputError

DATA = 0
"""Number of a run's one input: all its files are merged into one stream in the order of time."""
_BLOCK = 1 << 20


def input_records(inputs: Iterable[InputFile], time: int) -> Slots:
    """The records that name the files of a run, each file once; to be run before the data. `time` in UTC nanoseconds."""
    once = dict.fromkeys(inputs)
    return reference_records((InputReference(DATA, one.sha256, one.decoder, one.path) for one in once), time)


def journal_inputs(folder: Path) -> tuple[InputFile, ...]:
    """The files that the journal of the run in `folder` names.

    Raises JournalError where it is missing or damaged.
    """
    return input_files(read_references(folder / "journal"))


def input_files(references: Sequence[InputReference]) -> tuple[InputFile, ...]:
    """The same files as the rest of a run knows them."""
    return tuple(InputFile(one.path, one.sha256, one.decoder) for one in references)


def require_same_inputs(recorded: Sequence[InputFile], given: Sequence[InputFile]) -> None:
    """Pass only data of the bytes and the decoder that were recorded, wherever it lies now.

    Raises InputError naming the first that differs.
    """
    found = {one.sha256: one for one in given}
    for one in recorded:
        same = found.pop(one.sha256, None)
        if same is None:
            raise InputError(
                "this is not the data of the run",
                source=", ".join(dict.fromkeys(other.path for other in given)),
                field="SHA-256",
                value=", ".join(dict.fromkeys(other.sha256 for other in given)),
                expected=f"{one.sha256}, which {one.path} had",
            )
        if same.decoder != one.decoder:
            raise InputError(
                "the data of the run was read by another decoder",
                source=same.path,
                value=same.decoder,
                expected=f"{one.decoder}, of the program that ran it",
            )
    for other in found.values():
        raise InputError(
            "this file is no data of the run", source=other.path, expected="the files that its journal names"
        )


def require_unchanged(recorded: InputFile) -> None:
    """Pass only an input whose file is there with the bytes it had."""
    if recorded.path == FRAME:
        raise InputError(
            "the data was a frame in memory, which no file holds", expected="the same frame, as data="
        )
    path = Path(recorded.path)
    if not path.is_file():
        raise InputError(
            "the data of the run is not there",
            source=path,
            expected=f"a file of SHA-256 {recorded.sha256}; lying elsewhere now, it can be given as data=",
        )
    found = file_sha256(path)
    if found != recorded.sha256:
        raise InputError(
            "the data of the run was changed", source=path, value=found, expected=f"SHA-256 {recorded.sha256}"
        )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
