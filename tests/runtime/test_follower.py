"""The follower saves what a replay has, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from openbell import JournalError
from openbell.kernel import Follower, Node, compare_history
from openbell.runtime.follower import follow, main
from tests.runtime.strategies import a_backtest


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    run = a_backtest(tmp_path).run(out=tmp_path / "runs")
    assert run.folder is not None
    return run.folder / "journal"


def test_a_follower_in_a_process_of_its_own_saves_the_state_of_the_journal(
    journal: Path, tmp_path: Path
) -> None:
    snapshots = tmp_path / "snapshots"
    command = [sys.executable, "-m", "openbell.runtime.follower", str(journal), str(snapshots)]
    assert subprocess.run(command, timeout=120, check=False).returncode == 0
    (saved,) = snapshots.glob("*.snap")
    last = int(saved.stem)
    assert Node.at(journal, last, snapshots).state_hash() == Node.at(journal, last).state_hash()
    assert compare_history(journal, snapshots) == []


def test_the_state_at_a_sequence_is_the_same_from_a_snapshot_and_from_the_begin(
    journal: Path, tmp_path: Path
) -> None:
    snapshots = tmp_path / "snapshots"
    Follower(journal, snapshots, records=40).follow(0)
    first = min(int(path.stem) for path in snapshots.glob("*.snap"))
    for sequence in (1, first, first + 1):
        found = Node.at(journal, sequence, snapshots)
        assert found.sequence == sequence
        assert found.state_hash() == Node.at(journal, sequence).state_hash()


def test_a_snapshot_of_another_configuration_is_refused(journal: Path, tmp_path: Path) -> None:
    follow(journal, tmp_path / "snapshots")
    with pytest.raises(JournalError, match="configuration 0x0, this node has 0x7"):
        Follower(journal, tmp_path / "snapshots", configuration=7)


def test_what_is_no_journal_is_one_line_and_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), str(tmp_path / "snapshots")]) == 1
    assert capsys.readouterr().err.startswith("follower: ")
    assert main([]) == 2
