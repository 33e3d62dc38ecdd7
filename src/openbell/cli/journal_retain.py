"""`openbell journal retain`: deletes what nobody needs any more."""

from __future__ import annotations

import time
from typing import Annotated

from cyclopts import Parameter

from openbell.cli.arguments import RUNS, HistoryName, RunsFolder, SigningKey
from openbell.cli.options import COMMON, CommonOptions


def retain_journal(
    path: HistoryName,
    /,
    *,
    delete: Annotated[
        bool, Parameter(negative=(), help="Delete; without it only what would go is shown.")
    ] = False,
    forget: Annotated[
        str | None, Parameter(help="First take this reader off, which is gone for good.")
    ] = None,
    signing_key: SigningKey = None,
    out: RunsFolder = RUNS,
    options: CommonOptions = COMMON,
) -> None:
    """Show which full segments nobody needs: those behind the second newest whole snapshot and every registered reader.

    With --delete they go, and SEALS says that this was on purpose. A running exchange does it itself, as [retention] in its
    file says; here the journal must not be written meanwhile.
    """
    from openbell.cli.row_table import fact_table, row_table
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.history import open_history
    from openbell.runtime.journal_readers import forget_reader
    from openbell.runtime.retention import plan_retention, retain
    from openbell.runtime.seal_keys import read_seal_key

    history = open_history(path, out)
    if forget is not None:
        forget_reader(history.journal, forget)
    key = None if signing_key is None else read_seal_key(signing_key)
    plan = retain(history, now_ns=time.time_ns(), seal_key=key) if delete else plan_retention(history)
    if options.json:
        print_json(plan.to_dict())
        return
    went = plan.removed if delete else plan.segments
    console().print(
        fact_table(
            {
                "Deleted"
                if delete
                else "May go": f"{len(went):,} segments of {len(plan.segments) + plan.kept:,}",
                "Needed from": f"sequence {plan.needed_from:,}" if plan.needed_from else "the first sequence",
                "Because": plan.because,
            }
        )
    )
    if plan.readers:
        rows = [
            {"reader": one.name, "sequence": f"{one.sequence:,}", "time": one.seen} for one in plan.readers
        ]
        console().print(row_table(rows, "Readers"))
    if plan.segments and not delete:
        console().print("[dim]nothing was changed; --delete does it[/]")
