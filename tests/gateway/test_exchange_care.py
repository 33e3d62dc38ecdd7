"""How an exchange keeps its journal: snapshots, retention, signatures, and what a crash means for orders."""

import asyncio
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from openbell.gateway.client import ExchangeClient
from openbell.gateway.protocol import OrderAccepted
from openbell.kernel import (
    JournalReader,
    JournalWriter,
    compare_history,
    journal_segments,
    seal_public_key,
    snapshots_in,
    verify_journal,
)
from openbell.messages.layouts import select
from openbell.runtime.journal_readers import register_reader
from openbell.runtime.retention import RetentionPolicy
from openbell.runtime.seal_keys import make_seal_key, read_public_key, read_seal_key
from tests.cli.commands_here import openbell_here as openbell
from tests.gateway.processes import config, exchange, fails, health, until

Told = dict[str, Any]
SMALL_SEGMENTS = "[journal]\nsegment_bytes = 65536"


def new_keys(*names: str) -> tuple[dict[str, str], str]:
    """Keys by account, and the tables that let them in."""
    keys, tables = {}, []
    for name in names:
        made = openbell("exchange", "--new-key", name, "--json", cwd=Path.cwd())
        told = json.loads(made.stdout)
        keys[name] = told["key"]
        tables.append(f'[[keys]]\nname = "{name}"\naccount = "{name}"\nsha256 = "{told["sha256"]}"')
    return keys, "\n".join(tables)


@pytest.fixture(scope="module")
def keys() -> tuple[dict[str, str], str]:
    return new_keys("alice")


def with_key(folder: Path, keys: tuple[dict[str, str], str], **tables: str) -> Path:
    return config(
        folder,
        accounts='[[accounts]]\nname = "alice"\ncash = 1_000_000_000',
        keys=keys[1],
        sessions="[sessions]\nmessages_per_second = 100_000",
        **tables,
    )


def rest_orders(url: str, key: str, first: int, count: int) -> None:
    """Orders that rest, each acknowledged before this returns."""

    async def talk() -> None:
        async with ExchangeClient(url, key) as client:
            for number in range(first, first + count):
                await client.submit(number, "ACME", "BUY", "1", price="10.00")
            for number in range(first, first + count):
                await client.execution(number)

    asyncio.run(talk())


def place_and_cancel(url: str, key: str, first: int, count: int) -> None:
    """Orders that are canceled again: the journal grows and the state nearly does not."""

    async def talk() -> None:
        async with ExchangeClient(url, key) as client:
            for number in range(first, first + count):
                await client.submit(number, "ACME", "BUY", "1", price="10.00")
                await client.cancel(number)
            for number in range(first, first + count):
                await client.execution(number)
                await client.execution(number)

    asyncio.run(talk())


# ---- cancel on disconnect


def test_orders_of_a_session_that_wanted_it_are_canceled_after_a_crash_and_others_are_not(
    tmp_path: Path, keys: tuple[dict[str, str], str]
) -> None:
    arguments = ("--config", with_key(tmp_path, keys), "--directory", tmp_path / "x")
    key = keys[0]["alice"]
    with exchange(*arguments, stop=signal.SIGKILL) as first:

        async def leave_orders() -> None:
            async with (
                ExchangeClient(first["url"], key, cancel_on_disconnect=True) as bound,
                ExchangeClient(first["url"], key) as free,
            ):
                for number, client in ((1, bound), (2, free), (3, bound)):
                    await client.submit(number, "ACME", "BUY", "1", price="10.00")
                    assert type(await client.execution(number)).__name__ == "OrderAccepted"
                await bound.replace(3, price="11.00")
                await bound.execution(3)
                subprocess.run(["kill", "-9", str(first["pid"])], check=True)

        asyncio.run(leave_orders())
    with exchange(*arguments) as second:

        async def look() -> tuple[list[int], str]:
            async with ExchangeClient(second["url"], key) as client:
                state = await client.state()
                return [order.client_order_id for order in state.orders], (await client.order_status(1)).state

        assert asyncio.run(look()) == ([2], "CANCELED")
    told = openbell("explain", tmp_path / "x", 3, "--client", cwd=tmp_path).stdout
    assert "account 1 asked to cancel" in told, told
    with exchange(*arguments) as third:
        assert third["sequence"] == second["ended"]["sequence"], "nothing is canceled twice"


# ---- snapshots


def test_a_client_that_was_away_is_told_what_came_before_the_last_snapshot(
    tmp_path: Path, keys: tuple[dict[str, str], str]
) -> None:
    """The node saves its state as it ends, so that it begins anew with nothing behind its newest snapshot."""
    file = with_key(tmp_path, keys, snapshots="[snapshots]\ninline_bytes = 1048576")
    arguments = ("--config", file, "--directory", tmp_path / "x")
    key = keys[0]["alice"]
    with exchange(*arguments) as first:
        rest_orders(first["url"], key, 1, 5)
    newest = snapshots_in(tmp_path / "x" / "journal" / "snapshots")[-1][0]
    with exchange(*arguments) as second:
        assert second["sequence"] == newest == first["ended"]["sequence"]

        async def return_to_it() -> list[type[object]]:
            async with ExchangeClient(second["url"], key, resume_from=(0, 0)) as client:
                return [type(await client.execution(number)) for number in range(1, 6)]

        assert asyncio.run(return_to_it()) == [OrderAccepted] * 5


def test_every_order_of_the_session_day_can_be_asked_for_after_a_restart_from_a_snapshot(
    tmp_path: Path, keys: tuple[dict[str, str], str]
) -> None:
    """More of them than an account keeps messages, all closed before the snapshot."""
    file = config(
        tmp_path,
        accounts='[[accounts]]\nname = "alice"\ncash = 1_000_000_000',
        keys=keys[1],
        snapshots="[snapshots]\ninline_bytes = 16777216",
        sessions="[sessions]\nprivate_messages = 100\nmessages_per_second = 100_000",
    )
    arguments, key, count = ("--config", file, "--directory", tmp_path / "x"), keys[0]["alice"], 1_500
    with exchange(*arguments) as first:

        async def close_orders() -> None:
            async with ExchangeClient(first["url"], key) as client:
                for number in range(1, count + 1):
                    await client.submit(number, "ACME", "BUY", "1", price="10.00")
                    await client.execution(number)
                    if number != 7:
                        await client.cancel(number)
                        await client.execution(number)

        asyncio.run(close_orders())
    with exchange(*arguments) as second:
        assert snapshots_in(tmp_path / "x" / "journal" / "snapshots")[-1][0] == second["sequence"]

        async def ask() -> None:
            async with ExchangeClient(second["url"], key) as client:
                for number in range(1, count + 1):
                    order = await client.order_status(number)
                    assert order.state == ("ACCEPTED" if number == 7 else "CANCELED")
                    assert (order.client_order_id, order.quantity, order.price) == (number, "1", "10.00")
                await client.submit(1, "ACME", "BUY", "1", price="10.00")
                again = await client.execution(1)
                assert isinstance(again, OrderAccepted)
                assert again.repeated, "the id is known, and so is its answer"

        asyncio.run(ask())


@pytest.mark.parametrize("bound", ["records = 50", "bytes = 6400", "seconds = 2"])
@pytest.mark.parametrize("writer", ["followed", "inline"])
def test_snapshots_come_after_so_many_records_bytes_or_seconds(
    tmp_path: Path, keys: tuple[dict[str, str], str], bound: str, writer: str
) -> None:
    far = {"records": 10**9, "bytes": 10**15, "seconds": 10**6}
    far.pop(bound.split()[0])
    lines = [f"{name} = {value}" for name, value in far.items()]
    inline = "inline_bytes = 1048576" if writer == "inline" else ""
    file = with_key(tmp_path, keys, snapshots="\n".join(["[snapshots]", bound, *lines, inline]))
    with exchange("--config", file, "--directory", tmp_path / "x", stop=signal.SIGKILL) as told:
        assert health(told)["snapshots"] == writer
        before = health(told)["snapshot_sequence"] or 0
        # Long before two seconds are over nothing comes any more: what came is saved all the same.
        rest_orders(told["url"], keys[0]["alice"], 1, 200)
        until("a snapshot", lambda: (health(told)["snapshot_sequence"] or 0) > before)
        now = health(told)
        assert 0 <= now["snapshot_age_seconds"] < 60
    journal = tmp_path / "x" / "journal"
    assert compare_history(journal, journal / "snapshots") == []


def test_a_state_that_outgrows_inline_snapshots_is_saved_by_a_follower(
    tmp_path: Path, keys: tuple[dict[str, str], str]
) -> None:
    file = with_key(tmp_path, keys, snapshots="[snapshots]\nrecords = 50\ninline_bytes = 16384")
    with exchange("--config", file, "--directory", tmp_path / "x") as told:
        assert health(told)["snapshots"] == "inline"
        rest_orders(told["url"], keys[0]["alice"], 1, 400)
        until("the follower", lambda: health(told)["snapshots"] == "followed")
        rest_orders(told["url"], keys[0]["alice"], 1001, 100)
        until("its snapshot", lambda: (health(told)["snapshot_sequence"] or 0) > 450)
    with exchange("--config", file, "--directory", tmp_path / "x") as again:
        assert health(again)["snapshots"] == "followed"
        assert again["sequence"] == told["ended"]["sequence"]


# ---- retention


@contextmanager
def busy(
    folder: Path, keys: tuple[dict[str, str], str], retention: str, reader: int | None = None
) -> Iterator[Told]:
    """An exchange in small segments that a lot goes through; a reader is registered before anything can be removed."""
    file = with_key(
        folder,
        keys,
        journal=SMALL_SEGMENTS,
        retention=f"[retention]\n{retention}",
        snapshots="[snapshots]\nrecords = 100\ninline_bytes = 1048576",
    )
    with exchange("--config", file, "--directory", folder / "x") as told:
        told["file"] = file
        if reader is not None:
            register_reader(folder / "x" / "journal", "audit", reader, now_ns=1)
        for turn in range(8):
            place_and_cancel(told["url"], keys[0]["alice"], 1 + 400 * turn, 400)
        yield told


def test_a_running_exchange_removes_what_nobody_needs_and_goes_on_from_there(
    tmp_path: Path, keys: tuple[dict[str, str], str]
) -> None:
    journal = tmp_path / "x" / "journal"
    with busy(tmp_path, keys, "keep_bytes = 0") as told:
        until("the begin to go", lambda: health(told)["first_sequence"] > 1000)
        now = health(told)
        assert "second newest whole snapshot" in now["retention"]
        assert now["first_sequence"] == journal_segments(journal)[0][1]
    whole = [one[0] for one in snapshots_in(journal / "snapshots")]
    assert len(whole) == 2
    assert journal_segments(journal)[0][1] <= whole[0] + 1
    proven = openbell("journal", "prove", tmp_path / "x", "--json", cwd=tmp_path)
    assert proven.returncode == 0, proven.stdout
    assert json.loads(proven.stdout)["removed_through"] > 1
    with exchange("--config", told["file"], "--directory", tmp_path / "x") as again:
        assert again["sequence"] == told["ended"]["sequence"]

        async def look() -> tuple[int, bool, bool]:
            async with ExchangeClient(again["url"], keys[0]["alice"], resume_from=(20, 0)) as client:
                await client.submit(100_000, "ACME", "BUY", "1", price="10.00")
                await client.execution(100_000)
                await client.submit(7, "ACME", "BUY", "1", price="10.00")
                answer = await client.execution(7)
                assert isinstance(answer, OrderAccepted)
                assert client.welcome is not None
                return len((await client.state()).orders), answer.repeated, client.welcome.resumed

        assert asyncio.run(look()) == (1, True, False), "an id of before is not used twice"
    _tell_from_where_it_can_be_told(tmp_path / "x", again["ended"]["sequence"])
    older = openbell("inspect", tmp_path / "x", "--at", 5, cwd=tmp_path)
    assert older.returncode == 3
    assert "no such sequence in the journal" in older.stderr
    # the older snapshot serves as well
    (journal / "snapshots" / f"{max(whole):020}.snap").write_bytes(b"damaged")
    with exchange("--config", told["file"], "--directory", tmp_path / "x") as third:
        assert third["sequence"] == again["ended"]["sequence"]


def _tell_from_where_it_can_be_told(folder: Path, last: int) -> None:
    oldest = min(one[0] for one in snapshots_in(folder / "journal" / "snapshots"))

    def told(*arguments: object, code: int = 0) -> Any:
        done = openbell(*arguments, "--json", cwd=folder)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout) if code == 0 else done.stderr

    shown = told("inspect", folder)
    assert (shown["sequence"], "from the snapshot of sequence" in shown["begun"]) == (last, True)
    assert told("replay", folder, "--to", oldest)["sequence"] == oldest
    life = told("explain", folder, 100_000, "--client")
    assert life["notes"] == [f"told from sequence {oldest + 1} on: what came before was removed"]
    assert any("accepted" in step["text"] for step in life["steps"])
    assert "what came before was removed" in told("explain", folder, 99_999, "--client", code=3)
    same = told("diff", folder, folder)
    assert (same["same"], same["begin"]) == (True, oldest)
    heads = told("journal", "inspect", folder)["segments"]
    assert [one["last_sequence"] for one in heads[:-1]] == [one["first_sequence"] - 1 for one in heads[1:]]
    assert told("journal", "doctor", folder)["finding"] == "sound"


def test_a_reader_that_is_behind_keeps_what_it_needs(
    tmp_path: Path, keys: tuple[dict[str, str], str]
) -> None:
    with busy(tmp_path, keys, "keep_bytes = 0", reader=300) as told:
        until("a look", lambda: "reader audit" in health(told)["retention"])
        assert health(told)["first_sequence"] <= 301
        register_reader(tmp_path / "x" / "journal", "audit", 10**9, now_ns=1)
        until("the begin to go", lambda: health(told)["first_sequence"] > 1000)
        # Nothing is removed where it is not clear who needs what; the exchange goes on.
        (tmp_path / "x" / "journal" / "readers" / "audit.toml").write_text("?")
        until("the trouble", lambda: "cursor of a reader" in health(told)["retention"])
        assert health(told)["state"] == "RUNNING"


def test_what_is_to_be_kept_by_size_or_age_stays(tmp_path: Path, keys: tuple[dict[str, str], str]) -> None:
    with busy(tmp_path, keys, "keep_seconds = 3600\nkeep_bytes = 1_000_000_000") as told:
        until("a look", lambda: "snapshot is of sequence" in health(told)["retention"])
        assert health(told)["first_sequence"] == 1


@pytest.mark.parametrize(
    ("keep_bytes", "keep_seconds", "goes"),
    [
        (0, None, 4),
        (None, None, 0),
        (250, None, 2),
        (400, None, 0),
        (None, 25.0, 2),
        (350, 35.0, 1),
        (399, 5.0, 4),
    ],
)
def test_the_oldest_segments_go_beyond_either_bound(
    keep_bytes: int | None, keep_seconds: float | None, goes: int
) -> None:
    segments = [(100, 40.0), (100, 30.0), (100, 20.0), (100, 10.0)]
    assert RetentionPolicy(keep_bytes, keep_seconds).expired(segments) == goes


# ---- signatures


def test_signed_history_is_proven_by_the_public_key_and_a_forged_one_is_shown_where_it_was_touched(
    tmp_path: Path, keys: tuple[dict[str, str], str]
) -> None:
    made = openbell("journal", "new-key", tmp_path / "seal.pem", "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    told_key = json.loads(made.stdout)
    assert (tmp_path / "seal.pem").stat().st_mode & 0o777 == 0o600
    arguments = (
        *("--config", with_key(tmp_path, keys, journal=SMALL_SEGMENTS), "--directory", tmp_path / "x"),
        *("--signing-key", tmp_path / "seal.pem"),
    )
    with exchange(*arguments) as told:
        for turn in range(4):
            rest_orders(told["url"], keys[0]["alice"], 1 + 600 * turn, 600)
    journal = tmp_path / "x" / "journal"
    assert len(journal_segments(journal)) > 2
    for public in (told_key["public_key"], tmp_path / "seal.pem.pub"):
        proven = openbell("journal", "prove", tmp_path / "x", "--public-key", public, cwd=tmp_path)
        assert proven.returncode == 0, proven.stdout
        assert "signed with this key" in proven.stdout
    other = openbell("journal", "new-key", tmp_path / "other.pem", "--json", cwd=tmp_path)
    public = json.loads(other.stdout)["public_key"]
    foreign = openbell("journal", "prove", tmp_path / "x", "--public-key", public, cwd=tmp_path)
    assert foreign.returncode == 5
    assert "entry 1 is signed with another key" in " ".join(foreign.stdout.split())

    touched = touched_byte(tmp_path / "x", tmp_path / "touched")
    done = openbell(
        "journal", "prove", touched, "--public-key", told_key["public_key"], "--json", cwd=tmp_path
    )
    assert done.returncode == 5
    assert "00000002.seg: segment 2" in json.loads(done.stdout)["touched"]

    # Whoever can write the directory tells another history, with right checksums, chain and seals, and a key of their own.
    forged = forged_history(journal, tmp_path / "forged", read_seal_key(tmp_path / "other.pem"))
    assert openbell("journal", "verify", forged, cwd=tmp_path).returncode == 0
    assert openbell("journal", "prove", forged, cwd=tmp_path).returncode == 0, (
        "without the key nobody can tell"
    )
    done = openbell(
        "journal", "prove", forged, "--public-key", told_key["public_key"], "--json", cwd=tmp_path
    )
    assert done.returncode == 5
    assert "entry 1 is signed with another key" in json.loads(done.stdout)["touched"]
    shutil.copyfile(journal / "SEALS", forged / "SEALS")
    done = openbell(
        "journal", "prove", forged, "--public-key", told_key["public_key"], "--json", cwd=tmp_path
    )
    assert done.returncode == 5
    assert "segment 1 is not what was sealed" in json.loads(done.stdout)["touched"]


def touched_byte(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    second = to / "journal" / "00000002.seg"
    content = bytearray(second.read_bytes())
    content[1000] ^= 1
    second.write_bytes(bytes(content))
    return to


def forged_history(journal: Path, to: Path, secret: bytes) -> Path:
    """The same history but for one price, written as the program itself writes one."""
    report = JournalReader(journal).report
    writer = JournalWriter.create(
        to,
        epoch=report.epoch,
        created_time=report.created_time,
        created_by=report.created_by,
        segment_size=report.segment_size,
        accept_any_file_system=True,
        seal_key=secret,
    )
    reader = JournalReader(journal)
    while (slots := reader.read(1)) is not None:
        orders = select(slots, "SubmitOrder")
        if len(orders) and int(orders["client_order_id"][0]) == 7:
            words = slots.view("<i8").reshape(-1, 8)
            words[words[:, 4] == 7, 5] += 1
        writer.append(slots)
        writer.commit()
    writer.close()
    return to


def test_openssl_and_openbell_understand_each_others_keys(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl on this machine to compare with")
    _, public = make_seal_key(tmp_path / "ours.pem")

    def run(*arguments: object) -> bytes:
        return subprocess.run([openssl, *map(str, arguments)], capture_output=True, check=True).stdout

    shown = run("pkey", "-in", tmp_path / "ours.pem", "-pubout")
    assert shown.decode() == (tmp_path / "ours.pem.pub").read_text()
    run("genpkey", "-algorithm", "ed25519", "-out", tmp_path / "theirs.pem")
    (tmp_path / "theirs.pem").chmod(0o600)
    run("pkey", "-in", tmp_path / "theirs.pem", "-pubout", "-out", tmp_path / "theirs.pub")
    assert seal_public_key(read_seal_key(tmp_path / "theirs.pem")) == read_public_key(
        str(tmp_path / "theirs.pub")
    )
    assert read_public_key(public).hex() == public


def test_a_key_that_cannot_be_used_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    make_seal_key(tmp_path / "open.pem")
    (tmp_path / "open.pem").chmod(0o644)
    (tmp_path / "text.pem").write_text("no key")
    (tmp_path / "text.pem").chmod(0o600)
    rsa = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----\n"
    (tmp_path / "rsa.pem").write_text(rsa)
    (tmp_path / "rsa.pem").chmod(0o600)
    for name, told in (
        ("none.pem", "No such file"),
        ("open.pem", "chmod 600"),
        ("text.pem", "no -----BEGIN PRIVATE KEY-----"),
        ("rsa.pem", "is no Ed25519 key"),
    ):
        code, message = fails("--demo", "--directory", tmp_path / "x", "--signing-key", tmp_path / name)
        assert (code, told in message) == (2, True), message
        assert not (tmp_path / "x").exists()
    again = openbell("journal", "new-key", tmp_path / "open.pem", cwd=tmp_path)
    assert (again.returncode, "never written over" in again.stderr) == (2, True)


def test_the_journal_of_an_exchange_is_whole(tmp_path: Path, keys: tuple[dict[str, str], str]) -> None:
    file = with_key(tmp_path, keys, journal=SMALL_SEGMENTS)
    with exchange("--config", file, "--directory", tmp_path / "x") as told:
        rest_orders(told["url"], keys[0]["alice"], 1, 10)
    report = verify_journal(tmp_path / "x" / "journal", require_closed=True)
    assert (report.segment_size, report.closed) == (65536, True)
