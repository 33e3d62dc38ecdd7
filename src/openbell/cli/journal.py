"""`openbell journal`: looking at journals, proving them, and keeping them."""

from __future__ import annotations

from cyclopts import App

from openbell.cli.lazy_verbs import add_verbs

_CODES = (
    "PATH is a run folder, the directory of an exchange, or a directory of segments. "
    "Exit codes: 0 whole, 3 no such thing here, 5 damaged or unreadable, 8 whole up to a last write that was cut short."
)

journal = App(
    name="journal",
    help="Check, print, prove, back up and repair journals.",
    sort_key=100,
    help_epilogue=_CODES,
    help_format="plaintext",
)

VERBS = {
    "verify": ("journal_verify:verify_journal", "Read and check all of it."),
    "inspect": ("journal_inspect:inspect_journal", "Show what it is: head, epochs, segments."),
    "dump": (
        "journal_dump:dump_journal",
        "Print its records in words; --follow goes on while it is written.",
    ),
    "backup": ("journal_backup:backup_journal", "Copy it, also while it is written, and check the copy."),
    "restore": ("journal_restore:restore_journal", "Bring a backup back."),
}
add_verbs(journal, VERBS)
