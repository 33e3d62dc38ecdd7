"""Domains read no clock, no chance, no files and no network; only one room knows the compiled module."""

import pytest

from tests.architecture.purity import INSTEAD, Violation, kernel_imports, violations
from tests.architecture.sources import ledger, read, require_none, tracked_files

# Rooms that decide. Adapters of a service live in its infrastructure/ and are not domain.
DOMAINS = (
    "kernel", "model", "messages", "engine", "order_management", "risk_management", "market_data",
    "portfolio", "venue", "strategy", "projections",
)  # fmt: skip
ALLOWED = ledger("purity_allowlist.txt")


def domain_violations() -> list[Violation]:
    """What the domains do that they must not, allowed or not."""
    files = tracked_files(*(f"src/openbell/{room}/*.py" for room in DOMAINS))
    return [
        found
        for path in files
        if "infrastructure" not in path.parts
        for found in violations(read(path), path.as_posix())
    ]


def is_allowed(found: Violation) -> bool:
    return any(found.path == path and found.rule == rule for path, rule, _reason in ALLOWED)


def test_domains_are_pure() -> None:
    require_none(
        [str(found) for found in domain_violations() if not is_allowed(found)],
        "see each line. A file that is truly a shell goes into tests/architecture/purity_allowlist.txt, "
        "with its reason",
    )


def test_every_exception_from_purity_is_still_needed_and_has_a_reason() -> None:
    used = {(found.path, found.rule) for found in domain_violations()}
    require_none(
        [
            f"{path} | {rule} | {reason}"
            for path, rule, reason in ALLOWED
            if (path, rule) not in used or not reason
        ],
        "take the line out of tests/architecture/purity_allowlist.txt, or give its reason",
    )


def test_only_the_kernel_room_imports_the_compiled_module() -> None:
    files = [path for path in tracked_files("*.py") if path.parts[:3] != ("src", "openbell", "kernel")]
    require_none(
        [str(found) for path in files for found in kernel_imports(read(path), path.as_posix())],
        INSTEAD["kernel"],
    )


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("import time\nnow = time.time_ns()", "clock"),
        ("from time import monotonic", "clock"),
        ("from datetime import datetime\nstart = datetime.now()", "clock"),
        ("import datetime as dt\nstart = dt.datetime.now(dt.UTC)", "clock"),
        ("import random", "randomness"),
        ("from uuid import uuid4", "randomness"),
        ("import os\nseed = os.urandom(8)", "randomness"),
        ("import numpy as np\nx = np.random.default_rng()", "randomness"),
        ("from numpy.random import default_rng", "randomness"),
        ("names = set()", "set"),
        ("for name in {'a', 'b'}: pass", "set"),
        ("names = {name for name in 'ab'}", "set"),
        ("for name in frozenset(names): pass", "set"),
        ("WORDS = frozenset('ab')\nfor word in WORDS: pass", "set"),
        ("WORDS = frozenset('ab')\nwords = [word for word in WORDS]", "set"),
        ("both = set(a) & set(b)", "set"),
        ("names = list({'a', 'b'})", "set"),
        ("key = hash('a')", "hash"),
        ("key = id(order)", "hash"),
        ("limit_price: float = 1.0", "float money"),
        ("def pay(fee: float | None) -> None: ...", "float money"),
        ("x = float(order.price)", "float money"),
        ("text = open('a').read()", "input and output"),
        ("from pathlib import Path\ntext = Path('a').read_text()", "input and output"),
        ("import socket", "input and output"),
        ("import requests", "input and output"),
        ("from urllib.request import urlopen", "input and output"),
        ("import os\nhome = os.environ['HOME']", "input and output"),
        ("async def poll() -> None: ...", "concurrency"),
        ("import threading", "concurrency"),
        ("from concurrent.futures import ThreadPoolExecutor", "concurrency"),
        ("import pickle", "pickle"),
    ],
)
def test_the_purity_check_sees(source: str, rule: str) -> None:
    assert rule in [found.rule for found in violations(source, "example.py")]


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import UTC, datetime\nepoch = datetime(1970, 1, 1, tzinfo=UTC)",
        "if name in {'a', 'b'}: pass",
        "WORDS = frozenset({'a', 'b'})",
        "WORDS = frozenset('ab')\nfor word in sorted(WORDS): pass",
        "missing = sorted(set(a) - set(b))",
        "alone = len(set(names)) == 1",
        "if set(a) & {'x'}: pass",
        "def __hash__(self) -> int: return hash(self.price)",
        "def buy(price: Price | Decimal | str | float) -> None: ...",
        "close: float = 1.0",
        "y = float(ratio)",
        "self.random.choice([1, 2])",
        "names = dict.fromkeys(['a'])",
    ],
)
def test_the_purity_check_lets_pass(source: str) -> None:
    assert violations(source, "example.py") == []


@pytest.mark.parametrize(
    "source",
    ["import openbell._kernel", "from openbell import _kernel", "from openbell._kernel import Node",
     "importlib.import_module('openbell._kernel')"],
)  # fmt: skip
def test_the_kernel_guard_sees(source: str) -> None:
    assert kernel_imports(source, "example.py")
