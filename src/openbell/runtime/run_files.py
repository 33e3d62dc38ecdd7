"""The folder a run leaves behind: `runs/<UTC>_<strategy>_<digest8>`.

| name | |
|---|---|
| run.toml | what ran: strategy and parameters, settings, instruments, versions, times |
| strategy/ | the source of the strategy and of the local files it imports |
| inputs.toml | the data: path, SHA-256, decoder |
| journal/ | everything the engine was told |
| orders, fills, trades, equity, positions, indicators `.parquet` | the tables, money in exact decimals |
| stats.json, report.html | statistics, and the page for people |
| log.jsonl | when what happened |
| DIGEST | see digest.py |
| INCOMPLETE | there until everything above is there |

While it runs its name lacks the digest and it holds INCOMPLETE, which is made first and removed last: a killed process or a full
disk leaves it in place. Every file appears whole or not at all.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openbell.model.errors import ConfigError, InputError, OpenbellError
from openbell.model.time import iso
from openbell.runtime.digest import RunDigest
from openbell.runtime.durable_file import sync_folder, write_bytes, write_text
from openbell.runtime.recorded_code import RecordedCode
from openbell.runtime.run_log import RunLog, WallClock
from openbell.runtime.run_tables import TABLES
from openbell.runtime.toml_text import toml_text

if TYPE_CHECKING:
    from openbell.market_data.bars import BarSeries
    from openbell.report.statistics import Statistics
    from openbell.report.tables import RunTables
    from openbell.runtime.result import RunResult
    from openbell.runtime.run_tables import ExactTables

FORMAT_VERSION = 1
INCOMPLETE = "INCOMPLETE"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.-]+")


class RunFolder:
    """A run folder being written. `begin` makes it, `finish` completes it and gives it its final name."""

    def __init__(self, path: Path, log: RunLog) -> None:
        self.path = path
        self.log = log

    @classmethod
    def begin(
        cls,
        parent: str | Path,
        *,
        strategy_name: str,
        clock: WallClock,
        code: RecordedCode | None = None,
        suffix: str = "",
    ) -> RunFolder:
        """Make the folder of a run that starts now, marked INCOMPLETE, with the strategy's source.

        Its name is taken from `clock`, the name of the strategy and `suffix`. Raises ConfigError where it exists already.
        """
        started = clock()
        name = f"{_time_name(started)}_{_NOT_IN_NAMES.sub('-', strategy_name)}{suffix}"
        path = Path(parent) / name
        _require_free(path)
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise OpenbellError(f"cannot make {path}: {error.strerror}") from error
        write_text(
            path / INCOMPLETE,
            f"This run began at {iso(started)} and has not finished. Its files may be partial.\n",
        )
        folder = cls(path, RunLog(path / "log.jsonl", clock))
        folder.log.info("run began", strategy=strategy_name)
        if code is not None:
            folder._write_code(code)
        return folder

    @property
    def journal(self) -> Path:
        """Where the journal of the run goes; it is made by who writes it."""
        return self.path / "journal"

    def _write_code(self, code: RecordedCode) -> None:
        for name, content in code.files.items():
            path = self.path / "strategy" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, content)
        if code.strategy.missing is not None:
            self.log.info("the strategy cannot be run again from this folder", reason=code.strategy.missing)

    def finish(
        self,
        result: RunResult,
        exact: ExactTables,
        tables: RunTables,
        statistics: Statistics,
        code: RecordedCode,
    ) -> Path:
        """Write everything that is made at the end, give the folder its final name and remove the mark.

        Returns the final path. Raises OpenbellError where a file cannot be written; the mark stays then.
        """
        from openbell.report.html import report_html

        digest = RunDigest.of(result.inputs, result.output_hash, result.state_hash)
        for name in TABLES:
            buffer = BytesIO()
            exact.table(name).write_parquet(buffer)
            write_bytes(self.path / f"{name}.parquet", buffer.getvalue())
        write_text(self.path / "stats.json", statistics.to_json())
        write_text(self.path / "report.html", report_html(tables, statistics))
        write_text(self.path / "inputs.toml", toml_text(inputs_table(result)))
        write_text(self.path / "run.toml", toml_text(run_table(result, code)))
        write_text(self.path / "DIGEST", digest.text())
        self.log.info("run finished", digest=digest.hex, sequence=result.sequence, **_headline(statistics))
        return self._seal(digest)

    def _seal(self, digest: RunDigest) -> Path:
        final = self.path.with_name(f"{self.path.name}_{digest.hex[:8]}")
        _require_free(final)
        self.log.close()
        try:
            self.path.rename(final)
            shutil.rmtree(final / "journal.interrupted", ignore_errors=True)
            (final / "begun.toml").unlink(missing_ok=True)
            (final / INCOMPLETE).unlink()
            sync_folder(final)
            sync_folder(final.parent)
        except OSError as error:
            raise OpenbellError(f"cannot complete {final}: {error.strerror}") from error
        self.path = final
        return final

    def fail(self, error: BaseException) -> None:
        """Note why the run ended early and let go of the folder, which stays marked."""
        try:
            self.log.error("run failed", error=type(error).__name__, message=str(error))
            with (self.path / INCOMPLETE).open("a", encoding="utf-8") as mark:
                mark.write(f"{type(error).__name__}: {error}\n")
        except (OSError, OpenbellError):
            pass  # the disk is full or the folder gone: the first error is the one to tell
        self.log.close()


def _require_free(path: Path) -> None:
    if path.exists():
        raise ConfigError(
            f"the run folder {path} exists already; wait a moment, or tell the runs apart by suffix="
        )


def _time_name(time_ns: int) -> str:
    """2022-01-05T14-30-00.123Z: sorts by time and is a legal name everywhere."""
    date, _, clock = iso(time_ns - time_ns % 1_000_000).rstrip("Z").partition("T")
    seconds, _, fraction = clock.partition(".")
    return f"{date}T{seconds.replace(':', '-')}.{fraction[:3].ljust(3, '0')}Z"


def _headline(statistics: Statistics) -> dict[str, object]:
    names = ("final_equity", "total_return", "max_drawdown", "trades", "fees")
    return {name: statistics[name] for name in names}


def inputs_table(result: RunResult) -> dict[str, object]:
    """The content of inputs.toml: every input once."""
    inputs = dict.fromkeys(result.inputs)
    return {"input": [{"path": one.path, "sha256": one.sha256, "decoder": one.decoder} for one in inputs]}


def run_table(result: RunResult, code: RecordedCode) -> dict[str, object]:
    """The content of run.toml."""
    parameters = result.parameters
    return {
        "format": FORMAT_VERSION,
        "name": result.name,
        "currency": result.currency,
        "journal": result.journal,
        "seed": result.seed,
        "started": iso(result.started_ns),
        "ended": iso(result.ended_ns),
        "notes": list(result.notes),
        "engine": {
            "sequence": result.sequence,
            "output_hash": f"{result.output_hash:032x}",
            "state_hash": f"{result.state_hash:032x}",
        },
        "strategy": {
            "name": result.strategy_name,
            **code.strategy.table(),
            "parameters": dict(parameters),
            "parameters_unset": [name for name, value in parameters.items() if value is None],
        },
        **code.tables(),
        "settings": dict(result.settings),
        "versions": dict(result.versions),
        "instrument": [instrument_table(one) for one in result.instruments],
        "bars": [period_table(one) for one in result.bars.values() if len(one)],
    }


def instrument_table(instrument: Any) -> dict[str, object]:
    """What a run folder says of an instrument, enough to make it again."""
    names = ("symbol", "currency", "tick", "lot", "price_unit", "quantity_unit", "multiplier")
    return {name: str(getattr(instrument, name)) for name in names} | {
        "tick_declared": instrument.tick_declared
    }


def period_table(series: BarSeries) -> dict[str, object]:
    """Which bars of the data were run, so that the same are taken again."""
    first, last = int(series.open_time[0]), int(series.open_time[-1])
    period = {"rows": len(series), "first_open": first, "last_open": last, "interval_ns": series.interval}
    return {"symbol": series.symbol, **period}


def read_table(path: Path) -> Mapping[str, Any]:
    """Read a TOML file of a run folder. Raises InputError where it is missing or no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("no such file", source=path, expected="the folder of a finished run") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not TOML: {error}", source=path) from error
