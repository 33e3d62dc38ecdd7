"""Copies of journals: complete, checked, made while somebody writes, and brought back."""

import threading
from pathlib import Path

import numpy as np
import pytest

from openbell.journal import read_slots, verify
from openbell.journal.record_fields import last_sequence
from openbell.model.errors import ConfigError, InputError, JournalError
from openbell.runtime.backup import back_up, check_backup, restore_backup
from openbell.runtime.following import followed
from openbell.runtime.history import open_history
from openbell.runtime.journal_readers import forget_reader, register_reader, registered_readers
from openbell.runtime.time_travel import state_at
from tests.cli.histories import exchange
from tests.journal.written import bars, create

NOW = 1_700_000_000_000_000_000


def session(folder: Path, rounds: int = 2) -> Path:
    exchange(folder, rounds=rounds)
    (folder / "exchange.toml").write_text("# settings\n")
    return folder


def test_a_backup_brought_back_is_the_same_history(tmp_path: Path) -> None:
    history = open_history(session(tmp_path / "session"))
    made = back_up(history, tmp_path / "backup", now_ns=NOW)
    assert (made.last_sequence, made.made) == (43, "2023-11-14T22:13:20Z")
    assert check_backup(tmp_path / "backup") == made
    assert restore_backup(tmp_path / "backup", tmp_path / "restored") == made
    again = open_history(tmp_path / "restored")
    assert state_at(again).node.state_hash() == state_at(history).node.state_hash()
    assert (tmp_path / "restored" / "exchange.toml").read_text() == "# settings\n"
    ours, theirs = (of.journal / "00000001.seg" for of in (history, again))
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("durability", ["none", "batch"])
def test_a_backup_made_while_a_writer_goes_on_ends_with_a_whole_batch(
    tmp_path: Path, durability: str
) -> None:
    writer = create(tmp_path / "journal", durability=durability, segment_size=8192)
    writing, stop = threading.Event(), threading.Event()

    def write() -> None:
        while not stop.is_set() and writer.next_sequence < 20_000:
            writer.append(bars(writer.next_sequence, 7))
            writer.commit()
            writing.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert writing.wait(30)
        made = [
            back_up(open_history(tmp_path / "journal"), tmp_path / f"backup-{at}", now_ns=NOW)
            for at in range(3)
        ]
    finally:
        stop.set()
        thread.join()
    writer.close()
    everything = np.concatenate(list(read_slots(tmp_path / "journal")))
    for at, one in enumerate(made):
        assert one.last_sequence % 7 == 0
        copied = np.concatenate(list(read_slots(tmp_path / f"backup-{at}" / "journal")))
        assert last_sequence(copied) == one.last_sequence
        assert np.array_equal(copied, everything[: len(copied)])


def test_a_restored_journal_is_continued(tmp_path: Path) -> None:
    from openbell.kernel import JournalWriter

    writer = create(tmp_path / "journal", durability="batch")
    for _ in range(20):
        writer.append(bars(writer.next_sequence, 10))
        writer.commit()
    back_up(open_history(tmp_path / "journal"), tmp_path / "backup", now_ns=NOW)
    restore_backup(tmp_path / "backup", tmp_path / "restored")
    again = JournalWriter.open(tmp_path / "restored" / "journal")
    assert again.cut is None
    assert again.next_sequence == 201
    again.append(bars(201, 10))
    again.close()
    assert verify(tmp_path / "restored" / "journal", require_closed=True).last_sequence == 210


def test_one_changed_bit_of_a_backup_is_noticed(tmp_path: Path) -> None:
    back_up(open_history(session(tmp_path / "session")), tmp_path / "backup", now_ns=NOW)
    settings = tmp_path / "backup" / "exchange.toml"
    settings.write_text("# Settings\n")
    with pytest.raises(JournalError, match="not what it was when it was made"):
        restore_backup(tmp_path / "backup", tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_a_copy_that_was_not_finished_is_none(tmp_path: Path) -> None:
    back_up(open_history(session(tmp_path / "session")), tmp_path / "backup", now_ns=NOW)
    (tmp_path / "backup" / "BACKUP.toml").unlink()
    with pytest.raises(InputError, match="no finished backup"):
        restore_backup(tmp_path / "backup", tmp_path / "restored")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    history = open_history(session(tmp_path / "session"))
    back_up(history, tmp_path / "backup", now_ns=NOW)
    with pytest.raises(ConfigError, match="exists already and is not empty"):
        back_up(history, tmp_path / "backup", now_ns=NOW)
    with pytest.raises(ConfigError, match="exists already and is not empty"):
        restore_backup(tmp_path / "backup", tmp_path / "session")


def test_damage_is_not_backed_up(tmp_path: Path) -> None:
    segment = session(tmp_path / "session") / "journal" / "00000001.seg"
    content = bytearray(segment.read_bytes())
    content[700] ^= 1
    segment.write_bytes(bytes(content))
    with pytest.raises(JournalError):
        back_up(open_history(tmp_path / "session"), tmp_path / "backup", now_ns=NOW)
    assert not (tmp_path / "backup" / "BACKUP.toml").exists()


# ---- following


def test_a_reader_follows_as_batches_become_durable_and_ends_with_the_writer(tmp_path: Path) -> None:
    writer = create(tmp_path / "journal", durability="batch")
    pauses: list[None] = []

    def pause(_: float) -> None:
        pauses.append(None)
        if len(pauses) == 3:
            writer.close()
        else:
            writer.append(bars(writer.next_sequence, 5))
            writer.append(bars(writer.next_sequence, 5))
            writer.commit()

    ends = [last_sequence(slots) for slots in followed(tmp_path / "journal", pause=pause)]
    assert ends == [10, 20]


def test_a_registered_reader_moves_on_once_a_batch_is_dealt_with(tmp_path: Path) -> None:
    history = open_history(session(tmp_path / "session"))
    batches = followed(history.journal, name="audit", waits=False, clock=lambda: NOW)
    first = next(batches)
    assert [one.sequence for one in registered_readers(history.journal)] == [0]
    list(batches)
    (reader,) = registered_readers(history.journal)
    assert (reader.name, reader.sequence, reader.seen) == ("audit", 43, "2023-11-14T22:13:20Z")
    assert last_sequence(first) <= 43
    forget_reader(history.journal, "audit")
    assert registered_readers(history.journal) == []
    with pytest.raises(
        InputError, match="no such reader of the journal, found 'audit', expected no reader at all"
    ):
        forget_reader(history.journal, "audit")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65])
def test_a_reader_has_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="reader name"):
        register_reader(tmp_path, name, 1, now_ns=NOW)


def test_a_cursor_that_cannot_be_read_is_an_error_and_never_ignored(tmp_path: Path) -> None:
    register_reader(tmp_path, "audit", 1, now_ns=NOW)
    (tmp_path / "readers" / "audit.toml").write_text("sequence = ")
    with pytest.raises(InputError, match="cursor of a reader cannot be read"):
        registered_readers(tmp_path)
