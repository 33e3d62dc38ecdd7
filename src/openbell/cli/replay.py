"""`openbell replay`: replays a run and proves that it is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from openbell.cli.options import COMMON, CommonOptions


def replay_run(
    run: Annotated[str, Parameter(help="Run folder, a part of its name in runs/, or 'latest'.")],
    /,
    *,
    data: Annotated[
        Path | None,
        Parameter(help="Data that stands in for inputs of a journal by_reference that have moved."),
    ] = None,
    rerun: Annotated[bool, Parameter(help="Whether the strategy runs again too.")] = True,
    out: Annotated[Path, Parameter(help="Where runs are looked for by name.")] = Path("runs"),
    options: CommonOptions = COMMON,
) -> None:
    """Replay a run from its folder: the engine over the journal, then the strategy again, every command compared.

    Ends with exit code 6 at the first difference, which it names.
    """
    from openbell.cli.terminal import console, print_json, progress_bar
    from openbell.runtime.replay import replay
    from openbell.runtime.run_names import find_run

    folder = find_run(run, out)
    with progress_bar("Replay", "records") as advance:
        proof = replay(folder, data=data, rerun=rerun, progress=advance)
    if options.json:
        print_json(proof.to_dict())
        return
    console().print(f"[bold green]The same run.[/] {folder.name}")
    console().print(proof)
