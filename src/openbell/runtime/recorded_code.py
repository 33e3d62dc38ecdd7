"""The user's code that a run used, strategy and fee model, as it goes into the run folder and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from openbell.model.quantities import Money
from openbell.runtime.strategy_source import StrategySource, load_class, source_of
from openbell.venue.models import FeeModel

_PLAIN = (bool, int, float, str)


@dataclass(frozen=True)
class RecordedCode:
    """Sources of the strategy and, where it is written in Python, of the fee model.

    `fee_attributes` are those of the fee model, by which it can be built again; None is a value that TOML cannot hold.
    """

    strategy: StrategySource
    fee_model: StrategySource | None = None
    fee_attributes: Mapping[str, object] | None = None

    @classmethod
    def of(cls, strategy: object, fees: object = None) -> RecordedCode:
        """What belongs to a strategy and what its fees are decided by."""
        source = source_of(type(strategy), "strategy")
        if not isinstance(fees, FeeModel):
            return cls(source)
        attributes = {name: _told(value) for name, value in getattr(fees, "__dict__", {}).items()}
        return cls(source, source_of(type(fees), "fee_model"), attributes)

    @property
    def files(self) -> dict[str, bytes]:
        """All files, by their path in the folder `strategy`."""
        return {**self.strategy.files, **({} if self.fee_model is None else self.fee_model.files)}

    def fee_table(self) -> dict[str, object] | None:
        """The table `fee_model` of run.toml."""
        source = self.fee_model
        if source is None or self.fee_attributes is None:
            return None
        unknown = [name for name, value in self.fee_attributes.items() if value is None]
        reason = source.missing or (f"its attribute {unknown[0]} is no plain value" if unknown else None)
        return {
            **source.table(),
            "is_replayable": reason is None,
            "reason": reason,
            "attributes": self.fee_attributes,
        }


def recorded_fee_model(folder: Path, table: Mapping[str, Any]) -> FeeModel | None:
    """The fee model of a run, built again from its source; None where that is not possible."""
    if not table.get("is_replayable"):
        return None
    cls = load_class(folder, table["file"], table["class"], table["files"])
    model: FeeModel = object.__new__(cls)
    for name, value in table.get("attributes", {}).items():
        object.__setattr__(model, name, _restored(value))
    return model


def _told(value: object) -> object:
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, Money):
        return {"amount": str(value.amount), "currency": value.currency}
    return value if isinstance(value, _PLAIN) else None


def _restored(value: Any) -> object:
    if isinstance(value, Mapping):
        return Decimal(value["decimal"]) if "decimal" in value else Money(value["amount"], value["currency"])
    return value
