"""The live node from Python: real files, real syncs, real threads."""

from __future__ import annotations

import asyncio
import os
import select as poll
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from openbell.kernel import Commands, LiveNode, RecentEvents, RestartedNode, durability_of, verify_journal
from openbell.messages.layouts import REPEATED, rule_names, select
from openbell.model.errors import ConfigError, EngineStopped, InputError, JournalError
from tests.kernel.live_market import (
    BUY,
    BUYER,
    GTC,
    INSTRUMENT,
    LIMIT,
    SELL,
    SELLER,
    bids,
    configuration,
    created,
    take_until,
    until,
)


@pytest.mark.parametrize("durability", ["batch", "none"])
def test_two_accounts_trade_and_every_event_says_its_durability(tmp_path: Path, durability: str) -> None:
    live = created(tmp_path / "journal", durability=durability)
    assert live.submit_order(BUYER, INSTRUMENT, 1, BUY, LIMIT, GTC, 5, price=100)
    assert live.submit_order(SELLER, INSTRUMENT, 2, SELL, LIMIT, GTC, 3, price=100)
    outputs = take_until(live, "TradeExecuted", 1)
    trade = select(outputs, "TradeExecuted")[0]
    assert (trade["price"], trade["quantity"]) == (100, 3)
    assert durability_of(int(trade["flags"])) == durability == live.health().durability
    assert live.replace_order(BUYER, 1, price=99)
    assert live.cancel_order(BUYER, 1)
    canceled = select(take_until(live, "OrderCanceled", 1), "OrderCanceled")[0]
    assert (canceled["client_order_id"], canceled["leaves_quantity"]) == (1, 2)
    # Where nothing is promised, an event may be heard before its record is written.
    assert canceled["sequence"] <= live.health().durable_sequence or durability == "none"
    live.stop()


def test_orders_that_wake_nobody_are_answered_when_the_node_is_woken(tmp_path: Path) -> None:
    live = created(tmp_path / "journal", spins=0)
    for number in range(1, 21):
        assert live.submit_order(BUYER, INSTRUMENT, number, BUY, LIMIT, GTC, 1, price=100, wake=False)
    live.wake()
    accepted = select(take_until(live, "OrderAccepted", 20), "OrderAccepted")["client_order_id"]
    assert accepted.tolist() == list(range(1, 21))
    assert live.submit_order(BUYER, INSTRUMENT, 21, BUY, LIMIT, GTC, 1, price=100, wake=False)
    # A node that nobody wakes looks by itself within a second.
    take_until(live, "OrderAccepted", 1)
    live.stop()


def test_a_restarted_node_is_looked_at_and_then_goes_live_once(tmp_path: Path) -> None:
    live = created(tmp_path / "journal")
    live.submit(bids(1, 3))
    live.cancel_order(BUYER, 1)
    told = take_until(live, "OrderCanceled", 1)
    live.stop()
    numbers = {name: int(select(told, name)["message"][0]) for name in ("OrderAccepted", "OrderCanceled")}
    recent = RecentEvents([([numbers["OrderAccepted"], numbers["OrderCanceled"]], "account", 2)])
    restarted = RestartedNode(tmp_path / "journal", recent=recent)
    assert (restarted.begin, restarted.durability) == (0, "batch")
    slots, left_out = recent.of(0, BUYER)
    assert select(slots, "OrderAccepted")["client_order_id"].tolist() == [3]
    assert select(slots, "OrderCanceled")["client_order_id"].tolist() == [1]
    assert left_out is not None
    assert left_out < (recent.place or (0, 0))
    still_open, closed = restarted.node.orders_by_account(closed=5)[BUYER]
    assert [order.client_order_id for order in still_open] == [2, 3]
    assert [order.client_order_id for order in closed] == [1]
    assert restarted.node.orders_by_account()[BUYER][1] == []
    with pytest.raises(JournalError):
        LiveNode.open(tmp_path / "journal")  # it is held open
    again = restarted.go_live()
    with pytest.raises(EngineStopped, match="went live"):
        restarted.node.cash(BUYER)
    with pytest.raises(EngineStopped, match="went live already"):
        restarted.go_live()
    assert again.cancel_order(BUYER, 2)
    take_until(again, "OrderCanceled", 1)
    again.stop()


def test_the_node_thread_stays_on_the_processor_that_was_chosen(tmp_path: Path) -> None:
    chosen = max(os.sched_getaffinity(0))
    live = created(tmp_path / "journal", processor=chosen)
    submitted = live.submit(bids(1, 3))
    assert submitted == 3
    take_until(live, "OrderAccepted", 3)
    tasks = [task for task in Path("/proc/self/task").iterdir() if "node" in (task / "comm").read_text()]
    allowed = {int(task.name): os.sched_getaffinity(int(task.name)) for task in tasks}
    assert {chosen} in allowed.values()
    live.stop()
    restarted = RestartedNode(tmp_path / "journal")
    with pytest.raises(ConfigError, match=r"cannot run on processor 4000: this process may run on .*\d"):
        restarted.go_live(processor=4000)


def test_a_processor_that_there_is_not_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot run on processor 1000: this process may run on"):
        created(tmp_path / "journal", processor=1000)
    assert not (tmp_path / "journal").exists()


def test_a_grouping_that_is_none_is_named() -> None:
    with pytest.raises(InputError, match='found "venue", expected "account" or "instrument"'):
        RecentEvents([([1], "venue", 1)])


def test_a_batch_is_answered_once_and_in_order(tmp_path: Path) -> None:
    live = created(tmp_path / "journal", ingress_slots=256, egress_slots=256)
    ids: list[int] = []
    slots, taken = bids(1, 5000), 0
    while len(ids) < 5000:
        taken += live.submit(slots[taken * 64 :])
        ids.extend(select(live.take_outputs(), "OrderAccepted")["client_order_id"].tolist())
    assert (taken, ids) == (5000, list(range(1, 5001)))
    live.stop()


def test_a_reader_that_sleeps_stops_the_intake_and_loses_nothing(tmp_path: Path) -> None:
    live = created(tmp_path / "journal", ingress_slots=64, egress_slots=64)
    slots, taken = bids(1, 2000), 0

    def is_busy() -> bool:
        nonlocal taken
        now = live.submit(slots[taken * 64 :])
        taken += now
        return now == 0

    until("BUSY", is_busy)
    assert 0 < taken < 2000
    live.stop()
    rest = live.take_outputs(limit=10**9)
    ids = select(rest, "OrderAccepted")["client_order_id"]
    assert ids.tolist() == list(range(1, taken + 1))
    assert len(live.take_outputs()) == 0


def test_stopped_and_opened_again_it_goes_on_where_it_was(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    live = created(directory)
    assert live.submit(bids(1, 100)) == 100
    live.stop()
    assert verify_journal(directory, require_closed=True).last_sequence == live.health().sequence
    again = LiveNode.open(directory)
    assert again.health().sequence == live.health().sequence
    again.stop()
    assert again.state_hash_at_stop == live.state_hash_at_stop is not None


def test_the_descriptor_wakes_an_event_loop(tmp_path: Path) -> None:
    live = created(tmp_path / "journal")

    async def answers() -> list[int]:
        loop, done, ids = asyncio.get_running_loop(), asyncio.Event(), []

        def read() -> None:
            ids.extend(select(live.take_outputs(), "OrderAccepted")["client_order_id"].tolist())
            if len(ids) == 300:
                done.set()

        loop.add_reader(live.fileno(), read)
        for batch in range(3):
            assert live.submit(bids(1 + batch * 100, 100)) == 100
            await asyncio.sleep(0.01)
        await asyncio.wait_for(done.wait(), 30)
        loop.remove_reader(live.fileno())
        return ids

    assert asyncio.run(answers()) == list(range(1, 301))
    readable, _, _ = poll.select([live.fileno()], [], [], 0)
    assert readable == [], "nothing waits"
    live.stop()
    readable, _, _ = poll.select([live.fileno()], [], [], 0)
    assert readable, "the end is news too"


def test_threads_share_a_node(tmp_path: Path) -> None:
    live = created(tmp_path / "journal", ingress_slots=128)

    def submit(first: int) -> None:
        for number in range(first, first + 250):
            order = bids(number, 1)
            while live.submit(order) == 0:
                time.sleep(0.0005)

    threads = [threading.Thread(target=submit, args=(1 + 1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    outputs = take_until(live, "OrderAccepted", 1000)
    for thread in threads:
        thread.join()
    ids = select(outputs, "OrderAccepted")["client_order_id"].tolist()
    assert sorted(ids) == [1 + 1000 * n + i for n in range(4) for i in range(250)]
    live.stop()


def test_bad_slots_are_named_and_nothing_is_taken(tmp_path: Path) -> None:
    live = created(tmp_path / "journal")
    bad = bids(1, 3)
    bad[64 + 16] = 250
    with pytest.raises(InputError, match=r"slot 1: message number 250 is not in the registry"):
        live.submit(bad)
    with pytest.raises(InputError, match="whole 64-byte slots"):
        live.submit(bids(1, 1)[:32])
    with pytest.raises(InputError, match="side is 9"):
        live.submit_order(BUYER, INSTRUMENT, 1, 9, LIMIT, GTC, 1, price=5)
    assert live.submit(bids(7, 1)) == 1
    assert select(take_until(live, "OrderAccepted", 1), "OrderAccepted")["client_order_id"].tolist() == [7]
    live.stop()


def test_a_refused_configuration_leaves_no_journal_behind(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    twice = np.concatenate([configuration(), configuration()])
    with pytest.raises(ConfigError, match=r"record 8 \(DefineCurrency\) was refused: NAME_MUST_BE_UNIQUE"):
        LiveNode.create(directory, twice, epoch=7, created_by="test")
    assert not directory.exists()


def test_a_directory_is_one_nodes(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    live = created(directory)
    with pytest.raises(JournalError, match="another writer"):
        LiveNode.open(directory)
    with pytest.raises(JournalError):
        created(directory)
    with pytest.raises(JournalError, match=r"not a journal|No such file"):
        LiveNode.open(tmp_path / "elsewhere")
    live.stop()


def test_after_the_stop_submitting_is_an_error(tmp_path: Path) -> None:
    live = created(tmp_path / "journal")
    live.stop()
    live.stop()
    with pytest.raises(EngineStopped, match="was stopped"):
        live.submit(bids(1, 1))
    assert live.health().state == "STOPPED"


def test_a_killed_process_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    program = """
import os, sys, signal
from pathlib import Path
from openbell.messages.layouts import select
from tests.kernel.live_market import bids, created
live = created(Path(sys.argv[1]))
next_id, acknowledged = 1, 0
while True:
    next_id += live.submit(bids(next_id, 16))
    for id in select(live.take_outputs(), "OrderAccepted")["client_order_id"].tolist():
        sys.stdout.write(f"{id}\\n")
        acknowledged = id
    sys.stdout.flush()
    if acknowledged > 2000:
        os.kill(os.getpid(), signal.SIGKILL)
"""
    directory = tmp_path / "journal"
    run = subprocess.run(
        [sys.executable, "-c", program, str(directory)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    acknowledged = [int(line) for line in run.stdout.split()]
    assert run.returncode == -9, run.stderr
    assert acknowledged == list(range(1, len(acknowledged) + 1)) and acknowledged
    live = LiveNode.open(directory)
    # Each again: an order that is there gets its first answer once more, flagged.
    assert live.submit(bids(1, len(acknowledged))) == len(acknowledged)
    answers = select(take_until(live, "OrderAccepted", len(acknowledged)), "OrderAccepted")
    assert answers["client_order_id"].tolist() == acknowledged
    assert (answers["flags"] & REPEATED != 0).all(), "an acknowledged order was accepted anew"
    live.stop()


def test_commands_build_what_the_node_takes(tmp_path: Path) -> None:
    live = created(tmp_path / "journal")
    commands = Commands()
    commands.submit_order(BUYER, INSTRUMENT, 1, BUY, LIMIT, GTC, 5, price=100)
    commands.cancel_all_orders(BUYER)
    commands.engage_kill_switch(BUYER, 1)
    commands.submit_order(BUYER, INSTRUMENT, 2, BUY, LIMIT, GTC, 5, price=100)
    assert live.submit(commands.slots()) == 4
    denied = select(take_until(live, "OrderDenied", 1), "OrderDenied")[0]
    assert rule_names()[int(denied["rule"])] == "KILL_SWITCH_MUST_BE_OFF"
    commands.clear()
    assert len(commands.slots()) == 0
    with pytest.raises(ConfigError, match='code is ""'):
        commands.define_currency(1, "")
    live.stop()
