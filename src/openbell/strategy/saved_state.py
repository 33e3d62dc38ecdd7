"""What a strategy keeps across a crash: `on_save` returns it, a file holds it, `on_load` gets it back.

The file is JSON, so that any program and any later version can read it: `format`, the class of the strategy, what the session
and the helpers of the strategy remember (orders sent, timers, recorded figures, chance), and `data`, what `on_save` returned.
Numbers come back as they were: floats are written with the digits that identify them.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from openbell.model.errors import JournalError, StrategyError
from openbell.strategy.strategy import Strategy

FORMAT_VERSION = 1
PLAIN = (str, int, float, bool, type(None))


def saves(strategy: Strategy | type[Strategy]) -> bool:
    """Whether a strategy can be saved: it writes `on_save` and `on_load`."""
    cls = strategy if isinstance(strategy, type) else type(strategy)
    return cls.on_save is not Strategy.on_save


def saved_bytes(strategy: Strategy) -> bytes:
    """Ask a strategy for its state and return the content of its file.

    Raises StrategyError naming the place of what is no plain data; whatever `on_save` raises is raised on.
    """
    data = strategy.on_save()
    require_plain(data, f"{type(strategy).__name__}.on_save()")
    state = {
        "format": FORMAT_VERSION,
        "strategy": type(strategy).__name__,
        "helpers": _helpers(strategy),
        "data": data,
    }
    return json.dumps(state, ensure_ascii=False, separators=(",", ":")).encode()


def sha256(content: bytes) -> str:
    """The name of the file that holds a saved state."""
    return hashlib.sha256(content).hexdigest()


def load(strategy: Strategy, content: bytes, source: object) -> None:
    """Give a strategy that was just started what `saved_bytes` kept of it.

    Raises JournalError for what is no saved state of this strategy, StrategyError for one of a newer program.
    """
    state = _parsed(content, source)
    name = type(strategy).__name__
    if state["format"] > FORMAT_VERSION:
        raise StrategyError(
            f"{source}: the saved state has format {state['format']}, this program reads up to {FORMAT_VERSION}: it was "
            f"written by a newer one"
        )
    if state["strategy"] != name:
        raise JournalError(f"{source}: the saved state is of {state['strategy']}, not of {name}")
    _give_back(strategy, state["helpers"])
    strategy.on_load(state["data"])


def _parsed(content: bytes, source: object) -> dict[str, Any]:
    try:
        state = json.loads(content)
        if isinstance(state, dict) and {"format", "strategy", "helpers", "data"} <= state.keys():
            return state
    except ValueError:
        pass
    raise JournalError(f"{source}: not the saved state of a strategy")


def require_plain(value: Any, place: str) -> None:
    """Raise StrategyError for what would not come back as it is: anything but numbers, text, None, lists and dicts."""
    if type(value) in PLAIN:
        return
    if type(value) is list:
        for index, item in enumerate(value):
            require_plain(item, f"{place}[{index}]")
        return
    if type(value) is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise StrategyError(f"{place} has the key {key!r}; keys must be text: str({key!r})")
            require_plain(item, f"{place}[{key!r}]")
        return
    raise StrategyError(
        f"{place} is {_told(value)}; return plain data: numbers, text, None, lists and dicts with text as keys "
        f"{_advice(value)}"
    )


def _told(value: Any) -> str:
    return f"a {type(value).__name__}, {value!r:.60}"


def _advice(value: Any) -> str:
    if isinstance(value, (tuple, set, frozenset)):
        return "(a list comes back as a list)"
    if isinstance(value, (int, float, str)):
        return f"(as {type(value).__mro__[-2].__name__}(...), and made again in on_load)"
    return "(keep what it is made from, and make it again in on_load)"


def _helpers(strategy: Strategy) -> dict[str, Any]:
    version, internal, gauss = strategy._random.getstate()
    return {
        **strategy._session.counts(),
        "timers": strategy._timers,
        "recorded": strategy._recorded,
        "random": [version, list(internal), gauss],
    }


def _give_back(strategy: Strategy, helpers: dict[str, Any]) -> None:
    strategy._session.restore_counts(helpers)
    strategy._timers = dict(helpers["timers"])
    strategy._recorded = {
        name: [(time, value) for time, value in figures] for name, figures in helpers["recorded"].items()
    }
    version, internal, gauss = helpers["random"]
    strategy._random.setstate((version, tuple(internal), gauss))
