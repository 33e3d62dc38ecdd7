"""Arguments that several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

HistoryName = Annotated[
    str,
    Parameter(
        help="Run folder, directory of an exchange or of a journal; or a part of a run's name in runs/, or 'latest'."
    ),
]
RunsFolder = Annotated[Path, Parameter(help="Where runs are looked for by name.")]
DataFile = Annotated[
    Path | None,
    Parameter(help="Data that stands in for inputs of a journal by_reference that have moved."),
]

RUNS = Path("runs")
SigningKey = Annotated[
    Path | None, Parameter(help="File of the Ed25519 key with which what is noted in SEALS is signed.")
]
