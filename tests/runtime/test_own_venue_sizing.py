"""Sizes by percent, targets and the end of a backtest at a venue of our own, whose policy may be written in Python."""

from decimal import Decimal
from typing import Any

import pytest

from openbell import Backtest, ConfigError, Strategy, Venue, read_orders, replay
from tests.runtime.market_history import ABC, History, LastFirst, told


def opened() -> Any:
    """A bid of 5 and an offer of 6, and a trade of 1 that wakes whoever looks on."""
    return History().add("BUY", "99", 5, 1).add("SELL", "101", 7, 2).take("BUY", "101", 1)


def buy(**terms: Any):
    return lambda strategy: strategy.buy("ABC", **terms)


def sell(**terms: Any):
    return lambda strategy: strategy.sell("ABC", **terms)


def played(history: History, *acts: Any, policy: Any = "PRICE_TIME", out: Any = None, **settings: Any) -> Any:
    """The run, and what the strategy did and saw."""
    strategy = told(*acts)
    data = read_orders(history.frame, instrument=ABC)
    run = Backtest(strategy(), data, venue=Venue(policy=policy), **settings).run(out=out)
    return run, strategy._last


POLICIES = pytest.mark.parametrize("policy", ["PRICE_TIME", LastFirst()], ids=["price-time", "in Python"])


@POLICIES
def test_a_share_of_equity_is_sized_at_the_best_price_against_it(policy: Any) -> None:
    # 5 % of 10,000 are 4 at 101.
    run, seen = played(opened(), buy(percent="0.05"), policy=policy)
    assert seen.fills == [("BUY", 4.0, 101.0, "TAKER")]
    assert run.orders["quantity"].to_list() == [4]


@POLICIES
def test_a_share_with_a_limit_is_sized_there_and_joins_the_queue(policy: Any) -> None:
    # 5 % of 10,000 are 5 at 99, behind the 5 that stand there, or before them where who came last is first.
    history = opened().take("SELL", "99", 6)
    _, seen = played(history, buy(percent="0.05", limit="99"), policy=policy)
    filled = 1.0 if policy == "PRICE_TIME" else 5.0
    assert seen.fills == [("BUY", filled, 99.0, "MAKER")]


@POLICIES
def test_targets_are_traded_to_and_back_and_turned(policy: Any) -> None:
    history = opened().take("BUY", "101", 1).take("BUY", "101", 1)

    def target(percent: Any):
        return lambda strategy: strategy.target_percent("ABC", percent)

    # 0.03 of 10,000 are 2 at 101; the fills wake it again before history does.
    _, seen = played(history, target("0.03"), target(0), target("-0.02"), policy=policy)
    assert seen.fills == [
        ("BUY", 2.0, 101.0, "TAKER"),
        ("SELL", 2.0, 99.0, "TAKER"),
        ("SELL", 2.0, 99.0, "TAKER"),
    ]


@POLICIES
def test_a_position_is_closed_whatever_it_is(policy: Any) -> None:
    _, seen = played(opened(), buy(quantity=3), lambda strategy: strategy.close("ABC"), policy=policy)
    assert seen.fills == [("BUY", 3.0, 101.0, "TAKER"), ("SELL", 3.0, 99.0, "TAKER")]


@pytest.mark.parametrize(
    ("percent", "rule"),
    [("0.005", "SIZED_QUANTITY_MUST_BE_POSITIVE"), ("0.010099", "SIZED_QUANTITY_MUST_BE_POSITIVE")],
)
def test_what_is_sized_to_nothing_is_denied_by_its_rule(percent: str, rule: str) -> None:
    run, seen = played(opened(), buy(percent=percent))
    assert seen.fills == []
    assert run.orders["state"].to_list() == ["DENIED"]
    assert rule in run.orders["reason"][0]
    assert played(opened(), buy(percent="0.0101"))[1].fills == [("BUY", 1.0, 101.0, "TAKER")]


@POLICIES
def test_what_is_held_at_the_end_meets_what_stands_in_the_book(policy: Any) -> None:
    run, _ = played(opened(), buy(quantity=4), policy=policy, close_at_end=True)
    assert run.equity["equity"][-1] == 10_000 - 4 * (101 - 99)
    assert run.trades["is_open"].to_list() == [False]


def test_what_nobody_buys_at_the_end_stays_held() -> None:
    history = opened().cancel(1).add("BUY", "98", 1, 3)
    run, _ = played(history, buy(quantity=4), close_at_end=True)
    assert run.fills.select("side", "quantity", "price").rows() == [
        ("buy", 4, 101),
        ("sell", 1, 98),
    ]
    assert run.trades["is_open"].to_list() == [True]
    # The last price is that of the last trade.
    assert run.equity["equity"][-1] == Decimal(10_000 - 4 * 101 + 98 + 3 * 98)


class Sizes(Strategy):
    """Buys shares of its equity at the first trades, without a limit and with one, and closes at a later one."""

    def on_start(self) -> None:
        self.seen = 0

    def on_trade(self, trade: Any) -> None:
        self.seen += 1
        if self.seen == 1:
            self.buy("ABC", percent="0.02")
        elif self.seen == 2:
            self.buy("ABC", percent="0.05", limit="99")
        elif self.seen == 4:
            self.target_percent("ABC", "0.01")


@POLICIES
def test_a_run_that_sizes_and_closes_replays_to_its_digest(policy: Any, tmp_path: Any) -> None:
    history = opened().add("BUY", "99", 5, 3).take("SELL", "99", 3).take("SELL", "99", 4)
    data = read_orders(history.frame, instrument=ABC)
    run = Backtest(Sizes(), data, venue=Venue(policy=policy), close_at_end=True).run(out=tmp_path)
    assert run.folder is not None
    assert replay(run.folder).digest == run.digest
    assert {order[:8] for order in run.orders["order_type"].to_list()} == {"MARKET", "LIMIT"}
    assert run.trades["is_open"].to_list()[-1] is False


def test_there_is_no_open_of_a_last_bar_to_close_at() -> None:
    with pytest.raises(ConfigError, match="close_at_end='open' does not go"):
        played(opened(), close_at_end="open")
