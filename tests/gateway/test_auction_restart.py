"""An exchange killed while an auction collects comes to the same as one that was never killed: from the begin of its journal and
from a snapshot, with every kind of waiting order at work."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from openbell.gateway import protocol
from openbell.gateway.client import ExchangeClient
from openbell.gateway.keys import new_key
from openbell.kernel import JournalReader, Node, compare_history, snapshots_in
from tests.gateway.processes import exchange, health, until

NAMES = ("alice", "bob", "carol")
INSTRUMENT = """
[[instruments]]
symbol = "ACME"
tick = "0.01"
reference_price = "100"
bands = { static = "20%", dynamic = "10%", seconds = 0 }
"""
SNAPSHOTS = "[snapshots]\nrecords = 1\ninline_bytes = 1048576"
NO_SNAPSHOTS = "[snapshots]\nrecords = 1000000000\nbytes = 1000000000000\nseconds = 1000000"

Orders = list[tuple[int, str, int, dict[str, Any]]]
Words = list[tuple[Any, ...]]

RESTING: Orders = [
    (1, "SELL", 1, {"price": "100"}),
    (0, "BUY", 1, {"price": "100"}),
    (0, "BUY", 12, {"price": "99", "display_quantity": 4}),
    (1, "BUY", 6, {"price": "99", "hidden": True}),
    (1, "SELL", 9, {"price": "101", "display_quantity": 2}),
    (2, "BUY", 5, {"order_type": "PEGGED", "peg": "PRIMARY"}),
    (2, "SELL", 5, {"order_type": "PEGGED", "peg": "MID", "peg_offset": "1.50"}),
    (0, "BUY", 3, {"order_type": "STOP", "stop_price": "101.50"}),
    (1, "SELL", 3, {"order_type": "STOP_LIMIT", "stop_price": "98", "price": "97"}),
    (2, "SELL", 4, {"order_type": "TRAILING_STOP", "trail_amount": "1.50"}),
    (2, "BUY", 2, {"order_type": "MARKET_IF_TOUCHED", "stop_price": "97.50"}),
    (0, "BUY", 4, {"order_type": "STOP", "stop_price": "102.50", "trigger_by": "OPPOSITE_BEST"}),
    (1, "SELL", 60, {"price": "98.50", "all_or_none": True}),
    (2, "SELL", 7, {"price": "103", "time_in_force": "AT_CLOSE"}),
    (0, "SELL", 1, {"price": "104", "reduce_only": True}),
]
"""Account, side, quantity and terms, sent while trading goes on."""
COLLECTED: Orders = [
    (2, "BUY", 5, {}),
    (1, "SELL", 8, {"price": "98.70", "display_quantity": 3}),
    (0, "BUY", 6, {"price": "102", "post_only": True}),
    (2, "BUY", 6, {"order_type": "MARKET_TO_LIMIT"}),
    (1, "SELL", 2, {"price": "99.10", "hidden": True}),
    (0, "BUY", 2, {"order_type": "PEGGED", "peg": "MARKET", "peg_offset": "-0.20"}),
]
"""Sent while the auction collects: the book is crossed."""


@pytest.fixture
def keys(tmp_path: Path) -> tuple[dict[str, str], str]:
    """Keys by account, and the tables of accounts and keys; the first may open sessions."""
    found, tables = {}, []
    for name in NAMES:
        found[name], sha256 = new_key(name)
        tables.append(f'[[accounts]]\nname = "{name}"\ncash = 1_000_000\nshorting = true')
        operator = "operator = true" if name == NAMES[0] else ""
        tables.append(f'[[keys]]\nname = "{name}"\naccount = "{name}"\nsha256 = "{sha256}"\n{operator}')
    return found, "\n".join(tables)


def arguments(folder: Path, tables: str, snapshots: str) -> tuple[object, ...]:
    folder.mkdir()
    path = folder / "settings.toml"
    path.write_text("\n".join((INSTRUMENT, tables, snapshots)))
    return ("--config", path, "--directory", folder / "x")


class Traders:
    """All accounts at one exchange; each command is answered before the next is sent."""

    def __init__(self, clients: list[ExchangeClient], sent: list[int]) -> None:
        self.clients = clients
        self.sent = sent
        self.heard: list[Words] = [[] for _ in clients]

    async def send(self, orders: Orders) -> None:
        for account, side, quantity, terms in orders:
            self.sent[account] += 1
            client: Any = self.clients[account]
            await client.submit(self.sent[account], "ACME", side, quantity, **terms)
            while getattr(told := await client.execution(), "client_order_id", 0) != self.sent[account]:
                self.heard[account].append(words(told))
            assert isinstance(told, protocol.OrderAccepted), (terms, told)

    async def open(self, session: Any) -> None:
        """Until all have been told."""
        await self.clients[0].subscribe("session", "ACME")
        await self.clients[0].change_session(session, "ACME")
        while True:
            told = await self.clients[0].market()
            state = getattr(told, "state", None)
            if state is not None and state.session == session:
                break
        await self.clients[0].unsubscribe("session", "ACME")

    async def said(self) -> list[Words]:
        """What each has been told beside acknowledgments since the last call; numbers and times of records left out."""
        for client, heard in zip(self.clients, self.heard, strict=True):
            await client.cancel(999_999)
            while not isinstance(told := await client.execution(), protocol.CommandRefused):
                heard.append(words(told))
        found, self.heard = self.heard, [[] for _ in self.clients]
        return found


def words(told: Any) -> tuple[Any, ...]:
    skipped = ("sequence", "index", "time", "order_id", "request")
    fields = [getattr(told, name) for name in told.__struct_fields__ if name not in skipped]
    return (type(told).__name__, *fields)


async def with_traders(url: str, keys: dict[str, str], sent: list[int], story: Any) -> Any:
    async with (
        ExchangeClient(url, keys["alice"]) as alice,
        ExchangeClient(url, keys["bob"]) as bob,
        ExchangeClient(url, keys["carol"]) as carol,
    ):
        return await story(Traders([alice, bob, carol], sent))


async def morning(traders: Traders) -> None:
    await traders.send(RESTING)
    await traders.open("VOLATILITY_AUCTION")
    await traders.send(COLLECTED)
    await traders.said()


async def rest_of_the_day(traders: Traders) -> tuple[list[Words], list[Any]]:
    """The uncross and what it sets off, some trading, and the close."""
    await traders.open("CONTINUOUS")
    await traders.send([(1, "SELL", 3, {"price": "98.60"}), (0, "BUY", 9, {"price": "102"})])
    await traders.open("CLOSING_AUCTION")
    await traders.send([(1, "BUY", 4, {"price": "103.50"})])
    await traders.open("CLOSED")
    heard = await traders.said()
    states = []
    for client in traders.clients:
        state = await client.state()
        orders = [(one.client_order_id, one.state, one.leaves_quantity) for one in state.orders]
        states.append((orders, state.positions, state.cash))
    return heard, states


def replayed(journal: Path) -> tuple[int, str]:
    """Sequence and state of a node that all of a journal's records go through in one go."""
    node, reader = Node(mode="replay"), JournalReader(journal)
    while (slots := reader.read()) is not None:
        node.run(slots, None, [])
        node.take_output()
    return node.sequence, f"{node.state_hash():032x}"


def never_killed(given: tuple[object, ...], keys: dict[str, str]) -> Any:
    sent = [0, 0, 0]
    with exchange(*given) as told:
        asyncio.run(with_traders(told["url"], keys, sent, morning))
        return asyncio.run(with_traders(told["url"], keys, sent, rest_of_the_day))


@pytest.mark.parametrize("start", ["the begin of its journal", "a snapshot"])
def test_killed_while_an_auction_collects_it_goes_on_as_if_nothing_had_been(
    tmp_path: Path, keys: tuple[dict[str, str], str], start: str
) -> None:
    expected = never_killed(arguments(tmp_path / "other", keys[1], NO_SNAPSHOTS), keys[0])
    snapshots = SNAPSHOTS if start == "a snapshot" else NO_SNAPSHOTS
    given, sent = arguments(tmp_path / "one", keys[1], snapshots), [0, 0, 0]
    journal = tmp_path / "one" / "x" / "journal"
    with exchange(*given, stop=signal.SIGKILL) as first:
        asyncio.run(with_traders(first["url"], keys[0], sent, morning))
        last = health(first)["sequence"]
        if start == "a snapshot":
            until("a snapshot", lambda: health(first)["snapshot_sequence"] == last)
    kept = [one[0] for one in snapshots_in(journal / "snapshots")]
    assert (last in kept) == (start == "a snapshot"), kept
    with exchange(*given) as second:
        assert second["sequence"] >= last, "nothing that was told is lost"
        found = asyncio.run(with_traders(second["url"], keys[0], sent, rest_of_the_day))
    for name, ours, its in zip(NAMES, found[0], expected[0], strict=True):
        assert ours == its, name
    assert found[1] == expected[1]
    kinds = {told[0] for heard in found[0] for told in heard}
    assert kinds >= {"OrderFilled", "OrderTriggered", "OrderRepriced", "OrderExpired", "OrderCanceled"}, kinds
    ended = second["ended"]
    assert replayed(journal) == (ended["sequence"], ended["state_hash"])
    assert compare_history(journal, journal / "snapshots") == []
