"""The commands as a shell sees them: what they print where, and their exit codes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from openbell.runtime.run_names import run_folders
from tests.runtime.strategies import write_bars

STRATEGY = """
from openbell import Strategy, crossover

class Cross(Strategy):
    fast: int = 3
    slow: int = 7

    def on_start(self):
        self.a, self.b = self.sma(self.fast), self.sma(self.slow)

    def on_bar(self, bar):
        if crossover(self.a, self.b):
            self.target_percent(bar.instrument, 0.9)
        elif crossover(self.b, self.a):
            self.close(bar.instrument)
"""


def openbell(*arguments: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "openbell", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", **variables}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_bars(tmp_path / "bars.csv")
    (tmp_path / "cross.py").write_text(STRATEGY)
    return tmp_path


def test_a_backtest_prints_its_result_and_where_it_is_kept(project: Path) -> None:
    done = openbell(
        "backtest", "cross.py", "--data", "bars.csv", "-p", "fast=4", "--fees", "0.1%", cwd=project
    )
    assert done.returncode == 0, done.stderr
    (folder,) = run_folders(project / "runs")
    assert f"runs/{folder.name}" in done.stdout.replace("\n", "")
    assert "fast=4" in done.stdout
    assert "Sharpe ratio" in done.stdout
    assert "instrument inferred" in done.stderr  # what was inferred is told, beside the result


def test_json_is_one_object_on_stdout_and_nothing_else(project: Path) -> None:
    done = openbell("backtest", "cross.py:Cross", "--data", "bars.csv", "--json", cwd=project)
    told = json.loads(done.stdout)
    assert (project / told["folder"] / "DIGEST").read_text().endswith(f"digest {told['digest']}\n")
    assert told["parameters"] == {"fast": 3, "slow": 7}
    assert told["statistics"]["trades"] > 0
    assert done.stderr == ""
    replayed = openbell("replay", "latest", "--json", cwd=project)
    assert json.loads(replayed.stdout)["digest"] == told["digest"]
    listed = json.loads(openbell("runs", "--json", cwd=project).stdout)
    assert [one["digest"] for one in listed["runs"]] == [told["digest"][:8]]
    written = json.loads(openbell("report", told["digest"][:8], "--json", cwd=project).stdout)
    assert (project / written["report"]).stat().st_size > 100_000


def test_options_win_over_variables_over_files(project: Path) -> None:
    (project / "backtest.toml").write_text(
        'strategy = "cross.py"\ndata = "bars.csv"\ncash = 5000\n[parameters]\nfast = 2\nslow = 9\n'
    )
    done = openbell("backtest", "--json", "-p", "slow=11", cwd=project, OPENBELL__PARAMETERS__FAST="4")
    told = json.loads(done.stdout)
    assert told["parameters"] == {"fast": 4, "slow": 11}
    assert told["statistics"]["starting_equity"] == 5000


def test_the_data_may_be_named_by_symbol(project: Path) -> None:
    done = openbell("backtest", "cross.py", "--data", "ACME=bars.csv", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    (folder,) = run_folders(project / "runs")
    assert 'symbol = "ACME"' in (folder / "run.toml").read_text()


BROKEN = """
from openbell import Strategy
class Broken(Strategy):
    def on_bar(self, bar):
        1 / 0
"""

ERRORS = [
    (["backtest", "absent.py", "--data", "bars.csv"], 2, r"no strategy file absent\.py"),
    (["backtest", "cross.py"], 2, "no data: give --data FILE"),
    (["backtest"], 2, "no strategy: give FILE.py"),
    (["backtest", "cross.py", "--data", "absent.csv"], 3, r"absent\.csv: no such file"),
    (["backtest", "cross.py", "--data", "bars.csv", "-p", "fast"], 2, "parameter 'fast' is not NAME=VALUE"),
    (["backtest", "cross.py", "--data", "bars.csv", "-p", "fast=x"], 2, r"Cross\.fast is 'x'; it must be int"),
    (["backtest", "cross.py", "--data", "bars.csv", "-p", "fats=5"], 2, "no parameter 'fats'.*fast, slow"),
    (["backtest", "cross.py", "--data", "bars.csv", "--cash", "-5"], 2, "cash"),
    (["backtest", "cross.py", "--data", "bars.csv", "--fees", "free"], 2, "fees is 'free'"),
    (["backtest", "cross.py", "--data", "sample:gold"], 2, "no sample 'gold', expected one of us_stocks_daily"),
    (["backtest", "cross.py:Other", "--data", "bars.csv"], 2, "defines no strategy 'Other', expected one of Cross"),
    (["backtest", "broken.py", "--data", "bars.csv"], 4, r"ZeroDivisionError.*broken\.py, line 5"),
    (["backtest", "unclear.py", "--data", "bars.csv"], 4, r"unclear\.py, line 2: SyntaxError"),
    (["replay", "nothing"], 3, "no such run folder"),
    (["report", "."], 3, r"run\.toml: no such file"),
    (["bactkest"], 2, "bactkest"),
    (["backtest", "cross.py", "--nonsense"], 2, "--nonsense"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "message"), ERRORS, ids=[" ".join(one[0]) for one in ERRORS])
def test_an_error_is_one_line_with_its_documented_code(
    project: Path, arguments: list[str], code: int, message: str
) -> None:
    (project / "broken.py").write_text(BROKEN)
    (project / "unclear.py").write_text("x = 1\ny = (\n")
    done = openbell(*arguments, cwd=project)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("openbell: ")
    assert re.search(message, done.stderr), done.stderr
    assert done.stdout == ""


def test_an_error_of_a_strategy_names_its_place_once(project: Path) -> None:
    (project / "broken.py").write_text(STRATEGY.replace("self.close(bar.instrument)", "1 / 0"))
    done = openbell("backtest", "broken.py", "--data", "bars.csv", cwd=project)
    assert done.returncode == 4
    assert done.stderr.count("broken.py") == 1, done.stderr


def test_debug_shows_the_traceback(project: Path) -> None:
    (project / "broken.py").write_text(BROKEN)
    done = openbell("backtest", "broken.py", "--data", "bars.csv", "--debug", cwd=project)
    assert "Traceback" in done.stderr
    assert done.returncode == 4


def test_a_run_that_failed_is_listed_as_incomplete(project: Path) -> None:
    (project / "broken.py").write_text(BROKEN)
    openbell("backtest", "broken.py", "--data", "bars.csv", cwd=project)
    assert "INCOMPLETE" in openbell("runs", cwd=project).stdout
    assert "no runs in nowhere" in openbell("runs", "nowhere", cwd=project).stdout


def test_a_new_project_runs_at_once(tmp_path: Path) -> None:
    assert openbell("init", "mine", cwd=tmp_path).returncode == 0
    done = openbell("backtest", "--json", cwd=tmp_path / "mine")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statistics"]["trades"] > 0
    again = openbell("init", "mine", cwd=tmp_path)
    assert again.returncode == 2
    assert "mine exists already and is not empty" in again.stderr


def test_the_demo_proves_its_runs_and_cleans_up(tmp_path: Path) -> None:
    done = openbell("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("✓ same") == 10
    assert "What to try next" in done.stdout
    assert len(list(run_folders(tmp_path / "runs"))) == 2
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        path.name for path in run_folders(tmp_path / "runs")
    }


def test_version_and_help_answer(tmp_path: Path) -> None:
    assert re.fullmatch(r"openbell \d+\.\d+\.\d+\n", openbell("--version", cwd=tmp_path).stdout)
    told = openbell("--help", cwd=tmp_path).stdout
    for verb in ("demo", "init", "backtest", "replay", "runs", "report", "Exit codes"):
        assert verb in told


def test_help_does_not_wait_for_heavy_libraries(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom openbell.cli.app import run\nrun(['--help'])\n"
        "heavy = {'numpy', 'polars', 'pydantic', 'plotly', 'structlog', 'openbell._kernel'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"
