"""Instrument: units, tick, lot."""

import dataclasses
import pickle
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbell.model.errors import InputError
from openbell.model.instrument import Instrument
from openbell.model.quantities import Price, Quantity

BTC = Instrument("BTCUSDT", tick="0.1", lot="0.001", currency="USDT")


def test_numbers_are_accepted_in_every_form_and_equal_instruments_are_equal():
    same = Instrument("BTCUSDT", "USDT", Decimal("0.10"), Decimal("1e-3"), "0.1", "0.001", 1)
    assert same == BTC and hash(same) == hash(BTC) and repr(same) == repr(BTC)
    assert repr(BTC) == "Instrument('BTCUSDT', 'USDT', tick='0.1', lot='0.001')"
    assert eval(repr(BTC)) == BTC
    assert Instrument("X", lot=100).lot == 100 and repr(Instrument("X", lot="1E2")).endswith("lot='100')")


def test_it_is_frozen_pickles_and_replaces():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BTC.tick = Decimal(1)  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(BTC)) == BTC
    assert dataclasses.replace(BTC, tick="0.5").tick == Decimal("0.5")  # type: ignore[arg-type]


def test_prices_and_quantities_are_counted_in_units():
    fine = Instrument("AAPL", tick="0.01", price_unit="0.0001", quantity_unit="0.5", lot=1)
    assert fine.price_units("1.0003") == 10_003 and fine.price(10_003) == Price("1.0003")
    assert fine.quantity_units("2.5") == 5 and fine.quantity(5) == Quantity("2.5")
    assert (fine.tick_units, fine.lot_units) == (100, 2)
    assert (fine.price_unit_nano, fine.quantity_unit_nano, fine.multiplier_nano) == (
        100_000,
        500_000_000,
        10**9,
    )


def test_a_price_between_two_units_is_refused_and_rounding_helps():
    with pytest.raises(
        InputError, match=r"price of BTCUSDT is off its unit, found 0\.15, expected a multiple of 0\.1"
    ):
        BTC.price_units("0.15")
    assert BTC.round_price("0.15") == Price("0.2") and BTC.round_price("0.25") == Price("0.2")
    assert BTC.round_price("0.15", "down") == Price("0.1") and BTC.round_price("0.11", "up") == Price("0.2")
    assert BTC.round_price("-0.15", "down") == Price("-0.2")
    assert BTC.round_quantity("1.2349") == Quantity("1.234")
    with pytest.raises(InputError, match="nearest, down or up"):
        BTC.round_price(1, "sideways")  # type: ignore[arg-type]


def test_what_does_not_fit_64_bits_is_refused():
    assert BTC.price_units((2**63 - 1) * Decimal("0.1")) == 2**63 - 1
    with pytest.raises(InputError, match="64 bits"):
        BTC.price_units(2**63 * Decimal("0.1"))


@pytest.mark.parametrize(
    "terms",
    [
        {"tick": 0},
        {"tick": "-0.01"},
        {"tick": "nan"},
        {"tick": "x"},
        {"tick": "1e-10"},
        {"tick": "0.01", "price_unit": "0.003"},
        {"lot": 1, "quantity_unit": "0.3"},
        {"multiplier": 0},
        {"symbol": ""},
        {"symbol": " A"},
        {"symbol": "A\n"},
        {"currency": ""},
        {"currency": "U S"},
    ],
)
def test_units_that_cannot_work_are_refused_naming_the_field(terms):
    with pytest.raises(InputError) as caught:
        Instrument(**{"symbol": "X", **terms})
    assert caught.value.field in terms


@given(st.integers(1, 10**6), st.integers(0, 9), st.integers(-(2**62), 2**62))
def test_every_count_of_units_survives_the_way_there_and_back(step, decimals, units):
    unit = Decimal(step).scaleb(-decimals)
    instrument = Instrument("X", tick=unit, lot=unit)
    assert instrument.price_units(instrument.price(units)) == units
    assert instrument.quantity_units(instrument.quantity(units)) == units
    assert instrument.round_price(instrument.price(units)) == instrument.price(units)
