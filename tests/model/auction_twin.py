"""An auction's price by trying every candidate, as docs/venue.md lists the rules."""

from __future__ import annotations

from typing import NamedTuple

Wish = tuple[int | None, int]
"""Limit price (None for a market order) and quantity."""


class Indicated(NamedTuple):
    """What an auction comes to; imbalance is + of buyers, - of sellers."""

    price: int
    volume: int
    imbalance: int


NOTHING = Indicated(0, 0, 0)


def at(buys: list[Wish], sells: list[Wish], price: int) -> Indicated:
    """What trades at one price."""
    wanted = sum(quantity for limit, quantity in buys if limit is None or limit >= price)
    offered = sum(quantity for limit, quantity in sells if limit is None or limit <= price)
    return Indicated(price, min(wanted, offered), wanted - offered)


def auction_price(buys: list[Wish], sells: list[Wish], reference: int) -> Indicated:
    """Largest volume, smallest imbalance, market pressure, nearest to the reference price (0: there is none)."""
    if not buys or not sells or highest(buys) < lowest(sells):
        return NOTHING
    candidates = sorted(
        {limit for limit, _ in buys if limit is not None and limit >= lowest(sells)}
        | {limit for limit, _ in sells if limit is not None and limit <= highest(buys)}
    )
    if not candidates:
        # Market orders meet: they have no price of their own.
        return at(buys, sells, reference) if reference else NOTHING
    results = [at(buys, sells, price) for price in candidates]
    most = max(result.volume for result in results)
    results = [result for result in results if result.volume == most]
    least = min(abs(result.imbalance) for result in results)
    results = [result for result in results if abs(result.imbalance) == least]
    if all(result.imbalance > 0 for result in results):
        return results[-1]
    if all(result.imbalance < 0 for result in results):
        return results[0]
    low = max((result.price for result in results if result.imbalance > 0), default=results[0].price)
    high = min((result.price for result in results if result.imbalance < 0), default=results[-1].price)
    return at(buys, sells, min(max(reference, low), high) if reference else low)


def highest(buys: list[Wish]) -> float:
    """Who wants most; a market order wants at any price."""
    return max(float("inf") if limit is None else limit for limit, _ in buys)


def lowest(sells: list[Wish]) -> float:
    """Who asks least."""
    return min(float("-inf") if limit is None else limit for limit, _ in sells)


def most_that_can_trade(buys: list[Wish], sells: list[Wish]) -> int:
    """The largest volume of any price at all, one by one."""
    limits = [limit for limit, _ in buys + sells if limit is not None] or [0]
    return max(at(buys, sells, price).volume for price in range(min(limits) - 1, max(limits) + 2))
