"""What a run was begun with: `begun.toml`, in the folder of a run while it runs, from which it can be continued after a crash.

It is written before the first record and removed when `run.toml` says the same and more.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from openbell.market_data.bars import InputFile
from openbell.model.errors import InputError
from openbell.runtime.bar_source import BarSource
from openbell.runtime.durable_file import write_text
from openbell.runtime.parameter_values import fitted_parameters
from openbell.runtime.recorded_code import RecordedCode, RecordedModel, recorded_model, recorded_source
from openbell.runtime.run_files import instrument_table, period_table
from openbell.runtime.setup import Setup
from openbell.runtime.stored_run import recorded_data, recorded_parameters
from openbell.runtime.strategy_source import load_class
from openbell.runtime.toml_text import toml_text
from openbell.strategy.strategy import Strategy
from openbell.venue.models import FeeModel, FillModel, LatencyModel, PercentageFee
from openbell.venue.venue import Venue

BEGUN = "begun.toml"
_PLAIN = (
    "name", "currency", "cash_nano", "leverage_nano", "shorting", "warm_up", "benchmark", "history", "close_at_end", "journal",
    "seed", "start", "end", "start_ns",
)  # fmt: skip


def write_begun(folder: Path, setup: Setup, code: RecordedCode, started_ns: int) -> None:
    """Keep everything that a run needs to be continued."""
    write_text(folder / BEGUN, toml_text(_table(setup, code, started_ns)))


def _table(setup: Setup, code: RecordedCode, started_ns: int) -> dict[str, object]:
    bars = setup.source.bars.series if isinstance(setup.source, BarSource) else ()
    parameters = setup.strategy.parameters
    return {
        "started_ns": started_ns,
        **{name: getattr(setup, name) for name in _PLAIN},
        "strategy": {
            **code.strategy.table(),
            "parameters": dict(parameters),
            "parameters_unset": [name for name, value in parameters.items() if value is None],
        },
        **code.tables(),
        "venue": _venue(setup.venue),
        "fees": _fees(setup.fees),
        "fills": {name: getattr(setup.fills, name) for name in ("limit_fills", "slippage", "volume_share")},
        "latency": {name: getattr(setup.latency, name) for name in ("order_ns", "report_ns", "feed_ns")},
        "input": [
            {"path": one.path, "sha256": one.sha256, "decoder": one.decoder}
            for one in dict.fromkeys(setup.source.inputs)
        ],
        "instrument": [instrument_table(one) for one in setup.source.instruments],
        "bars": [period_table(one) for one in bars if len(one)],
    }


def _fees(fees: FeeModel | PercentageFee) -> dict[str, object] | None:
    if isinstance(fees, FeeModel):
        return None
    return {"maker": fees.maker, "taker": fees.taker, "flat": fees.flat}


def _venue(venue: Venue | None) -> dict[str, object] | None:
    return None if venue is None else {"policy": venue.policy if isinstance(venue.policy, str) else None}


class Begun:
    """A run that was begun and did not finish, as its folder tells it."""

    def __init__(self, folder: Path) -> None:
        """Raises InputError where the folder holds no such run."""
        self.folder = folder
        try:
            self.table: Mapping[str, Any] = tomllib.loads((folder / BEGUN).read_text(encoding="utf-8"))
        except OSError:
            raise InputError(
                "the run cannot be continued: it holds no begun.toml",
                source=folder,
                expected="the folder of a run that was interrupted",
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"not TOML: {error}", source=folder / BEGUN) from error

    @property
    def started_ns(self) -> int:
        """When it was begun, UTC nanoseconds."""
        return int(self.table["started_ns"])

    @property
    def code(self) -> RecordedCode:
        """The user's code as it was recorded; what lies in the folder is not written again."""
        folder = self.folder / "strategy"
        models = (self.table.get(name) for name in ("fee_model", "matching_policy"))
        return RecordedCode(
            recorded_source(folder, self.table["strategy"]),
            *(None if told is None else RecordedModel.read(folder, told) for told in models),
        )

    def setup(self, strategy: Strategy | None, data: Any) -> Setup:
        """The run, ready to be executed again. `strategy` and `data` stand in for what the folder cannot give back.

        Raises InputError for data that is gone or was changed, StrategyError for a strategy that cannot be loaded.
        """
        table = self.table
        plain = {name: table.get(name) for name in _PLAIN}
        return Setup(
            strategy=self._strategy() if strategy is None else strategy,
            source=self._source(data),
            fees=self._fees(),
            fills=FillModel(**table["fills"]),
            latency=LatencyModel(**table["latency"]),
            venue=self._venue(),
            **plain,  # type: ignore[arg-type]
        )

    def _strategy(self) -> Strategy:
        told = self.table["strategy"]
        if not told["is_replayable"]:
            raise InputError(
                f"the strategy cannot be loaded from the run: {told['reason']}",
                source=self.folder,
                expected="the same strategy, as strategy=",
            )
        cls = load_class(self.folder / "strategy", told["file"], told["class"], told["files"])
        loaded: Strategy = cls(**fitted_parameters(cls, recorded_parameters(told)))
        return loaded

    def _source(self, data: Any) -> Any:
        if hasattr(data, "batches") and not hasattr(data, "series"):
            return data
        if not self.table.get("bars"):
            raise InputError(
                "the data of the run was no file of bars",
                source=self.folder,
                expected="its source, as data=",
            )
        inputs = [InputFile(**one) for one in self.table.get("input", ())]
        return BarSource(recorded_data(self.table, inputs, data))

    def _fees(self) -> FeeModel | PercentageFee:
        model = self.table.get("fee_model")
        if model is None:
            fees = self.table["fees"]
            return PercentageFee(*(Decimal(fees[name]) for name in ("maker", "taker", "flat")))
        loaded: FeeModel = self._model("fee model", model)
        return loaded

    def _venue(self) -> Venue | None:
        told = self.table.get("venue")
        if told is None:
            return None
        policy = self.table.get("matching_policy")
        return Venue(told["policy"] if policy is None else self._model("matching policy", policy))

    def _model(self, what: str, told: Mapping[str, Any]) -> Any:
        loaded = recorded_model(self.folder / "strategy", told)
        if loaded is None:
            raise InputError(
                f"the {what} cannot be loaded from the run: {told['reason']}", source=self.folder
            )
        return loaded
