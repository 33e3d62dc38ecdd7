"""The engine driven inline, without threads or a journal: what a gateway does is looked at step by step."""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openbell.gateway.listing import Listing
from openbell.kernel import Node
from openbell.messages.layouts import select

USD, MATCHING = 1, 1
NANO = 10**9


class InlineNode:
    """A node that applies a command when it is asked for outputs.

    `taken` is what it answers at its door, `answers` are events it gives there; with `failure` it raises.
    """

    def __init__(self, listing: Listing, cash: Sequence[int]) -> None:
        self.node = Node()
        self.taken = True
        self.history: list[NDArray[np.uint8]] = []
        self.failure: Exception | None = None
        self.commands = 0
        self.wakes = 0
        self.answers: list[NDArray[np.uint8]] = []
        self.time = 1_700_000_000_000_000_000
        self._bell = os.eventfd(0, os.EFD_NONBLOCK)
        self.node.define_currency(USD, "USD")
        self.node.configure_venue(0, MATCHING)
        for number, one in listing.instruments.items():
            terms = one.instrument
            self.node.list_instrument(
                number,
                one.symbol,
                currency=USD,
                price_unit_nano=terms.price_unit_nano,
                quantity_unit_nano=terms.quantity_unit_nano,
                multiplier_nano=terms.multiplier_nano,
                tick=one.tick,
                lot=one.lot,
                venue=0,
            )
        for number, amount in enumerate(cash, start=1):
            self.node.open_account(number, USD, shorting=True)
            self.node.deposit_cash(number, amount * NANO, USD)

    def submit_order(self, *terms: Any, wake: bool = True, **more: Any) -> bool:
        if self._takes():
            self.node.submit_order(0, *terms, **more)
        return self.taken

    def wake(self) -> None:
        """It works when it is asked for outputs, so this is only counted."""
        self.wakes += 1

    def replace_order(self, account: int, client_order_id: int, **terms: Any) -> bool:
        if self._takes():
            self.node.replace_order(0, account, client_order_id, **terms)
        return self.taken

    def cancel_order(self, account: int, client_order_id: int) -> bool:
        if self._takes():
            self.node.cancel_order(0, account, client_order_id)
        return self.taken

    def submit(self, slots: NDArray[np.uint8]) -> int:
        if not self._takes():
            return 0
        for one in select(slots, "CancelAllOrders"):
            self.node.cancel_all_orders(0, int(one["account"]), int(one["instrument"]))
        for one in select(slots, "CancelOrder"):
            self.node.cancel_order(0, int(one["account"]), int(one["client_order_id"]))
        for one in select(slots, "MassCancel"):
            terms = (int(one[name]) for name in ("account", "instrument", "side", "session"))
            self.node.mass_cancel(0, *terms)
        return 1

    def _takes(self) -> bool:
        if self.failure is not None:
            raise self.failure
        if self.taken:
            self.commands += 1
            os.eventfd_write(self._bell, 1)
        return self.taken

    def take_outputs(self, limit: int = 65_536) -> NDArray[np.uint8]:
        with suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        self.time += 1_000
        self.node.advance_clock(self.time)
        self.node.run(None, None, [])
        answers, self.answers = self.answers, []
        output = self.node.take_output()
        self.history.append(output)
        return np.concatenate([*answers, output])

    def fileno(self) -> int:
        return self._bell

    def close(self) -> None:
        os.close(self._bell)
