"""How a level is shared, as one would work it out on paper: fractions, lists, one step after the other."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

MILLION = 1_000_000


@dataclass(frozen=True)
class Terms:
    """The settings of an AllocationPolicy; shares in millionths."""

    pro_rata_minimum: int | None = None
    by_time: int = 0
    leveling: bool = False
    top: tuple[int, int, int] | None = None
    lead: tuple[tuple[int, int], ...] = ()


def share_level(
    terms: Terms, incoming: int, resting: list[tuple[int, int]], first_is_top: bool = False
) -> list[int]:
    """What each order of `resting`, (account, quantity) in time order, gives to `incoming`."""
    quantities = [quantity for _, quantity in resting]
    given = [0] * len(resting)

    def left() -> int:
        return incoming - sum(given)

    def give(index: int, wanted: int) -> None:
        given[index] += min(wanted, quantities[index] - given[index], left())

    def give_by_time(wanted: int) -> None:
        for index in range(len(resting)):
            before = sum(given)
            give(index, wanted)
            wanted -= sum(given) - before

    if incoming < sum(quantities):
        if terms.top is not None and first_is_top:
            minimum, maximum, share = terms.top
            if quantities[0] >= minimum:
                give(0, min(maximum, int(Fraction(incoming * share, MILLION))))
        base = left()
        for account, share in terms.lead:
            wanted = int(Fraction(base * share, MILLION))
            for index, (owner, _) in enumerate(resting):
                if owner == account:
                    before = sum(given)
                    give(index, wanted)
                    wanted -= sum(given) - before
        give_by_time(int(Fraction(left() * terms.by_time, MILLION)))
        if terms.pro_rata_minimum is not None:
            pool = left()
            open_quantities = [quantity - got for quantity, got in zip(quantities, given, strict=True)]
            for index, quantity in enumerate(open_quantities):
                share = int(Fraction(quantity * pool, sum(open_quantities)))
                if share >= terms.pro_rata_minimum:
                    give(index, share)
            if terms.leveling:
                for index, quantity in enumerate(open_quantities):
                    if Fraction(quantity * pool, sum(open_quantities)) < 1:
                        give(index, 1)
    give_by_time(left())
    return given
