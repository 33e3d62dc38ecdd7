"""`openbell backtest`: runs a strategy over market data into a run folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from openbell.cli.options import COMMON, CommonOptions
from openbell.model.errors import ConfigError

if TYPE_CHECKING:
    from openbell.cli.settings import BacktestSettings
    from openbell.runtime.backtest import Backtest
    from openbell.runtime.run import Run

DEFAULT_CONFIG = Path("backtest.toml")


def backtest(
    strategy: Annotated[
        str | None, Parameter(help="FILE.py, or FILE.py:CLASS where it defines several.")
    ] = None,
    /,
    *,
    data: Annotated[
        list[str] | None,
        Parameter(
            help="CSV or Parquet, repeatable; SYMBOL=FILE names the instrument; sample:us_stocks_daily is built in."
        ),
    ] = None,
    cash: Annotated[str | None, Parameter(help="Cash at the start. [default: 10000]")] = None,
    fees: Annotated[
        str | None, Parameter(help='Of the value of each fill: 0.1%, or "0.02%,0.05%" for maker, taker.')
    ] = None,
    slippage: Annotated[str | None, Parameter(help="Of the price, against whoever takes: 0.05%.")] = None,
    leverage: Annotated[
        str | None, Parameter(help="Gross exposure at most this multiple of equity. [default: 1]")
    ] = None,
    shorting: Annotated[
        bool | None, Parameter(help="Whether positions below zero are allowed. [default: yes]")
    ] = None,
    start: Annotated[str | None, Parameter(help="First bar that opens at or after this time.")] = None,
    end: Annotated[str | None, Parameter(help="Bars that open before this time.")] = None,
    timezone: Annotated[
        str | None, Parameter(help="Of times in the data that name none: America/New_York.")
    ] = None,
    warm_up: Annotated[int | None, Parameter(help="Bars before the first hook is called.")] = None,
    benchmark: Annotated[
        str | None, Parameter(help="buy_and_hold, a symbol, or none. [default: buy_and_hold]")
    ] = None,
    latency: Annotated[str | None, Parameter(help="Of orders, reports and data: 50ms.")] = None,
    close_at_end: Annotated[bool | None, Parameter(help="Close what is held at the last close.")] = None,
    journal: Annotated[str | None, Parameter(help="full, by_reference or none. [default: full]")] = None,
    seed: Annotated[int | None, Parameter(help="Of the strategy's chance. [default: 0]")] = None,
    parameter: Annotated[
        list[str] | None,
        Parameter(
            name=["--parameter", "-p"], negative=(), help="NAME=VALUE of the strategy, repeatable: -p fast=5."
        ),
    ] = None,
    config: Annotated[
        list[Path] | None,
        Parameter(
            name=["--config", "-c"],
            negative=(),
            help="TOML with these settings, repeatable; later files win.",
        ),
    ] = None,
    out: Annotated[str | None, Parameter(help="Where the run folder is made. [default: runs]")] = None,
    resume: Annotated[
        str | None,
        Parameter(
            help="Continue this interrupted run (its folder, or part of its name); nothing else is needed."
        ),
    ] = None,
    options: CommonOptions = COMMON,
) -> None:
    """Run a strategy over market data and write a run folder with its report.

    A setting given here wins over a variable such as OPENBELL__CASH or OPENBELL__PARAMETERS__FAST, which wins over the files
    of `--config`. Without a strategy and without `--config`, `backtest.toml` in this folder is read.
    """
    from openbell.cli.settings import layered_settings

    if resume is not None:
        show(resumed(resume, quiet=options.json), as_json=options.json)
        return
    given = {
        "strategy": strategy, "data": _data_argument(data), "cash": cash, "fees": _pair(fees), "slippage": slippage,
        "leverage": leverage, "shorting": shorting, "start": start, "end": end, "timezone": timezone, "warm_up": warm_up,
        "benchmark": benchmark, "latency": latency, "close_at_end": close_at_end, "journal": journal, "seed": seed, "out": out,
        "parameters": _parameters(parameter),
    }  # fmt: skip
    files = config or ([DEFAULT_CONFIG] if strategy is None and DEFAULT_CONFIG.is_file() else [])
    settings = layered_settings(files, {name: value for name, value in given.items() if value is not None})
    run = execute(prepared(settings), settings.out, quiet=options.json)
    show(run, as_json=options.json)


def _data_argument(data: list[str] | None) -> str | list[str] | dict[str, str] | None:
    if not data:
        return None
    named = [part.partition("=") for part in data]
    if all(equals and not symbol.startswith((".", "/")) for symbol, equals, _ in named):
        return {symbol: path for symbol, _, path in named}
    return data[0] if len(data) == 1 else data


def _pair(fees: str | None) -> str | list[str] | None:
    return [part.strip() for part in fees.split(",")] if fees is not None and "," in fees else fees


def _parameters(given: list[str] | None) -> dict[str, str] | None:
    if not given:
        return None
    pairs = [part.partition("=") for part in given]
    for name, equals, _ in pairs:
        if not equals or not name.isidentifier():
            raise ConfigError(f"parameter {name!r} is not NAME=VALUE, as in -p fast=5")
    return {name: value for name, _, value in pairs}


def prepared(settings: BacktestSettings) -> Backtest:
    """The backtest that settings describe. Raises ConfigError for one that is missing."""
    from openbell.runtime.backtest import Backtest
    from openbell.runtime.parameter_values import fitted_parameters

    if settings.strategy is None:
        raise ConfigError("no strategy: give FILE.py, or `strategy` in a --config file")
    if settings.data is None:
        raise ConfigError("no data: give --data FILE, or `data` in a --config file")
    cls = strategy_class(settings.strategy)
    return Backtest(
        cls(**fitted_parameters(cls, settings.parameters)),
        data=_located(settings.data),
        cash=settings.cash,
        currency=settings.currency,
        fees=settings.fees,
        slippage=settings.slippage,
        leverage=settings.leverage,
        shorting=settings.shorting,
        start=settings.start,
        end=settings.end,
        warm_up=settings.warm_up,
        benchmark=None if settings.benchmark in (None, "none") else settings.benchmark,
        latency=settings.latency,
        history=settings.history,
        close_at_end=settings.close_at_end,
        journal=settings.journal,
        seed=settings.seed,
        timezone=settings.timezone,
        name=settings.name,
    )


def _located(data: Any) -> Any:
    """Data with the built-in sample, where it is named, as a path."""
    from openbell.cli.samples import sample_path

    if isinstance(data, dict):
        return {symbol: sample_path(path) for symbol, path in data.items()}
    return [sample_path(path) for path in data] if isinstance(data, list) else sample_path(data)


def strategy_class(named: str) -> type:
    """The strategy class of `FILE.py` or `FILE.py:CLASS`. Raises ConfigError where there is none, or more than one."""
    from openbell.runtime.strategy_source import import_file
    from openbell.strategy import Strategy

    file, _, name = named.rpartition(":") if ":" in named else (named, "", "")
    path = Path(file)
    if not path.is_file():
        raise ConfigError(f"no strategy file {path}, expected FILE.py or FILE.py:CLASS")
    module = import_file(path)
    found = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    }
    if name:
        if name not in found:
            raise ConfigError(
                f"{path} defines no strategy {name!r}, expected one of {', '.join(found) or 'none'}"
            )
        return found[name]
    if not found:
        raise ConfigError(f"{path} defines no strategy: no class in it derives from openbell.Strategy")
    if len(found) > 1:
        choices = ", ".join(f"{path}:{key}" for key in found)
        raise ConfigError(f"{path} defines {len(found)} strategies, say which: {choices}")
    return next(iter(found.values()))


def resumed(run: str, *, quiet: bool = False) -> Run:
    """Continue an interrupted run, with a progress bar."""
    from openbell.cli.terminal import progress_bar
    from openbell.runtime.resume import resume

    with progress_bar("resumed", "bars") as advance:
        return resume(run, progress=None if quiet else advance)


def execute(test: Backtest, out: str, *, quiet: bool = False) -> Run:
    """Run it into a folder below `out`, with a progress bar."""
    from openbell.cli.terminal import progress_bar, side_console

    with progress_bar(type(test.strategy).__name__, "bars") as advance:
        run = test.run(out=out, progress=advance)
    if not quiet:
        for note in grouped(run.notes):
            side_console().print(note, style="dim", markup=False)
    return run


def grouped(notes: Iterable[str]) -> list[str]:
    """Notes that say the same of several symbols as one line."""
    symbols: dict[str, list[str]] = {}
    for note in notes:
        symbol, _, text = note.partition(": ")
        symbols.setdefault(text, []).append(symbol)
    return [f"{', '.join(named)}: {text}" for text, named in symbols.items()]


def show(run: Run, *, as_json: bool) -> None:
    """Print the result of a run."""
    from openbell.cli.terminal import console, print_json

    if as_json:
        print_json({"folder": str(run.folder), "digest": run.digest, "strategy": run.strategy, **told(run)})
        return
    from openbell.report.tear_sheet import tear_sheet

    console().print(tear_sheet(run.tables, run.stats))
    console().print(f"[dim]run folder[/]  {run.folder}")
    console().print(f"[dim]report[/]      {run.folder}/report.html")
    console().print(f"[dim]replay it[/]   openbell replay {run.folder}")


def told(run: Run) -> dict[str, object]:
    """Parameters and statistics as plain values."""
    return {"parameters": dict(run.parameters), "statistics": run.stats.to_dict()}
