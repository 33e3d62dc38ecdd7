"""A record that stops the engine: named when it comes, named at every restart, passed over once somebody answers for it."""

import json
import subprocess
import sys
from pathlib import Path

from openbell.model.errors import EngineStopped
from openbell.runtime.history import open_history
from openbell.runtime.journal_doctor import diagnose
from tests.cli.commands_here import openbell_here as openbell
from tests.gateway.processes import ROOT, exchange, fails, trade

STOPS = "the value of trade 1 does not fit 128 bits; the record is VenueOrderFilled(instrument 3"


def poisoned(folder: Path) -> tuple[int, str]:
    """Run an exchange until a record stops it; its exit code and what it said."""
    command = [sys.executable, "-m", "tests.gateway.poisoned_exchange", "--demo", "--directory", str(folder)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        trade(json.loads(process.stdout.readline()))
        _, errors = process.communicate("now\n", timeout=60)
    finally:
        process.kill()
        process.wait()
    return process.returncode, errors


def test_a_record_that_stops_the_engine_is_named_each_time_until_it_is_skipped(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    code, told = poisoned(folder)
    assert (code, STOPS in told, told.count("\n")) == (EngineStopped.exit_code, True, 1), told
    for _ in range(2):
        code, again = fails("--demo", "--directory", folder, "--port", 0)
        assert (code, STOPS in again) == (EngineStopped.exit_code, True), again

    found = diagnose(open_history(folder))
    assert found.finding == "stops the engine"
    assert f"stopped at sequence {found.stopping}:" in told
    asked = openbell("journal", "doctor", folder, "--json", cwd=tmp_path)
    assert (asked.returncode, json.loads(asked.stdout)["stopping"]) == (7, found.stopping)
    assert f"--skip {found.stopping}" in json.loads(asked.stdout)["proposal"]
    for verb in (
        ("inspect", folder),
        ("replay", folder),
        ("explain", folder, 1, "--client", "--account", 99),
    ):
        stopped = openbell(*verb, cwd=tmp_path)
        assert (stopped.returncode, STOPS in stopped.stderr) == (7, True), stopped
    earlier = openbell("inspect", folder, "--at", (found.stopping or 0) - 1, "--json", cwd=tmp_path)
    assert earlier.returncode == 0

    skip = ("--skip", found.stopping, "--reason", "a venue gone mad", "--actor", "anna")
    done = openbell("journal", "doctor", folder, *skip, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert diagnose(open_history(folder)).finding == "sound"
    with exchange("--demo", "--directory", folder) as started:
        assert "alice has" in trade(started)
    for verb in (
        ("inspect", folder),
        ("replay", folder),
        ("explain", folder, 1, "--client", "--account", 99),
    ):
        assert openbell(*verb, cwd=tmp_path).returncode == 0
    same = openbell("diff", folder, folder, "--json", cwd=tmp_path)
    assert (same.returncode, json.loads(same.stdout)["same"]) == (0, True)
    assert openbell("journal", "compare", folder, cwd=tmp_path).returncode == 0
    dumped = openbell("journal", "dump", folder, "--message", "RecordSkipped", cwd=tmp_path).stdout
    assert "anna" in dumped
    assert "a venue gone mad" in dumped


def test_an_order_whose_record_is_passed_over_says_so(tmp_path: Path) -> None:
    with exchange("--demo", "--directory", tmp_path / "x") as told:
        trade(told)
    dumped = openbell("journal", "dump", tmp_path / "x", "--message", "SubmitOrder", "--json", cwd=tmp_path)
    sequence = json.loads(dumped.stdout.splitlines()[-1])["sequence"]
    skip = ("--skip", sequence, "--reason", "a test", "--actor", "anna")
    assert openbell("journal", "doctor", tmp_path / "x", *skip, cwd=tmp_path).returncode == 0
    assert list(open_history(tmp_path / "x").skips()) == [sequence]
