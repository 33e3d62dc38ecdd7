"""HTTP and WebSocket of the exchange: frames in and out of sessions. Needs the extra `exchange`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from openbell.gateway.exchange_gateway import ExchangeGateway
from openbell.gateway.protocol import Close
from openbell.gateway.session import Session
from openbell.model.errors import OpenbellError

PATH = "/ws"
Health = Callable[[], Mapping[str, object]]
Failed = Callable[[Exception], None]


def application(gateway: ExchangeGateway, health: Health, failed: Failed) -> Starlette:
    """The ASGI application: `/ws` for sessions, `/health` for the state of the node.

    `failed` is told of an error of the node or a defect of ours, after which the exchange must stop.
    """

    async def session(websocket: WebSocket) -> None:
        await _Connection(gateway, websocket, failed).run()

    async def health_page(_: Request) -> Response:
        return Response(msgspec.json.encode(health()), media_type="application/json")

    async def front_page(_: Request) -> Response:
        return PlainTextResponse(f"Openbell exchange: WebSocket at {PATH}, health at /health\n")

    return Starlette(
        routes=[Route("/", front_page), Route("/health", health_page), WebSocketRoute(PATH, session)]
    )


class _Connection:
    """One WebSocket and its session: one task reads, one writes."""

    def __init__(self, gateway: ExchangeGateway, websocket: WebSocket, failed: Failed) -> None:
        self._gateway = gateway
        self._websocket = websocket
        self._failed = failed
        self._ready = asyncio.Event()

    async def run(self) -> None:
        """From the handshake until either side is gone."""
        await self._websocket.accept()
        session = self._gateway.open_session(self._ready.set)
        late = asyncio.get_running_loop().call_later(
            self._gateway.limits.login_seconds, session.require_login
        )
        writer = asyncio.create_task(self._write(session))
        reader = asyncio.create_task(self._read(session))
        try:
            await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            late.cancel()
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            self._end(session)

    def _end(self, session: Session) -> None:
        try:
            session.end()
        except OpenbellError as error:
            self._failed(error)

    async def _read(self, session: Session) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            try:
                session.receive(message["bytes"] if text is None else text)
            except Exception as error:
                # The engine has stopped, or this is a defect of ours: nobody may go on trading on a state nobody vouches for.
                self._failed(error)
                session.close(Close.SERVER_ERROR, "the exchange has stopped")

    async def _write(self, session: Session) -> None:
        ready, send = self._ready, self._websocket.send
        try:
            while True:
                await ready.wait()
                ready.clear()
                for frame in session.frames():
                    await send({"type": "websocket.send", "text": frame})
                if session.closing is not None:
                    code, reason = session.closing
                    await self._websocket.close(code, reason)
                    return
        except (WebSocketDisconnect, OSError, RuntimeError):
            return  # the other side is gone; Starlette raises RuntimeError for a send after that
