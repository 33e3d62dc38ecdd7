"""Threads and signals: one thread owns a node, others get the interpreter while it works, SIGINT gets through."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from openbell.kernel import Node
from openbell.model.errors import StrategyError
from tests.kernel.door_nodes import BARS, TRADES, bar_slots, hooks, new_node, trade_slots


def in_another_thread(act: Callable[[], object]) -> BaseException | None:
    caught: list[BaseException] = []

    def work() -> None:
        try:
            act()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return caught[0] if caught else None


def calls(node: Node) -> dict[str, Callable[[], object]]:
    """Every public call and property of a node."""
    named: dict[str, Callable[[], object]] = {
        "define_currency": lambda: node.define_currency(1, "USD"),
        "configure_venue": lambda: node.configure_venue(0, 2),
        "list_instrument": lambda: node.list_instrument(
            1,
            "A",
            currency=1,
            price_unit_nano=1,
            quantity_unit_nano=1,
            multiplier_nano=1,
            tick=1,
            lot=1,
            venue=0,
        ),
        "open_account": lambda: node.open_account(1, 1, shorting=True),
        "deposit_cash": lambda: node.deposit_cash(1, 1, 1),
        "withdraw_cash": lambda: node.withdraw_cash(1, 1, 1),
        "set_fee_schedule": lambda: node.set_fee_schedule(1, 0, maker_rate=0, taker_rate=0),
        "set_risk_limit": lambda: node.set_risk_limit(1, 0, 1, 1),
        "engage_kill_switch": lambda: node.engage_kill_switch(1, 0),
        "release_kill_switch": lambda: node.release_kill_switch(1, 0),
        "halt_trading": lambda: node.halt_trading(0, 0),
        "resume_trading": lambda: node.resume_trading(0, 0),
        "set_matching_policy": lambda: node.set_matching_policy(1, 1),
        "set_reference_price": lambda: node.set_reference_price(1, 1),
        "register_participant": lambda: node.register_participant(1, 1),
        "subscribe": lambda: node.subscribe(1, 0, 1),
        "add_indicator": lambda: node.add_indicator(1, 0, 1, 5, 0),
        "add_bar_interval": lambda: node.add_bar_interval(1, 10**9),
        "submit_order": lambda: node.submit_order(1, 1, 1, 1, 1, 1, 1, 1),
        "replace_order": lambda: node.replace_order(1, 1, 1),
        "cancel_order": lambda: node.cancel_order(1, 1, 1),
        "cancel_all_orders": lambda: node.cancel_all_orders(1, 1),
        "mass_cancel": lambda: node.mass_cancel(1, 1),
        "start_timer": lambda: node.start_timer(1, 1, 1),
        "cancel_timer": lambda: node.cancel_timer(1, 1),
        "stop_participant": lambda: node.stop_participant(1, 0),
        "run": lambda: node.run(None, None, []),
        "value_accounts": node.value_accounts,
        "advance_clock": lambda: node.advance_clock(1),
        "order": lambda: node.order(1, 1),
        "open_orders": lambda: node.open_orders(1),
        "orders_by_account": lambda: node.orders_by_account(),
        "closed_orders": lambda: node.closed_orders(),
        "position": lambda: node.position(1, 1),
        "cash": lambda: node.cash(1),
        "equity": lambda: node.equity(1),
        "mark": lambda: node.mark(1),
        "indicator": lambda: node.indicator(1, 0, 1),
        "bars": lambda: node.bars(1, 1, 0, 1),
        "participant_saved": lambda: node.participant_saved(1, bytes(32)),
        "pass_over": lambda: node.pass_over([1]),
    }
    for name in (
        "end_run",
        "commit",
        "close",
        "rerun",
        "go_live",
        "snapshot",
        "state_hash",
        "take_output",
        "take_valuations",
        "take_outbox",
    ):
        named[name] = getattr(node, name)
    for name in ("sequence", "durable_sequence", "time", "output_hash", "failed_hook"):
        named[name] = lambda name=name: getattr(node, name)  # type: ignore[misc]
    return named


def test_every_call_from_another_thread_is_refused_with_advice() -> None:
    node = new_node()
    listed = calls(node)
    makers = {"restore", "at"}
    assert sorted(listed) == sorted(
        name for name in dir(Node) if not name.startswith("_") and name not in makers
    )
    node.run(None, None, [])
    before = node.state_hash(), node.sequence
    for name, call in listed.items():
        error = in_another_thread(call)
        assert isinstance(error, StrategyError), name
        assert "belong to one thread: hand work over with a queue and send orders from a hook" in str(error)
    assert (node.state_hash(), node.sequence) == before


def test_a_hook_s_own_thread_cannot_send_orders() -> None:
    node = new_node()
    errors: list[BaseException | None] = []

    def on_bar(bar: Any) -> None:
        errors.append(in_another_thread(lambda: node.submit_order(1, 1, 1, 1, 1, 1, 2, 1)))

    node.run(bar_slots(1), 0, [hooks(on_bar=on_bar)])
    assert isinstance(errors[0], StrategyError)
    assert node.open_orders(1) == []


@pytest.fixture
def lazy_switching() -> Iterator[None]:
    """Threads change places only where one gives up the interpreter on its own."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1_000)
    yield
    sys.setswitchinterval(before)


class Counter:
    """Counts in another thread, giving up the interpreter after each step."""

    def __init__(self) -> None:
        self.count = 0
        self.is_over = False
        self.thread = threading.Thread(target=self.work)

    def work(self) -> None:
        while not self.is_over:
            self.count += 1
            time.sleep(0)

    def __enter__(self) -> Counter:
        self.thread.start()
        while self.count == 0:
            time.sleep(0.001)
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over = True
        self.thread.join()


TRADES_FED = trade_slots(400_000)


@pytest.mark.usefixtures("lazy_switching")
def test_other_threads_run_while_a_batch_without_hooks_is_worked_on() -> None:
    node = new_node(wants=0)
    with Counter() as counter:
        before = counter.count
        node.run(TRADES_FED, 0, [])
        after = counter.count
    assert after > before
    assert node.sequence > 400_000


@pytest.mark.usefixtures("lazy_switching")
def test_other_threads_run_while_hooks_have_nothing_to_hear() -> None:
    node = new_node(wants=BARS)
    with Counter() as counter:
        before = counter.count
        node.run(TRADES_FED, 0, [hooks(on_bar=lambda bar: None)])
        after = counter.count
    assert after > before


@pytest.mark.usefixtures("lazy_switching")
def test_the_interpreter_is_kept_while_every_record_wakes_a_hook() -> None:
    node = new_node(wants=TRADES)
    seen: deque[Any] = deque(maxlen=1)
    slots = TRADES_FED[: 64 * 50_000]
    with Counter() as counter:
        before = counter.count
        node.run(slots, 0, [hooks(on_trade=seen.append)])
        after = counter.count
    assert after == before  # giving it up for each record would cost more than the record


class Interrupted(BaseException):
    pass


@pytest.fixture
def alarm() -> Iterator[Callable[[float], None]]:
    """Raises `Interrupted` after some seconds, the way SIGINT raises KeyboardInterrupt."""

    def raise_it(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, raise_it)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("heard", [True, False], ids=["every record wakes a hook", "nobody is woken"])
def test_a_signal_ends_a_run_between_two_records_and_it_can_go_on(
    alarm: Callable[[float], None], heard: bool
) -> None:
    def shown() -> list[Any]:
        return [hooks(on_trade=deque(maxlen=1).append)] if heard else []

    whole = new_node(wants=TRADES if heard else 0)
    whole.run(None, None, shown())
    set_up_sequence = whole.sequence
    whole.run(TRADES_FED, 0, shown())
    node = new_node(wants=TRADES if heard else 0)
    node.run(None, None, shown())
    alarm(0.005)
    with pytest.raises(Interrupted):
        node.run(TRADES_FED, 0, shown())
    assert node.failed_hook is None
    done = node.sequence - set_up_sequence
    assert 0 <= done < 400_000
    node.run(TRADES_FED[64 * done :], 0, shown())
    assert (node.state_hash(), node.output_hash) == (whole.state_hash(), whole.output_hash)


def test_a_keyboard_interrupt_in_a_hook_is_that_hook_s() -> None:
    node = new_node()

    def on_bar(bar: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        node.run(bar_slots(1), 0, [hooks(on_bar=on_bar)])
    assert node.failed_hook is not None
    assert node.failed_hook[0] == "on_bar"


def test_a_finalizer_that_calls_the_node_in_the_middle_of_a_call_gets_an_answer() -> None:
    node = new_node(wants=TRADES)
    answers: list[Any] = []

    class Noisy:
        def __del__(self) -> None:
            try:
                answers.append(node.sequence)
            except StrategyError as error:
                answers.append(str(error))

    kept: deque[Any] = deque(maxlen=3)

    def on_trade(trade: Any) -> None:
        noisy = Noisy()
        noisy.itself = noisy  # type: ignore[attr-defined]
        kept.append(noisy)

    node.run(TRADES_FED[: 64 * 20_000], 0, [hooks(on_trade=on_trade)])
    assert len(answers) > 10_000
    assert all(isinstance(answer, int) or "while it was at work" in answer for answer in answers)


def test_arrays_are_not_kept_after_the_run() -> None:
    slots = bar_slots(4).copy()
    node = new_node()
    before = sys.getrefcount(slots)
    node.run(slots, 0, [])
    assert sys.getrefcount(slots) == before
    slots.resize(0, refcheck=False)
    node.run(slots, 0, [])
