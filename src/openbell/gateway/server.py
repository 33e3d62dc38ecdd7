"""The server of an exchange: a gateway on a port. Needs the extra `exchange`."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from pathlib import Path

from picows import ws_create_server

from openbell.gateway.exchange_gateway import ExchangeGateway
from openbell.gateway.websocket import HARDEST_FRAME_LIMIT, PATH, Failed, Front, Health
from openbell.model.errors import ConfigError

_SECONDS_TO_SAY_GOODBYE = 2.0
_BACKLOG = 128

_log = logging.getLogger(__name__)
# What a client does wrong is told to that client; our own errors end the exchange and are told by it.
_log.setLevel(logging.CRITICAL)


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
        self._front = Front(gateway, health, failed)
        self._secrets = _secrets(certificate, private_key)
        self._server: asyncio.Server | None = None
        self.url = ""
        """Where clients connect, once it listens."""

    async def start(self, host: str, reserved: socket.socket) -> None:
        """Listen at what `reserve` has reserved on `host`. Raises ConfigError where that is not possible."""
        limits = self._front.gateway.limits
        listening = _listening(reserved)
        scheme = "ws" if self._secrets is None else "wss"
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{scheme}://{shown}:{listening.getsockname()[1]}{PATH}"
        self._server = await ws_create_server(
            self._front.answer,
            sock=listening,
            ssl=self._secrets,
            backlog=_BACKLOG,
            websocket_handshake_timeout=limits.login_seconds,
            # A client that says nothing for so long is asked, and is gone when it does not answer as long again.
            enable_auto_ping=True,
            auto_ping_idle_timeout=limits.heartbeat_seconds,
            auto_ping_reply_timeout=limits.heartbeat_seconds,
            max_frame_size=limits.frame_bytes * HARDEST_FRAME_LIMIT,
            logger_name=_log,
        )

    async def stop(self) -> None:
        """Stop listening and wait for the connections to end; those that take too long are ended."""
        if self._server is None:
            return
        self._server.close()
        loop = asyncio.get_running_loop()
        end = loop.time() + _SECONDS_TO_SAY_GOODBYE
        while self._front.connections and loop.time() < end:
            await asyncio.sleep(0.005)
        for connection in tuple(self._front.connections):
            connection.abort()
        await asyncio.sleep(0)


def _secrets(certificate: Path | None, private_key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, private_key)
    return context


def _listening(reserved: socket.socket) -> socket.socket:
    try:
        reserved.listen(_BACKLOG)
    except OSError as error:
        raise ConfigError(f"cannot listen on {reserved.getsockname()}: {error.strerror}") from error
    reserved.setblocking(False)
    return reserved
