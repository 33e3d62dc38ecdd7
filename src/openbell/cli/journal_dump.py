"""`openbell journal dump`: prints records in words."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from openbell.cli.arguments import RUNS, HistoryName, RunsFolder
from openbell.cli.options import COMMON, CommonOptions


def dump_journal(
    path: HistoryName,
    /,
    *,
    first: Annotated[int, Parameter(name="--from", help="First sequence.")] = 0,
    last: Annotated[int | None, Parameter(name="--to", help="Last sequence.")] = None,
    message: Annotated[
        list[str] | None,
        Parameter(negative=(), help="Only this message, such as SubmitOrder; may be repeated."),
    ] = None,
    account: Annotated[int | None, Parameter(help="Only records about this account.")] = None,
    instrument: Annotated[str | None, Parameter(help="Only records about this symbol (or number).")] = None,
    order: Annotated[
        int | None, Parameter(help="Only records that name this order_id or client_order_id.")
    ] = None,
    follow: Annotated[
        bool,
        Parameter(negative=(), help="Go on as more becomes durable, until Ctrl-C (or the end of the run)."),
    ] = False,
    reader: Annotated[
        str | None,
        Parameter(help="Register under this name: nothing behind what was printed is deleted by retention."),
    ] = None,
    out: RunsFolder = RUNS,
    options: CommonOptions = COMMON,
) -> None:
    """Print a line for each record: sequence, time, message, and every field by its name that is not 0.

    Prices are in the instrument's decimals, money in its currency. With --json each line is an object with the numbers as
    they are in the journal.
    """
    from openbell.journal import Selection, lines_of
    from openbell.journal.selection import LAST_SEQUENCE, message_name
    from openbell.runtime.following import followed
    from openbell.runtime.history import open_history

    selection = Selection(
        first=first,
        last=LAST_SEQUENCE if last is None else last,
        messages=tuple(map(message_name, message or ())),
        account=account,
        instrument=instrument,
        order=order,
    )
    history = open_history(path, out)
    batches = (
        followed(history.journal, name=reader, waits=follow, ends=history.kind == "run")
        if follow or reader
        else history.raw_batches()
    )
    for line in lines_of(batches, style="json" if options.json else "text", selection=selection):
        print(line, flush=follow)
