"""What was written is read back, as arrays and as text."""

import json
from pathlib import Path

import numpy as np
import pytest

from openbell.journal import RECORD_DTYPE, InputExpansion, read_records, read_slots, record_lines, verify
from openbell.messages.layouts import as_slots, message_numbers, records, select
from openbell.model.errors import InputError, JournalError
from tests.journal.written import CREATED, bars, create, small


def test_the_report_tells_what_the_journal_holds(tmp_path: Path) -> None:
    report = verify(small(tmp_path / "journal"), require_closed=True)
    assert (report.records, report.slots, report.batches, report.segments) == (30, 60, 4, 1)
    assert (report.first_sequence, report.last_sequence, report.referenced) == (1, 30, 0)
    assert (report.epoch, report.created_time, report.created_by) == (7, CREATED, "openbell tests")
    assert (report.durability, report.content, report.segment_size) == ("none", "full", 8192)
    assert (report.closed, report.torn) == (True, None)
    assert report.state_hash == (30, 3)
    assert report.output_hash == (30, 1 << 101)
    assert report.bytes == report.file_bytes == 512 + 4 * 128 + 60 * 64


@pytest.mark.parametrize("durability", ["none", "batch"])
def test_records_come_back_byte_for_byte_over_several_segments(tmp_path: Path, durability: str) -> None:
    path = small(tmp_path / "journal", durability=durability, batches=30)
    assert verify(path).segments > 3
    read = np.concatenate(list(read_slots(path, max_slots=50)))
    assert np.array_equal(read, bars(1, 300))
    assert list(select(read, "BarObserved")["close"]) == list(range(101, 401))


def test_records_are_arrays_over_the_same_bytes_in_whole_batches(tmp_path: Path) -> None:
    arrays = list(read_records(small(tmp_path / "journal"), max_slots=25))
    assert [len(array) for array in arrays] == [40, 20]
    first = arrays[0]
    assert first.dtype == RECORD_DTYPE
    assert first["message"][0] == message_numbers()["BarObserved"]
    assert list(first["body"][0]) == [101, 101, 101, 101]
    assert first.base is not None
    assert first.flags.aligned


def test_a_journal_prints_as_text_and_as_json(tmp_path: Path) -> None:
    path = small(tmp_path / "journal")
    text = list(record_lines(path))
    assert len(text) == 30
    assert text[0].split()[:3] == ["1", "2023-11-14T22:14:20Z", "BarObserved"]
    assert "close=101" in text[0]
    assert "volume=5" in text[0]
    assert "trades" not in text[0]
    first = json.loads(next(record_lines(path, style="json")))
    assert first["body"] == {"open": 101, "high": 101, "low": 101, "close": 101}
    assert first["payloads"][0]["name"] == "BarPayload"
    assert (first["sequence"], first["time"], first["instrument"]) == (1, CREATED + 60_000_000_000, 1)


def test_a_journal_by_reference_is_put_back_together_in_its_exact_order(tmp_path: Path) -> None:
    inputs = [bars(1, 30), bars(101, 20)]
    writer = create(tmp_path / "journal", content="by_reference")
    order = [0, 0, 1, "command", 0, 1, 1, "command", "command", 1, 0]
    for sequence, what in enumerate(order, start=1):
        if isinstance(what, int):
            writer.append_reference(what, 1, sequence, CREATED)
        else:
            writer.append(clock(sequence))
    writer.close()
    report = verify(tmp_path / "journal", require_closed=True)
    assert (report.records, report.referenced, report.last_sequence) == (3, 8, 11)
    expansion = InputExpansion(inputs)
    slots = np.concatenate([expansion.expand(batch) for batch in read_slots(tmp_path / "journal")])
    heads = slots.view(RECORD_DTYPE)
    heads = heads[heads["message"] != message_numbers()["Continuation"]]
    assert list(heads["sequence"]) == list(range(1, 12))
    assert [int(body[0]) for body in heads["body"]] == [101, 102, 201, 0, 103, 202, 203, 0, 0, 204, 104]
    assert expansion.left == [2 * 26, 2 * 16]


def test_runs_of_references_are_printed(tmp_path: Path) -> None:
    writer = create(tmp_path / "journal", content="by_reference")
    writer.append_reference(2, 5, 1, CREATED)
    writer.append_reference(0, 1, 6, CREATED)
    writer.close()
    (line,) = record_lines(tmp_path / "journal")
    assert line.endswith("Interleave sequences=6 runs=[(input=2 count=5), (count=1)]")
    (line,) = record_lines(tmp_path / "journal", style="json")
    assert json.loads(line)["body"]["runs"] == [{"input": 2, "count": 5}, {"input": 0, "count": 1}]


def test_an_input_that_ends_early_is_named(tmp_path: Path) -> None:
    writer = create(tmp_path / "journal", content="by_reference")
    writer.append_reference(0, 3, 1, CREATED)
    writer.close()
    expansion = InputExpansion([bars(1, 2)])
    (slots,) = read_slots(tmp_path / "journal")
    with pytest.raises(JournalError, match="input 0 at sequence 3"):
        expansion.expand(slots)


def test_records_that_do_not_continue_are_not_taken(tmp_path: Path) -> None:
    writer = create(tmp_path / "journal")
    with pytest.raises(JournalError, match=r"SEQUENCE_MUST_CONTINUE.*sequence 5 where 1 was expected"):
        writer.append(bars(5, 1))
    with pytest.raises(JournalError, match="RECORD_MUST_BE_WELL_FORMED"):
        writer.append(bars(1, 1)[:64])
    with pytest.raises(InputError, match="64-byte slots"):
        writer.append(np.zeros(65, dtype=np.uint8))
    writer.append(bars(1, 1))
    assert writer.commit() == 1


def clock(sequence: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    array = records("ClockAdvanced", 1)
    array["sequence"] = sequence
    return as_slots(array)
