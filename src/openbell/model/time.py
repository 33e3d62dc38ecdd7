"""Time as the engine counts it: nanoseconds since 1970-01-01T00:00:00Z. Here nothing reads a clock."""

from __future__ import annotations

import datetime as dt
import operator
import re
import zoneinfo
from typing import Any

from openbell.model.errors import ConfigError, InputError

NS_PER_SECOND = 1_000_000_000
NS_PER_MINUTE = 60 * NS_PER_SECOND
NS_PER_HOUR = 3_600 * NS_PER_SECOND
NS_PER_DAY = 86_400 * NS_PER_SECOND

_EPOCH = dt.datetime(1970, 1, 1)
_INT64_MAX = 2**63 - 1

_ISO = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<clock>\d{2}(?::\d{2}(?::\d{2})?)?)(?:[.,](?P<fraction>\d{1,9}))?\s?(?P<zone>Z|z|UTC|[+-]\d{2}(?::?\d{2})?)?)?"
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|sec|min|m|h|d|w)", re.IGNORECASE)
_DURATION_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": NS_PER_SECOND,
    "sec": NS_PER_SECOND,
    "m": NS_PER_MINUTE,
    "min": NS_PER_MINUTE,
    "h": NS_PER_HOUR,
    "d": NS_PER_DAY,
    "w": 7 * NS_PER_DAY,
}

_WANTED = "UTC nanoseconds, a date, a datetime or ISO 8601 such as 2022-01-05T14:30:00Z"


def to_ns(value: Any, timezone: str | dt.tzinfo | None = None) -> int:
    """Return a point in time as UTC nanoseconds.

    `value`: int (already nanoseconds), ISO 8601 text (up to nine decimals of a second), `date`, `datetime` (a pandas
    Timestamp is one) or NumPy datetime64. A time without a zone needs `timezone`; a plain date is midnight in `timezone`,
    and midnight UTC where none is given.

    Raises InputError where it is no time, has no zone, or falls into an hour that a clock change repeats or skips.
    """
    if isinstance(value, str):
        return _text_ns(value.strip(), timezone)
    if isinstance(value, dt.datetime):
        return _datetime_ns(value, timezone)
    if isinstance(value, dt.date):
        return _datetime_ns(dt.datetime(value.year, value.month, value.day), timezone or dt.UTC)
    if type(value).__name__ == "datetime64":
        return _text_ns(str(value), timezone)
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise InputError("not a time", value=repr(value), expected=_WANTED)
    return _in_range(operator.index(value), value)


def zone(timezone: str | dt.tzinfo) -> dt.tzinfo:
    """Return the zone of a name such as "America/New_York" or "UTC". Raises ConfigError where it is not known."""
    if isinstance(timezone, dt.tzinfo):
        return timezone
    if timezone == "UTC":  # needs no database of zones, which a bare system may lack
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError, TypeError) as error:
        raise ConfigError(
            f"unknown timezone {timezone!r}, expected a name such as 'America/New_York' or 'UTC'"
        ) from error


def _text_ns(text: str, timezone: str | dt.tzinfo | None) -> int:
    match = _ISO.fullmatch(text)
    if match is None:
        raise InputError("not a time", value=text, expected=_WANTED)
    clock, fraction, offset = match["clock"], match["fraction"], match["zone"]
    try:
        naive = dt.datetime.fromisoformat(f"{match['date']} {clock or '00:00'}")
        tz = _offset(offset) if offset else timezone
    except ValueError as error:
        raise InputError(f"not a time ({error})", value=text, expected=_WANTED) from error
    if clock is None:
        tz = tz or dt.UTC
    nanos = int((fraction or "").ljust(9, "0"))
    return _in_range(_local_ns(naive, tz, text) + nanos, text)


def _offset(text: str) -> dt.tzinfo:
    if text.upper() in ("Z", "UTC"):
        return dt.UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return dt.timezone(-offset if text[0] == "-" else offset)


def _datetime_ns(value: dt.datetime, timezone: str | dt.tzinfo | None) -> int:
    extra = getattr(value, "nanosecond", 0)  # a pandas Timestamp keeps what a datetime cannot
    if value.tzinfo is None:
        plain = dt.datetime(*value.timetuple()[:6], value.microsecond, fold=value.fold)
        return _in_range(_local_ns(plain, timezone, value) + extra, value)
    offset = value.utcoffset() or dt.timedelta(0)
    plain = dt.datetime(*value.timetuple()[:6], value.microsecond)
    return _in_range(_delta_ns(plain - offset - _EPOCH) + extra, value)


def _local_ns(naive: dt.datetime, timezone: str | dt.tzinfo | None, shown: object) -> int:
    if timezone is None:
        raise InputError(
            "a time without a zone",
            value=str(shown),
            expected="a zone in it, as 2022-01-05T14:30:00Z, or timezone=",
        )
    tz = zone(timezone)
    first = naive.replace(tzinfo=tz, fold=0).utcoffset() or dt.timedelta(0)
    second = naive.replace(tzinfo=tz, fold=1).utcoffset() or dt.timedelta(0)
    if first != second:
        what = "happens twice" if first > second else "does not exist"
        raise InputError(
            f"this time {what} in {tz} because of a clock change",
            value=str(shown),
            expected="a time with its UTC offset",
        )
    return _delta_ns(naive - first - _EPOCH)


def _delta_ns(delta: dt.timedelta) -> int:
    return (delta.days * 86_400 + delta.seconds) * NS_PER_SECOND + delta.microseconds * 1_000


def _in_range(ns: int, shown: object) -> int:
    if abs(ns) > _INT64_MAX:
        raise InputError(
            "a time outside 64-bit nanoseconds", value=str(shown), expected="a time from 1678 to 2262"
        )
    return ns


def iso(ns: int) -> str:
    """Return UTC nanoseconds as ISO 8601 with as many decimals (0, 3, 6 or 9) as it needs: `2022-01-05T14:30:00Z`."""
    seconds, nanos = divmod(int(ns), NS_PER_SECOND)
    text = (_EPOCH + dt.timedelta(seconds=seconds)).isoformat()
    fraction = f"{nanos:09d}"
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def duration_ns(value: str | int | dt.timedelta) -> int:
    """Return a duration in nanoseconds: "30s", "5m" (minutes), "1h30m", "1d", "250ms", a timedelta, or int nanoseconds.

    Raises InputError for anything else, months and years included: they have no fixed length.
    """
    if isinstance(value, dt.timedelta):
        return _not_negative(_delta_ns(value) + getattr(value, "nanoseconds", 0), value)
    if isinstance(value, str):
        return _duration_text_ns(value)
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise InputError(
            "not a duration", value=repr(value), expected='one such as "30s", "5m", "1h" or "1d"'
        )
    return _not_negative(operator.index(value), value)


def _duration_text_ns(text: str) -> int:
    total, end = 0.0, 0
    exact = 0
    for match in _DURATION.finditer(text.strip()):
        if match.start() != end or match[2] == "M":
            break
        end = match.end()
        unit = _DURATION_NS[match[2].lower()]
        whole, _, fraction = match[1].partition(".")
        exact += int(whole) * unit
        total += float("0." + (fraction or "0")) * unit
    if end == 0 or end != len(text.strip()):
        raise InputError("not a duration", value=text, expected='one such as "30s", "5m", "1h" or "1d"')
    return exact + round(total)


def _not_negative(ns: int, shown: object) -> int:
    if ns < 0:
        raise InputError("a negative duration", value=str(shown), expected="zero or more")
    return ns


def duration(ns: int) -> str:
    """Return a duration in its largest whole units: `1d`, `1h30m`, `250ms`."""
    parts = []
    rest = int(ns)
    for name in ("d", "h", "m", "s", "ms", "us", "ns"):
        count, rest = divmod(rest, _DURATION_NS[name])
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"
