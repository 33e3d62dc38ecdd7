"""The node's events as the plain tuples its twin speaks in, and commands as the node takes them."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openbell.kernel import Node
from openbell.messages.layouts import (
    LAST_OF_MESSAGE,
    MAKER,
    SELL,
    as_slots,
    message_numbers,
    records,
    rule_names,
)
from tests.model.gate_twin import LIMIT_KINDS
from tests.model.order_twin import (
    BAR_NS,
    Bars,
    Cancel,
    CancelAll,
    CloseSession,
    Command,
    EndRun,
    Event,
    Kill,
    Pass,
    Release,
    Replace,
    SetLimit,
    Submit,
)

KINDS = {"MARKET": 1, "LIMIT": 2, "STOP": 3, "STOP_LIMIT": 4}
TIMES_IN_FORCE = {"DAY": 1, "GTC": 2, "GTD": 3, "IOC": 4, "FOK": 5}
SIZINGS = {"UNITS": 0, "PERCENT": 1, "TARGET_PERCENT": 2, "CLOSE_POSITION": 3}
STATES = ("", "SUBMITTED", "PENDING_NEW", "ACCEPTED", "PENDING_REPLACE", "PENDING_CANCEL")
POST_ONLY, REDUCE_ONLY = 1, 2

_HEAD = struct.Struct("<QQHBBHHII4q")
_PAYLOAD = struct.Struct("<24xQqQqQ")
_SIGNED = struct.Struct("<24x5q")
_UNSIGNED_LOW = 2**64


def wide(low: int, high: int) -> int:
    """A 128-bit integer from its halves."""
    return (high << 64) | (low % _UNSIGNED_LOW)


class Words:
    """Reads events; the tables are looked up once."""

    def __init__(self) -> None:
        self.names = {number: name for name, number in message_numbers().items()}
        self.rules = rule_names()

    def told(self, raw: bytes) -> list[tuple[int, Event]]:
        """(sequence of the cause, event) in order."""
        found = []
        at = 0
        while at < len(raw):
            head = _HEAD.unpack_from(raw, at)
            found.append((head[0], self.event(head, raw, at + 64)))
            at += 64 * head[3]
        return found

    def refusal(self, rule: int, raw: bytes, at: int) -> tuple[str, int, int]:
        limit_low, limit_high, actual_low, actual_high, _ = _PAYLOAD.unpack_from(raw, at)
        return self.rules[rule], wide(limit_low, limit_high), wide(actual_low, actual_high)

    def event(self, head: tuple[int, ...], raw: bytes, rest: int) -> Event:
        name = self.names[head[2]]
        flags, instrument, account = head[5], head[7], head[8]
        a, b, c, d = head[9:]
        match name:
            case "OrderSubmitted":
                return (name, a, b, c, d)
            case "OrderAccepted":
                return (name, a, b)
            case "OrderDenied" | "OrderRejected":
                return (name, a, b, *self.refusal(c, raw, rest))
            case "OrderFilled":
                trade_id, _, cumulative, fee, _ = _SIGNED.unpack_from(raw, rest)
                side = -1 if flags & SELL else 1
                return (name, a, b, c, d, side, bool(flags & MAKER), trade_id, cumulative, fee)
            case "OrderReplaced":
                return (name, a, c, d)
            case "OrderCanceled":
                return (name, a, d, *self.refusal(c, raw, rest))
            case "OrderExpired":
                return (name, a, c)
            case "CancelRejected" | "ReplaceRejected":
                return (name, a, *self.refusal(c, raw, rest))
            case "OrderTriggered":
                return (name, a, c)
            case "OrderReduced":
                return (name, a, c, *self.refusal(d, raw, rest))
            case "OrderPending":
                return (name, a, STATES[c])
            case "TradeExecuted":
                return (name, a, b, c, d, -1 if flags & SELL else 1)
            case "BookLevelChanged":
                return (name, instrument, "SELL" if flags & SELL else "BUY", a, b, c)
            case "PositionOpened" | "PositionChanged" | "PositionClosed":
                low, high, realized, _, _ = _SIGNED.unpack_from(raw, rest)
                return (name, account, instrument, a, wide(low, high), realized)
            case "AccountChanged":
                return (name, account, wide(a, b), c)
            case "CommandRefused":
                return (name, self.names[a], *self.refusal(b, raw, rest))
            case "KillSwitchEngaged":
                return (name, account, a, b)
            case "KillSwitchReleased":
                return (name, account)
            case "RiskLimitSet":
                return (name, account, instrument, LIMIT_KINDS[a - 1], b)
            case _:
                return (name,)


def send(node: Node, command: Command) -> None:
    """Queues a command, or runs the node up to an observation."""
    match command:
        case Submit():
            options = POST_ONLY * command.post_only | REDUCE_ONLY * command.reduce_only
            node.submit_order(
                0,
                command.account,
                command.instrument,
                command.client_id,
                1 if command.side > 0 else 2,
                KINDS[command.kind],
                TIMES_IN_FORCE[command.time_in_force],
                command.quantity,
                price=command.price,
                stop_price=command.stop,
                sizing=SIZINGS[command.sizing],
                options=options,
                expire_time=command.expire_time,
                parent=command.parent,
                partner=command.partner,
                offset_nano=command.offset,
            )
        case Replace(account, client_id, price, quantity, stop):
            node.replace_order(0, account, client_id, price=price, quantity=quantity, stop_price=stop)
        case Cancel(account, client_id):
            node.cancel_order(0, account, client_id)
        case CancelAll(account, instrument):
            node.cancel_all_orders(0, account, instrument)
        case Kill(account):
            node.engage_kill_switch(account, 9)
        case Release(account):
            node.release_kill_switch(account, 9)
        case SetLimit(account, instrument, kind, value):
            node.set_risk_limit(account, instrument, LIMIT_KINDS.index(kind) + 1, value)
        case Pass(duration_ns):
            observe(node, "ExternalSignalReceived", duration_ns)
        case CloseSession():
            observe(node, "SessionClosed", 1)
        case Bars(rows):
            run(node, bar_slots(node, rows))
        case EndRun():
            run(node, None)
            node.end_run()


def run(node: Node, slots: NDArray[np.uint8] | None) -> None:
    """Runs everything queued, then the slots."""
    node.run(slots, None if slots is None else 0, [])


def observe(node: Node, message: str, later_ns: int) -> None:
    """One observation some time later, after all that is queued."""
    run(node, None)
    record = records(message, 1)
    record["time"] = node.time + later_ns
    if message == "SessionClosed":
        record["session_end"] = record["time"]
    run(node, as_slots(record))


def bar_slots(node: Node, rows: tuple[tuple[int, int, int, int, int], ...]) -> NDArray[np.uint8]:
    """Bars that open now and close together, one update."""
    run(node, None)
    bars: Any = records("BarObserved", len(rows))
    for bar, (instrument, *prices) in zip(bars, rows, strict=True):
        bar["instrument"] = instrument
        bar["time"] = bar["close_time"] = node.time + BAR_NS
        bar["open_time"] = node.time
        for field, price in zip(("open", "high", "low", "close"), prices, strict=True):
            bar[field] = price
    bars[-1]["flags"] = LAST_OF_MESSAGE
    return as_slots(bars)
