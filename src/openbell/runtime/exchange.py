"""An exchange at work: the node on its threads, the gateway and its server around it.

start: take the port -> open or begin the directory, one replay for engine and gateway -> listen -> look at what was before it
stop:  stop listening -> take what is durable -> end the journal on purpose
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from openbell.gateway.reserved_port import reserve
from openbell.model.errors import ConfigError
from openbell.runtime.earlier_past import EarlierPast
from openbell.runtime.exchange_directory import JOURNAL, Accepted, Restarted, restart
from openbell.runtime.exchange_settings import ExchangeSettings, ServerTable
from openbell.runtime.exchange_upkeep import LOOK_SECONDS, ExchangeUpkeep
from openbell.runtime.versions import versions

if TYPE_CHECKING:
    from openbell.gateway.exchange_gateway import ExchangeGateway
    from openbell.kernel.live_node import LiveNode

GOING_AWAY, SERVER_ERROR = 1001, 1011
SETTLE_SECONDS = 10.0
"""How long a start waits for the orders of sessions that died with the last one to be canceled."""


@dataclass(frozen=True, slots=True)
class Listening:
    """An exchange that takes connections."""

    url: str
    directory: Path
    durability: str
    sequence: int
    restart_seconds: float


@dataclass(frozen=True, slots=True)
class Ending:
    """How an exchange ended: the last record of its journal, and the hash of the state after it."""

    sequence: int
    state_hash: str | None


def run_exchange(
    settings: ExchangeSettings,
    directory: Path,
    listening: Callable[[Listening], None],
    accept: Accepted = Accepted(),  # noqa: B008, it is frozen
) -> Ending:
    """Run the exchange in this thread until SIGINT or SIGTERM, and end it cleanly. `listening` is called once it listens.

    Raises ConfigError, JournalError or EngineStopped where it cannot start, and the error that ended it otherwise.
    """
    _require_server()
    _require_certificate(settings.server)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Exchange(settings, directory, accept).run(listening))


def _require_server() -> None:
    try:
        import picows  # noqa: F401
        import uvloop  # noqa: F401
        import websockets  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"openbell exchange needs {error.name}, which is not installed: pip install 'openbell[exchange]'"
        ) from None


def _require_certificate(server: ServerTable) -> None:
    """Before anything is made: a certificate that is missing or broken must not leave a directory behind."""
    import ssl

    if server.certificate is None:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            server.certificate, server.private_key
        )
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"server: certificate {server.certificate} with private_key {server.private_key} cannot be used: {error}"
        ) from None


class Exchange:
    """One run of an exchange, from opening its directory to the end of its journal."""

    def __init__(
        self,
        settings: ExchangeSettings,
        directory: Path,
        accept: Accepted = Accepted(),  # noqa: B008, it is frozen
    ) -> None:
        self._settings = settings
        self._accept = accept
        self._directory = directory
        self._over = asyncio.Event()
        self._failure: Exception | None = None
        self._started = time.monotonic()

    async def run(self, listening: Callable[[Listening], None]) -> Ending:
        """Start, serve, stop."""
        with reserve(self._settings.server.host, self._settings.server.port) as reserved:
            return await self._run_at(reserved, listening)

    async def _run_at(self, reserved: socket.socket, listening: Callable[[Listening], None]) -> Ending:
        upkeep = ExchangeUpkeep(self._directory, self._settings)
        # While the kernel replays, this thread needs no interpreter: what comes next is imported meanwhile.
        threading.Thread(target=import_module, args=("openbell.gateway.server",), daemon=True).start()
        restarted = restart(
            self._directory, self._settings, saves_inline=upkeep.saves_inline, accept=self._accept
        )
        node, earlier = restarted.node, self._earlier(restarted)
        upkeep.start(node)
        try:
            return await self._serve(reserved, restarted, earlier, upkeep, listening)
        finally:
            earlier.stop()
            upkeep.stop()
            # After a failure this raises nothing new: the first error is on its way.
            if self._failure is None:
                node.stop()

    async def _serve(
        self,
        reserved: socket.socket,
        restarted: Restarted,
        earlier: EarlierPast,
        upkeep: ExchangeUpkeep,
        listening: Callable[[Listening], None],
    ) -> Ending:
        from openbell.gateway.server import ExchangeServer

        node = restarted.node
        restarted.past.earlier = earlier
        gateway = self._gateway(restarted)
        server_table = self._settings.server
        server = ExchangeServer(
            gateway,
            lambda: self._health(node, gateway, upkeep),
            self._fail,
            certificate=_path(server_table.certificate),
            private_key=_path(server_table.private_key),
        )
        _spare_the_collector()
        await server.start(server_table.host, reserved)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._over.set)
        loop.add_reader(node.fileno(), self._pump, gateway)
        tasks = [asyncio.create_task(self._beat(gateway)), asyncio.create_task(self._look_after(upkeep))]
        listening(
            Listening(
                server.url,
                self._directory,
                node.health().durability,
                node.health().sequence,
                time.monotonic() - self._started,
            )
        )
        earlier.start()
        await self._over.wait()
        for task in tasks:
            task.cancel()
        reason = "the exchange stops" if self._failure is None else "the exchange has failed"
        gateway.close_all(GOING_AWAY if self._failure is None else SERVER_ERROR, reason)
        await server.stop()
        loop.remove_reader(node.fileno())
        if self._failure is not None:
            raise self._failure
        node.stop()
        state_hash = node.state_hash_at_stop
        return Ending(node.health().sequence, None if state_hash is None else f"{state_hash:032x}")

    def _earlier(self, restarted: Restarted) -> EarlierPast:
        kept = self._settings.session_limits().private_messages
        journal, begin = self._directory / JOURNAL, restarted.past.begin
        return EarlierPast(journal, begin, restarted.past.place[0], kept)

    def _gateway(self, restarted: Restarted) -> ExchangeGateway:
        from openbell.gateway.exchange_gateway import ExchangeGateway

        settings, node = self._settings, restarted.node
        gateway = ExchangeGateway(
            node,
            settings.listing(),
            settings.api_keys(),
            node.health().durability,
            settings.session_limits(),
            f"openbell {versions()['openbell']}",
            time.monotonic,
        )
        gateway.restore(restarted.past, restarted.standing)
        left = gateway.cancel_left_behind(restarted.standing)
        deadline = time.monotonic() + SETTLE_SECONDS
        # Whoever connects must find them canceled. The bound is for a journal that has no room: they stay owed then.
        while time.monotonic() < deadline and any(
            gateway.accounts[one].is_open(order) for one, order in left
        ):
            gateway.pump()
            time.sleep(0.002)
        return gateway

    def _pump(self, gateway: ExchangeGateway) -> None:
        try:
            gateway.pump()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """The engine or the journal has failed, or this program has a defect: nobody is told anything more."""
        if self._failure is None:
            self._failure = error
            self._over.set()

    async def _beat(self, gateway: ExchangeGateway) -> None:
        while True:
            await asyncio.sleep(gateway.limits.heartbeat_seconds)
            gateway.beat()

    async def _look_after(self, upkeep: ExchangeUpkeep) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await asyncio.to_thread(upkeep.look)
            except Exception as error:
                self._fail(error)

    def _health(
        self, node: LiveNode, gateway: ExchangeGateway, upkeep: ExchangeUpkeep
    ) -> Mapping[str, object]:
        health = node.health()
        return {
            "state": health.state,
            "reason": health.reason,
            "durability": health.durability,
            "epoch": health.epoch,
            "sequence": health.sequence,
            "durable_sequence": health.durable_sequence,
            "told_sequence": gateway.place[0],
            "sessions": gateway.session_count,
            "commits": health.commits,
            "commit_p50_ns": health.commit_p50_ns,
            "commit_p99_ns": health.commit_p99_ns,
            "ingress": {"filled": health.ingress[0], "capacity": health.ingress[1]},
            "journal": {"filled": health.journal[0], "capacity": health.journal[1]},
            "egress": {"filled": health.egress[0], "capacity": health.egress[1]},
            "held_slots": health.held_slots,
            "clock_offset_ns": health.clock_offset_ns,
            **upkeep.health(),
            "uptime_seconds": round(time.monotonic() - self._started, 3),
        }


def _spare_the_collector() -> None:
    """What an order leaves behind is in no cycle and goes by its count: looking for cycles among a million orders, some times a
    second, would stop everybody.
    """
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
