"""Several runs side by side: one table of statistics, and their equity curves on one scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from openbell.model.errors import ConfigError
from openbell.report.statistics import Statistics, compute_statistics

if TYPE_CHECKING:
    import plotly.graph_objects
    import polars as pl
    from rich.table import Table

    from openbell.report.tables import RunTables

_MAX_POINTS = 5_000
_SHOWN = (
    "total_return", "annual_return", "annual_volatility", "sharpe_ratio", "sortino_ratio", "max_drawdown",
    "max_drawdown_days", "trades", "win_rate", "profit_factor", "exposure_time", "fees", "final_equity",
)  # fmt: skip


@dataclass(frozen=True)
class RunComparison:
    """Runs by name, in the order given. Prints as a table in a terminal and in a notebook."""

    tables: Mapping[str, RunTables]
    statistics: Mapping[str, Statistics]

    def frame(self) -> pl.DataFrame:
        """Return one row per run: its name and every statistic as a number."""
        import polars as pl

        rows = [{"run": name, **statistics.to_dict()} for name, statistics in self.statistics.items()]
        return pl.DataFrame(rows, infer_schema_length=None)

    def figure(self) -> plotly.graph_objects.Figure:
        """Return the equity curves, each divided by its start, so that runs with other cash or currency
        compare.
        """
        import plotly.graph_objects as go

        figure = go.Figure(
            layout={"template": "plotly_white", "title": "Equity, start = 1", "hovermode": "x unified"}
        )
        for name, tables in self.tables.items():
            time, growth = _growth(tables)
            figure.add_scatter(x=time, y=growth, name=_plain(name), mode="lines")
        return figure

    def __rich__(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(title="Runs compared")
        table.add_column("")
        for name in self.statistics:
            table.add_column(Text(name), justify="right")
        for label, *texts in self._lines():
            table.add_row(label, *texts)
        return table

    def __repr__(self) -> str:
        lines = [("", *self.statistics), *self._lines()]
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        padded = ([text.rjust(width) for text, width in zip(line, widths, strict=True)] for line in lines)
        return "\n".join("  ".join([line[0].strip().ljust(widths[0]), *line[1:]]) for line in padded)

    def _repr_html_(self) -> str:
        from html import escape

        head = "".join(f"<th>{escape(name)}</th>" for name in self.statistics)
        rows = (
            f"<tr><td>{escape(label)}</td>" + "".join(f"<td>{escape(text)}</td>" for text in texts) + "</tr>"
            for label, *texts in self._lines()
        )
        return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"

    def _lines(self) -> Iterator[tuple[str, ...]]:
        columns = [{row.name: row for row in statistics.table()} for statistics in self.statistics.values()]
        for name in _SHOWN:
            yield (columns[0][name].label, *(column[name].text for column in columns))


def compare(
    runs: Mapping[str, RunTables] | Sequence[RunTables], statistics: Sequence[Statistics] | None = None
) -> RunComparison:
    """Compare runs, given by name or as a sequence (then named after their strategies, numbered where two are
    alike).

    `statistics`, in the same order, saves computing them again. Raises ConfigError for no runs.
    """
    named = dict(runs) if isinstance(runs, Mapping) else dict(zip(_names(runs), runs, strict=True))
    if not named:
        raise ConfigError("compare needs at least one run, got none")
    computed = statistics or [compute_statistics(tables) for tables in named.values()]
    return RunComparison(named, dict(zip(named, computed, strict=True)))


def _names(runs: Sequence[RunTables]) -> list[str]:
    names: list[str] = []
    for tables in runs:
        name = str(tables.settings.get("strategy", "Run"))
        count = sum(1 for other in names if other == name or other.startswith(f"{name} #"))
        names.append(f"{name} #{count + 1}" if count else name)
    return names


def _growth(tables: RunTables) -> tuple[Any, Any]:
    rows = np.unique(np.linspace(0, tables.equity.height - 1, _MAX_POINTS).astype(np.int64))
    equity = tables.equity["equity"].to_numpy()
    start = equity[0] if equity[0] > 0 else 1.0
    return tables.equity["time"].dt.replace_time_zone(None).to_numpy()[rows], equity[rows] / start


def _plain(name: str) -> str:
    """Plotly reads a little HTML in names; escaped, a name is only a name."""
    from html import escape

    return escape(name)
