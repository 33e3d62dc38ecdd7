"""What a program does with journals of other versions: newer ones are refused by name, other rules are read and not replayed."""

import struct
from pathlib import Path

import pytest

from openbell.journal import lines_of, verify
from openbell.kernel import RULES_VERSION
from openbell.model.errors import JournalError
from openbell.runtime.history import open_history
from tests.cli.histories import exchange

HEADER_BYTES = 512
CHECKSUM_AT = 24
FORMAT_VERSION_AT = 19
SCHEMA_AT = 22
RULES_VERSION_AT = 60
"""Places in a segment's header; see crates/kernel/src/journal/segment.rs."""


def crc32c(content: bytes) -> int:
    """CRC-32C (Castagnoli), bit by bit: slow, obvious, and not the kernel's."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def forged(folder: Path, at: int, layout: str, value: int) -> Path:
    """The journal of an exchange with one field of its header changed, under a right checksum."""
    segment = exchange(folder) / "journal" / "00000001.seg"
    content = bytearray(segment.read_bytes())
    header = content[:HEADER_BYTES]
    struct.pack_into(layout, header, at, value)
    header[CHECKSUM_AT : CHECKSUM_AT + 4] = bytes(4)
    struct.pack_into("<I", header, CHECKSUM_AT, crc32c(bytes(header)))
    segment.write_bytes(bytes(header) + content[HEADER_BYTES:])
    return folder


def test_the_places_in_the_header_are_those_of_the_kernel(tmp_path: Path) -> None:
    header = (exchange(tmp_path / "session") / "journal" / "00000001.seg").read_bytes()[:HEADER_BYTES]
    assert header[32:40] == b"" or b"OPENBELL" in header[:64]
    written = struct.unpack_from("<I", header, CHECKSUM_AT)[0]
    assert crc32c(header[:CHECKSUM_AT] + bytes(4) + header[CHECKSUM_AT + 4 :]) == written
    assert struct.unpack_from("<I", header, RULES_VERSION_AT)[0] == RULES_VERSION


@pytest.mark.parametrize(
    ("at", "layout", "what"),
    [(FORMAT_VERSION_AT, "B", "journal format"), (SCHEMA_AT, "<H", "message registry")],
)
def test_a_newer_journal_is_refused_and_says_which_program_reads_it(
    tmp_path: Path, at: int, layout: str, what: str
) -> None:
    folder = forged(tmp_path / "session", at, layout, 99)
    before = (folder / "journal" / "00000001.seg").read_bytes()
    with pytest.raises(
        JournalError, match=f"{what} version 99, this program reads .*newer openbell that wrote it"
    ):
        verify(folder / "journal")
    assert (folder / "journal" / "00000001.seg").read_bytes() == before


def test_other_rules_are_not_replayed_but_said_so(tmp_path: Path) -> None:
    folder = forged(tmp_path / "session", RULES_VERSION_AT, "<I", RULES_VERSION + 1)
    with pytest.raises(JournalError, match=f"written under rules version {RULES_VERSION + 1}"):
        list(open_history(folder).batches())


def test_what_other_rules_wrote_can_still_be_read_as_far_as_its_chain_goes(tmp_path: Path) -> None:
    # the forged header breaks the chain at the first batch, which shows that the header is under the chain, too
    folder = forged(tmp_path / "session", RULES_VERSION_AT, "<I", RULES_VERSION + 1)
    with pytest.raises(JournalError, match="CHAIN_MUST_CONTINUE"):
        list(lines_of(open_history(folder).raw_batches()))
