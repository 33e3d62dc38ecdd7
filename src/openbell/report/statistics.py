"""The statistics of a run: one frozen record that reads like a mapping and prints like a table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openbell.model.errors import ConfigError
from openbell.model.time import iso
from openbell.report import benchmark as benchmarks
from openbell.report import drawdown, returns, round_trips
from openbell.report.formatting import StatisticRow, Unit, figure_text

if TYPE_CHECKING:
    from openbell.report.tables import RunTables

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


_TONED = ("total_return", "benchmark_return", "annual_return", "expectancy", "average_trade")


def _figure(label: str, unit: Unit, group: str) -> Any:
    return dataclasses.field(metadata={"label": label, "unit": unit, "group": group})


@dataclass(frozen=True, eq=True, repr=False)
class Statistics(Mapping[str, Any]):
    """The figures of one run. `stats["sharpe_ratio"]`, `stats.sharpe_ratio` and `dict(stats)` all work.

    Fractions, not percents (0.12 = 12 %); money in `currency`; drawdowns and losses negative. A figure that
    is undefined, such as a Sharpe ratio without volatility, is None and never NaN. Ratios are made of daily
    returns (see `returns.py`), annualized with `periods_per_year`; drawdowns are measured on every row.
    """

    currency: str = _figure("Currency", "text", "Period")
    start: str = _figure("Start", "text", "Period")
    end: str = _figure("End", "text", "Period")
    duration_days: float = _figure("Duration", "days", "Period")
    rows: int = _figure("Valuations", "count", "Period")
    starting_equity: float = _figure("Starting equity", "money", "Return")
    final_equity: float = _figure("Final equity", "money", "Return")
    total_return: float | None = _figure("Total return", "percent", "Return")
    benchmark_return: float | None = _figure("Benchmark return", "percent", "Return")
    annual_return: float | None = _figure("Annual return (CAGR)", "percent", "Return")
    annual_volatility: float | None = _figure("Annual volatility", "percent", "Risk")
    sharpe_ratio: float | None = _figure("Sharpe ratio", "ratio", "Risk")
    sortino_ratio: float | None = _figure("Sortino ratio", "ratio", "Risk")
    calmar_ratio: float | None = _figure("Calmar ratio", "ratio", "Risk")
    max_drawdown: float | None = _figure("Max drawdown", "percent", "Risk")
    max_drawdown_bars: int = _figure("Max drawdown, bars", "count", "Risk")
    max_drawdown_days: float = _figure("Max drawdown, length", "days", "Risk")
    longest_drawdown_days: float = _figure("Longest drawdown", "days", "Risk")
    average_drawdown: float | None = _figure("Average drawdown", "percent", "Risk")
    value_at_risk: float | None = _figure("Value at risk, 5 %, daily", "percent", "Risk")
    conditional_value_at_risk: float | None = _figure("Expected shortfall, 5 %, daily", "percent", "Risk")
    alpha: float | None = _figure("Alpha, annual", "percent", "Risk")
    beta: float | None = _figure("Beta", "ratio", "Risk")
    correlation: float | None = _figure("Correlation", "ratio", "Risk")
    trades: int = _figure("Trades closed", "count", "Trades")
    open_trades: int = _figure("Trades open", "count", "Trades")
    win_rate: float | None = _figure("Win rate", "percent", "Trades")
    profit_factor: float | None = _figure("Profit factor", "ratio", "Trades")
    payoff_ratio: float | None = _figure("Average win / loss", "ratio", "Trades")
    expectancy: float | None = _figure("Expectancy", "money", "Trades")
    average_trade: float | None = _figure("Average trade", "percent", "Trades")
    best_trade: float | None = _figure("Best trade", "percent", "Trades")
    worst_trade: float | None = _figure("Worst trade", "percent", "Trades")
    average_bars: float | None = _figure("Average bars held", "ratio", "Trades")
    longest_losing_streak: int = _figure("Longest losing streak", "count", "Trades")
    exposure_time: float = _figure("Time in the market", "percent", "Activity")
    orders: int = _figure("Orders", "count", "Activity")
    fills: int = _figure("Fills", "count", "Activity")
    fees: float = _figure("Fees", "money", "Activity")
    periods_per_year: float = _figure("Returns per year", "count", "Method")
    calendar: str = _figure("Annualized with", "text", "Method")
    returns: int = _figure("Daily returns used", "count", "Method")
    risk_free_rate: float = _figure("Risk-free rate", "percent", "Method")

    def __getitem__(self, name: str) -> Any:
        if name not in self.__dataclass_fields__:
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dataclass_fields__)

    def __len__(self) -> int:
        return len(self.__dataclass_fields__)

    def __repr__(self) -> str:
        lines = [f"{row.label:<32}{row.text:>24}" for row in self.table()]
        return "\n".join(lines)

    def __rich__(self) -> Any:
        from openbell.report.statistics_table import statistics_table

        return statistics_table(self.table())

    def table(self) -> list[StatisticRow]:
        """Return every figure with its label and its value as text, in the order of the fields."""
        fields = dataclasses.fields(self)
        return [
            StatisticRow(
                item.name,
                item.metadata["group"],
                item.metadata["label"],
                figure_text(self[item.name], item.metadata["unit"], self.currency),
                self._tone(item.name),
            )
            for item in fields
        ]

    def _tone(self, name: str) -> int:
        value = self[name] if name in _TONED else None
        return 0 if not value else 1 if value > 0 else -1

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and None in the order of the fields."""
        return {name: self[name] for name in self}

    def to_json(self) -> str:
        """Return stable JSON, the same text for the same figures; NaN cannot occur."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def compute_statistics(
    tables: RunTables, *, risk_free_rate: float = 0.0, periods_per_year: float | None = None
) -> Statistics:
    """Compute the statistics of a run.

    `risk_free_rate` is annual (0.03 = 3 %). `periods_per_year` overrides the detected number of returns in a
    year (252 without weekends, 365 with them). Raises ConfigError where either is out of range.
    """
    if not risk_free_rate > -1:
        raise ConfigError(f"risk_free_rate must be above -1, got {risk_free_rate}")
    if periods_per_year is not None and not 0 < periods_per_year < 1e7:
        raise ConfigError(f"periods_per_year must be positive, got {periods_per_year}")
    time_ns = tables.equity["time"].to_physical().to_numpy()
    equity = tables.equity["equity"].to_numpy()
    calendar = returns.detect_calendar(time_ns)
    if periods_per_year is not None:
        calendar = returns.Calendar(periods_per_year, f"{periods_per_year:g} per year: as asked")
    return Statistics(
        currency=tables.currency,
        **_period(time_ns, equity),
        **_returns(time_ns, equity, calendar, risk_free_rate),
        **_drawdowns(time_ns, equity),
        **_benchmark(tables, time_ns, equity, calendar),
        **_trades(tables),
        **_activity(tables),
    )


def _period(time_ns: Integers, equity: Floats) -> dict[str, Any]:
    start, final = float(equity[0]), float(equity[-1])
    return {
        "start": iso(int(time_ns[0])),
        "end": iso(int(time_ns[-1])),
        "duration_days": _days(time_ns[-1] - time_ns[0]),
        "rows": int(equity.size),
        "starting_equity": start,
        "final_equity": final,
        "total_return": final / start - 1.0 if start > 0 else None,
    }


def _days(span_ns: Any) -> float:
    return float(span_ns) / returns.NS_PER_DAY


def _returns(time_ns: Integers, equity: Floats, calendar: returns.Calendar, rate: float) -> dict[str, Any]:
    daily, periods = returns.daily_returns(time_ns, equity), calendar.periods_per_year
    per_period = (1.0 + rate) ** (1.0 / periods) - 1.0
    growth = returns.annual_return(daily, periods)
    fall = float(drawdown.underwater(equity).min())
    return {
        "annual_return": growth,
        "annual_volatility": returns.annual_volatility(daily, periods),
        "sharpe_ratio": returns.sharpe_ratio(daily, periods, per_period),
        "sortino_ratio": returns.sortino_ratio(daily, periods, per_period),
        "calmar_ratio": None if growth is None else returns.ratio(growth, -fall),
        "value_at_risk": returns.value_at_risk(daily),
        "conditional_value_at_risk": returns.conditional_value_at_risk(daily),
        "periods_per_year": float(periods),
        "calendar": calendar.reason,
        "returns": int(daily.size),
        "risk_free_rate": float(rate),
    }


def _drawdowns(time_ns: Integers, equity: Floats) -> dict[str, Any]:
    falls = drawdown.drawdowns(equity)
    worst = drawdown.deepest(falls)
    lengths = [_days(time_ns[fall.end] - time_ns[fall.peak]) for fall in falls]
    return {
        "max_drawdown": worst.depth if worst else 0.0 if equity[0] > 0 else None,
        "max_drawdown_bars": worst.rows if worst else 0,
        "max_drawdown_days": _days(time_ns[worst.end] - time_ns[worst.peak]) if worst else 0.0,
        "longest_drawdown_days": max(lengths, default=0.0),
        "average_drawdown": float(np.mean([fall.depth for fall in falls])) if falls else None,
    }


def _benchmark(
    tables: RunTables, time_ns: Integers, equity: Floats, calendar: returns.Calendar
) -> dict[str, Any]:
    import polars as pl

    values = tables.equity["benchmark"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    found = benchmarks.against_benchmark(time_ns, equity, values, calendar.periods_per_year)
    return dataclasses.asdict(found)


def _trades(tables: RunTables) -> dict[str, Any]:
    closed = tables.trades.filter(~tables.trades["is_open"])
    profit, gain = closed["profit_and_loss"].to_numpy(), closed["return"].drop_nulls().to_numpy()
    held = closed["bars"].drop_nulls().cast(float).to_numpy()
    return {
        "trades": closed.height,
        "open_trades": tables.trades.height - closed.height,
        "win_rate": round_trips.win_rate(profit),
        "profit_factor": round_trips.profit_factor(profit),
        "payoff_ratio": round_trips.payoff_ratio(profit),
        "expectancy": round_trips.mean(profit),
        "average_trade": round_trips.mean(gain),
        "best_trade": float(gain.max()) if gain.size else None,
        "worst_trade": float(gain.min()) if gain.size else None,
        "average_bars": round_trips.mean(held),
        "longest_losing_streak": round_trips.longest_losing_streak(profit),
    }


def _activity(tables: RunTables) -> dict[str, Any]:
    return {
        "exposure_time": float((tables.equity["exposure_gross"] != 0).sum()) / tables.equity.height,
        "orders": tables.orders.height,
        "fills": tables.fills.height,
        "fees": float(tables.fills["fee"].sum()),
    }
