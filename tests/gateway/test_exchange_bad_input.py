"""What an exchange is given that cannot be right: a clear line and an exit code, nothing touched, and a running one lives."""

import asyncio
import hashlib
import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from openbell.kernel import Follower, JournalWriter, Node, verify_journal
from openbell.messages.layouts import as_slots, records
from openbell.runtime.exchange_demo import demo_settings
from openbell.runtime.exchange_directory import STAGE, configuration
from openbell.runtime.toml_text import toml_text
from tests.cli.commands_here import openbell_here as openbell
from tests.gateway.processes import OPENBELL, ROOT, exchange, fails, health, trade

DAY = 86_400 * 10**9


def an_exchange(folder: Path) -> Path:
    """The directory of an exchange that was traded at and stopped."""
    with exchange("--demo", "--directory", folder) as told:
        trade(told)
    return folder


def save_state(folder: Path, *, configuration: int) -> Path:
    """The snapshots of a stopped exchange: one, of its end."""
    snapshots = folder / "journal" / "snapshots"
    shutil.rmtree(snapshots, ignore_errors=True)
    follower = Follower(folder / "journal", snapshots, configuration=configuration)
    follower.follow(0)
    follower.save(0)
    return snapshots


def content(folder: Path) -> dict[str, str]:
    """A hash of every file but the lock, and the watermark, which every opening confirms."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("LOCK", "WATERMARK")
    }


def refused(folder: Path, code: int, told: str) -> None:
    before = content(folder)
    found, message = fails("--demo", "--directory", folder, "--port", 0)
    assert (found, told in message) == (code, True), message
    assert content(folder) == before, "nothing is touched"


# ---- what belongs to somebody else


def test_a_segment_of_another_history_is_refused(tmp_path: Path) -> None:
    ours, theirs = an_exchange(tmp_path / "ours"), an_exchange(tmp_path / "theirs")
    shutil.copyfile(theirs / "journal" / "00000001.seg", ours / "journal" / "00000001.seg")
    refused(ours, 5, "MUST")


def test_a_snapshot_of_another_epoch_is_refused(tmp_path: Path) -> None:
    ours, theirs = an_exchange(tmp_path / "ours"), an_exchange(tmp_path / "theirs")
    snapshots = save_state(theirs, configuration=0)
    shutil.rmtree(ours / "journal" / "snapshots", ignore_errors=True)
    shutil.copytree(snapshots, ours / "journal" / "snapshots")
    refused(ours, 5, "the snapshot has epoch")


def test_a_snapshot_of_another_configuration_is_refused(tmp_path: Path) -> None:
    ours = an_exchange(tmp_path / "ours")
    save_state(ours, configuration=7)
    refused(ours, 5, "the snapshot has configuration 0x7, this node has 0x0")


# ---- where it cannot be


def test_a_directory_without_permission_is_refused(tmp_path: Path) -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("no setpriv on this machine to give up the rights of root with")
    ours = an_exchange(tmp_path / "ours")
    before = content(ours)
    (tmp_path / "shut").mkdir(mode=0o500)
    without_rights = [setpriv, "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    for path, mode, told in (
        (tmp_path / "shut" / "x", None, "cannot make"),
        (ours, "journal", "Permission denied"),
        (ours, "journal/00000001.seg", "Permission denied"),
    ):
        shut = None if mode is None else ours / mode
        kept = 0 if shut is None else shut.stat().st_mode
        if shut is not None:
            shut.chmod(0o000)
        done = subprocess.run(
            [*without_rights, *OPENBELL, "exchange", "--demo", "--directory", str(path), "--port", "0"],
            capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
        )  # fmt: skip
        if shut is not None:
            shut.chmod(kept)
        assert done.returncode in (1, 5), done.stderr
        assert told in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
    assert content(ours) == before


def test_memory_is_no_place_for_a_journal_that_syncs_unless_somebody_accepts_it() -> None:
    memory = Path("/dev/shm")
    if (
        not memory.is_dir()
        or "tmpfs"
        not in subprocess.run(
            ["stat", "-f", "-c", "%T", str(memory)], capture_output=True, text=True, check=False
        ).stdout
    ):
        pytest.skip("no file system in memory on this machine")
    folder = memory / f"openbell-test-{time.monotonic_ns()}"
    try:
        code, message = fails("--demo", "--directory", folder, "--port", 0)
        assert code == 5, message
        assert "which survives neither the machine" in message
        assert not (folder / "journal").exists()
        with exchange("--demo", "--directory", folder, "--accept-any-file-system") as told:
            trade(told)
        refused(folder, 5, "which survives neither the machine")
        with exchange("--demo", "--directory", folder, "--accept-any-file-system") as again:
            assert again["sequence"] == told["ended"]["sequence"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---- clocks


@pytest.mark.parametrize(
    ("days", "told"), [(400, "it is behind by more than"), (-400, "it is ahead by more than a year")]
)
def test_a_clock_that_cannot_be_right_starts_nothing_unless_it_is_accepted(
    tmp_path: Path, days: int, told: str
) -> None:
    folder = begun_at(tmp_path / "x", time.time_ns() + days * DAY)
    refused(folder, 2, told)
    with exchange("--demo", "--directory", folder, "--accept-clock") as started:
        trade(started)


def begun_at(folder: Path, now_ns: int) -> Path:
    """An exchange of the demo whose first records, and so its last, are of another time."""
    settings, _ = demo_settings()
    folder.mkdir()
    (folder / STAGE).write_text(toml_text(settings.stage()))
    writer = JournalWriter.create(
        folder / "journal", epoch=7, created_time=now_ns, created_by="test", durability="batch"
    )
    slots = configuration(settings).copy()
    heads = slots.view("<u8").reshape(-1, 8)
    sequence = 0
    for row in range(len(heads)):
        sequence += int(heads[row, 2] & 0xFFFF) != 2
        heads[row, 0], heads[row, 1] = sequence, now_ns
    node = Node(mode="replay")
    node.run(slots, None, [])
    writer.append(slots)
    writer.commit(node.output_hash, (node.sequence, node.state_hash()))
    writer.close(node.output_hash, (node.sequence, node.state_hash()))
    return folder


# ---- two at once


def test_what_would_change_a_journal_is_refused_while_an_exchange_has_it(tmp_path: Path) -> None:
    with exchange("--demo", "--directory", tmp_path / "x") as told:
        trade(told)
        who = ("--reason", "a test", "--actor", "anna")
        for verb in (
            ("doctor", tmp_path / "x", "--cut-behind", 12, "--accept-loss", *who),
            ("doctor", tmp_path / "x", "--skip", 12, *who),
            ("doctor", tmp_path / "x", "--reseal", *who),
            ("new-epoch", tmp_path / "x"),
        ):
            done = openbell("journal", *verb, cwd=tmp_path)
            assert done.returncode == 5, (verb, done)
            assert "another writer has this journal open" in done.stderr
        assert health(told)["state"] == "RUNNING"
        trade(told)
    assert verify_journal(tmp_path / "x" / "journal", require_closed=True).closed


# ---- frames


def test_bad_frames_are_answered_by_name_and_the_exchange_lives(tmp_path: Path) -> None:
    with exchange("--demo", "--directory", tmp_path / "x") as told:
        trade(told)
        before = health(told)["sequence"]
        asyncio.run(_misbehave(told["url"], told["keys"]["alice"]))
        now = health(told)
        assert (now["state"], now["sequence"]) == ("RUNNING", before), "nothing of it was journaled"
        trade(told)


async def _misbehave(url: str, key: str) -> None:
    login = json.dumps({"type": "login", "key": key})
    cancel = json.dumps({"type": "cancel", "client_order_id": 1})
    async with connect(url, compression=None) as stranger:
        assert await _code(stranger, cancel) == "LOGIN_MUST_COME_FIRST"
        assert await _code(stranger, "{") == "FRAME_MUST_BE_JSON"
        assert await _code(stranger, b"\x00") == "FRAME_MUST_BE_TEXT"
        assert await _code(stranger, "x" * 70_000) == "FRAME_MUST_NOT_EXCEED_LIMIT"
        wrong = json.dumps({"type": "login", "key": "alice.wrong"})
        assert await _code(stranger, wrong) == "KEY_MUST_BE_KNOWN"
        with pytest.raises(ConnectionClosed) as closed:
            await stranger.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4001
    async with connect(url, compression=None, max_size=None) as known:
        await known.send(login)
        assert await _code(known, login) == "LOGIN_MUST_COME_ONCE"
        replace = {"type": "replace", "client_order_id": 999, "price": "1.00"}
        assert await _code(known, json.dumps(replace)) == "ORDER_MUST_EXIST"
        unsubscribe = {"type": "unsubscribe", "channel": "depth", "instrument": "ACME"}
        assert await _code(known, json.dumps(unsubscribe)) == "SUBSCRIPTION_MUST_EXIST"
        with pytest.raises(ConnectionClosed) as closed:
            await _send_and_read_on(known, "x" * 3_000_000)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    async with connect(url, compression=None) as late:
        ahead = {"type": "login", "key": key, "resume_from": 10**9}
        assert await _code(late, json.dumps(ahead)) == "SEQUENCE_MUST_BE_REACHED"


async def _send_and_read_on(socket: ClientConnection, frame: str) -> None:
    await socket.send(frame)
    while True:
        await socket.recv()


async def _code(socket: ClientConnection, frame: str | bytes) -> str:
    await socket.send(frame)
    while True:
        answer = json.loads(await asyncio.wait_for(socket.recv(), 10))
        if answer["type"] == "error":
            return str(answer["code"])


# ---- more than fits into memory


def test_a_journal_larger_than_the_memory_that_is_allowed_is_verified_and_replayed(tmp_path: Path) -> None:
    count, batches = 100_000, 20
    clock = records("ClockAdvanced", count)
    node = Node(mode="replay")
    writer = JournalWriter.create(
        tmp_path / "journal",
        epoch=7,
        created_time=1,
        created_by="test",
        durability="none",
        segment_size=16 << 20,
    )
    for _ in range(batches):
        first = writer.next_sequence
        clock["sequence"] = range(first, first + count)
        clock["time"] = clock["sequence"]
        slots = as_slots(clock)
        node.run(slots, None, [])
        writer.append(slots)
        writer.commit(node.output_hash)
    writer.close(node.output_hash)
    size = sum(path.stat().st_size for path in (tmp_path / "journal").glob("*.seg"))
    small = _most_memory("journal", "inspect", tmp_path / "journal")
    for verb in (("journal", "verify"), ("replay",)):
        more = _most_memory(*verb, tmp_path / "journal") - small
        assert more < size / 3, f"{verb}: {more >> 20} MiB more for a journal of {size >> 20} MiB"


def _most_memory(*arguments: object) -> int:
    """The most bytes that a command had in memory at once."""
    command = ["/usr/bin/env", "python3", "-c", _MEASURED, *OPENBELL, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1]) * 1024


_MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""
