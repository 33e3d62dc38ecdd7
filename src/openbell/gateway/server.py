"""The HTTP server of an exchange: a gateway on a port. Needs the extra `exchange`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from openbell.gateway.exchange_gateway import ExchangeGateway
from openbell.gateway.websocket import PATH, Failed, Health, application
from openbell.model.errors import ConfigError

HARDEST_FRAME_LIMIT = 16
"""A frame of so many times the limit is not even read to the end: the connection is closed with code 1009."""
MOST_CONNECTIONS = 1_000
"""More are answered with HTTP status 503."""

_SECONDS_TO_SAY_GOODBYE = 2


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ExchangeServer:
    """A gateway that listens from `start` to `stop`.

    `certificate` and `private_key` are PEM files; with them clients connect with `wss://`.
    """

    def __init__(
        self,
        gateway: ExchangeGateway,
        health: Health,
        failed: Failed,
        *,
        certificate: Path | None = None,
        private_key: Path | None = None,
    ) -> None:
        limits = gateway.limits
        self._is_secure = certificate is not None
        self._server = _Server(
            uvicorn.Config(
                application(gateway, health, failed),
                ws="websockets-sansio",
                ws_max_size=limits.frame_bytes * HARDEST_FRAME_LIMIT,
                # A client that does not answer pings within one interval is gone: its connection is closed.
                ws_ping_interval=limits.heartbeat_seconds,
                ws_ping_timeout=limits.heartbeat_seconds,
                ws_per_message_deflate=False,
                lifespan="off",
                access_log=False,
                limit_concurrency=MOST_CONNECTIONS,
                log_level="error",
                timeout_graceful_shutdown=_SECONDS_TO_SAY_GOODBYE,
                ssl_certfile=certificate,
                ssl_keyfile=private_key,
            )
        )
        self._task: asyncio.Task[None] | None = None
        self.url = ""
        """Where clients connect, once it listens."""

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one. Raises ConfigError where that is not possible."""
        listening = _bound(host, port)
        scheme = "wss" if self._is_secure else "ws"
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{scheme}://{shown}:{listening.getsockname()[1]}{PATH}"
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise ConfigError(f"the server on {host}:{port} ended at once")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Stop listening and wait for the connections to end."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}"
        ) from error
    listening.setblocking(False)
    return listening
