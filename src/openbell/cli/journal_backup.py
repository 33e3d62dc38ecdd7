"""`openbell journal backup`: copies a journal, also while it is written."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from openbell.cli.arguments import RUNS, HistoryName, RunsFolder
from openbell.cli.options import COMMON, CommonOptions


def backup_journal(
    path: HistoryName,
    target: Annotated[Path, Parameter(help="New folder for the copy.")],
    /,
    *,
    out: RunsFolder = RUNS,
    options: CommonOptions = COMMON,
) -> None:
    """Copy everything that is durable into a new folder and check the copy. The journal may be written meanwhile."""
    from openbell.cli.row_table import fact_table
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.backup import back_up
    from openbell.runtime.history import open_history

    backup = back_up(open_history(path, out), target, now_ns=time.time_ns())
    if options.json:
        print_json({"backup": str(target), **backup.to_dict()})
        return
    console().print(f"[bold green]Copied and checked.[/] {target}")
    console().print(
        fact_table(
            {
                "Records": f"up to sequence {backup.last_sequence:,}",
                "Bytes": f"{backup.journal_bytes:,} of journal, {backup.files:,} files",
                "Chain": backup.chain,
                "SHA-256": backup.sha256,
            }
        )
    )
