"""The equity curve: what accounts were worth, and had in cash and at risk, each time they were valued."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openbell.messages.layouts import Slots
from openbell.projections.event_rows import event_frame
from openbell.projections.exact import joined_halves, nano_decimal, utc

if TYPE_CHECKING:
    import polars as pl

_FIGURES = {"equity": "equity", "cash": "cash", "exposure_gross": "gross", "exposure_net": "net"}


def equity(valuations: NDArray[np.void]) -> pl.DataFrame:
    """The table of valuations: an array of `VALUATION_DTYPE` as decimals, in order of time, the last of each time.

    Columns: `time`, `account`, `equity`, `cash`, `exposure_gross` (sum of absolute notionals) and `exposure_net`, in the
    currency of the account.
    """
    import polars as pl

    halves = {
        name: joined_halves(
            np.ascontiguousarray(valuations[f"{field}_low"]),
            np.ascontiguousarray(valuations[f"{field}_high"]),
        )
        for name, field in _FIGURES.items()
    }
    frame = pl.DataFrame(
        {
            "time": np.ascontiguousarray(valuations["time"]),
            "account": np.ascontiguousarray(valuations["account"]),
        }
    ).with_columns(*(series.alias(name) for name, series in halves.items()))
    latest = frame.unique(["time", "account"], keep="last", maintain_order=True)
    return latest.select(utc("time"), "account", *(nano_decimal(pl.col(name)) for name in _FIGURES))


def starting_cash(output: Slots) -> int | None:
    """Cash in nano after the last change before the first fill: what the account was opened with. None without any change."""
    import polars as pl

    changes = event_frame(output, "AccountChanged", ("cash_low", "cash_high"))
    first_fill = event_frame(output, "OrderFilled", ())["place"].min()
    if first_fill is not None:
        changes = changes.filter(pl.col("place") < first_fill)
    if changes.height == 0:
        return None
    last = changes.tail(1)
    return int(joined_halves(last["cash_low"].to_numpy(), last["cash_high"].to_numpy())[0])
