"""`openbell runs`: lists runs with their main figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from openbell.cli.options import COMMON, CommonOptions

if TYPE_CHECKING:
    from rich.table import Table

_FIGURES = (
    "total_return",
    "benchmark_return",
    "sharpe_ratio",
    "max_drawdown",
    "trades",
    "final_equity",
    "currency",
)


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
        console().print(_table(found))
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


def _table(found: list[dict[str, Any]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from openbell.report.formatting import figure_text, plain_text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("Run", "Started", "Strategy"):
        table.add_column(heading, no_wrap=True)
    table.add_column("Parameters", style="dim")
    for heading in ("Return", "Benchmark", "Sharpe", "Drawdown", "Trades"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        if one["state"] != "finished":
            table.add_row(Text(one["state"], style="bold red"), *_parts_of_name(one["run"]))
            continue
        table.add_row(
            one["digest"],
            _minute(one["started"]),
            one["strategy"],
            plain_text(one["parameters"]) if one["parameters"] else "",
            signed_percent(one["total_return"]),
            figure_text(one["benchmark_return"], "percent"),
            figure_text(one["sharpe_ratio"], "ratio"),
            figure_text(one["max_drawdown"], "percent"),
            figure_text(one["trades"], "count"),
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
