"""`openbell journal prove`: shows that a history is untouched, or where it was touched."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from openbell.cli.arguments import RUNS, HistoryName, RunsFolder
from openbell.cli.options import COMMON, CommonOptions
from openbell.model.errors import JournalError


def prove_history(
    path: HistoryName,
    /,
    *,
    public_key: Annotated[
        str | None,
        Parameter(help="Ed25519 public key: 64 hexadecimal digits, or a file that holds them or a PEM."),
    ] = None,
    seal: Annotated[
        str | None, Parameter(help="Last seal that was kept elsewhere: it must still be the last one.")
    ] = None,
    out: RunsFolder = RUNS,
    options: CommonOptions = COMMON,
) -> int:
    """Compare every full segment with the SHA-256 under which it was sealed, and every seal with the one before.

    With a public key every seal must carry its signature, from the first signed one on.

    Ends with exit code 0 where nothing was touched, 5 where something was,
    which is named.
    """
    from openbell.cli.row_table import fact_table
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.history import open_history
    from openbell.runtime.seal_keys import read_public_key
    from openbell.runtime.sealed_history import prove

    key = None if public_key is None else read_public_key(public_key)
    proof = prove(open_history(path, out).journal, key, seal)
    if options.json:
        print_json(proof.to_dict())
    else:
        style = "green" if proof.touched is None else "red"
        console().print(f"[bold {style}]{proof.verdict}[/]")
        console().print(fact_table(proof.facts()))
    return 0 if proof.touched is None else JournalError.exit_code
