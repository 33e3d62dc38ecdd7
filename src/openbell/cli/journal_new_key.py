"""`openbell journal new-key`: a key that signs seals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from openbell.cli.options import COMMON, CommonOptions


def new_key(
    path: Annotated[Path, Parameter(help="New file for the private key; the public one is PATH.pub.")],
    /,
    *,
    options: CommonOptions = COMMON,
) -> None:
    """Make an Ed25519 key that signs the seals of journals: PEM files as OpenSSL writes them.

    The private one is for `openbell exchange --signing-key` and for nobody else to read; with the public one anybody can
    `openbell journal prove --public-key`.
    """
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.seal_keys import make_seal_key

    public_path, public_key = make_seal_key(path)
    if options.json:
        print_json({"private": str(path), "public": str(public_path), "public_key": public_key})
        return
    console().print(f"[bold green]Made[/] {path} and {public_path}\nPublic key {public_key}", soft_wrap=True)
