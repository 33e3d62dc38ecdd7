"""Which column of a table is which, whatever its writer called it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from openbell.model.errors import ConfigError, InputError

REQUIRED = ("time", "open", "high", "low", "close")
FIELDS = (*REQUIRED, "volume", "adj_close", "close_time", "symbol")

# Names after `_key`: lower case, letters and digits only, a leading "1." as of Alpha Vantage dropped. The first that is present
# wins, so for the time the most exact comes first; what merely starts with "volume" is taken last.
_NAMES: dict[str, tuple[str, ...]] = {
    "time": (
        "tsevent", "opentime", "klineopentime", "unix", "unixtime", "unixtimestamp", "timestamp",
        "datetime", "dateutc", "timeutc", "time", "date", "ts",
        "gmttime", "localtime", "windowstart", "periodstart", "begins", "starttime", "t", "dt",
        "index", "level0", "unnamed0", "",
    ),
    "open": ("open", "o", "openprice", "priceopen", "openingprice", "midopen"),
    "high": ("high", "h", "highprice", "pricehigh", "max", "midhigh"),
    "low": ("low", "l", "lowprice", "pricelow", "min", "midlow"),
    "close": ("close", "c", "closeprice", "priceclose", "closingprice", "closelast", "last", "midclose"),
    "volume": ("volume", "vol", "v", "qty", "basevolume", "volumefrom", "tickvolume", "tickvol", "realvolume"),
    "adj_close": ("adjclose", "adjustedclose", "closeadj", "closeadjusted", "adjclosingprice"),
    "close_time": ("closetime", "klineclosetime", "windowend", "endtime"),
    "symbol": ("symbol", "ticker", "instrument", "asset", "pair", "sym", "tic", "code", "name", "product"),
}  # fmt: skip

# Tables without a header row, by their number of columns.
POSITIONAL: dict[int, tuple[str, ...]] = {
    5: ("time", "open", "high", "low", "close"),
    6: ("time", "open", "high", "low", "close", "volume"),
    7: ("time", "open", "high", "low", "close", "volume", "trades"),  # Kraken's files
    8: ("time", "open", "high", "low", "close", "vwap", "volume", "trades"),  # Kraken's REST
    12: (  # Binance klines
        "time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades", "taker_volume",
        "taker_quote_volume", "ignored",
    ),
}  # fmt: skip

ColumnChoice = Mapping[str, str] | Sequence[str] | None


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", re.sub(r"^\s*\d+[.:]\s*", "", name.lower().removeprefix("﻿")))


def find_columns(
    names: Sequence[str], chosen: Mapping[str, str], source: str
) -> tuple[dict[str, int], list[str]]:
    """Return the index of each field's column in `names`, and notes on choices a reader should know of.

    `chosen` maps fields to column names and goes before any guess. Raises InputError where a required column is missing or two
    columns could be one field.
    """
    found = {field: _chosen_index(names, field, name, source) for field, name in chosen.items()}
    notes: list[str] = []
    for field in FIELDS:
        if field not in found:
            index = _guess(names, field, set(found.values()), source, notes)
            if index is not None:
                found[field] = index
    _require(found, names, source)
    return found, notes


def _chosen_index(names: Sequence[str], field: str, name: str, source: str) -> int:
    if list(names).count(name) != 1:
        problem = (
            "columns= names a column that is not there" if name not in names else "two columns have this name"
        )
        raise InputError(problem, source=source, field=field, value=name, expected=f"one of {_listed(names)}")
    return list(names).index(name)


def _guess(names: Sequence[str], field: str, taken: set[int], source: str, notes: list[str]) -> int | None:
    keys = [_key(name) for name in names]
    for wanted in _NAMES[field]:
        hits = [i for i, key in enumerate(keys) if key == wanted and i not in taken]
        if len(hits) > 1:
            seen = " and ".join(f"'{names[i]}'" for i in hits)
            raise InputError(
                f"two columns could be '{field}': {seen}",
                source=source,
                expected=_mapping_hint(field, names[hits[0]]),
            )
        if hits:
            return hits[0]
    if field == "volume":
        return _guess_volume(names, keys, taken, notes)
    return None


def _guess_volume(names: Sequence[str], keys: list[str], taken: set[int], notes: list[str]) -> int | None:
    hits = [i for i, key in enumerate(keys) if key.startswith("volume") and i not in taken]
    if len(hits) > 1:
        others = ", ".join(f"'{names[i]}'" for i in hits[1:])
        notes.append(f"column '{names[hits[0]]}' taken as volume, not {others}")
    return hits[0] if hits else None


def _require(found: Mapping[str, int], names: Sequence[str], source: str) -> None:
    missing = [field for field in REQUIRED if field not in found]
    if missing:
        raise InputError(
            f"missing column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; columns seen: {_listed(names)}",
            source=source,
            field=missing[0],
            expected=_mapping_hint(missing[0], "its name in the file"),
        )


def _mapping_hint(field: str, name: str) -> str:
    return f'columns={{"{field}": "{name}"}} to say which it is'


def _listed(names: Sequence[str]) -> str:
    shown = [name if name.strip() else "(unnamed)" for name in names]
    return (
        ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "")
        if shown
        else "none"
    )


def checked_choice(columns: ColumnChoice) -> tuple[dict[str, str], tuple[str, ...] | None]:
    """Return `columns=` as (field to name, names by position). Raises ConfigError where it is neither."""
    if columns is None:
        return {}, None
    if isinstance(columns, Mapping):
        unknown = [field for field in columns if field not in FIELDS]
        if unknown:
            turned = (
                " (it maps our field to your column, not the other way)"
                if set(columns.values()) & set(FIELDS)
                else ""
            )
            raise ConfigError(
                f"columns= has the unknown field {unknown[0]!r}{turned}, expected some of {', '.join(FIELDS)}"
            )
        return {str(field): str(name) for field, name in columns.items()}, None
    if isinstance(columns, str):
        raise ConfigError(
            f"columns={columns!r}, expected a mapping of fields to column names or a list of names"
        )
    return {}, tuple(str(name) for name in columns)


def positional_names(count: int, source: str) -> tuple[str, ...]:
    """Return the names of a table of `count` columns that has no header. Raises InputError where there is no usual layout."""
    if count not in POSITIONAL:
        raise InputError(
            f"no header row and no usual layout of {count} columns",
            source=source,
            row=1,
            expected='a header, or columns=["time", "open", "high", "low", "close", ...] naming every column in order',
        )
    return POSITIONAL[count]
