"""Checked rows of one symbol become a BarSeries: units found or enforced, prices adjusted, times completed."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from openbell.market_data.adjustment import back_adjusted, coarse_decimals, split_notes
from openbell.market_data.bar_periods import leave_out_overlong, open_and_close
from openbell.market_data.bar_rows import PRICES, BarRows, ReadOptions, reasons
from openbell.market_data.bars import BarSeries, InputFile
from openbell.market_data.decimals import (
    INT64_MAX,
    MOST_DECIMALS,
    NumberColumn,
    Scale,
    concat_columns,
    finest_scale,
    off_unit,
    to_units,
)
from openbell.market_data.findings import Finding
from openbell.market_data.frame_bars import FRAME, FRAME_DECODER
from openbell.market_data.joined_rows import JoinedRows
from openbell.model.errors import InputError
from openbell.model.instrument import Instrument
from openbell.model.quantities import EXACT

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

_MOST_VOLUME_DECIMALS = 8


def series_of(blocks: Sequence[BarRows], declared: Instrument | None, options: ReadOptions) -> BarSeries:
    """Return the bars of one symbol from the rows of its tables.

    Raises InputError where tables overlap, a price lies off a declared unit or a number does not fit 64 bits.
    """
    rows = JoinedRows(blocks, options.lenient)
    if declared is not None:
        rows.leave_out([_off_finding(name, rows.numbers[name], declared) for name in PRICES])
    leave_out_overlong(rows)
    instrument = declared or _inferred(rows)
    adjusted, adjustment = _adjusted(rows, options)
    if adjusted is not None:
        instrument = _finer(instrument, adjusted)
    prices = _price_units(rows, instrument, adjusted)
    volume = _volume_units(rows, instrument)
    open_time, close_time, interval = open_and_close(rows, options.bar_time)
    series = BarSeries(
        instrument=instrument,
        open_time=open_time,
        close_time=close_time,
        open=prices["open"],
        high=prices["high"],
        low=prices["low"],
        close=prices["close"],
        volume=volume,
        interval=interval,
        inputs=rows.inputs(),
        adjustment=adjustment,
        skipped=sum(rows.skipped.values()),
        notes=(*rows.notes, *_skipped_note(rows)),
    )
    return series if series.inputs else dataclasses.replace(series, inputs=(_frame_input(series),))


def _off_finding(name: str, column: NumberColumn, declared: Instrument) -> Finding:
    off = off_unit(column, declared.price_unit)
    if declared.price_unit == declared.tick and declared.tick_declared:
        return Finding(
            "price is off the declared tick",
            name,
            off,
            f"a multiple of the tick {declared.tick:f} of {declared.symbol}",
        )
    return Finding(
        "price is off the declared unit",
        name,
        off,
        f"a multiple of {declared.price_unit:f} of {declared.symbol}",
    )


def _inferred(rows: JoinedRows) -> Instrument:
    """Tick from the finest decimal of the prices; lot 1, or the finest decimal of a fractional volume."""
    scale = finest_scale(
        concat_columns([rows.numbers[name] for name in PRICES]), MOST_DECIMALS, coarse_decimals
    )
    volume_scale = _volume_scale(rows)
    tick, lot = _power(-scale.decimals), _power(-volume_scale.decimals)
    lot_from = "the finest decimal of the volume" if volume_scale.decimals else "whole units"
    rows.notes.append(
        f"instrument inferred: tick {tick:f} (the finest decimal seen), lot {lot:f} ({lot_from}), currency USD"
    )
    rows.notes += _scale_notes("prices", scale) + _scale_notes("volumes", volume_scale)
    return Instrument(rows.symbol, tick=tick, lot=lot, tick_declared=False)


def _volume_scale(rows: JoinedRows) -> Scale:
    if "volume" not in rows.numbers:
        rows.notes.append("no volume column: volume is 0")
        return Scale(0, "exact")
    column = rows.numbers["volume"]
    largest = float(np.max(column.values, initial=1.0))
    room = int(np.floor(np.log10(INT64_MAX / largest))) if largest < INT64_MAX else 0
    scale = finest_scale(column, _MOST_VOLUME_DECIMALS, lambda _: _MOST_VOLUME_DECIMALS)
    return scale if scale.decimals <= room else Scale(max(room, 0), "rounded")


def _scale_notes(what: str, scale: Scale) -> list[str]:
    if scale.kind == "single":
        return [f"{what} are single-precision floats, read as their shortest decimals"]
    if scale.kind == "noise":
        return [f"{what} carry float noise beyond {scale.decimals} decimals, which is dropped"]
    if scale.kind == "rounded":
        change = f" (largest relative change {scale.worst:.1e})" if scale.worst else ""
        return [f"{what} have more decimals than are kept: rounded to {scale.decimals}{change}"]
    return []


def _power(exponent: int) -> Decimal:
    return EXACT.scaleb(Decimal(1), exponent)


def _adjusted(rows: JoinedRows, options: ReadOptions) -> tuple[dict[str, Floats] | None, str]:
    """Return adjusted prices (None to keep those written) and the name of what was done."""
    has_column = any("adj_close" in block.columns for block in rows.blocks)
    if options.adjust == "back" and not has_column:
        raise InputError(
            "adjust='back' needs a column Adj Close",
            source=rows.blocks[0].table.source,
            field="adj_close",
            expected='one, or columns={"adj_close": its name}',
        )
    adjusted = back_adjusted(rows.numbers) if has_column and options.adjust != "none" else None
    if adjusted is not None:
        rows.notes.append("open, high, low and close are back-adjusted by Adj Close / Close; volume is not")
        return adjusted, "back"
    if has_column:
        rows.notes.append(
            "Adj Close is not used"
            if options.adjust == "none"
            else "Adj Close equals Close: nothing to adjust"
        )
    rows.notes += split_notes(rows.time, rows.numbers["open"].values, rows.numbers["close"].values)
    return None, "none"


def _finer(instrument: Instrument, adjusted: Mapping[str, Floats]) -> Instrument:
    """Adjusted prices lie between ticks: count them finer; the tick stays the rule for orders."""
    least = min(float(prices.min()) for prices in adjusted.values())
    decimals = max(coarse_decimals(np.array([least])), _decimals(instrument.price_unit))
    return dataclasses.replace(instrument, price_unit=_power(-decimals))


def _decimals(unit: Decimal) -> int:
    exponent = unit.normalize(EXACT).as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _price_units(
    rows: JoinedRows, instrument: Instrument, adjusted: Mapping[str, Floats] | None
) -> dict[str, Ints]:
    columns = rows.numbers if adjusted is None else {name: NumberColumn(adjusted[name]) for name in PRICES}
    units: dict[str, Ints] = {}
    findings = []
    for name in PRICES:
        units[name], over = _count(columns[name], instrument.price_unit, exact=adjusted is None)
        findings.append(
            Finding(
                "price does not fit 64 bits",
                name,
                over,
                f"at most {INT64_MAX} units of {instrument.price_unit:f}",
            )
        )
        gone = (units[name] == 0) & ~over
        if instrument.negative_prices:
            gone &= columns[name].values != 0
        findings.append(
            Finding("price rounds to zero", name, gone, f"at least one unit of {instrument.price_unit:f}")
        )
    kept = len(rows.time)
    rows.leave_out(findings)
    if len(rows.time) == kept:
        return units
    bad = np.logical_or.reduce([finding.rows for finding in findings])
    return {name: array[~bad] for name, array in units.items()}


def _volume_units(rows: JoinedRows, instrument: Instrument) -> Ints:
    if "volume" not in rows.numbers:
        return np.zeros(len(rows.time), dtype=np.int64)
    column = rows.numbers["volume"]
    if instrument.tick_declared and off_unit(column, instrument.quantity_unit).any():
        rows.notes.append(
            f"volumes are rounded to the quantity unit {instrument.quantity_unit:f} of the declared instrument"
        )
    units, over = _count(column, instrument.quantity_unit, exact=False)
    if over.any():
        place = rows.place(int(np.argmax(over)))
        raise InputError(
            "volume does not fit 64 bits",
            source=place.source,
            row=place.row,
            field="volume",
            value=place.value("volume"),
            expected=f"at most {INT64_MAX} units of {instrument.quantity_unit:f}",
        )
    return units


def _count(column: NumberColumn, unit: Decimal, exact: bool) -> tuple[Ints, Mask]:
    """Return numbers counted in `unit` (to the nearest) and a mask of those that do not fit."""
    decimals = _decimals(unit)
    step = int(EXACT.scaleb(unit, decimals))
    units, over = to_units(column, Scale(decimals, "exact" if exact else "rounded"))
    return (units if step == 1 else (units + step // 2) // step), over


def _skipped_note(rows: JoinedRows) -> list[str]:
    count = sum(rows.skipped.values())
    return [f"{count} bad row{'s' if count > 1 else ''} skipped: {reasons(rows.skipped)}"] if count else []


def _frame_input(series: BarSeries) -> InputFile:
    """A frame has no bytes of its own: the hash covers the units and the decoded arrays."""
    units = f"{FRAME_DECODER} {series.instrument.price_unit:f} {series.instrument.quantity_unit:f}\n"
    digest = hashlib.sha256(units.encode())
    for name in ("open_time", "close_time", *PRICES, "volume"):
        digest.update(getattr(series, name).astype("<i8").tobytes())
    return InputFile(FRAME, digest.hexdigest(), FRAME_DECODER)
