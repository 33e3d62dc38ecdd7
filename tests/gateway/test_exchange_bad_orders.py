"""Orders that cannot be, sent to a real exchange over its WebSocket: each is refused by its rule with limit and actual, the books
stay as they were, and the exchange lives.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from openbell.gateway.keys import new_key
from tests.gateway.processes import exchange

CONFIG = """
[[instruments]]
symbol = "ACME"
tick = "0.01"
lot = "1"
by_order = true
reference_price = "100"
bands = {{ static = "50%" }}
minimum_quantity = 1
maximum_quantity = 1000000

[[instruments]]
symbol = "PENNY"
tick = "0.01"

[[instruments]]
symbol = "BIG"
tick = "0.000000001"

[[instruments]]
symbol = "HALT"
session = "HALTED"

[[instruments]]
symbol = "SHUT"
session = "CLOSED"

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

[[keys]]
name = "bob"
account = "bob"
sha256 = "{bob}"

[sessions]
messages_per_second = 100000
private_messages = 100000
"""
IDS = count(1)
MANY = 20_000
REFUSALS = (
    "error",
    "order_denied",
    "order_rejected",
    "command_refused",
    "replace_rejected",
    "cancel_rejected",
)
Frame = dict[str, Any]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("exchange")
    keys, hashes = {}, {}
    for name in ("alice", "bob"):
        keys[name], hashes[name] = new_key(name)
    config = folder / "exchange-settings.toml"
    config.write_text(CONFIG.format(**hashes))
    with exchange("--config", config, "--directory", Path(folder) / "x") as told:
        yield told | {"keys": keys}
        assert "ended" not in told, "it lives to the end"


class Wire:
    """Frames as they are, so that what no client would write can be sent too."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, **message: object) -> None:
        await self.socket.send(
            json.dumps({name: value for name, value in message.items() if value is not None})
        )

    async def read(self, *kinds: str) -> Frame:
        """The next frame of one of these types."""
        while True:
            frame: Frame = json.loads(await self.socket.recv())
            if frame["type"] in kinds:
                return frame
            assert frame["type"] not in REFUSALS, f"{frame} instead of {kinds}"

    async def ask(self, kind: str, **message: object) -> Frame:
        await self.send(**message)
        return await self.read(kind)

    async def books(self) -> list[Frame]:
        """Every visible order of ACME and every level of the others."""
        found = []
        for channel, symbol in (("orders", "ACME"), ("depth", "PENNY"), ("depth", "BIG"), ("depth", "HALT")):
            frame = await self.ask(
                f"{channel}_snapshot", type="subscribe", channel=channel, instrument=symbol
            )
            found.append({name: frame[name] for name in ("instrument", "bids", "asks")})
            await self.ask("unsubscribed", type="unsubscribe", channel=channel, instrument=symbol)
        return found


@asynccontextmanager
async def wired(told: dict[str, Any], name: str) -> AsyncIterator[Wire]:
    async with connect(told["url"], max_size=None) as socket:
        wire = Wire(socket)
        await wire.ask("welcome", type="login", key=told["keys"][name])
        yield wire


def order(instrument: str = "ACME", side: str = "BUY", **other: object) -> Frame:
    message: Frame = {
        "type": "submit",
        "client_order_id": next(IDS),
        "instrument": instrument,
        "side": side,
        "quantity": "10",
        "price": "100.00",
    }
    return message | other


@asynccontextmanager
async def market(told: dict[str, Any]) -> AsyncIterator[tuple[Wire, dict[str, int]]]:
    """Alice, and Bob's market: 10 at 99 and 10 at 101 after a trade at 100; in PENNY he sells at the lowest price there is."""
    async with wired(told, "alice") as alice, wired(told, "bob") as bob:
        for wire in (alice, bob):
            await wire.ask("orders_mass_canceled", type="mass_cancel")
        named = {}
        for name, wire, message in (
            ("filled", alice, order(quantity="1")),
            ("taker", bob, order(side="SELL", quantity="1")),
            ("bid", bob, order(price="99.00")),
            ("offer", bob, order(side="SELL", price="101.00")),
            ("penny", bob, order("PENNY", "SELL", price="0.01")),
            ("mine", alice, order(price="98.00")),
        ):
            await wire.ask("order_accepted", **message)
            named[name] = message["client_order_id"]
        yield alice, named


STOP: Frame = {"order_type": "STOP", "price": None}
BIGGEST = 2**56

REFUSED = [
    # what is wrong, the order, type of the answer, rule, limit, actual
    (
        "a post-only order that would take",
        order(price="101.00", post_only=True),
        ("order_rejected", "POST_ONLY_MUST_NOT_TAKE", "101.00", "101.00"),
    ),
    (
        "one that cannot slide below the lowest price",
        order("PENNY", price="0.01", slide=True),
        ("order_rejected", "POST_ONLY_MUST_NOT_TAKE", "0.01", "0.01"),
    ),
    (
        "post-only and slide of an order without a price",
        order(order_type="MARKET", price=None, slide=True),
        ("order_denied", "TERMS_MUST_FIT_ORDER_TYPE", "0", "1"),
    ),
    (
        "good till a time that is over",
        order(time_in_force="GTD", expire_time="2020-01-01T00:00:00Z"),
        ("order_rejected", "EXPIRY_MUST_BE_IN_FUTURE", None, None),
    ),
    (
        "for a close that is over",
        order("SHUT", time_in_force="AT_CLOSE"),
        ("order_rejected", "SESSION_MUST_TAKE_ORDER", "7", "7"),
    ),
    (
        "for an opening that is over",
        order(time_in_force="AT_OPEN"),
        ("order_rejected", "SESSION_MUST_TAKE_ORDER", "3", "6"),
    ),
    (
        "any order when the day is over",
        order("SHUT"),
        ("order_rejected", "SESSION_MUST_TAKE_ORDER", "7", "2"),
    ),
    (
        "a buying stop below the market",
        order(stop_price="99.00", **STOP),
        ("order_rejected", "STOP_MUST_NOT_BE_TRIGGERED", "100.00", "99.00"),
    ),
    (
        "a selling stop above the market",
        order(side="SELL", stop_price="101.00", **STOP),
        ("order_rejected", "STOP_MUST_NOT_BE_TRIGGERED", "100.00", "101.00"),
    ),
    (
        "a touched order on the wrong side",
        order(order_type="MARKET_IF_TOUCHED", price=None, stop_price="101.00"),
        ("order_rejected", "STOP_MUST_NOT_BE_TRIGGERED", "100.00", "101.00"),
    ),
    (
        "more shown than ordered",
        order(price="98.00", display_quantity="11"),
        ("order_denied", "DISPLAY_MUST_NOT_EXCEED_QUANTITY", "10", "11"),
    ),
    (
        "more required than ordered",
        order(price="98.00", minimum_quantity="11"),
        ("order_denied", "MINIMUM_MUST_NOT_EXCEED_QUANTITY", "10", "11"),
    ),
    (
        "hidden and showing a part",
        order(price="98.00", hidden=True, display_quantity="5"),
        ("order_denied", "TERMS_MUST_FIT_ORDER_TYPE", "0", "2"),
    ),
    ("nothing", order(quantity="0"), ("error", "QUANTITY_MUST_BE_POSITIVE", "1", "0")),
    ("less than nothing", order(quantity="-5"), ("error", "QUANTITY_MUST_BE_POSITIVE", "1", "-5")),
    ("a part of a lot", order(quantity="1.5"), ("error", "QUANTITY_MUST_BE_ON_LOT", "1", "1.5")),
    ("a price between ticks", order(price="100.005"), ("error", "PRICE_MUST_BE_ON_TICK", "0.01", "100.005")),
    (
        "a stop between ticks",
        order(stop_price="100.005", **STOP),
        ("error", "STOP_PRICE_MUST_BE_ON_TICK", "0.01", "100.005"),
    ),
    ("a price of nothing", order(price="0"), ("error", "PRICE_MUST_BE_POSITIVE", "0.01", "0")),
    ("a price below nothing", order(price="-1.00"), ("error", "PRICE_MUST_BE_POSITIVE", "0.01", "-1.00")),
    (
        "a stop below nothing",
        order(stop_price="-1.00", **STOP),
        ("error", "STOP_PRICE_MUST_BE_POSITIVE", "0.01", "-1.00"),
    ),
    (
        "a price above the band",
        order(price="150.01"),
        ("order_rejected", "PRICE_MUST_BE_WITHIN_BANDS", "150.00", "150.01"),
    ),
    (
        "a price below the band",
        order(price="49.99"),
        ("order_rejected", "PRICE_MUST_BE_WITHIN_BANDS", "50.00", "49.99"),
    ),
    (
        "more than an order may be",
        order(quantity="1000001"),
        ("order_rejected", "QUANTITY_MUST_BE_IN_BOUNDS", "1000000", "1000001"),
    ),
    (
        "more than an engine counts",
        order("PENNY", quantity=str(BIGGEST + 1), price="0.02"),
        ("order_denied", "QUANTITY_MUST_BE_IN_BOUNDS", str(BIGGEST), str(BIGGEST + 1)),
    ),
    (
        "more than a wire counts",
        order("PENNY", quantity="9223372036854775808"),
        ("error", "FIELD_MUST_BE_VALID", "9223372036854775807", "9223372036854775808"),
    ),
    (
        "a number nobody can count",
        order(quantity="1e999999999"),
        ("error", "FIELD_MUST_BE_VALID", None, None),
    ),
    ("no number", order(quantity="NaN"), ("error", "FIELD_MUST_BE_VALID", None, None)),
    (
        "worth more than an engine counts",
        order("PENNY", quantity=str(BIGGEST), price="100000000.00"),
        ("order_denied", "NOTIONAL_MUST_BE_IN_BOUNDS", None, None),
    ),
    (
        "priced above what an engine counts",
        order("PENNY", quantity="1", price="720575940379279.37"),
        ("order_denied", "FIELD_MUST_BE_IN_RANGE", None, None),
    ),
    (
        "of an instrument that is halted",
        order("HALT"),
        ("order_rejected", "TRADING_MUST_NOT_BE_HALTED", "0", "4"),
    ),
    (
        "of an instrument that there is not",
        order("GHOST"),
        ("error", "INSTRUMENT_MUST_BE_LISTED", None, "GHOST"),
    ),
    (
        "a trailing stop without a price to follow",
        order("BIG", order_type="TRAILING_STOP", price=None, trail_amount="1"),
        ("order_denied", "REFERENCE_PRICE_MUST_BE_KNOWN", "0", "3"),
    ),
    (
        "reduce-only without a position",
        order("BIG", reduce_only=True),
        ("order_denied", "REDUCE_ONLY_MUST_REDUCE", None, None),
    ),
]


def figures(frame: Frame) -> tuple[str, str, str | None, str | None]:
    return frame["type"], frame.get("rule") or frame["code"], frame.get("limit"), frame.get("actual")


def is_same(told: str | None, wanted: str) -> bool:
    """Figures are written without the zeros at their end."""
    try:
        return told is not None and Decimal(told) == Decimal(wanted)
    except InvalidOperation:
        return told == wanted


async def refused(alice: Wire, message: Frame, expected: tuple[str, str, str | None, str | None]) -> None:
    kinds = ("error", "order_accepted", "order_denied", "order_rejected", "replace_rejected", "cancel_rejected",
             "command_refused", "order_replaced", "order_canceled")  # fmt: skip
    await alice.send(**message)
    found = figures(await alice.read(*kinds))
    assert found[:2] == expected[:2]
    for told, wanted in zip(found[2:], expected[2:], strict=True):
        assert wanted is None or is_same(told, wanted), found


@pytest.mark.parametrize(
    ("message", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_an_order_that_cannot_be_is_refused_by_its_rule_and_changes_nothing(
    told: dict[str, Any], message: Frame, expected: tuple[str, str, str | None, str | None]
) -> None:
    async def play() -> None:
        async with market(told) as (alice, _):
            before = await alice.books()
            await refused(alice, message, expected)
            assert await alice.books() == before
            assert (await alice.ask("pong", type="ping"))["sequence"] > 0

    asyncio.run(play())


def test_ids_that_are_known_closed_or_unknown_are_refused_and_change_nothing(told: dict[str, Any]) -> None:
    async def play() -> None:
        async with market(told) as (alice, ids):
            before = await alice.books()
            unknown = 2**62
            for message, expected in (
                ({"type": "replace", "client_order_id": ids["filled"], "price": "99.50"},
                 ("replace_rejected", "ORDER_MUST_BE_OPEN", "0", "6")),
                ({"type": "cancel", "client_order_id": ids["filled"]}, ("cancel_rejected", "ORDER_MUST_BE_OPEN", "0", "6")),
                ({"type": "cancel", "client_order_id": unknown}, ("command_refused", "ORDER_MUST_EXIST", "0", str(unknown))),
                ({"type": "replace", "client_order_id": unknown, "price": "1"},
                 ("error", "ORDER_MUST_EXIST", None, str(unknown))),
                # Bob's order: to alice there is none.
                ({"type": "cancel", "client_order_id": ids["offer"]},
                 ("command_refused", "ORDER_MUST_EXIST", "0", str(ids["offer"]))),
                (order(client_order_id=ids["mine"], price="98.50"),
                 ("order_denied", "CLIENT_ORDER_ID_MUST_BE_UNIQUE", "0", str(ids["mine"]))),
                (order(client_order_id=ids["filled"], price="98.50"),
                 ("order_denied", "CLIENT_ORDER_ID_MUST_BE_UNIQUE", "0", str(ids["filled"]))),
                ({"type": "replace", "client_order_id": ids["mine"], "price": "98.005"},
                 ("error", "PRICE_MUST_BE_ON_TICK", "0.01", "98.005")),
                ({"type": "replace", "client_order_id": ids["mine"], "quantity": "0"},
                 ("error", "QUANTITY_MUST_BE_POSITIVE", "1", "0")),
                ({"type": "replace", "client_order_id": ids["mine"], "price": "150.01"},
                 ("replace_rejected", "PRICE_MUST_BE_WITHIN_BANDS", "150.00", "150.01")),
                ({"type": "replace", "client_order_id": ids["mine"], "quantity": "1000001"},
                 ("replace_rejected", "QUANTITY_MUST_BE_IN_BOUNDS", "1000000", "1000001")),
            ):  # fmt: skip
                await refused(alice, message, expected)
            assert await alice.books() == before

    asyncio.run(play())


def test_many_orders_at_one_price_rest_in_one_level_and_leave_as_one_act(told: dict[str, Any]) -> None:
    async def play() -> None:
        async with market(told) as (alice, _):
            welcome = await alice.ask("state", type="state")
            assert len(welcome["orders"]) == 1
            sent = asyncio.create_task(_send_many(alice))
            for _ in range(MANY):
                frame = await alice.read("order_accepted", "order_denied", "order_rejected", "error")
                assert frame["type"] == "order_accepted", frame
            await sent
            depth = await alice.ask("depth_snapshot", type="subscribe", channel="depth", instrument="ACME")
            assert ["97.00", str(MANY), MANY] in depth["bids"]
            await alice.send(type="mass_cancel", instrument="ACME", side="BUY")
            kinds = [
                (await alice.read("order_canceled", "orders_mass_canceled"))["type"] for _ in range(MANY + 2)
            ]
            assert kinds[-1] == "orders_mass_canceled"
            assert set(kinds[:-1]) == {"order_canceled"}
            assert (await alice.ask("pong", type="ping"))["sequence"] > MANY

    asyncio.run(play())


async def _send_many(wire: Wire) -> None:
    for number in range(MANY):
        await wire.send(**order(quantity="1", price="97.00"))
        if number % 500 == 0:
            await asyncio.sleep(0.01)
