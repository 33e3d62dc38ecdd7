"""Valuations of 128 bits as exact decimals."""

from decimal import Decimal

import numpy as np
import polars as pl

from openbell.kernel import VALUATION_DTYPE
from openbell.model.quantities import EXACT
from openbell.projections.equity import equity

AMOUNTS = [0, 1, -1, 2**63, -(2**63), 2**64 + 5, -(2**64) - 5, 10**24 + 7, 1_234_567_890_123]


def test_every_amount_is_exact_whatever_its_sign_and_size() -> None:
    values = np.zeros(len(AMOUNTS), VALUATION_DTYPE)
    for row, amount in enumerate(AMOUNTS):
        for shift, name in enumerate(("cash", "equity", "gross", "net")):
            whole = (amount + shift) % 2**128
            values[row][f"{name}_low"] = whole % 2**64
            values[row][f"{name}_high"] = np.array(whole >> 64, "<u8").astype("<i8")
    values["time"] = np.arange(len(AMOUNTS))
    values["account"] = 1
    table = equity(values)
    for shift, name in enumerate(("cash", "equity", "exposure_gross", "exposure_net")):
        assert table[name].to_list() == [Decimal(amount + shift).scaleb(-9, EXACT) for amount in AMOUNTS]
    assert table["time"].to_physical().to_list() == list(range(len(AMOUNTS)))


def test_no_valuation_makes_an_empty_table() -> None:
    table = equity(np.zeros(0, VALUATION_DTYPE))
    assert table.height == 0
    assert table.schema["equity"] == pl.Decimal(38, 9)
