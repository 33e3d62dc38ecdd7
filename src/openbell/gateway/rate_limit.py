"""How many messages a connection may send."""

from __future__ import annotations


class RateLimit:
    """A bucket of `burst` messages that refills by `per_second`. Times are seconds of any clock that does not go back."""

    __slots__ = ("_burst", "_level", "_per_second", "_time")

    def __init__(self, per_second: float, burst: float, now: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._level = burst
        self._time = now

    def allows(self, now: float) -> bool:
        """Take one message, if there is room for it at `now`."""
        self._level = min(self._burst, self._level + (now - self._time) * self._per_second)
        self._time = now
        if self._level < 1.0:
            return False
        self._level -= 1.0
        return True
