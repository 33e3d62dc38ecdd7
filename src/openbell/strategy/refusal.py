"""A refusal in words: the rule, and its figures in the units people use."""

from __future__ import annotations

from decimal import Decimal

from openbell.model.instrument import Instrument
from openbell.model.quantities import EXACT
from openbell.model.time import iso

PRICES = ("PRICE_MUST_BE_", "STOP_PRICE_MUST_BE_", "POST_ONLY_MUST_NOT_TAKE", "STOP_MUST_NOT_BE_TRIGGERED")
RATIOS = ("LEVERAGE_MUST_NOT_EXCEED_LIMIT", "PRICE_MUST_BE_IN_BAND")
MONEY = (
    "NOTIONAL_MUST_",
    "GROSS_EXPOSURE_MUST_NOT_EXCEED_LIMIT",
    "EQUITY_MUST_BE_POSITIVE",
    "CASH_MUST_COVER",
)
QUANTITIES = (
    "QUANTITY_MUST_BE_ON_LOT",
    "QUANTITY_MUST_NOT_EXCEED_LIMIT",
    "POSITION_MUST_NOT_EXCEED_LIMIT",
    "SHORT_MUST_BE_ALLOWED",
    "REDUCE_ONLY_MUST_REDUCE",
    "FILL_OR_KILL_MUST_FILL_WHOLE",
    "IMMEDIATE_OR_CANCEL_MUST_FILL_NOW",
)
TIMES = ("EXPIRY_MUST_BE_IN_FUTURE",)
REMEDIES = {
    "PRICE_MUST_BE_ON_TICK": "bar.instrument.round_price(...) puts it there",
    "STOP_PRICE_MUST_BE_ON_TICK": "bar.instrument.round_price(...) puts it there",
    "QUANTITY_MUST_BE_ON_LOT": "bar.instrument.round_quantity(...) puts it there",
    "SHORT_MUST_BE_ALLOWED": "Backtest(shorting=True) allows it",
    "LEVERAGE_MUST_NOT_EXCEED_LIMIT": "Backtest(leverage=...) sets it",
    "REFERENCE_PRICE_MUST_BE_KNOWN": "no price of the instrument has been seen yet",
}


def refusal_text(rule: str, limit: int, actual: int, instrument: Instrument) -> str:
    """`PRICE_MUST_BE_ON_TICK: limit 0.05, actual 96.02 (bar.instrument.round_price(...) puts it there)`."""
    figures = f": limit {_shown(rule, limit, instrument)}, actual {_shown(rule, actual, instrument)}"
    remedy = f" ({REMEDIES[rule]})" if rule in REMEDIES else ""
    return f"{rule}{figures if limit or actual else ''}{remedy}"


def _shown(rule: str, figure: int, instrument: Instrument) -> str:
    if rule.startswith(RATIOS):
        return _plain(Decimal(figure).scaleb(-9, EXACT))
    if rule.startswith(PRICES):
        return _plain(instrument.price(figure))
    if rule.startswith(QUANTITIES):
        return _plain(instrument.quantity(figure))
    if rule.startswith(MONEY):
        return f"{_plain(Decimal(figure).scaleb(-9, EXACT))} {instrument.currency}"
    return iso(figure) if rule.startswith(TIMES) else str(figure)


def _plain(number: Decimal) -> str:
    return f"{number.normalize(EXACT):f}"
