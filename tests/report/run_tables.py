"""Tables of made-up and of real runs for the report's tests: seeded, and consistent (equity = cash + position
value).
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openbell.report.tables import RunTables, schema

Floats = NDArray[np.float64]

DATA = Path(os.environ.get("OPENBELL_DATA", Path(__file__).parents[2] / "../shared/data"))
START_NS = 1_640_995_200_000_000_000  # 2022-01-01T00:00:00Z
MINUTE_NS = 60_000_000_000
DAY_NS = 86_400_000_000_000
FEE = 0.0004
SETTINGS = {
    "strategy": "Cross",
    "parameters": {"fast": 10, "slow": 30},
    "cash": 10_000.0,
    "fee_model": "0.04 % of notional",
    "fill_model": "bars: next open; worse of stop and target",
    "queue_model": "none: bars have no queue",
    "latency_model": "0 ns",
    "slippage_model": "none",
    "digest": "9f2d5a71c3e84b06a1d7f0e92b58c4d3",
    "versions": {"openbell": "0.1.0", "python": "3.11.7"},
}


def synthetic_tables(
    bars: int = 2_000,
    trades: int = 100,
    seed: int = 7,
    symbols: tuple[str, ...] = ("BTCUSDT",),
    **settings: object,
) -> RunTables:
    """A seeded random walk per symbol with `trades` round trips of random length, alternately over the
    symbols.
    """
    random = np.random.default_rng(seed)
    frames = {symbol: _walk(random, bars) for symbol in symbols}
    positions = {symbol: np.zeros(bars) for symbol in symbols}
    per_symbol = -(-trades // len(symbols))
    for position in positions.values():
        edges = np.sort(random.choice(np.arange(1, bars), 2 * per_symbol, replace=False))
        for entry, leave in zip(edges[::2], edges[1::2], strict=True):
            position[entry:leave] = random.choice((-0.05, 0.05))
    return tables_of(frames, positions, settings=settings)


def sma_cross_tables(path: Path, fast: int = 20, slow: int = 80) -> RunTables:
    """A long/short moving-average cross over a CSV of minute bars, filled at the next open."""
    frame = pl.read_csv(path, try_parse_dates=True).rename({"timestamp": "time"})
    frame = frame.with_columns(pl.col("time").dt.cast_time_unit("ns").dt.replace_time_zone("UTC"))
    lines = frame.select(
        "time",
        pl.col("close").rolling_mean(fast).alias(f"sma {fast}"),
        pl.col("close").rolling_mean(slow).alias(f"sma {slow}"),
    )
    wanted = (lines[f"sma {fast}"] > lines[f"sma {slow}"]).fill_null(False).to_numpy()
    known = lines[f"sma {slow}"].is_not_null().to_numpy()
    signal = np.where(known, np.where(wanted, 0.2, -0.2), 0.0)
    return tables_of(
        {"BTC-PERP": frame}, {"BTC-PERP": np.append(0.0, signal[:-1])}, indicators={"BTC-PERP": lines}
    )


def tables_of(
    frames: dict[str, pl.DataFrame],
    positions: dict[str, Floats],
    indicators: dict[str, pl.DataFrame] | None = None,
    settings: dict[str, object] | None = None,
) -> RunTables:
    """Account for positions held from each bar's open, bought and sold at that open with a fee of 4 basis
    points.
    """
    first = next(iter(frames.values()))
    cash, value, exposure = np.full(first.height, 10_000.0), np.zeros(first.height), np.zeros(first.height)
    trades: list[dict[str, Any]] = []
    fills: list[dict[str, Any]] = []
    for symbol, frame in frames.items():
        held, opens = positions[symbol], frame["open"].to_numpy()
        change = np.diff(held, prepend=0.0)
        cash += np.cumsum(-change * opens - np.abs(change) * opens * FEE)
        value += held * frame["close"].to_numpy()
        exposure += np.abs(held) * frame["close"].to_numpy()
        _book(symbol, frame, held, trades, fills)
    trades.sort(key=lambda trade: trade["entry_time"])
    equity = pl.DataFrame(
        {
            "time": first["time"],
            "equity": cash + value,
            "cash": cash,
            "exposure_gross": exposure,
            "benchmark": 10_000.0 * first["close"] / first["close"][0],
        }
    )
    numbered = [{"number": index + 1, **trade} for index, trade in enumerate(trades)]
    return RunTables(
        equity=equity,
        trades=pl.DataFrame(numbered, schema=schema("trades")),
        fills=pl.DataFrame(fills, schema=schema("fills")),
        orders=pl.DataFrame(schema=schema("orders")),
        bars=frames,
        indicators=indicators or {},
        settings={**SETTINGS, **(settings or {})},
        currency="USDT",
    )


def equity_tables(time_ns: NDArray[np.int64], equity: Floats, benchmark: Floats | None = None) -> RunTables:
    """Tables of a run that has nothing but an equity curve."""
    frame = pl.DataFrame(
        {"time": time_ns, "equity": equity, "cash": equity, "exposure_gross": np.zeros(equity.size)}
    )
    values = (
        pl.Series("benchmark", benchmark, dtype=pl.Float64).fill_nan(None)
        if benchmark is not None
        else pl.lit(None, pl.Float64).alias("benchmark")
    )
    return RunTables(
        equity=frame.with_columns(pl.col("time").cast(pl.Datetime("ns", "UTC")), values),
        trades=pl.DataFrame(schema=schema("trades")),
        fills=pl.DataFrame(schema=schema("fills")),
        orders=pl.DataFrame(schema=schema("orders")),
        bars={},
        settings={},
        currency="USD",
    )


def _walk(random: np.random.Generator, bars: int) -> pl.DataFrame:
    close = 40_000 * np.exp(np.cumsum(random.normal(0, 0.0008, bars)))
    opens = np.append(close[0], close[:-1])
    high = np.maximum(opens, close) * (1 + np.abs(random.normal(0, 0.0004, bars)))
    low = np.minimum(opens, close) * (1 - np.abs(random.normal(0, 0.0004, bars)))
    return pl.DataFrame(
        {
            "time": pl.Series(START_NS + MINUTE_NS * np.arange(bars)).cast(pl.Datetime("ns", "UTC")),
            "open": opens.round(1),
            "high": (high + 0.1).round(1),
            "low": (low - 0.1).round(1),
            "close": close.round(1),
            "volume": random.gamma(2, 30, bars).round(3),
        }
    )


def _book(
    symbol: str,
    frame: pl.DataFrame,
    held: Floats,
    trades: list[dict[str, Any]],
    fills: list[dict[str, Any]],
) -> None:
    times, opens = frame["time"].cast(pl.Int64).to_numpy(), frame["open"].to_numpy()
    edges = np.append(np.flatnonzero(np.diff(held, prepend=0.0)), held.size)
    for start, end in itertools.pairwise(edges):
        if held[start] != 0:
            trades.append(
                _trade(symbol, times, opens, held[start], int(start), int(end), float(frame["close"][-1]))
            )
        fills.append(
            _fill(
                symbol,
                int(times[start]),
                float(opens[start]),
                float(held[start] - (held[start - 1] if start else 0.0)),
            )
        )


def _trade(
    symbol: str, times: NDArray[np.int64], opens: Floats, size: float, start: int, end: int, last: float
) -> dict[str, Any]:
    is_open = end == times.size
    entry, leave = float(opens[start]), last if is_open else float(opens[end])
    fees = abs(size) * FEE * (entry + (0.0 if is_open else leave))
    profit = size * (leave - entry) - fees
    return {
        "instrument": symbol,
        "side": "long" if size > 0 else "short",
        "quantity": abs(size),
        "entry_time": int(times[start]),
        "entry_price": entry,
        "exit_time": None if is_open else int(times[end]),
        "exit_price": None if is_open else leave,
        "profit_and_loss": profit,
        "fees": fees,
        "return": profit / (abs(size) * entry),
        "bars": end - start,
        "is_open": is_open,
    }


def _fill(symbol: str, time: int, price: float, change: float) -> dict[str, Any]:
    return {
        "time": time,
        "instrument": symbol,
        "side": "buy" if change > 0 else "sell",
        "quantity": abs(change),
        "price": price,
        "fee": abs(change) * price * FEE,
        "liquidity": "taker",
        "order_id": str(time),
        "client_order_id": None,
        "trade_id": None,
    }
