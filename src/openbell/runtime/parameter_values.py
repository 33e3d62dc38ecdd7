"""Parameters of a strategy as they come from text and TOML files, in the types it declares."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from openbell.model.errors import ConfigError

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def fitted_parameters(strategy: type, given: Mapping[str, object]) -> dict[str, object]:
    """Return `given` with every value in the type that the parameter's annotation names.

    Text becomes a number, a truth value, a Decimal, or a list (by its commas); what no annotation is known for stays as it is.
    Unknown names stay too: the strategy refuses them by name. Raises ConfigError for text that is not of that type.
    """
    hints = _hints(strategy)
    return {
        name: _fitted(f"{strategy.__name__}.{name}", value, hints.get(name)) for name, value in given.items()
    }


def _hints(strategy: type) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(strategy)
    except (NameError, TypeError, AttributeError):
        return {}  # a name that only a type checker sees


def _fitted(where: str, value: object, hint: Any) -> object:
    kinds = _kinds(hint)
    if value == "none" and type(None) in kinds:
        return None
    if isinstance(value, list) and tuple in kinds and list not in kinds:
        return tuple(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and kinds == (Decimal,):
        return Decimal(str(value))
    if not isinstance(value, str) or str in kinds or not kinds:
        return value
    for kind in kinds:
        read = _READERS.get(kind)
        try:
            if read is not None:
                return _list_of(value, hint) if kind in (list, tuple) else read(value)
        except (ValueError, InvalidOperation):
            continue
    names = " or ".join(kind.__name__ for kind in kinds)
    raise ConfigError(f"{where} is {value!r}; it must be {names}")


def _kinds(hint: Any) -> tuple[type, ...]:
    is_union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    options = typing.get_args(hint) if is_union else (hint,)
    kinds = tuple(typing.get_origin(option) or option for option in options)
    return tuple(kind for kind in kinds if isinstance(kind, type))


def _list_of(text: str, hint: Any) -> object:
    element = next((one for one in typing.get_args(hint) if isinstance(one, type)), str)
    items = [
        _READERS[element](part.strip()) if element in _READERS else part.strip() for part in text.split(",")
    ]
    return tuple(items) if tuple in _kinds(hint) else items


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in (*_TRUE, *_FALSE):
        raise ValueError(text)
    return word in _TRUE


_READERS: dict[type, Any] = {bool: _truth, int: int, float: float, Decimal: Decimal, list: list, tuple: tuple}
