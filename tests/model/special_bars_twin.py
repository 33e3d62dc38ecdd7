"""Touched and trailing orders on bars, as docs/fills.md tells it: one order by itself, without slippage or shares of volume."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

MIT, LIT, TRAILING, TRAILING_LIMIT = 5, 6, 7, 8
AMOUNT, PERCENT = 1, 2
NANO = 10**9

Bar = tuple[int, int, int, int]
"""Open, high, low, close."""


@dataclass
class SpecialOrder:
    """An order that arrived before the first of its bars. `side` is +1 for a buy; `last` the close before it arrived."""

    side: int
    kind: int
    tick: int = 1
    price: int = 0
    stop: int = 0
    trail: int = 0
    by: int = AMOUNT
    offset: int = 0
    last: int | None = None

    def __post_init__(self) -> None:
        self.followed = self.last
        self.is_triggered = self.is_done = False
        self.told: list[tuple[object, ...]] = []
        if self.kind == TRAILING_LIMIT and self.stop:
            self.move(self.stop)
            self.tell("repriced", self.price, self.stop)

    @property
    def trails(self) -> bool:
        return self.kind in (TRAILING, TRAILING_LIMIT)

    @property
    def has_limit(self) -> bool:
        return self.kind in (LIT, TRAILING_LIMIT)

    def behind(self, price: int) -> int:
        """The stop that belongs to a followed price, rounded away from the market."""
        exact = price + self.side * (Fraction(price * self.trail, NANO) if self.by == PERCENT else self.trail)
        whole = ceil(exact / self.tick) if self.side > 0 else floor(exact / self.tick)
        return max(whole, 1) * self.tick

    def move(self, stop: int) -> None:
        self.stop = stop
        if self.kind == TRAILING_LIMIT:
            self.price = stop + self.side * self.offset

    def follow(self, price: int) -> None:
        """A price that went further our way than any before takes the stop along, if that is not a step back."""
        if self.followed is not None and (price - self.followed) * self.side >= 0:
            return
        self.followed = price
        level = self.behind(price)
        if not self.stop or (level - self.stop) * self.side < 0:
            self.move(level)

    def wakes(self, price: int) -> bool:
        if not self.stop:
            return False
        waits_for_better = self.kind in (MIT, LIT)
        return (price - self.stop) * self.side * (-1 if waits_for_better else 1) >= 0

    def tell(self, *words: object) -> None:
        self.told.append(words)

    def trigger(self, price: int) -> None:
        self.is_triggered = True
        self.tell("triggered", price)

    def fill(self, price: int) -> None:
        self.is_done = True
        self.tell("filled", price)

    def play(self, bar: Bar) -> None:
        """What the bar does to the order."""
        if self.is_done:
            return
        opened, high, low, _ = bar
        best, worst = (low, high) if self.side > 0 else (high, low)
        self.at_the_open(opened)
        if self.is_done or self.is_triggered:
            if not self.is_done and (self.price - best) * self.side > 0:
                self.fill(self.price)
            return
        if self.trails:
            self.inside_trailing(opened, best, worst)
        elif self.wakes(best):
            self.touched(self.stop)

    def at_the_open(self, opened: int) -> None:
        if not self.is_triggered:
            if self.trails and not self.stop and self.followed is not None:
                self.move(self.behind(self.followed))
                self.tell("repriced", self.price, self.stop)
            if not self.wakes(opened):
                return
            self.trigger(opened)
        if not self.has_limit or (self.price - opened) * self.side > 0:
            self.fill(opened)

    def inside_trailing(self, opened: int, best: int, worst: int) -> None:
        before = self.stop
        self.follow(opened)
        reference = opened
        if not self.wakes(worst):
            self.follow(best)
            reference = self.stop
        if self.stop != before:
            self.tell("repriced", self.price, self.stop)
        if self.wakes(worst):
            self.touched(max(self.stop, reference) if self.side > 0 else min(self.stop, reference))

    def touched(self, price: int) -> None:
        self.trigger(price)
        if not self.has_limit or (self.price - price) * self.side >= 0:
            self.fill(price)
