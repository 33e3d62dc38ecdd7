"""Events as rows of a frame, with their place in the array they came in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from openbell.messages.layouts import HEAD_DTYPE, Slots, message_numbers, select

if TYPE_CHECKING:
    import polars as pl

_TERMS = ("side", "order_type", "time_in_force", "sizing", "options")


def event_frame(slots: Slots, message: str, fields: Sequence[str]) -> pl.DataFrame:
    """All events named `message`, one row each in the order they came about.

    Columns: `place` (slot of the event's head, so that kinds can be put back into one order) and `fields`; the packed terms
    of an order are fields of their own.
    """
    import polars as pl

    rows = select(slots, message)
    places = np.flatnonzero(slots.view(HEAD_DTYPE)["message"] == message_numbers()[message])
    columns = {"place": places}
    for field in fields:
        columns[field] = np.ascontiguousarray(rows["terms"][field] if field in _TERMS else rows[field])
    return pl.DataFrame(columns)


def events_in_order(slots: Slots, messages: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
    """Events of several kinds that have the same `fields`, in the order they came about, with a column `event`."""
    import polars as pl

    frames = (event_frame(slots, name, fields).with_columns(pl.lit(name).alias("event")) for name in messages)
    return pl.concat(frames).sort("place")
