"""What a report reads: the tables of one finished run.

The run's projections (or the Parquet files of its folder) fill them; nothing here looks at the engine.
Figures are floats because they are for people: no order and no balance is ever decided from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from openbell.model.errors import InputError

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["time", "float", "integer", "text", "flag", "identifier"]

_KIND_WORDS: dict[Kind, str] = {
    "time": "Datetime(ns, UTC)",
    "float": "Float64",
    "integer": "an integer type",
    "text": "String",
    "flag": "Boolean",
    "identifier": "an integer type or String",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One documented column: its name, its kind and whether a row may lack it (null)."""

    name: str
    kind: Kind
    nullable: bool = False


def _columns(text: str) -> tuple[Column, ...]:
    """Read 'name:kind' words; a '?' after the kind marks a nullable column."""
    parts = ([*word.rstrip("?").split(":"), word.endswith("?")] for word in text.split())
    return tuple(Column(name, kind, nullable) for name, kind, nullable in parts)  # type: ignore[arg-type]


COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "equity": _columns("time:time equity:float cash:float exposure_gross:float benchmark:float?"),
    "trades": _columns(
        "number:integer instrument:text side:text quantity:float entry_time:time entry_price:float "
        "exit_time:time? exit_price:float? profit_and_loss:float fees:float return:float? bars:integer? "
        "is_open:flag"
    ),
    "fills": _columns(
        "time:time instrument:text side:text quantity:float price:float fee:float liquidity:text "
        "order_id:identifier client_order_id:identifier? trade_id:identifier?"
    ),
    "orders": _columns(
        "order_id:identifier client_order_id:identifier? submitted_time:time instrument:text side:text "
        "order_type:text time_in_force:text quantity:float price:float? stop_price:float? state:text "
        "cumulative_quantity:float average_price:float? reason:text?"
    ),
    "bars": _columns("time:time open:float high:float low:float close:float volume:float"),
    "indicators": _columns("time:time"),
}
"""The documented columns of every table; more are allowed and ignored, and their order does not matter."""

_SIDES = {"trades": {"long", "short"}, "fills": {"buy", "sell"}, "orders": {"buy", "sell"}}


@dataclass(frozen=True)
class RunTables:
    """The tables of one run, checked on construction.

    equity      one row per valuation time, ascending: `time`, `equity`, `cash`, `exposure_gross` (sum of
                absolute notional) and `benchmark` (null where there is none), in `currency`. The first row
                is the starting equity.
    trades      round trips, `side` 'long' or 'short'. `profit_and_loss` is net of `fees`; `return` is
                profit_and_loss over the notional at entry; `bars` is how many bars it was held. An open one
                is valued at the last price and has no exit.
    fills       one side of one match each, `side` 'buy' or 'sell'; `fee` is positive where it was paid.
    orders      every order in its last state; `reason` is the rule that refused it.
    bars        per instrument; `time` is the bar's open time, strictly ascending.
    indicators  per instrument: `time` as the bars', and one Float64 column per indicator (null or NaN while
                it warms up).
    settings    what the run was made of. Known keys, shown in their own place: strategy, parameters,
                fee_model, fill_model, queue_model, latency_model, slippage_model, run_id, digest,
                output_hash, state_hash, versions. All others are listed as they are.
    currency    in which money is told, such as "USD".

    Raises InputError that names the table, the row (1-based) and the column that is missing, of another type,
    null, not finite or out of order.
    """

    equity: pl.DataFrame
    trades: pl.DataFrame
    fills: pl.DataFrame
    orders: pl.DataFrame
    bars: Mapping[str, pl.DataFrame]
    settings: Mapping[str, object]
    currency: str
    indicators: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("equity", "trades", "fills", "orders"):
            _check_frame(name, name, getattr(self, name))
        for group in ("bars", "indicators"):
            for instrument, frame in getattr(self, group).items():
                _check_frame(group, f"{group}[{instrument!r}]", frame)
        if self.equity.height == 0:
            raise InputError("no rows", source="table equity", expected="at least the starting equity")
        _check_indicators(self.bars, self.indicators)


def schema(table: str) -> dict[str, pl.DataType]:
    """Return the polars schema of a table, to build it (or an empty one) with: `pl.DataFrame(rows,
    schema=schema("trades"))`.
    """
    return {column.name: _polars_type(column.kind) for column in COLUMNS[table]}


def _polars_type(kind: Kind) -> pl.DataType:
    import polars as pl

    types: dict[Kind, pl.DataType] = {
        "time": pl.Datetime("ns", "UTC"),
        "float": pl.Float64(),
        "integer": pl.Int64(),
        "text": pl.String(),
        "flag": pl.Boolean(),
        "identifier": pl.String(),
    }
    return types[kind]


def _matches(kind: Kind, dtype: Any) -> bool:
    import polars as pl

    if kind == "integer":
        return bool(dtype.is_integer())
    if kind == "identifier":
        return bool(dtype.is_integer()) or dtype == pl.String
    return bool(dtype == _polars_type(kind))


def _check_frame(table: str, label: str, frame: pl.DataFrame) -> None:
    source = f"table {label}"
    for column in COLUMNS[table]:
        if column.name not in frame.columns:
            raise InputError(
                "column missing", source=source, field=column.name, expected=_KIND_WORDS[column.kind]
            )
        _check_column(column, source, frame[column.name])
    if table in _SIDES:
        _check_sides(source, frame["side"], _SIDES[table])
    if table in ("equity", "bars", "indicators"):
        _check_order(source, frame["time"], strict=table != "equity")


def _check_column(column: Column, source: str, values: pl.Series) -> None:
    if not _matches(column.kind, values.dtype) and not (
        column.nullable and values.null_count() == len(values)
    ):
        raise InputError(
            "column of another type",
            source=source,
            field=column.name,
            value=str(values.dtype),
            expected=_KIND_WORDS[column.kind],
        )
    if not column.nullable and values.null_count():
        row = int(values.is_null().arg_max() or 0) + 1
        raise InputError(
            "no value", source=source, row=row, field=column.name, expected=_KIND_WORDS[column.kind]
        )
    if column.kind == "float" and values.dtype.is_float():
        _check_finite(column.name, source, values)


def _check_finite(name: str, source: str, values: pl.Series) -> None:
    bad = ~values.is_finite().fill_null(True)
    if bad.any():
        row = int(bad.arg_max() or 0)
        raise InputError(
            "not a finite number",
            source=source,
            row=row + 1,
            field=name,
            value=values[row],
            expected="a finite number",
        )


def _check_sides(source: str, values: pl.Series, allowed: set[str]) -> None:
    bad = ~values.is_in(sorted(allowed))
    if bad.any():
        row = int(bad.arg_max() or 0)
        raise InputError(
            "unknown side",
            source=source,
            row=row + 1,
            field="side",
            value=values[row],
            expected=" or ".join(sorted(allowed)),
        )


def _check_order(source: str, times: pl.Series, *, strict: bool) -> None:
    steps = times.to_physical().diff()
    bad = ((steps <= 0) if strict else (steps < 0)).fill_null(False)
    if bad.any():
        row = int(bad.arg_max() or 0)
        wanted = "a later time than the row before" if strict else "no earlier time than the row before"
        raise InputError(
            "time out of order",
            source=source,
            row=row + 1,
            field="time",
            value=str(times[row]),
            expected=wanted,
        )


def _check_indicators(bars: Mapping[str, pl.DataFrame], indicators: Mapping[str, pl.DataFrame]) -> None:
    for instrument, frame in indicators.items():
        if instrument not in bars:
            raise InputError(
                "indicators of an instrument without bars", source="table indicators", value=instrument
            )
        for name in frame.columns:
            if name != "time" and not frame[name].dtype.is_float():
                raise InputError(
                    "column of another type",
                    source=f"table indicators[{instrument!r}]",
                    field=name,
                    value=str(frame[name].dtype),
                    expected="Float64",
                )
