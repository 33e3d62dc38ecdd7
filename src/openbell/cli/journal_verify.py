"""`openbell journal verify`: reads and checks a whole journal."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from openbell.cli.arguments import RUNS, HistoryName, RunsFolder
from openbell.cli.options import COMMON, CommonOptions

TORN = 8
"""Exit code of a journal that is whole up to a last write that was cut short."""


def verify_journal(
    path: HistoryName,
    /,
    *,
    closed: Annotated[
        bool, Parameter(negative=(), help="Also fail for a journal that was not ended on purpose.")
    ] = False,
    out: RunsFolder = RUNS,
    options: CommonOptions = COMMON,
) -> int:
    """Read and check every batch: checksums, chain, sequences, epoch. Nothing is changed.

    Ends with exit code 0 where all of it is whole, 8 where the last write was cut short (a crash), 5 at damage, which is named
    by segment, offset, sequence and rule.
    """
    from openbell.cli.row_table import fact_table
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.history import open_history
    from openbell.runtime.journal_check import check_journal

    check = check_journal(open_history(path, out).journal, require_closed=closed)
    if options.json:
        print_json(check.to_dict())
    else:
        console().print(f"[bold {'yellow' if check.torn else 'green'}]{check.verdict}[/]")
        console().print(fact_table(check.facts()))
    return TORN if check.torn else 0
