"""A LOBSTER day played through our book, each row compared with what the exchange showed.

    python -m tests.oracles.lobster_day

Submissions, decreases and deletions are the orders they tell of; a visible execution becomes the order that caused
it: immediate or cancel, from the other side, at the maker's price. Nobody tells our book whom to trade with, so the
maker that the file names is the test of price-time priority. Hidden executions change no visible level.

Ten levels are all the files know. A level that comes back from beyond the tenth may have changed unseen; where our
memory of it differs from the row, or lacks an order that a later message names, it is counted and written anew from
the file: the orders named while it stays in view, oldest first (ids rise with time), then one for the rest.
"""

from __future__ import annotations

import os
import sys
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openbell.kernel.order_book import BookTrade, CommandKind, OrderBook
from openbell.model.terms import Side, TimeInForce
from tests.oracles.lobster import BUY, LEVELS, SELL, Day, Kind, Message, read_day

ARCHIVE = "lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip"
TABLE = (
    "rows",
    *(kind.name for kind in Kind),
    "aggressors",
    "aggressors with more than one fill",
    "fills as the exchange's",
    "fills out of turn",
    "sides equal",
    "sides that differ by levels from beyond the tenth",
    "levels from beyond the tenth",
    "levels from beyond the tenth as we remembered them",
    "levels that left unseen",
    "unexplained",
)
NAMES = {BUY: Side.BUY, SELL: Side.SELL}
AGGRESSOR_IDS = 1 << 61
NAMELESS_IDS = 1 << 62

Fill = tuple[int, int, int]
"""Maker, price, quantity."""


@dataclass
class Entry:
    """A level in the row in which it comes into view: what its orders must be for the messages to come."""

    row: int
    side: int
    price: int
    quantity: int
    named: dict[int, int]
    """Least quantity of each order that a message will name."""
    whole: set[int]
    """Those of them that will be deleted: the quantity is exact."""


Entries = dict[int, list[Entry]]
"""By row."""


def entries_of(day: Day) -> Entries:
    """Levels that come into view otherwise than by a submission, by row; -1 is the book before the first message."""
    sides = {side: [day.levels(row, side) for row in range(len(day.messages))] for side in (BUY, SELL)}
    touching: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for row, message in enumerate(day.messages):
        touching[message.side, message.price].append(row)
    found: defaultdict[int, list[Entry]] = defaultdict(list)
    first = day.messages[0]
    for side, rows in sides.items():
        for price, quantity in rows[0].items():
            touched = first.kind != Kind.EXECUTED_HIDDEN and (first.side, first.price) == (side, price)
            undone = quantity + first.quantity * touched
            found[-1].append(entry_at(day.messages, rows, touching[side, price], -1, (side, price, undone)))
        for row in range(1, len(rows)):
            message = day.messages[row]
            for price in rows[row].keys() - rows[row - 1].keys():
                submitted = message.kind == Kind.SUBMITTED and (message.side, message.price) == (side, price)
                if not submitted:
                    level = (side, price, rows[row][price])
                    found[row].append(entry_at(day.messages, rows, touching[side, price], row, level))
    return dict(found)


def entry_at(
    messages: list[Message],
    rows: list[dict[int, int]],
    touching: list[int],
    row: int,
    level: tuple[int, int, int],
) -> Entry:
    """What the messages say of a level from `row` until it leaves the view."""
    side, price, quantity = level
    entry = Entry(row, side, price, quantity, {}, set())
    born = set()
    for at in touching[bisect_right(touching, row) :]:
        message = messages[at]
        if any(price not in rows[seen] for seen in range(row + 1, at)):
            break
        row = at - 1
        if message.kind == Kind.SUBMITTED:
            born.add(message.order_id)
        elif message.kind != Kind.EXECUTED_HIDDEN and message.order_id not in born:
            entry.named[message.order_id] = entry.named.get(message.order_id, 0) + message.quantity
            if message.kind == Kind.DELETED:
                entry.whole.add(message.order_id)
    return entry


@dataclass
class Outcome:
    """What came of a day. Rows are numbered from 0."""

    counts: Counter[str] = field(default_factory=Counter)
    out_of_turn: list[tuple[int, list[Fill], list[Fill]]] = field(default_factory=list)
    """Row, the exchange's fills, ours: the same price and quantity, another maker."""
    unexplained: list[str] = field(default_factory=list)
    commands: list[tuple[Any, ...]] = field(default_factory=list)
    """All that was asked of the book: kind, side, order type, time in force, id, price, quantity."""
    fills: list[Fill] = field(default_factory=list)
    book: OrderBook = field(default_factory=OrderBook)


class Play:
    """Plays a day. With `whole_sweeps` one aggressor is what one instant executed on one side."""

    def __init__(self, day: Day, entries: Entries, *, whole_sweeps: bool = False, policy: Any = None) -> None:
        self.day = day
        self.entries = entries
        self.whole_sweeps = whole_sweeps
        self.outcome = Outcome(book=OrderBook(policy=policy))
        self.counts = self.outcome.counts
        self.book = self.outcome.book
        self.nameless = NAMELESS_IDS

    def run(self) -> Outcome:
        """All rows."""
        for entry in self.entries[-1]:
            self.write_level(entry)
        row = 0
        while row < len(self.day.messages):
            last = self.last_of_sweep(row)
            self.apply(row, last)
            for side in (BUY, SELL):
                self.compare(row, last, side)
            self.counts["rows"] += last + 1 - row
            row = last + 1
        return self.outcome

    def last_of_sweep(self, row: int) -> int:
        messages = self.day.messages
        first, last = messages[row], row
        if not self.whole_sweeps or first.kind != Kind.EXECUTED:
            return last
        while last + 1 < len(messages):
            after = messages[last + 1]
            if (after.time, after.side) != (first.time, first.side) or after.kind < Kind.EXECUTED:
                break
            last += 1
        return last

    def apply(self, row: int, last: int) -> None:
        message = self.day.messages[row]
        self.counts[Kind(message.kind).name] += 1
        if message.kind == Kind.SUBMITTED:
            if self.submit(message.side, message.price, message.quantity, message.order_id):
                self.unexplained(row, "a submission traded")
        elif message.kind == Kind.EXECUTED:
            executed = [m for m in self.day.messages[row : last + 1] if m.kind == Kind.EXECUTED]
            self.counts["EXECUTED"] += len(executed) - 1
            self.counts["EXECUTED_HIDDEN"] += last + 1 - row - len(executed)
            self.execute(row, executed)
        elif message.kind in (Kind.DECREASED, Kind.DELETED):
            self.withdraw(row, message)

    def withdraw(self, row: int, message: Message) -> None:
        order = self.book.order(message.order_id)
        if order is None:
            self.unexplained(row, f"order {message.order_id} does not rest")
            return
        left = int(order.leaves_quantity) - message.quantity
        if (left == 0) != (message.kind == Kind.DELETED):
            self.unexplained(row, f"order {message.order_id} has {order.leaves_quantity}")
        self.decrease(message.order_id, left)

    def execute(self, row: int, executed: list[Message]) -> None:
        side = executed[0].side
        reach = (min if side == BUY else max)(message.price for message in executed)
        theirs = [(message.order_id, message.price, message.quantity) for message in executed]
        quantity = sum(message.quantity for message in executed)
        ours = self.submit(-side, reach, quantity, AGGRESSOR_IDS + row, TimeInForce.IOC)
        self.counts["aggressors"] += 1
        self.counts["aggressors with more than one fill"] += len(ours) > 1
        if ours == theirs:
            self.counts["fills as the exchange's"] += len(ours)
        elif totals_by_price(ours) == totals_by_price(theirs):
            self.counts["fills as the exchange's"] += len(set(ours) & set(theirs))
            self.counts["fills out of turn"] += len(set(theirs) - set(ours))
            self.outcome.out_of_turn.append((row, theirs, ours))
            self.follow(side, theirs, ours)
        else:
            self.unexplained(row, f"fills {ours}, the exchange's {theirs}")

    def follow(self, side: int, theirs: list[Fill], ours: list[Fill]) -> None:
        """Undoes our fills and does the exchange's, so that the rows after can be compared."""
        for maker, price, quantity in ours:
            order = self.book.order(maker)
            left = quantity + (int(order.leaves_quantity) if order else 0)
            self.decrease(maker, 0)
            self.submit(side, price, left, maker)
        for maker, _, quantity in theirs:
            order = self.book.order(maker)
            if order is not None:
                self.decrease(maker, int(order.leaves_quantity) - quantity)

    def compare(self, row: int, last: int, side: int) -> None:
        """Our levels against the row's; then whatever came from beyond the tenth is put right."""
        theirs = self.day.levels(last, side)
        came = {
            entry.price: entry
            for at in range(row, last + 1)
            for entry in self.entries.get(at, ())
            if entry.side == side
        }
        differing = self.differing(side, theirs)
        unseen = {price for price in differing if self.was_unseen(row, side, price)}
        if differing - unseen:
            levels = sorted(differing - unseen)
            self.unexplained(last, f"{NAMES[side].name} levels {levels}, the exchange's {theirs}")
        self.counts[
            "sides equal" if not differing else "sides that differ by levels from beyond the tenth"
        ] += 1
        for price in unseen - came.keys():
            self.counts["levels that left unseen"] += 1
            self.clear_level(side, price)
        for entry in came.values():
            if entry.price in theirs and not self.remembered(entry, entry.price in differing):
                self.clear_level(side, entry.price)
                self.write_level(entry)

    def differing(self, side: int, theirs: dict[int, int]) -> set[int]:
        """Prices, as good as the exchange's last level or better, at which we show another quantity."""
        ours = self.shown(side, LEVELS)
        if ours == theirs:
            return set()
        ours = self.shown(side, len(self.book) + 1)
        worst = min(price * side for price in theirs) if len(theirs) == LEVELS else None
        prices = {price for price in ours if worst is None or price * side >= worst} | theirs.keys()
        return {price for price in prices if ours.get(price, 0) != theirs.get(price, 0)}

    def shown(self, side: int, levels: int) -> dict[int, int]:
        depth = self.book.depth(levels)[0 if side == BUY else 1]
        return {int(level.price): int(level.quantity) for level in depth}

    def was_unseen(self, row: int, side: int, price: int) -> bool:
        """A level that was out of view before `row` and that the message did not make."""
        message = self.day.messages[row]
        made = message.kind == Kind.SUBMITTED and (message.side, message.price) == (side, price)
        return row > 0 and not made and price not in self.day.levels(row - 1, side)

    def remembered(self, entry: Entry, differs: bool) -> bool:
        """Whether our book still holds the level as the messages to come need it."""
        self.counts["levels from beyond the tenth"] += 1
        if differs:
            return False
        for order_id, quantity in entry.named.items():
            order = self.book.order(order_id)
            left = 0 if order is None else int(order.leaves_quantity)
            if left < quantity or (order_id in entry.whole and left > quantity):
                return False
        self.counts["levels from beyond the tenth as we remembered them"] += 1
        return True

    def write_level(self, entry: Entry) -> None:
        for order_id in sorted(entry.named):
            self.submit(entry.side, entry.price, entry.named[order_id], order_id)
        rest = entry.quantity - sum(entry.named.values())
        if rest < 0:
            self.unexplained(entry.row, f"messages take {-rest} more from {entry.price} than it shows")
        if rest > 0:
            self.nameless += 1
            self.submit(entry.side, entry.price, rest, self.nameless)

    def clear_level(self, side: int, price: int) -> None:
        for order in self.book.orders(NAMES[side]):
            if order.price == price:
                self.decrease(order.order_id, 0)

    def submit(
        self, side: int, price: int, quantity: int, order_id: int, term: TimeInForce = TimeInForce.GTC
    ) -> list[Fill]:
        name = NAMES[side]
        self.outcome.commands.append((CommandKind.SUBMIT, name, 2, term, 0, 0, order_id, price, quantity))
        reports = self.book.submit(name, price, quantity, order_id, time_in_force=term)
        fills = [
            (report.maker_order_id, int(report.price), int(report.quantity))
            for report in reports
            if isinstance(report, BookTrade)
        ]
        self.outcome.fills.extend(fills)
        return fills

    def decrease(self, order_id: int, left: int) -> None:
        order = self.book.order(order_id)
        if left > 0 and order is not None:
            price = int(order.price)
            self.outcome.commands.append((CommandKind.REPLACE, 0, 0, 0, 0, 0, order_id, price, left))
            self.book.replace(order_id, quantity=left)
        elif order is not None:
            self.outcome.commands.append((CommandKind.CANCEL, 0, 0, 0, 0, 0, order_id, 0, 0))
            self.book.cancel(order_id)

    def unexplained(self, row: int, what: str) -> None:
        self.counts["unexplained"] += 1
        self.outcome.unexplained.append(f"row {row}: {what}; message {tuple(self.day.messages[row])}")


def totals_by_price(fills: list[Fill]) -> Counter[int]:
    """Quantity traded at each price."""
    totals: Counter[int] = Counter()
    for _, price, quantity in fills:
        totals[price] += quantity
    return totals


def main() -> int:
    """Prints the table of both ways of playing the day."""
    folder = Path(os.environ.get("OPENBELL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    if not (folder / ARCHIVE).is_file():
        print(f"{folder / ARCHIVE} does not exist; set OPENBELL_DATA to the folder of real data sets")
        return 1
    day = read_day(folder / ARCHIVE)
    entries = entries_of(day)
    plays = [Play(day, entries, whole_sweeps=sweeps).run() for sweeps in (False, True)]
    print(f"{'LOBSTER, GOOG, 2012-06-21':<55}{'row by row':>12}{'by sweep':>12}")
    for name in TABLE:
        print(f"{name.lower():<55}{plays[0].counts[name]:>12,}{plays[1].counts[name]:>12,}")
    for row, theirs, ours in plays[0].out_of_turn:
        print(f"row {row}: the exchange filled {theirs}, ours {ours}")
    for line in plays[0].unexplained + plays[1].unexplained:
        print(line)
    return 1 if any(play.unexplained for play in plays) else 0


if __name__ == "__main__":
    sys.exit(main())
