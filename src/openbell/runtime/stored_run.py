"""What a run folder says about its run: parameters, instruments, inputs, and the data taken in again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from openbell.market_data.bars import Bars, BarSeries, InputFile
from openbell.messages.layouts import Slots
from openbell.model.errors import InputError
from openbell.model.instrument import Instrument
from openbell.runtime.bar_source import BarSource
from openbell.runtime.recorded_inputs import journal_inputs, require_same_inputs, require_unchanged
from openbell.runtime.run_files import read_table


def recorded_parameters(strategy: Mapping[str, Any]) -> dict[str, object]:
    """The parameters in the table `strategy` of run.toml, those that were None included."""
    return {**dict.fromkeys(strategy.get("parameters_unset", ())), **strategy.get("parameters", {})}


def recorded_instruments(table: Mapping[str, Any]) -> tuple[Instrument, ...]:
    """The instruments in run.toml, by id - 1."""
    return tuple(Instrument(**one) for one in table.get("instrument", ()))


def recorded_inputs(folder: Path) -> tuple[InputFile, ...]:
    """The inputs in inputs.toml, which is for people; the journal names the same."""
    return tuple(InputFile(**one) for one in read_table(folder / "inputs.toml").get("input", ()))


def recorded_data(table: Mapping[str, Any], inputs: Sequence[InputFile], data: Any = None) -> Bars:
    """The bars that were run, read again from their recorded `inputs`, or taken from `data` (anything `read_bars` takes).

    Raises InputError for an input that is missing, whose SHA-256 or decoder differs, or that reads differently than it did.
    """
    from openbell.market_data.read_bars import read_bars

    if data is None:
        for one in inputs:
            require_unchanged(one)
        paths = [one.path for one in inputs]
        data = paths[0] if len(paths) == 1 else paths
    bars = data if isinstance(data, Bars) else read_bars(data)
    require_same_inputs(inputs, [file for series in bars.series for file in series.inputs])
    return Bars(_part(bars, wanted) for wanted in table.get("bars", ()))


def recorded_slots(folder: Path, data: Any = None) -> Slots:
    """The records that the journal by reference in the run `folder` points at, made again from the files that it names.

    `data` stands in for them: anything `read_bars` takes, or a source. Raises InputError where it has other bytes than those
    files had, or where there is none.
    """
    inputs = journal_inputs(folder)
    if hasattr(data, "batches"):
        require_same_inputs(inputs, data.inputs)
        return np.concatenate(list(data.batches()))
    table = read_table(folder / "run.toml")
    if not table.get("bars"):
        raise InputError(
            "the data of the run was no file of bars", source=folder, expected="its source, as data="
        )
    return np.concatenate(list(BarSource(recorded_data(table, inputs, data)).batches()))


def _part(bars: Bars, wanted: Mapping[str, Any]) -> BarSeries:
    """The bars of one instrument that were run, by their first and last times."""
    part = bars[wanted["symbol"]].slice(wanted["first_open"], wanted["last_open"] + 1)
    if len(part) != wanted["rows"]:
        raise InputError(
            f"{part.symbol} reads as {len(part)} bars of the recorded period",
            expected=f"{wanted['rows']} as in the run: read the data as it was read then and give it as data=",
        )
    return part
