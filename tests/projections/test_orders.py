"""The last state of an order, from every way its life can go."""

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from openbell.model.instrument import Instrument
from openbell.projections.fills import booked_fills
from openbell.projections.orders import orders
from tests.projections.event_slots import REFUSAL, REPEATED, Ledger

STOCK = Instrument("GOOG", tick="0.01")
RULES = {13: "PRICE_MUST_BE_ON_TICK", 66: "VENUE_MUST_ACCEPT", 90: "CANCELED_ON_REQUEST"}
BUY, SELL = 1, 2
MARKET, LIMIT, STOP, STOP_LIMIT = 1, 2, 3, 4
PENDING_NEW, PENDING_REPLACE, PENDING_CANCEL = 2, 4, 5


class Life(Ledger):
    """Events of order 7, told one after the other."""

    def __init__(self) -> None:
        super().__init__((STOCK,))
        self.at(1, 1_000)

    def submitted(self, quantity: int = 100, **terms: Any) -> "Life":
        self.submit(7, BUY, quantity, **terms)
        return self

    def told(self, name: str, *words: int, flags: int = 0, rest: bool = False) -> "Life":
        self.at(self.sequence + 1, self.time + 1_000)
        body = struct.pack("<QQ", 7, 1007) + b"".join(struct.pack("<q", word) for word in words)
        self.emit(name, body, (REFUSAL, b"") if rest else None, flags=flags)
        return self

    def pending(self, state: int) -> "Life":
        return self.told("OrderPending", state)

    def accepted(self) -> "Life":
        return self.told("OrderAccepted", 5, 0)

    def traded(self, quantity: int, leaves: int, price: int = 1000, fee: int = 0) -> "Life":
        self.at(self.sequence + 1, self.time + 1_000)
        self.fill(7, quantity, price, fee=fee, leaves=leaves, trade=self.sequence)
        return self

    def canceled(self, rule: int = 90) -> "Life":
        return self.told("OrderCanceled", rule, 0, rest=True)

    def row(self) -> dict[str, Any]:
        output = self.output()
        table = orders(output, booked_fills(output, (STOCK,)), (STOCK,), RULES)
        (row,) = table.iter_rows(named=True)
        return row


LIVES: list[tuple[str, Callable[[Life], Life], str, int]] = [
    ("submitted", lambda life: life, "SUBMITTED", 0),
    ("sent", lambda life: life.pending(PENDING_NEW), "PENDING_NEW", 0),
    ("acknowledged", lambda life: life.pending(PENDING_NEW).accepted(), "ACCEPTED", 0),
    ("filled in parts", lambda life: life.accepted().traded(40, 60).traded(60, 0), "FILLED", 100),
    ("filled in part", lambda life: life.accepted().traded(40, 60), "ACCEPTED", 40),
    ("filled in part before its ack", lambda life: life.pending(PENDING_NEW).traded(40, 60), "ACCEPTED", 40),
    ("late ack of a cancel", lambda life: life.pending(2).pending(PENDING_CANCEL).accepted(), "PENDING_CANCEL", 0),
    ("late ack of a filled one", lambda life: life.pending(2).traded(100, 0).accepted(), "FILLED", 100),
    ("canceled", lambda life: life.accepted().pending(PENDING_CANCEL).canceled(), "CANCELED", 0),
    ("fill in part after its cancel", lambda life: life.accepted().canceled().traded(30, 70), "CANCELED", 30),
    ("whole fill after its cancel", lambda life: life.accepted().canceled().traded(100, 0), "FILLED", 100),
    ("cancel refused", lambda life: life.accepted().pending(5).told("CancelRejected", 0, rest=True), "ACCEPTED", 0),
    (
        "cancel refused before its ack",
        lambda life: life.pending(2).pending(5).told("CancelRejected", 0, rest=True),
        "PENDING_NEW",
        0,
    ),
    ("replace asked", lambda life: life.accepted().pending(PENDING_REPLACE), "PENDING_REPLACE", 0),
    ("replaced", lambda life: life.accepted().pending(4).told("OrderReplaced", 1000, 50), "ACCEPTED", 0),
    (
        "replaced down to what was filled",
        lambda life: life.accepted().traded(40, 60).pending(4).told("OrderReplaced", 1000, 40),
        "FILLED",
        40,
    ),
    ("no answer", lambda life: life.pending(2).told("OrderUnknown", 5), "UNKNOWN", 0),
    ("found again by a query", lambda life: life.pending(2).told("OrderUnknown", 5).accepted(), "ACCEPTED", 0),
    ("expired", lambda life: life.accepted().told("OrderExpired", 100, 0), "EXPIRED", 0),
    ("rejected", lambda life: life.pending(2).told("OrderRejected", 66, 0, rest=True), "REJECTED", 0),
    ("denied when released", lambda life: life.told("OrderDenied", 13, 0, rest=True), "DENIED", 0),
    ("overfilled", lambda life: life.accepted().traded(100, 0).traded(20, 0), "FILLED", 120),
]  # fmt: skip


@pytest.mark.parametrize(
    ("live", "state", "filled"), [life[1:] for life in LIVES], ids=[life[0] for life in LIVES]
)
def test_an_order_ends_in_the_state_its_events_leave_it_in(
    live: Callable[[Life], Life], state: str, filled: int
) -> None:
    row = live(Life().submitted()).row()
    assert (row["state"], row["cumulative_quantity"]) == (state, filled)


def test_average_price_and_fees_are_those_of_its_fills() -> None:
    row = Life().submitted().traded(40, 60, price=1001, fee=5).traded(60, 0, price=1002, fee=6).row()
    assert row["average_price"] == Decimal("10.016")
    assert row["fees"] == Decimal("0.000000011")
    assert row["price"] is None


def test_the_reason_is_the_rule_that_ended_it() -> None:
    assert Life().submitted().told("OrderDenied", 13, 0, rest=True).row()["reason"] == "PRICE_MUST_BE_ON_TICK"
    assert Life().submitted().canceled().row()["reason"] == "CANCELED_ON_REQUEST"
    assert Life().submitted().accepted().row()["reason"] is None


def test_an_order_denied_before_it_was_submitted_has_a_row() -> None:
    life = Life()
    terms = struct.pack("<32xBBBBH", SELL, LIMIT, 2, 0, 0)
    life.emit("OrderDenied", struct.pack("<QQQq", 7, 1007, 13, 25), (REFUSAL, terms))
    row = life.row()
    assert (row["state"], row["reason"], row["client_order_id"]) == ("DENIED", "PRICE_MUST_BE_ON_TICK", 1007)
    assert (row["side"], row["order_type"], row["quantity"]) == ("sell", "LIMIT", 25)


def test_an_order_in_an_instrument_nobody_listed_has_a_row() -> None:
    life = Life()
    body = struct.pack("<QQQQ", 7, 1007, 3, 0)
    life.emit("OrderDenied", body, (REFUSAL, b""), instrument=9)
    assert life.row()["instrument"] == "#9"


def test_a_repeated_answer_is_no_second_order_and_no_new_state() -> None:
    life = Life().submitted().accepted().canceled()
    life.told("OrderAccepted", 5, 0, flags=REPEATED)
    body = struct.pack("<QQqq", 7, 1007, 0, 100)
    life.emit("OrderSubmitted", body, flags=REPEATED)
    assert life.row()["state"] == "CANCELED"


def test_terms_are_those_after_the_last_replace() -> None:
    limit = Life().submitted(order_type=LIMIT, price=900).told("OrderReplaced", 950, 70).row()
    assert (limit["price"], limit["quantity"], limit["stop_price"]) == (Decimal("9.5"), 70, None)
    stop = Life().submitted(order_type=STOP, stop=800).told("OrderReplaced", 850, 100).row()
    assert (stop["price"], stop["stop_price"]) == (None, Decimal("8.5"))
    both = Life().submitted(order_type=STOP_LIMIT, price=900, stop=800).told("OrderReplaced", 950, 100).row()
    assert (both["price"], both["stop_price"]) == (Decimal("9.5"), Decimal("8"))


def test_an_order_sized_at_its_fill_shows_its_share_and_what_was_traded() -> None:
    life = Life()
    life.submit(7, BUY, 950_000_000, sizing=2)
    row = life.traded(-33, 0).row()  # a target below what is held: it sold
    assert (row["sizing"], row["size"], row["quantity"]) == ("TARGET_PERCENT", Decimal("0.95"), 33)
    assert (row["state"], row["side"]) == ("FILLED", "sell")


def test_orders_keep_the_order_in_which_they_were_submitted() -> None:
    life = Life()
    for order in (9, 3, 5):
        life.at(life.sequence + 1, life.time + 10)
        life.submit(order, SELL, 10)
    output = life.output()
    table = orders(output, booked_fills(output, (STOCK,)), (STOCK,), RULES)
    assert table["order_id"].to_list() == [9, 3, 5]
    assert table["side"].to_list() == ["sell"] * 3


def test_no_events_make_an_empty_table_of_the_same_columns() -> None:
    nothing = np.zeros(0, dtype=np.uint8)
    empty = orders(nothing, booked_fills(nothing, (STOCK,)), (STOCK,), RULES)
    life = Life().submitted().traded(100, 0).output()
    full = orders(life, booked_fills(life, (STOCK,)), (STOCK,), RULES)
    assert empty.schema == full.schema
    assert empty.height == 0
