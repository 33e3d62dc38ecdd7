"""Commands with any numbers in them: a refusal is an event, a number that does not fit is an error, nothing else happens."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import openbell.kernel as door
from openbell.kernel import Node, SpecialTerms, codec, journal, live_node, node, order_book, registry
from openbell.messages.layouts import rule_names, select
from openbell.model.errors import ConfigError, InputError, JournalError, OpenbellError
from tests.kernel.door_nodes import bar_slots, hooks, new_node

TEXT = {"code", "symbol"}
BOOLEAN = {"shorting", "external", "negative_prices"}
COMMANDS = [
    "define_currency", "configure_venue", "list_instrument", "open_account", "deposit_cash", "withdraw_cash",
    "set_fee_schedule", "set_risk_limit", "engage_kill_switch", "release_kill_switch", "halt_trading", "resume_trading",
    "register_participant", "subscribe", "add_indicator", "add_bar_interval", "submit_order", "replace_order",
    "cancel_order", "cancel_all_orders", "mass_cancel", "set_reference_price", "start_timer", "cancel_timer", "stop_participant",
]  # fmt: skip

SMALL = st.integers(0, 4)
EDGES = st.sampled_from(
    [-1, 0, 1, 2**8 - 1, 2**16 - 1, 2**31, 2**32 - 1, 2**56, 2**63 - 1, -(2**63), 2**64 - 1]
)
NUMBERS = st.one_of(SMALL, SMALL, EDGES, st.integers(-(2**63), 2**64 - 1))


SPECIAL_TERMS = st.builds(
    SpecialTerms,
    display_quantity=st.integers(-2, 9),
    minimum_quantity=st.integers(-2, 9),
    trail=st.integers(-2, 9),
    trail_by=st.integers(0, 2),
    peg=st.integers(0, 3),
    peg_offset=st.integers(-(2**63), 2**63 - 1),
    self_trade=st.integers(0, 4),
)


def arguments(command: str) -> st.SearchStrategy[dict[str, Any]]:
    names = list(inspect.signature(getattr(Node, command)).parameters)[1:]
    values: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(names, NUMBERS)
    values |= {name: st.text(max_size=20) for name in names if name in TEXT}
    values |= {name: st.booleans() for name in names if name in BOOLEAN}
    if "special" in names:
        values["special"] = st.one_of(st.none(), SPECIAL_TERMS)
    return st.fixed_dictionaries(values)


CALLS = st.lists(
    st.sampled_from(COMMANDS).flatmap(lambda name: st.tuples(st.just(name), arguments(name))), max_size=12
)


@given(CALLS)
def test_whatever_commands_ask_the_engine_answers_and_its_state_can_be_saved(
    calls: list[tuple[str, dict[str, Any]]],
) -> None:
    node = new_node()
    node.run(bar_slots(2), 0, [])
    for name, values in calls:
        try:
            getattr(node, name)(**values)
        except (OverflowError, ConfigError, InputError):
            continue
    node.run(None, None, [hooks()], lambda fill: 0)
    node.run(bar_slots(3, first=2), 0, [hooks()], lambda fill: 0)
    restored = Node.restore(node.snapshot())
    assert restored.state_hash() == node.state_hash()
    assert restored.snapshot() == node.snapshot()


@given(st.sampled_from(COMMANDS), st.data())
def test_a_value_of_another_type_raises_and_queues_nothing(command: str, data: st.DataObject) -> None:
    node = Node()
    values = data.draw(arguments(command))
    spoiled = data.draw(st.sampled_from(sorted(values)))
    values[spoiled] = data.draw(st.sampled_from([None, 1.5, object(), [1], b"x"]))
    with pytest.raises((TypeError, OverflowError, OpenbellError)):
        getattr(node, command)(**values)
    node.run(None, None, [])
    assert node.sequence == 0


@pytest.mark.parametrize("text", ["", "X" * 37, "é" * 19])
def test_text_that_does_not_fit_a_record_is_refused_and_not_cut(text: str) -> None:
    node = Node()
    with pytest.raises(
        ConfigError, match=rf"code is .*; it must have 1 to 36 bytes and has {len(text.encode())}"
    ):
        node.define_currency(1, text)
    node.define_currency(1, "é" * 18)


@pytest.mark.parametrize(
    ("position", "field"),
    [(4, "side"), (5, "order_type"), (6, "time_in_force")],
    ids=lambda value: str(value),
)
def test_terms_that_name_nothing_are_refused(position: int, field: str) -> None:
    terms = [1, 1, 1, 1, 1, 1, 1, 1]
    terms[position] = 99
    with pytest.raises(InputError, match=f"{field} is 99, which names none"):
        Node().submit_order(*terms)


def test_a_refusal_is_an_event_with_its_rule_and_its_figures() -> None:
    node = new_node()
    node.set_risk_limit(1, 0, 1, 10)
    node.run(bar_slots(1), 0, [])
    node.submit_order(0, 1, 1, 5, 1, 1, 2, 11)
    node.run(None, None, [])
    order = node.order(1, 5)
    assert order is not None
    assert order.refusal is not None
    rule, limit, actual = order.refusal
    assert (limit, actual) == (10, 11)
    (denied,) = select(node.take_output(), "OrderDenied")
    assert rule_names()[int(denied["rule"])] == rule


@pytest.mark.parametrize("mode", ["RUN", "", "live"])
def test_a_mode_that_does_not_exist_is_refused(mode: Any) -> None:
    with pytest.raises(ConfigError, match="it must be run, replay or rerun"):
        Node(mode=mode)


@given(
    st.one_of(st.binary(max_size=200), st.integers(0, 10_000), st.tuples(st.integers(0), st.integers(1, 255)))
)
def test_bytes_that_are_no_snapshot_are_refused(change: Any) -> None:
    node = new_node()
    node.run(bar_slots(3), 0, [])
    good = node.snapshot()
    if isinstance(change, bytes):
        bad = change
    elif isinstance(change, int):
        bad = good[: change % len(good)]
    else:
        place = change[0] % len(good)
        bad = good[:place] + bytes([good[place] ^ change[1]]) + good[place + 1 :]
    try:
        restored = Node.restore(bad)
    except JournalError:
        return
    # Another state, as good as any: what is derived is derived anew.
    assert Node.restore(restored.snapshot()).snapshot() == restored.snapshot()
    assert Node.restore(restored.snapshot()).state_hash() == restored.state_hash()


def test_bytes_that_end_early_are_no_snapshot() -> None:
    node = new_node()
    node.run(bar_slots(3), 0, [])
    good = node.snapshot()
    for length in range(len(good)):
        with pytest.raises(JournalError, match="not a snapshot: "):
            Node.restore(good[:length])


@pytest.fixture(scope="module")
def stub(root: Path) -> ast.Module:
    """What the compiled core has, as its stub says (which `make types` holds against the core itself)."""
    return ast.parse((root / "src" / "openbell" / "_kernel.pyi").read_text(encoding="utf-8"))


def test_every_class_and_function_of_the_stub_says_what_it_means(stub: ast.Module) -> None:
    outer = [part for part in stub.body if isinstance(part, (ast.ClassDef, ast.FunctionDef))]
    inner = [part for one in outer for part in one.body if isinstance(part, ast.FunctionDef)]
    public = [part for part in [*outer, *inner] if not part.name.startswith("__")]
    assert [part.name for part in public if not ast.get_docstring(part)] == []
    assert len(public) > 200


def test_every_class_of_the_stub_is_final(stub: ast.Module) -> None:
    # Private ones are protocols, which say what is taken and do not exist at run time; two are there to be derived from.
    derived = {"DecodeError", "IndicatorByInstrument"}
    classes = [
        part
        for part in stub.body
        if isinstance(part, ast.ClassDef) and part.name not in derived and not part.name.startswith("_")
    ]
    assert [
        part.name for part in classes if [ast.unparse(one) for one in part.decorator_list] != ["final"]
    ] == []


def test_the_door_shows_everything_the_core_has(stub: ast.Module) -> None:
    (listed,) = (part.value for part in stub.body if isinstance(part, ast.Assign))
    shown: set[str] = set()
    for module in (codec, journal, live_node, node, order_book, registry):
        shown |= set(module.__all__)
    dtypes = {"bar_dtype", "valuation_dtype", "outbox_dtype", "book_command_dtype", "book_report_dtype"}
    assert set(ast.literal_eval(listed)) - dtypes <= shown
    assert set(door.__all__) <= shown
    assert all(getattr(door, name) is not None for name in door.__all__)
