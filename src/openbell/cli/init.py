"""`openbell init`: begins a project that runs at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from openbell.cli.options import COMMON, CommonOptions
from openbell.model.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def init(
    name: Annotated[Path, Parameter(help="Folder to make.")],
    /,
    *,
    options: CommonOptions = COMMON,
) -> None:
    """Make a folder with a strategy, its settings and a README. `cd` into it and `openbell backtest` runs it."""
    from openbell.cli.terminal import console, print_json

    files = write_project(name)
    if options.json:
        print_json({"project": str(name), "files": files})
        return
    console().print(f"[bold]{name}[/] is ready:")
    for file in files:
        console().print(f"  [dim]{file}[/]")
    console().print(f"\nNext: [bold]cd {name} && openbell backtest[/]")


def write_project(folder: Path) -> list[str]:
    """Write the files of a new project and return their names. Raises ConfigError where the folder is there and not empty."""
    from openbell.cli.samples import sample_strategy
    from openbell.runtime.durable_file import write_text

    if not _NAME.fullmatch(folder.name):
        raise ConfigError(
            f"{folder.name!r} is no name for a project, expected letters, digits, dots and dashes"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists already and is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "strategy.py": sample_strategy("sma_cross").read_text(encoding="utf-8"),
        "backtest.toml": _CONFIG,
        "README.md": _README.format(name=folder.name),
        ".gitignore": "runs/\n__pycache__/\n",
    }
    for file, text in files.items():
        write_text(folder / file, text)
    return list(files)


_CONFIG = """\
# What `openbell backtest` runs in this folder. Options on the command line win over this file, and so do variables:
# OPENBELL__CASH=50000, OPENBELL__PARAMETERS__FAST=10. More files can be layered: openbell backtest -c backtest.toml -c mine.toml

strategy = "strategy.py:SmaCross"
data = "sample:us_stocks_daily"   # or a file: "prices.csv"; several: ["a.csv", "b.csv"]; named: { AAPL = "apple.csv" }

cash = 100_000
fees = "0.1%"                     # of the value of each fill; ["0.02%", "0.05%"] is maker, taker
slippage = "0.02%"                # of the price, against whoever takes
leverage = 1
shorting = false
benchmark = "buy_and_hold"
start = "2005-01-01"

[parameters]
fast = 20
slow = 100
"""

_README = """\
# {name}

A trading strategy on [Openbell](https://pypi.org/project/openbell/).

    openbell backtest                 # run strategy.py with the settings in backtest.toml
    openbell backtest -p fast=10      # with another parameter
    openbell runs                     # compare what has run so far
    openbell replay latest            # prove that the last run is the same when it is replayed

Every run leaves a folder in `runs/`: `report.html` is for people, the Parquet files are for notebooks:

    from openbell import open_run
    run = open_run("latest")
    run.stats, run.trades, run.plot()

Past prices say little about future ones: a backtest is a way to find mistakes, not a promise.
"""
