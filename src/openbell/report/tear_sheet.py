"""A run's result for the terminal, drawn by rich."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from openbell.report.formatting import plain_text
from openbell.report.statistics import Statistics
from openbell.report.statistics_table import statistics_table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from openbell.report.tables import RunTables

_MODELS = ("fill_model", "queue_model", "fee_model", "latency_model", "slippage_model", "digest")
_SPARKS = "▁▂▃▄▅▆▇█"


def tear_sheet(tables: RunTables, statistics: Statistics) -> RenderableType:
    """Return the result of a run as a rich renderable: what ran, its equity as a line, statistics, models and
    digest.
    """
    from rich import box
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    strategy = plain_text(tables.settings.get("strategy", "Run"))
    parameters = plain_text(tables.settings.get("parameters"))
    title = Text(strategy, style="bold")  # a Text, so that a name with [brackets] is no markup
    about = Text(parameters if tables.settings.get("parameters") else "", style="dim")
    line = Text(sparkline(tables.equity["equity"].to_list(), 64), style="cyan")
    parts = (about, line, statistics_table(statistics.table()), _models(tables))
    return Panel(Group(*parts), title=title, title_align="left", box=box.ROUNDED, expand=False)


def sparkline(values: Sequence[float], width: int) -> str:
    """Return values as one line of block characters, `width` at most, the last value included."""
    count = min(width, len(values))
    if count == 0:
        return ""
    step = (len(values) - 1) / max(count - 1, 1)
    picked = [values[round(index * step)] for index in range(count)]
    low, high = min(picked), max(picked)
    scale = (len(_SPARKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_SPARKS[round((value - low) * scale)] for value in picked)


def _models(tables: RunTables) -> Table:
    from rich.table import Table
    from rich.text import Text

    models = Table.grid(padding=(0, 2))
    for key in _MODELS:
        if tables.settings.get(key):
            label = key.replace("_", " ").capitalize()
            models.add_row(Text(label, style="dim"), Text(plain_text(tables.settings[key])))
    return models
