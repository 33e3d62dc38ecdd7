"""The hooks a strategy can override, and what is refused before anything runs."""

from __future__ import annotations

import inspect

from openbell.model.errors import ConfigError

HOOKS = (
    "on_start",
    "on_bar",
    "on_bars",
    "on_quote",
    "on_trade",
    "on_order",
    "on_fill",
    "on_timer",
    "on_save",
    "on_load",
    "on_stop",
)
WANTS = {"on_bar": 1, "on_bars": 1, "on_quote": 2, "on_trade": 4}
"""Hooks for market data, and the bit by which the engine is asked for it; see crates/kernel/src/participant/mod.rs."""


def check_hooks(owner: type) -> None:
    """Raise ConfigError for what Python would take without a word and the engine would never call.

    That is a name that starts like a hook and is none, a hook that is a coroutine or a generator, and `__init__`.
    """
    if "__init__" in owner.__dict__:
        raise ConfigError(
            f"{owner.__name__} has its own __init__; each run builds the strategy anew from its parameters: annotate what "
            f"can be chosen as class attributes (fast: int = 10) and put the rest into on_start"
        )
    written = [name for name in ("on_save", "on_load") if name in owner.__dict__]
    if len(written) == 1:
        (one,) = written
        other = "on_load" if one == "on_save" else "on_save"
        if getattr(owner, other) is getattr(owner.__mro__[-2], other):
            raise ConfigError(
                f"{owner.__name__} has {one} and no {other}: what one returns the other is given, so write both"
            )
    for name, member in owner.__dict__.items():
        if not name.startswith("on_") or not callable(member):
            continue
        if name not in HOOKS:
            raise ConfigError(
                f"{owner.__name__}.{name} is no hook, so it would never be called; hooks: {', '.join(HOOKS)}. "
                f"Rename a method of your own to _{name}"
            )
        if inspect.iscoroutinefunction(member) or inspect.isgeneratorfunction(member):
            raise ConfigError(
                f"{owner.__name__}.{name} must be a plain function: the engine waits for it, so there is nothing to await "
                f"or to yield"
            )
