"""`report.html`: one file that opens without a network, now and in ten years.

The page is a template with everything inlined: style, scripts (the chart library among them) and data. Its
Content-Security-Policy forbids every request and every script but its own, by hash, so a hostile strategy or
instrument name stays text even if an escape were forgotten.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openbell.report.chart_view import ChartView, chart_views
from openbell.report.formatting import plain_text
from openbell.report.page_columns import ColumnBlock, ColumnHead, decimal_scale
from openbell.report.statistics import Statistics, compute_statistics

if TYPE_CHECKING:
    from openbell.report.tables import RunTables

MAX_CANDLES = 200_000
"""Candles in one file, over all instruments; above that consecutive bars are merged and the page says so."""

_FEWEST_CANDLES = 5_000  # of each instrument, however many there are

CHART_LIBRARY = "lightweight-charts-5.2.1.js"
CHART_LIBRARY_SHA256 = "e21cc5caa0226ef30bd8549c50b9ef926615f2a4ee6b4e486353477a55f598cf"
"""Of lightweight-charts.standalone.production.js in the npm package, byte for byte."""

_SCRIPTS = (
    CHART_LIBRARY,
    "columns.js",
    "palette.js",
    "trade_marks.js",
    "legends.js",
    "chart.js",
    "trade_table.js",
    "page.js",
)

_HEADLINE = {
    "total_return": "Total return",
    "benchmark_return": "Benchmark",
    "annual_return": "CAGR",
    "sharpe_ratio": "Sharpe ratio",
    "max_drawdown": "Max drawdown",
    "win_rate": "Win rate",
    "trades": "Trades",
    "fees": "Fees",
}

_MODELS = {
    "fee_model": "Fees",
    "fill_model": "Fills",
    "queue_model": "Queue",
    "latency_model": "Latency",
    "slippage_model": "Slippage",
}
_PROOF = {"run_id": "Run", "digest": "Digest", "output_hash": "Output hash", "state_hash": "State hash"}
_PLACED = {*_MODELS, *_PROOF, "strategy", "parameters", "versions"}


def write_report(path: str | Path, tables: RunTables, statistics: Statistics | None = None) -> Path:
    """Write `report_html` to `path` and return it. The file appears whole or not at all."""
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    partial.write_text(report_html(tables, statistics), encoding="utf-8")
    partial.replace(target)
    return target


def report_html(
    tables: RunTables, statistics: Statistics | None = None, *, max_candles: int = MAX_CANDLES
) -> str:
    """Return the report page. `statistics` are computed from the tables unless given."""
    block = ColumnBlock()
    content = _content(tables, statistics or compute_statistics(tables), block, max_candles)
    script = _script()
    return _filled(
        _asset("page.html"),
        {
            "POLICY": _policy(script),
            "TITLE": escape(f"{content['strategy']} | Openbell report"),
            "STYLE": _asset("page.css"),
            "CONTENT": inert_json(content),
            "COLUMNS": block.text(),
            "SCRIPT": script,
        },
    )


def inert_json(value: object) -> str:
    """Return JSON that is safe inside a script element: no character in it can end the element or a line of
    script.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _filled(template: str, values: Mapping[str, str]) -> str:
    parts = template.split("@@")  # text and names in turn; values are never searched again
    page = "".join(values[part] if index % 2 else part for index, part in enumerate(parts))
    return page.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate in a name cannot be written


def _asset(name: str) -> str:
    return (resources.files("openbell.report") / "assets" / name).read_text(encoding="utf-8")


def _script() -> str:
    library, *own = (_asset(name) for name in _SCRIPTS)
    return "\n".join((library, '(() => {\n"use strict";', *own, "})();"))


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _content(
    tables: RunTables, statistics: Statistics, block: ColumnBlock, max_candles: int
) -> dict[str, Any]:
    settings = tables.settings
    views = chart_views(tables, max(_FEWEST_CANDLES, max_candles // max(1, len(tables.bars))))
    rows = statistics.table()
    texts = {row.name: row.text for row in rows}
    return {
        "strategy": plain_text(settings.get("strategy", "Run")),
        "currency": tables.currency,
        "period": [statistics.start, statistics.end],
        "digest": plain_text(settings.get("digest", "")) if settings.get("digest") else "",
        "headline": [_tile(statistics, name, texts[name]) for name in _HEADLINE],
        "statistics": [[row.group, row.label, row.text] for row in rows if row.name != "currency"],
        "models": [[label, plain_text(settings.get(key) or "not stated")] for key, label in _MODELS.items()],
        "parameters": _pairs(settings.get("parameters")),
        "settings": _pairs({key: value for key, value in settings.items() if key not in _PLACED}),
        "proof": [[label, plain_text(settings[key])] for key, label in _PROOF.items() if settings.get(key)],
        "versions": _pairs(settings.get("versions")),
        "views": [_view(view, block) for view in views],
        "trades": _trades(tables, views, block),
    }


def _tile(statistics: Statistics, name: str, text: str) -> dict[str, Any]:
    value, unit = statistics[name], f" {statistics.currency}"
    label = _HEADLINE[name]
    if text.endswith(unit):  # the currency goes to the label: the figure is large
        label, text = f"{label},{unit}", text.removesuffix(unit)
    signed = name in ("total_return", "benchmark_return", "annual_return") and value is not None
    return {"label": label, "text": text, "sign": int(np.sign(value)) if signed else 0}


def _pairs(value: object) -> list[list[str]]:
    if isinstance(value, Mapping):
        return [[str(key), plain_text(item)] for key, item in value.items()]
    return [["", plain_text(value)]] if value else []


def _view(view: ChartView, block: ColumnBlock) -> dict[str, Any]:
    return {
        "symbol": view.symbol,
        "merged": view.merged,
        "decimals": _shown_decimals(view),
        "time": block.add_times(view.time_ns),
        "prices": {name: block.add_numbers(values) for name, values in view.prices.items()},
        "equity": block.add_numbers(view.equity),
        "benchmark": block.add_numbers(view.benchmark) if np.isfinite(view.benchmark).any() else None,
        "drawdown": block.add_numbers(np.round(view.drawdown, 6)),
        "indicators": [
            {
                "name": name,
                "overlay": _is_price(values, view),
                "values": block.add_numbers(_significant(values)),
            }
            for name, values in view.indicators.items()
        ],
    }


def _shown_decimals(view: ChartView) -> int:
    """Decimals for the price axis: what 95 % of closes need, so that one odd price does not lengthen every
    label.
    """
    if not view.prices:
        return 2
    close = view.prices["close"]
    for decimals in range(8):
        if np.mean(np.round(close, decimals) == close) >= 0.95:
            return decimals
    return min(8, max(0, decimal_scale(close)))


def _is_price(values: Any, view: ChartView) -> bool:
    """Tell whether an indicator's middle lies among the prices: it is drawn over them, any other below."""
    known = values[np.isfinite(values)]
    if known.size == 0 or not view.prices:
        return False
    low, high = float(view.prices["low"].min()), float(view.prices["high"].max())
    return bool(min(0.5 * low, 2 * low) <= np.median(known) <= max(0.5 * high, 2 * high))


def _significant(values: Any) -> Any:
    """Round to seven digits of the largest: averages have many, a screen shows few, and the file halves."""
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    return values if largest == 0 else np.round(values, 6 - math.floor(math.log10(largest)))


def _trades(tables: RunTables, views: list[ChartView], block: ColumnBlock) -> dict[str, Any]:
    trades = tables.trades
    symbols = sorted(set(trades["instrument"].to_list()))
    entry, leave = _candles_of_trades(tables, views)
    numbers = ("quantity", "entry_price", "exit_price", "profit_and_loss", "fees", "return", "bars")
    nan = float("nan")
    columns: dict[str, ColumnHead] = {
        name: block.add_numbers(trades[name].cast(float).fill_null(nan).to_numpy()) for name in numbers
    }
    columns |= {
        "number": block.add_numbers(trades["number"].cast(float).to_numpy()),
        "instrument": block.add_numbers(_positions(symbols, trades["instrument"].to_list())),
        "long": block.add_numbers((trades["side"] == "long").cast(float).to_numpy()),
        "open": block.add_numbers(trades["is_open"].cast(float).to_numpy()),
        "entry_time": block.add_times(_times(trades["entry_time"])),
        "exit_time": block.add_times(_times(trades["exit_time"])),
        "entry_candle": block.add_numbers(entry.astype(float)),
        "exit_candle": block.add_numbers(leave.astype(float)),
    }
    return {"symbols": symbols, "columns": columns}


def _times(values: Any) -> Any:
    import polars as pl

    return values.cast(pl.Datetime("ns", "UTC")).to_physical().fill_null(0).to_numpy()


def _positions(names: list[str], values: Iterable[str]) -> Any:
    place = {name: index for index, name in enumerate(names)}
    return np.array([place[value] for value in values], dtype=float)


def _candles_of_trades(tables: RunTables, views: list[ChartView]) -> tuple[Any, Any]:
    trades = tables.trades
    entry = np.full(trades.height, -1, dtype=np.int64)
    leave = entry.copy()
    of = np.array(trades["instrument"].to_list(), dtype=object)
    for view in views:
        mine = of == view.symbol
        entry[mine] = view.candle_of(
            _times(trades["entry_time"])[mine], trades["entry_price"].to_numpy()[mine]
        )
        exits = trades["exit_price"].cast(float).fill_null(float("nan")).to_numpy()[mine]
        found = view.candle_of(_times(trades["exit_time"])[mine], exits)
        leave[mine] = np.where(np.isnan(exits), view.time_ns.size - 1, found)
    return entry, leave
