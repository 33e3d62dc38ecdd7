"""The layers of settings: command line over variables over later files over earlier files."""

from pathlib import Path

import pytest

from openbell import ConfigError
from openbell.cli.settings import layered_settings

ENV = "OPENBELL__"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text('cash = 1\nfees = "0.1%"\nseed = 1\n[parameters]\nfast = 1\nslow = 1\n')
    second.write_text("cash = 2\nseed = 2\nstart = 2020-01-01\n[parameters]\nfast = 2\n")
    return [first, second]


def test_a_later_file_wins_over_an_earlier_one_setting_by_setting(files: list[Path]) -> None:
    settings = layered_settings(files, {})
    assert (settings.cash, settings.fees, settings.seed) == (2, "0.1%", 2)
    assert settings.parameters == {"fast": 2, "slow": 1}
    assert settings.start == "2020-01-01"


def test_variables_win_over_files_and_the_command_line_over_both(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{ENV}CASH", "3")
    monkeypatch.setenv(f"{ENV}SEED", "3")
    monkeypatch.setenv(f"{ENV}PARAMETERS__FAST", "3")
    settings = layered_settings(files, {"cash": "4", "parameters": {"slow": "4"}})
    assert (settings.cash, settings.seed) == ("4", 3)
    assert settings.parameters == {"fast": "3", "slow": "4"}


def test_defaults_hold_where_nothing_is_said() -> None:
    settings = layered_settings([], {})
    assert (settings.cash, settings.out, settings.benchmark) == ("10000", "runs", "buy_and_hold")


def test_an_unknown_setting_is_named_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("csah = 5\n")
    with pytest.raises(
        ConfigError, match=r"mine\.toml: unknown setting 'csah', expected one of strategy, data"
    ):
        layered_settings([path], {})


def test_a_setting_of_another_type_is_named_with_what_was_found() -> None:
    with pytest.raises(ConfigError, match=r"setting warm_up: .*integer.*, found 'many'"):
        layered_settings([], {"warm_up": "many"})
    with pytest.raises(ConfigError, match=r"setting journal: .*'full', 'by_reference' or 'none'"):
        layered_settings([], {"journal": "maybe"})


def test_a_file_that_is_no_toml_or_missing_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    with pytest.raises(Exception, match=r"mine\.toml: no such file"):
        layered_settings([path], {})
    path.write_text("cash = ")
    with pytest.raises(Exception, match=r"mine\.toml: not TOML"):
        layered_settings([path], {})
