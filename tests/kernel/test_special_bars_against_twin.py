"""Touched and trailing orders on bars, against a twin that follows docs/fills.md step by step.

OPENBELL_SEED and OPENBELL_SEQUENCES repeat and lengthen it; a failure prints the command.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from openbell.kernel import Node, SpecialTerms
from openbell.messages.layouts import select
from tests.kernel.engine_events import bar_slots, run
from tests.model.special_bars_twin import (
    AMOUNT,
    LIT,
    MIT,
    NANO,
    PERCENT,
    TRAILING,
    TRAILING_LIMIT,
    Bar,
    SpecialOrder,
)

SEED = int(os.environ.get("OPENBELL_SEED", random.SystemRandom().randrange(10**9)))
SEQUENCES = int(os.environ.get("OPENBELL_SEQUENCES", "10000")) // 20
SIMULATED, GTC, BUY, SELL = 2, 2, 1, 2
ACCOUNT = INSTRUMENT = 1
TOLD = {
    "OrderRepriced": ("price", "stop_price"),
    "OrderTriggered": ("price",),
    "OrderFilled": ("last_price",),
}
WORDS = {"OrderRepriced": "repriced", "OrderTriggered": "triggered", "OrderFilled": "filled"}


def floor(tick: int) -> Node:
    node = Node()
    node.define_currency(1, "USD")
    node.configure_venue(0, SIMULATED)
    node.list_instrument(
        INSTRUMENT,
        "ABC",
        currency=1,
        price_unit_nano=10**7,
        quantity_unit_nano=NANO,
        multiplier_nano=NANO,
        tick=tick,
        lot=1,
        venue=0,
    )
    node.open_account(ACCOUNT, 1, shorting=True)
    node.deposit_cash(ACCOUNT, 10**18, 1)
    return node


def bars(rng: random.Random, count: int) -> list[Bar]:
    """A walk with gaps; also bars that stand still or only touch."""
    price, made = 1_000, []
    for _ in range(count):
        opened = max(price + rng.choice((0, 0, 1, -1)) * rng.randint(0, 40), 50)
        closed = max(opened + rng.randint(-40, 40), 50)
        high, low = max(opened, closed) + rng.randint(0, 25), min(opened, closed) - rng.randint(0, 25)
        made.append((opened, high, low, closed))
        price = closed
    return made


def order(rng: random.Random, tick: int, last: int | None) -> SpecialOrder:
    """Near enough to the market for something to happen; also beyond it already."""
    side, kind = rng.choice((1, -1)), rng.choice((MIT, LIT, TRAILING, TRAILING, TRAILING_LIMIT))

    def near(price: int) -> int:
        return max((price + rng.randint(-60, 60)) // tick, 1) * tick

    made = SpecialOrder(side, kind, tick=tick, last=last)
    if made.trails:
        by = rng.choice((AMOUNT, PERCENT))
        trail = rng.randint(1, 60) * tick if by == AMOUNT else rng.randint(1, 60) * 10**6
        # Without any price the gate refuses what has none itself.
        stop = near((last or 1_000) + side * 40) if rng.random() < 0.3 or last is None else 0
        offset = rng.choice((0, 5, 30)) * tick if kind == TRAILING_LIMIT else 0
        return SpecialOrder(side, kind, tick, 0, stop, trail, by, offset, last)
    stop = near((last or 1_000) - side * 30)
    price = near(stop) if kind == LIT else 0
    return SpecialOrder(side, kind, tick, price, stop, last=last)


def send(node: Node, number: int, one: SpecialOrder) -> None:
    special = SpecialTerms(trail=one.trail, trail_by=one.by if one.trails else 0, limit_offset=one.offset)
    node.submit_order(
        0, ACCOUNT, INSTRUMENT, number, BUY if one.side > 0 else SELL, one.kind, GTC, 1,
        price=one.price if one.kind == LIT else 0, stop_price=one.stop, special=special,
    )  # fmt: skip


def told_of(node: Node) -> dict[int, list[tuple[object, ...]]]:
    """What was told of each order, in its order."""
    slots = node.take_output()
    rows = []
    for message, figures in TOLD.items():
        for event in select(slots, message):
            place = (int(event["sequence"]), int(event["source"]))
            said = (WORDS[message], *(int(event[name]) for name in figures))
            rows.append((place, int(event["client_order_id"]), said))
    found: dict[int, list[tuple[object, ...]]] = {}
    for _, number, said in sorted(rows):
        found.setdefault(number, []).append(said)
    return found


def play(rng: random.Random) -> list[SpecialOrder]:
    tick = rng.choice((1, 1, 5))
    node, series = floor(tick), bars(rng, rng.randint(2, 14))
    saved_at = rng.randrange(len(series))
    begins = rng.randint(0, 2)
    for bar in series[:begins]:
        run(node, bar_slots(node, ((INSTRUMENT, *bar),)))
    last = series[begins - 1][3] if begins else None
    orders = []
    for number in range(1, rng.randint(2, 6)):
        one = order(rng, tick, last)
        send(node, number, one)
        orders.append(one)
    run(node, None)
    slots = node.take_output()
    assert not len(select(slots, "OrderDenied"))
    told = {number: list(one.told) for number, one in enumerate(orders, start=1)}
    accepted = select(slots, "OrderRepriced")
    assert [int(row["client_order_id"]) for row in accepted] == [n for n, said in told.items() if said]
    for place, bar in enumerate(series[begins:], start=begins):
        run(node, bar_slots(node, ((INSTRUMENT, *bar),)))
        before = [len(one.told) for one in orders]
        for one in orders:
            one.play(bar)
        found = told_of(node)
        for number, one in enumerate(orders, start=1):
            new = one.told[before[number - 1] :]
            assert found.get(number, []) == new, f"bar {place} {bar}, order {number}: {one}"
        if place == saved_at:
            copy = Node.restore(node.snapshot())
            assert copy.state_hash() == node.state_hash()
            node = copy
    return orders


@pytest.mark.parametrize("chunk", range(4))
def test_touched_and_trailing_orders_on_bars_are_those_of_the_twin(chunk: int) -> None:
    seen: Counter[str] = Counter()
    for sequence in range(max(SEQUENCES // 4, 1)):
        seed = SEED + 4 * sequence + chunk
        try:
            for one in play(random.Random(seed)):
                seen.update(f"{one.kind} {words[0]}" for words in one.told)
        except AssertionError as error:
            error.add_note(
                f"to repeat: OPENBELL_SEED={seed} OPENBELL_SEQUENCES=20 python -m pytest {__file__}"
            )
            raise
    if SEQUENCES >= 400:
        wanted = [f"{kind} filled" for kind in (MIT, LIT, TRAILING, TRAILING_LIMIT)]
        wanted += [f"{TRAILING} repriced", f"{TRAILING_LIMIT} repriced", f"{LIT} triggered"]
        assert all(seen[word] for word in wanted), seen
