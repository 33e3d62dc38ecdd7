"""What an exchange is given that cannot be right: a clear line and an exit code, nothing touched, and a running one lives."""

import asyncio
import hashlib
import json
import resource
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
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


def content(folder: Path) -> dict[str, tuple[str, int]]:
    """Of every file a hash of its bytes, and of every file and folder when it was changed, in nanoseconds."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mtime_ns,
        )
        for path in (folder, *sorted(folder.rglob("*")))
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


def test_a_port_that_somebody_has_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    ours = an_exchange(tmp_path / "ours")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        before = content(ours)
        code, message = fails("--demo", "--directory", ours, "--port", port)
        assert (code, f"cannot listen on 127.0.0.1:{port}" in message) == (2, True), message
        assert content(ours) == before
        code, message = fails("--demo", "--directory", tmp_path / "new", "--port", port)
        assert (code, (tmp_path / "new").exists()) == (2, False), message


def test_a_torn_tail_is_not_cut_by_a_start_that_is_refused(tmp_path: Path) -> None:
    """A kill left half a batch; then the clock cannot be right."""
    folder = begun_at(tmp_path / "x", time.time_ns() + 400 * DAY, close=False)
    segment = folder / "journal" / "00000001.seg"
    end = verify_journal(folder / "journal").end[1]
    with segment.open("r+b") as file:
        file.seek(end)
        file.write(b"\7" * 700)
    refused(folder, 2, "it is behind by more than")
    with exchange("--demo", "--directory", folder, "--accept-clock") as started:
        trade(started)
    assert len(list((folder / "journal").glob("torn-*.bin"))) == 1


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


def begun_at(folder: Path, now_ns: int, *, close: bool = True) -> Path:
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
    if close:
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


ALLOWED, ALLOWED_EXCHANGE = 320 << 20, 512 << 20
"""Bytes of addresses that a command may have: the interpreter and its libraries take 200 MiB without any journal, and each
thread of an exchange some more.
"""
FEW_ADDRESSES = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""Threads and arenas that nobody here uses take addresses, too."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_journal_larger_than_the_memory_that_is_allowed_is_read_replayed_and_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is the system's, on addresses: a command that asks for more is answered with an error."""
    for name, value in FEW_ADDRESSES.items():
        monkeypatch.setenv(name, value)
    journal = _long_journal(tmp_path / "x", 3 * ALLOWED)
    size = sum(path.stat().st_size for path in journal.glob("*.seg"))
    assert size > 3 * ALLOWED
    dump = ("journal", "dump", journal, "--from", 1, "--to", 10**9, "--message", "DepositCash")
    for verb in (
        ("journal", "verify", journal),
        dump,
        ("replay", tmp_path / "x"),
        ("inspect", tmp_path / "x"),
    ):
        _run_with_little_memory(*verb)
    at_once = "import pathlib, sys; [one.read_bytes() for one in pathlib.Path(sys.argv[1]).glob('*.seg')]"
    done = _limited([sys.executable, "-c", at_once, str(journal)])
    assert "MemoryError" in done.stderr, "a limit that does not hold would show nothing"
    with exchange("--demo", "--directory", tmp_path / "x", limit_addresses=ALLOWED_EXCHANGE) as started:
        assert "alice has" in trade(started)


def _long_journal(folder: Path, size: int) -> Path:
    """The exchange of the demo, and then nothing but hours that passed."""
    begun_at(folder, time.time_ns() - 300 * DAY, close=False)
    writer = JournalWriter.open(folder / "journal")
    node = Node.at(folder / "journal", writer.next_sequence - 1)
    count, time_ns = 400_000, node.time
    clock, written = records("ClockAdvanced", count), 0
    while written < size:
        first = writer.next_sequence
        clock["sequence"] = np.arange(first, first + count)
        clock["time"] = time_ns + np.arange(1, count + 1)
        time_ns += count
        slots = as_slots(clock)
        node.run(slots, None, [])
        writer.append(slots)
        writer.commit(node.output_hash, (node.sequence, node.state_hash()))
        written += len(slots)
    writer.close(node.output_hash, (node.sequence, node.state_hash()))
    return folder / "journal"


def _run_with_little_memory(*arguments: object) -> None:
    done = _limited([*OPENBELL, *map(str, arguments)])
    assert done.returncode == 0, (arguments, done.stderr[-2000:])


def _limited(command: list[str]) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (ALLOWED, ALLOWED))

    return subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=300, check=False, cwd=ROOT,
        preexec_fn=limit,
    )  # fmt: skip
