"""`openbell runs`: lists runs with their main figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from openbell.cli.options import COMMON, CommonOptions

if TYPE_CHECKING:
    from rich.table import Table

    from openbell.report.formatting import Unit

_COLUMNS: dict[str, tuple[str, Unit]] = {
    "total_return": ("Return", "percent"),
    "benchmark_return": ("Benchmark", "percent"),
    "sharpe_ratio": ("Sharpe", "ratio"),
    "max_drawdown": ("Drawdown", "percent"),
    "trades": ("Trades", "count"),
}
_FIGURES = (*_COLUMNS, "final_equity", "currency")
_WIDE = 100
"""Columns of a terminal that has room for the benchmark too."""


def runs(
    folder: Annotated[Path, Parameter(help="Folder with run folders.")] = Path("runs"),
    /,
    *,
    options: CommonOptions = COMMON,
) -> None:
    """List the runs in a folder, oldest first; those that did not finish are marked INCOMPLETE."""
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.run_names import run_folders

    found = [_told(path) for path in run_folders(folder)]
    if options.json:
        print_json({"folder": str(folder), "runs": found})
    elif found:
        console().print(_table(found, console().width >= _WIDE))
    else:
        console().print(f"no runs in {folder}; [bold]openbell demo[/] makes two", highlight=False)


def _told(path: Path) -> dict[str, Any]:
    """What is known of a run without reading its tables."""
    from openbell.runtime.run_files import read_table
    from openbell.runtime.run_names import is_incomplete

    if is_incomplete(path):
        return {"run": path.name, "state": "INCOMPLETE"}
    try:
        table = read_table(path / "run.toml")
        figures = json.loads((path / "stats.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return {"run": path.name, "state": f"unreadable: {error}"}
    strategy = table["strategy"]
    return {
        "run": path.name,
        "state": "finished",
        "strategy": strategy["name"],
        "parameters": strategy.get("parameters", {}),
        "digest": path.name.rsplit("_", 1)[-1],
        "started": table["started"],
        **{name: figures[name] for name in _FIGURES},
    }


def _table(found: list[dict[str, Any]], is_wide: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from openbell.report.formatting import figure_text, plain_text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("Run", "Started"):
        table.add_column(heading, no_wrap=True)
    table.add_column("Strategy", overflow="fold")
    figures = {name: how for name, how in _COLUMNS.items() if is_wide or name != "benchmark_return"}
    for heading, _ in figures.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        if one["state"] != "finished":
            time, strategy = _parts_of_name(one["run"])
            table.add_row("", time, Text.assemble(strategy, " ", (one["state"], "bold red")))
            continue
        parameters = plain_text(one["parameters"]) if one["parameters"] else ""
        table.add_row(
            one["digest"],
            _minute(one["started"]),
            Text.assemble(one["strategy"], " ", (parameters, "dim")),
            signed_percent(one["total_return"]),
            *(figure_text(one[name], unit) for name, (_, unit) in figures.items() if name != "total_return"),
        )
    return table


def _minute(time: str) -> str:
    """2022-01-05T14:30:00.123Z as 2022-01-05 14:30."""
    return time[:16].replace("T", " ")


def _parts_of_name(name: str) -> tuple[str, str]:
    """Time and strategy in the name of a run folder; the name itself where it is another."""
    time, _, strategy = name.partition("_")
    date, _, clock = time.partition("T")
    return (f"{date} {clock[:5].replace('-', ':')}", strategy) if strategy else ("", name)


def signed_percent(value: float | None) -> Any:
    """A return in green or red."""
    from rich.text import Text

    from openbell.report.formatting import figure_text

    return Text(figure_text(value, "percent"), style="" if not value else "green" if value > 0 else "red")
