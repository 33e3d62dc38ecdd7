"""Every order type over the protocol, at a real exchange process."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from openbell.gateway import protocol
from openbell.gateway.client import ExchangeClient, ExchangeError
from tests.gateway.processes import exchange

IDS = count(1)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with exchange("--demo", "--directory", Path(tmp_path_factory.mktemp("exchange")) / "x") as told:
        yield told


class Floor:
    """Alice, who sends what is tested, and Bob, who makes the market: 10 at 99 and 10 at 101 after a trade at 100."""

    def __init__(self, alice: ExchangeClient, bob: ExchangeClient) -> None:
        self.alice, self.bob = alice, bob
        self.heard: dict[int, list[str]] = {}

    async def make_market(self) -> None:
        for client in (self.alice, self.bob):
            await client.mass_cancel()
            while not isinstance(await client.execution(), protocol.OrdersMassCanceled):
                pass
        await self.rest("SELL", 1, "100", self.alice)
        await self.rest("BUY", 1, "100")  # the first: a market order is denied before there is a price
        await self.rest("BUY", 10, "99")
        await self.rest("SELL", 10, "101")
        await self.alice.ping()
        await self.drain()

    async def drain(self) -> None:
        """Nothing of what went before is left to read."""
        for client in (self.alice, self.bob):
            marker = next(IDS)
            await client.cancel(marker)
            while not isinstance(await client.execution(), protocol.CommandRefused):
                pass

    async def rest(self, side: Any, quantity: int, price: str, client: ExchangeClient | None = None) -> int:
        client, order = client or self.bob, next(IDS)
        await client.submit(order, "ACME", side, quantity, price=price)
        await client.execution(order)
        return order

    async def take(self, side: Any, quantity: int) -> None:
        order = next(IDS)
        await self.bob.submit(order, "ACME", side, quantity)
        await self.bob.execution(order)

    async def ask(self, side: Any, quantity: int, **terms: Any) -> int:
        order = next(IDS)
        await self.alice.submit(order, "ACME", side, quantity, **terms)
        return order

    async def said(self, order: int, executions: int) -> list[str]:
        """The next executions of one order of Alice's; those of her others are kept for later."""
        heard = self.heard.setdefault(order, [])
        while len(heard) < executions:
            execution = await self.alice.execution()
            self.heard.setdefault(getattr(execution, "client_order_id", 0), []).append(words(execution))
        said, self.heard[order] = heard[:executions], heard[executions:]
        return said


def words(execution: Any) -> str:
    kind = type(execution).__name__.removeprefix("Order").lower()
    match execution:
        case protocol.OrderFilled():
            return f"{execution.liquidity} {execution.quantity} at {execution.price}"
        case protocol.OrderRepriced():
            return f"{kind} {execution.price} stop {execution.stop_price}"
        case protocol.OrderReplaced() | protocol.OrderReduced():
            return f"{kind} {execution.quantity}"
        case protocol.OrderCanceled() | protocol.OrderDenied() | protocol.OrderRejected():
            return f"{kind} {execution.rule}"
        case _:
            return kind


@asynccontextmanager
async def floor(told: dict[str, Any]) -> AsyncIterator[Floor]:
    keys, url = told["keys"], told["url"]
    async with ExchangeClient(url, keys["alice"]) as alice, ExchangeClient(url, keys["bob"]) as bob:
        made = Floor(alice, bob)
        await made.make_market()
        yield made


ASKED_ALONE: list[tuple[str, int, dict[str, Any], list[str]]] = [
    ("BUY", 3, {}, ["accepted", "TAKER 3 at 101.00"]),
    ("BUY", 3, {"price": "100"}, ["accepted"]),
    ("BUY", 3, {"stop_price": "102"}, ["accepted"]),
    ("BUY", 3, {"stop_price": "102", "price": "103"}, ["accepted"]),
    ("BUY", 3, {"order_type": "MARKET_IF_TOUCHED", "stop_price": "98"}, ["accepted"]),
    ("SELL", 3, {"order_type": "LIMIT_IF_TOUCHED", "stop_price": "102", "price": "103"}, ["accepted"]),
    ("SELL", 3, {"order_type": "TRAILING_STOP", "trail_amount": "2.5"}, ["accepted", "repriced 0.00 stop 97.50"]),
    ("BUY", 3, {"order_type": "TRAILING_STOP", "trail_percent": "2.5"}, ["accepted", "repriced 0.00 stop 102.50"]),
    (
        "BUY", 3, {"order_type": "TRAILING_STOP_LIMIT", "trail_amount": "2", "limit_offset": "0.5"},
        ["accepted", "repriced 102.50 stop 102.00"],
    ),
    ("BUY", 12, {"order_type": "MARKET_TO_LIMIT"}, ["accepted", "repriced 101.00 stop 0.00", "TAKER 10 at 101.00"]),
    ("BUY", 3, {"order_type": "PEGGED", "peg": "MID"}, ["accepted", "repriced 100.00 stop 0.00"]),
    (
        "SELL", 3, {"order_type": "PEGGED", "peg": "PRIMARY", "peg_offset": "-0.5", "price": "100.75"},
        ["accepted", "repriced 100.75 stop 0.00"],
    ),
    ("BUY", 12, {"price": "100", "display_quantity": 4}, ["accepted"]),
    ("BUY", 12, {"price": "100", "hidden": True}, ["accepted"]),
    ("BUY", 12, {"price": "101", "minimum_quantity": 11}, ["accepted", "canceled MINIMUM_QUANTITY_MUST_FILL_NOW"]),
    ("BUY", 12, {"price": "101", "all_or_none": True}, ["accepted"]),
    ("BUY", 3, {"price": "101", "post_only": True}, ["rejected POST_ONLY_MUST_NOT_TAKE"]),
    ("BUY", 3, {"price": "105", "slide": True}, ["accepted", "repriced 100.99 stop 0.00"]),
    ("BUY", 12, {"price": "101", "time_in_force": "FOK"}, ["accepted", "canceled FILL_OR_KILL_MUST_FILL_WHOLE"]),
    (
        "BUY", 12, {"price": "101", "time_in_force": "IOC"},
        ["accepted", "TAKER 10 at 101.00", "canceled IMMEDIATE_OR_CANCEL_MUST_FILL_NOW"],
    ),
    ("BUY", 3, {"price": "100", "time_in_force": "DAY"}, ["accepted"]),
    ("BUY", 3, {"price": "100", "display_quantity": 4}, ["denied DISPLAY_MUST_NOT_EXCEED_QUANTITY"]),
    ("BUY", 3, {"display_quantity": 2}, ["denied TERMS_MUST_FIT_ORDER_TYPE"]),
    ("BUY", 3, {"price": "100", "trail_amount": "2"}, ["denied TERMS_MUST_FIT_ORDER_TYPE"]),
    ("BUY", 3, {"order_type": "TRAILING_STOP"}, ["denied TERMS_MUST_FIT_ORDER_TYPE"]),
]  # fmt: skip


def test_each_order_type_is_answered_as_the_table_says(told: dict[str, Any]) -> None:
    async def play() -> None:
        for side, quantity, terms, expected in ASKED_ALONE:
            async with floor(told) as market:
                order = await market.ask(side, quantity, **terms)
                assert await market.said(order, len(expected)) == expected, terms

    asyncio.run(play())


def test_what_waits_wakes_follows_and_is_shown_in_parts(told: dict[str, Any]) -> None:
    async def play() -> None:
        async with floor(told) as market:
            touched = await market.ask("BUY", 2, order_type="MARKET_IF_TOUCHED", stop_price="99")
            trailing = await market.ask("SELL", 2, order_type="TRAILING_STOP", trail_amount="1")
            await market.take("SELL", 1)
            assert await market.said(touched, 3) == ["accepted", "triggered", "TAKER 2 at 101.00"]
            assert await market.said(trailing, 4) == [
                "accepted", "repriced 0.00 stop 99.00", "triggered", "TAKER 2 at 99.00",
            ]  # fmt: skip
        async with floor(told) as market:
            peg = await market.ask("BUY", 2, order_type="PEGGED", peg="PRIMARY", peg_offset="-1")
            await market.rest("BUY", 1, "99.5")
            await market.alice.replace(peg, peg_offset="-2")
            said = ["accepted", "repriced 98.00 stop 0.00", "repriced 98.50 stop 0.00", "replaced 2"]
            assert await market.said(peg, 5) == [*said, "repriced 97.50 stop 0.00"]
        async with floor(told) as market:
            iceberg = await market.ask("BUY", 6, price="100", display_quantity=2)
            assert await market.said(iceberg, 1) == ["accepted"]
            await market.alice.subscribe("depth", "ACME")
            snapshot = await market.alice.market()
            assert isinstance(snapshot, protocol.DepthSnapshot)
            assert snapshot.bids[0] == ("100.00", "2", 1)
            await market.take("SELL", 3)
            assert await market.said(iceberg, 2) == ["MAKER 2 at 100.00", "MAKER 1 at 100.00"]

    asyncio.run(play())


def test_self_trades_are_prevented_as_the_order_says(told: dict[str, Any]) -> None:
    async def play() -> None:
        async with floor(told) as market:
            resting = await market.ask("SELL", 5, price="100.5")
            assert await market.said(resting, 1) == ["accepted"]
            taking = await market.ask("BUY", 3, price="100.5", self_trade="DECREMENT_AND_CANCEL")
            assert await market.said(taking, 2) == ["accepted", "canceled SELF_TRADE_MUST_NOT_HAPPEN"]
            await market.alice.cancel(resting)
            assert await market.said(resting, 2) == ["reduced 2", "canceled CANCELED_ON_REQUEST"]

    asyncio.run(play())


def test_a_mass_cancel_takes_one_side_of_the_account(told: dict[str, Any]) -> None:
    async def play() -> None:
        async with floor(told) as market:
            buy, sell = await market.ask("BUY", 1, price="98"), await market.ask("SELL", 1, price="103")
            await market.alice.mass_cancel(instrument="ACME", side="SELL")
            assert await market.said(sell, 2) == ["accepted", "canceled CANCELED_ON_REQUEST"]
            found = await market.alice.execution()
            assert (type(found), getattr(found, "orders", 0)) == (protocol.OrdersMassCanceled, 1)
            assert (await market.alice.order_status(buy)).state == "ACCEPTED"
            assert (await market.bob.state()).orders

    asyncio.run(play())


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"order_type": "PEGGED", "peg": "MIDDLE"}, "peg"),
        ({"order_type": "TRAILING_STOP", "trail_percent": "100"}, "trail_percent"),
        ({"order_type": "TRAILING_STOP", "trail_percent": "1", "trail_amount": "1"}, "trail_percent"),
        ({"order_type": "TRAILING_STOP", "trail_amount": "0.001"}, "trail_amount"),
        ({"order_type": "PEGGED", "peg": "MID", "peg_offset": "0.001"}, "peg_offset"),
        ({"price": "1", "display_quantity": "0"}, "display_quantity"),
        ({"order_type": "MARKET_IF_TOUCHED"}, "stop_price"),
    ],
)
def test_terms_that_cannot_be_are_refused_at_the_door(
    told: dict[str, Any], terms: dict[str, Any], field: str
) -> None:
    async def play() -> None:
        async with ExchangeClient(told["url"], told["keys"]["alice"]) as alice:
            await alice.submit(next(IDS), "ACME", "BUY", 1, **terms)
            with pytest.raises(ExchangeError, match=field):
                await alice.execution()

    asyncio.run(play())
