"""Prices of zero and below over a real exchange: WTI for May 2020 on 20 April, and a spread around zero."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from openbell.gateway import protocol
from openbell.gateway.client import ExchangeClient, ExchangeError
from openbell.gateway.keys import new_key
from tests.gateway.processes import exchange, fails

CONFIG = """
[[instruments]]
symbol = "CLK0"
tick = "0.01"
multiplier = "1000"
negative_prices = true
reference_price = "18.27"
bands = {{ static = "10%", static_amount = "60", dynamic_amount = "30" }}

[[instruments]]
symbol = "SPREAD"
tick = "0.01"
negative_prices = true
reference_price = "0"
by_order = true

[[instruments]]
symbol = "ACME"

[[accounts]]
name = "alice"
cash = 1000000
shorting = true

[[accounts]]
name = "bob"
cash = 1000000
shorting = true

[fees]
taker = "0.1%"

[[keys]]
name = "alice"
account = "alice"
sha256 = "{alice}"

[[keys]]
name = "bob"
account = "bob"
sha256 = "{bob}"
"""
IDS = count(1)


def configured(folder: Path, text: str = CONFIG) -> tuple[Path, dict[str, str]]:
    keys, hashes = {}, {}
    for name in ("alice", "bob"):
        keys[name], hashes[name] = new_key(name)
    path = folder / "exchange-settings.toml"
    path.write_text(text.format(**hashes))
    return path, keys


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("exchange")
    config, keys = configured(folder)
    with exchange("--config", config, "--directory", folder / "x") as told:
        yield told | {"keys": keys}


@asynccontextmanager
async def clients(told: dict[str, Any]) -> AsyncIterator[tuple[ExchangeClient, ExchangeClient]]:
    async with (
        ExchangeClient(told["url"], told["keys"]["alice"]) as alice,
        ExchangeClient(told["url"], told["keys"]["bob"]) as bob,
    ):
        yield alice, bob


async def said(client: ExchangeClient, order: int, *kinds: type[Any]) -> Any:
    """The next executions of an order are of these kinds; returns the last."""
    found = None
    for kind in kinds:
        found = await client.execution(order)
        assert isinstance(found, kind), found
    return found


def test_the_day_on_which_a_barrel_cost_less_than_nothing(told: dict[str, Any]) -> None:
    """Down from 17.73 by way of zero to -40.32, then to the settlement price of -37.63."""

    async def play() -> None:
        async with clients(told) as (alice, bob):
            cash = {client: float((await client.state()).cash) for client in (alice, bob)}
            expected = dict(cash)
            for price in ("17.73", "5.00", "0.01", "0", "-14.00", "-40.32", "-37.63"):
                buy, sell = next(IDS), next(IDS)
                await alice.submit(buy, "CLK0", "BUY", 1, price=price)
                await said(alice, buy, protocol.OrderAccepted)
                await bob.submit(sell, "CLK0", "SELL", 1, price=price)
                fill = await said(bob, sell, protocol.OrderAccepted, protocol.OrderFilled)
                assert float(fill.price) == float(price)
                assert float(fill.fee) == pytest.approx(abs(float(price)))
                await said(alice, buy, protocol.OrderFilled)
                expected[alice] -= 1_000 * float(price)
                expected[bob] += 1_000 * float(price) - abs(float(price))
            for client in (alice, bob):
                assert float((await client.state()).cash) == pytest.approx(expected[client])
            held = {one.instrument: one.quantity for one in (await alice.state()).positions}
            assert held["CLK0"] == "7"
            beyond = next(IDS)
            await alice.submit(beyond, "CLK0", "BUY", 1, price="-41.74")
            refused = await said(alice, beyond, protocol.OrderRejected)
            assert (refused.rule, refused.limit, refused.actual) == (
                "PRICE_MUST_BE_WITHIN_BANDS",
                "-41.73",
                "-41.74",
            )

    asyncio.run(play())


def test_zero_is_a_price_in_every_message(told: dict[str, Any]) -> None:
    async def play() -> None:
        async with clients(told) as (alice, bob):
            assert alice.hello is not None
            permitted = {one.symbol: one.negative_prices for one in alice.hello.instruments}
            assert permitted == {"CLK0": True, "SPREAD": True, "ACME": False}
            zero = next(IDS)
            await bob.submit(zero, "SPREAD", "BUY", 5, price="0")
            await said(bob, zero, protocol.OrderAccepted)
            assert (await bob.order_status(zero)).price == "0.00"
            await bob.replace(zero, price="-0.05")
            assert (await said(bob, zero, protocol.OrderReplaced)).price == "-0.05"
            await bob.replace(zero, price="0")
            assert (await said(bob, zero, protocol.OrderReplaced)).price == "0.00"
            peg, capped = next(IDS), next(IDS)
            await alice.submit(
                peg, "SPREAD", "BUY", 1, order_type="PEGGED", peg="PRIMARY", peg_offset="-0.02"
            )
            assert (await said(alice, peg, protocol.OrderAccepted, protocol.OrderRepriced)).price == "-0.02"
            await alice.submit(
                capped, "SPREAD", "BUY", 1, order_type="PEGGED", peg="PRIMARY", peg_offset="0.02", price="0"
            )
            assert (await said(alice, capped, protocol.OrderAccepted, protocol.OrderRepriced)).price == "0.00"
            assert (await alice.order_status(capped)).price == "0.00"
            assert (await alice.order_status(peg)).price is None
            await bob.cancel(zero)
            await said(bob, zero, protocol.OrderCanceled)
            assert (await said(alice, peg, protocol.OrderRepriced)).price is None, (
                "it waits, and has no price"
            )
            await alice.cancel_all()

    asyncio.run(play())


@pytest.mark.parametrize("price", ["0", "-0.01"])
def test_a_plain_instrument_refuses_them_at_the_door(told: dict[str, Any], price: str) -> None:
    async def play() -> None:
        async with clients(told) as (alice, _):
            await alice.submit(next(IDS), "ACME", "BUY", 1, price=price)
            with pytest.raises(ExchangeError, match="PRICE_MUST_BE_POSITIVE"):
                await alice.execution()
            await alice.submit(next(IDS), "SPREAD", "BUY", 1, order_type="TRAILING_STOP", trail_amount="-1")
            with pytest.raises(ExchangeError, match="TRAIL_AMOUNT_MUST_BE_POSITIVE"):
                await alice.execution()

    asyncio.run(play())


def test_a_restarted_exchange_knows_a_price_of_zero(tmp_path: Path) -> None:
    config, keys = configured(tmp_path)
    arguments = ("--config", config, "--directory", tmp_path / "x")

    async def rest(url: str) -> None:
        async with ExchangeClient(url, keys["alice"]) as alice:
            await alice.submit(1, "SPREAD", "BUY", 5, price="0")
            await said(alice, 1, protocol.OrderAccepted)

    async def look(url: str) -> tuple[str | None, str | None]:
        async with ExchangeClient(url, keys["alice"]) as alice:
            order = await alice.order_status(1)
            return order.price, order.stop_price

    with exchange(*arguments) as first:
        asyncio.run(rest(first["url"]))
    with exchange(*arguments) as second:
        assert asyncio.run(look(second["url"])) == ("0.00", None)


def test_a_share_alone_is_no_band_around_zero(tmp_path: Path) -> None:
    config, _ = configured(
        tmp_path, CONFIG.replace('static = "10%", static_amount = "60", ', 'static = "10%", ')
    )
    code, message = fails("--config", config, "--directory", tmp_path / "x", "--port", 0)
    assert code != 0
    assert "CLK0.bands.static" in message
    assert "static_amount" in message
