"""Indicators as a strategy reads them. They are streamed by the kernel, one instance per instrument."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openbell.engine.session import Session
from openbell.kernel import IndicatorValue, crossover
from openbell.model.errors import StrategyError
from openbell.model.instrument import Instrument

__all__ = ["Indicator", "IndicatorValue", "crossover"]


class Indicator:
    """One indicator over every instrument: `self.fast[bar.instrument].value`, or by symbol."""

    __slots__ = ("_by_symbol", "_single", "label")

    def __init__(self, session: Session, number: int, label: str) -> None:
        self.label = label
        self._by_symbol = {
            instrument.symbol: IndicatorValue(session.node, session.participant, number, instrument_id)
            for instrument_id, instrument in enumerate(session.instruments, start=1)
        }
        self._single = next(iter(self._by_symbol.values())) if len(self._by_symbol) == 1 else None

    def __getitem__(self, instrument: Instrument | str) -> IndicatorValue:
        try:
            # Read several times per bar: an instrument is tried first.
            return self._by_symbol[instrument.symbol]  # type: ignore[union-attr]
        except (AttributeError, KeyError):
            pass
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
