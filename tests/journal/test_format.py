"""A second reader, written from docs/journal.md alone: the bytes on disk are what that page says."""

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from openbell.journal import read_slots, verify
from tests.journal.test_opening import crc32c
from tests.journal.written import bars, create

MODES = ["strict", "batch", "interval", "os", "none"]


def written(path: Path, durability: str) -> Path:
    writer = create(path, durability=durability)
    for _ in range(12):
        writer.append(bars(writer.next_sequence, 11))
        writer.commit(output_hash=writer.next_sequence)
    writer.close()
    return path


def without(data: bytes, start: int, end: int) -> bytes:
    """`data` with the field of its own checksum at 0."""
    return data[:start] + bytes(end - start) + data[end:]


def u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def batches(segment: bytes) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each batch, checked."""
    assert segment[32:40] == b"OPENBELL"
    assert u32(segment, 24) == crc32c(without(segment[:512], 24, 28))
    sector, at = u32(segment, 52), max(512, u32(segment, 52))
    while segment[at : at + 128].strip(b"\0"):
        size = 128 + 64 * u32(segment, at + 36)
        size = -(-size // sector) * sector
        batch = segment[at : at + size]
        assert batch[32:36] == b"OBJ1"
        assert u32(batch, 24) == crc32c(without(batch[:128], 24, 28))
        assert u32(batch, 28) == crc32c(batch[128:])
        yield at, batch
        at += size
    assert not segment[at:].strip(b"\0")


@pytest.mark.parametrize("durability", MODES)
def test_segments_and_batches_are_as_documented(tmp_path: Path, durability: str) -> None:
    path = written(tmp_path / "journal", durability)
    records, sequence, segments = b"", 1, sorted(path.glob("*.seg"))
    segments = [segment for segment in segments if segment.name != "next.seg"]
    assert len(segments) > 2
    for number, name in enumerate(segments, 1):
        segment = name.read_bytes()
        assert (u64(segment, 0), u32(segment, 48), u64(segment, 40)) == (sequence, number, 7)
        assert segment[56] == {"none": 0, "batch": 1, "strict": 2, "interval": 3, "os": 4}[durability]
        assert segment[19] == 2
        for _, batch in batches(segment):
            assert u64(batch, 0) == sequence
            records += batch[128 : 128 + 64 * u32(batch, 36)]
            sequence += u32(batch, 44)
    assert sequence == 12 * 11 + 1
    assert records == b"".join(slots.tobytes() for slots in read_slots(path))


@pytest.mark.parametrize("durability", MODES)
def test_the_watermark_is_as_documented(tmp_path: Path, durability: str) -> None:
    path = written(tmp_path / "journal", durability)
    if durability in ("os", "none"):
        assert not (path / "WATERMARK").exists()
        return
    data = (path / "WATERMARK").read_bytes()
    slots = [data[at : at + 128] for at in (0, 4096)]
    for slot in slots:
        assert slot[:8] == b"OBJWATER"
        assert u32(slot, 8) == crc32c(without(slot, 8, 12))
    newest = max(slots, key=lambda slot: u64(slot, 16))
    chain = int.from_bytes(newest[56:72], "little")
    assert (u32(newest, 32), u64(newest, 40), u64(newest, 48), chain) == verify(path).end
    assert u64(newest, 24) == 7


@pytest.mark.parametrize("durability", MODES)
def test_the_seals_are_as_documented(tmp_path: Path, durability: str) -> None:
    path = written(tmp_path / "journal", durability)
    if durability == "none":
        assert not (path / "SEALS").exists()
        return
    data = (path / "SEALS").read_bytes()
    segments = len([name for name in path.glob("*.seg") if name.name != "next.seg"])
    assert len(data) == 256 * (segments - 1) > 0
    previous = bytes(32)
    for number in range(1, segments):
        entry = data[256 * (number - 1) : 256 * number]
        assert entry[:8] == b"OBJSEALS"
        assert u32(entry, 8) == crc32c(without(entry, 8, 12))
        assert struct.unpack_from("<HHQQI", entry, 12) == (1, 1, 7, number, number)
        assert entry[72:104] == hashlib.sha256((path / f"{number:08}.seg").read_bytes()).digest()
        assert entry[104:136] == previous
        previous = hashlib.sha256(entry[12:136]).digest()
        assert entry[136:168] == previous
        assert u64(entry, 48) + 1 == u64((path / f"{number + 1:08}.seg").read_bytes(), 0)
