"""Columns of decimals become integers exactly."""

from decimal import Decimal

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from openbell.market_data.adjustment import coarse_decimals
from openbell.market_data.bars import unit_floats
from openbell.market_data.decimals import (
    NumberColumn,
    Scale,
    concat_columns,
    finest_scale,
    number_column,
    off_unit,
    scaled,
    to_units,
)

MOST = 9
whole = st.integers(1, 10**15 - 1)


def written(units, decimals):
    return f"{Decimal(units).scaleb(-decimals):f}"


def column_of(texts):
    column, none = number_column(pl.Series(texts, dtype=pl.String))
    assert not none.any()
    return column


def finest(texts):
    """The obvious twin: the most decimals any text needs."""
    return max(max(-int(Decimal(text).normalize().as_tuple().exponent), 0) for text in texts)


@given(st.lists(st.tuples(whole, st.integers(0, MOST)), min_size=1, max_size=30))
def test_texts_of_up_to_fifteen_digits_become_the_same_integers_as_with_decimal(numbers):
    texts = [written(units, decimals) for units, decimals in numbers]
    column = column_of(texts)
    scale = finest_scale(column, MOST, coarse_decimals)
    assert (scale.kind, scale.decimals) == ("exact", finest(texts))
    units, over = to_units(column, scale)
    exact = [int(Decimal(text).scaleb(scale.decimals)) for text in texts]
    assert [bool(flag) for flag in over] == [abs(number) > 2**63 - 1 for number in exact]
    assert [int(x) for x in units] == [
        0 if flag else number for number, flag in zip(exact, over, strict=True)
    ]


@given(st.lists(st.tuples(st.integers(1, 2**62), st.integers(0, MOST)), min_size=1, max_size=10))
def test_texts_longer_than_a_float_keep_every_digit(numbers):
    texts = [written(units, decimals) for units, decimals in numbers]
    column = concat_columns([column_of(texts[:1]), *([column_of(texts[1:])] if texts[1:] else [])])
    scale = finest_scale(column, MOST, coarse_decimals)
    assert scale.kind == "exact" and scale.decimals == finest(texts)
    units, over = to_units(column, scale)
    for text, count, flag in zip(texts, units.tolist(), over.tolist(), strict=True):
        assert flag or Decimal(count).scaleb(-scale.decimals) == Decimal(text)


@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, MOST)), min_size=1, max_size=30))
def test_floats_of_a_frame_become_the_decimals_they_print_as(numbers):
    values = [float(written(units, decimals)) for units, decimals in numbers]
    column = NumberColumn(np.array(values))
    scale = finest_scale(column, MOST, coarse_decimals)
    assert scale.kind == "exact" and scale.decimals == finest([f"{Decimal(repr(x)):f}" for x in values])
    units, _ = to_units(column, scale)
    assert [Decimal(n).scaleb(-scale.decimals) for n in units.tolist()] == [Decimal(repr(x)) for x in values]


@given(st.lists(st.integers(1, 10**7), min_size=2, max_size=30), st.integers(1, 6))
def test_single_precision_floats_are_read_as_their_shortest_decimals(numbers, decimals):
    texts = [written(units, decimals) for units in numbers]
    single = np.array([float(text) for text in texts], dtype=np.float32)
    declared, _ = number_column(pl.Series(single))  # typed as single precision: always exact
    scale = finest_scale(declared, MOST, coarse_decimals)
    assert scale == Scale(finest(texts), "exact")
    assert to_units(declared, scale)[0].tolist() == [int(Decimal(t).scaleb(scale.decimals)) for t in texts]

    # Widened they are only guessed from the values, and never where few decimals hold them.
    widened = NumberColumn(single.astype(np.float64))
    guess = finest_scale(widened, MOST, coarse_decimals)
    assert guess.decimals == scale.decimals if guess.kind == "single" else guess.decimals <= 6


@given(
    st.lists(st.tuples(st.integers(1, 10**7), st.sampled_from([-3, -1, 0, 1, 3])), min_size=1, max_size=30)
)
def test_float_noise_is_dropped_and_named(numbers):
    clean = np.array([units / 100 for units, _ in numbers])
    noisy = clean + np.array([steps for _, steps in numbers]) * np.spacing(clean)
    scale = finest_scale(NumberColumn(noisy), MOST, coarse_decimals)
    units, _ = to_units(NumberColumn(noisy), scale)
    assert (scale.kind == "exact") == bool((clean == noisy).all())
    assert unit_floats(units, Decimal(1).scaleb(-scale.decimals)).tolist() == clean.tolist()


def test_sums_of_floats_are_noise_and_no_finer_price():
    column = NumberColumn(np.array([0.1 + 0.2, 1.1, 2.2]))
    assert finest_scale(column, MOST, coarse_decimals) == Scale(1, "noise")
    assert to_units(column, Scale(1, "noise"))[0].tolist() == [3, 11, 22]


def test_prices_with_more_than_nine_decimals_are_rounded_to_at_least_seven_digits():
    column = NumberColumn(np.array([1 / 3, 100 / 7]))
    scale = finest_scale(column, MOST, coarse_decimals)
    assert scale.kind == "rounded" and scale.decimals == 7 and 0 < scale.worst < 1e-6


@settings(max_examples=300)
@given(
    st.integers(1, 10**12),
    st.integers(0, 8),
    st.sampled_from(["0.01", "0.05", "0.25", "1", "0.001", "5", "0.0000001"]),
)
def test_off_unit_agrees_with_decimal(units, decimals, unit):
    text = written(units, decimals)
    expected = Decimal(text) % Decimal(unit) != 0
    assert off_unit(column_of([text]), Decimal(unit)).tolist() == [expected]
    assert off_unit(NumberColumn(np.array([float(text)])), Decimal(unit)).tolist() == [expected]


@given(st.integers(1, 10**9), st.sampled_from(["0.01", "0.05", "0.25", "1", "0.001", "5", "0.0000001"]))
def test_a_multiple_of_the_unit_is_never_off_it(units, unit):
    text = f"{units * Decimal(unit):f}"
    assert not off_unit(column_of([text]), Decimal(unit)).any()
    assert not off_unit(NumberColumn(np.array([float(text)])), Decimal(unit)).any()


@given(st.integers(1, 10**15 - 1), st.integers(-9, 0))
def test_scaling_by_a_power_of_ten_loses_no_digit(units, exponent):
    column = scaled(column_of([str(units)]), exponent)
    assert column.values[0] == float(Decimal(units).scaleb(exponent))


@given(
    st.lists(st.integers(-(2**52), 2**52), min_size=1),
    st.sampled_from(["0.01", "0.25", "1", "100", "0.000001"]),
)
def test_units_become_the_nearest_floats(units, unit):
    expected = [float(Decimal(n) * Decimal(unit)) for n in units]
    if max(abs(n) for n in units) < 2**45:
        assert unit_floats(np.array(units, dtype=np.int64), Decimal(unit)).tolist() == expected


def test_what_is_no_number_is_marked():
    _, none = number_column(pl.Series(["1", " 2 ", "x", None, "1,5", "", "nan"]))
    assert none.tolist() == [False, False, True, True, True, True, False]
    assert number_column(pl.Series([True, False]))[1].tolist() == [True, True]
    assert number_column(pl.Series([1.0, None]))[1].tolist() == [False, True]
    column, _ = number_column(pl.Series(["1.50"], dtype=pl.String).cast(pl.Decimal(10, 2)))
    assert column.values.tolist() == [1.5]
    column, _ = number_column(pl.Series([2**60 + 1]))
    assert to_units(column, finest_scale(column, 0, coarse_decimals))[0].tolist() == [2**60 + 1]
