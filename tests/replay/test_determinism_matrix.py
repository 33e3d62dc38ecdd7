"""The small matrix; `make determinism` runs the long one."""

import os
import secrets
import shutil
from pathlib import Path

import pytest

from tests.replay.determinism_matrix import matrix, require_same_files

SEED = int(os.environ.get("OPENBELL_SEED", secrets.randbelow(10**9)))


def test_every_build_surrounding_and_snapshot_gives_the_same_bytes(tmp_path: Path) -> None:
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not on PATH: the other build of the engine cannot be made")
    lines = matrix(tmp_path, records=20_000, seed=SEED)
    repeat = f"python -m tests.replay.determinism_matrix --records 20000 --seed {SEED}"
    assert len(lines) == 5
    assert len(lines[0].hashes) >= 6, repeat
    for line in lines[1:]:
        assert line.hashes == lines[0].hashes, f"{line.who} differs; to repeat: {repeat}"


def test_the_matrix_sees_one_byte_that_differs(tmp_path: Path) -> None:
    for name, content in (("first", b"same"), ("second", b"samf")):
        (tmp_path / name / "journal").mkdir(parents=True)
        (tmp_path / name / "journal" / "00000001.seg").write_bytes(content)
    with pytest.raises(AssertionError, match=r"other bytes.*00000001\.seg"):
        require_same_files(tmp_path / "first", tmp_path / "second")
