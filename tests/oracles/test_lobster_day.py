"""A day of NASDAQ through our book: its fills maker by maker, its ten levels row by row, each difference counted.

`make lobster` prints the whole table; docs/oracles.md says what the causes mean.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openbell.kernel.order_book import COMMAND_DTYPE, AllocationPolicy, OrderBook, ReportKind
from tests.oracles.lobster import Day, read_day
from tests.oracles.lobster_day import ARCHIVE, Entries, Outcome, Play, entries_of

pytestmark = [pytest.mark.data, pytest.mark.slow]

# The day itself: what its file of messages holds.
MESSAGES = {
    "rows": 147_916,
    "SUBMITTED": 71_258,
    "DECREASED": 19,
    "DELETED": 64_961,
    "EXECUTED": 7_765,
    "EXECUTED_HIDDEN": 3_913,
}
# Rows in which the exchange itself passed over an order that was shown earlier at the same price.
OUT_OF_TURN = [69_772, 131_724, 131_726, 145_470]


@pytest.fixture(scope="module")
def day(real_data: Path) -> Day:
    return read_day(real_data / ARCHIVE)


@pytest.fixture(scope="module")
def entries(day: Day) -> Entries:
    return entries_of(day)


@pytest.fixture(scope="module")
def row_by_row(day: Day, entries: Entries) -> Outcome:
    return Play(day, entries).run()


def test_every_row_is_the_exchanges_or_differs_for_a_known_cause(row_by_row: Outcome) -> None:
    counts = row_by_row.counts
    assert row_by_row.unexplained == []
    assert {name: counts[name] for name in MESSAGES} == MESSAGES
    assert counts["sides equal"] == 289_553
    assert counts["sides that differ by levels from beyond the tenth"] == 6_279
    assert counts["sides equal"] + 6_279 == 2 * MESSAGES["rows"]


def test_every_visible_execution_finds_the_exchanges_maker_but_for_four_out_of_turn(
    row_by_row: Outcome,
) -> None:
    assert row_by_row.counts["fills as the exchange's"] == MESSAGES["EXECUTED"] - len(OUT_OF_TURN)
    assert [row for row, _, _ in row_by_row.out_of_turn] == OUT_OF_TURN
    for _, theirs, ours in row_by_row.out_of_turn:
        # LOBSTER's ids rise with time: ours, as it should, is the older order of the two.
        assert ours[0][0] < theirs[0][0] and ours[0][1:] == theirs[0][1:]


def test_an_aggressor_that_sweeps_fills_the_exchanges_makers_in_its_order(day: Day, entries: Entries) -> None:
    swept = Play(day, entries, whole_sweeps=True).run()
    assert swept.unexplained == []
    assert swept.counts["aggressors with more than one fill"] == 1_190
    assert swept.counts["fills as the exchange's"] + swept.counts["fills out of turn"] == MESSAGES["EXECUTED"]
    assert swept.counts["fills out of turn"] == 2
    # One sweep of five fills takes the same orders in another order: rows 131,724 to 131,728.
    reordered = [row for row, theirs, ours in swept.out_of_turn if set(theirs) == set(ours)]
    assert reordered == [131_724]


def test_one_batch_of_all_commands_leaves_the_same_fills_and_the_same_book(row_by_row: Outcome) -> None:
    book = OrderBook()
    reports = book.submit_batch(np.array(row_by_row.commands, dtype=COMMAND_DTYPE))
    trades = reports[reports["kind"] == ReportKind.TRADED]
    fills = list(
        zip(
            trades["maker_order_id"].tolist(),
            trades["price"].tolist(),
            trades["quantity"].tolist(),
            strict=True,
        )
    )
    assert fills == row_by_row.fills
    assert book.state_hash == row_by_row.book.state_hash


def test_a_book_that_shares_a_level_otherwise_is_found_out(day: Day, entries: Entries) -> None:
    shared = Play(day, entries, policy=AllocationPolicy(pro_rata_minimum=1)).run()
    assert len(shared.out_of_turn) + len(shared.unexplained) > 500
