"""`openbell diff`: the first difference between two runs."""

from __future__ import annotations

from openbell.cli.arguments import RUNS, DataFile, HistoryName, RunsFolder
from openbell.cli.options import COMMON, CommonOptions
from openbell.model.errors import DivergenceError


def diff_runs(
    first: HistoryName,
    second: HistoryName,
    /,
    *,
    data: DataFile = None,
    out: RunsFolder = RUNS,
    options: CommonOptions = COMMON,
) -> int:
    """Compare two runs: their records, then their events, then the states they end in; say the first difference in words.

    Ends with exit code 0 where they are the same, 6 where they differ.
    """
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.difference import first_difference
    from openbell.runtime.history import open_history

    found = first_difference(open_history(first, out, data=data), open_history(second, out, data=data))
    if options.json:
        print_json(found.to_dict())
    else:
        console().print(found)
    return 0 if found.is_same else DivergenceError.exit_code
