"""The oracle of the kill tests: what clients were told against what the journal says.

It reads events with NumPy (`openbell.messages.layouts`), not with the gateway's codec, so that a defect of one does not hide in
the other.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from openbell.kernel import JournalReader, Node, verify_journal
from openbell.messages.layouts import HEAD_DTYPE, REPEATED, SLOT_SIZE, select
from openbell.model.instrument import Instrument

STATE_HASH_INTERVAL = 1024
Place = tuple[int, int]

_KINDS = {
    "order_accepted": "OrderAccepted",
    "order_denied": "OrderDenied",
    "order_rejected": "OrderRejected",
    "order_filled": "OrderFilled",
    "order_replaced": "OrderReplaced",
    "order_canceled": "OrderCanceled",
    "order_expired": "OrderExpired",
    "order_triggered": "OrderTriggered",
    "cancel_rejected": "CancelRejected",
    "replace_rejected": "ReplaceRejected",
    "command_refused": "CommandRefused",
}
_AMOUNTS = {
    "OrderFilled": {"price": "last_price", "quantity": "last_quantity", "leaves_quantity": "leaves_quantity"},
    "OrderReplaced": {"price": "price", "quantity": "quantity"},
    "OrderCanceled": {"leaves_quantity": "leaves_quantity"},
    "OrderExpired": {"leaves_quantity": "leaves_quantity"},
}
"""Fields of messages by the name they have in events."""


@dataclass
class Told:
    """What the journal says each account was to be told, and the engine at its end."""

    executions: dict[int, dict[Place, dict[str, Any]]]
    node: Node
    fees_nano: int
    orders: Counter[tuple[int, int]]
    hashes_compared: int


def replay(journal: Path, accounts: Sequence[int]) -> Told:
    """Replay a journal, compare every hash that is written in it, and gather what accounts were told.

    Raises AssertionError where a hash differs, JournalError where the journal is damaged.
    """
    verify_journal(journal)
    node = Node(mode="replay")
    told = Told({account: {} for account in accounts}, node, 0, Counter(), 0)
    mine: dict[int, str] = {}
    reader = JournalReader(journal)
    while (slots := reader.read(1)) is not None:  # batch by batch: each has its hashes
        for part in _parts(slots):
            node.run(part, None, [])
            node.commit()
            if node.sequence % STATE_HASH_INTERVAL == 0:
                mine[node.sequence] = f"{node.state_hash():032x}"
            _gather(node.take_output(), told)
        written = reader.report.state_hash
        if written is not None and written[0] in mine:
            assert mine[written[0]] == f"{written[1]:032x}", (
                f"the live state differs at sequence {written[0]}"
            )
            told.hashes_compared += 1
        output = reader.report.output_hash
        if output is not None and output[0] == node.sequence:
            assert node.output_hash == output[1], f"the live outputs differ at sequence {output[0]}"
            told.hashes_compared += 1
    return told


def _parts(slots: np.ndarray) -> Iterator[np.ndarray]:
    """The records in pieces that end where the engine takes a hash of its state."""
    sequences = slots.view(HEAD_DTYPE)["sequence"]
    at = 0
    while at < len(sequences):
        border = (int(sequences[at]) + STATE_HASH_INTERVAL - 1) // STATE_HASH_INTERVAL * STATE_HASH_INTERVAL
        end = int(np.searchsorted(sequences, border, side="right"))
        yield slots[at * SLOT_SIZE : end * SLOT_SIZE]
        at = end


def _gather(events: np.ndarray, told: Told) -> None:
    for kind, name in _KINDS.items():
        for row in select(events, name):
            account = int(row["account"])
            if account not in told.executions:
                continue
            place = (int(row["sequence"]), int(row["source"]))
            found: dict[str, Any] = {"type": kind, "instrument": int(row["instrument"])}
            if name != "CommandRefused":
                found["order_id"] = int(row["order_id"])
                found["client_order_id"] = int(row["client_order_id"])
                found["repeated"] = bool(row["flags"] & REPEATED)
            for field, column in _AMOUNTS.get(name, {}).items():
                found[field] = int(row[column])
            told.executions[account][place] = found
            if name in ("OrderAccepted", "OrderDenied", "OrderRejected") and not found["repeated"]:
                told.orders[account, found["client_order_id"]] += 1
            if name == "OrderFilled":
                told.fees_nano += int(row["fee_nano"])


def check_client(account: int, told_file: Path, told: Told, instruments: Sequence[Instrument]) -> int:
    """Compare what a client was told, line by line, with the journal. Returns how many executions it had.

    Every one must be in the journal, equal, in order; none in between may be missing, none may be there twice.
    """
    lines = told_file.read_text().splitlines()
    frames = [json.loads(line) for line in lines]
    places = [(frame["sequence"], frame["index"]) for frame in frames]
    assert places == sorted(dict.fromkeys(places)), f"{told_file}: executions out of order or twice"
    if not places:
        return 0
    journaled = sorted(place for place in told.executions[account] if places[0] <= place <= places[-1])
    lost = [place for place in places if place not in told.executions[account]]
    assert not lost, f"{told_file}: acknowledged and not in the journal: {lost[:5]}"
    left_out = sorted(dict.fromkeys(journaled).keys() - dict.fromkeys(places).keys())
    assert not left_out, f"{told_file}: in the journal and never told: {left_out[:5]}"
    for place, frame in zip(places, frames, strict=True):
        _require_equal(frame, told.executions[account][place], instruments, told_file)
    return len(frames)


def _require_equal(
    frame: dict[str, Any], event: dict[str, Any], instruments: Sequence[Instrument], source: Path
) -> None:
    instrument = instruments[event["instrument"] - 1] if event["instrument"] else None
    for field, value in event.items():
        if field == "instrument":
            expected: Any = "" if instrument is None else instrument.symbol
        elif field in ("price", "quantity", "leaves_quantity"):
            assert instrument is not None
            unit = instrument.price_unit if field == "price" else instrument.quantity_unit
            expected = unit * value
            assert Decimal(frame[field]) == expected, (
                f"{source}: {field} of {frame} is {expected} in the journal"
            )
            continue
        else:
            expected = value
        assert frame.get(field, False if field == "repeated" else "") == expected, (
            f"{source}: {field} of {frame} is {expected!r} in the journal"
        )


def check_orders(account: int, sent_file: Path, told: Told, all_answered: bool) -> int:
    """Every order that was sent is in the journal at most once, and exactly once when all were answered."""
    numbers = [json.loads(line)["client_order_id"] for line in sent_file.read_text().splitlines()]
    for number in numbers:
        count = told.orders[account, number]
        assert count <= 1, f"order {number} of account {account} was taken {count} times"
        assert count or not all_answered, f"order {number} of account {account} was answered and is not there"
    return len(numbers)


def check_conservation(
    told: Told, accounts: Sequence[int], instruments: Sequence[Instrument], cash: int
) -> None:
    """What one bought another sold, and what left the accounts are fees."""
    for number in range(1, len(instruments) + 1):
        held = [told.node.position(account, number)[0] for account in accounts]
        assert sum(held) == 0, f"positions in instrument {number} add up to {sum(held)}"
    left = sum(told.node.cash(account) for account in accounts)
    assert left + told.fees_nano == cash * 10**9, f"cash {left} and fees {told.fees_nano} are not {cash}"
