"""A table as its writer left it: columns by position, their names, and where it came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openbell.market_data.bars import InputFile

if TYPE_CHECKING:
    import polars as pl


def _one_based(index: int) -> int:
    return index + 1


@dataclass(slots=True)
class BarTable:
    """One table of bars before anything is understood of it.

    `frame` holds the columns under the names c0, c1, ...; `names` are those of the file, None where it has no header. `input`
    is None for a frame in memory. `symbol` is what the caller or the source calls it, `named` tells that it was the caller.
    `row_of` turns an index of `frame` into the row an editor shows. `skipped` counts rows a lenient reading already left out.
    """

    frame: pl.DataFrame
    names: tuple[str, ...] | None
    source: str
    input: InputFile | None
    symbol: str
    named: bool = False
    row_of: Callable[[int], int] = _one_based
    skipped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """The same columns under the names c0, c1, ..."""
    import polars as pl

    return pl.DataFrame([frame.to_series(i).alias(f"c{i}") for i in range(frame.width)])
