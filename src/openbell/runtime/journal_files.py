"""What a journal is and which files it has, read from heads alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path

from openbell.journal import JournalReport
from openbell.kernel import RULES_VERSION, journal_segments
from openbell.model.time import iso
from openbell.runtime.history import History
from openbell.runtime.journal_check import report_values


@dataclass(frozen=True)
class Segment:
    """What the heads say of a segment; `last_sequence` is None in the last one, of which only reading tells."""

    number: int
    first_sequence: int
    last_sequence: int | None
    epoch: int


@dataclass(frozen=True, eq=False)
class JournalFiles:
    """The head of a journal, and the files in its directory with their sizes."""

    history: History
    report: JournalReport
    files: tuple[tuple[str, int], ...]
    segments: tuple[Segment, ...]

    def facts(self) -> dict[str, str]:
        """The head, for people."""
        report = self.report
        replayable = (
            "this program's"
            if report.rules_version == RULES_VERSION
            else f"this program has {RULES_VERSION}: it reads the journal and does not replay it"
        )
        return {
            "Journal": str(self.history.journal),
            "Holds": f"{report.content} records of {_KINDS[self.history.kind]}",
            "Epoch": f"{report.epoch}, from sequence {report.first_sequence:,}",
            "Shard": str(report.shard),
            "Created": f"{iso(report.created_time)} by {report.created_by or 'a program without a name'}",
            "Rules": f"version {report.rules_version}, {replayable}",
            "Schema": f"version {report.schema}",
            "Durability": report.durability,
            "Segments": f"up to {report.segment_size:,} bytes, padded to {report.sector_size:,}",
        }

    def rows(self) -> list[dict[str, str]]:
        """One row for each file."""
        return [{"file": name, "bytes": f"{size:,}", "holds": _meaning(name)} for name, size in self.files]

    def segment_rows(self) -> list[dict[str, str]]:
        """One row for each segment."""
        return [
            {
                "segment": str(one.number),
                "from": f"{one.first_sequence:,}",
                "to": "its end" if one.last_sequence is None else f"{one.last_sequence:,}",
                "epoch": str(one.epoch),
            }
            for one in self.segments
        ]

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON: the head, and the files."""
        names = (
            "epoch",
            "shard",
            "schema",
            "rules_version",
            "created",
            "created_by",
            "durability",
            "content",
        )
        values = report_values(self.report)
        return {
            "journal": str(self.history.journal),
            "kind": self.history.kind,
            **{name: values[name] for name in (*names, "segment_size", "sector_size", "first_sequence")},
            "segments": [asdict(one) for one in self.segments],
            "files": [{"file": name, "bytes": size} for name, size in self.files],
        }


_KINDS = {"run": "a run", "exchange": "an exchange", "journal": "a journal on its own"}
_MEANINGS = {
    "LOCK": "held by the one who writes",
    "WATERMARK": "how far the journal was durable",
    "SEALS": "hash of every full segment",
    "next.seg": "the next segment, being filled with zeros",
    "READERS": "who still needs which segments",
}


def _meaning(name: str) -> str:
    if name in _MEANINGS:
        return _MEANINGS[name]
    if name.endswith(".seg"):
        return "segment"
    if name.startswith("seals-"):
        return "seals of before, put aside"
    return "what was cut off" if name.startswith(("torn-", "cut-")) else ""


def journal_files(history: History) -> JournalFiles:
    """Read the head of a journal and list its files. Raises JournalError for what is no journal."""
    report = history.report()
    files = sorted((path.name, path.stat().st_size) for path in _plain_files(history.journal))
    return JournalFiles(history, report, tuple(files), tuple(_segments(history)))


def _segments(history: History) -> Iterator[Segment]:
    heads = journal_segments(history.journal)
    for (number, first, epoch), following in zip_longest(heads, heads[1:]):
        yield Segment(number, first, None if following is None else following[1] - 1, epoch)


def _plain_files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()]
