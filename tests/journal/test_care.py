"""Proving, healing, keeping and ending journals."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from openbell.journal import Names, records_in, verify
from openbell.kernel import Follower, Holdings, JournalWriter, Node, snapshots_in
from openbell.messages.layouts import as_slots, records
from openbell.model.errors import ConfigError, InputError, JournalError
from openbell.runtime import backup
from openbell.runtime.backup import back_up, restore_backup
from openbell.runtime.history import open_history
from openbell.runtime.journal_doctor import cut_behind, diagnose, restored_to, skip
from openbell.runtime.journal_readers import RegisteredReader, register_reader
from openbell.runtime.new_epoch import begin_epoch, save_snapshot
from openbell.runtime.retention import needed_from, plan_retention, retain
from openbell.runtime.sealed_history import prove
from openbell.runtime.time_travel import state_at
from tests.cli.commands_here import openbell_here as openbell
from tests.cli.histories import exchange
from tests.journal.written import bars, create

NOW = 1_700_000_100_000_000_000


def session(folder: Path, rounds: int = 2, **options: Any) -> Path:
    return exchange(folder, rounds=rounds, **options)


def segmented(path: Path, batches: int = 60, durability: str = "batch") -> Path:
    """A journal of many small segments."""
    writer = create(path, durability=durability)
    for _ in range(batches):
        writer.append(bars(writer.next_sequence, 10))
        writer.commit()
    writer.close()
    return path


# ---- doctor


def test_a_sound_journal_is_called_sound(tmp_path: Path) -> None:
    found = diagnose(open_history(session(tmp_path / "session")))
    assert (found.finding, found.readable, found.stopping) == ("sound", 43, None)


def test_damage_is_diagnosed_and_cut_only_when_the_loss_is_accepted(tmp_path: Path) -> None:
    path = segmented(tmp_path / "journal")
    third = path / "00000003.seg"
    content = bytearray(third.read_bytes())
    content[600] ^= 4
    third.write_bytes(bytes(content))
    history = open_history(path)
    found = diagnose(history)
    assert found.finding == "damaged"
    assert found.durable == 600
    assert found.lost == 600 - found.readable > 0
    assert f"--cut-behind {found.readable} --accept-loss" in found.proposal
    with pytest.raises(
        ConfigError, match=f"{found.lost} records behind sequence {found.readable} would be lost"
    ):
        cut_behind(history, found.readable, actor="anna", reason="why", accept_loss=False, now_ns=NOW)
    before = {one.name: one.read_bytes() for one in path.iterdir() if one.is_file()}
    done = cut_behind(
        history, found.readable, actor="anna", reason="disk broke", accept_loss=True, now_ns=NOW
    )
    assert done.sequence == found.readable
    assert all(Path(copy).is_file() for copy in done.copies)
    kept = b"".join(Path(copy).read_bytes() for copy in done.copies)
    assert before["00000004.seg"].rstrip(b"\0") in kept
    assert verify(path).last_sequence == found.readable + 1
    *_, told = (record for slots in history.raw_batches() for record in records_in(slots))
    assert (told.message, told.fields["actor"], told.fields["reason"]) == ("JournalCut", "anna", "disk broke")


def test_a_cure_needs_somebody_and_a_reason(tmp_path: Path) -> None:
    history = open_history(session(tmp_path / "session"))
    for actor, reason in (("", "why"), ("anna", " ")):
        with pytest.raises((ConfigError, JournalError), match="needs an actor and a reason"):
            cut_behind(history, 20, actor=actor, reason=reason, accept_loss=True, now_ns=NOW)
    assert verify(history.journal).last_sequence == 43


def test_a_record_is_passed_over_by_a_record_that_says_who_and_why(tmp_path: Path) -> None:
    history = open_history(session(tmp_path / "session", close=False))
    done = skip(history, 18, actor="anna", reason="it stopped the engine", now_ns=NOW)
    assert "record 18 is passed over" in done.done
    with pytest.raises(JournalError, match="18 cannot be skipped"):
        skip(history, 18, actor="anna", reason="again", now_ns=NOW)
    with pytest.raises(JournalError, match="999 cannot be skipped"):
        skip(history, 999, actor="anna", reason="nothing", now_ns=NOW)
    node = Node.at(history.journal, 2**64 - 1)
    assert node.position(2, 1)[0] == 15 * 2 - 15 or node.position(2, 1)[0] == 15


def test_the_doctor_speaks_through_the_shell(tmp_path: Path) -> None:
    session(tmp_path / "session")
    done = openbell("journal", "doctor", "session", "--json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["finding"]) == (0, "sound")
    refused = openbell("journal", "doctor", "session", "--cut-behind", 30, "--reason", "x", cwd=tmp_path)
    assert refused.returncode == 2
    assert "13 records behind sequence 30 would be lost" in refused.stderr
    cut = openbell(
        *("journal", "doctor", "session", "--cut-behind", 30, "--accept-loss", "--reason", "a test"),
        *("--actor", "anna"),
        cwd=tmp_path,
    )
    assert cut.returncode == 0, cut.stderr
    assert verify(tmp_path / "session" / "journal").last_sequence == 31


# ---- seals


def test_an_untouched_history_is_proven_and_a_touched_one_is_named(tmp_path: Path) -> None:
    path = segmented(tmp_path / "journal")
    whole = prove(path)
    assert whole.touched is None
    assert whole.proof.sealed_segments > 3
    assert prove(path, seal=whole.proof.last_seal.hex()).touched is None
    with pytest.raises(InputError, match="the last seal is another"):
        prove(path, seal="00" * 32)
    second = path / "00000002.seg"
    content = bytearray(second.read_bytes())
    content[900] ^= 1
    second.write_bytes(bytes(content))
    assert re.search("00000002.seg", prove(path).touched or "")
    done = openbell("journal", "prove", path, cwd=tmp_path)
    assert done.returncode == 5
    assert "Touched" in done.stdout


def test_a_public_key_that_is_none_is_refused(tmp_path: Path) -> None:
    path = segmented(tmp_path / "journal")
    done = openbell("journal", "prove", path, "--public-key", "abc", cwd=tmp_path)
    assert done.returncode == 2
    assert "64 hexadecimal digits" in done.stderr
    unsigned = openbell("journal", "prove", path, "--public-key", "d7" * 32, cwd=tmp_path)
    assert unsigned.returncode != 0


# ---- retention


@pytest.mark.parametrize(
    ("snapshots", "cursors", "bound"),
    [
        ([], [], 0),
        ([100], [], 0),
        ([100, 200], [], 100),
        ([100, 200, 300], [], 200),
        ([300, 100, 200], [], 200),
        ([100, 200], [50], 51),
        ([100, 200], [99], 100),
        ([100, 200], [150, 400], 100),
        ([100, 200], [0], 1),
    ],
)
def test_needed_is_what_the_second_newest_snapshot_or_any_reader_needs(
    snapshots: list[int], cursors: list[int], bound: int
) -> None:
    readers = [RegisteredReader(f"r{at}", cursor, "") for at, cursor in enumerate(cursors)]
    assert needed_from(snapshots, readers)[0] == bound


def test_only_what_nobody_needs_is_deleted_and_the_rest_still_restarts(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    (folder / "journal").parent.mkdir()
    history = open_history(_long_session(folder))
    assert plan_retention(history).segments == ()
    _snapshots(history)
    sequences = [sequence for sequence, *_ in snapshots_in(history.snapshots)]
    assert len(sequences) == 2
    register_reader(history.journal, "audit", 5, now_ns=NOW)
    assert plan_retention(history).segments == ()
    register_reader(history.journal, "audit", 10**9, now_ns=NOW)
    plan = plan_retention(history)
    assert plan.segments
    before = state_at(history).node.state_hash()
    done = retain(history, now_ns=NOW)
    assert done.removed == plan.segments
    report = verify(history.journal)
    assert 1 < report.first_sequence <= sequences[0] + 1
    moment = state_at(history)
    assert moment.node.state_hash() == before
    assert Names.of(Holdings(moment.node)).symbol(1) == "ACME"
    shown = openbell("inspect", "session", "--json", cwd=tmp_path)
    assert json.loads(shown.stdout)["accounts"][0]["cash"]
    untold = openbell("explain", "session", 15, cwd=tmp_path)
    assert untold.returncode in (3, 5)


def test_retention_takes_nothing_from_under_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    history = open_history(_long_session(folder))
    _snapshots(history)
    would_go = plan_retention(history).segments
    removed: list[int] = []
    copy_journal = backup._copy_journal

    def meanwhile(*arguments: Any) -> None:
        removed.extend(retain(history, now_ns=NOW).removed)
        copy_journal(*arguments)

    monkeypatch.setattr(backup, "_copy_journal", meanwhile)
    made = back_up(history, tmp_path / "backup", now_ns=NOW)
    assert would_go and not removed
    assert verify(tmp_path / "backup" / "journal").first_sequence == 1
    assert made.last_sequence == verify(history.journal).last_sequence
    assert plan_retention(history).segments == would_go  # it is no reader any more


def _long_session(folder: Path) -> Path:
    """A session in small segments: the records of one that was not."""
    exchange(folder / "whole", rounds=40)
    writer = JournalWriter.create(
        folder / "journal",
        epoch=7,
        created_time=NOW,
        created_by="openbell tests",
        durability="batch",
        segment_size=8192,
        accept_any_file_system=True,
    )
    node = Node(mode="replay")
    for slots in open_history(folder / "whole").raw_batches():
        for record in _records(slots):
            node.run(record, None, [])
            writer.append(record)
            writer.commit(node.output_hash)
    writer.close(node.output_hash)
    shutil.rmtree(folder / "whole")
    return folder


def _records(slots: Any) -> Any:
    from openbell.journal.record_fields import heads_of, record_starts

    for start in record_starts(slots):
        yield slots[start * 64 : (start + int(heads_of(slots)["slots"][start])) * 64]


def _snapshots(history: Any) -> None:
    """Two snapshots of different moments, as a follower leaves them: one before the last records came."""
    follower = Follower(history.journal, history.snapshots)
    follower.follow(NOW)
    follower.save(NOW)
    writer = JournalWriter.open(history.journal, accept_any_file_system=True)
    clock = records("ClockAdvanced", 1)
    clock["sequence"], clock["time"] = writer.next_sequence, NOW + 10**12
    writer.append(as_slots(clock))
    node = Node.at(history.journal, 2**64 - 1)
    node.run(as_slots(clock), None, [])
    writer.close(node.output_hash)
    save_snapshot(history, NOW)


# ---- restore to a sequence


@pytest.mark.parametrize("durability", ["none", "batch"])
def test_restored_to_a_sequence_it_has_the_state_of_then(tmp_path: Path, durability: Any) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    if durability == "batch":
        _long_session(folder)
    else:
        session(folder, rounds=3)
    history = open_history(folder)
    back_up(history, tmp_path / "backup", now_ns=NOW)
    restore_backup(tmp_path / "backup", tmp_path / "restored", 25)
    restored_to(tmp_path / "restored", 25, actor="anna", backup="backup", now_ns=NOW)
    again = open_history(tmp_path / "restored")
    assert verify(again.journal).last_sequence == 26
    assert state_at(again, 25).node.state_hash() == state_at(history, 25).node.state_hash()
    assert not list(again.journal.glob("cut-*"))


def test_a_sequence_that_the_backup_does_not_hold_is_refused(tmp_path: Path) -> None:
    session(tmp_path / "session")
    assert openbell("journal", "backup", "session", "backup", cwd=tmp_path).returncode == 0
    done = openbell("journal", "restore", "backup", "restored", "--to", 44, cwd=tmp_path)
    assert done.returncode == 3
    assert "no such sequence in the backup, found 44, expected 1 to 43" in done.stderr
    assert not (tmp_path / "restored").exists()
    done = openbell("journal", "restore", "backup", "restored", "--to", 20, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["to"] == 20


# ---- epochs


def test_a_new_epoch_goes_on_from_the_state_of_the_end(tmp_path: Path) -> None:
    folder = session(tmp_path / "session")
    end = state_at(open_history(folder)).node
    begun = begin_epoch(folder, created_by="openbell tests", now_ns=NOW)
    assert (begun.old_epoch, begun.epoch, begun.last_sequence) == (7, 8, 43)
    now = open_history(folder)
    assert now.report().first_sequence == 44
    assert state_at(now).node.state_hash() == end.state_hash()
    old = open_history(folder / "epochs" / "7")
    assert state_at(old).node.state_hash() == end.state_hash()
    again = begin_epoch(folder, created_by="openbell tests", now_ns=NOW)
    assert (again.old_epoch, again.epoch, again.last_sequence) == (8, 9, 43)


def test_an_interrupted_crossing_is_finished_by_the_next_call(tmp_path: Path) -> None:
    folder = session(tmp_path / "session")
    begin_epoch(folder, created_by="openbell tests", now_ns=NOW)
    (folder / "epochs" / "beginning").mkdir()
    (folder / "journal").rename(folder / "epochs" / "beginning" / "journal")
    begun = begin_epoch(folder, created_by="openbell tests", now_ns=NOW)
    assert begun.epoch == 9


def test_a_run_has_no_epochs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="epochs are of the directory of an exchange"):
        begin_epoch(segmented(tmp_path / "journal"), created_by="openbell tests", now_ns=NOW)
