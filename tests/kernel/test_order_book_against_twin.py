"""The compiled book against its slow twin, over generated sequences of commands.

`OPENBELL_SEQUENCES` says how many sequences, `OPENBELL_SEED` repeats a run; both are printed.
"""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from openbell.kernel import rule_registry
from openbell.kernel.order_book import (
    COMMAND_DTYPE,
    POST_ONLY,
    BookAccepted,
    BookCanceled,
    BookRefused,
    BookReplaced,
    BookReport,
    BookTrade,
    CommandKind,
    OrderBook,
    ReportKind,
)
from openbell.model.terms import OrderType, Side, TimeInForce
from tests.model.book_twin import BookTwin, Report

SEQUENCES = int(os.environ.get("OPENBELL_SEQUENCES", "1000"))
SEED = int(os.environ.get("OPENBELL_SEED", random.SystemRandom().randrange(2**32)))

RULES = dict(rule_registry())

ids = st.integers(1, 25)
sides = st.sampled_from(["BUY", "SELL"])
prices = st.one_of(
    st.integers(97, 103),
    st.integers(97, 103),
    st.integers(-600, 900),
    st.sampled_from(
        [0, -1, 1, 2**56, *(end * sign for end in range(2**63 - 4, 2**63) for sign in (1, -1)), -(2**63)]
    ),
)
quantities = st.one_of(st.integers(1, 12), st.integers(1, 12), st.sampled_from([0, -3, 2**56 + 1]))
times = st.sampled_from(["GTC", "GTC", "GTC", "DAY", "IOC", "FOK"])


def in_twins_words(report: BookReport) -> Report:
    match report:
        case BookAccepted(order_id=order_id, quantity=quantity):
            return ("accepted", order_id, quantity)
        case BookTrade():
            return (
                "traded",
                report.maker_order_id,
                report.taker_order_id,
                report.price,
                report.quantity,
                report.maker_leaves_quantity,
                report.taker_leaves_quantity,
            )
        case BookCanceled(order_id, _, leaves, rule_name, limit, actual):
            return ("canceled", order_id, leaves, rule_name, limit, actual)
        case BookReplaced(order_id, _, price, quantity, kept):
            return ("replaced", order_id, price, quantity, kept)
        case BookRefused(order_id, rule_name, limit, actual):
            return ("refused", order_id, rule_name, limit, actual)


def row_in_twins_words(row: Any) -> Report:
    order_id, rule_name = int(row["order_id"]), RULES.get(int(row["rule"]), "")
    price, quantity, leaves = int(row["price"]), int(row["quantity"]), int(row["leaves_quantity"])
    limit, actual = int(row["limit"]), int(row["actual"])
    match ReportKind(row["kind"]):
        case ReportKind.ACCEPTED:
            return ("accepted", order_id, quantity)
        case ReportKind.TRADED:
            maker, maker_leaves = int(row["maker_order_id"]), int(row["maker_leaves_quantity"])
            return ("traded", maker, order_id, price, quantity, maker_leaves, leaves)
        case ReportKind.CANCELED:
            return ("canceled", order_id, quantity, rule_name, limit, actual)
        case ReportKind.REPLACED:
            return ("replaced", order_id, price, quantity)
        case ReportKind.REFUSED:
            return ("refused", order_id, rule_name, limit, actual)


class BookAgainstTwin(RuleBasedStateMachine):
    """Both get every command; both must say the same and look the same."""

    def __init__(self) -> None:
        super().__init__()
        self.book = OrderBook()
        self.twin = BookTwin()
        self.put_in = 0
        self.taken_out = 0

    def compare(self, reports: tuple[BookReport, ...], expected: list[Report]) -> None:
        said = [in_twins_words(report) for report in reports]
        assert said == expected
        self.count(said)

    def count(self, reports: list[Report]) -> None:
        """What the reports say went into the orders and came out of them; a trade takes it from two."""
        for report in reports:
            if report[0] == "accepted":
                self.put_in += report[2]  # type: ignore[operator]
            elif report[0] == "traded":
                self.taken_out += 2 * report[4]  # type: ignore[operator]
            elif report[0] == "canceled":
                self.taken_out += report[2]  # type: ignore[operator]

    @rule(
        order_id=st.one_of(ids, st.none()),
        side=sides,
        price=prices,
        quantity=quantities,
        time=times,
        post=st.booleans(),
    )
    def submit(
        self, order_id: int | None, side: str, price: int, quantity: int, time: str, post: bool
    ) -> None:
        post_only = post and time in ("GTC", "DAY")
        reports = self.book.submit(side, price, quantity, order_id, time_in_force=time, post_only=post_only)
        self.compare(reports, self.twin.submit(order_id, side, price, quantity, time, post_only))

    @rule(order_id=ids, side=sides, price=st.integers(97, 103), quantity=st.integers(1, 12))
    def submit_near_the_best(self, order_id: int, side: str, price: int, quantity: int) -> None:
        self.compare(
            self.book.submit(side, price, quantity, order_id),
            self.twin.submit(order_id, side, price, quantity),
        )

    @rule(side=sides, quantity=quantities, time=times)
    def market(self, side: str, quantity: int, time: str) -> None:
        reports = self.book.market(side, quantity, time_in_force=time)
        self.compare(reports, self.twin.submit(None, side, None, quantity, time))

    @rule(order_id=ids)
    def cancel(self, order_id: int) -> None:
        self.compare(self.book.cancel(order_id), self.twin.cancel(order_id))

    @rule(
        order_id=ids,
        price=st.one_of(st.none(), prices),
        quantity=st.one_of(st.none(), quantities),
        post=st.booleans(),
    )
    def replace(self, order_id: int, price: int | None, quantity: int | None, post: bool) -> None:
        old = self.twin.find(order_id)
        before = old.leaves if old else 0
        expected = self.twin.replace(order_id, price, quantity, post)
        self.compare(self.book.replace(order_id, price=price, quantity=quantity, post_only=post), expected)
        if expected[0][0] == "replaced":
            self.put_in += expected[0][3] - before  # type: ignore[operator]

    @precondition(lambda self: len(self.book) > 0)
    @rule()
    def go_on_with_a_restored_copy(self) -> None:
        snapshot = self.book.snapshot()
        copy = OrderBook.restore(snapshot)
        assert copy.snapshot() == snapshot
        assert copy.state_hash == self.book.state_hash
        self.book = copy

    @rule(
        commands=st.lists(
            st.tuples(st.sampled_from([1, 1, 2, 3]), ids, sides, prices, quantities, times), max_size=8
        )
    )
    def batch(self, commands: list[tuple[int, int, str, int, int, str]]) -> None:
        rows = np.zeros(len(commands), COMMAND_DTYPE)
        expected: list[list[Report]] = []
        for row, (kind, order_id, side, price, quantity, time) in zip(rows, commands, strict=True):
            row["kind"], row["order_id"], row["price"], row["quantity"] = kind, order_id, price, quantity
            row["side"], row["order_type"], row["time_in_force"] = (
                Side[side],
                OrderType.LIMIT,
                TimeInForce[time],
            )
            row["options"] = POST_ONLY if kind == CommandKind.REPLACE else 0
            old = self.twin.find(order_id)
            before = old.leaves if old else 0
            if kind == CommandKind.SUBMIT:
                expected.append(self.twin.submit(order_id, side, price, quantity, time))
            elif kind == CommandKind.REPLACE:
                expected.append(self.twin.replace(order_id, price, quantity, post_only=True))
            else:
                expected.append(self.twin.cancel(order_id))
            self.count(expected[-1])
            if expected[-1][0][0] == "replaced":
                self.put_in += quantity - before
        reports = self.book.submit_batch(rows)
        said = [(int(report["command"]), row_in_twins_words(report)) for report in reports]
        # A row does not say whether priority was kept.
        wanted = [
            (index, report[:4] if report[0] == "replaced" else report)
            for index, told in enumerate(expected)
            for report in told
        ]
        assert said == wanted

    @invariant()
    def depth_and_queues_agree(self) -> None:
        for side, levels in zip(("BUY", "SELL"), self.book.depth(100), strict=True):
            assert [(level.price, level.quantity, level.orders) for level in levels] == self.twin.depth(side)
            queue = [(order.order_id, order.price, order.leaves_quantity) for order in self.book.orders(side)]
            assert queue == [(order.order_id, order.price, order.leaves) for order in self.twin.queue(side)]
        assert len(self.book) == len(self.twin.resting)

    @invariant()
    def the_book_is_never_crossed_at_rest(self) -> None:
        bid, ask = self.book.best_bid, self.book.best_ask
        assert bid is None or ask is None or bid.price < ask.price

    @invariant()
    def no_quantity_appears_or_is_lost(self) -> None:
        open_quantity = sum(
            order.leaves_quantity for side in ("BUY", "SELL") for order in self.book.orders(side)
        )
        assert open_quantity == self.put_in - self.taken_out

    @invariant()
    def positions_in_the_queue_agree(self) -> None:
        for order in self.twin.resting[:3]:
            position = self.book.queue_position(order.order_id)
            assert position is not None
            assert (position.orders_ahead, position.quantity_ahead) == self.twin.ahead(order.order_id)


def test_the_book_says_what_its_twin_says() -> None:
    print(f"\nOPENBELL_SEED={SEED} OPENBELL_SEQUENCES={SEQUENCES}")
    run_state_machine_as_test(
        seed(SEED)(BookAgainstTwin),
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=30,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
