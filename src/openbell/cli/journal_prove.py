"""`openbell journal prove`: shows that a history is untouched, or where it was touched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from openbell.cli.arguments import RUNS, HistoryName, RunsFolder
from openbell.cli.options import COMMON, CommonOptions
from openbell.model.errors import ConfigError, JournalError

KEY_BYTES = 32


def prove_history(
    path: HistoryName,
    /,
    *,
    public_key: Annotated[
        str | None, Parameter(help="Ed25519 public key, 64 hexadecimal digits, or a file that holds them.")
    ] = None,
    seal: Annotated[
        str | None, Parameter(help="Last seal that was kept elsewhere: it must still be the last one.")
    ] = None,
    out: RunsFolder = RUNS,
    options: CommonOptions = COMMON,
) -> int:
    """Compare every full segment with the SHA-256 under which it was sealed, and every seal with the one before.

    With a public key every seal must carry its signature. Ends with exit code 0 where nothing was touched, 5 where something was,
    which is named.
    """
    from openbell.cli.row_table import fact_table
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.history import open_history
    from openbell.runtime.sealed_history import prove

    proof = prove(open_history(path, out).journal, _key(public_key), seal)
    if options.json:
        print_json(proof.to_dict())
    else:
        style = "green" if proof.touched is None else "red"
        console().print(f"[bold {style}]{proof.verdict}[/]")
        console().print(fact_table(proof.facts()))
    return 0 if proof.touched is None else JournalError.exit_code


def _key(text: str | None) -> bytes | None:
    if text is None:
        return None
    path = Path(text)
    digits = path.read_text(encoding="utf-8").strip() if path.is_file() else text.strip()
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"public key {text!r}: 64 hexadecimal digits, or a file that holds them, are expected"
        )
    return key
