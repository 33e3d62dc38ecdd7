"""Statistics as a rich table: two blocks side by side, a heading per group."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from openbell.report.formatting import StatisticRow

if TYPE_CHECKING:
    from rich.table import Table

_LEFT = ("Period", "Return", "Risk")
_STYLES = {1: "green", 0: "", -1: "red"}


def statistics_table(rows: Sequence[StatisticRow]) -> Table:
    """Return statistics as one rich table."""
    from rich.table import Table

    shown = [row for row in rows if row.name != "currency"]
    left = [row for row in shown if row.group in _LEFT]
    right = [row for row in shown if row.group not in _LEFT]
    table = Table.grid(padding=(0, 3))
    table.add_row(_block(left), _block(right))
    return table


def _block(rows: Sequence[StatisticRow]) -> Table:
    from rich.table import Table
    from rich.text import Text

    block = Table.grid(padding=(0, 2))
    block.add_column()
    block.add_column(justify="right")
    for group, members in groupby(rows, key=lambda row: row.group):
        block.add_row(Text(group, style="dim"), "")
        for row in members:
            block.add_row(row.label, Text(row.text, style=_STYLES[row.tone]))
    return block
