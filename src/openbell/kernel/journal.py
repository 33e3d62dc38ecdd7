"""Journals: made by a node that is given a `NewJournal`, read back batch by batch; written by tools and tests."""

from openbell._kernel import (
    RULES_VERSION,
    Follower,
    InputExpansion,
    JournalReader,
    JournalReport,
    JournalWriter,
    NewJournal,
    compare_history,
    verify_journal,
)

__all__ = [
    "RULES_VERSION",
    "Follower",
    "InputExpansion",
    "JournalReader",
    "JournalReport",
    "JournalWriter",
    "NewJournal",
    "compare_history",
    "verify_journal",
]
