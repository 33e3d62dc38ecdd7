"""What verbs print with: tables and progress for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

Advance = Callable[[int, int], None]


@cache
def console() -> Console:
    """Stdout, for results."""
    from rich.console import Console

    return Console(highlight=False)


@cache
def side_console() -> Console:
    """Stderr, for progress and notes: they never mix with a result that is piped on."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def print_json(value: Mapping[str, object]) -> None:
    """Print one JSON object."""
    json.dump(value, sys.stdout, indent=2, default=str, ensure_ascii=False)
    sys.stdout.write("\n")


@contextmanager
def progress_bar(label: str, unit: str) -> Iterator[Advance]:
    """A progress bar on stderr; it shows only where somebody can watch it. Yields what is called with (done, total)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=36),
        MofNCompleteColumn(),
        TextColumn(unit, style="dim"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=side_console(), disable=not side_console().is_terminal) as progress:
        task = progress.add_task(label, total=None)

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total or None)

        yield advance
        total = progress.tasks[0].total
        if total is not None:
            progress.update(task, completed=total)
