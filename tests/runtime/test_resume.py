"""A run that was interrupted is continued to the digest it would have had."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from openbell import ConfigError, DivergenceError, InputError, JournalError, Strategy, StrategyError, resume
from openbell.runtime.run_names import run_folders
from openbell.strategy.saved_state import require_plain
from tests.runtime.resumable import Remembers, Saves, a_long_run, write_minutes
from tests.runtime.strategies import a_backtest

STRATEGIES = ("Remembers", "Saves")


@pytest.fixture(scope="module")
def minutes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_minutes(tmp_path_factory.mktemp("data") / "minutes.csv")


@pytest.fixture(scope="module")
def digests(minutes: Path) -> dict[str, str]:
    """Of runs that nobody interrupted."""
    return {name: a_long_run(minutes, name).run().digest for name in STRATEGIES}


class Interrupt(Exception):
    """Stands for whatever ends a process."""


def interrupted(minutes: Path, strategy: str, out: Path, batches: int) -> Path:
    """A run that ends after so many batches of data."""

    def stop(done: int, total: int) -> None:
        if done >= min(batches * 65_536, total):
            raise Interrupt

    with pytest.raises(Interrupt):
        a_long_run(minutes, strategy).run(out=out, progress=stop)
    (folder,) = run_folders(out)
    return folder


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("batches", [1, 3])
def test_a_run_that_ended_early_goes_on_to_the_same_digest(
    minutes: Path, digests: dict[str, str], tmp_path: Path, strategy: str, batches: int
) -> None:
    folder = interrupted(minutes, strategy, tmp_path, batches)
    run = resume(folder)
    assert run.digest == digests[strategy]
    assert run.folder is not None
    names = {path.name for path in run.folder.iterdir()}
    assert names.isdisjoint({"INCOMPLETE", "begun.toml", "journal.interrupted"})
    whole = a_long_run(minutes, strategy).run()
    for table in ("orders", "fills", "trades", "equity", "positions"):
        assert getattr(run, table).equals(getattr(whole, table)), table


def test_only_what_came_after_the_save_is_run_again(
    minutes: Path, tmp_path: Path, digests: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = interrupted(minutes, "Saves", tmp_path, 2)
    seen: list[int] = []
    monkeypatch.setattr(Saves, "on_load", lambda self, data: seen.append(data["seen"]))
    run = resume(folder, strategy=Saves())
    assert seen
    assert seen[0] > 2 * 65_000
    assert run.digest != digests["Saves"], "it forgot what it had saved, so the rest went another way"


def test_an_interrupted_run_that_was_resumed_and_interrupted_is_resumed(
    minutes: Path, digests: dict[str, str], tmp_path: Path
) -> None:
    folder = interrupted(minutes, "Saves", tmp_path, 1)

    def stop(done: int, total: int) -> None:
        if done >= 2 * 65_536:
            raise Interrupt

    with pytest.raises(Interrupt):
        resume(folder, progress=stop)
    assert resume(folder).digest == digests["Saves"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_run_that_is_killed_is_continued_by_the_command_line(
    minutes: Path, digests: dict[str, str], tmp_path: Path, strategy: str
) -> None:
    whole = 128 * 140_000  # about what the journal comes to
    kills = 0
    for number, share in enumerate((0.0, 0.3, 0.7, 1.0)):
        out = tmp_path / f"{strategy}{number}"
        folder = killed(minutes, strategy, out, int(share * whole))
        if folder is None:
            continue  # it was done before it could be killed
        kills += 1
        done = subprocess.run(
            [sys.executable, "-m", "openbell", "backtest", "--resume", str(folder), "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["digest"] == digests[strategy], f"killed at {share:.0%}"
    assert kills >= 2


def killed(minutes: Path, strategy: str, out: Path, journal_bytes: int) -> Path | None:
    """Begin a run in a process of its own and kill it once its journal has so many bytes; None where it finished."""
    command = [sys.executable, "-m", "tests.runtime.resumable", str(minutes), strategy, str(out)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as process:
        while process.poll() is None:
            folder = next(run_folders(out), None)
            if folder is not None and (folder / "begun.toml").exists():
                segments = (folder / "journal").glob("*.seg") if (folder / "journal").is_dir() else ()
                if sum(segment.stat().st_size for segment in segments) >= journal_bytes:
                    os.kill(process.pid, signal.SIGKILL)
                    break
            time.sleep(0.002)
    (left,) = run_folders(out)
    return left if (left / "INCOMPLETE").exists() else None


def test_a_finished_run_is_not_resumed(tmp_path: Path) -> None:
    run = a_backtest(tmp_path).run(out=tmp_path / "runs")
    assert run.folder is not None
    with pytest.raises(ConfigError, match="is finished: there is nothing to resume"):
        resume(run.folder)


def test_a_journal_by_reference_is_said_not_to_do(minutes: Path, tmp_path: Path) -> None:
    def stop(_done: int, _total: int) -> None:
        raise Interrupt

    with pytest.raises(Interrupt):
        a_backtest(tmp_path, journal="by_reference").run(out=tmp_path / "runs", progress=stop)
    (folder,) = run_folders(tmp_path / "runs")
    with pytest.raises(InputError, match=r'"by_reference".*journal="full"'):
        resume(folder)


def test_a_saved_state_that_was_changed_or_is_gone_is_named(minutes: Path, tmp_path: Path) -> None:
    folder = interrupted(minutes, "Saves", tmp_path, 2)
    newest = max((folder / "participants").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes() + b" ")
    with pytest.raises(JournalError, match="the saved state was changed"):
        resume(folder)
    newest.unlink()
    with pytest.raises(JournalError, match="cannot be read: No such file"):
        resume(folder)


def test_a_strategy_that_does_other_things_is_told_where(minutes: Path, tmp_path: Path) -> None:
    folder = interrupted(minutes, "Remembers", tmp_path, 2)
    with pytest.raises(DivergenceError, match="diverged at sequence"):
        resume(folder, strategy=Remembers(fast=21))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"a": {1, 2}}, r"\['a'\] is a set"),
        ([1, (2, 3)], r"\[1\] is a tuple, \(2, 3\)"),
        ({1: 2}, "has the key 1; keys must be text"),
        (object(), "is a object"),
        (lambda: 0, "is a function"),
    ],
)
def test_what_is_no_plain_data_is_refused_by_its_place(value: Any, told: str) -> None:
    with pytest.raises(StrategyError, match=told):
        require_plain(value, "on_save()")


def test_plain_data_passes() -> None:
    require_plain({"a": [1, 2.5, "x", None, True, {"b": []}], "c": 10**40, "d": float("inf")}, "on_save()")


def test_on_save_needs_on_load() -> None:
    with pytest.raises(ConfigError, match="has on_save and no on_load"):

        class Half(Strategy):
            def on_save(self) -> int:
                return 1
