"""A journal as a source of records to replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from os import PathLike, fspath

import numpy as np

from openbell.journal.references import InputReference, input_references
from openbell.kernel import RULES_VERSION, InputExpansion, JournalReader, JournalReport
from openbell.messages.layouts import HEAD_DTYPE, Slots, message_numbers
from openbell.model.errors import InputError, JournalError

Load = Callable[[Sequence[InputReference]], Slots]
"""Decodes the files of one input again, the way they were decoded for the run, and returns all of its records."""


class JournalSource:
    """All records of a journal, batch by batch, to be run in mode "replay" or "rerun":

        node = Node(mode="replay")
        for slots in JournalSource(path):
            node.run(slots, None, [])

    A journal by reference needs `load`, which is asked once for each input that the journal names, when the first of its
    records is due; that the bytes of the files are those of the run is for it to see to. Raises JournalError for what is no
    journal, is damaged, or was written under other rules (before anything is yielded); InputError for data that does not
    have the records that the run took in. Whole batches are joined to about `max_slots` slots. What comes before damage or a
    write cut short is yielded first.
    """

    def __init__(
        self, path: str | PathLike[str], load: Load | None = None, *, max_slots: int = 65_536
    ) -> None:
        self._path = fspath(path)
        self._load = load
        self._max_slots = max_slots
        self._reader = JournalReader(path)
        self._expansion = InputExpansion()
        self._references: list[InputReference] = []
        rules = self.report.rules_version
        if rules != RULES_VERSION:
            raise JournalError(
                f"{self._path}: written under rules version {rules}, this program has {RULES_VERSION}; replay it with the "
                f"program that wrote it ({self.report.created_by})"
            )

    @property
    def report(self) -> JournalReport:
        """What the journal is and what was read of it so far; its last hashes, once all of it was."""
        return self._reader.report

    def __iter__(self) -> Iterator[Slots]:
        by_reference = self.report.content == "by_reference"
        while (slots := self._reader.read(1 if by_reference else self._max_slots)) is not None:
            yield self._expanded(slots) if by_reference else slots
        if self.report.closed:
            self._require_used_up()

    def _expanded(self, slots: Slots) -> Slots:
        self._references += input_references(slots)
        if not np.any(slots.view(HEAD_DTYPE)["message"] == message_numbers()["Interleave"]):
            return slots
        for number in range(len(self._expansion.left), self._inputs()):
            self._expansion.add(self._loaded(number))
        return self._expansion.expand(slots)

    def _inputs(self) -> int:
        return 1 + max((one.input for one in self._references), default=-1)

    def _loaded(self, number: int) -> Slots:
        named = [one for one in self._references if one.input == number]
        if self._load is None:
            paths = ", ".join(one.path for one in named)
            raise JournalError(
                f"{self._path}: the records of input {number} are not in the journal, which only points at {paths}; say how "
                f"to load them"
            )
        return self._load(named)

    def _require_used_up(self) -> None:
        for number, slots in enumerate(self._expansion.left):
            if slots:
                raise InputError(
                    f"input {number} holds {slots} slots that the run did not take in",
                    source=self._path,
                    expected="the data of the run, all of it and nothing else",
                )
