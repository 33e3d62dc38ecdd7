"""What cannot be opened, continued or written: one clear error each, and nothing is touched."""

import os
import resource
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from openbell.journal import JournalReader, JournalWriter, read_slots, verify
from openbell.model.errors import ConfigError, JournalError
from tests.journal.written import bars, create, small

WRITE = """
import sys
from pathlib import Path
from tests.journal.written import bars, create
writer = create(Path(sys.argv[1]), durability=sys.argv[2])
while True:
    writer.append(bars(writer.next_sequence, 7))
    print(writer.commit(), flush=True)
"""


def start_writing(path: Path, durability: str) -> "subprocess.Popen[str]":
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, str(path), durability], stdout=subprocess.PIPE, text=True, cwd=root
    )


def test_two_writers_at_once_are_refused_across_processes(tmp_path: Path) -> None:
    process = start_writing(tmp_path / "journal", "none")
    try:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(JournalError, match="another writer has this journal open"):
            JournalWriter.open(tmp_path / "journal")
    finally:
        process.kill()
        process.communicate()
    JournalWriter.open(tmp_path / "journal")


@pytest.mark.parametrize("durability", ["none", "batch"])
def test_a_killed_writer_loses_nothing_it_reported_and_can_be_continued(
    tmp_path: Path, durability: str
) -> None:
    for round_ in range(5):
        path = tmp_path / str(round_)
        process = start_writing(path, durability)
        assert process.stdout is not None
        reported = [int(process.stdout.readline()) for _ in range(1 + 40 * round_)]
        process.kill()
        reported += [int(line) for line in process.communicate()[0].split()]
        writer = JournalWriter.open(path)
        last = writer.next_sequence - 1
        assert last >= reported[-1]
        writer.append(bars(writer.next_sequence, 1))
        writer.close()
        assert np.array_equal(np.concatenate(list(read_slots(path))), bars(1, last + 1))


def test_a_torn_tail_is_told_then_cut_with_a_copy(tmp_path: Path) -> None:
    path = small(tmp_path / "journal", close=False)
    segment = path / "00000001.seg"
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-100])
    report = verify(path)
    assert report.last_sequence == 20
    assert report.torn is not None
    assert "BATCH_MUST_BE_WHOLE" in report.torn
    with pytest.raises(JournalError, match=r"the last write was cut short.*1308 bytes follow"):
        list(read_slots(path))
    with pytest.raises(JournalError, match="the last write was cut short"):
        verify(path, require_closed=True)
    writer = JournalWriter.open(path)
    assert writer.next_sequence == 21
    assert writer.cut is not None
    (copy,) = path.glob("torn-*.bin")
    assert copy.name in writer.cut
    assert copy.read_bytes() == whole[-1408:-100]
    writer.close()
    assert verify(path, require_closed=True).last_sequence == 20


def test_what_comes_before_a_torn_tail_is_given_out_first(tmp_path: Path) -> None:
    path = small(tmp_path / "journal", close=False)
    segment = path / "00000001.seg"
    segment.write_bytes(segment.read_bytes()[:-1])
    reader = JournalReader(path)
    slots = reader.read()
    assert slots is not None
    assert np.array_equal(slots, bars(1, 20))
    for _ in range(2):
        with pytest.raises(JournalError, match="cut short"):
            reader.read()


def test_damage_is_refused_with_segment_offset_sequence_and_rule(tmp_path: Path) -> None:
    path = small(tmp_path / "journal")
    segment = path / "00000001.seg"
    damaged = bytearray(segment.read_bytes())
    damaged[700] ^= 1
    segment.write_bytes(damaged)
    expected = r"00000001\.seg: segment 1, offset 512, sequence 1: damaged, BODY_CHECKSUM_MUST_MATCH .*nothing was changed"
    for attempt in (verify, JournalWriter.open, lambda path: list(read_slots(path))):
        with pytest.raises(JournalError, match=expected):
            attempt(path)
    assert segment.read_bytes() == bytes(damaged)


def test_a_run_that_was_not_ended_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    path = small(tmp_path / "journal", close=False)
    verify(path)
    with pytest.raises(JournalError, match=r"JOURNAL_MUST_BE_CLOSED.*interrupted"):
        verify(path, require_closed=True)


def test_the_loss_of_the_end_of_a_finished_journal_is_noticed(tmp_path: Path) -> None:
    path = small(tmp_path / "journal")
    segment = path / "00000001.seg"
    segment.write_bytes(segment.read_bytes()[:-128])
    assert verify(path).torn is None
    with pytest.raises(JournalError, match="JOURNAL_MUST_BE_CLOSED"):
        verify(path, require_closed=True)


def test_what_is_no_journal_is_named_and_left_alone(tmp_path: Path) -> None:
    cases = {
        "missing": "there is no such directory",
        "file": "it is a file",
        "empty": "the directory is empty",
        "other": "no segment .* notes.txt",
    }
    (tmp_path / "file").write_text("hello")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("hello")
    for name, expected in cases.items():
        for attempt in (verify, JournalReader, JournalWriter.open):
            with pytest.raises(JournalError, match=f"{name}: not a journal: .*{expected}"):
                attempt(tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty", "file", "notes.txt", "other"]


def test_a_journal_is_never_created_over_another(tmp_path: Path) -> None:
    path = small(tmp_path / "journal")
    with pytest.raises(JournalError, match="a journal is here already"):
        create(path)
    verify(path, require_closed=True)


def crc32c(data: bytes) -> int:
    """CRC-32C bit by bit, from its polynomial."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def test_a_journal_of_a_newer_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = small(tmp_path / "journal", batches=0, close=False)
    segment = path / "00000001.seg"
    header = bytearray(segment.read_bytes())
    header[19] = 3
    header[24:28] = bytes(4)
    header[24:28] = struct.pack("<I", crc32c(bytes(header[:512])))
    segment.write_bytes(header)
    with pytest.raises(
        JournalError, match="journal format version 3, this program reads 2: read it with the newer"
    ):
        verify(path)


def test_unknown_modes_and_sizes_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match='durability is "always"; it must be strict, batch, interval, os or none'
    ):
        create(tmp_path / "journal", durability="always")
    with pytest.raises(ConfigError, match='content is "half"'):
        create(tmp_path / "journal", content="half")
    with pytest.raises(ConfigError, match="segment_size is 1000"):
        create(tmp_path / "journal", segment_size=1000)
    assert not (tmp_path / "journal").exists()


def test_a_closed_writer_says_so(tmp_path: Path) -> None:
    writer = create(tmp_path / "journal")
    writer.close()
    for attempt in (writer.commit, writer.close, lambda: writer.append(bars(1, 1))):
        with pytest.raises(JournalError, match="the journal was closed"):
            attempt()


OPEN_AS_NOBODY = """
import os, sys
from pathlib import Path
from openbell.journal import verify, JournalWriter
from openbell.model.errors import JournalError
os.setgid(65534); os.setuid(65534)
for attempt in (verify, JournalWriter.open):
    try:
        attempt(Path(sys.argv[1]))
    except JournalError as error:
        print(error)
"""


def test_a_directory_without_permission_is_named(tmp_path: Path) -> None:
    if os.getuid() == 0:
        # nothing is forbidden to root: ask as nobody, who must be able to walk down to the journal
        for parent in tmp_path.parents[:3]:
            parent.chmod(0o755)
        path = small(tmp_path / "journal")
        path.chmod(0o700)
        run = [sys.executable, "-c", OPEN_AS_NOBODY, str(path)]
        asked = subprocess.run(run, capture_output=True, text=True, check=True)
        errors = asked.stdout.splitlines()
    else:
        path = small(tmp_path / "journal")
        path.chmod(0o000)
        errors = []
        for attempt in (verify, JournalWriter.open):
            with pytest.raises(JournalError) as caught:
                attempt(path)
            errors.append(str(caught.value))
        path.chmod(0o700)
    assert len(errors) == 2
    assert all("journal: cannot list the journal: Permission denied" in error for error in errors)


def fill(writer: JournalWriter) -> tuple[int, str]:
    """Write until it fails: the last reported sequence and the error."""
    last = 0
    try:
        while last < 100_000:
            writer.append(bars(writer.next_sequence, 50))
            last = writer.commit()
    except JournalError as error:
        with pytest.raises(JournalError, match=r"failed before and takes nothing more|no room to"):
            writer.commit()
        return last, str(error)
    pytest.fail("the disk took everything")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(path)]
    if (
        shutil.which("mount") is None
        or subprocess.run(mount, capture_output=True, check=False).returncode != 0
    ):
        pytest.skip(
            "no small file system can be mounted here; the limit on the size of files stands in for it"
        )
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize("durability", ["none", "batch"])
def test_a_full_disk_names_file_and_bytes_and_loses_nothing(small_disk: Path, durability: str) -> None:
    path = small_disk / "journal"
    writer = create(path, durability=durability, segment_size=65_536)
    last, message = fill(writer)
    assert "No space left on device" in message
    assert ".seg" in message
    assert "bytes are needed" in message
    del writer
    read = verify(path)
    assert read.last_sequence >= last > 0
    assert durability == "none" or read.torn is None
    before = sorted(small_disk.rglob("*"))
    if read.torn is not None:
        with pytest.raises(JournalError, match="cannot write the copy of the torn tail: No space left"):
            JournalWriter.open(path)
        assert sorted(small_disk.rglob("*")) == before
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    opened = JournalWriter.open(path, accept_any_file_system=True)
    assert opened.next_sequence == read.last_sequence + 1


def test_a_journal_in_memory_is_refused_where_syncs_matter(small_disk: Path) -> None:
    path = small_disk / "journal"
    for durability in ("strict", "batch", "interval"):
        with pytest.raises(JournalError, match=f'is on tmpfs.*durability "{durability}" needs a local disk'):
            JournalWriter.create(path, epoch=7, created_time=1, created_by="test", durability=durability)
    assert not path.exists()
    JournalWriter.create(path, epoch=7, created_time=1, created_by="test", durability="os", segment_size=8192)


def test_a_full_disk_is_waited_out_without_reopening(small_disk: Path) -> None:
    writer = create(small_disk / "journal", durability="batch", segment_size=65_536)
    last, _ = fill(writer)
    assert writer.durable_sequence >= last
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    assert writer.commit() == writer.next_sequence - 1 > last


def test_a_reader_follows_a_journal_while_it_is_written(tmp_path: Path) -> None:
    writer = create(tmp_path / "journal", durability="batch")
    reader = JournalReader(tmp_path / "journal")
    for round_number in range(1, 20):
        writer.append(bars(writer.next_sequence, 10))
        assert reader.read_durable() is None
        writer.commit()
        slots = reader.read_durable()
        assert slots is not None
        assert len(slots) == 20 * 64
        report = reader.report
        assert report.watermark == report.end
        assert report.last_sequence == 10 * round_number
    writer.close()
    assert reader.read_durable() is None or reader.report.closed


LIMITED = """
import sys
from pathlib import Path
from tests.journal.test_opening import fill
from tests.journal.written import create
print(*fill(create(Path(sys.argv[1]), segment_size=1 << 20)), sep="|")
"""


def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    last, message = done.stdout.strip().split("|")
    assert "no room to write a batch" in message
    assert "00000001.seg" in message
    assert verify(path).last_sequence == int(last)
    assert verify(path).torn is not None
