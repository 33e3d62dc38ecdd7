"""What crosses the border as arrays: taken when it is what it should be, refused in words when it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbell.kernel import BAR_DTYPE, OUTBOX_DTYPE, VALUATION_DTYPE, InputExpansion, Node, RequestKind
from openbell.messages.layouts import as_slots, dtype_of, records, select, wide
from openbell.model.errors import EngineStopped, InputError, OpenbellError
from tests.kernel.door_nodes import (
    BUY,
    CASH_NANO,
    GTC,
    LIMIT,
    MARKET,
    REMOTE,
    SELL,
    Trader,
    bar_slots,
    hooks,
    new_node,
)


def shifted(slots: np.ndarray, by: int) -> np.ndarray:
    room = np.zeros(len(slots) + by, np.uint8)
    room[by:] = slots
    return room[by:]


GOOD = bar_slots(4)
UNFIT: dict[str, tuple[Any, str]] = {
    "signed bytes": (GOOD.view(np.int8), "ndarray of int8"),
    "words": (GOOD.view(np.uint64), "ndarray of uint64"),
    "floats": (np.zeros(64), "ndarray of float64"),
    "objects": (np.zeros(64, object), "ndarray of object"),
    "rows": (GOOD.reshape(-1, 64), "shape (8, 64)"),
    "no dimension": (np.array(0, np.uint8), "shape ()"),
    "every second byte": (np.zeros(256, np.uint8)[::2], "numpy.ascontiguousarray"),
    "backwards": (GOOD[::-1], "numpy.ascontiguousarray"),
    "half a slot": (GOOD[:96], "96 bytes, expected whole 64-byte slots"),
    "an odd address": (shifted(GOOD, 3), "slots.copy()"),
    "rows of another size": (np.zeros(4, np.dtype([("a", "<u8"), ("b", "<u8")])), "64 bytes a slot"),
    "bytes": (GOOD.tobytes(), "found bytes"),
    "a list": (GOOD.tolist(), "found list"),
    "a number": (5, "found int"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_an_array_of_another_kind_is_refused_and_said_what_it_is(name: str) -> None:
    value, found = UNFIT[name]
    node = new_node()
    with pytest.raises(InputError, match=r"field 'slots': found .*, expected ") as caught:
        node.run(value, 0, [])
    assert found in str(caught.value)
    with pytest.raises(InputError, match="field 'slots'"):
        InputExpansion().expand(value)
    node.run(GOOD, 0, [])  # nothing was taken of the bad one, and nothing broke
    assert node.mark(1) is not None


@pytest.mark.parametrize(
    "slots",
    [GOOD, GOOD.view(dtype_of("BarObserved")), np.frombuffer(GOOD.tobytes(), np.uint8), shifted(GOOD, 8)],
    ids=["bytes", "structured rows", "read-only", "an address that is a multiple of 8"],
)
def test_slots_are_taken_as_bytes_and_as_rows(slots: Any) -> None:
    node = new_node()
    seen: list[Any] = []
    node.run(slots, 0, [hooks(on_bar=seen.append)])
    assert [bar.close for bar in seen] == (GOOD.view(dtype_of("BarObserved"))["close"] / 100).tolist()


@pytest.mark.parametrize("nothing", [None, np.zeros(0, np.uint8), GOOD[:0], records("BarObserved", 0)])
def test_an_empty_run_takes_up_the_commands_that_wait(nothing: Any) -> None:
    node = new_node()
    node.run(nothing, None, [])
    assert node.cash(1) == CASH_NANO


ARRAYS = st.builds(
    lambda kind, data: np.frombuffer(data[: len(data) // kind.itemsize * kind.itemsize], kind),
    st.sampled_from([np.dtype(name) for name in ("u1", "i1", "<u2", "<u8", "<f8", "S3", "?")]),
    st.binary(max_size=1_024),
)


@given(ARRAYS, st.sampled_from(["run", "replay", "rerun"]))
def test_no_array_harms_the_node_more_than_an_error_says(array: np.ndarray, mode: Any) -> None:
    node = Node(mode=mode)
    try:
        node.run(array, 0, [])
    except OpenbellError:
        assert node.take_output().dtype == np.uint8
    else:
        assert array.size == 0


@given(
    st.lists(st.tuples(st.integers(0, 639), st.integers(0, 255)), min_size=1, max_size=8),
    st.sampled_from(["run", "replay"]),
)
def test_records_with_changed_bytes_are_applied_or_refused_and_never_crash(
    changes: list[tuple[int, int]], mode: Any
) -> None:
    slots = bar_slots(5)
    for place, value in changes:
        slots[place] = value
    node = new_node()
    if mode == "replay":
        slots.view(dtype_of("BarObserved"))["sequence"] += np.arange(1, 6, dtype=np.uint64)
        node = Node(mode="replay")
    try:
        node.run(slots, 0, [hooks(on_bar=lambda bar: None)])
    except OpenbellError:
        with pytest.raises(EngineStopped):
            node.run(None, None, [])
    else:
        assert node.sequence > 0


def test_bad_input_names_the_slot_and_what_was_expected() -> None:
    unsorted = bar_slots(3)
    unsorted.view(dtype_of("BarObserved"))["time"][2] = 5
    node = new_node()
    with pytest.raises(InputError, match=r"input slot 4: time 5 .* in time order"):
        node.run(unsorted, 0, [])
    commands = as_slots(records("DepositCash", 1))
    with pytest.raises(InputError, match="input slot 0: DepositCash is neither an observation nor an order"):
        new_node().run(commands, 0, [])


def test_after_bad_input_the_node_can_be_read_but_not_moved() -> None:
    node = new_node()
    node.run(bar_slots(3), 0, [])
    with pytest.raises(InputError):
        node.run(bar_slots(1), 0, [])  # earlier than what was seen
    for move in (
        lambda: node.run(None, None, []),
        lambda: node.advance_clock(1),
        node.end_run,
        node.commit,
        node.close,
        node.snapshot,
        lambda: node.cancel_all_orders(0, 1),
        lambda: node.deposit_cash(1, 1, 1),
    ):
        with pytest.raises(EngineStopped, match="the engine has stopped and does nothing more: input slot 0"):
            move()
    assert node.cash(1) == CASH_NANO
    assert node.mark(1) is not None
    assert len(node.take_output()) % 64 == 0


def test_valuations_are_rows_whose_halves_join_to_the_account_s_figures() -> None:
    node = new_node(valuation_interval_ns=0)
    trader = Trader(node)
    node.run(bar_slots(57), 0, [trader.hooks()])
    rows = node.take_valuations()
    assert rows.dtype == VALUATION_DTYPE
    assert rows["time"].tolist() == bar_slots(57).view(dtype_of("BarObserved"))["time"].tolist()
    assert set(rows["account"].tolist()) == {1}
    last = {
        name: wide(rows[f"{name}_low"], rows[f"{name}_high"])[-1]
        for name in ("cash", "equity", "gross", "net")
    }
    quantity = node.position(1, 1)[0]
    value = quantity * (node.mark(1) or 0) * 10_000_000
    assert last == {"cash": node.cash(1), "equity": node.equity(1), "gross": abs(value), "net": value}
    assert quantity != 0
    assert len(node.take_valuations()) == 0


def test_negative_figures_keep_their_sign_in_two_halves() -> None:
    node = new_node(valuation_interval_ns=0)
    node.run(bar_slots(1), 0, [])
    node.submit_order(0, 1, 1, 1, SELL, MARKET, GTC, 7)
    node.run(bar_slots(3, first=1), 0, [])
    net = node.take_valuations()[-1]
    assert (int(net["net_high"]) << 64) | int(net["net_low"]) == -7 * (node.mark(1) or 0) * 10_000_000


def test_closed_bars_come_as_rows_oldest_first() -> None:
    node = new_node(wants=0)
    node.register_participant(2, 1, history=10)
    node.subscribe(2, 0, 1)
    node.run(bar_slots(25), 0, [])
    fed = bar_slots(25).view(dtype_of("BarObserved"))
    rows = node.bars(2, 1, 0, 4)
    assert rows is not None
    assert rows.dtype == BAR_DTYPE
    assert rows["close"].tolist() == (fed["close"][-4:] / 100).tolist()
    assert rows["open_time"].tolist() == fed["open_time"][-4:].tolist()
    everything = node.bars(2, 1, 0, 1_000)
    assert everything is not None
    assert len(everything) == 10
    assert node.bars(2, 1, 5 * 60_000_000_000, 4) is None
    assert node.bars(2, 9, 0, 4) is None
    assert node.bars(9, 1, 0, 4) is None


def test_requests_to_a_remote_venue_leave_as_rows_once_and_only_when_durable() -> None:
    node = new_node(venue=REMOTE)
    node.run(bar_slots(2), 0, [])  # a mark, without which the risk gate refuses
    node.submit_order(0, 1, 1, 77, BUY, LIMIT, GTC, 5, price=9_990, options=1)
    node.run(None, None, [])
    rows = node.take_outbox()
    assert rows.dtype == OUTBOX_DTYPE
    (row,) = rows
    assert row["kind"] == RequestKind.SUBMIT
    order = node.order(1, 77)
    assert order is not None
    asked = {
        name: int(row[name])
        for name in ("order_id", "client_order_id", "price", "quantity", "side", "options")
    }
    assert asked == {
        "order_id": order.order_id,
        "client_order_id": 77,
        "price": 9_990,
        "quantity": 5,
        "side": BUY,
        "options": 1,
    }
    assert (row["order_type"], row["time_in_force"], row["instrument"], row["account"]) == (LIMIT, GTC, 1, 1)
    assert len(node.take_outbox()) == 0
    accepted = records("VenueOrderAccepted", 1)
    accepted["time"], accepted["order_id"], accepted["venue_order_id"] = node.time, order.order_id, 4711
    node.run(as_slots(accepted), None, [])
    node.cancel_order(0, 1, 77)
    node.run(None, None, [])
    (row,) = node.take_outbox()
    assert (row["kind"], row["order_id"]) == (RequestKind.CANCEL, order.order_id)
    assert node.order(1, 77).venue_order_id == 4711  # type: ignore[union-attr]


def test_the_output_is_the_events_and_is_handed_out_once() -> None:
    node = new_node()
    trader = Trader(node)
    node.run(bar_slots(40), 0, [trader.hooks()])
    output = node.take_output()
    fills = select(output, "OrderFilled")
    assert len(fills) == len(trader.fills) > 3
    assert [fill.price_units for fill in trader.fills] == fills["last_price"].tolist()
    assert len(node.take_output()) == 0
