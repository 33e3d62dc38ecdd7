"""`openbell exchange` as a user runs it: a process, its files, its messages and its exit codes."""

import os
import signal
from pathlib import Path

import pytest

from openbell.cli.app import run
from openbell.kernel import verify_journal
from openbell.runtime.exchange_settings import read_exchange_settings
from tests.gateway.processes import EXAMPLE, config, exchange, fails, health, trade


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_example_trades_and_the_exchange_goes_on_where_it_stopped(tmp_path: Path, stop: int) -> None:
    with exchange("--demo", "--directory", tmp_path / "x", stop=stop) as first:
        assert first["durability"] == "batch"
        story = trade(first)
        assert "alice: bought 4 at 100.25, 6 left (while she was away)" in story
        assert "alice has 999599 USD and 4 ACME" in story
        now = health(first)
        assert (now["state"], now["durability"]) == ("RUNNING", "batch")
        assert now["sequence"] == now["durable_sequence"]
    assert verify_journal(tmp_path / "x" / "journal", require_closed=True).closed
    with exchange("--demo", "--directory", tmp_path / "x") as second:
        assert second["sequence"] == first["ended"]["sequence"]
        assert "alice has 999198 USD and 8 ACME" in trade(second)
    assert second["ended"]["sequence"] > first["ended"]["sequence"]


@pytest.mark.parametrize("durability", ["strict", "interval", "os", "none"])
def test_every_mode_of_durability_is_named_in_hello_and_acknowledgments(
    tmp_path: Path, durability: str
) -> None:
    with exchange("--demo", "--directory", tmp_path / "x", "--durability", durability) as told:
        assert told["durability"] == durability
        assert f"durable as '{durability}'" in trade(told)
    code, message = fails("--demo", "--directory", tmp_path / "x")
    assert (code, "began with other durability" in message) == (2, True)


def test_a_start_that_is_not_used_changes_nothing(tmp_path: Path) -> None:
    hashes = []
    for _ in range(2):
        with exchange("--demo", "--directory", tmp_path / "x") as told:
            pass
        hashes.append(told["ended"])
    assert hashes[0] == hashes[1]


def test_two_processes_do_not_share_a_directory(tmp_path: Path) -> None:
    with exchange("--demo", "--directory", tmp_path / "x"):
        code, told = fails("--demo", "--directory", tmp_path / "x", "--port", 0)
        assert code == 5
        assert "another writer has this journal open" in told


def test_another_stage_is_refused_by_name(tmp_path: Path) -> None:
    with exchange("--demo", "--directory", tmp_path / "x"):
        pass
    code, told = fails("--config", config(tmp_path), "--directory", tmp_path / "x")
    assert code == 2
    assert "began with other instruments" in told


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    code, told = fails("--demo", "--directory", tmp_path)
    assert (code, "thesis.tex" in told) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_damage_in_the_journal_is_told_and_nothing_is_touched(tmp_path: Path) -> None:
    with exchange("--demo", "--directory", tmp_path / "x") as told:
        trade(told)
    segment = min((tmp_path / "x" / "journal").glob("*.seg"))
    whole = bytearray(segment.read_bytes())
    used = verify_journal(tmp_path / "x" / "journal").bytes
    whole[used // 2] ^= 1
    segment.write_bytes(whole)
    code, message = fails("--demo", "--directory", tmp_path / "x")
    assert code == 5
    assert segment.name.removesuffix(".seg").lstrip("0") in message
    assert segment.read_bytes() == bytes(whole)


def test_a_start_cut_short_leaves_nothing_that_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "x" / "journal.new").mkdir(parents=True)
    (tmp_path / "x" / "journal.new" / "00000001.seg").write_bytes(b"half of a segment")
    (tmp_path / "x" / "exchange.toml").write_text("half of a fi")
    with exchange("--demo", "--directory", tmp_path / "x") as told:
        trade(told)
    assert verify_journal(tmp_path / "x" / "journal", require_closed=True).closed


def test_the_example_settings_can_be_used(tmp_path: Path) -> None:
    settings = read_exchange_settings(EXAMPLE / "exchange.toml")
    assert [one.symbol for one in settings.instrument_list()] == ["ACME", "BTC-USD"]
    assert settings.fee_schedule() == (0, 200_000, 0)
    assert (2, 250_000 * 10**9) in [(one.kind, one.value) for one in settings.risk_limits()]
    with exchange("--config", EXAMPLE / "exchange.toml", "--directory", tmp_path / "x"):
        pass


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"top": "this is not"}, "not TOML"),
        ({"top": 'durabilty = "batch"'}, "unknown field `durabilty`"),
        ({"top": 'durability = "perhaps"'}, "`durability`"),
        ({"instruments": ""}, "instruments"),
        ({"instruments": "[[instruments]]"}, "symbol"),
        (
            {"instruments": '[[instruments]]\nsymbol = "A"\ntick = 0'},
            "instruments.A: field 'tick': must be positive",
        ),
        (
            {"instruments": '[[instruments]]\nsymbol = "A"\n[[instruments]]\nsymbol = "A"'},
            "'A' is there twice",
        ),
        ({"instruments": f'[[instruments]]\nsymbol = "{"A" * 40}"'}, "36 bytes"),
        ({"accounts": '[[accounts]]\nname = "a"\ncash = -1'}, "must not be below zero"),
        ({"accounts": '[[accounts]]\nname = "a"\ncash = "much"'}, "accounts.a.cash: not a number"),
        ({"accounts": '[[accounts]]\nname = "a"\ncash = 1e30'}, "can be counted"),
        ({"keys": '[[keys]]\nname = "k"\naccount = "alice"\nsha256 = "abc"'}, "64 hexadecimal digits"),
        ({"keys": f'[[keys]]\nname = "k"\naccount = "carol"\nsha256 = "{"0" * 64}"'}, "'carol' is not known"),
        ({"keys": f'[[keys]]\nname = "a.b"\naccount = "alice"\nsha256 = "{"0" * 64}"'}, "must be letters"),
        ({"limits": "[[limits]]\nposition = 5"}, "needs an instrument"),
        ({"limits": '[[limits]]\ninstrument = "X"\nposition = 5'}, "'X' is not known"),
        ({"limits": '[[limits]]\ninstrument = "ACME"\nposition = "0.5"'}, "off its unit"),
        ({"fees": '[fees]\ntaker = "a lot"'}, "fees.taker is 'a lot'"),
        ({"server": "[server]\nport = 70000"}, "`server.port`"),
        ({"server": '[server]\nhost = "0.0.0.0"'}, "keys in the clear"),
        ({"server": '[server]\ncertificate = "a.pem"'}, "belong together"),
        ({"server": '[server]\ncertificate = "a.pem"\nprivate_key = "b.pem"'}, "a.pem"),
    ],
)
def test_settings_that_cannot_be_are_told_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], told: str
) -> None:
    file = str(config(tmp_path, **changes))
    code = run(["exchange", "--config", file, "--directory", str(tmp_path / "x"), "--port", "0"])
    message = capsys.readouterr().err
    assert (code, told in message, message.count("\n")) == (2, True, 1), message
    assert not (tmp_path / "x").exists()


def test_usage(tmp_path: Path) -> None:
    assert fails() == (2, "openbell: openbell exchange needs --config FILE or --demo, one of them\n")
    assert "no such file" in fails("--config", tmp_path / "none.toml")[1]
    assert "needs uvloop" in _without_uvloop(tmp_path)


def _without_uvloop(folder: Path) -> str:
    """What a user is told who installed openbell without the extra."""
    (folder / "uvloop.py").write_text("raise ImportError('no uvloop', name='uvloop')\n")
    code, message = fails(
        "--demo",
        "--directory",
        folder / "x",
        environment={"PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}"},
    )
    assert (code, "openbell[exchange]" in message) == (2, True)
    assert not (folder / "x").exists()
    return message
