"""The first difference between two histories: of their records, of the events they led to, of the state they ended in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from openbell.journal import Names, Record, Wording
from openbell.journal.record_fields import record_at, record_starts
from openbell.kernel import Holdings
from openbell.messages.layouts import SLOT_SIZE, Slots
from openbell.model.errors import InputError
from openbell.model.time import iso
from openbell.runtime.history import History
from openbell.runtime.moment_tables import MomentTables, Row, Watcher, moment_tables
from openbell.runtime.time_travel import replayed

if TYPE_CHECKING:
    from rich.console import RenderableType

NOTHING = "nothing: it ends before"
_KEYS = {
    "accounts": ("account",),
    "positions": ("account", "instrument"),
    "orders": ("order_id",),
    "books": ("instrument", "level"),
    "risk": ("account", "instrument", "rule"),
}


@dataclass(frozen=True)
class FirstDifference:
    """Where one stream of the two first differs: the sequence, its time (ISO 8601), and what each has there, in words."""

    sequence: int
    time: str
    first: str
    second: str


@dataclass(frozen=True)
class Difference:
    """How two histories compare. A part that is None is the same in both.

    `states` lists what differs between the two ends: table, which row, column, the first's value and the second's.
    """

    first: str
    second: str
    first_records: int
    second_records: int
    common_records: int
    records: FirstDifference | None
    events: FirstDifference | None
    states: tuple[tuple[str, str, str, str, str], ...]
    begin: int = 0
    """Compared is what follows this sequence: what came before was removed from one of the two."""

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return self.records is None and self.events is None and not self.states

    @property
    def summary(self) -> str:
        """One sentence that says how they compare."""
        since = (
            f" (compared behind sequence {self.begin:,}: what came before was removed)" if self.begin else ""
        )
        return self._compared + since

    @property
    def _compared(self) -> str:
        if self.is_same:
            return f"the same: {self.first_records:,} records, their events and the state at the end"
        shorter, longer = sorted((self.first_records, self.second_records))
        if self.common_records == shorter < longer:
            name = self.first if self.first_records == shorter else self.second
            return f"{name} is the beginning of the other: {shorter:,} of {longer:,} records, all the same"
        return f"the first {self.common_records:,} records are the same"

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {"same": self.is_same, "summary": self.summary, **asdict(self)}

    def __rich__(self) -> RenderableType:
        return _table(self)


def first_difference(first: History, second: History) -> Difference:
    """Compare two histories record by record, then their events, then the states they end in.

    Where the beginning of one was removed, both are compared from where both can be told. Raises InputError for histories of
    different instruments, JournalError for damage and other rules.
    """
    _require_same_instruments(first, second)
    begin = max(first.begin_sequence(), second.begin_sequence())
    records, common = _stream_difference(
        first.batches(after=begin), second.batches(after=begin), _names_of(first), _names_of(second)
    )
    ends = _Ended(first, begin), _Ended(second, begin)
    names = Wording(ends[0].names), Wording(ends[1].names)
    events, _ = _stream_difference(ends[0].events(), ends[1].events(), *names)
    for end in ends:
        end.finish()
    tables = [moment_tables(end.node, end.watcher, depth=10**6) for end in ends]
    return Difference(
        first=first.title,
        second=second.title,
        first_records=ends[0].node.sequence,
        second_records=ends[1].node.sequence,
        common_records=min(ends[0].node.sequence, ends[1].node.sequence) if records is None else common,
        records=records,
        events=events,
        states=tuple(_state_differences(*tables)),
        begin=begin,
    )


class _Ended:
    """A history being replayed for its events, then to its end."""

    def __init__(self, history: History, begin: int) -> None:
        self.node = history.begin(begin)
        self.names = Names.of(Holdings(self.node))
        self.watcher = Watcher()
        self._parts = replayed(self.node, history)

    def events(self) -> Iterator[Slots]:
        for slots, output in self._parts:
            self.names.learn(slots)
            self.watcher.watch(slots)
            yield output

    def finish(self) -> None:
        for _ in self.events():
            pass


def _names_of(history: History) -> Wording:
    return Wording(history.names())


def _require_same_instruments(first: History, second: History) -> None:
    told = [
        [one.symbol for _, one in sorted(history.names().instruments.items())] for history in (first, second)
    ]
    if told[0] != told[1]:
        raise InputError(
            f"the two are of different instruments: {', '.join(told[0]) or 'none'} in {first.title}, "
            f"{', '.join(told[1]) or 'none'} in {second.title}; there is nothing to compare record by record"
        )


def _stream_difference(
    first: Iterator[Slots], second: Iterator[Slots], first_words: Wording, second_words: Wording
) -> tuple[FirstDifference | None, int]:
    """The first difference of two streams of records or events, and the sequence up to which all is the same."""
    streams = _Stream(first), _Stream(second)
    while True:
        count = min(streams[0].fill(), streams[1].fill())
        if count == 0:
            break
        at = _first_unlike(streams[0].slots[:count], streams[1].slots[:count])
        if at is not None:
            return _told(streams, at // SLOT_SIZE, first_words, second_words)
        for stream in streams:
            stream.drop(count)
    if streams[0].slots.size == streams[1].slots.size:
        return None, streams[0].last
    return _told(streams, 0, first_words, second_words)


class _Stream:
    """Slots that wait to be compared, refilled from the batches."""

    def __init__(self, batches: Iterator[Slots]) -> None:
        self._batches = batches
        self.slots: Slots = np.zeros(0, np.uint8)
        self.last = 0
        """Sequence of the last record that was compared."""

    def fill(self) -> int:
        """Bytes at hand; 0 at the end."""
        while not self.slots.size:
            batch = next(self._batches, None)
            if batch is None:
                return 0
            self.slots = batch
        return int(self.slots.size)

    def drop(self, count: int) -> None:
        self.last = int(self.slots[:count].view("<u8").reshape(-1, 8)[-1, 0])
        self.slots = self.slots[count:]

    def record(self, slot: int) -> Record | None:
        """The record that the slot is part of."""
        if not self.slots.size:
            return None
        starts = record_starts(self.slots)
        at = int(np.searchsorted(starts, slot, side="right")) - 1
        return record_at(self.slots, int(starts[max(at, 0)]))


def _first_unlike(first: Slots, second: Slots) -> int | None:
    unlike = first != second
    return int(np.argmax(unlike)) if unlike.any() else None


def _told(
    streams: tuple[_Stream, _Stream], slot: int, first_words: Wording, second_words: Wording
) -> tuple[FirstDifference, int]:
    records = [stream.record(slot) for stream in streams]
    there = [record for record in records if record is not None]
    earliest = min(there, key=lambda record: record.sequence)
    texts = [
        NOTHING if record is None else f"{record.sequence} {iso(record.time)} {words.line(record)}"
        for record, words in zip(records, (first_words, second_words), strict=True)
    ]
    same = earliest.sequence - 1 if streams[0].slots.size and streams[1].slots.size else streams[0].last
    return FirstDifference(earliest.sequence, iso(earliest.time), texts[0], texts[1]), max(same, 0)


def _state_differences(first: MomentTables, second: MomentTables) -> Iterator[tuple[str, str, str, str, str]]:
    """Table, row, column and both values of everything that differs."""
    for (table, rows), (_, others) in zip(first.items(), second.items(), strict=True):
        ours, theirs = (_by_key(table, of) for of in (rows, others))
        for key in dict.fromkeys([*ours, *theirs]):
            mine, other = ours.get(key), theirs.get(key)
            if mine is None or other is None:
                there, absent = ("there", "absent") if other is None else ("absent", "there")
                yield table, key, "", there, absent
                continue
            for column, value in mine.items():
                if other[column] != value:
                    yield table, key, column, value, other[column]


def _by_key(table: str, rows: list[Row]) -> dict[str, Row]:
    return {" ".join(row[name] for name in _KEYS[table]): row for row in rows}


_MOST_STATES = 20


def _table(difference: Difference) -> RenderableType:
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = [
        Text(difference.summary, style="bold green" if difference.is_same else "bold yellow")
    ]
    for name, found in (("record", difference.records), ("event", difference.events)):
        if found is None:
            continue
        parts.append(Text(f"\nFirst {name} that differs: sequence {found.sequence}, {found.time}"))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row("1", found.first)
        grid.add_row("2", found.second)
        parts.append(grid)
    if difference.states:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for heading in ("State at the end", "Which", "What", "1", "2"):
            table.add_column(heading, overflow="fold")
        for row in difference.states[:_MOST_STATES]:
            table.add_row(*row)
        parts.append(table)
        if len(difference.states) > _MOST_STATES:
            parts.append(
                Text(f"and {len(difference.states) - _MOST_STATES} more; --json has all", style="dim")
            )
    if not difference.is_same:
        parts.append(Text(f"1 {difference.first}\n2 {difference.second}", style="dim"))
    return Group(*parts)
