"""Commands run in this process, as quick as a call: what they print, and their exit code."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

from openbell.cli.app import run


@dataclass(frozen=True)
class Done:
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str


def openbell_here(*arguments: object, cwd: Path) -> Done:
    """Run `openbell ARGUMENTS` in the folder `cwd`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(map(str, arguments)))
    return Done(code, out.getvalue(), err.getvalue())
