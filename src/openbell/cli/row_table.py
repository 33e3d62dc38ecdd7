"""Rows of text as a table that fits the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

LEFT = (
    *(
        "instrument",
        "terms",
        "state",
        "rule",
        "file",
        "what",
        "message",
        "name",
        "time",
        "holds",
        "until",
        "reader",
    ),
    *("path", "found", "created"),
)
"""Columns of words; all others hold figures and are put to the right."""


def row_table(rows: Sequence[Mapping[str, str]], title: str | None = None) -> Table:
    """A table with a column for each name in the rows; columns in which every row is empty are left out."""
    from rich import box
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    names = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    for name in names:
        table.add_column(
            name.replace("_", " ") if not name.endswith("_id") else name,
            justify="left" if name in LEFT else "right",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(row[name] for name in names))
    return table


def fact_table(facts: Mapping[str, str]) -> Table:
    """Names and values, one below the other."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, value)
    return table
