"""`openbell journal restore`: brings a backup back, to its end or to a sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from openbell.cli.options import COMMON, CommonOptions


def restore_journal(
    backup: Annotated[Path, Parameter(help="Folder made by openbell journal backup.")],
    target: Annotated[Path, Parameter(help="New folder for what is restored.")],
    /,
    *,
    options: CommonOptions = COMMON,
) -> None:
    """Check a backup and copy it into a new folder, where it can be replayed, inspected and continued."""
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.backup import restore_backup

    noted = restore_backup(backup, target)
    if options.json:
        print_json({"restored": str(target), **noted.to_dict()})
        return
    console().print(f"[bold green]Restored[/] {target}, up to sequence {noted.last_sequence:,}")
