"""Parameters of a strategy: its annotated class attributes."""

from __future__ import annotations

import copy
import difflib
import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from openbell.model.errors import ConfigError


class _Missing:
    def __repr__(self) -> str:
        return "required"


REQUIRED: Any = _Missing()

PLAIN = (bool, int, float, str, Decimal, tuple, list, dict, type(None))


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its default and what it may be."""

    default: Any = REQUIRED
    minimum: Any = None
    maximum: Any = None
    choices: Sequence[Any] | None = None
    doc: str = ""


def param(
    default: Any = REQUIRED,
    *,
    minimum: Any = None,
    maximum: Any = None,
    choices: Sequence[Any] | None = None,
    doc: str = "",
) -> Any:
    """Give a parameter bounds, choices or a description.

    As in `fast: int = param(10, minimum=2, maximum=200)`. Without a default the parameter must be
    given. A value outside the bounds is a ConfigError before anything runs.
    """
    return Parameter(default, minimum, maximum, choices, doc)


def collect(owner: type, inherited: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """Return the parameters of a class: those inherited, then its own annotated attributes.

    Raises ConfigError for a public attribute with a plain value and no annotation: nobody could tell whether it was meant
    to be a parameter.
    """
    found = dict(inherited)
    annotations = inspect.get_annotations(owner)
    for name, hint in annotations.items():
        if name.startswith("_") or _is_class_variable(hint):
            continue
        value = owner.__dict__.get(name, REQUIRED)
        found[name] = value if isinstance(value, Parameter) else Parameter(value)
    for name, value in owner.__dict__.items():
        if name.startswith("_") or name in annotations or not isinstance(value, PLAIN):
            continue
        if name in found:
            found[name] = Parameter(value, found[name].minimum, found[name].maximum, found[name].choices)
            continue
        raise ConfigError(
            f"{owner.__name__}.{name} = {value!r} has no annotation: write `{name}: {type(value).__name__} = {value!r}` "
            f"to make it a parameter, or `_{name}` (or ClassVar) to keep it the class's own"
        )
    return found


def _is_class_variable(hint: Any) -> bool:
    return "ClassVar" in hint if isinstance(hint, str) else typing.get_origin(hint) is typing.ClassVar


def resolve(owner: type, parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of every parameter, checked. Raises ConfigError naming the one that is unknown, missing or wrong."""
    unknown = [name for name in given if name not in parameters]
    if unknown:
        known = ", ".join(parameters) or "none"
        raise ConfigError(
            f"{owner.__name__} has no parameter {unknown[0]!r}; its parameters: {known}{_closest(unknown[0], parameters)}"
        )
    hints = _hints(owner)
    return {name: _value(owner, name, of, given, hints.get(name)) for name, of in parameters.items()}


def _closest(name: str, parameters: Mapping[str, Parameter]) -> str:
    found = difflib.get_close_matches(name, parameters, n=1)
    return f". Did you mean {found[0]!r}?" if found else ""


def _hints(owner: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(owner)
    except (NameError, TypeError, AttributeError):
        # A name that only a type checker sees: values are then taken as they are.
        return {}


def _value(owner: type, name: str, of: Parameter, given: Mapping[str, Any], hint: Any) -> Any:
    value = given.get(name, of.default)
    where = f"{owner.__name__}.{name}"
    if value is REQUIRED:
        raise ConfigError(
            f"{where} has no default and was not given: {owner.__name__}({name}=...). What is no parameter is set in on_start, "
            f"or annotated as ClassVar or under a name that begins with _"
        )
    # A copy: two runs must not share a list.
    value = copy.deepcopy(_fitted(where, value, hint))
    if of.choices is not None and value not in of.choices:
        raise ConfigError(f"{where} is {value!r}; it must be one of {', '.join(map(repr, of.choices))}")
    if of.minimum is not None and value < of.minimum:
        raise ConfigError(f"{where} is {value!r}; the least is {of.minimum!r}")
    if of.maximum is not None and value > of.maximum:
        raise ConfigError(f"{where} is {value!r}; the most is {of.maximum!r}")
    return value


def _fitted(where: str, value: Any, hint: Any) -> Any:
    """The value as the annotated plain type; an int is a float, and nothing else is converted."""
    kinds = _plain_kinds(hint)
    if not kinds:
        return value
    is_truth = isinstance(value, bool)
    if float in kinds and isinstance(value, int) and not is_truth and int not in kinds:
        return float(value)
    fits = bool in kinds if is_truth else isinstance(value, kinds)
    if not fits:
        names = " or ".join(kind.__name__ for kind in kinds)
        raise ConfigError(f"{where} is {value!r} of type {type(value).__name__}; it must be {names}")
    return value


def _plain_kinds(hint: Any) -> tuple[type, ...]:
    """The plain types an annotation allows; empty where it says something this check does not know."""
    is_union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    options = typing.get_args(hint) if is_union else (hint,)
    kinds = tuple(typing.get_origin(option) or option for option in options)
    return kinds if all(isinstance(kind, type) and kind in PLAIN for kind in kinds) else ()
