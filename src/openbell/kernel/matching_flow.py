"""The generated flow of the matching benchmark, in builds that carry it (`maturin develop --features bench`)."""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from openbell import _kernel


class MatchingFlow(Protocol):
    """Commands from a seed, and the native books that were written to run them."""

    def setup(self) -> NDArray[np.void]:
        """Adds that fill the book, as COMMAND_DTYPE."""

    def commands(self) -> NDArray[np.void]:
        """What is timed, as COMMAND_DTYPE."""

    def native(self) -> list[tuple[str, float, int]]:
        """Run each native book once: its name, nanoseconds per command, trades. The plain reference comes first."""

    def thread_time_ns(self) -> float:
        """Nanoseconds this thread has run."""


def matching_flow(commands: int, seed: int) -> MatchingFlow | None:
    """Generate a flow; None where the build carries none."""
    flow_class = getattr(_kernel, "MatchingFlow", None)
    return None if flow_class is None else cast(MatchingFlow, flow_class(commands, seed))
