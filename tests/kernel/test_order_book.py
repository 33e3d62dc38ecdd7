"""The order book as Python sees it: words, numbers, batches, snapshots, bad input."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any, cast

import numpy as np
import pytest

from openbell.kernel import rule_registry
from openbell.kernel.order_book import (
    COMMAND_DTYPE,
    REPORT_DTYPE,
    BookAccepted,
    BookCanceled,
    BookRefused,
    BookReplaced,
    BookTrade,
    CommandKind,
    OrderBook,
    ReportKind,
)
from openbell.model.errors import InputError
from openbell.model.terms import OrderType, Side, TimeInForce

RULES = {name: number for number, name in rule_registry()}


def commands(*rows: tuple[Any, ...]) -> np.ndarray[Any, np.dtype[np.void]]:
    """Rows of (kind, side, order_id, price, quantity), limit GTC."""
    array = np.zeros(len(rows), COMMAND_DTYPE)
    array["order_type"], array["time_in_force"] = OrderType.LIMIT, TimeInForce.GTC
    for index, row in enumerate(rows):
        for column, value in zip(("kind", "side", "order_id", "price", "quantity"), row, strict=True):
            array[column][index] = value
    return array


def test_a_book_with_tick_and_lot_takes_any_exact_number_and_answers_in_decimals() -> None:
    book = OrderBook(tick="0.05", lot=Decimal("0.001"))
    same: list[tuple[Any, Any]] = [
        ("100.05", "1.5"),
        (100.05, 1.5),
        (Decimal("100.0500"), Decimal("15e-1")),
        ("10005e-2", 1.5),
    ]
    for price, quantity in same:
        accepted = book.submit(Side.SELL, price, quantity)[0]
        assert isinstance(accepted, BookAccepted)
        assert (accepted.price, accepted.quantity) == (Decimal("100.05"), Decimal("1.5"))
        assert isinstance(accepted.price, Decimal)
    assert book.best_ask is not None
    assert book.best_ask.quantity == Decimal(6)
    assert book.submit("buy", 100, np.float64(2))[0].order_id == 5  # type: ignore[union-attr]
    assert book.submit("BUY", np.int64(99), np.float32(0.5))[0].price == 99  # type: ignore[union-attr]


def test_a_price_off_tick_and_a_quantity_off_lot_are_refused_with_limit_and_actual() -> None:
    book = OrderBook(tick="0.05", lot="10")
    assert book.submit("BUY", "100.07", 10) == book.submit("BUY", "100.07", 10)
    (refused,) = book.submit("BUY", "100.07", 10)
    assert isinstance(refused, BookRefused)
    assert (refused.rule, refused.limit, refused.actual) == (
        "PRICE_MUST_BE_ON_TICK",
        Decimal("0.05"),
        Decimal("100.07"),
    )
    (refused,) = book.submit("BUY", "100.05", 15)
    assert isinstance(refused, BookRefused)
    assert (refused.rule, refused.limit, refused.actual) == (
        "QUANTITY_MUST_BE_ON_LOT",
        Decimal(10),
        Decimal(15),
    )
    (refused,) = book.submit("BUY", "1e25", 10)
    assert isinstance(refused, BookRefused)
    assert refused.rule == "FIELD_MUST_BE_IN_RANGE"
    (refused,) = book.market("BUY", "-20")
    assert isinstance(refused, BookRefused)
    assert (refused.rule, refused.actual) == ("QUANTITY_MUST_BE_POSITIVE", Decimal(-20))


def test_a_book_without_units_counts_in_whole_numbers() -> None:
    book = OrderBook()
    (accepted,) = book.submit(Side.BUY, -5, 3)
    assert isinstance(accepted, BookAccepted)
    assert (accepted.price, type(accepted.price)) == (-5, int)


def test_one_command_answers_with_all_that_came_of_it() -> None:
    book = OrderBook()
    book.submit("SELL", 100, 5, order_id=1, account=7)
    accepted, trade, canceled = book.submit("BUY", 101, 8, order_id=2, account=8, time_in_force="IOC")
    assert isinstance(accepted, BookAccepted)
    assert accepted.account == 8
    assert isinstance(trade, BookTrade)
    assert (trade.maker_order_id, trade.taker_order_id, trade.side) == (1, 2, Side.BUY)
    assert (trade.maker_account, trade.taker_account) == (7, 8)
    assert (trade.price, trade.quantity, trade.maker_leaves_quantity, trade.taker_leaves_quantity) == (
        100,
        5,
        0,
        3,
    )
    assert isinstance(canceled, BookCanceled)
    assert (canceled.rule, canceled.limit, canceled.actual) == ("IMMEDIATE_OR_CANCEL_MUST_FILL_NOW", 5, 8)
    (accepted,) = book.submit("SELL", 100, 5)
    assert isinstance(accepted, BookAccepted)
    assert accepted.order_id == 3
    (replaced,) = book.replace(3, quantity=2)
    assert isinstance(replaced, BookReplaced)
    assert (replaced.price, replaced.quantity, replaced.kept_priority) == (100, 2, True)
    (refused,) = book.replace(77, price=1)
    assert isinstance(refused, BookRefused)
    assert (refused.rule, refused.actual) == ("ORDER_MUST_EXIST", 77)
    assert 3 in book
    assert 2 not in book
    assert "x" not in book
    assert len(book) == 1


def test_reports_and_levels_are_immutable_comparable_and_say_what_they_are() -> None:
    book = OrderBook(tick="0.01", lot="1")
    (accepted,) = book.submit("BUY", "99.50", 10)
    assert repr(accepted) == "BookAccepted(order_id=1, account=0, side=BUY, price=99.50, quantity=10)"
    with pytest.raises(AttributeError):
        accepted.order_id = 5  # type: ignore[misc, union-attr]
    assert repr(book.best_bid) == "BookLevel(price=99.50, quantity=10, orders=1)"
    assert book.best_bid == book.depth()[0][0]
    assert book.queue_position(1) is not None
    assert book.queue_position(2) is None
    assert book.order(2) is None
    assert repr(book) == "OrderBook(orders=1, bid=99.50, ask=none)"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda book: book.submit("HOLD", 1, 1), r"field 'side': found 'HOLD'"),
        (lambda book: book.submit(3, 1, 1), r"field 'side': found 3"),
        (lambda book: book.submit("BUY", 1.5, 1), r"field 'price': found 1.5, expected a whole number"),
        (lambda book: book.submit("BUY", 1, "1"), r"field 'quantity': found '1'"),
        (lambda book: book.submit("BUY", 2**63, 1), r"field 'price': found 9223372036854775808"),
        (lambda book: book.submit("BUY", True, 1), r"field 'price': found True"),
        (lambda book: book.submit("BUY", None, 1), r"field 'price': found None"),
        (lambda book: book.submit("BUY", 1, 1, order_id=-1), r"field 'order_id': found -1"),
        (lambda book: book.submit("BUY", 1, 1, time_in_force="NOW"), r"field 'time_in_force': found 'NOW'"),
        (lambda book: book.cancel("1"), r"field 'order_id': found '1'"),
        (lambda book: book.orders(0), r"field 'side': found 0"),
        (lambda book: OrderBook(tick="0.01"), r"field 'tick': found '0.01', expected a lot beside it"),
        (lambda book: OrderBook(tick="0", lot=1), r"field 'tick': found '0', expected a number above zero"),
        (lambda book: OrderBook(tick="1e-3x", lot=1), r"field 'tick'"),
        (
            lambda book: OrderBook(tick="1", lot="1").submit("BUY", float("nan"), 1),
            r"field 'price': found nan",
        ),
        (
            lambda book: OrderBook(tick="1", lot="1").submit("BUY", 1, Decimal("Infinity")),
            r"field 'quantity'",
        ),
        (
            lambda book: OrderBook(tick="1", lot="1").submit("BUY", cast(Any, b"1"), 1),
            r"field 'price': found b'1'",
        ),
        (lambda book: book.submit_batch([1, 2]), r"field 'commands': found list"),
        (
            lambda book: book.submit_batch(np.zeros(2)),
            r"expected a one-dimensional NumPy array of COMMAND_DTYPE",
        ),
        (lambda book: book.submit_batch(np.zeros((2, 2), COMMAND_DTYPE)), r"one-dimensional"),
        (lambda book: book.submit_batch(np.zeros(8, COMMAND_DTYPE)[::2]), r"contiguous"),
        (lambda book: book.submit_batch(np.zeros(8, REPORT_DTYPE)), r"COMMAND_DTYPE"),
        (lambda book: OrderBook.restore(b""), r"field 'snapshot': the state ends"),
        (lambda book: OrderBook.restore(b"\x09" * 40), r"not a valid version"),
        (lambda book: OrderBook.restore(book.snapshot() + b"\x00"), r"left over"),
    ],
)
def test_what_cannot_be_understood_raises_one_error_naming_field_and_value(call: Any, message: str) -> None:
    book = OrderBook()
    book.submit("BUY", 1, 1)
    before = book.snapshot()
    with pytest.raises(InputError, match=message):
        call(book)
    assert book.snapshot() == before


def test_a_batch_refuses_bad_rows_one_by_one_and_runs_the_others() -> None:
    rows = commands(
        (CommandKind.SUBMIT, Side.BUY, 1, 100, 5),
        (9, Side.BUY, 2, 100, 5),
        (CommandKind.SUBMIT, 7, 3, 100, 5),
        (CommandKind.SUBMIT, Side.BUY, 4, 100, 0),
        (CommandKind.CANCEL, 0, 99, 0, 0),
        (CommandKind.SUBMIT, Side.SELL, 5, 100, 2),
        (CommandKind.SUBMIT, Side.SELL, 6, 2**63 - 1, 2),
        (CommandKind.SUBMIT, Side.SELL, 7, -(2**63), 2),
        (CommandKind.SUBMIT, Side.SELL, 8, 100, 2),
        (CommandKind.SUBMIT, Side.SELL, 9, 100, 2),
    )
    rows["options"][8] = 1 << 7
    rows["order_type"][9] = OrderType.STOP
    book = OrderBook()
    reports = book.submit_batch(rows)
    assert reports.dtype == REPORT_DTYPE
    said = [
        (int(r["command"]), ReportKind(r["kind"]).name, int(r["rule"]), int(r["limit"]), int(r["actual"]))
        for r in reports
    ]
    unknown, wide = RULES["TERMS_MUST_BE_KNOWN"], RULES["FIELD_MUST_BE_IN_RANGE"]
    assert said == [
        (0, "ACCEPTED", 0, 0, 0),
        (1, "REFUSED", unknown, 0, 9),
        (2, "REFUSED", unknown, 0, 7),
        (3, "REFUSED", RULES["QUANTITY_MUST_BE_POSITIVE"], 1, 0),
        (4, "REFUSED", RULES["ORDER_MUST_EXIST"], 0, 99),
        (5, "ACCEPTED", 0, 0, 0),
        (5, "TRADED", 0, 0, 0),
        (6, "REFUSED", wide, 2**63 - 2, 2**63 - 1),
        (7, "REFUSED", wide, 2**63 - 2, -(2**63)),
        (8, "REFUSED", unknown, 0, 128),
        (9, "REFUSED", RULES["ORDER_TYPE_MUST_BE_SUPPORTED"], 0, OrderType.STOP),
    ]
    assert len(book) == 1


def test_any_bytes_as_commands_are_answered_and_never_break_the_book() -> None:
    random = np.random.default_rng(20261)
    book = OrderBook()
    for _ in range(50):
        noise = random.integers(0, 256, 40 * 500, dtype=np.uint8)
        rows = noise.view(COMMAND_DTYPE)
        rows["kind"] %= 5
        rows["side"] %= 4
        rows["order_type"] %= 4
        rows["time_in_force"] %= 8
        rows["order_id"] %= 400
        rows["quantity"] >>= random.integers(0, 60)
        rows["price"] >>= random.integers(0, 60)
        rows["options"] %= 3
        reports = book.submit_batch(rows)
        assert set(reports["command"]) == set(range(500))
        assert OrderBook.restore(book.snapshot()).state_hash == book.state_hash


def test_an_empty_batch_has_no_reports_and_an_unaligned_one_is_refused() -> None:
    book = OrderBook()
    assert len(book.submit_batch(np.zeros(0, COMMAND_DTYPE))) == 0
    unaligned = np.zeros(81, np.uint8)[1:].view(COMMAND_DTYPE)
    with pytest.raises(InputError, match="aligned"):
        book.submit_batch(unaligned)


def test_batches_and_single_calls_make_the_same_book() -> None:
    rows = commands(
        *[(CommandKind.SUBMIT, 1 + i % 2, i, 100 + (i * 7919) % 11 - 5, 1 + i % 4) for i in range(1, 400)]
    )
    batched, single = OrderBook(), OrderBook()
    batched.submit_batch(rows)
    for row in rows:
        single.submit(int(row["side"]), int(row["price"]), int(row["quantity"]), int(row["order_id"]))
    assert batched.state_hash == single.state_hash
    assert batched.snapshot() == single.snapshot()


def test_a_large_book_that_looks_ahead_answers_as_one_that_gets_rows_one_by_one() -> None:
    random = np.random.default_rng(20262)
    orders = np.zeros(40_000, COMMAND_DTYPE)
    orders["kind"], orders["order_type"], orders["time_in_force"] = (
        CommandKind.SUBMIT,
        OrderType.LIMIT,
        TimeInForce.GTC,
    )
    orders["order_id"] = random.permutation(40_000) + 1
    orders["side"] = 1 + orders["order_id"] % 2
    orders["price"] = np.where(orders["side"] == 1, -1, 1) * random.integers(1, 900, 40_000)
    orders["quantity"] = 5
    noise = random.integers(0, 256, 40 * 2_000, dtype=np.uint8).view(COMMAND_DTYPE)
    noise["kind"] %= 5
    noise["side"] %= 4
    noise["order_type"], noise["time_in_force"], noise["options"] = OrderType.LIMIT, TimeInForce.GTC, 0
    noise["order_id"] %= 50_000
    noise["quantity"] %= 40
    noise["price"][::2] %= 1_000
    large, other = OrderBook(), OrderBook()
    for book in (large, other):
        book.submit_batch(orders)
        assert len(book) == 40_000
    reports = large.submit_batch(noise)
    one_by_one = [other.submit_batch(noise[row : row + 1]) for row in range(len(noise))]
    for row, rows in enumerate(one_by_one):
        rows["command"] = row
    assert set(reports["kind"]) == {kind.value for kind in ReportKind}
    assert reports.tobytes() == b"".join(rows.tobytes() for rows in one_by_one)
    assert large.snapshot() == other.snapshot()


def test_a_restored_book_gives_the_next_id_as_the_first_would() -> None:
    book = OrderBook(tick="0.5", lot="1")
    book.submit("BUY", 1, 1, order_id=41)
    book.cancel(41)
    copy = OrderBook.restore(book.snapshot())
    assert copy.submit("BUY", "1.5", 1) == book.submit("BUY", "1.5", 1)
    assert 42 in copy


def test_other_threads_run_while_a_batch_does() -> None:
    rows = commands(*[(CommandKind.SUBMIT, Side.BUY, i, i % 512, 1) for i in range(1, 1_500_000)])
    book = OrderBook()
    done = threading.Event()
    steps = 0

    def run() -> None:
        book.submit_batch(rows)
        done.set()

    worker = threading.Thread(target=run)
    worker.start()
    while not done.is_set():
        steps += 1
        done.wait(0.001)
    worker.join()
    assert steps > 3, "the interpreter was held for the whole batch"
    assert len(book) == len(rows)


def test_ids_at_the_end_of_their_range_do_not_break_the_count() -> None:
    book = OrderBook()
    book.submit("BUY", 1, 1, order_id=2**64 - 1)
    (refused,) = book.submit("BUY", 1, 1)
    assert isinstance(refused, BookRefused)
    assert refused.rule == "CLIENT_ORDER_ID_MUST_BE_UNIQUE"


def test_an_answer_that_is_held_and_a_report_that_is_held_stay_as_they_are() -> None:
    book = OrderBook()
    held = [book.submit("BUY", 100 - order_id, 1, order_id) for order_id in range(1, 9)]
    reports = [book.cancel(order_id)[0] for order_id in range(1, 9)]
    for order_id, answer, report in zip(range(1, 9), held, reports, strict=True):
        (accepted,) = answer
        assert isinstance(accepted, BookAccepted)
        assert isinstance(report, BookCanceled)
        assert (accepted.order_id, accepted.price, report.order_id) == (order_id, 100 - order_id, order_id)


def test_an_answer_that_was_let_go_of_says_what_the_next_command_did() -> None:
    book = OrderBook()
    for order_id in range(1, 100):
        (accepted,) = book.submit("SELL", order_id, order_id, order_id)
        assert isinstance(accepted, BookAccepted)
        assert (accepted.order_id, accepted.price, accepted.quantity) == (order_id, order_id, order_id)
        del accepted
        (canceled,) = book.cancel(order_id)
        assert isinstance(canceled, BookCanceled)
        assert canceled.order_id == order_id
