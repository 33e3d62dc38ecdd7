"""Checked rows: a table understood, its bad rows refused or left out, one block for each symbol."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from openbell.market_data.bar_columns import find_columns, positional_names
from openbell.market_data.bar_table import BarTable
from openbell.market_data.bar_times import Label, Times, parse_times
from openbell.market_data.decimals import NumberColumn, number_column, scaled
from openbell.market_data.findings import Finding, Place, settle
from openbell.model.errors import InputError
from openbell.model.time import iso

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Adjust = Literal["auto", "none", "back"]

PRICES = ("open", "high", "low", "close")
# A file of so many rows that runs strictly backwards is one written newest first, as several vendors do; in a shorter one a
# swapped row could look the same.
_NEWEST_FIRST_ROWS = 10


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a table is to be understood; the arguments of `read_bars`, checked."""

    symbol: str | None = None
    timezone: str | None = None
    bar_time: Literal["open", "close"] | None = None
    fields: dict[str, str] = field(default_factory=dict)
    names: tuple[str, ...] | None = None
    adjust: Adjust = "auto"
    price_decimals_shift: int = 0
    lenient: bool = False
    below_zero: frozenset[str] = frozenset()
    """Symbols of the instruments that may have prices of zero and below."""


@dataclass(slots=True)
class BarRows:
    """Rows of one symbol of one table, checked and in order of time.

    `rows` are their indices in the table; `time` is as written (open or close); `close_time` is None unless the table has it.
    """

    symbol: str
    table: BarTable
    columns: dict[str, int]
    rows: Ints
    time: Ints
    close_time: Ints | None
    numbers: dict[str, NumberColumn]
    dates: bool
    notes: list[str]
    skipped: Counter[str]

    def place(self, index: int) -> Place:
        """Where a row came from, for a message."""
        return _place(self.table, self.columns, int(self.rows[index]))

    def take(self, keep: Ints | Mask) -> None:
        """Keep only these rows, in this order."""
        self.rows, self.time = self.rows[keep], self.time[keep]
        self.close_time = None if self.close_time is None else self.close_time[keep]
        self.numbers = {name: column.take(keep) for name, column in self.numbers.items()}


def rows_of(table: BarTable, options: ReadOptions) -> list[BarRows]:
    """Return the checked rows of each symbol in `table`. Raises InputError as the module says."""
    names, column_notes, columns = _understand(table, options)
    _require_rows(table)
    times = _times(table, columns, names, options)
    numbers, findings = _numbers(table, columns, options, _may_be_below_zero(table, columns, options))
    findings = [*times.findings, *findings, *_price_findings(numbers)]
    close_time = _close_times(table, columns, names, options, times, findings)
    whole = BarRows(
        symbol=table.symbol,
        table=table,
        columns=columns,
        rows=np.arange(table.frame.height, dtype=np.int64),
        time=times.ns,
        close_time=close_time,
        numbers=numbers,
        dates=times.dates,
        notes=[*table.notes, *column_notes, *times.notes],
        skipped=Counter(table.skipped),
    )
    _leave_out(whole, findings, options.lenient)
    blocks = _by_symbol(whole, options)
    for block in blocks:
        _order(block, options.lenient)
    return blocks


def _understand(table: BarTable, options: ReadOptions) -> tuple[tuple[str, ...], list[str], dict[str, int]]:
    notes: list[str] = []
    width = table.frame.width
    if options.names is not None and len(options.names) != width:
        raise InputError(
            f"columns= names {len(options.names)} columns",
            source=table.source,
            value=f"{width} columns",
            expected="a name for each column",
        )
    names = options.names or table.names
    if names is None:
        names = _positional(table, width)
        notes.append(f"no header: the {width} columns are read as {', '.join(names)}")
    if options.names is None and table.names is not None and (joined := _date_and_clock(table, names)):
        names = joined
    columns, found = find_columns(names, options.fields, table.source)
    return names, notes + found, columns


def _positional(table: BarTable, width: int) -> tuple[str, ...]:
    import polars as pl

    # MetaTrader and histdata write date, clock, open, high, low, close, volume.
    second = table.frame.to_series(1) if width > 1 else None
    if (
        width == 7
        and second is not None
        and second.dtype == pl.String
        and len(second)
        and _is_clock(second[0])
    ):
        return _date_and_clock(table, ("date", "time", *PRICES, "volume")) or ()
    return positional_names(width, table.source)


def _is_clock(text: object) -> bool:
    return isinstance(text, str) and len(text.strip()) <= 8 and ":" in text and text.strip()[:1].isdigit()


def _date_and_clock(table: BarTable, names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Where the date and the clock stand in two columns, join them into the first; return the names then."""
    import polars as pl

    keys = [name.strip().lower() for name in names]
    if keys.count("date") != 1 or keys.count("time") != 1:
        return None
    date, clock = keys.index("date"), keys.index("time")
    texts = table.frame.to_series(clock)
    if (
        texts.dtype != pl.String
        or table.frame.to_series(date).dtype != pl.String
        or not len(texts)
        or not _is_clock(texts[0])
    ):
        return None
    joined = pl.concat_str(pl.col(f"c{date}"), pl.col(f"c{clock}"), separator=" ").alias(f"c{date}")
    table.frame = table.frame.with_columns(joined)
    return tuple(
        "datetime" if i == date else "clock of datetime" if i == clock else name
        for i, name in enumerate(names)
    )


def _require_rows(table: BarTable) -> None:
    if table.frame.height == 0:
        what = "a header and no rows" if table.names is not None else "no rows"
        raise InputError(what, source=table.source, expected="at least one bar")


def _times(table: BarTable, columns: dict[str, int], names: tuple[str, ...], options: ReadOptions) -> Times:
    index = columns["time"]
    label = Label(names[index] or "(unnamed)", options.timezone, table.source, table.row_of)
    times = parse_times(table.frame.to_series(index), label)
    return Times(
        times.ns, [_renamed(finding, "time") for finding in times.findings], times.dates, times.notes
    )


def _renamed(finding: Finding, name: str) -> Finding:
    return Finding(finding.reason, name, finding.rows, finding.expected)


def _may_be_below_zero(table: BarTable, columns: dict[str, int], options: ReadOptions) -> Mask:
    """By row. Adjusted prices may not: a price near zero has no share that a dividend could be."""
    rows = table.frame.height
    if not options.below_zero or (options.adjust != "none" and "adj_close" in columns):
        return np.zeros(rows, dtype=np.bool_)
    if "symbol" not in columns:
        return np.full(rows, (options.symbol or table.symbol) in options.below_zero)
    import polars as pl

    labels = table.frame.to_series(columns["symbol"]).cast(pl.String).str.strip_chars()
    return labels.is_in(list(options.below_zero)).fill_null(False).to_numpy()


def _numbers(
    table: BarTable, columns: dict[str, int], options: ReadOptions, below_zero: Mask
) -> tuple[dict[str, NumberColumn], list[Finding]]:
    numbers: dict[str, NumberColumn] = {}
    findings: list[Finding] = []
    wanted = [*PRICES, "volume"] + (["adj_close"] if options.adjust != "none" else [])
    for name in (name for name in wanted if name in columns):
        column, none = number_column(table.frame.to_series(columns[name]))
        numbers[name] = column if name == "volume" else scaled(column, options.price_decimals_shift)
        findings += _number_findings(name, column, none, below_zero)
    return numbers, findings


def _number_findings(name: str, column: NumberColumn, none: Mask, below_zero: Mask) -> list[Finding]:
    values = column.values
    kind = "volume" if name == "volume" else "price"
    finite = np.isfinite(values)
    low = finite & ((values < 0) if name == "volume" else (values <= 0) & ~below_zero)
    expected = f"a {kind} of zero or more" if name == "volume" else f"a {kind} above zero"
    return [
        Finding(f"not a number as {kind}", name, none, "a decimal number such as 101.25"),
        Finding(f"{kind} is not finite", name, ~finite & ~none, expected),
        Finding("negative volume" if name == "volume" else "price not above zero", name, low, expected),
    ]


def _price_findings(numbers: dict[str, NumberColumn]) -> list[Finding]:
    first, high, low, last = (numbers[name].values for name in PRICES)
    return [  # a comparison with NaN is False, so a cell already found bad is not found again
        Finding("high below low", "high", high < low, "high at or above low"),
        Finding("high below open", "high", high < first, "high at or above open"),
        Finding("high below close", "high", high < last, "high at or above close"),
        Finding("low above open", "low", low > first, "low at or below open"),
        Finding("low above close", "low", low > last, "low at or below close"),
    ]


def _close_times(
    table: BarTable,
    columns: dict[str, int],
    names: tuple[str, ...],
    options: ReadOptions,
    times: Times,
    findings: list[Finding],
) -> Ints | None:
    if "close_time" not in columns or options.bar_time == "close":
        return None
    index = columns["close_time"]
    label = Label(names[index], options.timezone, table.source, table.row_of)
    closes = parse_times(table.frame.to_series(index), label)
    findings += [_renamed(finding, "close_time") for finding in closes.findings]
    bad = np.zeros(len(times.ns), dtype=np.bool_)
    for finding in (*times.findings, *closes.findings):
        bad |= finding.rows
    findings.append(
        Finding(
            "bar closes before it opens",
            "close_time",
            (closes.ns <= times.ns) & ~bad,
            "a time after the open",
        )
    )
    return closes.ns


def _leave_out(block: BarRows, findings: list[Finding], lenient: bool) -> None:
    left_out = settle(findings, block.place, lenient, block.skipped)
    if left_out is not None:
        block.take(~left_out)
        if not len(block.rows):
            raise InputError(
                f"no row is left: {reasons(block.skipped)}",
                source=block.table.source,
                expected="at least one good bar",
            )


def reasons(skipped: Counter[str]) -> str:
    """Return counted reasons as text: `2 high below low, 1 not a time`."""
    return ", ".join(f"{count} {reason}" for reason, count in skipped.items() if count)


def _place(table: BarTable, columns: dict[str, int], index: int) -> Place:
    import polars as pl

    def value(name: str) -> Any:
        if name not in columns:
            return None
        try:
            return table.frame.to_series(columns[name])[index]
        except (ValueError, OverflowError, pl.exceptions.PanicException):  # a date that Python cannot hold
            return table.frame.to_series(columns[name]).to_physical()[index]

    return Place(table.source, table.row_of(index), value)


def _by_symbol(whole: BarRows, options: ReadOptions) -> list[BarRows]:
    """Split by the column of symbols, in the order in which they appear."""
    if "symbol" not in whole.columns:
        return [whole]
    import polars as pl

    labels = whole.table.frame.to_series(whole.columns["symbol"]).cast(pl.String)
    _require_labels(whole, labels.is_null().to_numpy())
    labels = labels.str.strip_chars().gather(whole.rows)
    found = [str(label) for label in labels.unique(maintain_order=True).to_list()]
    wanted = whole.table.symbol if whole.table.named else options.symbol
    if wanted is not None and wanted not in found and len(found) > 1:
        raise InputError(
            "no rows of this symbol",
            source=whole.table.source,
            field="symbol",
            value=wanted,
            expected=f"one of {', '.join(found[:20])}",
        )
    if len(found) == 1:
        whole.symbol = wanted or found[0]
        return [whole]
    return [_part(whole, label, (labels == label).to_numpy()) for label in found if wanted in (None, label)]


def _require_labels(whole: BarRows, missing: Mask) -> None:
    settle(
        [Finding("no symbol", "symbol", missing[whole.rows], "a symbol in every row")],
        whole.place,
        False,
        Counter(),
    )


def _part(whole: BarRows, label: str, rows: Mask) -> BarRows:
    part = BarRows(
        label,
        whole.table,
        whole.columns,
        whole.rows,
        whole.time,
        whole.close_time,
        whole.numbers,
        whole.dates,
        list(whole.notes),
        Counter(whole.skipped),
    )
    part.take(rows)
    return part


def _order(block: BarRows, lenient: bool) -> None:
    """Times must rise; a table that only falls is turned round."""
    steps = np.diff(block.time)
    if len(block.time) >= _NEWEST_FIRST_ROWS and np.all(steps < 0):
        block.take(np.arange(len(block.time) - 1, -1, -1, dtype=np.int64))
        block.notes.append("rows were newest first and are read in reverse")
        return
    if np.all(steps > 0):
        return
    latest = np.concatenate(([np.iinfo(np.int64).min], np.maximum.accumulate(block.time)[:-1]))
    repeated = block.time == latest
    expected = "times that rise from row to row"
    first = int(np.argmax(block.time <= latest))
    if not lenient:
        expected = f"a time after {iso(latest[first])} of an earlier row"
    findings = [
        Finding("duplicate time", "time", repeated, expected),
        Finding("time goes backwards", "time", block.time < latest, expected),
    ]
    _leave_out(block, findings, lenient)
