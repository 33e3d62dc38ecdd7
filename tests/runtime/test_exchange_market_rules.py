"""How an exchange's file says how its instruments trade, and what its engine makes of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openbell import MatchingPolicy, OrderBook
from openbell.cli.app import run
from openbell.kernel import JournalReader, Node
from openbell.kernel.live_node import Commands, LiveNode
from openbell.kernel.order_book import BookTrade
from openbell.messages.layouts import message_numbers, select
from openbell.model.errors import ConfigError
from openbell.model.terms import TradingSession
from openbell.runtime.exchange_directory import configuration
from openbell.runtime.exchange_settings import checked_settings

BUY, SELL, LIMIT, GTC, AT_OPEN = 1, 2, 2, 2, 6


def settings(**rules: Any) -> Any:
    return checked_settings(
        {
            "instruments": [{"symbol": "ACME", "tick": "0.01", "lot": 1, **rules}],
            "accounts": [{"name": name, "cash": 1_000_000, "shorting": True} for name in ("alice", "bob")],
        }
    )


def node(tmp_path: Path, **rules: Any) -> LiveNode:
    return LiveNode.create(
        tmp_path / "journal",
        configuration(settings(**rules)),
        epoch=1,
        created_by="test",
        durability="none",
        accept_any_file_system=True,
    )


def told(live: LiveNode, message: str, count: int) -> list[dict[str, int]]:
    rows: list[dict[str, int]] = []
    for _ in range(100_000):
        found = select(live.take_outputs(), message)
        rows += [{name: int(row[name]) for name in found.dtype.names or ()} for row in found]
        if len(rows) >= count:
            break
    return rows


def test_every_rule_of_the_file_reaches_the_engine(tmp_path: Path) -> None:
    live = node(
        tmp_path,
        policy={"name": "ALLOCATION", "minimum": 2, "by_time": "40%", "top": {}, "lead": {"bob": "30%"}},
        session="PRE_OPEN",
        reference_price=100,
        bands={"static": "10%", "dynamic": "5%", "on_breach": "HALTED", "seconds": 2.5},
        ticks=[["0", "0.01"], ["50", "0.05"]],
        minimum_quantity=5,
        maximum_quantity=500,
        by_order=True,
    )
    live.stop()
    replayed = Node(mode="replay")
    reader = JournalReader(tmp_path / "journal")
    while (slots := reader.read()) is not None:
        replayed.run(slots, None, [])
        replayed.commit()
    events = replayed.take_output()
    one = lambda name: select(events, name)[0]  # noqa: E731
    assert int(one("MatchingPolicySet")["policy"]) == 2
    assert [int(one("PriceBandsSet")[name]) for name in ("static_width", "dynamic_width", "on_breach")] == [
        100_000_000,
        50_000_000,
        TradingSession.HALTED,
    ]
    assert int(one("PriceBandsSet")["duration_ns"]) == 2_500_000_000
    assert int(one("ReferencePriceSet")["price"]) == 10_000
    ticks = select(events, "TickSizeSet")
    assert [(int(row["from_price"]), int(row["tick"])) for row in ticks] == [(0, 1), (5_000, 5)]
    assert (int(one("OrderSizesSet")["minimum"]), int(one("OrderSizesSet")["maximum"])) == (5, 500)
    assert int(one("MarketDataSet")["by_order"]) == 1
    assert int(one("TradingSessionChanged")["after"]) == TradingSession.PRE_OPEN


def test_the_rules_of_a_journal_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node(
        tmp_path,
        session="PRE_OPEN",
        reference_price=100,
        bands={"static": "10%", "dynamic": "5%", "seconds": 90},
        minimum_quantity=5,
    ).stop()
    assert run(["journal", "dump", str(tmp_path / "journal")]) == 0
    told = capsys.readouterr().out
    assert "ChangeTradingSession instrument=ACME session=PRE_OPEN" in told
    assert "static_width=10% dynamic_width=5% on_breach=VOLATILITY_AUCTION" in told
    assert "SetReferencePrice instrument=ACME price=100.00" in told


def test_an_opening_auction_over_a_live_node(tmp_path: Path) -> None:
    live = node(tmp_path, session="OPENING_AUCTION", reference_price=100)
    commands = Commands()
    commands.submit_order(1, 1, 1, BUY, LIMIT, AT_OPEN, 5, price=10_100)
    commands.submit_order(2, 1, 2, SELL, LIMIT, GTC, 3, price=9_900)
    commands.change_trading_session(1, TradingSession.CONTINUOUS)
    assert live.submit(commands.slots()) == 3
    trade = told(live, "TradeExecuted", 1)[0]
    assert (trade["price"], trade["quantity"], trade["trade_id"]) == (10_100, 3, 1)
    assert trade["session"] == TradingSession.OPENING_AUCTION
    live.stop()
    assert live.state_hash_at_stop is not None
    again = LiveNode.open(tmp_path / "journal")
    again.stop()
    assert again.state_hash_at_stop == live.state_hash_at_stop


def test_a_book_is_read_beside_the_node(tmp_path: Path) -> None:
    live = node(tmp_path)
    with pytest.raises(ConfigError, match="give depth_levels"):
        live.depth(1)
    live.stop()
    live = LiveNode.open(tmp_path / "journal", depth_levels=2)
    assert live.depth(1) == ([], [], 0)
    commands = Commands()
    for client, price in enumerate((9_900, 9_800, 9_700), start=1):
        commands.submit_order(1, 1, client, BUY, LIMIT, GTC, 5, price=price)
    live.submit(commands.slots())
    told(live, "OrderAccepted", 3)
    bids, asks, writes = live.depth(1)
    assert (bids, asks) == ([(9_900, 5, 1), (9_800, 5, 1)], [])
    assert writes >= 2
    live.stop()


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"policy": "FIRST"}, "policy"),
        ({"policy": {"name": "ALLOCATION", "lead": {"carol": "1%"}}}, r"lead 'carol' is not known"),
        (
            {"policy": {"name": "ALLOCATION", "by_time": "140%"}},
            r"by_time is 140%; a share lies between 0 and 1",
        ),
        ({"session": "LUNCH"}, "session"),
        ({"bands": {"static": "-1%"}}, r"bands.static is -1%"),
        ({"ticks": [["0", "0"]]}, r"ticks, row 1: tick 0 must be above zero"),
        ({"ticks": [["0.001", "1"]]}, r"ticks, row 1"),
        ({"reference_price": -1}, r"reference_price is -1; it must not be below zero"),
        ({"minimum_quantity": "0.5"}, r"minimum_quantity"),
    ],
)
def test_a_wrong_rule_is_named(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(**rules)


def test_a_policy_in_python_shares_a_level() -> None:
    class LastFirst(MatchingPolicy):
        def allocate(self, incoming: int, resting_quantities: Any) -> list[int]:
            shares = []
            for quantity in reversed(resting_quantities):
                shares.append(min(quantity, incoming))
                incoming -= shares[-1]
            return shares[::-1]

    book = OrderBook(tick="1", lot="1", policy=LastFirst())
    book.submit("SELL", 10, 5, order_id=1)
    book.submit("SELL", 10, 5, order_id=2)
    trades = [one for one in book.submit("BUY", 10, 7) if isinstance(one, BookTrade)]
    assert [(one.maker_order_id, int(one.quantity)) for one in trades] == [(1, 2), (2, 5)]


def test_numbers_of_sessions_are_the_kernels() -> None:
    assert [one.name for one in TradingSession] == [
        "PRE_OPEN",
        "OPENING_AUCTION",
        "CONTINUOUS",
        "VOLATILITY_AUCTION",
        "HALTED",
        "CLOSING_AUCTION",
        "CLOSED",
    ]
    assert "TradingSessionChanged" in message_numbers()
    assert np.uint8(TradingSession.CLOSED) == 7
