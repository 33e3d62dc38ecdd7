"""The record of what happened: checking, reading and printing the journal of a run.

A journal is a directory of segments; its format is described in crates/kernel/src/journal/mod.rs.
"""

from openbell.journal.printing import record_lines
from openbell.journal.reading import RECORD_DTYPE, read_records, read_slots, verify
from openbell.kernel import InputExpansion, JournalReader, JournalReport, JournalWriter

__all__ = [
    "RECORD_DTYPE",
    "InputExpansion",
    "JournalReader",
    "JournalReport",
    "JournalWriter",
    "read_records",
    "read_slots",
    "record_lines",
    "verify",
]
