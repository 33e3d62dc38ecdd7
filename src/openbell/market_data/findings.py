"""Rows that break a rule: the first is raised, or all are counted and left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openbell.model.errors import InputError

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule: why, in which column, in which rows, and what was expected there."""

    reason: str
    field: str
    rows: Mask
    expected: str


@dataclass(frozen=True, slots=True)
class Place:
    """Names a row to its reader: the source, the row as an editor counts it, and what stands there."""

    source: str
    row: int
    value: Callable[[str], Any]


def settle(
    findings: Sequence[Finding], place: Callable[[int], Place], lenient: bool, skipped: Counter[str]
) -> Mask | None:
    """Return the mask of rows to leave out (None for none), counting each under its first reason in `skipped`.

    Raises InputError for the first bad row unless `lenient`.
    """
    broken = [finding for finding in findings if finding.rows.any()]
    if not broken:
        return None
    if not lenient:
        raise _error(min(broken, key=lambda finding: int(np.argmax(finding.rows))), place)
    left_out = np.zeros_like(broken[0].rows)
    for finding in broken:
        fresh = finding.rows & ~left_out
        skipped[finding.reason] += int(fresh.sum())
        left_out |= finding.rows
    return left_out


def _error(finding: Finding, place: Callable[[int], Place]) -> InputError:
    index = int(np.argmax(finding.rows))
    where = place(index)
    value = where.value(finding.field)
    return InputError(
        finding.reason,
        source=where.source,
        row=where.row,
        field=finding.field,
        value="nothing" if value is None else value,
        expected=finding.expected,
    )
