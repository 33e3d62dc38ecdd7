"""`openbell report`: writes the report page of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from openbell.cli.options import COMMON, CommonOptions


def report(
    run: Annotated[str, Parameter(help="Run folder, a part of its name in runs/, or 'latest'.")],
    /,
    *,
    to: Annotated[
        Path | None, Parameter(help="File to write instead of report.html in the run folder.")
    ] = None,
    show: Annotated[
        bool, Parameter(name="--open", negative=(), show_default=False, help="Open it in a browser.")
    ] = False,
    out: Annotated[Path, Parameter(help="Where runs are looked for by name.")] = Path("runs"),
    options: CommonOptions = COMMON,
) -> None:
    """Write the report page of a finished run again, from the tables and the journal in its folder."""
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.run import open_run
    from openbell.runtime.run_names import find_run

    opened = open_run(find_run(run, out))
    path = opened.report(to, show=show)
    if options.json:
        print_json({"report": str(path), "digest": opened.digest})
        return
    console().print(f"[dim]report[/]  {path}")
