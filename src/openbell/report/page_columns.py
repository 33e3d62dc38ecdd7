"""Number columns packed for the report page: small in the file, exact in the chart, read back by
`assets/columns.js`.

A column is turned into integers, each stored as the difference to the one before, with all first bytes
together, then all second bytes and so on: prices compress to about two bytes a value that way. All columns
lie behind each other in one deflated block.

* numbers: 32-bit integers at a decimal scale. A column that needs more keeps its nine leading digits.
* times:   64-bit floats holding whole microseconds, which are exact until the year 2255.
"""

from __future__ import annotations

import base64
import math
import zlib
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

_LIMIT = 2**31 - 2
_MISSING = -(2**31)


class ColumnHead(TypedDict):
    """Where a column lies in the block: 'number' or 'time', first byte, length in values, decimal scale."""

    kind: str
    offset: int
    length: int
    decimals: int


class ColumnBlock:
    """Collects columns and gives them back as one text."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add_numbers(self, values: NDArray[np.float64]) -> ColumnHead:
        """Append numbers; NaN is kept as missing."""
        decimals = decimal_scale(values)
        known = np.isfinite(values)
        scaled = np.where(known, np.rint(np.where(known, values, 0.0) * 10.0**decimals), _MISSING)
        steps = np.diff(scaled.astype(np.int64), prepend=0).astype(np.uint64).astype(np.uint32)
        return self._append("number", steps.astype("<u4").view(np.uint8).reshape(-1, 4), decimals)

    def add_times(self, time_ns: NDArray[np.int64]) -> ColumnHead:
        """Append UTC times in nanoseconds; what is below a microsecond is dropped."""
        steps = np.diff(time_ns // 1_000, prepend=0).astype("<f8")
        return self._append("time", steps.view(np.uint8).reshape(-1, 8), 0)

    def text(self) -> str:
        """Return the block, deflated (zlib) and in base64."""
        return base64.b64encode(zlib.compress(b"".join(self._parts), 6)).decode("ascii")

    def _append(self, kind: str, planes: NDArray[np.uint8], decimals: int) -> ColumnHead:
        packed = planes.T.tobytes()
        head = ColumnHead(kind=kind, offset=self._size, length=planes.shape[0], decimals=decimals)
        self._parts.append(packed)
        self._size += len(packed)
        return head


def decimal_scale(values: NDArray[np.float64]) -> int:
    """Return how many decimals to keep: as few as give every value back exactly, at most what 31 bits hold
    (negative for huge).
    """
    known = values[np.isfinite(values)]
    largest = float(np.abs(known).max(initial=0.0))
    most = 12 if largest < 1e-6 else min(12, math.floor(math.log10(_LIMIT / largest)))
    for decimals in range(min(most, 0), most):
        factor = 10.0**decimals
        if np.array_equal(np.rint(known * factor) / factor, known):
            return decimals
    return most
