"""Journals that were written once are read for ever: the golden journals replay to the hashes that were noted with them."""

import shutil
import tomllib
from pathlib import Path

import pytest

from openbell.kernel import RULES_VERSION
from openbell.model.errors import JournalError
from openbell.runtime.history import open_history
from tests.golden.make import GOLDEN, expected, folder_name

FOLDERS = sorted(path.parent for path in GOLDEN.glob("*/*/expected.toml"))
REMEDY = "if the change is meant: make golden, and say why in the commit"


def noted(folder: Path) -> dict[str, object]:
    return tomllib.loads((folder / "expected.toml").read_text(encoding="utf-8"))


def test_there_are_golden_journals_of_today() -> None:
    today = [folder for folder in FOLDERS if noted(folder)["rules_version"] == RULES_VERSION]
    assert [folder.name for folder in today][-2:] == ["backtest", "exchange"]
    assert {folder_name(folder) for folder in today} == {folder.parent.name for folder in today}
    assert sum(path.stat().st_size for path in GOLDEN.rglob("*.seg")) < 2_000_000


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_a_golden_journal_comes_to_the_noted_hashes(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    if noted(folder)["rules_version"] != RULES_VERSION:
        with pytest.raises(JournalError, match="written under rules version"):
            list(open_history(tmp_path / "copy").batches())
        return
    assert expected(tmp_path / "copy") == noted(folder), REMEDY
