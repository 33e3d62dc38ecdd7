"""A run as a plotly figure, for notebooks. For long runs the report page is the better chart: this one merges
bars and says so.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openbell.model.errors import ConfigError
from openbell.report.chart_view import ChartView, chart_views
from openbell.report.formatting import plain_text

if TYPE_CHECKING:
    import plotly.graph_objects
    import polars as pl

    from openbell.report.tables import RunTables

MAX_BARS = 20_000
"""More bars than a browser pans smoothly in SVG; above that, consecutive bars are merged."""

_UP, _DOWN, _RUN, _BENCHMARK = "#17a27c", "#dd5450", "#2456d3", "#8a93a1"
_FEW_TRADES = 200
_HEIGHTS = (0.58, 0.26, 0.16)


def figure(
    tables: RunTables, *, instrument: str | None = None, max_bars: int = MAX_BARS
) -> plotly.graph_objects.Figure:
    """Return price with entries and exits, equity against the benchmark, and drawdown, on one time axis.

    `instrument` is the one with most trades unless given. Above `max_bars` consecutive bars are merged into
    one, and the title says how many. Raises ConfigError for an instrument without bars.
    """
    if max_bars < 1:
        raise ConfigError(f"max_bars must be positive, got {max_bars}")
    view = _chosen(tables, chart_views(tables, max_bars), instrument)
    canvas = _canvas(bool(view.prices))
    time = view.time_ns.astype("datetime64[ns]")
    if view.prices:
        _add_price(canvas, view, time)
        _add_trades(canvas, tables, view)
    _add_curves(canvas, view, time, 2 if view.prices else 1)
    canvas.update_layout(title={"text": _title(tables, view), "y": 0.97, "yanchor": "top"})
    return canvas


def _chosen(tables: RunTables, views: list[ChartView], instrument: str | None) -> ChartView:
    by_symbol = {view.symbol: view for view in views}
    if instrument is not None and instrument not in by_symbol:
        known = ", ".join(symbol for symbol in by_symbol if symbol) or "none"
        raise ConfigError(f"no bars of instrument {instrument!r}; there are bars of: {known}")
    return (
        by_symbol[instrument]
        if instrument is not None
        else max(views, key=lambda view: _trade_count(tables, view))
    )


def _trade_count(tables: RunTables, view: ChartView) -> int:
    return int((tables.trades["instrument"] == view.symbol).sum())


def _canvas(with_price: bool) -> Any:
    from plotly.subplots import make_subplots

    heights = _HEIGHTS if with_price else _HEIGHTS[1:]
    canvas = make_subplots(
        rows=len(heights), cols=1, shared_xaxes=True, vertical_spacing=0.03, row_heights=list(heights)
    )
    canvas.update_layout(
        template="plotly_white",
        height=760 if with_price else 420,
        dragmode="pan",
        hovermode="x unified",
        margin={"l": 60, "r": 24, "t": 96, "b": 32},
        legend={"orientation": "h", "y": 1.01, "yanchor": "bottom", "x": 0, "xanchor": "left"},
    )
    canvas.update_xaxes(rangeslider_visible=False)
    canvas.update_yaxes(tickformat=".1%", row=len(heights), col=1)
    return canvas


def _add_price(canvas: Any, view: ChartView, time: NDArray[np.datetime64]) -> None:
    prices = {name: values for name, values in view.prices.items() if name != "volume"}
    canvas.add_candlestick(
        x=time,
        **prices,
        name=escape(view.symbol),
        increasing_line_color=_UP,
        decreasing_line_color=_DOWN,
        row=1,
        col=1,
    )
    for name, values in view.indicators.items():
        canvas.add_scatter(x=time, y=values, name=escape(name), mode="lines", line={"width": 1}, row=1, col=1)


def _add_trades(canvas: Any, tables: RunTables, view: ChartView) -> None:
    """A long trade is bought at its entry and sold at its exit, a short one the other way round."""
    import polars as pl

    trades = tables.trades.filter(pl.col("instrument") == view.symbol)
    entries = trades.select("side", time="entry_time", price="entry_price")
    exits = trades.filter(~pl.col("is_open")).select("side", time="exit_time", price="exit_price")
    size = 9 if trades.height <= _FEW_TRADES else 5
    for name, entry, leave, symbol, color in (
        ("Buy", "long", "short", "triangle-up", "#2456d3"),
        ("Sell", "short", "long", "triangle-down", "#c2670a"),
    ):
        marks = pl.concat([entries.filter(side=entry), exits.filter(side=leave)]).sort("time")
        _add_marks(canvas, marks, name, {"symbol": symbol, "size": size, "color": color})


def _add_marks(canvas: Any, marks: pl.DataFrame, name: str, marker: dict[str, object]) -> None:
    times = marks["time"].dt.replace_time_zone(None).to_numpy()
    canvas.add_scatter(
        x=times, y=marks["price"].to_numpy(), name=name, mode="markers", marker=marker, row=1, col=1
    )


def _add_curves(canvas: Any, view: ChartView, time: NDArray[np.datetime64], row: int) -> None:
    if np.isfinite(view.benchmark).any():
        canvas.add_scatter(
            x=time, y=view.benchmark, name="Benchmark", line={"width": 1, "color": _BENCHMARK}, row=row, col=1
        )
    canvas.add_scatter(x=time, y=view.equity, name="Equity", line={"width": 2, "color": _RUN}, row=row, col=1)
    canvas.add_scatter(
        x=time,
        y=view.drawdown,
        name="Drawdown",
        fill="tozeroy",
        line={"width": 1, "color": _DOWN},
        row=row + 1,
        col=1,
    )


def _title(tables: RunTables, view: ChartView) -> str:
    parts = [plain_text(tables.settings.get("strategy", "Run")), view.symbol]
    if view.merged > 1:
        parts.append(f"each candle merges {view.merged} bars, the report page shows all")
    return escape(" · ".join(part for part in parts if part))
