"""The bars of a run that is over, for its charts: from its journal, or from the data that the journal refers to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from openbell.kernel import JournalReader
from openbell.market_data.bars import unit_floats
from openbell.messages.layouts import select
from openbell.model.errors import InputError
from openbell.runtime.recorded_inputs import journal_inputs
from openbell.runtime.run_files import read_table
from openbell.runtime.stored_run import recorded_data, recorded_inputs, recorded_instruments

if TYPE_CHECKING:
    import polars as pl

    from openbell.model.instrument import Instrument

_PRICES = ("open", "high", "low", "close")


def recorded_bars(folder: Path) -> Mapping[str, pl.DataFrame]:
    """By symbol: time (of the open), close_time, open, high, low, close, volume. Empty where the bars are not to be had.

    Raises JournalError where the journal is damaged.
    """
    table = read_table(folder / "run.toml")
    if table["journal"] == "full" and (folder / "journal").is_dir():
        return _from_journal(folder / "journal", recorded_instruments(table))
    has_journal = table["journal"] == "by_reference" and (folder / "journal").is_dir()
    inputs = journal_inputs(folder) if has_journal else recorded_inputs(folder)
    try:
        bars = recorded_data(table, inputs)
    except InputError:
        return {}  # moved away or changed since: a chart without prices is still a chart
    from openbell.runtime.run_tables import bars_frame

    return {series.symbol: bars_frame(series) for series in bars.series}


def _from_journal(path: Path, instruments: tuple[Instrument, ...]) -> Mapping[str, pl.DataFrame]:
    reader = JournalReader(path)
    parts = []
    while (slots := reader.read()) is not None:
        parts.append(select(slots, "BarObserved"))
    rows = np.concatenate(parts) if parts else np.zeros(0, [("instrument", "<u4")])
    found = {one.symbol: rows[rows["instrument"] == number] for number, one in enumerate(instruments, 1)}
    return {
        symbol: _frame(mine, instruments[at]) for at, (symbol, mine) in enumerate(found.items()) if len(mine)
    }


def _frame(rows: np.ndarray[tuple[int], np.dtype[np.void]], instrument: Instrument) -> pl.DataFrame:
    import polars as pl

    times = {"time": rows["open_time"], "close_time": rows["close_time"]}
    prices = {name: unit_floats(rows[name].astype(np.int64), instrument.price_unit) for name in _PRICES}
    volume = {"volume": unit_floats(rows["volume"].astype(np.int64), instrument.quantity_unit)}
    frame = pl.DataFrame(
        {name: np.ascontiguousarray(values).astype(np.int64) for name, values in times.items()}
    )
    return frame.select(pl.all().cast(pl.Datetime("ns", "UTC"))).with_columns(
        *(pl.Series(name, values) for name, values in (prices | volume).items())
    )
