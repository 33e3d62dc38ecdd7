"""Rows of text as a table that fits the terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
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
_FOLDED = ("what", "holds", "path", "found", "rule", "file")
"""Columns whose text may go on in the next line; a figure never does."""


_EXACT_MONEY = re.compile(r"(-?\d+\.\d{3,}) ([A-Z0-9]+)")


def to_the_cent(text: str) -> str:
    """An amount with more than two decimals rounded for people; any other text as it is. JSON has all digits."""
    found = _EXACT_MONEY.fullmatch(text)
    return text if found is None else f"{Decimal(found[1]):.2f} {found[2]}"


NARROW = 110
"""Columns of a terminal below which tables leave something out."""
_ONLY_WIDE = ("client_order_id", "queue")
_HEADINGS = {
    "order_id": "order",
    "client_order_id": "client order",
    "bid orders": "orders",
    "bid quantity": "quantity",
    "ask quantity": "quantity",
    "ask orders": "orders",
}


def row_table(rows: Sequence[Mapping[str, str]], title: str | None = None, *, width: int = NARROW) -> Table:
    """A table with a column for each name in the rows.

    Columns in which every row is empty are left out, and in a terminal of less than NARROW columns some that matter less.
    """
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
    names = [name for name in names if width >= NARROW or name not in _ONLY_WIDE]
    for name in names:
        table.add_column(
            _HEADINGS.get(name, name.replace("_", " ")),
            justify="left" if name in LEFT else "right",
            overflow="fold",
            no_wrap=name not in _FOLDED,
        )
    for row in rows:
        table.add_row(*(to_the_cent(row[name]) for name in names))
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
