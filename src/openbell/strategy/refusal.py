"""A refusal in words: the rule, and its figures in the units people use."""

from __future__ import annotations

from openbell.messages.refusal_figures import figure_text
from openbell.model.instrument import Instrument

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
    figures = (
        f": limit {figure_text(rule, limit, instrument)}, actual {figure_text(rule, actual, instrument)}"
    )
    remedy = f" ({REMEDIES[rule]})" if rule in REMEDIES else ""
    return f"{rule}{figures if limit or actual else ''}{remedy}"
