"""Versions of what a run was made with."""

from __future__ import annotations

import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("openbell", "numpy", "polars")


@cache
def versions() -> dict[str, str]:
    """Openbell, Python, the libraries whose figures could differ, and the machine's kind."""
    found = {name: _version(name) for name in _PACKAGES}
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {**found, "python": python, "platform": f"{sys.platform} {platform.machine()}"}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
