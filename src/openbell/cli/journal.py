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
    "doctor": (
        "journal_doctor:doctor_journal",
        "Say what ails it, and heal it where somebody answers for it.",
    ),
    "compare": (
        "journal_compare:compare_journal",
        "Replay it, and compare every hash and every snapshot.",
    ),
    "prove": (
        "journal_prove:prove_history",
        "Show that it is untouched since it was sealed, or where it was touched.",
    ),
    "new-key": ("journal_new_key:new_key", "Make a key that signs what is sealed."),
    "backup": ("journal_backup:backup_journal", "Copy it, also while it is written, and check the copy."),
    "restore": ("journal_restore:restore_journal", "Bring a backup back, to its end or to a sequence."),
    "retain": ("journal_retain:retain_journal", "Delete what is behind snapshots and readers."),
    "snapshot": ("journal_epoch:snapshot_journal", "Save the state after its end beside it."),
    "new-epoch": ("journal_epoch:new_epoch", "Go on under this program's rules, in a new journal."),
}
add_verbs(journal, VERBS)
