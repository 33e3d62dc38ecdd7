"""`openbell journal new-epoch` and `snapshot`: crossing into other rules, through a snapshot of the end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from openbell.cli.arguments import RUNS, HistoryName, RunsFolder
from openbell.cli.options import COMMON, CommonOptions


def new_epoch(
    directory: Annotated[Path, Parameter(help="Directory of an exchange that is not running.")],
    /,
    *,
    options: CommonOptions = COMMON,
) -> None:
    """End the epoch of an exchange and begin the next under this program's rules, from a snapshot of the end.

    The old journal is put under epochs/ and can be replayed there by the program that wrote it.
    """
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.new_epoch import begin_epoch
    from openbell.runtime.versions import versions

    begun = begin_epoch(directory, created_by=f"openbell {versions()['openbell']}", now_ns=time.time_ns())
    if options.json:
        print_json(begun.to_dict())
        return
    console().print(
        f"[bold green]Epoch {begun.epoch}[/] begins behind sequence {begun.last_sequence:,}, under rules version "
        f"{begun.rules_version}; epoch {begun.old_epoch} is kept in {begun.old_place}"
    )


def snapshot_journal(
    path: HistoryName, /, *, out: RunsFolder = RUNS, options: CommonOptions = COMMON
) -> None:
    """Replay a journal to its durable end, compare every hash on the way, and save the state beside it."""
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.history import open_history
    from openbell.runtime.new_epoch import save_snapshot

    saved, sequence = save_snapshot(open_history(path, out), time.time_ns())
    if options.json:
        print_json({"snapshot": str(saved), "sequence": sequence})
        return
    console().print(f"[bold green]Saved[/] the state after sequence {sequence:,}: {saved}")
