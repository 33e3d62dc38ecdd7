"""Parameters: annotated attributes, given by keyword, checked before anything runs, copied for each run."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal

import pytest

from openbell import ConfigError, Strategy, param


class Cross(Strategy):
    fast: int = 10
    slow: int = param(30, minimum=2, maximum=200, doc="bars of the slow average")
    share: float = 0.5
    side: str = param("both", choices=("long", "short", "both"))
    levels: list[float] = [1.0, 2.0]  # noqa: RUF012
    note: str | None = None
    size: Decimal = Decimal(1)
    mode: Literal["a", "b"] = "a"
    shared: ClassVar[int] = 3
    _own = 4


def test_defaults_and_keywords_become_attributes():
    strategy = Cross(fast=5, share=1, note="x")
    assert (strategy.fast, strategy.slow, strategy.share, strategy.note) == (5, 30, 1.0, "x")
    assert isinstance(strategy.share, float), "an int where a float is asked for is one"
    assert list(strategy.parameters) == ["fast", "slow", "share", "side", "levels", "note", "size", "mode"]
    assert repr(strategy).startswith("Cross(fast=5, slow=30, share=1.0, side='both'")


def test_each_strategy_has_its_own_copy_of_a_mutable_default():
    first, second = Cross(), Cross()
    first.levels.append(3.0)
    assert second.levels == [1.0, 2.0] == Cross.__dict__["levels"]
    given = [9.0]
    third = Cross(levels=given)
    given.append(8.0)
    assert third.levels == [9.0]


WRONG = [
    ({"fats": 5}, "Cross has no parameter 'fats'; its parameters: fast, slow"),
    ({"fats": 5}, "Did you mean 'fast'?"),
    ({"slow": 1}, "Cross.slow is 1; the least is 2"),
    ({"slow": 201}, "Cross.slow is 201; the most is 200"),
    ({"side": "up"}, "Cross.side is 'up'; it must be one of 'long', 'short', 'both'"),
    ({"fast": 2.5}, "Cross.fast is 2.5 of type float; it must be int"),
    ({"fast": "5"}, "Cross.fast is '5' of type str; it must be int"),
    ({"fast": True}, "Cross.fast is True of type bool; it must be int"),
    ({"share": "half"}, "Cross.share is 'half' of type str; it must be float"),
    ({"note": 5}, "Cross.note is 5 of type int; it must be str or NoneType"),
]


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_a_wrong_parameter_is_named_with_what_it_may_be(given, message):
    with pytest.raises(ConfigError) as caught:
        Cross(**given)
    assert message in str(caught.value)


def test_an_attribute_without_annotation_is_an_error_that_says_what_to_write():
    with pytest.raises(ConfigError) as caught:
        type("Loose", (Strategy,), {"fast": 10})
    assert "Loose.fast = 10 has no annotation: write `fast: int = 10` to make it a parameter" in str(
        caught.value
    )
    assert "`_fast` (or ClassVar)" in str(caught.value)


def test_a_parameter_without_default_must_be_given():
    class Needs(Strategy):
        period: int
        least: int = param(minimum=1)

    assert Needs(period=3, least=1).period == 3
    with pytest.raises(
        ConfigError, match=r"Needs.period has no default and was not given: Needs\(period=...\)"
    ):
        Needs(**{"least": 1})
    with pytest.raises(ConfigError, match=r"Needs\.least has no default"):
        Needs(period=1)


def test_parameters_are_inherited_and_may_be_given_other_defaults():
    class Faster(Cross):
        fast = 3
        slow: int = 9
        extra: int = 1

    assert (Faster().fast, Faster().slow, Faster().extra) == (3, 9, 1)
    assert list(Faster().parameters)[:2] == ["fast", "slow"]
    assert Cross().fast == 10
    with pytest.raises(ConfigError, match="the least is 2"):
        type("Changed", (Cross,), {"slow": 1})()


def test_a_mixin_may_bring_parameters():
    class Sized(Strategy):
        quantity: int = 1

    class Both(Sized, Cross):
        pass

    assert {"quantity", "fast"} <= set(Both().parameters)


# ---- hooks


async def coroutine(self, bar):
    """Never awaited by anybody."""


def generator(self, bar):
    yield bar


MISTAKES = [
    (
        {"on_tick": lambda self: None},
        "X.on_tick is no hook, so it would never be called; hooks: on_start, on_bar",
    ),
    ({"on_Bar": lambda self, bar: None}, "X.on_Bar is no hook"),
    ({"on_bar": coroutine}, "X.on_bar must be a plain function: the engine waits for it"),
    ({"on_bar": generator}, "X.on_bar must be a plain function"),
    (
        {"__init__": lambda self: None},
        "X has its own __init__; each run builds the strategy anew from its parameters",
    ),
]


@pytest.mark.parametrize(("members", "message"), MISTAKES)
def test_what_would_silently_never_run_is_refused_when_the_class_is_made(members, message):
    with pytest.raises(ConfigError) as caught:
        type("X", (Strategy,), members)
    assert message in str(caught.value)


def test_methods_of_ones_own_are_free():
    class Own(Strategy):
        def rank(self):
            return 1

        @property
        def online(self):
            return True

    assert Own().rank() == 1 and Own().online
