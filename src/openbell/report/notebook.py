"""What a run shows of itself in a notebook: a small self-contained fragment, no scripts, nothing loaded from
anywhere.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openbell.report.formatting import plain_text
from openbell.report.statistics import Statistics

if TYPE_CHECKING:
    from openbell.report.tables import RunTables

_SHOWN = (
    "total_return", "benchmark_return", "annual_return", "annual_volatility", "sharpe_ratio", "sortino_ratio",
    "max_drawdown", "max_drawdown_days", "trades", "win_rate", "profit_factor", "exposure_time", "fees",
    "final_equity",
)  # fmt: skip
_WIDTH, _HEIGHT = 640, 120
_LINE = "display:flex;justify-content:space-between;gap:12px"
_GRID = "display:grid;grid-template-columns:repeat(auto-fit,minmax(260px,1fr));column-gap:32px;margin:6px 0"
_FAINT = "opacity:.65"


def notebook_html(tables: RunTables, statistics: Statistics) -> str:
    """Return an HTML fragment: title, equity (and benchmark) as SVG, main statistics, models and digest."""
    settings = tables.settings
    name = escape(plain_text(settings.get("strategy", "Run")))
    about = escape(plain_text(settings.get("parameters")) if settings.get("parameters") else "")
    return (
        '<div style="font:13px/1.5 system-ui,sans-serif;max-width:680px">'
        f'<div><b style="font-size:15px">{name}</b> <span style="{_FAINT}">{about}</span></div>'
        f"{_svg(tables)}{_grid(statistics)}"
        f'<div style="{_FAINT};font-size:12px;overflow-wrap:anywhere">{escape(_models(tables))}</div></div>'
    )


def _models(tables: RunTables) -> str:
    keys = ("fill_model", "queue_model", "fee_model", "latency_model", "slippage_model", "digest")
    known = {key.replace("_model", ""): tables.settings[key] for key in keys if tables.settings.get(key)}
    return " · ".join(f"{key}: {plain_text(value)}" for key, value in known.items())


def _grid(statistics: Statistics) -> str:
    rows = {row.name: row for row in statistics.table()}
    cells = "".join(
        f'<div style="{_LINE}"><span style="{_FAINT}">{escape(rows[name].label)}</span>'
        f"<span>{escape(rows[name].text)}</span></div>"
        for name in _SHOWN
    )
    return f'<div style="{_GRID}">{cells}</div>'


def _svg(tables: RunTables) -> str:
    equity = tables.equity["equity"].to_numpy()
    benchmark = tables.equity["benchmark"].cast(float).fill_null(float("nan")).to_numpy()
    rows = np.unique(np.linspace(0, equity.size - 1, _WIDTH).astype(np.int64))
    curves = [benchmark[rows], equity[rows]]
    low, high = np.nanmin(np.concatenate(curves)), np.nanmax(np.concatenate(curves))
    lines = "".join(
        f'<path d="{_path(curve, float(low), float(high))}" fill="none" stroke="{color}" '
        f'stroke-width="{width}"/>'
        for curve, color, width in zip(curves, ("#8a93a1", "#2f6fed"), (1, 1.6), strict=True)
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" style="width:100%;height:auto" role="img" '
        f'aria-label="Equity">{lines}</svg>'
    )


def _path(values: NDArray[np.float64], low: float, high: float) -> str:
    span = high - low or 1.0
    known = np.flatnonzero(np.isfinite(values))
    across = known * _WIDTH / max(values.size - 1, 1)
    down = 4 + (_HEIGHT - 8) * (1 - (values[known] - low) / span)
    return " ".join(
        f"{'L' if index else 'M'}{x:.1f} {y:.1f}"
        for index, (x, y) in enumerate(zip(across, down, strict=True))
    )
