"""`openbell explain`: the life of one order in words."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from openbell.cli.arguments import RUNS, DataFile, HistoryName, RunsFolder
from openbell.cli.options import COMMON, CommonOptions


def explain_order(
    run: HistoryName,
    order: Annotated[int, Parameter(help="order_id or client_order_id of the order.")],
    /,
    *,
    account: Annotated[int | None, Parameter(help="Account of the order.")] = None,
    client: Annotated[
        bool,
        Parameter(negative=(), help="The number is a client_order_id, whatever order_id it may also be."),
    ] = False,
    data: DataFile = None,
    out: RunsFolder = RUNS,
    options: CommonOptions = COMMON,
) -> None:
    """Tell what became of an order: what was asked, each step with its cause, the rule that refused it, its fills and fees."""
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.explain import explain
    from openbell.runtime.history import open_history

    life = explain(open_history(run, out, data=data), order, account=account, by_client=client)
    if options.json:
        print_json(life.to_dict())
        return
    console().print(life)
