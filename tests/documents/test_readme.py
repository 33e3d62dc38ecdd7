"""What the README shows runs as it stands."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl
import pytest


def code_blocks(text: str) -> list[str]:
    """The Python blocks of a Markdown text."""
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def write_bars(path: Path) -> None:
    """IBM's days of the example data, with the column names that many have."""
    stocks = pl.read_parquet(str(files("openbell") / "example_data" / "us_stocks_daily.parquet"))
    ibm = stocks.filter(pl.col("symbol") == "IBM").drop("symbol").tail(800)
    ibm.rename({name: name.title() for name in ibm.columns}).write_csv(path)


def test_the_backtest_of_the_readme_runs(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = code_blocks((root / "README.md").read_text(encoding="utf-8"))
    assert blocks, "the README shows no Python"
    monkeypatch.chdir(tmp_path)
    write_bars(tmp_path / "bars.csv")
    scope: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), scope)
    assert scope["run"].stats["trades"] > 0
    assert "Sharpe" in capsys.readouterr().out
