"""What every test may ask for: the large data sets, a browser, and one way to set up generated tests."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# Generated tests print the blob that repeats a failure; OPENBELL_EXAMPLES=10000 asks for a longer hunt.
settings.register_profile(
    "openbell",
    deadline=None,
    print_blob=True,
    max_examples=int(os.environ.get("OPENBELL_EXAMPLES", "100")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("openbell")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of large real data sets: OPENBELL_DATA, by default ../shared/data."""
    folder = Path(os.environ.get("OPENBELL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"{folder} does not exist; set OPENBELL_DATA to the folder of real data sets")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Chromium: CI must have it, elsewhere its tests are skipped."""
    found = (
        os.environ.get("OPENBELL_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    if found:
        return found
    message = "Chromium is not on PATH: apt-get install chromium, or name it in OPENBELL_CHROMIUM"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
