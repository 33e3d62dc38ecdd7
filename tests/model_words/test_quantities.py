"""Price, Quantity and Money."""

import pickle
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbell.model.errors import InputError
from openbell.model.quantities import Money, Price, Quantity

nano = st.integers(-(2**96), 2**96)


def test_a_float_means_its_shortest_decimal_form():
    assert Price(0.1) == Decimal("0.1")
    assert Price(np.float64(0.1)) == Decimal("0.1")
    assert Price(np.float32(0.1)) == Decimal("0.1")  # type: ignore[arg-type]
    assert Quantity(np.int64(7)) == 7
    assert Price(0.1 + 0.2) == Decimal("0.30000000000000004")


@pytest.mark.parametrize(
    "bad", ["", "1,5", "nan", "inf", float("nan"), float("inf"), None, True, [1], "0x10"]
)
def test_what_is_no_finite_number_is_refused(bad):
    with pytest.raises(InputError):
        Price(bad)


def test_money_of_one_currency_adds_subtracts_and_compares():
    assert Money("1.10", "USD") + Money("2", "USD") == Money("3.1", "USD")
    assert Money("1", "USD") - Money("2", "USD") == -Money("1", "USD")
    assert max(Money("1", "USD"), Money("0.005", "USD") * 300) == Money("1.5", "USD")
    assert sum([Money("1", "USD"), Money("2", "USD")]) == Money("3", "USD")
    assert Money("3", "USD") / Money("2", "USD") == Decimal("1.5")
    assert not Money("0", "USD")


def test_a_quantity_times_money_is_money_either_way():
    assert Quantity(100) * Money("0.005", "USD") == Money("0.5", "USD")
    assert Money("0.005", "USD") * Quantity(100) == Money("0.5", "USD")
    assert 2 * Money("0.005", "USD") == Decimal(2) * Money("0.005", "USD")
    assert Quantity(2) * Price("1.5") == Decimal(3)


def test_different_currencies_do_not_mix_but_are_merely_unequal():
    assert Money("1", "USD") != Money("1", "EUR")
    for act in (
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a < b,
        lambda a, b: a >= b,
        lambda a, b: a / b,
    ):
        with pytest.raises(InputError, match="do not mix"):
            act(Money("1", "USD"), Money("1", "EUR"))


def test_a_float_never_holds_or_multiplies_money():
    with pytest.raises(InputError):
        Money(0.1, "USD")  # type: ignore[arg-type]
    for act in (lambda m: m * 0.5, lambda m: 0.5 * m, lambda m: m / 0.5, lambda m: m + 1.0, lambda m: m + 1):
        with pytest.raises(TypeError):
            act(Money("1", "USD"))


def test_money_is_immutable_hashable_and_pickles():
    money = Money("1.50", "USD")
    with pytest.raises(AttributeError):
        money.amount = Decimal(2)  # type: ignore[misc]
    with pytest.raises(AttributeError):
        money._amount = Decimal(2)
    assert hash(money) == hash(Money("1.5", "USD"))
    assert pickle.loads(pickle.dumps(money)) == money
    assert pickle.loads(pickle.dumps(Price("1.5"))) == Price("1.5")
    assert repr(money) == "Money('1.50', 'USD')" and str(money) == "1.50 USD"


def test_nano_rounds_half_to_even():
    assert [Money(a, "USD").nano for a in ("0.0000000005", "0.0000000015", "-0.0000000025")] == [0, 2, -2]


@given(nano)
def test_money_keeps_every_nano(n):
    assert Money.from_nano(n, "USD").nano == n


@given(nano, nano)
def test_sums_of_money_are_exact(a, b):
    assert (Money.from_nano(a, "X") + Money.from_nano(b, "X")).nano == a + b
    assert (Money.from_nano(a, "X") < Money.from_nano(b, "X")) == (a < b)
