"""`openbell journal inspect`: what a journal is."""

from __future__ import annotations

from openbell.cli.arguments import RUNS, HistoryName, RunsFolder
from openbell.cli.options import COMMON, CommonOptions


def inspect_journal(path: HistoryName, /, *, out: RunsFolder = RUNS, options: CommonOptions = COMMON) -> None:
    """Show the head of a journal, its epochs, its segments and what else lies beside them. Only heads are read."""
    from openbell.cli.row_table import fact_table, row_table
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.history import open_history
    from openbell.runtime.journal_files import journal_files

    files = journal_files(open_history(path, out))
    if options.json:
        print_json(files.to_dict())
        return
    console().print(fact_table(files.facts()))
    console().print(row_table(files.segment_rows(), "Segments"))
    console().print(row_table(files.rows(), "Files"))
