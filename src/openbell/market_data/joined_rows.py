"""The rows of one symbol from all its tables, in order of time, each still knowing where it was written."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from openbell.market_data.bar_rows import BarRows
from openbell.market_data.bars import InputFile
from openbell.market_data.decimals import NumberColumn, concat_columns
from openbell.market_data.findings import Finding, Place, settle
from openbell.model.errors import InputError
from openbell.model.time import iso

Ints = NDArray[np.int64]


class JoinedRows:
    """Columns over all tables of one symbol; `place` leads a row back to its file."""

    def __init__(self, blocks: Sequence[BarRows], lenient: bool) -> None:
        """Raises InputError where two tables overlap in time or differ in their columns."""
        blocks = sorted(blocks, key=lambda block: int(block.time[0]))
        _require_apart(blocks)
        _require_same_columns(blocks)
        self.blocks = blocks
        self.lenient = lenient
        self.symbol = blocks[0].symbol
        self.time: Ints = np.concatenate([block.time for block in blocks])
        self.close_time = _close_times(blocks)
        self.numbers: dict[str, NumberColumn] = {
            name: concat_columns([block.numbers[name] for block in blocks]) for name in blocks[0].numbers
        }
        self.dates = all(block.dates for block in blocks)
        self.notes = list(dict.fromkeys(note for block in blocks for note in block.notes))
        self.skipped: Counter[str] = sum((block.skipped for block in blocks), Counter())
        self._origin = np.concatenate([np.full(len(block.rows), i) for i, block in enumerate(blocks)])
        self._index = np.concatenate([np.arange(len(block.rows)) for block in blocks])

    def place(self, index: int) -> Place:
        """Where a row came from, for a message."""
        return self.blocks[int(self._origin[index])].place(int(self._index[index]))

    def leave_out(self, findings: Sequence[Finding]) -> None:
        """Raise the first finding, or leave the rows out and count them when lenient."""
        left_out = settle(findings, self.place, self.lenient, self.skipped)
        if left_out is None:
            return
        keep = ~left_out
        if not keep.any():
            raise InputError(
                "no row is left", source=self.blocks[0].table.source, expected="at least one good bar"
            )
        self.time, self._origin, self._index = self.time[keep], self._origin[keep], self._index[keep]
        self.close_time = None if self.close_time is None else self.close_time[keep]
        self.numbers = {name: column.take(keep) for name, column in self.numbers.items()}

    def inputs(self) -> tuple[InputFile, ...]:
        """The files read, in order of time; frames in memory are not among them."""
        return tuple(dict.fromkeys(b.table.input for b in self.blocks if b.table.input is not None))


def _require_apart(blocks: Sequence[BarRows]) -> None:
    for earlier, later in itertools.pairwise(blocks):
        if later.time[0] <= earlier.time[-1]:
            raise InputError(
                f"overlaps {earlier.table.source} in time, which runs from {iso(earlier.time[0])} to {iso(earlier.time[-1])}",
                source=later.table.source,
                row=later.place(0).row,
                field="time",
                value=iso(later.time[0]),
                expected="files of one symbol that follow each other",
            )


def _require_same_columns(blocks: Sequence[BarRows]) -> None:
    first = blocks[0]
    for block in blocks[1:]:
        odd = set(first.numbers) ^ set(block.numbers)
        if odd:
            name = min(odd)
            has, lacks = (first, block) if name in first.numbers else (block, first)
            raise InputError(
                f"has no column {name}, which {has.table.source} has",
                source=lacks.table.source,
                field=name,
                expected="the same columns in all files of a symbol",
            )


def _close_times(blocks: Sequence[BarRows]) -> Ints | None:
    closes = [block.close_time for block in blocks if block.close_time is not None]
    return np.concatenate(closes) if len(closes) == len(blocks) else None
