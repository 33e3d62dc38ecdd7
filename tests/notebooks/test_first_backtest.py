"""The notebook runs from top to bottom, and a run shows itself in it."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "notebooks" / "first_backtest.ipynb"


@pytest.fixture(scope="module")
def executed():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    )
    return client.execute()


def outputs(notebook, source):
    """What the cell that begins with `source` shows."""
    cell = next(
        cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.startswith(source)
    )
    return cell.outputs


def test_it_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")] == []


def test_no_cell_fails_or_warns(executed):
    shown = [output for cell in executed.cells for output in cell.get("outputs", [])]
    assert [output for output in shown if output.output_type == "error"] == []
    assert [output.text for output in shown if output.get("name") == "stderr"] == []


def test_a_run_shows_itself(executed):
    (shown,) = outputs(executed, "run = Backtest(")
    page = shown.data["text/html"]
    assert "SmaCross" in page and "<svg" in page
    assert "<script" not in page and "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert shown.data["text/plain"].startswith("<Run SmaCross(fast=20, slow=100): 2003-01-0")


def test_the_figures_are_those_of_the_run(executed):
    printed, digest = outputs(executed, "print(run.stats)")
    assert "Sharpe" in printed.text or "sharpe" in printed.text
    assert len(digest.data["text/plain"].strip("'")) == 64
    (figure,) = outputs(executed, "run.plot(")
    assert any(kind.startswith("application/vnd.plotly") or kind == "text/html" for kind in figure.data)
