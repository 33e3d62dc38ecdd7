"""The record of what happened: checking, reading and printing the journal of a run.

A journal is a directory of segments; its format is described in crates/kernel/src/journal/mod.rs.
"""

from openbell.journal.journal_source import JournalSource
from openbell.journal.printing import record_lines
from openbell.journal.reading import RECORD_DTYPE, read_records, read_slots, verify
from openbell.journal.references import InputReference, input_reference, input_references, slots_sha256
from openbell.kernel import InputExpansion, JournalReader, JournalReport, JournalWriter

__all__ = [
    "RECORD_DTYPE",
    "InputExpansion",
    "InputReference",
    "JournalReader",
    "JournalReport",
    "JournalSource",
    "JournalWriter",
    "input_reference",
    "input_references",
    "read_records",
    "read_slots",
    "record_lines",
    "slots_sha256",
    "verify",
]
