"""Which run folder a name means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from openbell.model.errors import InputError
from openbell.runtime.run_files import INCOMPLETE


def is_run_folder(path: Path) -> bool:
    """Whether a folder is that of a run, finished or not."""
    return path.is_dir() and ((path / "run.toml").is_file() or (path / INCOMPLETE).exists())


def is_incomplete(path: Path) -> bool:
    """Whether the run in this folder did not finish."""
    return (path / INCOMPLETE).exists()


def run_folders(parent: str | Path = "runs") -> Iterator[Path]:
    """The run folders in `parent`, oldest first."""
    if Path(parent).is_dir():
        yield from sorted(one for one in Path(parent).iterdir() if is_run_folder(one))


def find_run(name: str | Path, parent: str | Path = "runs") -> Path:
    """The run folder that `name` means: a path, or the name (or a unique part of it, such as the digest) of one in `parent`.

    Raises InputError where there is none, or more than one.
    """
    path = Path(name)
    if path.is_dir():
        return path
    known = list(run_folders(parent))
    found = [one for one in known if str(name) in one.name] or (known[-1:] if str(name) == "latest" else [])
    # Runs of one digest are the same run, done more than once: the newest stands for all.
    if len(found) == 1 or (found and all(one.name.endswith(f"_{name}") for one in found)):
        return found[-1]
    if not found:
        raise InputError(
            "no such run folder", value=str(name), expected=f"a folder, or part of a name in {parent}"
        )
    choices = ", ".join(one.name for one in found[:5])
    raise InputError("more than one run has this in its name", value=str(name), expected=f"one of {choices}")
