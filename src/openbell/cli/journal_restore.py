"""`openbell journal restore`: brings a backup back, to its end or to a sequence."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from openbell.cli.options import COMMON, CommonOptions


def restore_journal(
    backup: Annotated[Path, Parameter(help="Folder made by openbell journal backup.")],
    target: Annotated[Path, Parameter(help="New folder for what is restored.")],
    /,
    *,
    to: Annotated[int | None, Parameter(help="Last sequence to bring back; all of it unless given.")] = None,
    options: CommonOptions = COMMON,
) -> None:
    """Check a backup and copy it into a new folder, where it can be replayed, inspected and continued.

    With --to the copy ends with that sequence, and with a record that says so.
    """
    from openbell.cli.terminal import console, print_json
    from openbell.runtime.backup import restore_backup
    from openbell.runtime.journal_doctor import restored_to

    noted = restore_backup(backup, target, to)
    if to is not None:
        restored_to(target, to, actor=getpass.getuser(), backup=str(backup), now_ns=time.time_ns())
    last = noted.last_sequence if to is None else to
    if options.json:
        print_json({"restored": str(target), "to": last, **noted.to_dict()})
        return
    console().print(f"[bold green]Restored[/] {target}, up to sequence {last:,}")
