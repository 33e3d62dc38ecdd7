"""Round trips against a naive twin that books fill by fill with Python's integers."""

import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbell.model.instrument import Instrument
from openbell.model.quantities import EXACT
from openbell.projections.fills import booked_fills, fills
from openbell.projections.positions import positions
from openbell.projections.trades import trades
from tests.projections.event_slots import BAR_NS, SELL, Ledger, half_even, notional

STOCK = Instrument("GOOG", tick="0.01")
COIN = Instrument("BTCUSDT", "USDT", tick="0.1", lot="0.001")
ODD = Instrument("ODD", tick="0.000000003", lot="0.000000007", multiplier="0.3")
INSTRUMENTS = (STOCK, COIN, ODD)

Step = tuple[int, int, int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 3]),
        st.integers(-50, 50).filter(bool) | st.integers(-(10**12), 10**12).filter(bool),
        st.integers(1, 10**9),
        st.integers(-1000, 10**9),
    ),
    max_size=40,
)


def ledger_of(moves: list[Step]) -> Ledger:
    ledger = Ledger(INSTRUMENTS)
    for number, (instrument, traded, price, fee) in enumerate(moves, 1):
        ledger.at(number, number * BAR_NS)
        ledger.fill(number, traded, price, fee=fee, instrument=instrument, trade=number)
    return ledger


def nano(value: Decimal) -> int:
    return int(value.scaleb(9, EXACT))


@given(steps)
def test_every_trade_is_that_of_the_naive_twin_to_the_last_nano(moves: list[Step]) -> None:
    ledger = ledger_of(moves)
    marks = [1234, None, 77]
    table = trades(booked_fills(ledger.output(), INSTRUMENTS), marks)
    assert table["number"].to_list() == list(range(1, len(ledger.trips) + 1))
    for row, trip in zip(table.iter_rows(named=True), ledger.trips, strict=True):
        at = [one.symbol for one in INSTRUMENTS].index(trip.symbol)
        instrument, mark = INSTRUMENTS[at], marks[at]
        profit = trip.realized - trip.fees
        if trip.is_open and mark is not None:
            position = ledger.positions[at + 1]
            profit += notional(instrument, mark, position.quantity) - position.cost
        entered = sum(quantity for _, quantity in trip.entries)
        assert row["instrument"] == trip.symbol
        assert row["side"] == ("long" if trip.is_long else "short")
        assert row["is_open"] == trip.is_open
        assert nano(row["profit_and_loss"]) == profit
        assert nano(row["fees"]) == trip.fees
        assert row["quantity"] == entered * instrument.quantity_unit
        assert nano(row["entry_price"]) == average(instrument, trip.entries)
        assert row["entry_time"].timestamp() * 10**9 == trip.entry_time
        assert (row["exit_time"] is None) == (row["exit_price"] is None) == trip.is_open
        if not trip.is_open:
            assert nano(row["exit_price"]) == average(instrument, trip.exits)
            assert row["exit_time"].timestamp() * 10**9 == trip.exit_time


def average(instrument: Instrument, legs: list[tuple[int, int]]) -> int:
    value = Fraction(sum(price * quantity for price, quantity in legs), sum(quantity for _, quantity in legs))
    return half_even(value * instrument.price_unit_nano)


@given(steps)
def test_fills_show_what_each_one_realized_and_left(moves: list[Step]) -> None:
    ledger = ledger_of(moves)
    booked = booked_fills(ledger.output(), INSTRUMENTS)
    table = fills(booked)
    assert [nano(value) for value in table["realized"]] == ledger.realized
    assert table["side"].to_list() == ["buy" if traded > 0 else "sell" for _, traded, _, _ in moves]
    for row, (instrument, traded, price, fee) in zip(table.iter_rows(named=True), moves, strict=True):
        traded_in = INSTRUMENTS[instrument - 1]
        assert (row["price"], row["quantity"]) == (traded_in.price(price), traded_in.quantity(abs(traded)))
        assert nano(row["fee"]) == fee
        assert nano(row["notional"]) == abs(notional(traded_in, price, traded))
    last = positions(booked).group_by("instrument").last()
    for row in last.iter_rows(named=True):
        at = [one.symbol for one in INSTRUMENTS].index(row["instrument"]) + 1
        assert row["quantity"] == ledger.positions[at].quantity * INSTRUMENTS[at - 1].quantity_unit
        assert nano(row["cost"]) == ledger.positions[at].cost


@given(steps)
def test_cash_paid_and_costs_and_profits_agree(moves: list[Step]) -> None:
    """Nothing is made from nothing: what trades realized is the cash that came in plus the cost still held."""
    ledger = ledger_of(moves)
    booked = booked_fills(ledger.output(), INSTRUMENTS)
    table = trades(booked, [None] * 3)
    paid = sum(notional(INSTRUMENTS[at - 1], price, traded) for at, traded, price, _ in moves)
    held = sum(position.cost for position in ledger.positions.values())
    fees = sum(fee for *_, fee in moves)
    assert sum(nano(value) for value in table["profit_and_loss"]) == held - paid - fees


def test_a_flip_closes_one_trade_and_opens_the_next_at_that_price() -> None:
    ledger = ledger_of([(1, 100, 1000, 50), (1, -300, 1100, 90), (1, 200, 1000, 60)])
    table = trades(booked_fills(ledger.output(), INSTRUMENTS), [None] * 3)
    assert table["side"].to_list() == ["long", "short"]
    assert table["entry_price"].to_list() == [Decimal("10"), Decimal("11")]
    assert table["exit_price"].to_list() == [Decimal("11"), Decimal("10")]
    assert table["quantity"].to_list() == [Decimal(100), Decimal(200)]
    assert [nano(fee) for fee in table["fees"]] == [50 + 30, 60 + 60]
    assert [nano(value) for value in table["profit_and_loss"]] == [100 * 10**9 - 80, 200 * 10**9 - 120]
    assert table["return"].to_list() == pytest.approx(
        [(100 - 80e-9) / 1000, (200 - 120e-9) / 2200], rel=1e-15
    )


def test_scaling_in_and_out_is_one_trade_at_average_prices() -> None:
    ledger = ledger_of([(1, 100, 1000, 0), (1, 50, 1300, 0), (1, -60, 1200, 0), (1, -90, 1400, 0)])
    (row,) = trades(booked_fills(ledger.output(), INSTRUMENTS), [None] * 3).iter_rows(named=True)
    assert row["entry_price"] == Decimal("11")
    assert row["exit_price"] == Decimal("13.2")
    assert row["quantity"] == 150
    assert row["profit_and_loss"] == Decimal("330")


def test_an_open_trade_is_valued_at_the_last_mark() -> None:
    ledger = ledger_of([(1, 100, 1000, 10**9)])
    booked = booked_fills(ledger.output(), INSTRUMENTS)
    assert trades(booked, [1050, None, None])["profit_and_loss"].to_list() == [Decimal(49)]
    assert trades(booked, [None, None, None])["profit_and_loss"].to_list() == [Decimal(-1)]


def test_bars_held_count_from_the_bar_of_the_entry_to_that_of_the_exit() -> None:
    ledger = Ledger(INSTRUMENTS)
    closes = np.arange(1, 11, dtype=np.int64) * BAR_NS
    for bar, traded, venue_time in [(2, 10, closes[0]), (5, -10, closes[4]), (6, 10, closes[4])]:
        ledger.at(bar, bar * BAR_NS)  # recorded when the bar closes; filled at its open, or within it
        ledger.fill(bar, traded, 1000, venue_time=int(venue_time))
    table = trades(booked_fills(ledger.output(), INSTRUMENTS), [None] * 3, {"GOOG": closes})
    assert table["bars"].to_list() == [3, 4]
    assert trades(booked_fills(ledger.output(), INSTRUMENTS), [None] * 3)["bars"].to_list() == [None, None]


def test_no_fills_make_empty_tables_of_the_same_columns() -> None:
    empty = booked_fills(np.zeros(0, dtype=np.uint8), INSTRUMENTS)
    full = booked_fills(ledger_of([(1, 1, 1, 1)]).output(), INSTRUMENTS)
    for table in (fills, positions, lambda booked: trades(booked, [None] * 3)):
        assert table(empty).schema == table(full).schema
        assert table(empty).height == 0


def test_a_million_events_fold_in_seconds() -> None:
    count = 170_000  # fills; five slots each and their AccountChanged: a million slots
    one = ledger_of([(1, 7, 1000, 3), (1, -7, 1010, 3)])
    pair = one.output().reshape(-1, 64)
    slots = np.tile(pair, (count // 2, 1))
    words = slots.view("<u8")
    words[:, 0] = np.repeat(np.arange(count), len(pair) // 2)
    words[:, 1] = words[:, 0] * BAR_NS
    started = time.perf_counter()
    booked = booked_fills(slots.reshape(-1), INSTRUMENTS)
    table = trades(booked, [None] * 3)
    elapsed = time.perf_counter() - started
    assert table.height == count // 2
    assert table["profit_and_loss"].unique().to_list() == [Decimal("0.699999994")]
    assert fills(booked).height == count
    assert elapsed < 20, "a fold of columns, not of rows"  # a loop over rows takes minutes
    assert slots.shape[0] == len(pair) * count // 2


def test_sells_are_flagged_in_the_head() -> None:
    ledger = ledger_of([(2, -5, 100, 0)])
    assert pl.Series(np.frombuffer(ledger.slots[0], "<u2")[10:11]).to_list() == [SELL]
