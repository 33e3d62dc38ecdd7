"""Journals: made by a node that is given a `NewJournal`, read back batch by batch; written by tools and tests."""

from openbell._kernel import (
    RULES_VERSION,
    InputExpansion,
    JournalReader,
    JournalReport,
    JournalWriter,
    NewJournal,
    verify_journal,
)

__all__ = [
    "RULES_VERSION",
    "InputExpansion",
    "JournalReader",
    "JournalReport",
    "JournalWriter",
    "NewJournal",
    "verify_journal",
]
