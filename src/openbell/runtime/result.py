"""What a finished run hands over to whoever shows, stores or compares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from openbell.market_data.bars import BarSeries, InputFile
from openbell.model.instrument import Instrument

if TYPE_CHECKING:
    import polars as pl

JournalContent = Literal["full", "by_reference", "none"]


@dataclass(frozen=True, eq=False, repr=False)
class RunResult:
    """One finished run, as the engine left it; the tables are folded from it on demand.

    name, strategy_name   what the run is called, and the name of the strategy's class
    parameters            of the strategy, resolved
    settings              everything else that was chosen: models by name (fee_model, fill_model, ...), cash, start, end, ...
    currency              in which the account is kept
    instruments           by id - 1
    inputs                the data, with SHA-256 and decoder
    output                every event, as bytes of 64-byte slots
    valuations            of the account, of `VALUATION_DTYPE`
    state_hash, output_hash, sequence   of the engine at the end; hashes have 128 bits
    bars, indicators      by symbol, for the charts; indicators as a frame of `time` and one Float64 column for each
    benchmark             equity of the benchmark in the account's currency, one per valuation (NaN where unknown)
    marks                 last known price by instrument id - 1, in price units
    started_ns, ended_ns  wall time by the runtime's clock; covered by no hash
    notes                 what was inferred or skipped, to be shown to people
    journal               what the journal of the run holds
    seed                  of the strategy's `random`
    """

    name: str
    strategy_name: str
    parameters: Mapping[str, object]
    settings: Mapping[str, object]
    currency: str
    instruments: tuple[Instrument, ...]
    inputs: tuple[InputFile, ...]
    output: NDArray[np.uint8]
    valuations: NDArray[np.void]
    state_hash: int
    output_hash: int
    sequence: int
    bars: Mapping[str, BarSeries] = field(default_factory=dict)
    indicators: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    benchmark: NDArray[np.float64] | None = None
    marks: tuple[int | None, ...] = ()
    started_ns: int = 0
    ended_ns: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    journal: JournalContent = "none"
    seed: int = 0

    def last_marks(self) -> tuple[int | None, ...]:
        """`marks`, or the last closes where none were given."""
        if self.marks:
            return self.marks
        return tuple(self._last_close(one.symbol) for one in self.instruments)

    def _last_close(self, symbol: str) -> int | None:
        series = self.bars.get(symbol)
        return int(series.close[-1]) if series is not None and len(series) else None
