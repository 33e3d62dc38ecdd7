"""The user's code that a run used, strategy and models, as it goes into the run folder and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from openbell.model.quantities import Money
from openbell.runtime.strategy_source import StrategySource, load_class, source_of
from openbell.venue.matching_policy import MatchingPolicy
from openbell.venue.models import FeeModel

_PLAIN = (bool, int, float, str)


@dataclass(frozen=True)
class RecordedModel:
    """Source of a model written in Python, and its attributes, by which it can be built again; None is a value that TOML cannot
    hold.
    """

    source: StrategySource
    attributes: Mapping[str, object]

    @classmethod
    def of(cls, model: object, name: str) -> RecordedModel:
        """What belongs to a model; its files are called `name` where they have no name of their own."""
        attributes = {name: _told(value) for name, value in getattr(model, "__dict__", {}).items()}
        return cls(source_of(type(model), name), attributes)

    @classmethod
    def read(cls, folder: Path, table: Mapping[str, Any]) -> RecordedModel:
        """As `table` told of it, from the files in `folder`."""
        return cls(recorded_source(folder, table), table.get("attributes", {}))

    def table(self) -> dict[str, object]:
        """Its table in run.toml."""
        unknown = [name for name, value in self.attributes.items() if value is None]
        reason = self.source.missing or (f"its attribute {unknown[0]} is no plain value" if unknown else None)
        return {
            **self.source.table(),
            "is_replayable": reason is None,
            "reason": reason,
            "attributes": self.attributes,
        }


@dataclass(frozen=True)
class RecordedCode:
    """Sources of the strategy and, where they are written in Python, of the fee model and the matching policy."""

    strategy: StrategySource
    fee_model: RecordedModel | None = None
    matching_policy: RecordedModel | None = None

    @classmethod
    def of(cls, strategy: object, fees: object = None, policy: object = None) -> RecordedCode:
        """What belongs to a strategy, to what its fees are decided by, and to how its venue matches."""
        return cls(
            source_of(type(strategy), "strategy"),
            RecordedModel.of(fees, "fee_model") if isinstance(fees, FeeModel) else None,
            RecordedModel.of(policy, "matching_policy") if isinstance(policy, MatchingPolicy) else None,
        )

    @property
    def files(self) -> dict[str, bytes]:
        """All files, by their path in the folder `strategy`."""
        models = [model for model in (self.fee_model, self.matching_policy) if model is not None]
        files = dict(self.strategy.files)
        for model in models:
            files |= model.source.files
        return files

    def tables(self) -> dict[str, object]:
        """The tables of the models in run.toml."""
        models = {"fee_model": self.fee_model, "matching_policy": self.matching_policy}
        return {name: None if model is None else model.table() for name, model in models.items()}


def recorded_source(folder: Path, told: Mapping[str, Any]) -> StrategySource:
    """The source that a table of run.toml tells of, from the files in `folder`."""
    return StrategySource(
        told["class"],
        told.get("file", ""),
        {name: (folder / name).read_bytes() for name in told.get("files", ())},
        told["origin"],
        told.get("reason"),
    )


def recorded_model(folder: Path, table: Mapping[str, Any]) -> Any:
    """A model of a run, built again from its source; None where that is not possible."""
    if not table.get("is_replayable"):
        return None
    cls = load_class(folder, table["file"], table["class"], table["files"])
    model: Any = object.__new__(cls)
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
