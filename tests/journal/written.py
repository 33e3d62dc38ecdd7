"""Small journals to read, damage and continue."""

from pathlib import Path

import numpy as np

from openbell.kernel import JournalWriter
from openbell.messages.layouts import Slots, as_slots, records

CREATED = 1_700_000_000_000_000_000


def create(
    path: Path, *, durability: str = "none", content: str = "full", segment_size: int = 8192
) -> JournalWriter:
    return JournalWriter.create(
        path,
        epoch=7,
        created_time=CREATED,
        created_by="openbell tests",
        durability=durability,
        content=content,
        segment_size=segment_size,
        accept_any_file_system=True,  # pytest's temporary directory may be in memory
    )


def bars(first: int, count: int) -> Slots:
    """Bars sequenced from `first` on; two slots each."""
    array = records("BarObserved", count)
    array["sequence"] = np.arange(first, first + count)
    array["time"] = CREATED + array["sequence"] * 60_000_000_000
    array["instrument"] = 1
    array["open"] = array["high"] = array["low"] = array["close"] = 100 + array["sequence"]
    array["volume"] = 5
    slots = as_slots(array)
    heads = slots.view("<u8").reshape(-1, 8)
    heads[1::2, :2] = heads[0::2, :2]
    return slots


def small(path: Path, *, durability: str = "none", batches: int = 3, close: bool = True) -> Path:
    """A journal of `batches` batches of ten bars."""
    writer = create(path, durability=durability)
    for _ in range(batches):
        writer.append(bars(writer.next_sequence, 10))
        writer.commit(output_hash=1 << 100, state_hash=(writer.next_sequence - 1, 3))
    if close:
        writer.close(output_hash=1 << 101)
    return path
