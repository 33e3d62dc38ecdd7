"""`openbell demo`: two strategies over real prices, their reports, and a replay that proves them, in a fresh process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from openbell.cli.options import COMMON, CommonOptions
from openbell.model.errors import DivergenceError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from openbell.runtime.run import Run

STRATEGIES = ("sma_cross", "momentum")
SAMPLE = "sample:us_stocks_daily"
DATA_FOLDER, MOVED_FOLDER = "demo-data", "demo-data-moved-away"


def demo(
    *,
    out: Annotated[Path, Parameter(help="Where the run folders are made.")] = Path("runs"),
    options: CommonOptions = COMMON,
) -> None:
    """Backtest two strategies over daily bars of five stocks, then replay both in a fresh process without their data."""
    from openbell.cli.terminal import print_json

    show = _Story(quiet=options.json)
    with _working_copy(out) as data:
        show.beginning(data)
        runs = [_backtest(name, data, out, quiet=options.json) for name in STRATEGIES]
        show.results(runs)
        moved = data.rename(_empty(out / MOVED_FOLDER) / data.name)
        show.moving(data, moved)
        proofs = [_replay_in_fresh_process(run) for run in runs]
    show.proofs(runs, proofs)
    if options.json:
        told = [
            {"folder": str(run.folder), "digest": run.digest, "statistics": run.stats.to_dict()}
            for run in runs
        ]
        print_json({"runs": told, "replays": proofs})


@contextmanager
def _working_copy(out: Path) -> Iterator[Path]:
    """A copy of the sample data inside the working folder; it and the place it is moved to are gone afterwards."""
    from openbell.cli.samples import sample_path

    source = Path(sample_path(SAMPLE))
    copy = _empty(out / DATA_FOLDER) / source.name
    shutil.copyfile(source, copy)
    try:
        yield copy
    finally:
        for folder in (DATA_FOLDER, MOVED_FOLDER):
            shutil.rmtree(out / folder, ignore_errors=True)


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _backtest(name: str, data: Path, out: Path, *, quiet: bool) -> Run:
    from openbell.cli.backtest import strategy_class
    from openbell.cli.samples import sample_strategy
    from openbell.cli.terminal import progress_bar
    from openbell.runtime.backtest import Backtest

    strategy = strategy_class(str(sample_strategy(name)))()
    test = Backtest(
        strategy, data, cash=100_000, fees="0.1%", slippage="0.02%", shorting=False, benchmark="buy_and_hold"
    )
    with progress_bar(f"{type(strategy).__name__:<10}", "bars") as advance:
        return test.run(out=out, progress=None if quiet else advance)


def _replay_in_fresh_process(run: Run) -> dict[str, Any]:
    """What `openbell replay --json` says, run by an interpreter of its own. Raises DivergenceError with its message."""
    command = [sys.executable, "-m", "openbell", "replay", str(run.folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DivergenceError(
            f"the replay of {run.folder} ended with {done.returncode}: {done.stderr.strip()}"
        )
    proof: dict[str, Any] = json.loads(done.stdout)
    for name in ("state_hash", "output_hash"):
        if proof[name] != f"{getattr(run, name):032x}":
            raise DivergenceError(
                f"{run.folder}: {name} was {getattr(run, name):032x}, the replay has {proof[name]}"
            )
    return proof


class _Story:
    """What the demo tells while it goes on; nothing when quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def _say(self, *parts: RenderableType) -> None:
        from openbell.cli.terminal import console

        if not self._quiet:
            console().print(*parts)

    def beginning(self, data: Path) -> None:
        import polars as pl

        frame = pl.read_parquet(data)
        symbols = ", ".join(frame["symbol"].unique().sort())
        first, last = frame["date"].cast(pl.String).sort().to_list()[:: frame.height - 1]
        self._say(f"\n[bold]1  Two strategies over {frame.height:,} real daily bars[/]")
        self._say(f"   [dim]{symbols}, {first} to {last}, 100,000 USD[/]")
        self._say("   [dim]fees 0.1 %, slippage 0.02 %, no shorting, orders fill at the next open[/]\n")

    def results(self, runs: list[Run]) -> None:
        self._say("", _indented(_results(runs)), "")
        for run in runs:
            self._say(f"   [dim]report[/]  {run.folder}/report.html")

    def moving(self, data: Path, moved: Path) -> None:
        self._say("\n[bold]2  The same again, in a fresh process, without the data[/]")
        self._say(f"   [dim]{data.parent}/ is now {moved.parent}/[/]\n")

    def proofs(self, runs: list[Run], proofs: list[dict[str, Any]]) -> None:
        self._say(_indented(_proofs(runs, proofs)))
        self._say(
            "\n   The engine took in the journals, the strategies ran again: [green]nothing differs.[/]"
        )
        self._say("\n[bold]3  What to try next[/]")
        for command, about in _next_steps(runs):
            self._say(f"   [bold cyan]{command:<34}[/] [dim]{about}[/]")
        self._say("")


_SHOWN = {
    "final_equity": "Final equity",
    "total_return": "Return",
    "benchmark_return": "Buy and hold",
    "annual_return": "Return a year",
    "sharpe_ratio": "Sharpe ratio",
    "max_drawdown": "Max drawdown",
    "trades": "Trades",
    "win_rate": "Win rate",
    "fees": "Fees",
}


def _results(runs: list[Run]) -> Table:
    from rich.text import Text

    from openbell.cli.runs import signed_percent

    table = _grid(runs)
    texts = [{row.name: row.text for row in run.stats.table()} for run in runs]
    parameters = [", ".join(f"{name} {value}" for name, value in run.parameters.items()) for run in runs]
    table.add_row("Parameters", *(Text(text, style="dim") for text in parameters))
    table.add_row("Equity", *(Text(_spark(run), style="cyan") for run in runs))
    for name, label in _SHOWN.items():
        is_return = name in ("total_return", "benchmark_return")
        cells = [
            signed_percent(run.stats[name]) if is_return else texts[at][name] for at, run in enumerate(runs)
        ]
        table.add_row(label, *cells)
    return table


def _spark(run: Run) -> str:
    from openbell.report.tear_sheet import sparkline

    return sparkline(run.tables.equity["equity"].to_list(), 22)


_PROVED = {
    "records": "Records",
    "events": "Events",
    "commands": "Commands of the strategy",
    "output_hash": "Output hash",
    "state_hash": "State hash",
}


def _proofs(runs: list[Run], proofs: list[dict[str, Any]]) -> Table:
    from rich.text import Text

    table = _grid(runs)
    for name, label in _PROVED.items():
        cells = [proof[name] for proof in proofs]
        shown = [f"{cell[:12]}…" if isinstance(cell, str) else f"{cell:,}" for cell in cells]
        table.add_row(label, *(Text.assemble(text, ("  ✓ same", "green")) for text in shown))
    return table


def _indented(table: Table) -> RenderableType:
    from rich.padding import Padding

    return Padding(table, (0, 0, 0, 3))


def _grid(runs: list[Run]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 2), show_edge=False)
    table.add_column("", style="dim", no_wrap=True)
    for run in runs:
        table.add_column(run.strategy, justify="right", no_wrap=True)
    return table


def _next_steps(runs: list[Run]) -> list[tuple[str, str]]:
    first = runs[0].digest[:8]
    return [
        (f"openbell report {first} --open", "see it in a browser"),
        ("openbell runs", "all runs so far"),
        ("openbell init mine && cd mine", "begin a project of your own"),
        ("openbell backtest -p fast=10", "run it, with another parameter"),
    ]
