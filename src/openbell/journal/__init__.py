"""The record of what happened: checking, reading and printing the journal of a run.

A journal is a directory of segments; its format is described in crates/kernel/src/journal/mod.rs.
"""

from openbell.journal.journal_source import JournalSource
from openbell.journal.names import Names
from openbell.journal.printing import lines_of, record_lines
from openbell.journal.reading import RECORD_DTYPE, read_records, read_slots, verify
from openbell.journal.record_fields import Record, records_in
from openbell.journal.references import InputReference, input_references, read_references, reference_records
from openbell.journal.selection import Selection
from openbell.journal.wording import Wording
from openbell.kernel import InputExpansion, JournalReader, JournalReport, JournalWriter

__all__ = [
    "RECORD_DTYPE",
    "InputExpansion",
    "InputReference",
    "JournalReader",
    "JournalReport",
    "JournalSource",
    "JournalWriter",
    "Names",
    "Record",
    "Selection",
    "Wording",
    "input_references",
    "lines_of",
    "read_records",
    "read_references",
    "read_slots",
    "record_lines",
    "records_in",
    "reference_records",
    "verify",
]
