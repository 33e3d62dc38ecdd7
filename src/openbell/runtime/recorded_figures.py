"""What a strategy kept with `record`, as a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openbell.strategy.strategy import Strategy

if TYPE_CHECKING:
    import polars as pl


def recorded_figures(strategy: Strategy, symbol: str) -> dict[str, pl.DataFrame]:
    """A frame of `time` and one column for each name, beside the chart of `symbol`; none where nothing was recorded.

    Of several values of one name and time the last counts. What is not finite is a gap.
    """
    if not strategy._recorded:
        return {}
    import polars as pl

    merged: Any = None
    for name, points in strategy._recorded.items():
        frame = pl.DataFrame(
            {"time": [time for time, _ in points], name: [value for _, value in points]},
            schema={"time": pl.Int64, name: pl.Float64},
        ).unique("time", keep="last", maintain_order=True)
        merged = frame if merged is None else merged.join(frame, on="time", how="full", coalesce=True)
    frame = merged.sort("time").with_columns(pl.col("time").cast(pl.Datetime("ns", "UTC")))
    finite = [pl.when(pl.col(name).is_finite()).then(pl.col(name)) for name in strategy._recorded]
    return {symbol: frame.with_columns(finite)}
