"""Refusals that people have to hear of: a run with a hundred denied orders must not look like a quiet strategy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from openbell.messages.layouts import message_numbers, rule_names, select, wide
from openbell.model.errors import ConfigError
from openbell.model.instrument import Instrument
from openbell.model.time import iso

ORDINARY = ("CANCELED_ON_REQUEST", "CANCELED_AT_END_OF_RUN", "PARTNER_MUST_BE_OPEN")
"""Reasons for which an order ends as it was meant to."""


def require_set_up(output: NDArray[np.uint8]) -> None:
    """Raise ConfigError when the engine refused a command that set the run up or that `on_start` sent; orders are no such."""
    refused = select(output, "CommandRefused")
    if not len(refused):
        return
    first = refused[0]
    limit = wide(refused["limit_low"][:1], refused["limit_high"][:1])[0]
    actual = wide(refused["actual_low"][:1], refused["actual_high"][:1])[0]
    raise ConfigError(
        f"the engine refused {_message_name(first['command'])} before the first data: {_rule_name(first['rule'])} "
        f"(limit {limit}, actual {actual})"
    )


def _message_name(number: int) -> str:
    return next((name for name, known in message_numbers().items() if known == number), f"message {number}")


def _rule_name(number: int) -> str:
    return rule_names().get(int(number), f"rule {number}")


def refusal_notes(output: NDArray[np.uint8], instruments: Sequence[Instrument]) -> tuple[str, ...]:
    """One line for each kind of refusal: how many orders were denied, rejected or ended by which rule, and the first of them."""
    notes = []
    for event, what in (
        ("OrderDenied", "denied"),
        ("OrderRejected", "rejected"),
        ("OrderCanceled", "canceled"),
    ):
        events = select(output, event)
        counts = Counter(events["rule"].tolist())
        for rule, count in sorted(counts.items()):
            name = _rule_name(rule)
            if not rule or name in ORDINARY:
                continue
            first = events[events["rule"] == rule][0]
            symbol = (
                instruments[int(first["instrument"]) - 1].symbol if first["instrument"] else "no instrument"
            )
            orders = "1 order was" if count == 1 else f"{count} orders were"
            notes.append(f"{orders} {what}: {name}, first {symbol} at {iso(int(first['time']))}")
    refused = select(output, "CommandRefused")
    kinds = Counter(zip(refused["command"].tolist(), refused["rule"].tolist(), strict=True))
    for (command, rule), count in sorted(kinds.items()):
        times = "once" if count == 1 else f"{count} times"
        notes.append(f"{_message_name(command)} was refused {times}: {_rule_name(rule)}")
    return tuple(notes)
