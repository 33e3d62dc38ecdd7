"""Touched and trailing orders on trades and quotes at the simulated venue: each update in a trader's words."""

import pytest

from openbell.kernel import Node, SpecialTerms
from openbell.messages.layouts import LAST_OF_MESSAGE, as_slots, records
from tests.kernel.engine_events import run
from tests.kernel.test_special_bars_against_twin import GTC, floor, told_of
from tests.model.special_bars_twin import AMOUNT, LIT, MIT, PERCENT, TRAILING, TRAILING_LIMIT

BUY, SELL = 1, 2


def trade(node: Node, price: int) -> None:
    record = records("TradeObserved", 1)
    record["time"], record["instrument"], record["flags"] = node.time + 1, 1, LAST_OF_MESSAGE
    record["price"], record["quantity"] = price, 100
    run(node, as_slots(record))


def quote(node: Node, bid: int) -> None:
    """One wide, a hundred on each side."""
    record = records("QuoteObserved", 1)
    record["time"], record["instrument"], record["flags"] = node.time + 1, 1, LAST_OF_MESSAGE
    record["bid_price"], record["ask_price"] = bid, bid + 1
    record["bid_quantity"] = record["ask_quantity"] = 100
    run(node, as_slots(record))


Terms = dict[str, int]
TABLE = [
    # what happens, side, type, its terms, feed, prices, what is told of the order
    ("a touched buy takes the next trade", BUY, MIT, {"stop": 95}, trade, (100, 96, 95, 94), "triggered 95, filled 94"),
    ("a touched sale on quotes", SELL, MIT, {"stop": 105}, quote, (100, 104, 106), "triggered 106, filled 106"),
    ("a touched limit rests", BUY, LIT, {"stop": 95, "price": 93}, quote, (100, 94, 92, 91), "triggered 95, filled 93"),
    (
        "a trailing sale follows the trades",
        SELL, TRAILING, {"trail": 5}, trade, (100, 103, 101, 98, 97),
        "repriced 0 95, repriced 0 98, triggered 98, filled 97",
    ),
    (
        "a trailing buy follows the offer",
        BUY, TRAILING, {"trail": 4}, quote, (100, 98, 95, 99),
        "repriced 0 105, repriced 0 103, repriced 0 100, triggered 100, filled 100",
    ),
    (
        "percent of what it follows, rounded away from the market",
        SELL, TRAILING, {"trail": 15_000_000, "by": PERCENT}, trade, (1_000, 1_001, 985),
        "repriced 0 985, triggered 985",
    ),
    (
        "its limit lies beyond its stop",
        SELL, TRAILING_LIMIT, {"trail": 5, "offset": 2}, quote, (100, 104, 96, 98),
        "repriced 93 95, repriced 97 99, triggered 96, filled 97",
    ),
    (
        "told where to begin it moves when the market goes beyond where it was",
        SELL, TRAILING, {"trail": 5, "stop": 90}, trade, (100, 99, 100, 101),
        "repriced 0 96",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("side", "kind", "terms", "feed", "prices", "story"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_special_orders_on_ticks(side, kind, terms, feed, prices, story):
    node = floor(tick=1)
    feed(node, prices[0])
    by = terms.get("by", AMOUNT) if "trail" in terms else 0
    special = SpecialTerms(trail=terms.get("trail", 0), trail_by=by, limit_offset=terms.get("offset", 0))
    node.submit_order(
        0, 1, 1, 1, side, kind, GTC, 1,
        price=terms.get("price", 0), stop_price=terms.get("stop", 0), special=special,
    )  # fmt: skip
    run(node, None)
    for price in prices[1:]:
        feed(node, price)
    told = told_of(node).get(1, [])
    assert ", ".join(" ".join(map(str, words)) for words in told) == story
