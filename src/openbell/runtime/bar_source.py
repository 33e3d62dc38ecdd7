"""Bars in memory as a source of records."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from openbell.market_data.bars import Bars
from openbell.messages.market_data import bar_batches
from openbell.model.instrument import Instrument

CHUNK_ROWS = 65_536


class BarSource:
    """Bars in memory as a source of records."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.instruments: tuple[Instrument, ...] = bars.instruments
        self.inputs = tuple(file for series in bars.series for file in series.inputs)
        self.notes = bars.notes

    @property
    def first_time(self) -> int:
        """When the first bar opens, UTC nanoseconds."""
        return min(int(one.open_time[0]) for one in self.bars.series if len(one))

    @property
    def interval_ns(self) -> int:
        """Length of its longest bars; 0 where it is not known."""
        return max(one.interval for one in self.bars.series)

    def batches(self) -> Iterator[NDArray[np.uint8]]:
        """The bars as records, in pieces of bounded size."""
        return bar_batches(self.bars.series, rows=CHUNK_ROWS)
