"""A journal as a source of records to replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike, fspath

from openbell.journal.references import InputReference, input_references, slots_sha256
from openbell.kernel import RULES_VERSION, Expansion, JournalReader, JournalReport
from openbell.messages.layouts import Slots
from openbell.model.errors import InputError, JournalError

Load = Callable[[InputReference], Slots]
"""Decodes an input again, the way it was decoded for the run."""


class JournalSource:
    """All records of a journal, batch by batch, to be run in mode "replay" or "rerun":

        node = Node(mode="replay")
        for slots in JournalSource(path):
            node.run(slots, None, [])

    A journal by reference needs `load`: what it returns for an input is compared with the SHA-256 in the journal, and put back
    where the journal points at it. Raises JournalError for what is no journal, is damaged, or was written under other
    rules; InputError for data that has changed since. With `lenient` a write cut short at the end is told by `report.torn` only.
    """

    def __init__(self, path: str | PathLike[str], load: Load | None = None, *, lenient: bool = False) -> None:
        self._path = fspath(path)
        self._load = load
        self._reader = JournalReader(path, lenient=lenient)
        rules = self.report.rules_version
        if rules != RULES_VERSION:
            raise JournalError(
                f"{self._path}: written under rules version {rules}, this program has {RULES_VERSION}; replay it with the "
                f"program that wrote it ({self.report.created_by})"
            )

    @property
    def report(self) -> JournalReport:
        """What the journal is and what was read of it so far; its last hashes, once all of it was."""
        return self._reader.report()

    def __iter__(self) -> Iterator[Slots]:
        if self.report.content == "full":
            yield from self._reader
            return
        expansion = Expansion()
        for batch in self._reader:
            for reference in input_references(batch):
                expansion.add(self._loaded(reference))
            yield expansion.expand(batch)

    def _loaded(self, reference: InputReference) -> Slots:
        if self._load is None:
            raise JournalError(
                f"{self._path}: input {reference.number} is not in the journal, which only points at it "
                f"(SHA-256 {reference.sha256}); say how to load it"
            )
        slots = self._load(reference)
        found = slots_sha256(slots)
        if found != reference.sha256:
            raise InputError(
                f"input {reference.number} is not the data that the run read",
                source=self._path,
                field="sha256",
                value=found,
                expected=reference.sha256,
            )
        return slots
