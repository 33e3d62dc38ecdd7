"""What a gateway needs of a node that runs beside it. `openbell.kernel.live_node.LiveNode` is one."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from openbell.kernel import SpecialTerms


class NodePort(Protocol):
    """A node with its own threads: takes commands and never waits, gives out events whose cause is durable.

    Commands answer False when the ring to the engine is full (BUSY): nothing was done and nothing is lost, they can be given
    again. A command that the journal has no room for is answered by an event of sequence 0, which is in no journal.
    Everything raises EngineStopped or JournalError once the node has failed. Amounts are in units.
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
        *,
        price: int = 0,
        stop_price: int = 0,
        options: int = 0,
        expire_time: int = 0,
        special: SpecialTerms | None = None,
        session: int = 0,
        wake: bool = True,
    ) -> bool:
        """Ask for a new order; without `wake` a node that rests is not woken for it before `wake` is called."""

    def wake(self) -> None:
        """Wake a node that rests, for orders that came without waking it."""

    def replace_order(
        self,
        account: int,
        client_order_id: int,
        *,
        price: int = 0,
        quantity: int = 0,
        stop_price: int = 0,
        special: SpecialTerms | None = None,
    ) -> bool:
        """Ask for new terms; 0 keeps the old."""

    def cancel_order(self, account: int, client_order_id: int) -> bool:
        """Ask to take an order back."""

    def submit(self, slots: NDArray[np.uint8]) -> int:
        """Ask for what whole records say; returns how many of them were taken."""

    def take_outputs(self, limit: int = 65_536) -> NDArray[np.uint8]:
        """Move out the next events whose cause is durable, as slots; empty where there is none, until `fileno` tells again."""

    def fileno(self) -> int:
        """A descriptor that is readable while outputs wait."""
