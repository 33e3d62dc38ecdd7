"""Sample data and strategies that come with Openbell."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from openbell.model.errors import ConfigError

PREFIX = "sample:"


def sample_path(path: str) -> str:
    """The file of `sample:NAME`; any other path as it is. Raises ConfigError for a sample that does not exist."""
    if not path.startswith(PREFIX):
        return path
    name = path.removeprefix(PREFIX)
    folder = Path(str(files("openbell") / "example_data"))
    known = sorted(one.stem for one in folder.glob("*.parquet"))
    if name not in known:
        raise ConfigError(f"no sample {name!r}, expected one of {', '.join(known)}")
    return str(folder / f"{name}.parquet")


def sample_strategy(name: str) -> Path:
    """The file of a strategy that comes with Openbell."""
    return Path(str(files("openbell") / "example_strategies" / f"{name}.py"))
