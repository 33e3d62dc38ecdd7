"""Frames as RFC 6455 has them, byte by byte: messages in parts, what may not be, pages beside the WebSocket."""

import asyncio
import json
import struct
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable

import pytest

from openbell.gateway.websocket import Connection, Front
from tests.gateway.floor import floor
from tests.gateway.test_websocket import Served, run, served

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FINAL, RESERVED = 0x80, 0x40


class Wire:
    """The client's end of a connection, without a library in between."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @staticmethod
    async def to(here: Served) -> "Wire":
        wire = Wire(*await asyncio.open_connection("127.0.0.1", _port(here)))
        wire.writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        head = await wire.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert json.loads((await wire.frame())[1])["type"] == "hello"
        return wire

    def send(self, first_byte: int, payload: bytes, mask: bytes = b"\x01\x02\x03\x04") -> None:
        assert len(payload) < 126
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self.writer.write(bytes((first_byte, 0x80 | len(payload))) + mask + masked)

    async def frame(self) -> tuple[int, bytes]:
        first, length = await self.reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack(">H", await self.reader.readexactly(2))
        return first & 0x0F, await self.reader.readexactly(length)

    async def close_code(self) -> int:
        kind, payload = await self.frame()
        assert kind == CLOSE, payload
        return int.from_bytes(payload[:2], "big")


def _port(here: Served) -> int:
    return int(here.url.split(":")[2].split("/")[0])


def story_with(tell: Callable[[Served, Wire], Awaitable[None]]) -> None:
    async def story() -> None:
        async with served(heartbeat_seconds=30.0) as here:
            wire = await Wire.to(here)
            await tell(here, wire)
            wire.writer.close()

    run(story)


def test_a_message_in_parts_is_one_message_also_with_a_ping_in_between() -> None:
    async def tell(_: Served, wire: Wire) -> None:
        wire.send(TEXT, b'{"type":')
        wire.send(FINAL | PING, b"are you there")
        wire.send(CONTINUATION, b'"ping","req')
        wire.send(FINAL | CONTINUATION, b'uest":7}')
        assert await wire.frame() == (PONG, b"are you there")
        kind, answer = await wire.frame()
        assert (kind, json.loads(answer)["request"]) == (TEXT, 7)

    story_with(tell)


def test_a_binary_message_in_parts_is_refused_like_one_in_a_frame() -> None:
    async def tell(_: Served, wire: Wire) -> None:
        wire.send(BINARY, b"\x00")
        wire.send(FINAL | CONTINUATION, b"\xff")
        assert json.loads((await wire.frame())[1])["code"] == "FRAME_MUST_BE_TEXT"

    story_with(tell)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([(FINAL | CONTINUATION, b"never begun")], 1002),
        ([(TEXT, b"begun"), (FINAL | TEXT, b"anew")], 1002),
        ([(FINAL | RESERVED | TEXT, b"{}")], 1002),
        ([(FINAL | 5, b"unknown opcode")], 1002),
        ([(FINAL | TEXT, b"\xc3\x28")], 1007),
        ([(TEXT, b"\xc3"), (FINAL | CONTINUATION, b"\x28")], 1007),
    ],
)
def test_what_is_no_websocket_ends_the_connection_with_its_code(
    frames: list[tuple[int, bytes]], code: int
) -> None:
    async def tell(here: Served, wire: Wire) -> None:
        for first_byte, payload in frames:
            wire.send(first_byte, payload)
        assert await wire.close_code() == code
        assert here.failures == []

    story_with(tell)


def test_a_message_of_endless_parts_is_too_large() -> None:
    async def tell(_: Served, wire: Wire) -> None:
        wire.send(TEXT, b"x" * 125)
        for _part in range(65_536 * 16 // 125 + 1):
            wire.send(CONTINUATION, b"x" * 125)
        assert await wire.close_code() == 1009

    story_with(tell)


def test_a_close_is_answered_with_a_close_and_the_end() -> None:
    async def tell(_: Served, wire: Wire) -> None:
        wire.send(FINAL | CLOSE, (1000).to_bytes(2, "big"))
        assert await wire.close_code() == 1000
        assert await wire.reader.read() == b""

    story_with(tell)


def test_a_reader_who_does_not_read_is_cut_off_though_its_buffers_are_full() -> None:
    async def story() -> None:
        with floor(private_messages=5) as room:
            connection = Connection(Front(room.gateway, dict, lambda _: None))
            slow = Slow(connection)
            connection.on_ws_connected(slow)  # type: ignore[arg-type]
            session = next(iter(room.gateway._sessions))
            for number in range(30):
                session.push(str(number))
                await asyncio.sleep(0)
            await asyncio.sleep(0.01)
            assert (slow.closed, slow.is_cut) == (4009, False)
            await asyncio.sleep(1.1)
            assert slow.is_cut, "it has not answered the close for a second"
            connection.on_ws_disconnected(slow)  # type: ignore[arg-type]

    run(story)


class Slow:
    """A transport whose other side reads nothing after the first frames."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.sent: list[str] = []
        self.closed = 0
        self.is_cut = False

    def send(self, _: object, frame: str) -> None:
        self.sent.append(frame)
        if len(self.sent) == 3:
            self.connection.pause_writing()

    def send_close(self, code: int, _: bytes) -> None:
        self.closed = code

    def disconnect(self, _graceful: bool = True) -> None:
        self.is_cut = True


def test_a_reader_who_does_not_read_lets_frames_wait_in_its_session() -> None:
    async def story() -> None:
        with floor() as room:
            connection = Connection(Front(room.gateway, dict, lambda _: None))
            slow = Slow(connection)
            connection.on_ws_connected(slow)  # type: ignore[arg-type]
            session = next(iter(room.gateway._sessions))
            for number in range(10):
                session.push(str(number))
            await asyncio.sleep(0.01)
            assert slow.sent[1:] == ["0", "1"], "the first is hello"
            assert len(session._private) == 8
            connection.resume_writing()
            await asyncio.sleep(0.01)
            assert slow.sent[1:] == [str(number) for number in range(10)]
            connection.on_ws_disconnected(slow)  # type: ignore[arg-type]
            assert room.gateway.session_count == 0

    run(story)


@pytest.mark.parametrize(("path", "method", "status"), [("/nowhere", "GET", 404), ("/health", "POST", 400)])
def test_other_requests_are_refused(path: str, method: str, status: int) -> None:
    async def story() -> None:
        async with served() as here:
            request = urllib.request.Request(f"http://127.0.0.1:{_port(here)}{path}", method=method)
            with pytest.raises(urllib.error.HTTPError) as refused:
                await asyncio.to_thread(urllib.request.urlopen, request, timeout=5)
            assert refused.value.code == status
            refused.value.close()

    run(story)


def test_frames_that_come_together_wake_the_node_once() -> None:
    async def story() -> None:
        with floor() as room:
            front = Front(room.gateway, dict, lambda _: None)
            loop = asyncio.get_running_loop()
            for _ in range(2):
                before = room.node.wakes
                for _ in range(50):
                    front.wake_node_soon(loop)
                assert room.node.wakes == before, "not before the last of them was taken"
                await asyncio.sleep(0)
                assert room.node.wakes == before + 1

    run(story)
