"""`openbell inspect`: the engine as it was at one moment of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from openbell.cli.arguments import RUNS, DataFile, HistoryName, RunsFolder
from openbell.cli.options import COMMON, CommonOptions

if TYPE_CHECKING:
    from openbell.runtime.time_travel import Moment


def inspect_moment(
    run: HistoryName,
    /,
    *,
    at: Annotated[
        int | None, Parameter(help="Sequence of the record to stop after; the last one unless given.")
    ] = None,
    depth: Annotated[int, Parameter(help="Levels shown of each side of a book.")] = 5,
    from_snapshot: Annotated[
        bool, Parameter(negative=(), help="Begin at the nearest snapshot instead of the first record.")
    ] = False,
    data: DataFile = None,
    out: RunsFolder = RUNS,
    options: CommonOptions = COMMON,
) -> None:
    """Show accounts, positions, open orders, books and risk limits as they were after a record."""
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.history import open_history
    from openbell.runtime.time_travel import state_at

    moment = state_at(open_history(run, out, data=data), at, from_snapshot=from_snapshot)
    if options.json:
        tables = dict(moment.tables(depth).items())
        print_json({**moment_facts(moment), **tables})
        return
    show_moment(moment, depth)
    if at is None:
        console().print("[dim]the end of the journal; --at SEQUENCE shows any earlier moment[/]")


def moment_facts(moment: Moment) -> dict[str, object]:
    """Where and when a moment is, and its hashes."""
    from openbell.model.time import iso

    node = moment.node
    begun = {"begun": f"from the snapshot of sequence {moment.begun}"} if moment.begun else {}
    return {
        "run": moment.history.title,
        **begun,
        "sequence": node.sequence,
        "time": iso(node.time),
        "state_hash": f"{node.state_hash():032x}",
        "output_hash": f"{node.output_hash:032x}",
    }


def show_moment(moment: Moment, depth: int) -> None:
    """Print a moment for people."""
    from openbell.cli.row_table import fact_table, row_table
    from openbell.cli.terminal import console

    console().print(fact_table({name: str(value) for name, value in moment_facts(moment).items()}))
    for name, rows in moment.tables(depth).items():
        if rows:
            console().print(row_table(rows, name.capitalize(), width=console().width))
        else:
            console().print(f"[bold]{name.capitalize()}[/]: none")
