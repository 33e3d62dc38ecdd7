"""Kills `openbell exchange` under load, again and again, and checks that nothing it acknowledged is lost.

    python -m tests.simulation.kill_exchange --kills 100 --seed 7

Two client processes trade with each other and keep every execution they are told. The exchange is killed with SIGKILL at a random
moment: while it starts and recovers, while it trades, or while its follower saves a snapshot, every few hundred records. It is
killed alone, and its follower goes on for a moment, or together with it. It is started again on the same directory, and the
clients go on where they were. Every `GENERATION` kills it is stopped cleanly, and the journal is held against what the clients
kept:

* every execution that a client was told is in the journal once, equal and in order, and none in between is missing;
* every order that a client sent was taken at most once, and exactly once in the end, for it is sent again after a crash;
* the journal verifies; every state and output hash that the live node wrote is that of the replay; so is the last;
* every snapshot that was there at any kill is the replay's state at its record, and there were some;
* positions add up to zero, cash and fees to what was deposited.

What is killed is a process, not the machine: the disk keeps what was written. Lost power is simulated elsewhere.
"""

import argparse
import json
import os
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from openbell.gateway.keys import new_key
from openbell.kernel import compare_history, snapshots_in
from openbell.model.instrument import Instrument
from tests.simulation.acknowledged import check_client, check_conservation, check_orders, replay

GENERATION = 50
CASH = 1_000_000_000
ACCOUNTS = ("alice", "bob")
INSTRUMENTS = (Instrument("ACME", tick="0.05"), Instrument("BELL", tick="0.05"))
SECONDS_TO_START = 120.0
SECONDS_TO_SAVE = 4.0
"""A follower is a new process: it needs a while before it saves."""
RECORDS_TO_SAVE = 300
PORTS = (20_000, 32_000)
UNFINISHED = "next.snap"
COLLECTED = "collected"
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Score:
    """What a campaign did and found."""

    kills: int = 0
    while_starting: int = 0
    while_saving: int = 0
    with_follower: int = 0
    snapshots: int = 0
    cold_starts: int = 0
    executions: int = 0
    orders: int = 0
    records: int = 0
    hashes_compared: int = 0
    restart_seconds: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def text(self) -> str:
        restarts = sorted(self.restart_seconds) or [0.0]
        return (
            f"{self.kills} kills ({self.while_starting} while starting or recovering, {self.while_saving} inside the writing of "
            f"a snapshot, {self.kills - self.while_starting - self.while_saving} while trading; {self.with_follower} with the "
            f"follower, {self.cold_starts} of cold-started processes), {self.snapshots} snapshots equal to the replay, "
            f"{self.orders} orders sent, {self.executions} executions told to clients and found in "
            f"{self.records} records, {self.hashes_compared} live hashes equal to the replay's, recovery "
            f"{restarts[len(restarts) // 2] * 1000:.0f} ms (p50) {restarts[-1] * 1000:.0f} ms (most), "
            f"{time.monotonic() - self.began:.0f} s"
        )


class Server:
    """The exchange as a process: forked from a nursery, or started cold as a user starts it."""

    def __init__(self, arguments: list[str]) -> None:
        self._arguments = arguments
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._cold: subprocess.Popen[str] | None = None
        self._cold_reader: threading.Thread | None = None
        # What hangs is asked for its stacks, with SIGABRT.
        self._environment = os.environ | {"PYTHONFAULTHANDLER": "1"}
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.simulation.exchange_nursery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=self._environment,
        )  # fmt: skip
        threading.Thread(target=self._read, args=(self._nursery,), daemon=True).start()
        self.pid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.pid:
            self.kill()
        assert self._nursery.stdin is not None
        self._nursery.stdin.close()
        self._nursery.wait(10)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.put(json.loads(line))

    def _read_to_end(self, process: subprocess.Popen[str]) -> None:
        """Of a cold process: nobody else says that it has ended, for example because somebody has its port."""
        self._read(process)
        self._lines.put({"event": "exited", "code": process.wait()})

    def start(self, *, cold: bool) -> None:
        if cold:
            self._cold = subprocess.Popen(
                [sys.executable, "-m", "openbell", *self._arguments],
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=self._environment,
                process_group=0,
            )
            self.pid = self._cold.pid
            self._cold_reader = threading.Thread(target=self._read_to_end, args=(self._cold,), daemon=True)
            self._cold_reader.start()
            return
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(self._arguments) + "\n")
        self._nursery.stdin.flush()
        self.pid = self._wait_for("started")["pid"]

    def wait_until_listening(self) -> dict[str, Any]:
        return self._wait_for("listening")

    def _wait_for(self, event: str) -> dict[str, Any]:
        while True:
            try:
                found = self._lines.get(timeout=SECONDS_TO_START)
            except queue.Empty:
                raise AssertionError(
                    f"the exchange did not say {event!r} in {SECONDS_TO_START:g} s; its threads (in Python: see stderr):\n"
                    f"{self.stacks()}"
                ) from None
            if found["event"] == event:
                return found
            if found["event"] == "exited" and event != "exited":
                raise AssertionError(f"the exchange ended with {found['code']} where {event!r} was expected")

    def stacks(self) -> str:
        """Where the threads of the exchange are in the system; where they are in Python it writes to stderr, and ends."""
        told = _threads(self.pid)
        os.kill(self.pid, signal.SIGABRT)
        return told

    def kill(self, *, with_follower: bool = False) -> None:
        """SIGKILL, and wait until the process is gone."""
        try:
            os.killpg(self.pid, signal.SIGKILL) if with_follower else os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(self.pid, signal.SIGKILL)  # in the first instant after a fork it has no group of its own
        self._gone(-signal.SIGKILL)

    def stop(self) -> dict[str, Any]:
        """SIGTERM; returns how the exchange says it ended."""
        os.kill(self.pid, signal.SIGTERM)
        ended = self._wait_for("ended")
        self._gone(0)
        return ended

    def _gone(self, expected: int) -> None:
        if self._cold is not None:
            code, self._cold = self._cold.wait(60), None
            assert self._cold_reader is not None
            self._cold_reader.join()
            # What it still said before it was killed is of no interest to the next start.
            self._lines = queue.Queue()
        else:
            code = self._wait_for_exit()
        self.pid = 0
        assert code == expected, f"the exchange ended with {code}, not {expected}"

    def _wait_for_exit(self) -> int:
        while True:
            found = self._lines.get(timeout=60)
            if found["event"] == "exited":
                return int(found["code"])


class Campaign:
    """So many kills, from one seed."""

    def __init__(self, kills: int, seed: int, folder: Path, report: Any = print) -> None:
        self.kills, self.seed, self.folder, self.report = kills, seed, folder, report
        self.chance = random.Random(seed)
        self.score = Score()

    def run(self) -> Score:
        """Raises AssertionError at the first thing that must not be, and leaves its files."""
        generation = 0
        while self.score.kills < self.kills:
            folder = self.folder / f"generation-{generation}"
            ended = self.generation(folder, min(GENERATION, self.kills - self.score.kills))
            self.check(folder, ended)
            shutil.rmtree(folder, ignore_errors=True)  # a follower that was left alone may be ending there
            generation += 1
            self.report(f"  generation {generation}: {self.score.text()}")
        return self.score

    def generation(self, folder: Path, kills: int) -> dict[str, Any]:
        """Begin an exchange in `folder`, kill it so often, and stop it. Returns how it said it ended."""
        folder.mkdir(parents=True)
        port = _free_port()
        keys = _write_config(folder / "config.toml", port)
        arguments = [
            "exchange",
            "--config",
            str(folder / "config.toml"),
            "--directory",
            str(folder / "exchange"),
            "--json",
        ]
        url = f"ws://127.0.0.1:{port}/ws"
        clients = [
            _start_client(url, keys[name], self.chance.randrange(2**31), folder / name) for name in ACCOUNTS
        ]
        try:
            with Server(arguments) as server:
                for _ in range(kills):
                    self._kill_once(server, folder / "exchange" / "journal" / "snapshots")
                    _require_alive(clients)
                server.start(cold=False)
                server.wait_until_listening()
                _wait_for_snapshot(folder / "exchange" / "journal" / "snapshots")
                _finish(clients)
                ended = server.stop()
        finally:
            for client in clients:
                if client.poll() is None:
                    client.kill()
                client.wait()
        return ended

    def _kill_once(self, server: Server, snapshots: Path) -> None:
        cold = self.chance.random() < 0.05
        unfinished, with_follower = snapshots / UNFINISHED, self.chance.random() < 0.5
        left_over = _identity(unfinished)
        server.start(cold=cold)
        self.score.cold_starts += cold
        if self.chance.random() < 0.35:
            # Anywhere from the first import to the first connection.
            usual = self.score.restart_seconds[-1] if self.score.restart_seconds else 0.1
            time.sleep(self.chance.random() * (1.0 if cold else 1.2 * usual))
            self.score.while_starting += 1
            is_starting = True
        else:
            self.score.restart_seconds.append(server.wait_until_listening()["restart_seconds"])
            is_starting = False
        if not is_starting and self.chance.random() < 0.4:
            with_follower = _wait_for_saving(unfinished, SECONDS_TO_SAVE) or with_follower
        elif not is_starting:
            time.sleep(self.chance.random() ** 2 * 0.6)
        before = _identity(unfinished)
        server.kill(with_follower=with_follower)
        collect(snapshots, snapshots.parents[2] / COLLECTED)
        # What was being written and was not finished is still there.
        is_inside = with_follower and before not in (None, left_over) and _identity(unfinished) == before
        self.score.while_saving += is_inside and not is_starting
        self.score.with_follower += with_follower
        self.score.kills += 1

    def _check_snapshots(self, folder: Path) -> None:
        """Compare every snapshot that was there at any kill, and those at the end, with the replay's state at its record."""
        journal, collected = folder / "exchange" / "journal", folder / COLLECTED
        collect(journal / "snapshots", collected)
        whole = [sequence for sequence, *_, problem in snapshots_in(collected) if problem is None]
        assert whole, (
            "no snapshot was there to be compared with the replay: this generation has proven nothing about them"
        )
        differences = compare_history(journal, collected)
        assert not differences, f"a snapshot is not the replay's state: {differences}"
        self.score.snapshots += len(whole)

    def check(self, folder: Path, ended: dict[str, Any]) -> None:
        """Hold what the clients kept against the journal. Raises AssertionError at the first difference."""
        numbers = range(1, len(ACCOUNTS) + 1)
        told = replay(folder / "exchange" / "journal", numbers)
        for number, name in zip(numbers, ACCOUNTS, strict=True):
            self.score.executions += check_client(number, folder / name / "told", told, INSTRUMENTS)
            self.score.orders += check_orders(number, folder / name / "sent", told, all_answered=True)
        check_conservation(told, numbers, INSTRUMENTS, CASH * len(ACCOUNTS))
        assert told.node.sequence == ended["sequence"]
        assert f"{told.node.state_hash():032x}" == ended["state_hash"], "the replay ends in another state"
        self._check_snapshots(folder)
        self.score.hashes_compared += told.hashes_compared + 1
        self.score.records += told.node.sequence


def collect(snapshots: Path, collected: Path) -> None:
    """Keep the snapshots that are there under another name: the exchange removes all but two."""
    collected.mkdir(exist_ok=True)
    for one in snapshots.glob("*[0-9].snap"):
        with suppress(FileNotFoundError, FileExistsError):  # removed meanwhile; collected before
            (collected / one.name).hardlink_to(one)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file that is, and when it was last written; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _wait_for_saving(unfinished: Path, seconds: float) -> bool:
    """Wait until a snapshot is being written; False where none is in that time."""
    left_over, deadline = _identity(unfinished), time.monotonic() + seconds
    while time.monotonic() < deadline:
        if _identity(unfinished) not in (None, left_over):
            return True
    return False


def _wait_for_snapshot(snapshots: Path) -> None:
    """Let the exchange trade on until one is whole, so that each generation has one to compare with the replay."""
    deadline = time.monotonic() + SECONDS_TO_START
    while not any(snapshots.glob("*[0-9].snap")):
        assert time.monotonic() < deadline, f"no snapshot came in {SECONDS_TO_START:g} s of trading"
        time.sleep(0.05)


def _threads(pid: int) -> str:
    """Each thread of a process, its state, and what it waits for in the kernel."""
    lines = []
    for task in sorted(Path(f"/proc/{pid}/task").glob("*")):
        with suppress(OSError):
            state = (task / "stat").read_text().rpartition(")")[2].split()[0]
            waits = (task / "wchan").read_text()
            lines.append(f"  {task.name} {(task / 'comm').read_text().strip()}: {state} {waits}")
    return "\n".join(lines) or "  the process is gone"


def _free_port() -> int:
    """A port outside the range from which the system gives ports to whoever asks for any: between two lives of the exchange
    nobody must be given its own."""
    for _ in range(1_000):
        port = random.SystemRandom().randrange(*PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"no port from {PORTS[0]} to {PORTS[1]} is free")


def _write_config(path: Path, port: int) -> dict[str, str]:
    keys = {}
    lines = [
        "[server]",
        f"port = {port}",
        "[sessions]",
        "messages_per_second = 1000000",
        "[snapshots]",
        f"records = {RECORDS_TO_SAVE}",
        "[fees]",
        'taker = "2bps"',
    ]
    for name in ACCOUNTS:
        keys[name], sha256 = new_key(name)
        lines += ["[[keys]]", f'name = "{name}"', f'account = "{name}"', f'sha256 = "{sha256}"']
        lines += ["[[accounts]]", f'name = "{name}"', f"cash = {CASH}", "shorting = true"]
    for one in INSTRUMENTS:
        lines += ["[[instruments]]", f'symbol = "{one.symbol}"', f'tick = "{one.tick}"']
    path.write_text("\n".join(lines) + "\n")
    return keys


def _start_client(url: str, key: str, seed: int, folder: Path) -> subprocess.Popen[str]:
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "tests.simulation.kill_client", url, key, str(seed), str(folder / "told"), str(folder / "sent")],
        stdin=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def _require_alive(clients: list[subprocess.Popen[str]]) -> None:
    for name, client in zip(ACCOUNTS, clients, strict=True):
        assert client.poll() is None, f"the client of {name} ended; its last line on stderr says why"


def _finish(clients: list[subprocess.Popen[str]]) -> None:
    """Let the clients hear the answers to everything they sent."""
    for client in clients:
        assert client.stdin is not None
        client.stdin.write("finish\n")
        client.stdin.flush()
    for name, client in zip(ACCOUNTS, clients, strict=True):
        code = client.wait(SECONDS_TO_START)
        assert code == 0, f"the client of {name} ended with {code}"


def campaign(kills: int, seed: int, folder: Path | None = None) -> Score:
    """Run a campaign; its files stay in the folder that is printed where it fails."""
    kept = Path(tempfile.mkdtemp(prefix="openbell-kill-")) if folder is None else folder
    print(f"seed {seed}: python -m tests.simulation.kill_exchange --kills {kills} --seed {seed}", flush=True)
    try:
        score = Campaign(kills, seed, kept, lambda line: print(line, flush=True)).run()
    except BaseException:
        print(f"the files are in {kept}", flush=True)
        raise
    if folder is None:
        shutil.rmtree(kept)
    return score


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Kill an exchange under load and check what it acknowledged."
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(2**31) if arguments.seed is None else arguments.seed
    print(campaign(arguments.kills, seed).text())


if __name__ == "__main__":
    main()
