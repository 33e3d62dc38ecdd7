"""A backtest at a venue of our own: how it is set up, and what of its events is the strategy's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openbell.kernel import Node
from openbell.market_data.read_orders import MARKET_ACCOUNT
from openbell.messages.layouts import HEAD_DTYPE, SLOT_SIZE, Slots, message_numbers, select
from openbell.venue.venue import Venue

MATCHING = 1
"""Number of the kind; see crates/kernel/src/terms.rs."""


def set_up_venue(node: Node, number: int, currency: int) -> None:
    """Configure it, with an account for those whose orders the data holds: it may go short and has no limits."""
    node.configure_venue(number, MATCHING)
    node.open_account(MARKET_ACCOUNT, currency, shorting=True)


def set_up_market(node: Node, venue: Venue, instrument: int, reference_price: int | None) -> None:
    """Have a listed instrument match by the policy of `venue` (price-time is what it does anyway), valued at `reference_price`
    until something trades: an order without a price is denied where nothing is known.
    """
    if reference_price is not None:
        node.set_reference_price(instrument, reference_price)
    if venue.policy_number != 1:
        node.set_matching_policy(instrument, venue.policy_number, minimum=int(venue.policy == "PRO_RATA"))


class MarketOrders:
    """Takes the orders of the market out of the events, and counts those of them that the venue did not take."""

    def __init__(self) -> None:
        self.refused = 0

    def without(self, output: Slots) -> Slots:
        """The events about the strategy's account and about nobody's; changes of levels are left out."""
        heads = output.view(HEAD_DTYPE)
        for event in ("OrderDenied", "OrderRejected"):
            self.refused += int(np.count_nonzero(select(output, event)["account"] == MARKET_ACCOUNT))
        is_first = heads["message"] != message_numbers()["Continuation"]
        is_ours = is_first & (heads["account"] != MARKET_ACCOUNT)
        is_ours &= heads["message"] != message_numbers()["BookLevelChanged"]
        of_event = np.cumsum(is_first) - 1
        kept: NDArray[np.bool_] = is_ours[is_first][of_event] if len(of_event) else is_first
        return output.reshape(-1, SLOT_SIZE)[kept].reshape(-1)

    def notes(self) -> tuple[str, ...]:
        """What a reader of the run must know of them."""
        if not self.refused:
            return ()
        return (f"{self.refused:,} orders of the market's history were refused by the venue",)
