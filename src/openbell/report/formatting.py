"""How a figure is written for people: one place, so that terminal, notebook and page agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["percent", "money", "ratio", "count", "days", "text"]

UNDEFINED = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class StatisticRow:
    """One line of a statistics table. `tone` is 1 for good news, -1 for bad, 0 where a color says nothing."""

    name: str
    group: str
    label: str
    text: str
    tone: int


def figure_text(value: object, unit: Unit, currency: str = "") -> str:
    """Return a figure as text; None as a dash."""
    if value is None:
        return UNDEFINED
    if unit == "text" or not isinstance(value, int | float):
        return str(value)
    return _number_text(value, unit, currency)


def _number_text(value: float, unit: Unit, currency: str) -> str:
    if unit == "percent":
        return f"{100 * value:,.2f} %"
    if unit == "money":
        return f"{money_text(value)} {currency}".strip()
    if unit == "count":
        return f"{value:,.0f}"
    return f"{value:,.1f} days" if unit == "days" else f"{value:,.2f}"


def money_text(value: float) -> str:
    """Return an amount with two decimals, more where it is small."""
    return f"{value:,.2f}" if abs(value) >= 1 or value == 0 else f"{value:,.6g}"


def plain_text(value: object) -> str:
    """Return a setting as one line: floats short, mappings and sequences joined by commas."""
    if isinstance(value, dict):
        return ", ".join(f"{key}={plain_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain_text(item) for item in value)
    if isinstance(value, float):
        return f"{value:,.10g}"
    return UNDEFINED if value is None else str(value)
