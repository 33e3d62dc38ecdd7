"""Where market data comes from: the port that files and feeds implement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from openbell.model.instrument import Instrument


@runtime_checkable
class Source(Protocol):
    """Market data as records in time order.

    `instruments` are numbered from 1 in their order; `inputs` name the files behind them with their SHA-256; `notes` say what
    was inferred, changed or left out.
    """

    @property
    def instruments(self) -> Sequence[Instrument]:
        """What the records are about, by id from 1."""
        ...

    @property
    def inputs(self) -> Sequence[Any]:
        """The files behind the records: path, SHA-256, decoder."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What was inferred, changed or left out."""
        ...

    def batches(self) -> Iterator[NDArray[np.uint8]]:
        """Yield arrays of 64-byte slots: whole observations, in time order, in bounded memory."""
        ...
