"""A venue of our own in backtests: which rules it matches by."""

from __future__ import annotations

from dataclasses import dataclass

from openbell.model.errors import ConfigError
from openbell.venue.matching_policy import MatchingPolicy

_NUMBERS = {"PRICE_TIME": 1, "PRO_RATA": 2, "PRICE_SIZE_TIME": 3}
_ASKED = 4
"""Numbers of policies; see `policy_kind` in crates/kernel/src/command.rs."""


@dataclass(frozen=True, slots=True)
class Venue:
    """A venue of our own for `Backtest(venue=...)`: orders of the strategy trade with those of the data, by the rules of an
    exchange, each in its true place in the queue.

    policy   how an order is shared among those that rest at one price: "PRICE_TIME", "PRO_RATA", "PRICE_SIZE_TIME", or a
             `MatchingPolicy` of your own
    """

    policy: str | MatchingPolicy = "PRICE_TIME"

    def __post_init__(self) -> None:
        given = self.policy
        if isinstance(given, type) and issubclass(given, MatchingPolicy):
            raise ConfigError(f"policy is the class {given.__name__}; give an instance: {given.__name__}()")
        if not isinstance(given, MatchingPolicy) and given not in _NUMBERS:
            raise ConfigError(
                f"policy is {given!r}; it must be one of {', '.join(_NUMBERS)}, or a MatchingPolicy"
            )

    @property
    def policy_number(self) -> int:
        """The number of the policy in the engine."""
        return _ASKED if isinstance(self.policy, MatchingPolicy) else _NUMBERS[self.policy]

    @property
    def asked(self) -> MatchingPolicy | None:
        """The policy in Python that is asked; None where the engine's own decides."""
        return self.policy if isinstance(self.policy, MatchingPolicy) else None

    def describe(self) -> str:
        """One line for the report."""
        if isinstance(self.policy, MatchingPolicy):
            return self.policy.describe()
        return self.policy.lower().replace("_", "-")
