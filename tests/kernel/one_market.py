"""An exchange with one instrument: what the twins of order types and of trading days are compared on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from openbell.kernel import Commands, Node
from openbell.messages.layouts import SELL as SOLD
from tests.kernel.recorded import Journal, Reader

INSTRUMENT = 1
BUY, SELL = 1, -1
NANO = 10**9
_MATCHING = 1
_CASH = 10**9 * NANO


class TwinOrder(Protocol):
    """What a twin knows of a live order."""

    @property
    def executed(self) -> int: ...
    @property
    def leaves(self) -> int: ...


class OneMarket:
    """One instrument of our own venue, and accounts that may sell short and have enough of everything."""

    def __init__(self, accounts: Sequence[int], *, negative_prices: bool = False) -> None:
        self.accounts = accounts
        commands = Commands()
        commands.define_currency(1, "USD")
        commands.configure_venue(0, _MATCHING)
        commands.list_instrument(
            INSTRUMENT,
            "ABC",
            currency=1,
            price_unit_nano=NANO,
            quantity_unit_nano=NANO,
            multiplier_nano=NANO,
            tick=1,
            lot=1,
            venue=0,
            negative_prices=negative_prices,
        )
        for account in accounts:
            commands.open_account(account, 1, shorting=True)
            commands.deposit_cash(account, _CASH, 1)
        journal = Journal()
        journal.append(commands.slots())
        self.sequence = journal.sequence
        """Of the last record of the set-up."""
        self._set_up = journal.take()

    def open(self) -> Node:
        """A node after the set-up."""
        node = Node(mode="replay")
        node.run(self._set_up, None, [])
        node.take_output()
        return node

    def replay(self, first: NDArray[np.uint8] | None, rest: NDArray[np.uint8]) -> tuple[Node, bytes]:
        """Play both on a node, the rest also on a copy that was restored after `first`; the node and all that it told."""
        node = self.open()
        if first is None:
            node.run(rest, None, [])
            return node, node.take_output().tobytes()
        node.run(first, None, [])
        output = node.take_output().tobytes()
        copy = Node.restore(node.snapshot(), mode="replay")
        assert copy.state_hash() == node.state_hash(), "a restored engine has the same hash"
        copy.run(rest, None, [])
        node.run(rest, None, [])
        later = node.take_output().tobytes()
        assert copy.take_output().tobytes() == later, "the restored copy's future"
        assert copy.state_hash() == node.state_hash(), "the restored copy's end"
        return node, output + later

    def check_accounts(
        self, node: Node, owners: Mapping[int, tuple[int, int]], live: Mapping[int, TwinOrder]
    ) -> None:
        """Nothing is made or lost, and every order's figures add up; `owners` has (account, client order id) by order id."""
        assert sum(node.cash(account) for account in self.accounts) == _CASH * len(self.accounts)
        assert sum(node.position(account, INSTRUMENT)[0] for account in self.accounts) == 0
        for order_id, (account, client_order_id) in owners.items():
            found = node.order(account, client_order_id)
            assert found is not None and found.is_open == (order_id in live), order_id
            if found.is_open:
                order = live[order_id]
                assert (found.cumulative_units, found.leaves_units) == (order.executed, order.leaves)


def levels_told(reader: Reader, output: bytes) -> dict[tuple[int, int], int]:
    """Side and price to quantity, as the level changes leave them."""
    levels: dict[tuple[int, int], int] = {}
    for name, flags, _, (price, quantity, _, _), _ in reader.read(output):
        if name == "BookLevelChanged":
            levels[SELL if flags & SOLD else BUY, price] = quantity
    return {place: quantity for place, quantity in levels.items() if quantity}
