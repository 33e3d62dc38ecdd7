"""Indicators as a strategy reads them. They are streamed by the kernel, one instance per instrument."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from openbell.engine.session import Session
from openbell.model.errors import StrategyError
from openbell.model.instrument import Instrument


class IndicatorValue:
    """One indicator on one instrument: its value now and the value before it.

    It compares with numbers and with other indicators (`bar.close > self.trend[bar.instrument]`); every comparison is False
    while there is not enough data. `float(...)` and `value` give the number to reckon with.
    """

    __slots__ = ("_instrument", "_number", "_read", "_session")

    def __init__(self, session: Session, number: int, instrument: int) -> None:
        self._session = session
        self._number = number
        self._instrument = instrument
        self._read = session.node.indicator

    def values(self) -> tuple[float | None, float | None]:
        """Value and the value before it; None where there was not enough data yet."""
        return self._read(self._session.participant, self._number, self._instrument)

    @property
    def value(self) -> float:
        """The value after the last closed bar; NaN while there is not enough data."""
        value = self.values()[0]
        return math.nan if value is None else value

    @property
    def previous(self) -> float:
        """The value one bar earlier; NaN while there is none."""
        value = self.values()[1]
        return math.nan if value is None else value

    @property
    def is_ready(self) -> bool:
        """Whether there was enough data."""
        return self.values()[0] is not None

    def __float__(self) -> float:
        return self.value

    def __lt__(self, other: IndicatorValue | float) -> bool:
        return self.value < float(other)

    def __gt__(self, other: IndicatorValue | float) -> bool:
        return self.value > float(other)

    def __le__(self, other: IndicatorValue | float) -> bool:
        return self.value <= float(other)

    def __ge__(self, other: IndicatorValue | float) -> bool:
        return self.value >= float(other)

    def __repr__(self) -> str:
        return f"<IndicatorValue {self.value} after {self.previous}>"


class Indicator:
    """One indicator over every instrument: `self.fast[bar.instrument].value`, or by symbol."""

    __slots__ = ("_by_symbol", "_single", "label")

    def __init__(self, session: Session, number: int, label: str) -> None:
        self.label = label
        self._by_symbol = {
            instrument.symbol: IndicatorValue(session, number, instrument_id)
            for instrument_id, instrument in enumerate(session.instruments, start=1)
        }
        self._single = next(iter(self._by_symbol.values())) if len(self._by_symbol) == 1 else None

    def __getitem__(self, instrument: Instrument | str) -> IndicatorValue:
        symbol: Any = getattr(instrument, "symbol", instrument)
        try:
            return self._by_symbol[symbol]
        except (KeyError, TypeError):
            raise StrategyError(
                f"{self.label} knows no instrument {symbol!r}; there are: {', '.join(self._by_symbol)} "
                f"(the value one bar earlier is {self.label}[bar.instrument].previous)"
            ) from None

    def __iter__(self) -> Iterator[IndicatorValue]:
        return iter(self._by_symbol.values())

    def _only(self) -> IndicatorValue:
        if self._single is None:
            raise StrategyError(
                f"{self.label} is streamed for {len(self._by_symbol)} instruments; say which: indicator[bar.instrument]"
            )
        return self._single

    @property
    def value(self) -> float:
        """The value where there is a single instrument."""
        return self._only().value

    @property
    def previous(self) -> float:
        """The value one bar earlier where there is a single instrument."""
        return self._only().previous

    def values(self) -> tuple[float | None, float | None]:
        """Value and the value before it where there is a single instrument."""
        return self._only().values()

    @property
    def is_ready(self) -> bool:
        """Whether there was enough data, where there is a single instrument."""
        return self._only().is_ready

    def __float__(self) -> float:
        return self.value

    def __lt__(self, other: Indicator | IndicatorValue | float) -> bool:
        return self.value < float(other)

    def __gt__(self, other: Indicator | IndicatorValue | float) -> bool:
        return self.value > float(other)

    def __le__(self, other: Indicator | IndicatorValue | float) -> bool:
        return self.value <= float(other)

    def __ge__(self, other: Indicator | IndicatorValue | float) -> bool:
        return self.value >= float(other)

    def __repr__(self) -> str:
        return f"<Indicator {self.label}>"


def crossover(first: Indicator | IndicatorValue | float, second: Indicator | IndicatorValue | float) -> bool:
    """True on the bar on which `first` goes from below `second` to above it; swap them for the way down.

    Either may be a number, a level that does not move. Touching is neither below nor above. False while there is not enough
    data. An indicator over several instruments needs to be told which: `crossover(self.fast[bar.instrument], ...)`.
    """
    now, before = _pair(first)
    other_now, other_before = _pair(second)
    if now is None or before is None or other_now is None or other_before is None:
        return False
    return before < other_before and now > other_now


def _pair(series: Indicator | IndicatorValue | float) -> tuple[float | None, float | None]:
    if isinstance(series, (Indicator, IndicatorValue)):
        return series.values()
    return float(series), float(series)
