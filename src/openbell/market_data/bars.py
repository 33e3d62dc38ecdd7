"""Bars in memory: what `read_bars` returns and the engine takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openbell.model.errors import InputError
from openbell.model.instrument import Instrument
from openbell.model.time import duration, iso, to_ns

if TYPE_CHECKING:
    import polars as pl

IntArray = NDArray[np.int64]
PRICE_FIELDS = ("open", "high", "low", "close")
_ARRAYS = ("open_time", "close_time", *PRICE_FIELDS, "volume")


@dataclass(frozen=True, slots=True)
class InputFile:
    """Where bars came from: path as given, SHA-256 of its bytes, name and version of the decoder.

    A frame in memory has the path `<frame>` and the SHA-256 of its decoded arrays.
    """

    path: str
    sha256: str
    decoder: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BarSeries:
    """The bars of one instrument, in order of time.

    Times are UTC nanoseconds; a bar covers [open_time, close_time). Prices count `instrument.price_unit`, volumes
    `instrument.quantity_unit`. The arrays are int64, equally long and read-only. `interval` is the most frequent distance of
    two bars in nanoseconds, 0 for a single bar. `notes` say what was inferred, changed or skipped; `skipped` counts the rows a
    lenient reading left out.
    """

    instrument: Instrument
    open_time: IntArray
    close_time: IntArray
    open: IntArray
    high: IntArray
    low: IntArray
    close: IntArray
    volume: IntArray
    interval: int
    inputs: tuple[InputFile, ...] = ()
    adjustment: str = "none"
    skipped: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            array = np.ascontiguousarray(getattr(self, name), dtype=np.int64)
            if array.shape != (len(self.open_time),):
                raise InputError("arrays of a bar series differ in length", source=self.symbol, field=name)
            array = array.view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def symbol(self) -> str:
        """Symbol of the instrument."""
        return self.instrument.symbol

    def __len__(self) -> int:
        return len(self.open_time)

    def values(self, field: str) -> NDArray[np.float64]:
        """Return one of open, high, low, close, volume as floats: the nearest to each exact decimal."""
        if field not in (*PRICE_FIELDS, "volume"):
            raise InputError("no such field", field=field, expected="open, high, low, close or volume")
        unit = self.instrument.quantity_unit if field == "volume" else self.instrument.price_unit
        return unit_floats(getattr(self, field), unit)

    def to_polars(self) -> pl.DataFrame:
        """Return a frame (open_time, close_time, open, high, low, close, volume): UTC datetimes in ns and floats."""
        import polars as pl

        columns: dict[str, Any] = {}
        for name in ("open_time", "close_time"):
            columns[name] = pl.Series(getattr(self, name)).cast(pl.Datetime("ns", "UTC"))
        return pl.DataFrame(columns | {name: self.values(name) for name in (*PRICE_FIELDS, "volume")})

    def slice(self, start: int, end: int) -> BarSeries:
        """Return the bars whose open_time lies in [start, end), UTC nanoseconds."""
        first, last = (int(i) for i in np.searchsorted(self.open_time, (start, end)))
        return dataclasses.replace(self, **{name: getattr(self, name)[first:last] for name in _ARRAYS})

    def summary(self) -> str:
        """Return one line: symbol, rows, first and last time, interval, tick and lot."""
        if not len(self):
            return f"{self.symbol}: no bars"
        inferred = "" if self.instrument.tick_declared else " (inferred)"
        return (
            f"{self.symbol}: {len(self):,} bars of {duration(self.interval) if self.interval else 'unknown length'}, "
            f"{iso(self.open_time[0])} to {iso(self.close_time[-1])}, {self.instrument.currency}, "
            f"tick {self.instrument.tick:f}, lot {self.instrument.lot:f}{inferred}, adjustment {self.adjustment}"
        )

    def __repr__(self) -> str:
        return f"<BarSeries {self.summary()}>"


class Bars:
    """Bars of one or several instruments, as `read_bars` returns them.

    `bars["GOOG"]` is the series of one symbol; iterating gives the series; `len` counts all bars.
    """

    __slots__ = ("series",)
    series: tuple[BarSeries, ...]

    def __init__(self, series: Iterable[BarSeries]) -> None:
        self.series = tuple(series)
        if not self.series:
            raise InputError("no bars", expected="at least one instrument")
        for number, one in enumerate(self.series):
            if one.symbol in self.symbols[:number]:
                raise InputError("a symbol appears twice", field="symbol", value=one.symbol)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols, in order."""
        return tuple(one.symbol for one in self.series)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Instruments, in order."""
        return tuple(one.instrument for one in self.series)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was inferred, changed or skipped, each line beginning with its symbol."""
        return tuple(f"{one.symbol}: {note}" for one in self.series for note in one.notes)

    def __getitem__(self, symbol: str) -> BarSeries:
        for one in self.series:
            if one.symbol == symbol:
                return one
        raise InputError(
            "no such symbol in these bars", value=symbol, expected=f"one of {', '.join(self.symbols)}"
        )

    def __iter__(self) -> Iterator[BarSeries]:
        return iter(self.series)

    def __len__(self) -> int:
        return sum(len(one) for one in self.series)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self.symbols

    def slice(self, start: Any = None, end: Any = None, timezone: str | None = None) -> Bars:
        """Return the bars whose open_time lies in [start, end). Raises InputError where none is left of an instrument.

        `start` and `end` are anything `to_ns` takes; None is unbounded. A plain date is midnight in `timezone`, else UTC.
        """
        first = -(2**63) if start is None else to_ns(start, timezone)
        last = 2**63 - 1 if end is None else to_ns(end, timezone)
        return Bars(_require_rows(one, one.slice(first, last), start, end) for one in self.series)

    def to_polars(self, symbol: str | None = None) -> pl.DataFrame:
        """Return the frame of one symbol (see BarSeries.to_polars), or of all below each other with a column `symbol`."""
        import polars as pl

        if symbol is not None:
            return self[symbol].to_polars()
        return pl.concat(
            s.to_polars().insert_column(0, pl.lit(s.symbol).alias("symbol")) for s in self.series
        )

    def __repr__(self) -> str:
        return "\n".join(["<Bars", *(f"  {one.summary()}" for one in self.series), ">"])


def _require_rows(whole: BarSeries, part: BarSeries, start: Any, end: Any) -> BarSeries:
    if not len(part):
        span = f"{iso(whole.open_time[0])} to {iso(whole.open_time[-1])}" if len(whole) else "nothing"
        raise InputError(
            f"{whole.symbol} has no bar from {start} to {end}", expected=f"a period within {span}"
        )
    return part


def unit_floats(units: IntArray, unit: Decimal) -> NDArray[np.float64]:
    """Return units times unit as floats, each correctly rounded while units stay below 2^53."""
    exponent = -int(unit.as_tuple().exponent)
    if exponent <= 0:
        return units.astype(np.float64) * float(unit)
    numerator = int(unit.scaleb(exponent))
    return (units * numerator).astype(np.float64) / float(10**exponent)
