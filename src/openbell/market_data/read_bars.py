"""`read_bars`: bars from wherever users have them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args

from openbell.market_data import csv_bars, frame_bars
from openbell.market_data.bar_columns import ColumnChoice, checked_choice
from openbell.market_data.bar_rows import Adjust, BarRows, ReadOptions, rows_of
from openbell.market_data.bar_series import series_of
from openbell.market_data.bar_table import BarTable
from openbell.market_data.bar_times import checked_timezone
from openbell.market_data.bars import Bars, InputFile
from openbell.model.errors import ConfigError, InputError
from openbell.model.instrument import Instrument
from openbell.model.quantities import Number, exact_decimal

_FRAME_SYMBOL = "FRAME"
_ENDINGS = (".gz", ".zst", ".zip", ".csv", ".txt", ".tsv", ".parquet", ".pq")

BarSource = Any
"""A path, a list of paths, a mapping of symbols to either or to frames, a pandas or polars frame, rows of numbers, or Bars."""


def read_bars(
    source: BarSource,
    *,
    symbol: str | None = None,
    instrument: Instrument | Mapping[str, Instrument] | None = None,
    timezone: str | None = None,
    bar_time: Literal["open", "close"] | None = None,
    columns: ColumnChoice = None,
    adjust: Adjust = "auto",
    price_scale: Number = 1,
    start: Any = None,
    end: Any = None,
    lenient: bool = False,
) -> Bars:
    """Read bars of open, high, low, close and volume, check every row and count them in integers, exactly.

    source: a path (CSV or Parquet; CSV also as gzip, zstd or zip), several paths that follow each other in time, a
        mapping of symbols to any of these, a pandas or polars frame, rows of numbers as ccxt returns them, or Bars. A table
        with a column of symbols gives one series for each. Columns are found under the names users have them.
    symbol: the name of the instrument, or which one to take from a table of several. Otherwise the name of the file.
    instrument: units and rules of the instrument (a mapping for several). A price off its declared tick is an error. Without
        one it is inferred: tick = finest decimal seen, lot 1 (or the finest decimal of a fractional volume), and noted.
    timezone: zone of times that carry none; clock-change hours are refused. Plain dates are midnight there, else UTC.
    bar_time: whether a row's time is the bar's open or its close. Not given means open, and is noted.
    columns: {"close": "Px_Last"} where a name is not found; a list naming every column where there is no header.
    adjust: "auto" back-adjusts prices by Adj Close / Close where that column is; "back" requires it; "none" ignores it.
    price_scale: a power of ten the prices are multiplied by: "0.0001" for files in ten-thousandths.
    start, end: keep bars with start <= open time < end.
    lenient: leave bad rows out and count them (`skipped`, `notes`) instead of raising at the first.

    Raises InputError naming file, row, field, what was found and what was expected; ConfigError for an impossible argument.
    """
    if isinstance(source, Bars):
        return source.slice(start, end, timezone) if start is not None or end is not None else source
    options = _options(symbol, timezone, bar_time, columns, adjust, price_scale, lenient)
    options = replace(options, below_zero=_below_zero(instrument))
    blocks: dict[str, list[BarRows]] = {}
    for table in _tables(source, _label(symbol, instrument), options):
        for block in rows_of(table, options):
            blocks.setdefault(block.symbol, []).append(block)
    declared = _declared(instrument, list(blocks))
    bars = Bars(series_of(part, declared.get(name), options) for name, part in blocks.items())
    return bars if start is None and end is None else bars.slice(start, end, timezone)


def _options(
    symbol: str | None,
    timezone: str | None,
    bar_time: Literal["open", "close"] | None,
    columns: ColumnChoice,
    adjust: Adjust,
    price_scale: Number,
    lenient: bool,
) -> ReadOptions:
    if bar_time not in (None, "open", "close"):
        raise ConfigError(f"bar_time={bar_time!r}, expected 'open' or 'close'")
    if adjust not in get_args(Adjust):
        raise ConfigError(f"adjust={adjust!r}, expected 'auto', 'none' or 'back'")
    fields, names = checked_choice(columns)
    return ReadOptions(
        symbol,
        checked_timezone(timezone),
        bar_time,
        fields,
        names,
        adjust,
        _power_of_ten(price_scale),
        lenient,
    )


def _power_of_ten(scale: Number) -> int:
    number = exact_decimal(scale)
    exponent = number.normalize().as_tuple().exponent
    if not isinstance(exponent, int) or number != Decimal(1).scaleb(exponent) or abs(exponent) > 18:
        raise ConfigError(f"price_scale={scale!r}, expected a power of ten such as '0.0001'")
    return exponent


def _below_zero(instrument: Instrument | Mapping[str, Instrument] | None) -> frozenset[str]:
    declared = {instrument.symbol: instrument} if isinstance(instrument, Instrument) else instrument or {}
    return frozenset(symbol for symbol, one in declared.items() if one.negative_prices)


def _label(symbol: str | None, instrument: object) -> str | None:
    return symbol or (instrument.symbol if isinstance(instrument, Instrument) else None)


def _tables(source: BarSource, label: str | None, options: ReadOptions) -> Iterator[BarTable]:
    """The tables of a source, in its order."""
    if isinstance(source, Mapping):
        for name, part in source.items():
            for table in _tables(part, str(name), options):
                table.symbol, table.named = str(name), True
                yield table
    elif isinstance(source, (str, os.PathLike)):
        yield _file(Path(source), label, options)
    elif frame_bars.is_frame(source):
        yield from frame_bars.read_frame(source, label or _FRAME_SYMBOL)
    elif isinstance(source, Sequence) and not isinstance(source, (bytes, bytearray)):
        yield from _several(source, label, options)
    else:
        raise InputError(
            "not a source of bars",
            value=type(source).__name__,
            expected="a path, paths, a frame, or a mapping of symbols to them",
        )


def _several(source: Sequence[Any], label: str | None, options: ReadOptions) -> Iterator[BarTable]:
    if not source:
        raise InputError("an empty list of sources", expected="at least one path")
    common = label
    for part in source:
        for table in _tables(part, common, options):
            # Several files without a name of their own are one symbol: that of the first.
            common = common or table.symbol
            yield table


def _file(path: Path, label: str | None, options: ReadOptions) -> BarTable:
    data = _bytes(path)
    name = str(path)
    symbol = label or _symbol_of(path)
    digest = hashlib.sha256(data).hexdigest()
    if path.suffix.lower() in (".parquet", ".pq") or data[:4] == b"PAR1":
        return frame_bars.read_parquet(
            data, name, InputFile(name, digest, frame_bars.PARQUET_DECODER), symbol
        )
    return csv_bars.read_csv(data, name, InputFile(name, digest, csv_bars.DECODER), symbol, options.lenient)


def _symbol_of(path: Path) -> str:
    name = path.name
    while name.lower().endswith(_ENDINGS):
        name = name[: name.rindex(".")]
    return name.strip() or "BARS"


def _bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError("is a directory", source=path, expected=f"a file; it holds {_listing(path)}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError("no such file", source=path, expected=_closest(path)) from error
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", source=path) from error


def _listing(path: Path) -> str:
    names = sorted(entry.name for entry in path.iterdir())
    return (
        ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        if names
        else "nothing"
    )


def _closest(path: Path) -> str:
    """Name what may have been meant: alike names in the same directory, or the directory that is missing."""
    import difflib

    try:
        names = sorted(entry.name for entry in path.parent.iterdir())
    except OSError:
        return f"the directory {path.parent} to exist"
    alike = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    return f"one such as {', '.join(alike)}" if alike else "a path to a file of bars"


def _declared(
    instrument: Instrument | Mapping[str, Instrument] | None, symbols: list[str]
) -> dict[str, Instrument]:
    if instrument is None:
        return {}
    if isinstance(instrument, Mapping):
        strange = [name for name in instrument if name not in symbols]
        if strange:
            raise ConfigError(f"instrument= declares {strange[0]!r}, but the data holds {', '.join(symbols)}")
        return dict(instrument)
    if symbols != [instrument.symbol]:
        held = ", ".join(symbols)
        raise ConfigError(
            f"instrument= declares {instrument.symbol!r}, but the data holds {held}; declare several as a mapping"
        )
    return {instrument.symbol: instrument}
