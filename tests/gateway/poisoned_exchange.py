"""An exchange that is handed a record that stops its engine, which no client can send: a fill too large to be counted.

    python -m tests.gateway.poisoned_exchange ARGUMENTS OF openbell exchange

A line on stdin submits the record; the rest is `openbell exchange`.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from threading import Thread
from typing import Any

from openbell.cli.app import run
from openbell.kernel.live_node import Commands, LiveNode
from openbell.messages.layouts import as_slots, records
from openbell.runtime.exchange_directory import Restarted

SELL, LIMIT, GTC, REMOTE = 2, 2, 2, 3
ACCOUNT, INSTRUMENT, VENUE = 99, 3, 1
LARGEST = 2**56


def set_stage(node: LiveNode) -> int:
    """An order at a remote venue; its order_id, which is the sequence of its record."""
    before = node.health().sequence
    commands = Commands()
    commands.configure_venue(VENUE, REMOTE)
    commands.list_instrument(
        INSTRUMENT,
        "FAR",
        currency=1,
        price_unit_nano=10**9,
        quantity_unit_nano=10**9,
        multiplier_nano=10**9,
        tick=1,
        lot=1,
        venue=VENUE,
    )
    commands.open_account(ACCOUNT, 1, shorting=True)
    commands.deposit_cash(ACCOUNT, 10**18, 1)
    commands.submit_order(ACCOUNT, INSTRUMENT, 1, SELL, LIMIT, GTC, 2**20, price=1)
    assert node.submit(commands.slots()) == 5
    return before + 5


def poison(node: LiveNode) -> None:
    """A fill of more than 128 bits."""
    order_id = set_stage(node)
    fill = records("VenueOrderFilled", 1)
    fill["order_id"], fill["trade_id"], fill["price"], fill["quantity"] = order_id, 1, LARGEST, LARGEST
    fill["account"], fill["instrument"], fill["liquidity"] = ACCOUNT, INSTRUMENT, 1
    assert node.submit(as_slots(fill)) == 1


def wait_and_poison(node: LiveNode) -> None:
    if sys.stdin.readline():
        poison(node)


def main() -> int:
    exchange: Any = import_module("openbell.runtime.exchange")
    begin: Callable[..., Restarted] = exchange.restart

    def restarted(*arguments: Any, **options: Any) -> Restarted:
        found = begin(*arguments, **options)
        Thread(target=wait_and_poison, args=(found.node,), daemon=True).start()
        return found

    exchange.restart = restarted
    return run(["exchange", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
