"""An exchange that is killed under load loses nothing that it acknowledged, and the check of that can fail.

`make kill KILLS=2000` runs the long campaign.
"""

import json
import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openbell.model.errors import JournalError
from tests.simulation.kill_exchange import Campaign, Server, _free_port, _write_config, campaign

KILLS = int(os.environ.get("OPENBELL_KILLS", "100"))


def seed_of_campaign() -> int:
    told = os.environ.get("OPENBELL_SEED")
    return int(told) if told else random.SystemRandom().randrange(2**31)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_nothing_acknowledged_is_lost_when_the_exchange_is_killed() -> None:
    score = campaign(KILLS, seed_of_campaign())
    assert score.kills == KILLS
    assert score.executions > 10 * KILLS
    assert score.hashes_compared > KILLS


def test_an_exchange_that_ends_where_it_should_listen_is_noticed_at_once(tmp_path: Path) -> None:
    arguments = ["exchange", "--config", str(tmp_path / "none.toml"), "--json"]
    for cold in (False, True):
        with Server(arguments) as server:
            server.start(cold=cold)
            with pytest.raises(AssertionError, match=r"the exchange ended with [1-9]"):
                server.wait_until_listening()
            server.pid = 0


def test_an_exchange_that_hangs_says_where(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["exchange", "--directory", str(tmp_path / "exchange"), "--json"]
    config = tmp_path / "config.toml"
    _write_config(config, _free_port())
    with Server([*arguments, "--config", str(config)]) as server:
        server.start(cold=True)
        server.wait_until_listening()
        assert "openbell" in server.stacks()
        with pytest.raises(AssertionError, match=rf"ended with -{int(signal.SIGABRT)}"):
            server.wait_until_listening()
        server.pid = 0
    # The signal may come to a thread that is not in Python: then none of them is told as the current one.
    assert "thread 0x" in capfd.readouterr().err.lower()


def change_a_quantity(frames: list[dict[str, Any]]) -> None:
    accepted = next(frame for frame in frames if frame["type"] == "order_filled")
    accepted["quantity"] = "1000"


def change_an_order_id(frames: list[dict[str, Any]]) -> None:
    frames[len(frames) // 2]["client_order_id"] = 10**9


def leave_one_out(frames: list[dict[str, Any]]) -> None:
    del frames[len(frames) // 2]


def tell_one_twice(frames: list[dict[str, Any]]) -> None:
    frames.insert(5, frames[5])


def swap_two(frames: list[dict[str, Any]]) -> None:
    frames[5], frames[6] = frames[6], frames[5]


def acknowledge_what_never_was(frames: list[dict[str, Any]]) -> None:
    frames.append({**frames[-1], "sequence": frames[-1]["sequence"] + 1_000_000})


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Campaign, Path, dict[str, Any]]:
    """A small generation, checked and green."""
    folder = tmp_path_factory.mktemp("killed") / "generation"
    small = Campaign(3, seed_of_campaign(), folder.parent)
    ended = small.generation(folder, 3)
    small.check(folder, ended)
    return small, folder, ended


@pytest.mark.slow
@pytest.mark.parametrize(
    "sabotage",
    [
        change_a_quantity,
        change_an_order_id,
        leave_one_out,
        tell_one_twice,
        swap_two,
        acknowledge_what_never_was,
    ],
)
def test_the_check_turns_red_for_what_clients_must_not_be_told(
    killed: tuple[Campaign, Path, dict[str, Any]],
    tmp_path: Path,
    sabotage: Callable[[list[dict[str, Any]]], None],
) -> None:
    small, folder, ended = killed
    copy = shutil.copytree(folder, tmp_path / "copy")
    told = copy / "alice" / "told"
    frames = [json.loads(line) for line in told.read_text().splitlines()]
    sabotage(frames)
    told.write_text("".join(json.dumps(frame) + "\n" for frame in frames))
    with pytest.raises(AssertionError):
        small.check(copy, ended)


@pytest.mark.slow
def test_the_check_turns_red_where_no_snapshot_was_there_to_compare(
    killed: tuple[Campaign, Path, dict[str, Any]], tmp_path: Path
) -> None:
    small, folder, ended = killed
    copy = shutil.copytree(folder, tmp_path / "copy")
    shutil.rmtree(copy / "exchange" / "journal" / "snapshots")
    shutil.rmtree(copy / "collected")
    with pytest.raises(AssertionError, match="no snapshot was there"):
        small.check(copy, ended)


@pytest.mark.slow
def test_the_check_turns_red_for_a_journal_that_lost_or_changed_something(
    killed: tuple[Campaign, Path, dict[str, Any]], tmp_path: Path
) -> None:
    small, folder, ended = killed
    with pytest.raises(AssertionError, match="another state"):
        small.check(folder, {**ended, "state_hash": "0" * 32})
    copy = shutil.copytree(folder, tmp_path / "copy")
    segment = min((copy / "exchange" / "journal").glob("*.seg"))
    content = segment.read_bytes().rstrip(b"\0")
    segment.write_bytes(content[: len(content) // 2] + bytes(segment.stat().st_size - len(content) // 2))
    with pytest.raises((AssertionError, JournalError)):
        small.check(copy, ended)
