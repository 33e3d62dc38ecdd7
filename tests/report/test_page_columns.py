"""Columns packed for the page come back exactly. The reader under test in the browser is JavaScript; here is
its Python twin.
"""

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from openbell.report.page_columns import ColumnBlock, ColumnHead, decimal_scale


def read(block: ColumnBlock, head: ColumnHead) -> NDArray[np.float64]:
    raw = np.frombuffer(zlib.decompress(base64.b64decode(block.text())), np.uint8)
    width = 8 if head["kind"] == "time" else 4
    planes = raw[head["offset"] : head["offset"] + width * head["length"]].reshape(width, -1)
    rows = np.ascontiguousarray(planes.T)
    if head["kind"] == "time":
        return np.cumsum(rows.view("<f8").ravel())
    sums = np.cumsum(rows.view("<u4").ravel().astype(np.uint64)).astype(np.uint32).view(np.int32)
    values = sums / 10.0 ** head["decimals"]
    values[sums == -(2**31)] = np.nan
    return values


@given(hnp.arrays(np.int64, st.integers(0, 50), elements=st.integers(-(10**9), 10**9)), st.integers(0, 6))
def test_decimal_numbers_come_back_exactly(units: NDArray[np.int64], decimals: int) -> None:
    values = units / 10.0**decimals
    block = ColumnBlock()
    block.add_numbers(np.array([1.5, -2.5]))
    assert np.array_equal(read(block, block.add_numbers(values)), values)


@given(hnp.arrays(np.float64, st.integers(1, 50), elements=st.floats(-1e15, 1e15)))
def test_any_other_number_keeps_nine_digits_of_the_largest(values: NDArray[np.float64]) -> None:
    block = ColumnBlock()
    error = np.abs(read(block, block.add_numbers(values)) - values).max()
    assert error <= max(np.abs(values).max() * 2.5e-9, 0.5e-12)


def test_missing_numbers_stay_missing() -> None:
    block = ColumnBlock()
    values = np.array([np.nan, 1.25, np.nan, -3.5])
    assert np.array_equal(read(block, block.add_numbers(values)), values, equal_nan=True)


def test_times_keep_microseconds() -> None:
    block = ColumnBlock()
    times = np.array([1_640_995_200_000_000_000, 1_640_995_200_000_001_000, 4_102_444_800_123_456_000])
    assert np.array_equal(read(block, block.add_times(times)), times // 1000)


@pytest.mark.parametrize(
    ("values", "expected"), [([1.0, 2.0], 0), ([0.25, 1.5], 2), ([1e10], -1), ([0.0], 0), ([1 / 3], 9)]
)
def test_as_few_decimals_as_the_values_need(values: list[float], expected: int) -> None:
    assert decimal_scale(np.array(values)) == expected
