"""log.jsonl: what happened to a run, one JSON object a line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from openbell.model.errors import OpenbellError
from openbell.model.time import iso

WallClock = Callable[[], int]
"""Gives the wall time in UTC nanoseconds."""


def print_line(event: str, **fields: object) -> None:
    """Where a run kept in memory logs: one line on the console, the time of the engine first."""
    fields = dict(fields)
    time, strategy = fields.pop("time", ""), fields.pop("strategy", "")
    shown = " ".join(f"{name}={value}" for name, value in fields.items())
    print(f"{time} {strategy}: {event}{' ' if shown else ''}{shown}", file=sys.stderr)


class RunLog:
    """Appends events to log.jsonl. Times come from the clock it is given and are covered by no hash."""

    def __init__(self, path: Path, clock: WallClock) -> None:
        import structlog

        self._path = path
        try:
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise OpenbellError(f"cannot write {path}: {error.strerror}") from error

        def add_time(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
            return {"time": iso(clock()), **event}

        self._logger: Any = structlog.wrap_logger(
            structlog.WriteLogger(self._file),
            processors=[
                structlog.processors.add_log_level,
                add_time,
                structlog.processors.JSONRenderer(default=str),
            ],
        )

    def info(self, event: str, **fields: object) -> None:
        """Write one line. Raises OpenbellError where the disk is full."""
        self._write("info", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """As `info`, for what ended the run."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        try:
            getattr(self._logger, level)(event, **fields)
            self._file.flush()
        except OSError as error:
            raise OpenbellError(f"cannot write {self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
