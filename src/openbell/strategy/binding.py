"""Ties a strategy to a node: which hooks it has, what it listens to."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from openbell.engine.session import Session, Stage
from openbell.kernel import Hooks
from openbell.model.errors import StrategyError
from openbell.strategy.hooks import HOOKS, WANTS
from openbell.strategy.orders import Order, order_of
from openbell.strategy.strategy import Strategy

KERNEL_HOOKS = tuple(name for name in HOOKS if name not in ("on_save", "on_load", "on_stop"))
"""Those the engine calls; the others are left to whoever drives the run."""


def bind(strategy: Strategy, session: Session, *, seed: int, log: Callable[..., None] | None = None) -> Hooks:
    """Give a strategy its session and return the hooks the engine is to call: only those it overrides.

    Raises StrategyError where either has been bound before: a strategy runs once, and a session acts for one strategy.
    """
    if strategy._bound is not None:
        raise StrategyError(f"this {type(strategy).__name__} has run already; each run needs a fresh one")
    if session.stage is not Stage.READY:
        raise StrategyError(
            f"this session acts for another strategy; {type(strategy).__name__} needs its own"
        )
    session.stage = Stage.STARTING
    strategy._bound = session
    strategy._random = random.Random(seed)
    strategy._log = log
    own: dict[str, Any] = {
        name: getattr(strategy, name) for name in KERNEL_HOOKS if _overrides(strategy, name)
    }
    on_start = own.pop("on_start", None)
    own["on_order"] = _order_hook(session, own.get("on_order"))
    if "on_timer" in own:
        own["on_timer"] = _timer_hook(strategy, own["on_timer"])

    def start() -> None:
        if on_start is not None:
            on_start()
        session.node.subscribe(session.participant, 0, wants_of(strategy))
        session.stage = Stage.RUNNING

    strategy._start = start
    return Hooks(
        session.participant, session.instruments, on_start=start, on_refused=_refusal_hook(strategy), **own
    )


def start_again(strategy: Strategy) -> None:
    """Call `on_start` of a strategy that was bound and whose first start is long past, so that it has its indicators and its own
    attributes again. The node must be in mode "replay": what the hook sends is in the journal already.
    """
    strategy._start()


def _overrides(strategy: Strategy, name: str) -> bool:
    return getattr(type(strategy), name) is not getattr(Strategy, name)


def wants_of(strategy: Strategy) -> int:
    """What the engine shows the strategy: bars always, since indicators and history live on them."""
    bits = WANTS["on_bar"]
    for name, bit in WANTS.items():
        if _overrides(strategy, name):
            bits |= bit
    return bits


def _order_hook(session: Session, hook: Callable[[Order], None] | None) -> Callable[[int], None]:
    """Keeps the orders that somebody holds up to date, and tells the strategy where it wants to know."""

    def call(client_order_id: int) -> None:
        if hook is None and session.held(client_order_id) is None:
            return
        found = session.order(client_order_id)
        if found is not None:
            order = order_of(session, found)
            if hook is not None:
                hook(order)

    return call


def _timer_hook(strategy: Strategy, hook: Callable[[str], None]) -> Callable[[int], None]:
    def call(timer_id: int) -> None:
        names = {number: name for name, number in strategy._timers.items()}
        hook(names[timer_id])

    return call


def _refusal_hook(strategy: Strategy) -> Callable[[str, str], None]:
    """Commands other than orders that the engine refused: never silent."""

    def call(command: str, rule: str) -> None:
        strategy.log("command refused", command=command, rule=rule)

    return call
