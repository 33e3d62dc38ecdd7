"""What a run folder says about its run: parameters, instruments, inputs, and the data taken in again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openbell.market_data.bars import Bars, BarSeries, InputFile
from openbell.market_data.frame_bars import FRAME
from openbell.model.errors import InputError
from openbell.model.instrument import Instrument
from openbell.runtime.run_files import read_table

_BLOCK = 1 << 20


def recorded_parameters(strategy: Mapping[str, Any]) -> dict[str, object]:
    """The parameters in the table `strategy` of run.toml, those that were None included."""
    return {**dict.fromkeys(strategy.get("parameters_unset", ())), **strategy.get("parameters", {})}


def recorded_instruments(table: Mapping[str, Any]) -> tuple[Instrument, ...]:
    """The instruments in run.toml, by id - 1."""
    return tuple(Instrument(**one) for one in table.get("instrument", ()))


def recorded_inputs(folder: Path) -> tuple[InputFile, ...]:
    """The inputs in inputs.toml."""
    return tuple(InputFile(**one) for one in read_table(folder / "inputs.toml").get("input", ()))


def recorded_data(folder: Path, table: Mapping[str, Any], data: Any = None) -> Bars:
    """The bars that were run, read again from the recorded inputs, or taken from `data` (anything `read_bars` takes).

    Raises InputError for an input that is missing, whose SHA-256 differs, or that reads differently than it did.
    """
    from openbell.market_data.read_bars import read_bars

    inputs = recorded_inputs(folder)
    if data is None:
        for one in inputs:
            require_unchanged(one)
        paths = [one.path for one in inputs]
        data = paths[0] if len(paths) == 1 else paths
    bars = data if isinstance(data, Bars) else read_bars(data)
    return Bars(_part(bars, wanted) for wanted in table.get("bars", ()))


def require_unchanged(recorded: InputFile) -> None:
    """Pass only an input whose file is there with the bytes it had."""
    if recorded.path == FRAME:
        raise InputError(
            "the data was a frame in memory, which no file holds", expected="the same frame, as data="
        )
    path = Path(recorded.path)
    if not path.is_file():
        raise InputError(
            "the data of the run is not there", source=path, expected=f"a file of SHA-256 {recorded.sha256}"
        )
    found = file_sha256(path)
    if found != recorded.sha256:
        raise InputError(
            "the data of the run was changed", source=path, value=found, expected=f"SHA-256 {recorded.sha256}"
        )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _part(bars: Bars, wanted: Mapping[str, Any]) -> BarSeries:
    """The bars of one instrument that were run, by their first and last times."""
    part = bars[wanted["symbol"]].slice(wanted["first_open"], wanted["last_open"] + 1)
    if len(part) != wanted["rows"]:
        raise InputError(
            f"{part.symbol} reads as {len(part)} bars of the recorded period",
            expected=f"{wanted['rows']} as in the run: read the data as it was read then and give it as data=",
        )
    return part
