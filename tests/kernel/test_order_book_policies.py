"""Policies of a book from Python: the kernel's against their twin, and one written in Python."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openbell.kernel.order_book import (
    COMMAND_DTYPE,
    AllocationPolicy,
    BookTrade,
    CommandKind,
    OrderBook,
)
from openbell.model.errors import InputError
from openbell.model.terms import OrderType, Side, TimeInForce
from tests.model.allocation_twin import MILLION, Terms, share_level


class Halves:
    """Gives by time, half of what is asked first, to show that any exact answer will do."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, list[int]]] = []

    def allocate(self, incoming: int, resting_quantities: list[int]) -> list[int]:
        self.asked.append((incoming, resting_quantities))
        parts, left = [], min(incoming, sum(resting_quantities))
        later = sum(resting_quantities)
        for quantity in resting_quantities:
            later -= quantity
            part = min(quantity, max(left - later, left // 2))
            parts.append(part)
            left -= part
        return parts


def trades(reports: tuple[Any, ...]) -> list[tuple[int, int]]:
    return [
        (report.maker_order_id, int(report.quantity)) for report in reports if isinstance(report, BookTrade)
    ]


shares = st.integers(0, 300_000)
terms = st.builds(
    Terms,
    pro_rata_minimum=st.integers(0, 4),
    by_time=st.integers(0, MILLION),
    leveling=st.booleans(),
    top=st.one_of(st.none(), st.tuples(st.integers(1, 12), st.integers(12, 40), st.integers(0, MILLION))),
    lead=st.lists(st.tuples(st.integers(1, 3), shares), max_size=3, unique_by=lambda pair: pair[0]).map(
        tuple
    ),
)
levels = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 60)), min_size=1, max_size=8)


@given(terms=terms, resting=levels, incoming=st.integers(1, 250))
@settings(max_examples=2_000, deadline=None, database=None, print_blob=True)
def test_a_level_is_shared_as_its_twin_works_it_out(
    terms: Terms, resting: list[tuple[int, int]], incoming: int
) -> None:
    policy = AllocationPolicy(
        pro_rata_minimum=terms.pro_rata_minimum,
        by_time=terms.by_time,
        leveling=terms.leveling,
        top=terms.top,
        lead=list(terms.lead),
    )
    book = OrderBook(policy=policy)
    for order_id, (account, quantity) in enumerate(resting, 1):
        book.submit("SELL", 100, quantity, order_id, account=account)
    copy = OrderBook.restore(book.snapshot())
    reports = book.submit("BUY", 100, incoming, 999)
    assert copy.submit("BUY", 100, incoming, 999) == reports
    expected = share_level(terms, incoming, resting, first_is_top=True)
    assert trades(reports) == [(order_id, part) for order_id, part in enumerate(expected, 1) if part]


def test_a_policy_in_python_is_asked_once_per_level_with_what_rests_in_time_order() -> None:
    policy = Halves()
    book = OrderBook(policy=policy)
    for order_id, (price, quantity) in enumerate([(100, 8), (100, 4), (101, 5)], 1):
        book.submit("SELL", price, quantity, order_id)
    assert trades(book.submit("BUY", 101, 10)) == [(1, 6), (2, 4)]
    assert trades(book.submit("BUY", 101, 50)) == [(1, 2), (3, 5)]
    assert policy.asked == [(10, [8, 4]), (50, [2]), (48, [5])]


@pytest.mark.parametrize(
    "answer",
    [[5], [5, 6], [-1, 11], [9, 1], [4, 4], "no", None, [10.0, 0.0]],
    ids=[
        "too few",
        "above the sum",
        "negative",
        "above the order",
        "below the sum",
        "text",
        "None",
        "floats",
    ],
)
def test_a_wrong_answer_cancels_the_aggressor_and_leaves_the_makers(answer: Any) -> None:
    class Wrong:
        def allocate(self, incoming: int, resting_quantities: list[int]) -> Any:
            return answer

    book = OrderBook(policy=Wrong())
    book.submit("SELL", 100, 8, 1)
    book.submit("SELL", 100, 4, 2)
    with pytest.raises(InputError, match="allocate"):
        book.submit("BUY", 100, 10, 3)
    assert [order.leaves_quantity for order in book.orders("SELL")] == [8, 4]
    assert book.best_bid is None


def test_an_error_of_the_policy_reaches_the_caller_in_calls_and_in_batches() -> None:
    class Broken:
        def allocate(self, incoming: int, resting_quantities: list[int]) -> list[int]:
            raise LookupError("no such share")

    rows = np.zeros(2, COMMAND_DTYPE)
    rows["kind"], rows["order_type"], rows["time_in_force"] = (
        CommandKind.SUBMIT,
        OrderType.LIMIT,
        TimeInForce.GTC,
    )
    rows["side"], rows["order_id"], rows["price"], rows["quantity"] = [Side.BUY, Side.SELL], [1, 2], 100, 5
    with pytest.raises(LookupError, match="no such share"):
        OrderBook(policy=Broken()).submit_batch(rows)


def test_a_book_restored_needs_its_policy_in_python_again() -> None:
    book = OrderBook(policy=Halves())
    book.submit("SELL", 100, 8, 1)
    with pytest.raises(InputError, match="policy"):
        OrderBook.restore(book.snapshot())
    restored = OrderBook.restore(book.snapshot(), policy=Halves())
    assert restored.state_hash == book.state_hash
    assert trades(restored.submit("BUY", 100, 8)) == [(1, 8)]


@pytest.mark.parametrize("policy", ["FIFO", 3, object()])
def test_what_is_no_policy_is_refused_by_name(policy: Any) -> None:
    with pytest.raises(InputError, match="policy"):
        OrderBook(policy=policy)


@pytest.mark.parametrize(
    "setting", [{"by_time": 1}, {"pro_rata_minimum": -1}, {"lead": [(1, 600_000), (2, 600_000)]}]
)
def test_settings_out_of_range_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        AllocationPolicy(**setting)


def test_the_largest_order_goes_first_where_size_counts() -> None:
    book = OrderBook(policy="PRICE_SIZE_TIME")
    for order_id, quantity in enumerate([3, 9, 9], 1):
        book.submit("SELL", 100, quantity, order_id)
    assert trades(book.submit("BUY", 100, 12)) == [(2, 9), (3, 3)]


def test_a_reader_sees_whole_books_from_another_thread_while_batches_run() -> None:
    book = OrderBook()
    reader = book.reader(3)
    assert (reader.best_bid, reader.best_ask) == (None, None)
    rows = np.zeros(20_000, COMMAND_DTYPE)
    steps = np.arange(len(rows))
    rows["kind"], rows["order_type"], rows["time_in_force"] = (
        CommandKind.SUBMIT,
        OrderType.LIMIT,
        TimeInForce.GTC,
    )
    rows["side"], rows["order_id"], rows["quantity"] = 1 + steps % 2, steps + 1, 2
    rows["price"] = 1_000 + steps // 500 + np.where(rows["side"] == Side.BUY, -1, 1) * (1 + steps * 7 % 9)
    wrong: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            bids, asks = reader.depth()
            if bids and asks and bids[0].price >= asks[0].price:
                wrong.append(f"crossed: {bids[0]} {asks[0]}")
            if any(level.quantity != 2 * level.orders for level in bids + asks):
                wrong.append(f"mixed: {bids} {asks}")

    watcher = threading.Thread(target=watch)
    watcher.start()
    for start in range(0, len(rows), 1_000):
        book.submit_batch(rows[start : start + 1_000])
    done.set()
    watcher.join()
    assert not wrong
    assert reader.depth() == book.depth(3)
    book.cancel(int(book.orders("BUY")[0].order_id))
    assert reader.best_bid == book.best_bid
