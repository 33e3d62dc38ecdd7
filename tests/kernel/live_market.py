"""A market with one instrument and two accounts, for a live node."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openbell.kernel import Commands, LiveNode
from openbell.messages.layouts import as_slots, records, select

BUYER, SELLER = 1, 2
INSTRUMENT = 1
BUY, SELL = 1, 2
LIMIT, GTC = 2, 2
MATCHING = 1
PATIENCE_S = 30


def configuration() -> NDArray[np.uint8]:
    commands = Commands()
    commands.define_currency(1, "USD")
    commands.configure_venue(0, MATCHING)
    commands.list_instrument(
        INSTRUMENT,
        "ABC",
        currency=1,
        price_unit_nano=10_000_000,
        quantity_unit_nano=10**9,
        multiplier_nano=10**9,
        tick=1,
        lot=1,
        venue=0,
    )
    for account in (BUYER, SELLER):
        commands.open_account(account, 1, shorting=True)
        commands.deposit_cash(account, 9 * 10**18, 1)
    return commands.slots()


def created(directory: Path, **options: Any) -> LiveNode:
    return LiveNode.create(directory, configuration(), epoch=7, created_by="test", **options)


def bids(first: int, count: int) -> NDArray[np.uint8]:
    """Resting buy orders with ascending client order ids."""
    orders = records("SubmitOrder", count)
    orders["account"], orders["instrument"] = BUYER, INSTRUMENT
    orders["client_order_id"] = np.arange(first, first + count)
    orders["price"], orders["quantity"] = 100, 1
    orders["terms"]["side"], orders["terms"]["order_type"] = BUY, LIMIT
    orders["terms"]["time_in_force"] = GTC
    return as_slots(orders)


def until(what: str, is_so: Callable[[], bool]) -> None:
    begin = time.monotonic()
    while not is_so():
        assert time.monotonic() - begin < PATIENCE_S, f"waited in vain for {what}"
        time.sleep(0.0005)


def take_until(live: LiveNode, message: str, count: int) -> NDArray[np.uint8]:
    """Outputs, up to `count` events of `message`."""
    taken: list[NDArray[np.uint8]] = []
    found = 0

    def enough() -> bool:
        nonlocal found
        slots = live.take_outputs()
        taken.append(slots)
        found += len(select(slots, message))
        return found >= count

    until(f"{count} {message}", enough)
    return np.concatenate(taken)
