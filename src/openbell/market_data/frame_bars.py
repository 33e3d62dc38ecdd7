"""Frames and Parquet files as tables: polars, pandas (never imported here) and rows as ccxt returns them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from openbell.market_data.bar_table import BarTable, numbered
from openbell.market_data.bars import InputFile
from openbell.model.errors import InputError

if TYPE_CHECKING:
    import polars as pl

FRAME = "<frame>"
PARQUET_DECODER = "parquet-1"
FRAME_DECODER = "frame-1"
_PRICES = {"open", "high", "low", "close"}


def read_parquet(data: bytes, source: str, input_file: InputFile, symbol: str) -> BarTable:
    """Return the table of a Parquet file. Raises InputError where it is damaged or ends early, as far as that can be seen.

    Most writers, polars among them, put no checksums into their pages: a bit that flips inside a figure is another figure. One
    that flips inside a length may ask for more memory than there is, which ends the process (once in 12,868 flips tried).
    """
    import polars as pl

    if len(data) < 12 or data[-4:] != b"PAR1":
        raise InputError(
            "Parquet file ends early: its last four bytes are not PAR1",
            source=source,
            expected="a complete file",
        )
    return _from_file(pl.read_parquet, data, source, input_file, symbol, "Parquet")


def _from_file(
    reader: Any, data: bytes, source: str, input_file: InputFile, symbol: str, kind: str
) -> BarTable:
    import polars as pl

    try:
        frame: pl.DataFrame = reader(io.BytesIO(data))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        # Polars panics on some damage; that exception is no ordinary one and would pass by every handler.
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{kind} file is damaged ({first_line})", source=source, expected="a complete file"
        ) from error
    return BarTable(numbered(frame), tuple(frame.columns), source, input_file, symbol)


def is_frame(source: object) -> bool:
    """True for a pandas or polars frame, and for rows of numbers."""
    module = type(source).__module__.partition(".")[0]
    return module in ("pandas", "polars") or _is_rows(source)


def _is_rows(source: object) -> bool:
    return (
        isinstance(source, Sequence)
        and not isinstance(source, (str, bytes))
        and bool(source)
        and isinstance(source[0], (list, tuple))
    )


def read_frame(source: Any, symbol: str) -> list[BarTable]:
    """Return the tables in a frame: one, or one for each ticker of yfinance's two-level columns."""
    import polars as pl

    if isinstance(source, pl.LazyFrame):
        source = source.collect()
    if isinstance(source, pl.DataFrame):
        return [BarTable(numbered(source), tuple(source.columns), FRAME, None, symbol)]
    if _is_rows(source):
        return [_from_rows(source, symbol)]
    if not hasattr(source, "columns") or not hasattr(source, "index"):
        raise InputError("not a frame", value=type(source).__name__, expected="a pandas or polars DataFrame")
    return _from_pandas(source, symbol)


def _from_rows(rows: Sequence[Sequence[Any]], symbol: str) -> BarTable:
    import polars as pl

    width = len(rows[0])
    for number, row in enumerate(rows):
        if not isinstance(row, (list, tuple)) or len(row) != width:
            raise InputError(
                "wrong number of fields",
                source="<rows>",
                row=number + 1,
                value=repr(row)[:80],
                expected=f"{width} fields",
            )
    columns = [pl.Series(f"c{i}", [row[i] for row in rows], strict=False) for i in range(width)]
    return BarTable(pl.DataFrame(columns), None, "<rows>", None, symbol)


def _from_pandas(frame: Any, symbol: str) -> list[BarTable]:
    if getattr(frame.columns, "nlevels", 1) == 1:
        return [_pandas_table(frame, symbol, named=False)]
    if frame.columns.nlevels > 2:
        raise InputError(
            "columns have more than two levels",
            source=FRAME,
            value=frame.columns.nlevels,
            expected="names, or names and tickers",
        )
    # yfinance puts the ticker below the name, or above it with group_by="ticker".
    above = _PRICES & {str(name).lower() for name in frame.columns.get_level_values(0)}
    level = 1 if above else 0
    tickers = list(dict.fromkeys(frame.columns.get_level_values(level)))
    return [
        _ticker_table(frame.xs(ticker, axis=1, level=level), str(ticker) or symbol, len(tickers) > 1)
        for ticker in tickers
    ]


def _ticker_table(part: Any, ticker: str, aligned: bool) -> BarTable:
    whole = part.dropna(how="all") if aligned else part
    table = _pandas_table(whole, ticker, named=True)
    if len(whole) < len(part):
        # Tickers of one download share an index: a row of nothing means only that another ticker traded.
        table.notes.append(
            f"{len(part) - len(whole)} rows with no value at all left out (the frame aligns several tickers)"
        )
    return table


def _pandas_table(frame: Any, symbol: str, named: bool) -> BarTable:
    import polars as pl

    names: list[str] = []
    columns: list[Any] = []
    for number in range(frame.index.nlevels):
        level = frame.index.get_level_values(number)
        if level.name is not None or getattr(level.dtype, "kind", "O") == "M" or _holds_times(level):
            names.append("index" if level.name is None else str(level.name))
            columns.append(level.to_series())
    for number in range(frame.shape[1]):
        names.append(str(frame.columns[number]))
        columns.append(frame.iloc[:, number])
    unnamed = list(frame.columns) == list(range(frame.shape[1])) and len(columns) == frame.shape[1]
    series = [_pandas_series(column, f"c{i}") for i, column in enumerate(columns)]
    return BarTable(pl.DataFrame(series), None if unnamed else tuple(names), FRAME, None, symbol, named)


def _holds_times(index: Any) -> bool:
    return (
        len(index) > 0
        and not isinstance(index[0], (int, float))
        and getattr(index.dtype, "kind", "O") not in "iufb"
    )


def _pandas_series(column: Any, name: str) -> pl.Series:
    import polars as pl

    if getattr(column.dtype, "tz", None) is not None:
        wall = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")
        return pl.Series(name, wall).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
    if getattr(column.dtype, "kind", "O") in "iufb" and hasattr(column, "isna") and not column.isna().any():
        return pl.Series(name, column.to_numpy(dtype=getattr(column.dtype, "numpy_dtype", column.dtype)))
    if getattr(column.dtype, "kind", "O") == "M":
        return pl.Series(name, column.to_numpy(dtype="datetime64[ns]"))
    values = [
        None if missing else value
        for value, missing in zip(column.tolist(), column.isna().tolist(), strict=True)
    ]
    return _mixed_series(name, values)


def _mixed_series(name: str, values: list[Any]) -> pl.Series:
    import polars as pl

    try:
        return pl.Series(name, values)
    except (TypeError, ValueError, pl.exceptions.PolarsError):
        # Cells of several types in one column: as text each keeps what it shows, and the checks name the ones that are wrong.
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
