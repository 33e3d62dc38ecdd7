"""Options that every verb has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True)
class CommonOptions:
    """How the answer is given."""

    json: Annotated[
        bool,
        Parameter(
            negative=(), show_default=False, help="Print one JSON object on stdout and nothing else there."
        ),
    ] = False
    debug: Annotated[
        bool, Parameter(negative=(), show_default=False, help="Show the traceback of an error.")
    ] = False


COMMON = CommonOptions()
"""None of them given."""
