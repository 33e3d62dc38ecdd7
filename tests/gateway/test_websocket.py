"""Sessions over a real network: the server, the client, bad frames, lost connections."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from openbell.gateway import protocol
from openbell.gateway.client import ExchangeClient, ExchangeError
from openbell.gateway.reserved_port import reserve
from openbell.gateway.server import ExchangeServer
from openbell.model.errors import ConfigError, EngineStopped
from tests.gateway.floor import Floor, floor


@dataclass
class Served:
    room: Floor
    url: str
    failures: list[Exception]

    def client(self, name: str, **options) -> ExchangeClient:
        return ExchangeClient(self.url, self.room.keys[name], **options)


@asynccontextmanager
async def served(**limits) -> AsyncIterator[Served]:
    with floor(**limits) as room:
        failures: list[Exception] = []
        server = ExchangeServer(room.gateway, lambda: {"state": "RUNNING"}, failures.append)
        await server.start("127.0.0.1", reserve("127.0.0.1", 0))
        loop = asyncio.get_running_loop()
        loop.add_reader(room.node.fileno(), room.gateway.pump)
        try:
            yield Served(room, server.url, failures)
        finally:
            room.gateway.close_all(1001, "the exchange stops")
            loop.remove_reader(room.node.fileno())
            await server.stop()


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 60))


def test_two_clients_trade_with_each_other_and_watch_the_book() -> None:
    async def story() -> None:
        async with served() as here, here.client("alice") as alice, here.client("bob") as bob:
            await bob.subscribe("depth", "ACME")
            await bob.subscribe("trades", "ACME")
            assert isinstance(await bob.market(), protocol.DepthSnapshot)
            assert isinstance(await bob.market(), protocol.TradesSnapshot)
            await alice.submit(1, "ACME", "BUY", 10, price="100.00")
            assert isinstance(await alice.execution(1), protocol.OrderAccepted)
            change = await bob.market()
            assert isinstance(change, protocol.Depth)
            assert change.bids == (("100.00", "10", 1),)
            await bob.submit(1, "ACME", "SELL", 4, price="100.00", time_in_force="IOC")
            assert isinstance(await bob.execution(1), protocol.OrderAccepted)
            fill = await bob.execution(1)
            assert isinstance(fill, protocol.OrderFilled)
            maker = await alice.execution(1)
            assert isinstance(maker, protocol.OrderFilled)
            assert (fill.trade_id, fill.price, fill.quantity) == (maker.trade_id, "100.00", "4")
            seen = {type(await bob.market()) for _ in range(2)}
            assert len(seen & {protocol.Depth, protocol.Trades}) == 2
            assert (await alice.order_status(1)).leaves_quantity == "6"
            assert (await bob.state()).positions == (protocol.Holding("ACME", "-4"),)
            assert (await alice.ping()).sequence == alice.place[0]

    run(story)


def test_a_lost_connection_is_taken_up_again() -> None:
    async def story() -> None:
        async with served() as here, here.client("bob") as bob:
            alice = here.client("alice")
            await alice.connect()
            await alice.submit(1, "ACME", "BUY", 10, price="100.00")
            await alice.execution(1)
            await alice.close()
            await bob.submit(1, "ACME", "SELL", 3, price="100.00")
            await bob.execution(1)
            async with here.client("alice", resume_from=alice.place) as back:
                assert back.welcome is not None
                assert (back.welcome.resumed, back.welcome.resent) == (True, 1)
                fill = await back.execution(1)
                assert isinstance(fill, protocol.OrderFilled)
                assert fill.leaves_quantity == "7"

    run(story)


def test_cancel_on_disconnect_works_when_the_connection_is_torn() -> None:
    async def story() -> None:
        async with served() as here, here.client("alice") as watching:
            leaving = here.client("alice", cancel_on_disconnect=True)
            await leaving.connect()
            await leaving.submit(1, "ACME", "BUY", 10, price="100.00")
            await watching.execution(1)
            assert leaving._socket is not None
            leaving._socket.transport.abort()
            canceled = await watching.execution(1)
            assert isinstance(canceled, protocol.OrderCanceled)
            await leaving.close()

    run(story)


@pytest.mark.parametrize("key", ["", "alice-1.nonsense", "nobody.x"])
def test_a_wrong_key_is_an_error_of_the_client(key: str) -> None:
    async def story() -> None:
        async with served() as here:
            with pytest.raises(ExchangeError, match="KEY_MUST_BE_KNOWN"):
                await ExchangeClient(here.url, key).connect()

    run(story)


def test_a_refused_frame_is_an_error_of_the_client_and_the_session_lives() -> None:
    async def story() -> None:
        async with served() as here, here.client("alice") as alice:
            await alice.submit(1, "ACME", "BUY", 10, price="100.01")
            with pytest.raises(ExchangeError, match=r"PRICE_MUST_BE_ON_TICK.*price"):
                await alice.execution(1)
            await alice.submit(1, "ACME", "BUY", 10, price="100.00")
            assert isinstance(await alice.execution(1), protocol.OrderAccepted)

    run(story)


def test_frames_that_are_no_frames_leave_the_server_alive() -> None:
    async def story() -> None:
        async with served() as here, here.client("alice") as alice:
            for frame, code in (
                (b"\x00\xff", "FRAME_MUST_BE_TEXT"),
                ("\x00", "FRAME_MUST_BE_JSON"),
                ("x" * 100_000, "FRAME_MUST_NOT_EXCEED_LIMIT"),
            ):
                async with connect(here.url) as raw:
                    await raw.recv()
                    await raw.send(frame)
                    assert json.loads(await raw.recv())["code"] == code
            async with connect(here.url) as raw:
                await raw.recv()
                await raw.send("x" * 2_000_000)
                with pytest.raises(ConnectionClosed) as closed:
                    await raw.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1009
            assert isinstance(await alice.ping(), protocol.Pong)

    run(story)


def test_a_connection_without_login_is_closed_in_time() -> None:
    async def story() -> None:
        async with served(login_seconds=0.05) as here, connect(here.url) as raw:
            await raw.recv()
            with pytest.raises(ConnectionClosed) as closed:
                await raw.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
                4002,
                "no login within 0.05 seconds",
            )

    run(story)


def test_a_client_that_does_not_answer_pings_is_gone() -> None:
    async def story() -> None:
        async with served(heartbeat_seconds=0.2) as here:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", int(here.url.split(":")[2].split("/")[0])
            )
            writer.write(
                b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            while await reader.read(4096):
                pass  # pings come and are not answered, then the end
            for _ in range(100):
                if not here.room.gateway.session_count:
                    break
                await asyncio.sleep(0.01)
            assert here.room.gateway.session_count == 0

    run(story)


def test_when_the_engine_has_stopped_clients_are_told_and_disconnected() -> None:
    async def story() -> None:
        async with served() as here, here.client("alice") as alice:
            here.room.node.failure = EngineStopped("engine stopped at sequence 9: a broken invariant")
            await alice.submit(1, "ACME", "BUY", 10, price="100.00")
            with pytest.raises(ExchangeError, match=r"closed with 1011: the exchange has stopped"):
                await alice.execution(1)
            assert [str(one) for one in here.failures] == ["engine stopped at sequence 9: a broken invariant"]

    run(story)


def test_health_is_there_for_everybody() -> None:
    async def story() -> None:
        async with served() as here:
            url = here.url.replace("ws://", "http://").replace("/ws", "/health")
            body = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read())
            assert json.loads(body) == {"state": "RUNNING"}

    run(story)


def test_a_port_that_is_taken_is_told() -> None:
    async def story() -> None:
        async with served() as here:
            port = int(here.url.split(":")[2].split("/")[0])
            with pytest.raises(
                ConfigError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"
            ):
                reserve("127.0.0.1", port)

    run(story)
