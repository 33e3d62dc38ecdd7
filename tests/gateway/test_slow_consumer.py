"""Clients of a real exchange that stop reading: memory stays bounded, the others trade on, and who was cut off resumes."""

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from openbell.gateway.client import ExchangeClient
from openbell.gateway.keys import new_key
from tests.gateway.processes import config, exchange

SLOW, MOST_GROWTH = 4, 48 << 20
PRIVATE = 500
RESTING = 20
"""Orders of the one who asks for them again and again: an answer of some kilobytes."""


def resident(pid: int) -> int:
    """Bytes of a process that are in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


class Deaf:
    """A client that asks and never reads."""

    def __init__(self, url: str, key: str) -> None:
        host, port = url.removeprefix("ws://").removesuffix("/ws").split(":")
        self.socket = socket.socket()
        # Small, to be full soon; but smaller, or made so once connected, the kernel drops what acknowledges our own
        # frames with what finds no room, and sends them again at ever longer intervals.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        self.socket.settimeout(30)
        self.socket.connect((host, int(port)))
        head = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.socket.sendall(
            f"{head}Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.say(type="login", key=key)

    def say(self, **message: object) -> None:
        payload = json.dumps(message).encode()
        assert len(payload) < 65_536
        length = (
            bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
        )
        self.socket.sendall(b"\x81" + length + bytes(4) + payload)


def flood(pid: int, clients: list[Deaf]) -> int:
    """Let them ask, until each is cut off, for more than all buffers on the way hold; the most memory the process had."""
    most, until = 0, time.monotonic() + 100
    while clients and time.monotonic() < until:
        for one in list(clients):
            try:
                one.say(type="state")
            except OSError:
                clients.remove(one)
        most = max(most, resident(pid))
        time.sleep(0.001)
    return most


def nobody_reads(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    names = ("alice", "bob", "carol")
    keys = {name: new_key(name) for name in names}
    accounts = "\n".join(f'[[accounts]]\nname = "{name}"\ncash = 1000000' for name in names)
    lines = "\n".join(
        f'[[keys]]\nname = "{name}"\naccount = "{name}"\nsha256 = "{hashed}"'
        for name, (_, hashed) in keys.items()
    )
    sessions = f"[sessions]\nprivate_messages = {PRIVATE}\nmessages_per_second = 100000"
    file = config(tmp_path, accounts=accounts, keys=lines, sessions=sessions)
    return file, {name: key for name, (key, _) in keys.items()}


@pytest.mark.timeout(180)
def test_clients_that_do_not_read_stop_nobody_and_cost_bounded_memory(tmp_path: Path) -> None:
    file, keys = nobody_reads(tmp_path)
    with exchange("--config", file, "--directory", tmp_path / "x", "--durability", "none") as told:
        # One kind is sent executions of its account, the other asks for long answers.
        _deaf = [Deaf(told["url"], keys["alice"]) for _ in range(SLOW)]
        asking = [Deaf(told["url"], keys["carol"]) for _ in range(SLOW)]
        asyncio.run(trade_on(told["url"], keys, 1, 200))
        asyncio.run(rest_orders(told["url"], keys["carol"]))
        before = resident(told["pid"])
        worst = asyncio.run(trade_on(told["url"], keys, 201, 4 * PRIVATE, asking))
        grown = flood(told["pid"], asking) - before
        assert grown < MOST_GROWTH, f"{grown >> 20} MiB more"
        assert worst < 5, f"an order waited {worst:.1f} s"
        assert not asking, f"{len(asking)} of {SLOW} were not cut off"
        asyncio.run(resume(told["url"], keys["alice"]))


async def rest_orders(url: str, key: str) -> None:
    async with ExchangeClient(url, key) as client:
        for number in range(1, RESTING + 1):
            await client.submit(number, "ACME", "BUY", "1", price="1.00")
            await client.execution(number)


async def trade_on(
    url: str, keys: dict[str, str], first: int, count: int, asking: list[Deaf] | None = None
) -> float:
    """Let alice rest orders and bob take them; the longest time from an order to its answer."""
    worst = 0.0
    async with ExchangeClient(url, keys["alice"]) as alice, ExchangeClient(url, keys["bob"]) as bob:
        for number in range(first, first + count):
            began = time.monotonic()
            await alice.submit(number, "ACME", "SELL", "1", price="10.00")
            await alice.execution(number)
            await bob.submit(number, "ACME", "BUY", "1", price="10.00")
            await bob.execution(number)
            worst = max(worst, time.monotonic() - began)
            for one in asking or ():
                try:
                    one.say(type="subscribe", channel="trades", instrument="ACME")
                    one.say(type="order_status", client_order_id=1, request=number)
                    one.say(type="state", request=number)
                except OSError:
                    pass  # cut off
    return worst


async def resume(url: str, key: str) -> None:
    """Who was cut off logs in again and is told what it missed, or all that stands."""
    async with ExchangeClient(url, key, resume_from=(1, 0)) as back:
        state: Any = await back.state()
        assert state.account == "alice"
