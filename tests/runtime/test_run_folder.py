"""A run folder holds everything, appears whole, and says so when it is not."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import polars as pl
import pytest

from openbell import Bar, ConfigError, InputError, OpenbellError, StrategyError, open_run
from openbell.runtime import durable_file
from openbell.runtime.digest import RunDigest
from openbell.runtime.run_files import RunFolder
from openbell.runtime.run_folder import run_into_folder
from openbell.runtime.run_names import find_run, run_folders
from openbell.runtime.run_tables import TABLES
from tests.runtime.strategies import Cross, a_backtest, write_bars

FILES = {
    "DIGEST", "inputs.toml", "run.toml", "stats.json", "report.html", "log.jsonl", "journal", "strategy",
    *(f"{name}.parquet" for name in TABLES),
}  # fmt: skip
MORNING = 1_641_393_000_123_456_789  # 2022-01-05T14:30:00.123456789Z


def test_a_finished_run_has_every_file_and_no_mark(tmp_path: Path) -> None:
    run = a_backtest(tmp_path).run(out=tmp_path / "runs")
    assert run.folder is not None
    assert {path.name for path in run.folder.iterdir()} == FILES
    assert run.folder.name.endswith(f"_Cross_{run.digest[:8]}")


def test_the_name_is_the_time_of_the_clock_the_strategy_and_the_digest(tmp_path: Path) -> None:
    setup = a_backtest(tmp_path).prepare()
    run = run_into_folder(setup, tmp_path / "runs", clock=lambda: MORNING)
    assert run.folder is not None
    assert run.folder.name == f"2022-01-05T14-30-00.123Z_Cross_{run.digest[:8]}"
    lines = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    assert lines[0]["event"] == "run began"
    assert lines[-1]["event"] == "run finished"
    assert lines[-1]["digest"] == run.digest
    assert {line["time"] for line in lines} == {"2022-01-05T14:30:00.123456789Z"}


def test_a_name_that_is_taken_is_refused_and_a_suffix_helps(tmp_path: Path) -> None:
    setup = a_backtest(tmp_path).prepare()
    RunFolder.begin(tmp_path, strategy_name="Cross", clock=lambda: MORNING)
    with pytest.raises(ConfigError, match=r"run folder .*Cross exists already"):
        run_into_folder(setup, tmp_path, clock=lambda: MORNING)
    run = run_into_folder(setup, tmp_path, clock=lambda: MORNING, suffix="-b")
    with pytest.raises(ConfigError, match=rf"Cross-b_{run.digest[:8]} exists already"):
        run_into_folder(a_backtest(tmp_path).prepare(), tmp_path, clock=lambda: MORNING, suffix="-b")


def test_the_digest_can_be_checked_by_hand(tmp_path: Path) -> None:
    run = a_backtest(tmp_path).run(out=tmp_path / "runs")
    assert run.folder is not None
    lines = (run.folder / "DIGEST").read_text().splitlines(keepends=True)
    data = hashlib.sha256((tmp_path / "bars.csv").read_bytes()).hexdigest()
    assert lines[0] == "openbell digest 1\n"
    assert lines[1].split() == ["input", "csv-1", data]
    assert lines[-1] == f"digest {hashlib.sha256(''.join(lines[:-1]).encode()).hexdigest()}\n"
    assert lines[-1].split()[1] == run.digest


def test_a_digest_that_was_touched_is_refused() -> None:
    text = RunDigest((("csv-1", "ab" * 32),), 5, 6).text()
    assert RunDigest.parse(text) == RunDigest((("csv-1", "ab" * 32),), 5, 6)
    with pytest.raises(InputError, match="changed"):
        RunDigest.parse(text.replace("output 0000", "output 1000"))
    with pytest.raises(InputError, match="not a digest"):
        RunDigest.parse("hello\n")


def test_a_run_opened_again_shows_the_same(tmp_path: Path) -> None:
    run = a_backtest(tmp_path).run(out=tmp_path / "runs")
    assert run.folder is not None
    again = open_run(run.folder)
    assert again.stats == run.stats
    assert again.digest == run.digest
    assert again.parameters == run.parameters
    assert again.instruments == run.instruments
    for name in TABLES:
        assert getattr(again, name).equals(getattr(run, name)), name
    assert repr(again) == repr(run)
    assert again.tables.bars["bars"].equals(run.tables.bars["bars"])
    assert again.tables.indicators["bars"].equals(run.tables.indicators["bars"])
    assert "<svg" in again._repr_html_()


def test_bars_of_a_run_by_reference_come_from_its_data_while_that_is_there(tmp_path: Path) -> None:
    run = a_backtest(tmp_path, journal="by_reference").run(out=tmp_path / "runs")
    assert run.folder is not None
    assert open_run(run.folder).tables.bars["bars"].equals(run.tables.bars["bars"])
    (tmp_path / "bars.csv").unlink()
    assert open_run(run.folder).tables.bars == {}
    assert open_run(run.folder).report().stat().st_size > 100_000


def test_money_in_the_files_is_exact(tmp_path: Path) -> None:
    run = a_backtest(tmp_path).run(out=tmp_path / "runs")
    assert run.folder is not None
    trades = pl.read_parquet(run.folder / "trades.parquet")
    equity = pl.read_parquet(run.folder / "equity.parquet")
    assert trades.schema["profit_and_loss"] == pl.Decimal(38, 9)
    assert equity["equity"][-1] == 100_000 + trades["profit_and_loss"].sum()


def test_inputs_and_settings_are_written_down(tmp_path: Path) -> None:
    run = a_backtest(tmp_path).run(out=tmp_path / "runs")
    assert run.folder is not None
    inputs = tomllib.loads((run.folder / "inputs.toml").read_text())["input"]
    data = tmp_path / "bars.csv"
    assert inputs == [
        {"path": str(data), "sha256": hashlib.sha256(data.read_bytes()).hexdigest(), "decoder": "csv-1"}
    ]
    table = tomllib.loads((run.folder / "run.toml").read_text())
    assert table["strategy"]["parameters"] == {"fast": 3, "slow": 7}
    assert table["settings"]["fee_model"] == "0.1 % of value"
    assert table["versions"].keys() >= {"openbell", "python", "numpy", "polars"}
    assert table["instrument"][0]["symbol"] == "bars"
    source = run.folder / "strategy" / table["strategy"]["file"]
    assert "class Cross(Strategy)" in source.read_text()


class Raises(Cross):
    def on_bar(self, bar: Bar) -> None:
        raise ZeroDivisionError("on purpose")


def test_a_strategy_that_raises_leaves_the_mark_and_the_reason(tmp_path: Path) -> None:
    test = a_backtest(tmp_path)
    object.__setattr__(test, "strategy", Raises())
    with pytest.raises(StrategyError, match="on purpose"):
        test.run(out=tmp_path / "runs")
    (folder,) = run_folders(tmp_path / "runs")
    assert "on purpose" in (folder / "INCOMPLETE").read_text()
    assert json.loads((folder / "log.jsonl").read_text().splitlines()[-1])["error"] == "StrategyError"
    with pytest.raises(InputError, match="did not finish"):
        open_run(folder)


@pytest.mark.parametrize("victim", ["trades.parquet", "report.html", "run.toml", "DIGEST"])
def test_a_disk_that_fills_up_leaves_the_mark_and_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, victim: str
) -> None:
    real = durable_file._sync

    def full(path: Path) -> None:
        if path.name.startswith(victim):
            raise OSError(28, "No space left on device")
        real(path)

    monkeypatch.setattr(durable_file, "_sync", full)
    with pytest.raises(OpenbellError, match=rf"cannot write .*{victim}: No space left on device"):
        a_backtest(tmp_path).run(out=tmp_path / "runs")
    (folder,) = run_folders(tmp_path / "runs")
    assert (folder / "INCOMPLETE").exists()
    assert not (folder / victim).exists()
    assert not list(folder.glob("*.partial"))


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
from openbell.cli.app import run
sys.exit(run(["backtest", sys.argv[1], "--data", sys.argv[2], "--out", "runs"]))
"""


@pytest.mark.parametrize("limit", [1_000, 20_000, 200_000])
def test_a_file_that_cannot_grow_is_one_line_and_the_folder_is_marked(tmp_path: Path, limit: int) -> None:
    """A real failing write, wherever it comes: in the journal, in a table, in the report."""
    write_bars(tmp_path / "bars.csv", 400)
    strategy = Path(__file__).with_name("strategies.py")
    command = [sys.executable, "-c", LIMITED, f"{strategy}:Cross", "bars.csv", str(limit)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "File too large" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    (folder,) = run_folders(tmp_path / "runs")
    assert (folder / "INCOMPLETE").exists()


SLOW = """
import time
from openbell import Strategy
class Slow(Strategy):
    def on_bar(self, bar):
        print("bar", flush=True)
        time.sleep(0.05)
"""


@pytest.mark.parametrize(("killer", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_run_that_is_killed_stays_marked(tmp_path: Path, killer: signal.Signals, code: int) -> None:
    write_bars(tmp_path / "bars.csv", 400)
    (tmp_path / "slow.py").write_text(SLOW)
    command = [sys.executable, "-m", "openbell", "backtest", "slow.py", "--data", "bars.csv"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "bar\n"
    time.sleep(0.1)
    os.kill(process.pid, killer)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    (folder,) = run_folders(tmp_path / "runs")
    assert (folder / "INCOMPLETE").exists()
    assert not (folder / "DIGEST").exists()
    if killer is signal.SIGINT:
        assert stderr.strip().splitlines()[-1].startswith("openbell: interrupted")


def test_a_run_in_memory_can_be_saved_once(tmp_path: Path) -> None:
    run = a_backtest(tmp_path).run()
    assert run.folder is None
    folder = run.save(tmp_path / "runs")
    assert open_run(folder).stats == run.stats
    with pytest.raises(ConfigError, match="kept already"):
        run.save(tmp_path / "runs")


def test_the_same_inputs_have_the_same_digest_and_others_another(tmp_path: Path) -> None:
    one, two = a_backtest(tmp_path).run(), a_backtest(tmp_path).run()
    assert one.digest == two.digest
    assert a_backtest(tmp_path, fees="0.2%").run().digest != one.digest


def test_runs_are_found_by_path_by_a_part_of_their_name_and_as_latest(tmp_path: Path) -> None:
    first = a_backtest(tmp_path).run(out=tmp_path / "runs")
    second = a_backtest(tmp_path, fees="0.3%").run(out=tmp_path / "runs")
    assert find_run(first.digest[:8], tmp_path / "runs") == first.folder
    assert find_run("latest", tmp_path / "runs") == second.folder
    assert first.folder is not None
    assert find_run(first.folder) == first.folder
    with pytest.raises(InputError, match="more than one run"):
        find_run("Cross", tmp_path / "runs")
    with pytest.raises(InputError, match="no such run folder"):
        find_run("nothing", tmp_path / "runs")
