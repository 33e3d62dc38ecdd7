"""What a gateway needs of a node that runs beside it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class NodePort(Protocol):
    """A node with its own threads: takes commands and never waits, gives out events whose cause is durable.

    Commands answer False when the ring to the engine is full (BUSY): nothing was done and nothing is lost, they can be given
    again. A command that the journal has no room for is answered by an event of sequence 0, which is in no journal.
    Everything raises EngineStopped or JournalError once the node has failed.
    """

    def submit_order(
        self,
        account: int,
        instrument: int,
        client_order_id: int,
        side: int,
        order_type: int,
        time_in_force: int,
        quantity: int,
        price: int,
        stop_price: int,
        options: int,
        expire_time: int,
    ) -> bool:
        """Ask for a new order, in units."""

    def replace_order(
        self, account: int, client_order_id: int, price: int, quantity: int, stop_price: int
    ) -> bool:
        """Ask for new terms, in units; 0 keeps the old."""

    def cancel_order(self, account: int, client_order_id: int) -> bool:
        """Ask to take an order back."""

    def cancel_all_orders(self, account: int, instrument: int) -> bool:
        """Ask to take back all orders of an account, in one instrument or in all (0)."""

    def take_outputs(self) -> NDArray[np.uint8]:
        """Move out the next events whose cause is durable, as slots; empty where there is none, until `fileno` tells again."""

    def fileno(self) -> int:
        """A descriptor that is readable while outputs wait."""
