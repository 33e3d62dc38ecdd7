"""Refusals in the units people use."""

import pytest

from openbell import Instrument
from openbell.kernel import rule_registry
from openbell.messages import refusal_figures
from openbell.strategy import refusal
from openbell.strategy.refusal import refusal_text

COIN = Instrument("BTC", tick="0.5", lot="0.001", currency="USDT")

TABLE = [
    (
        "PRICE_MUST_BE_ON_TICK",
        1,
        7,
        "PRICE_MUST_BE_ON_TICK: limit 0.5, actual 3.5 (bar.instrument.round_price(...) puts it there)",
    ),
    ("QUANTITY_MUST_NOT_EXCEED_LIMIT", 1000, 2500, "QUANTITY_MUST_NOT_EXCEED_LIMIT: limit 1, actual 2.5"),
    (
        "NOTIONAL_MUST_NOT_EXCEED_LIMIT",
        10**12,
        15 * 10**11,
        "NOTIONAL_MUST_NOT_EXCEED_LIMIT: limit 1000 USDT, actual 1500 USDT",
    ),
    ("PRICE_MUST_BE_IN_BAND", 10**8, 2 * 10**8, "PRICE_MUST_BE_IN_BAND: limit 0.1, actual 0.2"),
    (
        "EXPIRY_MUST_BE_IN_FUTURE",
        10**18,
        9 * 10**17,
        "limit 2001-09-09T01:46:40Z, actual 1998-07-09T16:00:00Z",
    ),
    ("OPEN_ORDERS_MUST_NOT_EXCEED_LIMIT", 5, 6, "OPEN_ORDERS_MUST_NOT_EXCEED_LIMIT: limit 5, actual 6"),
    ("CANCELED_ON_REQUEST", 0, 0, "CANCELED_ON_REQUEST"),
]


@pytest.mark.parametrize(("rule", "limit", "actual", "text"), TABLE, ids=[row[0] for row in TABLE])
def test_figures_are_prices_quantities_money_ratios_and_times(rule, limit, actual, text):
    assert text in refusal_text(rule, limit, actual, COIN)


def test_every_rule_that_is_named_here_is_one_of_the_engine():
    known = {name for _, name in rule_registry()}
    for kind in (
        refusal_figures.PRICES,
        refusal_figures.RATIOS,
        refusal_figures.MONEY,
        refusal_figures.QUANTITIES,
        refusal_figures.TIMES,
        refusal.REMEDIES,
    ):
        for name in kind:
            assert any(rule.startswith(name) for rule in known), name
