"""Sessions, auctions and visible orders over a real exchange: a process, its file, an operator's key, two clients."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from openbell.gateway import protocol
from openbell.gateway.client import ExchangeClient, ExchangeError
from openbell.gateway.keys import new_key
from tests.gateway.processes import exchange

CONFIG = """
[[instruments]]
symbol = "ACME"
tick = "0.01"
session = "OPENING_AUCTION"
reference_price = "100"
by_order = true
bands = {{ static = "10%", dynamic = "5%", seconds = 0 }}

[[accounts]]
name = "alice"
cash = 1000000
shorting = true

[[accounts]]
name = "bob"
cash = 1000000
shorting = true

[[keys]]
name = "alice"
account = "alice"
sha256 = "{alice}"
operator = true

[[keys]]
name = "bob"
account = "bob"
sha256 = "{bob}"
"""


def configured(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    keys, hashes = {}, {}
    for name in ("alice", "bob"):
        keys[name], hashes[name] = new_key(name)
    path = tmp_path / "exchange-settings.toml"
    path.write_text(CONFIG.format(**hashes))
    return path, keys


async def until(client: ExchangeClient, kind: type[Any], seen: Any) -> Any:
    """The next message of a kind on the client's channels for which `seen` holds."""
    while True:
        message = await client.market()
        if isinstance(message, kind) and seen(message):
            return message


def test_an_auction_and_the_orders_in_it_over_websocket(tmp_path: Path) -> None:
    config, keys = configured(tmp_path)

    indicated = protocol.AuctionTerms("101.00", "3", "2", "100.00")

    async def morning(url: str) -> None:
        async with ExchangeClient(url, keys["alice"]) as alice, ExchangeClient(url, keys["bob"]) as bob:
            await bob.subscribe("session", "ACME")
            first = await bob.market()
            assert isinstance(first, protocol.SessionSnapshot)
            assert first.state.session == "OPENING_AUCTION"
            await alice.submit(1, "ACME", "BUY", 5, price="101", time_in_force="AT_OPEN")
            assert isinstance(await alice.execution(1), protocol.OrderAccepted)
            await bob.submit(1, "ACME", "SELL", 3, price="99")
            told = await until(bob, protocol.SessionChanged, lambda one: one.state.auction is not None)
            assert told.state.auction == indicated

    async def day(url: str) -> None:
        async with ExchangeClient(url, keys["alice"]) as alice, ExchangeClient(url, keys["bob"]) as bob:
            await bob.subscribe("session", "ACME")
            kept = await bob.market()
            assert isinstance(kept, protocol.SessionSnapshot)
            assert (kept.state.session, kept.state.auction) == ("OPENING_AUCTION", indicated)
            await bob.subscribe("orders", "ACME")
            resting = await bob.market()
            assert isinstance(resting, protocol.BookOrdersSnapshot)
            assert [row[1:] for row in resting.bids + resting.asks] == [("101.00", "5"), ("99.00", "3")]
            with pytest.raises(ExchangeError, match="KEY_MUST_OPERATE"):
                await bob.change_session("CONTINUOUS", "ACME")
            await alice.change_session("CONTINUOUS", "ACME")
            await until(bob, protocol.SessionChanged, lambda one: one.state.session == "CONTINUOUS")
            fill = await alice.execution(1)
            assert isinstance(fill, protocol.OrderFilled)
            assert (fill.price, fill.quantity, fill.liquidity) == ("101.00", "3", "MAKER")
            assert isinstance(await alice.execution(1), protocol.OrderExpired)
            await alice.submit(2, "ACME", "BUY", 5, price="111.12")
            refused = await alice.execution(2)
            assert isinstance(refused, protocol.OrderRejected)
            assert refused.rule == "PRICE_MUST_BE_WITHIN_BANDS"
            await alice.submit(3, "ACME", "BUY", 7, price="100.50")
            change = await until(
                bob, protocol.BookOrders, lambda one: one.changes and one.changes[-1][0] == "ADD"
            )
            while change.changes[-1][3] != "100.50":
                change = await until(bob, protocol.BookOrders, lambda one: bool(one.changes))
            assert change.changes[-1][1:2] + change.changes[-1][3:] == ("BUY", "100.50", "7")

    async def again(url: str) -> None:
        async with ExchangeClient(url, keys["bob"]) as bob:
            await bob.subscribe("session", "ACME")
            session = await bob.market()
            assert isinstance(session, protocol.SessionSnapshot)
            assert (session.state.session, session.state.auction) == ("CONTINUOUS", None)
            await bob.subscribe("orders", "ACME")
            orders = await bob.market()
            assert isinstance(orders, protocol.BookOrdersSnapshot)
            assert [row[1:] for row in orders.bids] == [("100.50", "7")]
            assert orders.asks == ()

    for story in (morning, day, again):
        with exchange("--config", config, "--directory", tmp_path / "x") as told:
            asyncio.run(story(told["url"]))
