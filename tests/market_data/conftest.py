"""Small tables of bars as text, and the place of the real files."""

import os
from pathlib import Path

import pytest

GOOD = """date,open,high,low,close,volume
2022-01-03,100,101.5,99.25,101,1000
2022-01-04,101,102,100.5,101.75,1100
2022-01-05,101.75,103,101,102.5,1200
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes text or bytes to a file of a name and gives its path."""

    def writer(content, name="bars.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return writer


@pytest.fixture
def real_data():
    """The directory of real market data; tests skip where it is not there."""
    default = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
    root = Path(os.environ.get("OPENBELL_DATA", default))
    if not root.is_dir():
        pytest.skip(f"no real data at {root}: set OPENBELL_DATA")
    return root
