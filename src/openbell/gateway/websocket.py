"""HTTP and WebSocket of the exchange: frames in and out of sessions. Needs the extra `exchange`.

Everything happens in the callbacks of the connection, without a task per message: what came is handed to the session at once,
and what a session has to send leaves in one go after the events that caused it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)

from openbell.gateway.exchange_gateway import ExchangeGateway
from openbell.gateway.protocol import Close
from openbell.gateway.session import Session
from openbell.model.errors import OpenbellError

PATH = "/ws"
HARDEST_FRAME_LIMIT = 16
"""A frame of so many times the limit is not even read to the end: the connection is closed with code 1009."""
MOST_CONNECTIONS = 1_000
"""More are answered with HTTP status 503."""

Health = Callable[[], Mapping[str, object]]
Failed = Callable[[Exception], None]

_MOST_REASON_BYTES = 123
_SECONDS_FOR_CLOSE = 1.0
"""How long the other side may take to answer a close."""

_TEXT, _BINARY, _CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION


class Front:
    """What answers requests: `/ws` becomes a connection, `/health` tells the state of the node.

    `failed` is told of an error of the node or a defect of ours, after which the exchange must stop.
    """

    def __init__(self, gateway: ExchangeGateway, health: Health, failed: Failed) -> None:
        self.gateway = gateway
        self.failed = failed
        self.connections: dict[Connection, None] = {}
        """Those that stand."""
        self._health = health
        self._is_wake_due = False

    def wake_node_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake the node once all frames that came together have been taken: for each of them it would cost more than they do."""
        if not self._is_wake_due:
            self._is_wake_due = True
            loop.call_soon(self._wake_node)

    def _wake_node(self) -> None:
        self._is_wake_due = False
        self.gateway.node.wake()

    def answer(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener:
        """A connection for a request to upgrade, a page for any other; what is no GET does not get here."""
        path = request.path.split(b"?", 1)[0].decode("latin-1")
        if path == PATH:
            if len(self.connections) >= MOST_CONNECTIONS:
                return _refused(503, "too many connections")
            return Connection(self)
        if path == "/health":
            return _page(msgspec.json.encode(self._health()), "application/json")
        if path == "/":
            text = f"Openbell exchange: WebSocket at {PATH}, health at /health\n"
            return _page(text.encode(), "text/plain; charset=utf-8")
        return _refused(404, f"no such page; the WebSocket is at {PATH}")


def _page(body: bytes, content_type: str) -> WSUpgradeResponseWithListener:
    headers = {"Content-Type": content_type, "Connection": "close"}
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_ok_response(body, headers), None)


def _refused(status: int, text: str) -> WSUpgradeResponseWithListener:
    response = WSUpgradeResponse.create_error_response(status, f"{text}\n".encode(), {"Connection": "close"})
    return WSUpgradeResponseWithListener(response, None)


class Connection(WSListener):
    """One WebSocket and its session, from the handshake until either side is gone."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._session: Session | None = None
        self._transport: WSTransport | None = None
        self._loop = asyncio.get_running_loop()
        self._login_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        self._parts: list[bytes] = []
        self._part_kind = _TEXT
        self._is_flush_due = False
        self._is_blocked = False
        """The other side does not read as fast as we write."""
        self._is_closing = False

    # -- what comes in

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The handshake is done."""
        gateway = self._front.gateway
        self._transport = transport
        self._front.connections[self] = None
        self._session = gateway.open_session(self._wake)
        self._login_timer = self._loop.call_later(gateway.limits.login_seconds, self._session.require_login)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame came; pings are answered before they get here."""
        if self._is_closing:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()
            return
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._close(Close.PROTOCOL_ERROR, "a reserved bit is set and no extension was agreed on")
            return
        kind = frame.msg_type
        if kind == _TEXT and frame.fin and not self._parts:
            self._take_text(frame)
        elif kind in (_TEXT, _BINARY, _CONTINUATION):
            self._take_part(kind, frame)
        elif kind == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def _take_text(self, frame: WSFrame) -> None:
        try:
            text = frame.get_payload_as_utf8_text()
        except UnicodeDecodeError:
            self._close(Close.INVALID_TEXT, "a text frame is not UTF-8")
            return
        self._receive(text)

    def _take_part(self, kind: WSMsgType, frame: WSFrame) -> None:
        """A message may come in several frames."""
        if (kind == _CONTINUATION) != bool(self._parts):
            self._close(
                Close.PROTOCOL_ERROR, "a message in parts was not continued, or one that was not begun"
            )
            return
        if kind != _CONTINUATION:
            self._part_kind = kind
        self._parts.append(frame.get_payload_as_bytes())
        if sum(map(len, self._parts)) > self._front.gateway.limits.frame_bytes * HARDEST_FRAME_LIMIT:
            self._close(Close.TOO_LARGE, "the message is too large")
        elif frame.fin:
            whole, self._parts = b"".join(self._parts), []
            try:
                self._receive(whole.decode() if self._part_kind == _TEXT else whole)
            except UnicodeDecodeError:
                self._close(Close.INVALID_TEXT, "a text message is not UTF-8")

    def _receive(self, message: str | bytes) -> None:
        session = self._session
        assert session is not None
        self._front.wake_node_soon(self._loop)
        try:
            session.receive(message)
        except Exception as error:
            # The engine has stopped, or this is a defect of ours: nobody may go on trading on a state nobody vouches for.
            self._front.failed(error)
            session.close(Close.SERVER_ERROR, "the exchange has stopped")

    # -- what goes out

    def _wake(self) -> None:
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        session, transport = self._session, self._transport
        if session is None or transport is None or self._is_closing:
            return
        if not self._is_blocked:
            self._send_waiting(session, transport)
        elif session.closing is not None:
            # Who does not read is not waited for: what was written is all it gets.
            self._close(*session.closing)

    def _send_waiting(self, session: Session, transport: WSTransport) -> None:
        for frame in session.frames():
            transport.send(_TEXT, frame)
            if self._is_blocked:
                return
        if session.closing is not None:
            self._close(*session.closing)

    def pause_writing(self) -> None:
        """Much was written that the other side has not read; the rest waits in the session, which has a bound."""
        self._is_blocked = True

    def resume_writing(self) -> None:
        """It reads again."""
        self._is_blocked = False
        self._wake()

    # -- the end

    def _close(self, code: int, reason: str) -> None:
        if self._transport is None or self._is_closing:
            return
        self._is_closing = True
        cut = reason.encode()[:_MOST_REASON_BYTES].decode(errors="ignore")
        self._transport.send_close(code, cut.encode())  # type: ignore[arg-type]
        self._close_timer = self._loop.call_later(_SECONDS_FOR_CLOSE, self.abort)

    def abort(self) -> None:
        """End the connection without waiting for the other side."""
        if self._transport is not None:
            self._transport.disconnect(False)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is gone, however."""
        self._front.connections.pop(self, None)
        for timer in (self._login_timer, self._close_timer):
            if timer is not None:
                timer.cancel()
        session, self._session, self._transport = self._session, None, None
        if session is None:
            return
        try:
            session.end()
        except OpenbellError as error:
            self._front.failed(error)
