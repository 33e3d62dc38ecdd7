"""A backtest at a venue of our own: the strategy trades with the orders of a market's history, also by a policy in Python."""

import os
import subprocess
import sys
from typing import Any

import polars as pl
import pytest

from openbell import (
    Backtest,
    ConfigError,
    DivergenceError,
    FillModel,
    InputError,
    LatencyModel,
    MatchingPolicy,
    Strategy,
    StrategyError,
    Venue,
    read_orders,
    replay,
    resume,
)
from openbell.journal.journal_source import JournalSource
from openbell.journal.record_fields import records_in
from openbell.kernel import Node
from tests.runtime import market_history
from tests.runtime.market_history import ABC, History, Idle, Joins, long_history, told


def buy(quantity, limit=None):
    return lambda strategy: strategy.buy("ABC", quantity, limit=limit)


def sell(quantity, limit=None):
    return lambda strategy: strategy.sell("ABC", quantity, limit=limit)


def watched(history, *acts, **arguments):
    """The strategy after a run in which it did `acts`, one at each trade it saw."""
    strategy = told(*acts)
    history.backtest(strategy(), **arguments).run()
    return strategy._last


def opened():
    """A bid of 5 and an offer of 5, and a trade of 1 that wakes whoever looks on."""
    return History().add("BUY", "99", 5, 1).add("SELL", "101", 6, 2).take("BUY", "101", 1)


def test_an_order_waits_behind_those_that_came_before_it():
    history = opened().take("SELL", "99", 4).take("SELL", "99", 3)
    seen = watched(history, buy(4, limit="99"))
    assert seen.fills == [("BUY", 2.0, 99.0, "MAKER")]


def test_an_order_takes_what_is_there_and_history_finds_the_rest():
    history = opened().take("BUY", None, 5)
    seen = watched(history, buy(3))
    assert seen.fills == [("BUY", 3.0, 101.0, "TAKER")]
    assert seen.prints == [(101.0, 1.0, "BUY"), (101.0, 3.0, "BUY"), (101.0, 2.0, "BUY")]
    assert seen.quotes[-1] == (99.0, 5.0, None, 0.0)


def test_an_order_without_a_price_trades_before_anything_has():
    history = History().add("SELL", "101", 6, 2).take("BUY", None, 1)
    assert watched(history).prints == [(101.0, 1.0, "BUY")]


def test_quotes_are_those_of_the_book_with_our_orders_in_it_each_shown_once():
    history = opened().add("BUY", "98", 7, 3).cancel(1).replace("98", 3, 3)
    seen = watched(history, buy(4, limit="99"))
    assert seen.quotes == [
        (99.0, 5.0, None, 0.0),
        (99.0, 5.0, 101.0, 6.0),
        (99.0, 5.0, 101.0, 5.0),
        (99.0, 9.0, 101.0, 5.0),
        (99.0, 4.0, 101.0, 5.0),
    ]


def test_the_tables_of_a_run_hold_the_strategys_orders_alone():
    strategy = told(buy(4, limit="99"))
    run = opened().take("SELL", "99", 9).backtest(strategy()).run()
    assert (len(run.orders), len(run.fills)) == (1, 1)
    assert run.positions["quantity"].to_list()[-1] == 4
    assert run.settings["queue_model"] == "the true queue: price-time"
    assert run.notes == ()


def test_what_history_says_of_an_order_that_is_gone_is_no_error():
    strategy = told(sell(5, limit="99"))
    run = opened().replace("98", 2, 1).cancel(1).backtest(strategy()).run()
    assert run.fills["quantity"].to_list() == [5]


def test_orders_of_history_that_the_venue_refuses_are_counted():
    history = opened()
    rows = history.frame.with_columns(price=pl.Series(["99.001", "101", "101"]))
    fine = read_orders(rows, instrument=type(ABC)("ABC", "USD", tick="0.01", price_unit="0.001", lot=1))
    assert "1 orders of the market's history were refused by the venue" in Backtest(Idle(), fine).run().notes


class LastFirst(MatchingPolicy):
    """Who came last is served first."""

    def __init__(self, most=10**9):
        self.most = most

    def allocate(self, incoming, resting_quantities):
        shares = []
        for wanted in reversed(resting_quantities):
            shares.append(min(wanted, incoming, self.most))
            incoming -= shares[-1]
        return shares[::-1]


class Buyer(Strategy):
    """Joins the bid at the first trade."""

    def on_start(self):
        self.is_in = False

    def on_trade(self, trade):
        if not self.is_in:
            self.is_in = True
            self.buy(trade.instrument, 4, limit="99")


def queued(history=None):
    """Two bids of 5 at 99, ours of 4 behind them, then 6 sold."""
    history = history or opened()
    return history.add("BUY", "99", 5, 3).take("SELL", "99", 6).take("SELL", "99", 2)


def test_a_policy_in_python_decides_who_trades():
    history = History().add("BUY", "99", 5, 1).add("BUY", "99", 5, 7).add("SELL", "101", 6, 2)
    history.take("BUY", "101", 1).take("SELL", "99", 6)
    strategy = told(buy(4, limit="99"))
    history.backtest(strategy(), policy=LastFirst()).run()
    assert strategy._last.fills == [("BUY", 4.0, 99.0, "MAKER")]


def answers(folder):
    records = (one for slots in JournalSource(folder / "journal") for one in records_in(slots))
    return [one for one in records if one.message == "AllocationAssessed"]


def test_its_answers_are_records_and_a_rerun_asks_again(tmp_path):
    run = queued().backtest(Buyer(), policy=LastFirst()).run(out=tmp_path)
    told_answers = answers(run.folder)
    shares = [one.fields["quantities"][: one.body["orders"]] for one in told_answers]
    # Of 6 that meet 5, ours of 4 and 5; of 2 that meet 5 and what is left of ours.
    assert shares == [[0, 1, 5], [0, 2]]
    assert all(one.instrument == 1 and one.body["price"] == 9900 for one in told_answers)
    report = replay(run.folder)
    assert (report.commands, report.shares) == (2, "asked again and compared")


def test_a_journal_replays_without_the_code(tmp_path):
    class Here(LastFirst):
        """Its source cannot be kept: it lies in a function."""

    run = queued().backtest(Buyer(), policy=Here()).run(out=tmp_path)
    report = replay(run.folder)
    assert report.commands == 2
    assert report.shares is not None and report.shares.startswith("from the journal: ")


class AsTheWindBlows(MatchingPolicy):
    """Answers by what lies outside: the mistake that a rerun must find."""

    def allocate(self, incoming, resting_quantities):
        if os.environ.get("OPENBELL_TEST_WIND") == "east":
            return LastFirst().allocate(incoming, resting_quantities)
        return LastFirst().allocate(incoming, resting_quantities[::-1])[::-1]


def test_a_policy_that_answers_otherwise_when_asked_again_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENBELL_TEST_WIND", "east")
    run = queued().backtest(Buyer(), policy=AsTheWindBlows()).run(out=tmp_path)
    replay(run.folder)
    monkeypatch.setenv("OPENBELL_TEST_WIND", "west")
    first = answers(run.folder)[0]
    with pytest.raises(DivergenceError) as found:
        replay(run.folder)
    text = str(found.value)
    assert f"sequence {first.sequence}" in text
    assert (
        "the journal has AllocationAssessed(order" in text
        and "this run sent AllocationAssessed(order" in text
    )


def given(value: Any) -> Any:
    """What the types forbid and a user may try."""
    return value


def answering(answer):
    return type("Odd", (MatchingPolicy,), {"allocate": lambda self, incoming, resting: answer})()


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ([1, 1], "the shares come to 2, not 6"),
        ([7, -1], "order 1 of 5 cannot get 7"),
        ([-1, 5], "order 1 of 5 cannot get -1"),
        ([6], "it has 1 shares for 2 orders"),
        ([5, 1, 0], "it has 3 shares for 2 orders"),
        ([5.0, 1.0], "it must be whole numbers"),
        (["5", "1"], "it must be whole numbers"),
        (None, "it must be whole numbers"),
        (6, "it must be whole numbers"),
    ],
)
def test_an_answer_that_does_not_add_up_ends_the_run_naming_policy_sequence_and_fault(answer, wrong):
    history = opened().add("BUY", "99", 5, 3).take("SELL", "99", 6)
    with pytest.raises(StrategyError) as found:
        history.backtest(policy=answering(answer)).run()
    text = str(found.value)
    assert wrong in text and f"Odd.allocate returned {answer!r} for 6 that meet [5, 5]" in text
    assert "sequence " in text


def test_a_policy_that_raises_ends_the_run_where_it_did(tmp_path):
    class Broken(MatchingPolicy):
        def allocate(self, incoming, resting_quantities):
            return incoming / 0

    history = opened().add("BUY", "99", 5, 3).take("SELL", "99", 6)
    with pytest.raises(
        StrategyError,
        match=r"Broken\.allocate raised ZeroDivisionError: .*test_own_venue\.py, line .*sequence",
    ):
        history.backtest(policy=Broken()).run(out=tmp_path)
    (folder,) = tmp_path.iterdir()
    assert (folder / "INCOMPLETE").exists()


def test_what_the_policy_does_to_its_list_changes_nothing():
    class Greedy(MatchingPolicy):
        def allocate(self, incoming, resting_quantities):
            resting_quantities[0] = 100
            return [incoming, 0]

    with pytest.raises(StrategyError, match="order 1 of 5 cannot get 6"):
        opened().add("BUY", "99", 5, 3).take("SELL", "99", 6).backtest(policy=Greedy()).run()


def test_a_run_that_was_killed_goes_on_with_its_policy_to_the_same_digest(tmp_path, root):
    command = [sys.executable, "-m", "tests.runtime.market_history", str(tmp_path)]
    killed = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert killed.returncode == -9, killed.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    history = long_history()
    again = resume(folder, data=read_orders(history.frame, instrument=ABC))
    strategy = Joins(crash_at=1_500, unless=str(tmp_path / "crashed"))
    whole = history.backtest(strategy, policy=market_history.LastFirst(), leverage=1000).run()
    assert again.digest == whole.digest
    assert len(again.orders) > 20


def test_the_kernels_own_policies_share_by_their_rules():
    history = History().add("SELL", "100", 30, 1).add("SELL", "100", 10, 2).take("BUY", "100", 20)
    assert history.trades("PRICE_TIME") == {1: 20}
    assert history.trades("PRO_RATA") == {1: 15, 2: 5}
    assert history.trades("PRICE_SIZE_TIME") == {1: 20}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"fills": FillModel()}, "fills does not go"),
        ({"slippage": "0.1%"}, "slippage does not go"),
        ({"latency": "1ms"}, "latency does not go"),
        ({"warm_up": 3}, "warm_up does not go"),
        ({"close_at_end": "open"}, "close_at_end='open' does not go"),
        ({"start": "2022-01-01"}, "start and end belong to the source"),
        ({"benchmark": "buy_and_hold"}, "a benchmark is drawn from bars"),
    ],
)
def test_what_simulates_a_market_does_not_go_with_a_real_one(arguments, part):
    with pytest.raises(ConfigError, match=part):
        opened().backtest(**arguments).run()


def test_a_feed_may_be_late_there():
    seen = watched(opened().take("SELL", "99", 1), latency=LatencyModel(feed_ns=2_000_000))
    assert seen.prints == [(101.0, 1.0, "BUY"), (99.0, 1.0, "SELL")][: len(seen.prints)]


@pytest.mark.parametrize(
    ("venue", "part"),
    [
        (lambda: Venue(policy="FIFO"), "policy is 'FIFO'; it must be one of PRICE_TIME"),
        (lambda: Venue(policy=given(LastFirst)), "give an instance: LastFirst()"),
        (lambda: Venue(policy=given(7)), "policy is 7"),
        (lambda: opened().backtest(venue="ours"), "multiple values|venue is 'ours'"),
    ],
)
def test_a_venue_that_cannot_be_is_refused(venue, part):
    with pytest.raises((ConfigError, TypeError), match=part.replace("(", r"\(").replace(")", r"\)")):
        venue()


def test_bars_do_not_go_to_a_venue_of_our_own():
    with pytest.raises(ConfigError, match="needs the orders of a market"):
        Backtest(Idle(), "bars.csv", venue=Venue())


def test_a_node_that_is_asked_and_has_nobody_to_ask_says_so():
    history = History().add("SELL", "100", 3, 1).add("SELL", "100", 3, 2).take("BUY", "100", 4)
    node = Node()
    node.define_currency(1, "USD")
    node.configure_venue(0, 1)
    node.list_instrument(
        1,
        "ABC",
        currency=1,
        price_unit_nano=10**7,
        quantity_unit_nano=10**9,
        multiplier_nano=10**9,
        tick=1,
        lot=1,
        venue=0,
    )
    node.set_matching_policy(1, 4)
    node.open_account(2, 1, shorting=True)
    (slots,) = read_orders(history.frame, instrument=ABC).batches()
    with pytest.raises(ConfigError, match="a level waits for a matching policy in Python and none was given"):
        node.run(slots, None, [])


BAD = [
    ("time", "soon", "field 'time'"),
    ("time", None, "no time"),
    ("action", "MODIFY", "no such action, found 'MODIFY', expected ADD, REPLACE, CANCEL, TAKE"),
    ("side", "B", "no such side"),
    ("price", "100.001", "field 'price'"),
    ("price", "0", "a price that is not above 0"),
    ("price", None, "no price"),
    ("quantity", "1.5", "field 'quantity'"),
    ("quantity", "-3", "a quantity that is not above 0"),
    ("quantity", "many", "field 'quantity'"),
    ("order_id", "0", "no order id"),
    ("order_id", "x", "no order id"),
    ("order_id", "1", "an order was added before under this id"),
]


@pytest.mark.parametrize(("column", "value", "part"), BAD)
def test_bad_history_is_refused_naming_row_and_column(column, value, part):
    frame = opened().frame.with_columns(pl.all().cast(pl.String))
    cells = frame[column].to_list()
    cells[1] = value
    with pytest.raises(InputError) as found:
        read_orders(frame.with_columns(pl.Series(column, cells, dtype=pl.String)), instrument=ABC)
    assert part in str(found.value) and "row 2" in str(found.value)


def test_history_must_not_run_backwards_and_needs_its_columns():
    frame = opened().frame
    with pytest.raises(InputError, match="row 2, field 'time': time falls"):
        read_orders(frame.reverse(), instrument=ABC)
    with pytest.raises(InputError, match="missing columns side, price"):
        read_orders(frame.drop("side", "price"), instrument=ABC)
    with pytest.raises(InputError, match="no rows"):
        read_orders(frame.clear(), instrument=ABC)
    with pytest.raises(InputError, match="cannot be read"):
        read_orders("nowhere.csv", instrument=ABC)


def test_a_file_and_its_frame_hold_the_same_orders(tmp_path):
    history = queued()
    path, parquet = tmp_path / "orders.csv", tmp_path / "orders.parquet"
    history.frame.write_csv(path)
    history.frame.write_parquet(parquet)
    whole = [
        read_orders(one, instrument=ABC) for one in (history.frame, path, parquet, history.frame.to_pandas())
    ]
    bytes_of = [b"".join(slots.tobytes() for slots in one.batches()) for one in whole]
    assert len(set(bytes_of)) == 1
    assert whole[1].inputs[0].sha256 != whole[2].inputs[0].sha256
