"""What goes into a run folder of the user's code: enough to run the strategy again, and nothing that runs a backtest."""

import subprocess
import sys
from pathlib import Path

import pytest

from openbell import DivergenceError, StrategyError, replay
from openbell.runtime.program_slice import needed_source
from openbell.runtime.run_names import run_folders
from openbell.runtime.strategy_source import import_file, load_class, source_of
from tests.runtime.strategies import Cross, write_bars

CELLS = [
    "%matplotlib inline",
    "import numpy as np, os; import unused\nfrom openbell import Strategy",
    "data = read_everything()\nRATIO = 0.5\nLIMITS = [1]\nLIMITS += [2]",
    "def helper(x):\n    # keeps its comment\n    return np.abs(x) * RATIO",
    "class S(Strategy):\n    old: int = 1",
    "class S(Strategy):\n    new: int = 2\n    def on_bar(self, bar):\n        helper(LIMITS)",
    "this is not python",
    "run = Backtest(S(), data).run()\nif __name__ == '__main__':\n    S().explode()",
]


def test_the_slice_of_a_notebook_has_what_the_class_needs_in_its_order() -> None:
    wanted = """\
import numpy as np, os

from openbell import Strategy

RATIO = 0.5

LIMITS = [1]

LIMITS += [2]

def helper(x):
    # keeps its comment
    return np.abs(x) * RATIO

class S(Strategy):
    new: int = 2
    def on_bar(self, bar):
        helper(LIMITS)
"""
    assert (needed_source(CELLS, "S") or "").strip() == wanted.strip()


def test_a_class_that_nobody_defined_has_no_source() -> None:
    assert needed_source(CELLS, "T") is None


def test_decorators_star_imports_and_blocks_are_kept_whole() -> None:
    cells = [
        "from __future__ import annotations\nfrom math import *",
        "try:\n    import fast as speed\nexcept ImportError:\n    speed = None",
        "@wrap(speed)\nclass S: pass\ndef wrap(x): return lambda cls: cls",
    ]
    text = needed_source(cells, "S")
    assert text is not None
    assert text.startswith("from __future__ import annotations\n")
    for part in ("from math import *", "except ImportError", "@wrap(speed)\nclass S: pass", "def wrap(x)"):
        assert part in text
    compile(text, "slice", "exec")


def test_a_file_brings_the_local_files_it_imports(tmp_path: Path) -> None:
    (tmp_path / "signals").mkdir()
    (tmp_path / "signals" / "__init__.py").write_text("")
    (tmp_path / "signals" / "fast.py").write_text("from levels import LEVEL\n")
    (tmp_path / "levels.py").write_text("LEVEL = 3\n")
    (tmp_path / "unused.py").write_text("1 / 0\n")
    imports = "import numpy\nfrom openbell import Strategy\nfrom signals.fast import LEVEL\n"
    (tmp_path / "mine.py").write_text(f"{imports}class Mine(Strategy):\n    level: int = LEVEL\n")
    cls = import_file(tmp_path / "mine.py").Mine
    source = source_of(cls)
    assert sorted(source.files) == ["levels.py", "mine.py", "signals/__init__.py", "signals/fast.py"]
    copy = tmp_path / "copy"
    for name, content in source.files.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(content)
    assert load_class(copy, source.main, source.class_name, source.hashes)().level == 3
    (copy / "levels.py").write_text("LEVEL = 4\n")
    with pytest.raises(DivergenceError, match=r"levels\.py is not the source that ran"):
        load_class(copy, source.main, source.class_name, source.hashes)


def test_a_class_inside_a_function_says_why_it_cannot_be_run_again() -> None:
    class Inner(Cross):
        pass

    assert "inside a function" in (source_of(Inner).missing or "")


def test_a_file_that_does_not_import_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("x = 1\ny = x / 0\n")
    with pytest.raises(StrategyError, match=r"broken\.py, line 2: ZeroDivisionError"):
        import_file(path)
    path.write_text("x = 1\ny = (\n")
    with pytest.raises(StrategyError, match=r"broken\.py, line 2: SyntaxError"):
        import_file(path)
    with pytest.raises(StrategyError, match="FileNotFoundError"):
        import_file(tmp_path / "absent.py")


SCRIPT = """
from openbell import Backtest, Strategy, crossover

class Mine(Strategy):
    fast: int = 3

    def on_start(self):
        self.a, self.b = self.sma(self.fast), self.sma(9)

    def on_bar(self, bar):
        if crossover(self.a, self.b):
            self.target_percent(bar.instrument, 0.5)
        elif crossover(self.b, self.a):
            self.close(bar.instrument)

run = Backtest(Mine(fast=4), data="bars.csv").run(out="runs")
"""


def test_a_strategy_of_a_script_is_replayed_without_running_the_script(tmp_path: Path) -> None:
    write_bars(tmp_path / "bars.csv")
    (tmp_path / "script.py").write_text(SCRIPT)
    subprocess.run([sys.executable, "script.py"], cwd=tmp_path, check=True, capture_output=True)
    (folder,) = run_folders(tmp_path / "runs")
    assert "Backtest(Mine" not in (folder / "strategy" / "strategy.py").read_text()
    (tmp_path / "script.py").unlink()
    assert replay(folder).commands
    assert len(list(run_folders(tmp_path / "runs"))) == 1


NOTEBOOK = '''
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
cells = [
    "from openbell import Backtest, Strategy, crossover",
    "PERIOD = 9",
    """class Mine(Strategy):
    fast: int = 3
    def on_start(self):
        self.a, self.b = self.sma(self.fast), self.sma(PERIOD)
    def on_bar(self, bar):
        if crossover(self.a, self.b):
            self.target_percent(bar.instrument, 0.5)
        elif crossover(self.b, self.a):
            self.close(bar.instrument)
""",
    "run = Backtest(Mine(fast=4), data='bars.csv').run(out='runs')",
]
for cell in cells:
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
'''


def test_a_strategy_of_a_notebook_is_replayed_in_a_fresh_process(tmp_path: Path) -> None:
    write_bars(tmp_path / "bars.csv")
    (tmp_path / "session.py").write_text(NOTEBOOK)
    subprocess.run([sys.executable, "session.py"], cwd=tmp_path, check=True, capture_output=True)
    (folder,) = run_folders(tmp_path / "runs")
    text = (folder / "strategy" / "strategy.py").read_text()
    assert "PERIOD = 9" in text
    assert "Backtest(Mine" not in text
    assert replay(folder).commands
