"""A replay proves that a run is the same, and names the first difference when it is not."""

import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from openbell import DivergenceError, InputError, JournalError, replay
from openbell.journal import journal_source
from openbell.kernel import RULES_VERSION
from openbell.market_data import csv_bars
from openbell.market_data.bars import InputFile
from openbell.runtime.recorded_inputs import journal_inputs
from openbell.runtime.run import Run
from openbell.runtime.toml_text import toml_text
from tests.runtime.strategies import PerShare, a_backtest, write_bars


def finished(tmp_path: Path, **settings: object) -> Path:
    run: Run = a_backtest(tmp_path, **settings).run(out=tmp_path / "runs")
    assert run.folder is not None
    return run.folder


def test_a_full_journal_replays_without_its_data(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    (tmp_path / "bars.csv").unlink()
    proof = replay(folder)
    table = tomllib.loads((folder / "run.toml").read_text())
    assert proof.state_hash == table["engine"]["state_hash"]
    assert proof.output_hash == table["engine"]["output_hash"]
    assert proof.records == table["engine"]["sequence"]
    assert proof.commands is not None
    assert proof.commands > 10
    assert proof.not_rerun is None


def test_it_replays_in_a_fresh_process_from_anywhere(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    moved = tmp_path / "elsewhere" / "a run"
    shutil.move(folder, moved)
    (tmp_path / "bars.csv").unlink()
    command = [sys.executable, "-m", "openbell", "replay", str(moved), "--json"]
    done = subprocess.run(command, cwd=tmp_path / "elsewhere", capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["digest"] in (moved / "DIGEST").read_text()


def test_progress_counts_the_records_of_both_passes(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    proof = replay(finished(tmp_path), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2 * proof.records, 2 * proof.records)


def test_a_journal_by_reference_needs_the_data_it_had(tmp_path: Path) -> None:
    folder = finished(tmp_path, journal="by_reference")
    assert replay(folder).commands == replay(folder, data=tmp_path / "bars.csv").commands
    data = tmp_path / "bars.csv"
    kept = data.read_bytes()
    data.write_bytes(kept.replace(b"1000\n", b"1001\n", 1))
    with pytest.raises(InputError, match=r"bars\.csv: the data of the run was changed, found '[0-9a-f]{64}'"):
        replay(folder)
    data.unlink()
    with pytest.raises(InputError, match=r"bars\.csv: the data of the run is not there"):
        replay(folder)
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "bars.csv").write_bytes(kept)
    assert replay(folder, data=tmp_path / "again" / "bars.csv").commands


def test_data_of_other_bytes_is_refused_wherever_it_lies(tmp_path: Path) -> None:
    folder = finished(tmp_path, journal="by_reference")
    (tmp_path / "other").mkdir()
    other = write_bars(tmp_path / "other" / "bars.csv", seed=8)
    recorded = hashlib.sha256((tmp_path / "bars.csv").read_bytes()).hexdigest()
    text = rf"other/bars\.csv, field 'SHA-256': this is not the data of the run, .* expected {recorded}, which .*bars\.csv had"
    with pytest.raises(InputError, match=text):
        replay(folder, data=other)


def test_data_read_by_another_decoder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished(tmp_path, journal="by_reference")
    monkeypatch.setattr(csv_bars, "DECODER", "csv-2")
    with pytest.raises(InputError, match=r"read by another decoder, found 'csv-2', expected csv-1"):
        replay(folder)


@pytest.mark.parametrize("content", ["full", "by_reference"])
def test_the_journal_names_the_data_and_replay_believes_it_alone(tmp_path: Path, content: str) -> None:
    folder = finished(tmp_path, journal=content)
    data = tmp_path / "bars.csv"
    (named,) = journal_inputs(folder)
    assert named == InputFile(str(data), hashlib.sha256(data.read_bytes()).hexdigest(), "csv-1")
    (folder / "inputs.toml").write_text('[[input]]\npath = "elsewhere.csv"\nsha256 = "00"\ndecoder = "x"\n')
    assert replay(folder).commands


def test_where_the_data_lies_changes_no_digest(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    first, second = finished(tmp_path, journal="by_reference"), finished(deep, journal="full")
    assert (first / "DIGEST").read_text() == (second / "DIGEST").read_text()


def test_a_run_under_other_rules_is_not_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished(tmp_path)
    monkeypatch.setattr(journal_source, "RULES_VERSION", RULES_VERSION + 1)
    with pytest.raises(JournalError, match=r"written under rules version \d+, this program has \d+"):
        replay(folder)


def test_a_changed_strategy_file_is_not_run(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    source = next((folder / "strategy").rglob("strategies.py"))
    source.write_text(source.read_text().replace("0.9)", "0.8)"))
    with pytest.raises(DivergenceError, match=r"strategies\.py is not the source that ran"):
        replay(folder)
    assert replay(folder, rerun=False).not_rerun == "left out on request"


def test_a_strategy_that_sends_something_else_is_named_with_the_first_difference(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    rewrite(folder, lambda table: table["strategy"]["parameters"].update(slow=9))
    with pytest.raises(DivergenceError, match="participant 1 diverged at sequence"):
        replay(folder)


def rewrite(folder: Path, change: object) -> None:
    table = tomllib.loads((folder / "run.toml").read_text())
    change(table)  # type: ignore[operator]
    (folder / "run.toml").write_text(toml_text(table))


def test_another_state_hash_is_a_divergence(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    table = tomllib.loads((folder / "run.toml").read_text())
    state = table["engine"]["state_hash"]
    other = "0" * 32
    rewrite(folder, lambda table: table["engine"].update(state_hash=other))
    with pytest.raises(InputError, match=r"run\.toml and DIGEST tell different hashes"):
        replay(folder)
    from openbell.runtime.digest import RunDigest

    recorded = RunDigest.parse((folder / "DIGEST").read_text())
    (folder / "DIGEST").write_text(RunDigest(recorded.inputs, recorded.output_hash, 0).text())
    with pytest.raises(
        DivergenceError, match=rf"another state hash: {other} was recorded, now it is {state}"
    ):
        replay(folder)


def test_a_damaged_journal_is_refused_with_its_place(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    segment = next((folder / "journal").glob("*.seg"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    with pytest.raises(JournalError, match="segment"):
        replay(folder)


def test_a_journal_whose_end_is_missing_is_refused(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    segment = next((folder / "journal").glob("*.seg"))
    segment.write_bytes(segment.read_bytes()[:-128])
    with pytest.raises((JournalError, DivergenceError)):
        replay(folder)


def test_a_run_without_a_journal_says_how_to_have_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the run has no journal"):
        replay(finished(tmp_path, journal="none"))


def test_a_fee_model_in_python_is_asked_again(tmp_path: Path) -> None:
    folder = finished(tmp_path, fees=PerShare())
    assert replay(folder).fees == "asked again and compared"


def test_fees_come_from_the_journal_where_their_model_cannot_be_built_again(tmp_path: Path) -> None:
    model = type("Odd", (PerShare,), {"fee": lambda self, fill: PerShare().fee(fill)})
    odd = model()
    odd.table = object()
    proof = replay(finished(tmp_path, fees=odd))
    assert proof.fees is not None
    assert proof.fees.startswith("from the journal")
    assert proof.commands


def test_an_incomplete_run_is_not_replayed(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    (folder / "INCOMPLETE").write_text("")
    with pytest.raises(InputError, match="did not finish"):
        replay(folder)
