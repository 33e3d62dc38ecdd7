"""The time column of a table of bars, whatever its form, as UTC nanoseconds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openbell.market_data.findings import Finding
from openbell.model.errors import ConfigError, InputError
from openbell.model.time import NS_PER_DAY, NS_PER_SECOND

if TYPE_CHECKING:
    import polars as pl

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_DATES = (
    (r"\d{4}-\d{1,2}-\d{1,2}", "%Y-%m-%d"),
    (r"\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d"),
    (r"\d{4}\.\d{1,2}\.\d{1,2}", "%Y.%m.%d"),
    (r"\d{8}", "%Y%m%d"),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", "%d.%m.%Y"),
    (r"\d{1,2}/\d{1,2}/\d{4}", "/"),
    (r"\d{1,2}-\d{1,2}-\d{4}", "-"),
    (r"[A-Z][a-z]{2} \d{1,2}, \d{4}", "%b %d, %Y"),
)
_CLOCKS = (
    (r"\d{1,2}:\d{2}:\d{2}(?:\.\d{1,9})?", "%H:%M:%S%.f"),
    (r"\d{1,2}:\d{2}", "%H:%M"),
    (r"\d{1,2}:\d{2}:\d{2} [AaPp][Mm]", "%I:%M:%S %p"),
    (r"\d{1,2}:\d{2} [AaPp][Mm]", "%I:%M %p"),
    (r"\d{6}", "%H%M%S"),
)
_FORM = re.compile(
    "(?P<date>" + "|".join(form for form, _ in _DATES) + r")"
    "(?:(?P<gap>[T ])(?P<clock>" + "|".join(sorted((f for f, _ in _CLOCKS), key=len, reverse=True)) + r")"
    r"(?P<zone>\s?(?:Z|UTC|GMT)|\s?(?:UTC|GMT)?[+-]\d{2}(?::?\d{2})?)?)?"
)
# Epochs by magnitude: 1e8 s is 1973, 1e11 s the year 5138, and so on by thousands.
_EPOCHS = (
    (1e8, 1e11, "s", NS_PER_SECOND),
    (1e11, 1e14, "ms", 10**6),
    (1e14, 1e17, "us", 10**3),
    (1e17, 9.3e18, "ns", 1),
)

_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000}
_INT64_MAX = 2**63 - 1
_READABLE = re.compile(_FORM.pattern + r"|\d{9,19}(?:\.\d+)?")
NOT_A_TIME = "not a time"
FORMS = "ISO 8601 such as 2022-01-05 or 2022-01-05T14:30:00Z, or an epoch in s, ms, us or ns"


@dataclass(frozen=True, slots=True)
class Label:
    """What a column of times is called, where it stands, and the zone of times that carry none."""

    name: str
    timezone: str | None
    source: str
    row_of: Callable[[int], int]


@dataclass(slots=True)
class Times:
    """UTC nanoseconds, rows that are bad (their value means nothing), whether all are plain dates, and notes."""

    ns: Ints
    findings: list[Finding] = field(default_factory=list)
    dates: bool = False
    notes: list[str] = field(default_factory=list)


def checked_timezone(timezone: str | None) -> str | None:
    """Return the name if polars knows the zone. Raises ConfigError otherwise."""
    import polars as pl

    if timezone is None:
        return None
    try:
        pl.Series([0]).cast(pl.Datetime("ns")).dt.replace_time_zone(str(timezone))
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise ConfigError(
            f"unknown timezone {timezone!r}, expected a name such as 'America/New_York' or 'UTC'"
        ) from error
    return str(timezone)


def parse_times(column: pl.Series, label: Label) -> Times:
    """Return the times of `column`. Raises InputError where it holds no times at all, or naive ones without `timezone`."""
    import polars as pl

    dtype = column.dtype
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return _datetimes(column, label)
    if dtype.is_integer() or dtype.is_float():
        return _epochs(column.cast(pl.Float64), column, label)
    if dtype == pl.String:
        return _texts(column, label)
    raise InputError(
        "this column holds no times", source=label.source, field=label.name, value=str(dtype), expected=FORMS
    )


def _datetimes(column: pl.Series, label: Label) -> Times:
    moments, over = _nanoseconds(column)
    if _zone_of(column) is None:
        times = _localized(moments, column, label)
    else:
        missing = [Finding(NOT_A_TIME, label.name, column.is_null().to_numpy(), FORMS)]
        times = Times(_physical(moments), missing, notes=_zone_note(label.timezone, "times carry their zone"))
    times.findings.insert(
        0, Finding("a time outside 64-bit nanoseconds", label.name, over, "a time from 1678 to 2262")
    )
    return times


def _zone_of(column: pl.Series) -> str | None:
    import polars as pl

    return column.dtype.time_zone if isinstance(column.dtype, pl.Datetime) else None


def _nanoseconds(column: pl.Series) -> tuple[pl.Series, Mask]:
    """The column in nanoseconds, and a mask of what does not fit; counted here, for polars may wrap or stop at those."""
    import polars as pl

    dtype = column.dtype
    unit = (
        NS_PER_DAY
        if dtype == pl.Date
        else _UNITS[dtype.time_unit if isinstance(dtype, pl.Datetime) else "ns"]
    )
    counts = column.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
    over = np.abs(counts) > _INT64_MAX // unit
    ns = pl.select(
        pl.when(column.is_not_null()).then(pl.Series(np.where(over, 0, counts) * unit))
    ).to_series()
    return ns.cast(pl.Datetime("ns", _zone_of(column))), over


def _physical(moments: pl.Series) -> Ints:
    values: Ints = moments.to_physical().fill_null(0).to_numpy()
    return values


def _zone_note(timezone: str | None, why: str) -> list[str]:
    return [] if timezone is None else [f"{why}: timezone={timezone!r} is not used"]


def _localized(naive: pl.Series, shown: pl.Series, label: Label) -> Times:
    """Naive times: in `timezone`, or plain dates in UTC, or refused."""
    wall = _physical(naive)
    bad = naive.is_null().to_numpy()
    dates = bool(np.all(wall % NS_PER_DAY == 0))
    if label.timezone is None and not dates:
        row = int(np.argmax(wall % NS_PER_DAY != 0))
        raise InputError(
            "times without a zone",
            source=label.source,
            row=label.row_of(row),
            field=label.name,
            value=str(shown[row]),
            expected='timezone=, for example timezone="UTC" or "America/New_York"',
        )
    if label.timezone is None:
        missing = [Finding(NOT_A_TIME, label.name, bad, FORMS)]
        return Times(wall, missing, dates=True, notes=["plain dates are read as midnight UTC"])
    moments = naive.dt.replace_time_zone(label.timezone, ambiguous="null", non_existent="null")
    lost = moments.is_null().to_numpy() & ~bad
    what = f"this time happens twice or never in {label.timezone} because of a clock change"
    findings = [
        Finding(NOT_A_TIME, label.name, bad, FORMS),
        Finding(what, label.name, lost, "times in UTC or with their UTC offset"),
    ]
    return Times(_physical(moments), findings, dates)


def _epochs(numbers: pl.Series, shown: pl.Series, label: Label) -> Times:
    values = numbers.fill_null(float("nan")).to_numpy()
    bad = ~np.isfinite(values)
    good = values[~bad]
    if len(good) and np.all((good >= 19000101) & (good <= 22991231) & (good == np.rint(good))):
        return _texts(_eight_digits(values, bad), label)
    scale = next((e for e in _EPOCHS if len(good) and e[0] <= good.min() and good.max() < e[1]), None)
    if scale is None:
        raise InputError(
            _epoch_problem(good), source=label.source, field=label.name, value=_span(good), expected=FORMS
        )
    ns = np.zeros(len(values), dtype=np.int64)
    if shown.dtype.is_integer():
        ns = shown.fill_null(0).to_numpy().astype(np.int64) * scale[3]
    else:
        ns[~bad] = np.rint(good * (scale[3] / 1_000 if scale[3] > 1 else 1)).astype(np.int64) * (
            1_000 if scale[3] > 1 else 1
        )
    notes = [f"times are epoch {scale[2]}", *_zone_note(label.timezone, "epochs are UTC")]
    return Times(ns, [Finding(NOT_A_TIME, label.name, bad, FORMS)], notes=notes)


def _eight_digits(values: NDArray[np.float64], bad: Mask) -> pl.Series:
    import polars as pl

    return pl.Series(
        [None if lost else f"{int(x):08d}" for x, lost in zip(values.tolist(), bad.tolist(), strict=True)],
        dtype=pl.String,
    )


def _epoch_problem(good: NDArray[np.float64]) -> str:
    return "no times in this column" if not len(good) else "numbers that are no epoch of one unit"


def _span(good: NDArray[np.float64]) -> str | None:
    return f"{good.min():.15g} to {good.max():.15g}" if len(good) else None


def _texts(column: pl.Series, label: Label) -> Times:
    import polars as pl

    text = column.str.strip_chars()
    sample = next(
        (value for value in text.head(1_000).to_list() if value and _READABLE.fullmatch(value)), None
    )
    if sample is None:
        none = np.ones(len(text), dtype=np.bool_)
        return Times(np.zeros(len(text), dtype=np.int64), [Finding(NOT_A_TIME, label.name, none, FORMS)])
    match = _FORM.fullmatch(sample)
    if match is None:
        whole = text.cast(pl.Int64, strict=False)
        shown = whole if whole.null_count() == text.null_count() else text.cast(pl.Float64, strict=False)
        return _epochs(shown.cast(pl.Float64), shown, label)
    return _written(text, match, label)


def _written(text: pl.Series, match: re.Match[str], label: Label) -> Times:
    """Written times of one form, the form of the first."""
    form, zoned = _strptime(match, text, label)
    if (
        zoned
    ):  # "10:00 UTC", "10:00 GMT+0100" and "10:00 +01:00" become "10:00Z", "10:00+0100" and "10:00+01:00"
        text = text.str.replace(r"\s?(?:UTC|GMT)$", "Z").str.replace(
            r"\s?(?:UTC|GMT)?([+-]\d{2}:?(?:\d{2})?)$", "${1}"
        )
    finest = text.str.len_bytes().max()
    fine = "%.f" in form and isinstance(finest, int) and finest > len("2022-01-05 00:00:00.000000")
    moments = text.str.to_datetime(form, time_unit="ns" if fine else "us", strict=False)
    bad = moments.is_null().to_numpy()
    times = _datetimes(moments, label)
    expected = f"a time of the same form as '{match[0]}'"
    times.findings = [finding for finding in times.findings if finding.reason != NOT_A_TIME]
    times.findings.insert(0, Finding(NOT_A_TIME, label.name, bad, expected))
    return times


def _strptime(match: re.Match[str], text: pl.Series, label: Label) -> tuple[str, bool]:
    form = next(f for pattern, f in _DATES if re.fullmatch(pattern, match["date"]))
    if form in "/-":
        form = _day_or_month_first(text, form, label)
    if match["clock"]:
        form += match["gap"] + next(f for pattern, f in _CLOCKS if re.fullmatch(pattern, match["clock"]))
    zoned = match["zone"] is not None
    return (form + "%#z" if zoned else form), zoned


def _day_or_month_first(text: pl.Series, separator: str, label: Label) -> str:
    """1/2/1990 is the 2nd of January or the 1st of February: the column decides, by a number above 12."""
    import polars as pl

    first = text.str.extract(rf"^(\d{{1,2}}){separator}").drop_nulls().cast(pl.Int64).max()
    second = (
        text.str.extract(rf"^\d{{1,2}}{separator}(\d{{1,2}}){separator}").drop_nulls().cast(pl.Int64).max()
    )
    day_first = isinstance(first, int) and first > 12
    month_first = isinstance(second, int) and second > 12
    if day_first == month_first:
        why = "in both orders" if day_first else "whose day and month cannot be told apart"
        raise InputError(
            f"dates {why}",
            source=label.source,
            field=label.name,
            value=str(text[0]),
            expected="dates such as 2022-01-05",
        )
    return separator.join(("%d", "%m", "%Y") if day_first else ("%m", "%d", "%Y"))
