"""A panic inside the engine of a running exchange: nothing of it is told, a restart meets it again, and it can be skipped."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from openbell.gateway.client import ExchangeClient
from openbell.model.errors import EngineStopped, OpenbellError
from tests.gateway.processes import ROOT

PANICKING_ORDER = 6_660_666_066_600_666
"""As in crates/kernel/src/sabotage.rs."""
TOLD = "the engine panicked at sequence"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled module with the feature `sabotage`. The dependencies are those of the other Rust tests."""
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("no cargo to compile a sabotaged engine with")
    command = [cargo, "build", "-p", "openbell-python", "--features", "sabotage", "--locked", "--quiet"]
    subprocess.run(command, check=True, cwd=ROOT)
    made = ROOT / "target" / "debug" / "lib_kernel.so"
    copy = tmp_path_factory.mktemp("sabotaged") / "_kernel.abi3.so"
    shutil.copyfile(made, copy)
    return copy


def command(library: Path, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.gateway.sabotaged", str(library), *map(str, arguments)]


def run(library: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(library, *arguments), capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )


@contextmanager
def sabotaged_exchange(library: Path, folder: Path) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    arguments = ("exchange", "--demo", "--directory", folder, "--port", 0, "--json")
    process = subprocess.Popen(
        command(library, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline()), process
    finally:
        process.kill()
        process.wait()


async def make_it_panic(told: dict[str, Any]) -> list[str]:
    """Send an order that is taken, one that nobody can take, and one after it; what the client is told."""
    heard: list[str] = []
    try:
        async with ExchangeClient(told["url"], told["keys"]["alice"]) as client:
            for number in (1, PANICKING_ORDER, 3):
                await client.submit(number, "ACME", "BUY", "1", price="10.00")
                heard.append(type(await asyncio.wait_for(client.execution(number), 30)).__name__)
    except (OpenbellError, ConnectionClosed, ConnectionError):
        pass
    return heard


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_panic_is_told_met_again_and_passed_over_once_somebody_answers_for_it(
    library: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "x"
    with sabotaged_exchange(library, folder) as (told, process):
        assert asyncio.run(make_it_panic(told)) == ["OrderAccepted"], "nothing of a panic is told"
        _, errors = process.communicate(timeout=60)
        assert process.returncode == EngineStopped.exit_code, errors
        assert TOLD in errors
        assert "SubmitOrder(" in errors
    for _ in range(2):
        again = run(library, "exchange", "--demo", "--directory", folder, "--port", 0)
        assert (again.returncode, TOLD in again.stderr) == (EngineStopped.exit_code, True), again.stderr
    found = run(library, "journal", "doctor", folder, "--json")
    assert found.returncode == EngineStopped.exit_code, found.stderr
    sequence = json.loads(found.stdout)["stopping"]
    assert f"{TOLD} {sequence}" in errors
    saved = [int(one.stem) for one in (folder / "journal" / "snapshots").glob("*[0-9].snap")]
    assert all(one < sequence for one in saved), "no snapshot of a panic"
    skip = ("--skip", sequence, "--reason", "an order nobody can take", "--actor", "anna")
    done = run(library, "journal", "doctor", folder, *skip)
    assert done.returncode == 0, done.stderr
    with sabotaged_exchange(library, folder) as (told, _):

        async def look() -> str:
            async with ExchangeClient(told["url"], told["keys"]["alice"]) as client:
                return (await client.order_status(1)).state

        assert asyncio.run(look()) == "ACCEPTED", "what was acknowledged is there"
