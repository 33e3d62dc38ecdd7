"""The public API is a promise: what `openbell` exports is listed, and changes on purpose only."""

import inspect

import openbell
from tests.architecture.sources import ledger, require_none

FROZEN = [row[0] for row in ledger("public_api.txt")]


def test_what_openbell_exports_is_what_is_frozen() -> None:
    exported = list(getattr(openbell, "__all__", []))
    added = [f"new: {name}" for name in exported if name not in FROZEN]
    removed = [f"gone: {name}" for name in FROZEN if name not in exported]
    require_none(
        sorted(added + removed),
        "a new name is a promise for years: if it is meant, add it to tests/architecture/public_api.txt and "
        "CHANGELOG.md. A name that goes is deprecated for a release first",
    )


def test_every_public_name_can_be_imported_and_says_what_it_is() -> None:
    missing = [name for name in FROZEN if not hasattr(openbell, name)]
    silent = [name for name in FROZEN if name not in missing and not inspect.getdoc(getattr(openbell, name))]
    require_none(
        [f"{name}: cannot be imported from openbell" for name in missing]
        + [f"{name}: has no docstring" for name in silent],
        "export it in src/openbell/__init__.py with a docstring: meaning, units, errors",
    )


def test_the_frozen_list_is_sorted_and_names_each_once() -> None:
    assert sorted(set(FROZEN)) == FROZEN, "sort tests/architecture/public_api.txt and drop repeated names"
