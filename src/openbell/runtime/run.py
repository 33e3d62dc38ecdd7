"""A finished run, in memory or opened from its folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from openbell.market_data.bars import InputFile
from openbell.model.errors import ConfigError, InputError
from openbell.model.instrument import Instrument
from openbell.runtime.digest import RunDigest
from openbell.runtime.recorded_code import RecordedCode
from openbell.runtime.result import RunResult
from openbell.runtime.run_files import RunFolder, read_table
from openbell.runtime.run_names import find_run, is_incomplete
from openbell.runtime.run_tables import ExactTables, FoldedTables, report_tables
from openbell.runtime.stored_run import recorded_inputs, recorded_instruments, recorded_parameters
from openbell.runtime.strategy_source import StrategySource

if TYPE_CHECKING:
    import plotly.graph_objects
    import polars as pl

    from openbell.report.statistics import Statistics
    from openbell.report.tables import RunTables


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run besides its tables."""

    name: str
    strategy: str
    parameters: Mapping[str, object]
    settings: Mapping[str, object]
    currency: str
    instruments: tuple[Instrument, ...]
    inputs: tuple[InputFile, ...]
    digest: RunDigest
    notes: tuple[str, ...]

    @classmethod
    def of(cls, result: RunResult) -> RunRecord:
        """The record of a run in memory."""
        return cls(
            name=result.name,
            strategy=result.strategy_name,
            parameters=result.parameters,
            settings={**result.settings, "versions": dict(result.versions)},
            currency=result.currency,
            instruments=result.instruments,
            inputs=result.inputs,
            digest=RunDigest.of(result.inputs, result.output_hash, result.state_hash),
            notes=result.notes,
        )


class Run:
    """The result of a run. Tables are made when they are first asked for.

    `stats` are its statistics; `trades`, `fills`, `orders`, `equity` and `positions` polars frames with money in exact decimals;
    `digest` is equal for runs with the same inputs, outputs and state; `folder` is where it is kept (None while only in memory).
    `plot()` gives a figure, `report()` writes the page for people, `save()` writes a run folder. A notebook shows a summary.
    """

    def __init__(self, result: RunResult, code: RecordedCode | None = None) -> None:
        """The run of a finished engine. `code` is what `save` keeps beside its tables."""
        self._adopt(RunRecord.of(result), FoldedTables(result), None)
        self._result: RunResult | None = result
        self._code: RecordedCode | None = code

    @classmethod
    def _stored(cls, record: RunRecord, folder: Path) -> Run:
        run = cls.__new__(cls)
        run._adopt(record, StoredTables(folder), folder)
        run._result, run._code = None, None
        return run

    def _adopt(self, record: RunRecord, exact: ExactTables, folder: Path | None) -> None:
        self.name = record.name
        self.strategy = record.strategy
        self.parameters = record.parameters
        self.settings = record.settings
        self.currency = record.currency
        self.instruments = record.instruments
        self.inputs = record.inputs
        self.notes = record.notes
        self.folder = folder
        self._digest = record.digest
        self._exact = exact

    @property
    def digest(self) -> str:
        """64 hexadecimal digits over inputs, output hash and state hash."""
        return self._digest.hex

    @property
    def output_hash(self) -> int:
        """Running hash of all events, 128 bits."""
        return self._digest.output_hash

    @property
    def state_hash(self) -> int:
        """Hash of the engine's state at the end, 128 bits."""
        return self._digest.state_hash

    @cached_property
    def stats(self) -> Statistics:
        """The statistics; `run.stats["sharpe_ratio"]`, `run.stats.sharpe_ratio` and `print(run.stats)` work."""
        from openbell.report.statistics import compute_statistics

        return compute_statistics(self.tables)

    @property
    def trades(self) -> pl.DataFrame:
        """Round trips; see `openbell.projections.trades`."""
        return self._exact.table("trades")

    @property
    def fills(self) -> pl.DataFrame:
        """One row per fill; see `openbell.projections.fills`."""
        return self._exact.table("fills")

    @property
    def orders(self) -> pl.DataFrame:
        """Every order in its last state; see `openbell.projections.orders`."""
        return self._exact.table("orders")

    @property
    def equity(self) -> pl.DataFrame:
        """The account at every valuation; see `openbell.projections.equity`, and `benchmark` where there is one."""
        return self._exact.table("equity")

    @property
    def positions(self) -> pl.DataFrame:
        """What was held after every fill; see `openbell.projections.positions`."""
        return self._exact.table("positions")

    @property
    def indicators(self) -> pl.DataFrame:
        """Recorded indicators, long: instrument, time, name, value."""
        return self._exact.table("indicators")

    @cached_property
    def tables(self) -> RunTables:
        """The tables in floats, as reports take them."""
        digests = {
            "digest": self.digest,
            "output_hash": f"{self.output_hash:032x}",
            "state_hash": f"{self.state_hash:032x}",
        }
        about: dict[str, object] = {"strategy": self.strategy, "parameters": dict(self.parameters)}
        if self.folder is not None:
            about["run_id"] = self.folder.name
        return report_tables(self._exact, about | dict(self.settings) | digests, self.currency)

    def plot(self, instrument: str | None = None) -> plotly.graph_objects.Figure:
        """Return price with entries and exits, equity and drawdown as a plotly figure."""
        from openbell.report.figure import figure

        return figure(self.tables, instrument=instrument)

    def report(self, path: str | Path | None = None, *, show: bool = False) -> Path:
        """Write the report page and return where it is: `path`, else report.html in the run folder or the current one.

        `show` opens it in a browser.
        """
        from openbell.report.html import write_report

        target = Path(path) if path is not None else (self.folder or Path()) / "report.html"
        write_report(target, self.tables, self.stats)
        if show:
            import webbrowser

            webbrowser.open(target.resolve().as_uri())
        return target

    def save(self, out: str | Path = "runs", *, suffix: str = "") -> Path:
        """Write a run folder into `out` and return it. It has no journal: only `Backtest.run(out=...)` keeps one.

        Raises ConfigError for a run that has a folder already.
        """
        if self.folder is not None or self._result is None:
            raise ConfigError(f"this run is kept already, in {self.folder}")
        unknown = RecordedCode(StrategySource(self.strategy, missing="the run was saved without it"))
        code = self._code or unknown
        folder = RunFolder.begin(
            out, strategy_name=self.strategy, clock=time.time_ns, code=code, suffix=suffix
        )
        try:
            return self.complete(folder, code)
        except BaseException as error:
            folder.fail(error)
            raise

    def complete(self, folder: RunFolder, code: RecordedCode) -> Path:
        """Fill a run folder that was begun before the run, and give it its final name."""
        if self._result is None:
            raise ConfigError("a run that was opened from a folder is complete")
        self.folder = folder.finish(self._result, self._exact, self.tables, self.stats, code)
        return self.folder

    def __repr__(self) -> str:
        parameters = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        stats = self.stats
        total = "-" if stats.total_return is None else f"{100 * stats.total_return:+.2f} %"
        return (
            f"<Run {self.strategy}({parameters}): {stats.start[:10]} to {stats.end[:10]}, {total}, "
            f"{stats.trades} trades, digest {self.digest[:8]}>"
        )

    def _repr_html_(self) -> str:
        from openbell.report.notebook import notebook_html

        return notebook_html(self.tables, self.stats)


class StoredTables:
    """Tables of a run folder, read when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, pl.DataFrame] = {}

    def table(self, name: str) -> pl.DataFrame:
        """One of `TABLES`. Raises InputError where its file is missing or broken."""
        import polars as pl

        path = self._folder / f"{name}.parquet"
        if name not in self._known:
            try:
                self._known[name] = pl.read_parquet(path)
            except (OSError, pl.exceptions.PolarsError) as error:
                raise InputError(f"cannot be read: {error}", source=path) from error
        return self._known[name]

    def bars(self) -> Mapping[str, pl.DataFrame]:
        """The bars in the journal, or in the data it refers to; empty where neither is there."""
        from openbell.runtime.recorded_bars import recorded_bars

        return recorded_bars(self._folder)


def open_run(folder: str | Path) -> Run:
    """Open a finished run: the path of its folder, or a part of its name that only one in `runs/` has.

    Raises InputError where there is no such run, where it is INCOMPLETE, or where a file of it is missing or was changed.
    """
    path = find_run(folder)
    if is_incomplete(path):
        raise InputError("the run did not finish", source=path, expected="a run without the file INCOMPLETE")
    table = read_table(path / "run.toml")
    recorded = path / "DIGEST"
    if not recorded.is_file():
        raise InputError("no such file", source=recorded, expected="the folder of a finished run")
    strategy = table["strategy"]
    record = RunRecord(
        name=table["name"],
        strategy=strategy["name"],
        parameters=recorded_parameters(strategy),
        settings={**table["settings"], "versions": table["versions"]},
        currency=table["currency"],
        instruments=recorded_instruments(table),
        inputs=recorded_inputs(path),
        digest=RunDigest.parse(recorded.read_text(encoding="utf-8"), recorded),
        notes=tuple(table.get("notes", ())),
    )
    return Run._stored(record, path)
