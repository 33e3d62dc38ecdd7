"""TOML that is written reads back as what it was."""

import tomllib
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from openbell.runtime.toml_text import toml_text

values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def plain(value: object) -> object:
    """Dictionaries in a list among other things become text; alone they are tables."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(one, dict) for one in value):
            return [plain(one) for one in value]
        return [inline(one) for one in value]
    return clean(value)


def inline(value: object) -> object:
    return (
        [inline(one) for one in value]
        if isinstance(value, list)
        else str(value)
        if isinstance(value, dict)
        else clean(value)
    )


def clean(value: object) -> object:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


@given(st.dictionaries(st.text(max_size=8).filter(lambda key: key.isprintable()), values, max_size=6))
def test_any_table_reads_back(table: dict[str, object]) -> None:
    assert tomllib.loads(toml_text(table)) == plain(table)


def test_none_is_left_out_and_other_things_become_text() -> None:
    assert toml_text({"a": None, "b": Decimal("1.50"), "c": {"d": None}}) == 'b = "1.50"\n\n[c]\n'
