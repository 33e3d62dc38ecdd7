"""Allocation policies against examples that other people worked out; see docs/oracles.md for the sources.

Each row is a level of resting orders and the aggressors that meet it one after the other, with what each order gives to
each of them. Orders come in time order; a lead market maker's share stands behind its quantity, in percent.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from openbell.kernel.order_book import AllocationPolicy, BookTrade, OrderBook
from openbell.model.errors import InputError

CME_2005 = "CME notice 020705-1 of 7 February 2005, Launch of Enhanced Allocation Algorithm for CME Eurodollar Futures"
CME_COMPLEX = "CME client systems wiki, Complex Match Example, the sources taken as orders"
ATAS_3 = "ATAS, CME order matching algorithms, part 3 (corn option)"
ATAS_4 = "ATAS, CME order matching algorithms, part 4 (10-year note option)"
REPLICA = "jacobbrooks/CME-Globex-Replica, MatchingAlgorithmsTest"

PERCENT = 10_000
ANY_SIZE = (1, 2**62, 100 * PERCENT)

Order = int | tuple[int, int]


@dataclass(frozen=True)
class Example:
    """`terms` are those of AllocationPolicy without `lead`; no terms at all stand for price-time."""

    algorithm: str
    source: str
    terms: dict[str, object]
    orders: list[Order]
    aggressors: list[tuple[int, list[int]]]
    first_is_top: bool = True
    """Whether the first order bettered the market; otherwise a better one came before and left."""


EXAMPLES = [
    Example(
        "A",
        CME_2005,
        {"top": ANY_SIZE, "pro_rata_minimum": 2},
        [10, 5, 20, 50, 75],
        [(60, [10, 3, 6, 16, 25])],
    ),
    Example(
        "A",
        CME_COMPLEX,
        {"top": ANY_SIZE, "pro_rata_minimum": 2},
        [100, 900, 200, 300, 400, 100],
        [(501, [100, 191, 42, 63, 84, 21])],
    ),
    Example(
        "A",
        REPLICA,
        {"top": ANY_SIZE, "pro_rata_minimum": 2},
        [2, 56, 42],
        [(50, [2, 28, 20]), (50, [0, 28, 22])],
    ),
    Example("C", REPLICA, {"pro_rata_minimum": 1}, [2, 42, 56], [(50, [1, 21, 28]), (50, [1, 21, 28])]),
    Example("F", REPLICA, {}, [10, 10], [(10, [10, 0]), (10, [0, 10])]),
    Example("T", REPLICA, {}, [10, (10, 20), (10, 80)], [(30, [10, 10, 10])]),
    Example(
        "T",
        REPLICA,
        {},
        [100, (100, 20), (100, 80)],
        [(30, [0, 6, 24]), (30, [0, 6, 24])],
        first_is_top=False,
    ),
    Example("S", REPLICA, {"top": ANY_SIZE}, [10, (10, 10), (10, 20), 10], [(40, [10, 10, 10, 10])]),
    Example(
        "S", REPLICA, {"top": ANY_SIZE}, [100, (100, 20), (100, 80)], [(30, [30, 0, 0]), (30, [30, 0, 0])]
    ),
    Example(
        "K",
        REPLICA,
        {"top": ANY_SIZE, "by_time": 100 * PERCENT, "pro_rata_minimum": 2, "leveling": True},
        [1, (59, 20), (40, 10)],
        [(50, [1, 45, 4])],
    ),
    Example(
        "K",
        REPLICA,
        {"top": ANY_SIZE, "pro_rata_minimum": 2, "leveling": True},
        [1, (59, 20), (40, 10)],
        [(50, [1, 30, 19])],
    ),
    Example(
        "K",
        REPLICA,
        {"top": ANY_SIZE, "by_time": 40 * PERCENT, "pro_rata_minimum": 2, "leveling": True},
        [2, (51, 10), (47, 20), 100, 1, 1, 1, 1],
        [(202, [2, 51, 47, 98, 1, 1, 1, 1])],
    ),
    Example(
        "O",
        f"{ATAS_3}; {REPLICA}",
        {"top": (10, 100, 100 * PERCENT), "pro_rata_minimum": 1},
        [150, 8, 160],
        [(200, [124, 3, 73])],
    ),
    Example(
        "Q",
        f"{ATAS_4}; {REPLICA}",
        {"top": (25, 250, 100 * PERCENT), "pro_rata_minimum": 1},
        [300, 15, (160, 40)],
        [(400, [278, 8, 114])],
    ),
]

# Where we read the steps otherwise: theirs, ours, and why.
SPLIT_AND_LEVELING = Example(
    "K",
    REPLICA,
    {"top": ANY_SIZE, "by_time": 40 * PERCENT, "pro_rata_minimum": 1, "leveling": True},
    [1, 100, 30, 80, 30, 60],
    [(8, [1, 4, 1, 1, 0, 1])],
)
OURS = [1, 3, 1, 1, 1, 1]
"""40 % of 7 is 2.8: they round to 3, we down to 2, as every share is. Leveling goes by size there, by time here. What we
could read of CME's pages says neither."""


def lead_of(orders: list[Order]) -> list[tuple[int, int]]:
    """(account, millionths) of the lead market makers; an order's account is its place, from 1."""
    return [(place, order[1] * PERCENT) for place, order in enumerate(orders, 1) if isinstance(order, tuple)]


def book_of(example: Example) -> OrderBook:
    """Rests the orders as bids at 100, ids and accounts from 1."""
    lead = lead_of(example.orders)
    policy = AllocationPolicy(**example.terms, lead=lead) if example.terms or lead else None  # type: ignore[arg-type]
    book = OrderBook(policy=policy)
    if not example.first_is_top:
        book.submit("BUY", 100, 1, 999)
    for place, order in enumerate(example.orders, 1):
        quantity = order[0] if isinstance(order, tuple) else order
        book.submit("BUY", 100, quantity, place, account=place)
    if not example.first_is_top:
        book.cancel(999)
    return book


def shares(book: OrderBook, orders: int, incoming: int) -> list[int]:
    """What each order gives to a seller of `incoming`."""
    given = [0] * orders
    for report in book.submit("SELL", 100, incoming):
        if isinstance(report, BookTrade):
            given[report.maker_order_id - 1] += int(report.quantity)
    return given


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.algorithm}: {example.source}")
def test_a_level_is_shared_as_others_worked_it_out(example: Example) -> None:
    book = book_of(example)
    for incoming, expected in example.aggressors:
        assert shares(book, len(example.orders), incoming) == expected


def test_every_algorithm_has_an_example() -> None:
    assert {example.algorithm for example in EXAMPLES} == set("ACFKOQST")


def test_where_we_read_the_steps_otherwise_we_know_it() -> None:
    incoming, theirs = SPLIT_AND_LEVELING.aggressors[0]
    ours = shares(book_of(SPLIT_AND_LEVELING), len(SPLIT_AND_LEVELING.orders), incoming)
    assert ours == OURS != theirs


def test_lead_shares_of_more_than_the_whole_are_refused_here() -> None:
    # The replica has one: 50 % and 60 % of a single lot, which goes by time.
    with pytest.raises(InputError):
        AllocationPolicy(lead=[(1, 50 * PERCENT), (2, 60 * PERCENT)])
