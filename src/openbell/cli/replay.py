"""`openbell replay`: replays a run and proves that it is the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from openbell.cli.options import COMMON, CommonOptions

if TYPE_CHECKING:
    from openbell.runtime.history import History


def replay_run(
    run: Annotated[str, Parameter(help="Run folder, a part of its name in runs/, or 'latest'.")],
    /,
    *,
    data: Annotated[
        Path | None,
        Parameter(help="Data that stands in for inputs of a journal by_reference that have moved."),
    ] = None,
    rerun: Annotated[bool, Parameter(help="Whether the strategy runs again too.")] = True,
    to: Annotated[
        int | None,
        Parameter(help="Stop after this sequence and show the moment: the engine alone, no strategy."),
    ] = None,
    from_snapshot: Annotated[
        bool,
        Parameter(negative=(), help="With --to: begin at the nearest snapshot, not at the first record."),
    ] = False,
    out: Annotated[Path, Parameter(help="Where runs are looked for by name.")] = Path("runs"),
    options: CommonOptions = COMMON,
) -> None:
    """Replay a run from its folder: the engine over the journal, then the strategy again, every command compared.

    A journal of an exchange, or one on its own, is replayed by the engine alone: every hash it holds is compared. Ends with
    exit code 6 at the first difference, which it names.
    """
    from openbell.cli.terminal import console, print_json, progress_bar
    from openbell.runtime.history import open_history
    from openbell.runtime.replay import replay

    history = open_history(run, out, data=data)
    if to is not None or history.kind != "run":
        _replay_engine(history, to, from_snapshot, options)
        return
    folder = history.folder
    with progress_bar("Replay", "records") as advance:
        proof = replay(folder, data=data, rerun=rerun, progress=advance)
    if options.json:
        print_json(proof.to_dict())
        return
    console().print(f"[bold green]The same run.[/] {folder.name}")
    console().print(proof)


def _replay_engine(history: History, to: int | None, from_snapshot: bool, options: CommonOptions) -> None:
    """The engine alone over a journal, up to a sequence or to its end."""
    from openbell.cli.inspect_moment import moment_facts, show_moment
    from openbell.cli.terminal import console, print_json, progress_bar
    from openbell.runtime.time_travel import state_at

    with progress_bar("Replay", "records") as advance:
        moment = state_at(
            history, to, lambda sequence: advance(sequence, to or 0), from_snapshot=from_snapshot
        )
    if options.json:
        print_json(moment_facts(moment))
        return
    compared = moment.compared_sequence
    if compared:
        console().print(
            f"[bold green]The same[/] as in the journal: hashes compared up to sequence {compared:,}"
        )
    show_moment(moment, depth=5)
