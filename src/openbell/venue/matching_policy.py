"""Matching policies written in Python, for books and backtests."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from openbell.model.errors import StrategyError


class MatchingPolicy(ABC):
    """How an incoming order is shared among the orders of one level, decided in Python: derive and write `allocate`.

    For `OrderBook(policy=...)` and `Backtest(venue=Venue(policy=...))`. The answers of a backtest are written to its journal
    before they are used, so it replays without this code; a rerun asks again and compares. It costs a call, a record and a copy
    of the venue's state for each level that leaves something to decide. An exchange, paper and live trading take the kernel's
    own policies only.
    """

    @abstractmethod
    def allocate(self, incoming: int, resting_quantities: Sequence[int]) -> Sequence[int]:
        """Return what each resting order gets, in units of quantity (lots in an `OrderBook`), in the order given: first come
        first. Icebergs take part with what they show.

        No share may be negative or above its order's quantity, and their sum must be that of the smaller side: the incoming
        quantity, or all that rests. Anything else ends an OrderBook's command with ALLOCATION_MUST_BE_EXACT, and a backtest
        with StrategyError. A backtest asks only where there is something to decide: two orders or more, and less that comes in
        than rests.
        """

    def describe(self) -> str:
        """One line for the report."""
        return type(self).__name__


def asked_shares(policy: MatchingPolicy) -> Callable[[int, list[int]], list[int]]:
    """What the engine asks. It raises StrategyError for anything but shares that add up, naming the policy and what is wrong."""
    name = f"{type(policy).__name__}.allocate"

    def answer(incoming: int, resting: list[int]) -> list[int]:
        # A copy: what the policy does to its list must not change what it is checked against.
        given = policy.allocate(incoming, list(resting))
        wrong, shares = _looked_at(given, resting, min(incoming, sum(resting)))
        if wrong:
            raise StrategyError(f"{name} returned {given!r} for {incoming} that meet {resting}: {wrong}")
        return shares

    return answer


def _looked_at(given: object, resting: Sequence[int], wanted: int) -> tuple[str, list[int]]:
    """What is wrong with an answer, "" for nothing; and its shares."""
    try:
        shares = [operator.index(share) for share in given]  # type: ignore[attr-defined]
    except TypeError:
        return "it must be whole numbers, one for each order that rests", []
    if len(shares) != len(resting):
        return f"it has {len(shares)} shares for {len(resting)} orders", []
    for number, (share, has) in enumerate(zip(shares, resting, strict=True), start=1):
        if not 0 <= share <= has:
            return f"order {number} of {has} cannot get {share}", []
    if sum(shares) != wanted:
        return f"the shares come to {sum(shares)}, not {wanted}", []
    return "", shares
