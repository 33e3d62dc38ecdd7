"""A venue that serves everybody at a price alike: the policy is asked for each level, its answer is kept in the journal."""

from collections.abc import Sequence

from openbell import MatchingPolicy


class EvenSplit(MatchingPolicy):
    """Equal shares for all orders of the level, none more than it wants; what is left over goes to those who came first."""

    def allocate(self, incoming: int, resting_quantities: Sequence[int]) -> list[int]:
        """The share of each order, in units of quantity."""
        shares = [0] * len(resting_quantities)
        left = min(incoming, sum(resting_quantities))
        while left:
            hungry = [n for n, wanted in enumerate(resting_quantities) if shares[n] < wanted]
            part = max(left // len(hungry), 1)
            for n in hungry:
                given = min(part, resting_quantities[n] - shares[n], left)
                shares[n] += given
                left -= given
        return shares
