"""LOBSTER's sample days: a file of messages, and the ten best levels after each of them.

Format: the read-me inside the sample archive ("LOBSTER Sample Files Readme", version of 1 September 2013). Prices
are dollars times 10,000. The files hold only what touches the ten best levels of a side at that moment.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

LEVELS = 10
EMPTY = 9_999_999_999
BUY, SELL = 1, -1


class Kind(IntEnum):
    """What a message tells."""

    SUBMITTED = 1
    DECREASED = 2
    DELETED = 3
    EXECUTED = 4
    EXECUTED_HIDDEN = 5


class Message(NamedTuple):
    """One row of the file of messages; `side` is that of the resting order, 1 for a buy and -1 for a sell."""

    time: str
    kind: int
    order_id: int
    quantity: int
    price: int
    side: int


@dataclass(frozen=True)
class Day:
    """Messages, and the levels after each."""

    messages: list[Message]
    rows: NDArray[np.int64]

    def levels(self, row: int, side: int) -> dict[int, int]:
        """Price to quantity after `row`, best first."""
        first = 2 if side == BUY else 0
        cells = self.rows[row].tolist()
        pairs = ((cells[at], cells[at + 1]) for at in range(first, 4 * LEVELS, 4))
        return {price: quantity for price, quantity in pairs if abs(price) != EMPTY}


def read_day(archive: Path) -> Day:
    """Both files of one archive."""
    with zipfile.ZipFile(archive) as files:
        names = files.namelist()
        texts = [
            files.read(next(name for name in names if f"_{part}_" in name))
            for part in ("message", "orderbook")
        ]
    # The time stays text: it is only ever compared, and a float would round its nanoseconds.
    columns = {"time": pl.String} | dict.fromkeys(Message._fields[1:], pl.Int64)
    messages = pl.read_csv(texts[0], has_header=False, new_columns=list(columns), schema=columns)
    rows = pl.read_csv(texts[1], has_header=False).to_numpy().astype(np.int64)
    if len(messages) != len(rows):
        raise ValueError(f"{archive}: {len(messages)} messages, {len(rows)} rows of levels")
    return Day([Message(*row) for row in messages.iter_rows()], rows)
