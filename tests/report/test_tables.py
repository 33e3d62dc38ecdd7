"""RunTables refuses what a report could not be made of, and names the place."""

import polars as pl
import pytest

from openbell.model.errors import InputError
from openbell.report.tables import COLUMNS, RunTables, schema
from tests.report.run_tables import synthetic_tables


def replaced(**frames: object) -> RunTables:
    good = synthetic_tables(200, 10)
    values = {name: getattr(good, name) for name in RunTables.__dataclass_fields__}
    return RunTables(**{**values, **frames})


def failure(**frames: object) -> str:
    with pytest.raises(InputError) as caught:
        replaced(**frames)
    return str(caught.value)


GOOD = synthetic_tables(200, 10)


@pytest.mark.parametrize("table", ["equity", "trades", "fills", "orders"])
def test_a_missing_column_is_named(table: str) -> None:
    frame = getattr(GOOD, table)
    for column in COLUMNS[table]:
        text = failure(**{table: frame.drop(column.name)})
        assert f"table {table}" in text
        assert f"'{column.name}'" in text
        assert "missing" in text


def test_a_column_of_another_type_is_named_with_both_types() -> None:
    text = failure(trades=GOOD.trades.with_columns(pl.col("quantity").cast(pl.Int64)))
    assert "table trades, field 'quantity'" in text
    assert "Int64" in text
    assert "Float64" in text


def test_a_naive_time_is_refused() -> None:
    naive = GOOD.equity.with_columns(pl.col("time").dt.replace_time_zone(None))
    assert "expected Datetime(ns, UTC)" in failure(equity=naive)


def test_a_null_is_refused_with_its_row() -> None:
    cash = pl.when(pl.int_range(pl.len()) == 4).then(None).otherwise(pl.col("cash")).alias("cash")
    assert "table equity, row 5, field 'cash': no value" in failure(equity=GOOD.equity.with_columns(cash))


def test_a_not_finite_number_is_refused_with_its_row() -> None:
    equity = pl.when(pl.int_range(pl.len()) == 2).then(float("nan")).otherwise(pl.col("equity"))
    text = failure(equity=GOOD.equity.with_columns(equity.alias("equity")))
    assert "row 3, field 'equity': not a finite number, found nan" in text


def test_an_unknown_side_is_refused() -> None:
    text = failure(trades=GOOD.trades.with_columns(side=pl.lit("buy")))
    assert "row 1, field 'side': unknown side, found 'buy', expected long or short" in text


def test_bars_out_of_order_are_refused_with_their_instrument() -> None:
    backwards = {"BTCUSDT": GOOD.bars["BTCUSDT"].reverse()}
    assert "table bars['BTCUSDT'], row 2, field 'time': time out of order" in failure(bars=backwards)


def test_two_bars_of_one_time_are_refused_but_two_valuations_are_not() -> None:
    twice = pl.concat([GOOD.bars["BTCUSDT"].head(1), GOOD.bars["BTCUSDT"]])
    assert "time out of order" in failure(bars={"BTCUSDT": twice})
    replaced(equity=pl.concat([GOOD.equity.head(1), GOOD.equity]))


def test_no_equity_at_all_is_refused() -> None:
    assert "at least the starting equity" in failure(equity=GOOD.equity.clear())


def test_indicators_need_bars_and_numbers() -> None:
    line = GOOD.bars["BTCUSDT"].select("time", sma=pl.col("close"))
    assert "indicators of an instrument without bars" in failure(indicators={"OTHER": line})
    words = line.with_columns(sma=pl.lit("high"))
    assert "field 'sma'" in failure(indicators={"BTCUSDT": words})


def test_the_schema_builds_an_empty_table_that_is_accepted() -> None:
    empty = {table: pl.DataFrame(schema=schema(table)) for table in ("trades", "fills", "orders")}
    assert replaced(**empty).trades.height == 0


def test_order_ids_may_be_numbers_or_text() -> None:
    replaced(fills=GOOD.fills.with_columns(order_id=pl.lit(7, pl.UInt64)))
    assert "'order_id'" in failure(fills=GOOD.fills.with_columns(order_id=pl.lit(7.5)))
