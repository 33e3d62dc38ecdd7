"""The figures of a refusal in the units people use. A rule's figures are counted in units of its own inside."""

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
    "QUANTITY_MUST_REACH_MINIMUM",
    "POSITION_MUST_NOT_EXCEED_LIMIT",
    "SHORT_MUST_BE_ALLOWED",
    "REDUCE_ONLY_MUST_REDUCE",
    "FILL_OR_KILL_MUST_FILL_WHOLE",
    "IMMEDIATE_OR_CANCEL_MUST_FILL_NOW",
)
TIMES = ("EXPIRY_MUST_BE_IN_FUTURE",)


def figure_text(rule: str, figure: int, instrument: Instrument) -> str:
    """A limit or an actual value of `rule`: a price, a quantity, money, a ratio or a time, as the rule is about one."""
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
