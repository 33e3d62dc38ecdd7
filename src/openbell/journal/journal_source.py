"""A journal as a source of records to replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike, fspath

from openbell.journal.references import InputReference, input_references, slots_sha256
from openbell.kernel import RULES_VERSION, InputExpansion, JournalReader, JournalReport
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
    rules; InputError for data that has changed since. What comes before damage or a write cut short is yielded first.
    """

    def __init__(self, path: str | PathLike[str], load: Load | None = None) -> None:
        self._path = fspath(path)
        self._load = load
        self._reader = JournalReader(path)
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
        expansion = InputExpansion() if self.report.content == "by_reference" else None
        while (slots := self._reader.read()) is not None:
            yield slots if expansion is None else self._expanded(expansion, slots)

    def _expanded(self, expansion: InputExpansion, slots: Slots) -> Slots:
        for reference in input_references(slots):
            expansion.add(self._loaded(reference))
        return expansion.expand(slots)

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
