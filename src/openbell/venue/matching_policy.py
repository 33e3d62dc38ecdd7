"""Matching policies written in Python, for books in backtests and research."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence


class MatchingPolicy(ABC):
    """How an incoming order is shared among the orders of one level, decided in Python: derive and write `allocate`.

    For `OrderBook(policy=...)`. It costs one call per level that trades; an exchange takes the kernel's own policies only, which
    its file names.
    """

    @abstractmethod
    def allocate(self, incoming: int, resting_quantities: Sequence[int]) -> Sequence[int]:
        """Return what each resting order gets, in lots, in the order given: first come first.

        No share may be negative or above its order's quantity, and their sum must be that of the smaller side: the incoming
        quantity, or all that rests. Anything else ends the command with ALLOCATION_MUST_BE_EXACT.
        """
