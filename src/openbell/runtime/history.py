"""The journal somebody named: in a run folder, in the directory of an exchange, or on its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from openbell.journal import JournalSource, Names, Record
from openbell.journal.record_fields import (
    after_sequence,
    first_sequence,
    heads_of,
    last_sequence,
    record_at,
    up_to_sequence,
)
from openbell.kernel import Holdings, JournalReader, JournalReport, Node, skipped_records, snapshots_in
from openbell.messages.layouts import Slots, message_numbers
from openbell.model.errors import InputError, JournalError
from openbell.runtime.run_files import read_table
from openbell.runtime.run_names import find_run
from openbell.runtime.stored_run import recorded_slots

Kind = Literal["run", "exchange", "journal"]
SNAPSHOTS = "snapshots"
"""Name of the folder of snapshots in the journal's directory."""
JOURNAL = "journal"
"""Name of the journal's directory in a run folder and in that of an exchange."""


@dataclass(frozen=True, eq=False)
class ToldBatch:
    """Records, and the hashes (after which sequence, hash) that the journal has for the latest of them."""

    slots: Slots
    output_hash: tuple[int, int] | None
    state_hash: tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class History:
    """Where a journal is, and what its records by reference stand for.

    `folder` is what was named, `journal` the directory of the segments, `data` what takes the place of inputs that moved.
    """

    folder: Path
    journal: Path
    kind: Kind
    data: Any = None

    @property
    def title(self) -> str:
        """What to call it: the name of its folder."""
        return self.folder.resolve().name

    @property
    def snapshots(self) -> Path:
        """Where the snapshots of this journal are, if there are any."""
        return self.journal / SNAPSHOTS

    def configuration(self) -> int:
        """What the newest whole snapshot says its node must agree with; 0 where there is none."""
        whole = [head for head in snapshots_in(self.snapshots) if head[-1] is None]
        return whole[-1][3] if whole else 0

    def report(self) -> JournalReport:
        """What the head of the journal says. Raises JournalError where it has none."""
        return JournalReader(self.journal).report

    def batches(self, last: int | None = None, *, after: int = 0) -> Iterator[Slots]:
        """The records of `told_batches`."""
        for batch in self.told_batches(last, after=after):
            yield batch.slots

    def told_batches(self, last: int | None = None, *, after: int = 0) -> Iterator[ToldBatch]:
        """All records in order, those that stand by reference in their places, behind `after` up to and including `last`.

        Raises JournalError for damage and for other rules than this program's, InputError where data that is referred to
        is missing or was changed.
        """
        source = JournalSource(self.journal, lambda _: self._referenced())
        for batch in source:
            if last_sequence(batch) <= after:
                continue
            slots = after_sequence(batch, after) if after else batch
            if last is not None and last_sequence(slots) >= last:
                slots = up_to_sequence(slots, last)
            yield ToldBatch(slots, source.report.output_hash, source.report.state_hash)
            if last is not None and last_sequence(slots) >= last:
                return

    def begin_sequence(self) -> int:
        """The sequence behind which all can be told: 0, or that of the oldest whole snapshot where the beginning is gone.

        Raises JournalError where there is no such snapshot.
        """
        first = self.report().first_sequence
        if first == 1:
            return 0
        for sequence, *_, problem in snapshots_in(self.snapshots):
            if problem is None and sequence + 1 >= first:
                return sequence
        raise JournalError(
            f"{self.journal}: the records before sequence {first} were removed or are in an earlier epoch, and there is no whole "
            f"snapshot at or after sequence {first - 1} to begin from"
        )

    def begin(self, sequence: int | None = None) -> Node:
        """A node in mode "replay" after the record `sequence`, or after `begin_sequence`, that knows what is to be passed over.

        Raises JournalError where the beginning is gone and no whole snapshot takes its place.
        """
        after = self.begin_sequence() if sequence is None else sequence
        node = Node(mode="replay") if after == 0 else self.node_at(after)
        node.pass_over(skipped_records(self.journal))
        return node

    def node_at(self, sequence: int) -> Node:
        """A node in mode "replay" after the record `sequence`, or the last one, from the nearest snapshot."""
        return Node.at(self.journal, sequence, self.snapshots, configuration=self.configuration())

    def raw_batches(self, *, after: int = 0) -> Iterator[Slots]:
        """The records as they are in the journal, under whatever rules they were written; only those behind sequence `after`."""
        reader = JournalReader(self.journal)
        while (slots := reader.read()) is not None:
            if last_sequence(slots) > after:
                yield after_sequence(slots, after)

    def names(self, last: int | None = None) -> Names:
        """What numbers stand for up to a sequence."""
        begin = self.begin_sequence()
        names = Names.of(Holdings(self.begin(begin))) if begin else Names()
        for slots in self.raw_batches(after=begin):
            if last is not None and first_sequence(slots) > last:
                break
            names.learn(slots)
        return names

    def skips(self) -> dict[int, Record]:
        """The records that say that another is passed over, by the sequence of that other."""
        if not skipped_records(self.journal):
            return {}
        found = {}
        for slots in self.raw_batches():
            for start in np.flatnonzero(heads_of(slots)["message"] == message_numbers()["RecordSkipped"]):
                record = record_at(slots, int(start))
                found[int(record.fields["skipped_sequence"])] = record
        return found

    def _referenced(self) -> Slots:
        if self.kind != "run":
            raise JournalError(
                f"{self.journal}: the journal only points at its data, and there is no run folder around it that says "
                "which part of the data was run; name the run folder"
            )
        return recorded_slots(self.folder, self.data)

    def run_table(self) -> Mapping[str, Any] | None:
        """What run.toml says; None where there is none."""
        path = self.folder / "run.toml"
        return read_table(path) if path.is_file() else None


def open_history(name: str | Path, parent: str | Path = "runs", *, data: Any = None) -> History:
    """Find the journal that `name` means: a path, or a part of the name of one run in `parent`.

    Raises InputError where there is no such folder, or no journal in it.
    """
    folder = find_run(name, parent)
    if _holds_segments(folder):
        above = folder.resolve().parent
        if folder.resolve().name == JOURNAL and (above / "run.toml").is_file():
            return History(above, folder, "run", data)
        return History(folder, folder, "journal", data)
    journal = folder / JOURNAL
    if journal.is_dir():
        kind: Kind = (
            "run" if (folder / "run.toml").is_file() or (folder / "strategy").is_dir() else "exchange"
        )
        return History(folder, journal, kind, data)
    if (folder / "run.toml").is_file():
        raise InputError(
            "the run has no journal",
            source=folder,
            expected='one written by Backtest(..., journal="full").run(out=...)',
        )
    raise InputError(
        "no journal here",
        source=folder,
        value="an empty directory" if not any(_listed(folder)) else None,
        expected="a run folder, the directory of an exchange, or a directory of segments (00000001.seg)",
    )


def _holds_segments(folder: Path) -> bool:
    return any(path.suffix == ".seg" for path in _listed(folder))


def _listed(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError as error:
        raise InputError(f"cannot be listed: {error.strerror}", source=folder) from error
