"""Order to durable acknowledgment over WebSocket on loopback, beside an echo on the same stack.

    make bench-exchange            (or: python -m benchmarks.exchange --rounds 3 --orders 20000)

The exchange, the echo and the load are processes of their own. Every client sends an order, waits for its acknowledgment,
and sends the next: latency and rate of one client and of fifty such. The echo server is picows as in the
exchange; it sends back a frame of the size of an acknowledgment and does nothing else, so what is left is the price of the
exchange. Rounds are interleaved; a cell shows the median round. The clients' own work in Python is part of every figure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import figures

ACKNOWLEDGMENT = {
    "type": "order_accepted", "sequence": 123456, "index": 1, "time": "2026-11-20T12:00:00.123456789Z",
    "durability": "batch", "order_id": 123456, "client_order_id": 1234, "instrument": "ACME", "side": "BUY",
}  # fmt: skip
CLIENTS = (1, 50)
SYSTEMS = ("echo", "none", "batch")


@dataclass(frozen=True)
class Figures:
    """One round of one system."""

    p50_us: float
    p99_us: float
    per_second: float


# ---- the servers


@contextmanager
def serving(system: str, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A server process: its URL, and a key for each client."""
    command, keys = _echo_command(folder) if system == "echo" else _exchange_command(system, folder)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"], keys
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def _echo_command(_: Path) -> tuple[list[str], list[str]]:
    return [sys.executable, "-m", "benchmarks.exchange", "--serve-echo"], [""] * max(CLIENTS)


def _exchange_command(durability: str, folder: Path) -> tuple[list[str], list[str]]:
    from openbell.gateway.keys import new_key

    keys = []
    lines = [f'durability = "{durability}"', "[sessions]", "messages_per_second = 10000000"]
    lines += ["[[instruments]]", 'symbol = "ACME"']
    for number in range(max(CLIENTS)):
        key, sha256 = new_key(f"k{number}")
        keys.append(key)
        lines += ["[[accounts]]", f'name = "a{number}"', "cash = 1_000_000_000"]
        lines += ["[[keys]]", f'name = "k{number}"', f'account = "a{number}"', f'sha256 = "{sha256}"']
    config = folder / "config.toml"
    config.write_text("\n".join(lines))
    directory = str(folder / "exchange")
    options = ["--config", str(config), "--directory", directory, "--port", "0", "--json"]
    return [sys.executable, "-m", "openbell", "exchange", *options], keys


def serve_echo() -> None:
    """Answer every frame with an acknowledgment-sized one, on the server stack of the exchange."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_echo())


async def _echo() -> None:
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

    answer = json.dumps(ACKNOWLEDGMENT, separators=(",", ":"))

    class Echo(WSListener):
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()
                return
            frame.get_payload_as_utf8_text()
            transport.send(WSMsgType.TEXT, answer)

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    server = await ws_create_server(lambda _: Echo(), sock=listening)
    print(json.dumps({"url": f"ws://127.0.0.1:{listening.getsockname()[1]}/ws"}), flush=True)
    async with server:
        await server.serve_forever()


# ---- the load


async def load(url: str, keys: list[str], clients: int, orders: int) -> Figures:
    """Let clients send orders one after the other, each waiting for its acknowledgment."""
    each = max(orders // clients, 20)
    ready = asyncio.Barrier(clients + 1)
    tasks = [
        asyncio.create_task(_client(url, keys[number], number, each, ready)) for number in range(clients)
    ]
    await ready.wait()
    began = time.perf_counter()
    latencies = [one for taken in await asyncio.gather(*tasks) for one in taken]
    seconds = time.perf_counter() - began
    latencies.sort()
    return Figures(
        p50_us=latencies[len(latencies) // 2] / 1_000,
        p99_us=latencies[len(latencies) * 99 // 100] / 1_000,
        per_second=len(latencies) / seconds,
    )


async def _client(url: str, key: str, number: int, orders: int, ready: asyncio.Barrier) -> list[int]:
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

    first = time.time_ns() // 1_000
    latencies: list[int] = []
    over = asyncio.get_running_loop().create_future()
    entered = asyncio.get_running_loop().create_future()

    class Client(WSListener):
        """Sends the next order as soon as the last one is answered."""

        sent = 0
        heard = 0

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type != WSMsgType.TEXT:
                return
            if not entered.done():
                self.enter(transport)
                return
            latencies.append(time.perf_counter_ns() - self.sent)
            if b"order_accepted" not in frame.get_payload_as_bytes():
                over.set_exception(AssertionError(frame.get_payload_as_utf8_text()))
            elif len(latencies) == orders:
                over.set_result(None)
            else:
                self.send(transport)

        def enter(self, transport: WSTransport) -> None:
            """Hello is answered with the key, and welcome lets in."""
            self.heard += 1
            if self.heard == 1:
                transport.send(WSMsgType.TEXT, json.dumps({"type": "login", "key": key}))
            else:
                entered.set_result(None)

        def send(self, transport: WSTransport) -> None:
            order = _order(first + len(latencies), number)
            self.sent = time.perf_counter_ns()
            transport.send(WSMsgType.TEXT, order)

    transport, client = await ws_connect(Client, url)
    assert isinstance(client, Client)
    if key:
        await entered
    else:
        entered.set_result(None)
    await ready.wait()
    client.send(transport)
    try:
        await over
    finally:
        transport.disconnect()
    return latencies


def _order(client_order_id: int, number: int) -> str:
    price = 50 + (client_order_id * 7 + number) % 1_000 / 100
    return (
        f'{{"type":"submit","client_order_id":{client_order_id},"instrument":"ACME","side":"BUY",'
        f'"quantity":"1","price":"{price:.2f}"}}'
    )


# ---- the table


def measure(rounds: int, orders: int) -> dict[tuple[str, int], list[Figures]]:
    """All rounds of all systems, interleaved."""
    import uvloop

    found: dict[tuple[str, int], list[Figures]] = {
        (system, clients): [] for system in SYSTEMS for clients in CLIENTS
    }
    for _ in range(rounds):
        for system in SYSTEMS:
            with (
                tempfile.TemporaryDirectory(prefix="openbell-bench-") as folder,
                serving(system, Path(folder)) as (url, keys),
            ):
                for clients in CLIENTS:
                    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                        runner.run(load(url, keys, clients, orders // 10))  # warm up
                        found[system, clients].append(runner.run(load(url, keys, clients, orders)))
    return found


def show(found: dict[tuple[str, int], list[Figures]]) -> None:
    """Print medians, and ratios to the echo of the same round."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="order to durable acknowledgment, WebSocket on loopback (median of rounds)")
    for name in ("system", "clients", "p50 us", "p99 us", "orders/s", "rate / echo (spread)"):
        table.add_column(name, justify="left" if name == "system" else "right")
    for (system, clients), rounds in found.items():
        echoes = found["echo", clients]
        ratios = [one.per_second / echo.per_second for one, echo in zip(rounds, echoes, strict=True)]
        name = "echo (probe)" if system == "echo" else f"exchange, {system}"
        median = statistics.median
        table.add_row(
            name,
            str(clients),
            f"{median(one.p50_us for one in rounds):,.0f}",
            f"{median(one.p99_us for one in rounds):,.0f}",
            f"{median(one.per_second for one in rounds):,.0f}",
            f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})",
        )
    for (system, clients), rounds in found.items():
        if system != "echo":
            plural = "" if clients == 1 else "s"
            name = f"exchange, {system}, {clients} client{plural}"
            figures.tell(name, statistics.median(one.per_second for one in rounds))
            figures.tell(f"{name}, p50", statistics.median(one.p50_us for one in rounds))
            figures.tell(f"{name}, p99", statistics.median(one.p99_us for one in rounds))
    load_now: Any = os.getloadavg()
    Console().print(table)
    print(f"load of the machine (1, 5, 15 min): {load_now[0]:.1f} {load_now[1]:.1f} {load_now[2]:.1f}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--serve-echo", action="store_true")
    arguments = parser.parse_args()
    if arguments.serve_echo:
        serve_echo()
        return
    show(measure(arguments.rounds, arguments.orders))


if __name__ == "__main__":
    main()
