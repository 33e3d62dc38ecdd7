"""A run in a terminal, in a notebook, as a plotly figure, and beside other runs."""

import io
import re
import subprocess
import sys

import numpy as np
import pytest
from rich.console import Console

from openbell.model.errors import ConfigError
from openbell.report.comparison import compare
from openbell.report.figure import figure
from openbell.report.notebook import notebook_html
from openbell.report.statistics import compute_statistics
from openbell.report.tear_sheet import sparkline, tear_sheet
from tests.report.run_tables import equity_tables, synthetic_tables

TABLES = synthetic_tables(600, 30, symbols=("AAPL", "MSFT"), strategy="[bold]Cross[/bold]<b>")
STATISTICS = compute_statistics(TABLES)


def printed(renderable: object) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(renderable)
    return console.export_text()


def test_the_tear_sheet_shows_strategy_statistics_models_and_digest() -> None:
    text = printed(tear_sheet(TABLES, STATISTICS))
    assert "[bold]Cross[/bold]<b>" in text  # markup in a name is text
    for row in STATISTICS.table():
        assert row.name == "currency" or row.label in text
    assert "9f2d5a71c3e84b06a1d7f0e92b58c4d3" in text
    assert "bars: next open; worse of stop and target" in text


def test_statistics_print_themselves_in_rich() -> None:
    assert "Sharpe ratio" in printed(STATISTICS)


@pytest.mark.parametrize(
    ("values", "line"), [([1.0, 2, 3], "▁▅█"), ([5.0], "▁"), ([], ""), ([2.0, 2, 2], "▁▁▁")]
)
def test_a_sparkline_runs_from_lowest_to_highest(values: list[float], line: str) -> None:
    assert sparkline(values, 10) == line


def test_a_sparkline_ends_with_the_last_value() -> None:
    assert sparkline([0.0] * 999 + [1.0], 20)[-1] == "█"


def test_the_notebook_fragment_loads_nothing_and_escapes_names() -> None:
    text = notebook_html(TABLES, STATISTICS)
    assert not re.search(r"<script|src=|href=|url\(|@import", text)
    assert "[bold]Cross[/bold]&lt;b&gt;" in text
    assert text.count("<path") == 2
    assert "Sharpe ratio" in text
    assert "nan" not in text


def test_the_notebook_fragment_of_one_row_is_drawn() -> None:
    tables = equity_tables(np.array([0]), np.array([100.0]))
    assert "nan" not in notebook_html(tables, compute_statistics(tables))


def test_a_figure_has_price_trades_equity_and_drawdown() -> None:
    names = [trace.name for trace in figure(TABLES, instrument="MSFT").data]
    assert names == ["MSFT", "Buy", "Sell", "Benchmark", "Equity", "Drawdown"]


def test_a_short_trade_is_sold_at_its_entry() -> None:
    drawn = {trace.name: list(trace.y) for trace in figure(TABLES, instrument="MSFT").data[1:]}
    trades = TABLES.trades.filter(instrument="MSFT")
    shorts, longs = trades.filter(side="short"), trades.filter(side="long")
    assert shorts.height
    assert longs.height
    assert sorted(drawn["Sell"]) == sorted([*shorts["entry_price"], *longs["exit_price"]])
    assert sorted(drawn["Buy"]) == sorted([*longs["entry_price"], *shorts["exit_price"]])


def test_a_figure_of_a_long_run_is_merged_and_its_title_says_so() -> None:
    tables = synthetic_tables(30_000, 10)
    drawn = figure(tables)
    assert len(drawn.data[0].x) <= 20_000
    assert "each candle merges 2 bars" in drawn.layout.title.text
    assert "merges" not in figure(synthetic_tables(500, 5)).layout.title.text


def test_a_figure_of_one_of_several_instruments_is_merged_only_where_it_is_long_itself() -> None:
    tables = synthetic_tables(7_000, 20, symbols=tuple("ABCDE"))
    assert len(figure(tables).data[0].x) == 7_000


def test_a_figure_of_an_unknown_instrument_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="no bars of instrument 'X'; there are bars of: AAPL, MSFT"):
        figure(TABLES, instrument="X")


def test_runs_are_compared_by_name_in_terminal_notebook_and_frame() -> None:
    found = compare([TABLES, synthetic_tables(600, 10, seed=3), synthetic_tables(600, 10, seed=4)])
    assert list(found.statistics) == ["[bold]Cross[/bold]<b>", "Cross", "Cross #2"]
    assert found.frame()["run"].to_list() == list(found.statistics)
    assert found.frame()["sharpe_ratio"][0] == STATISTICS.sharpe_ratio
    assert "Cross #2" in printed(found)
    assert "Cross #2" in repr(found)
    assert "&lt;b&gt;" in found._repr_html_()
    assert len(found.figure().data) == 3


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one run"):
        compare([])


def test_importing_the_report_loads_no_heavy_library() -> None:
    modules = "html, figure, tear_sheet, comparison, notebook, statistics, tables"
    heavy = "('polars', 'plotly', 'rich', 'pandas', 'pyarrow')"
    code = (
        f"import sys; from openbell.report import {modules}; print([m for m in {heavy} if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
