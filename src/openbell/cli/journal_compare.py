"""`openbell journal compare`: whether a replay is what the journal and its snapshots say."""

from __future__ import annotations

from openbell.cli.arguments import RUNS, HistoryName, RunsFolder
from openbell.cli.options import COMMON, CommonOptions
from openbell.model.errors import DivergenceError


def compare_journal(path: HistoryName, /, *, out: RunsFolder = RUNS, options: CommonOptions = COMMON) -> int:
    """Replay a journal from its first record and compare every hash in it, and every snapshot, on the way.

    Where a snapshot and the replay differ, both states are compared and each difference is named. Ends with exit code 0 where
    all is the same, 6 where something is not.
    """
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.history import open_history
    from openbell.runtime.time_travel import compare_with_replay

    differences = compare_with_replay(open_history(path, out))
    if options.json:
        print_json({"same": not differences, "differences": differences})
    elif differences:
        console().print("\n".join(differences), style="red", markup=False, soft_wrap=True)
    else:
        console().print(
            "[bold green]The same:[/] every hash in the journal and every snapshot is what a replay has."
        )
    return DivergenceError.exit_code if differences else 0
