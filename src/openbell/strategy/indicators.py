"""Indicators as a strategy reads them. They are streamed by the kernel, one instance per instrument."""

from __future__ import annotations

from openbell.engine.session import Session
from openbell.kernel import IndicatorByInstrument, IndicatorValue, crossover

__all__ = ["Indicator", "IndicatorValue", "crossover"]


class Indicator(IndicatorByInstrument):
    """One indicator over every instrument: `self.fast[bar.instrument].value`, or by symbol.

    It is read several times per bar, so all of it but the making is compiled.
    """

    __slots__ = ()

    @classmethod
    def streamed(cls, session: Session, number: int, label: str) -> Indicator:
        """The indicator `number` of a session's participant."""
        symbols = [instrument.symbol for instrument in session.instruments]
        return cls(label, session.node, session.participant, number, symbols)
