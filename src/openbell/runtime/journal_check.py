"""What a check of a whole journal found."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from openbell.journal import JournalReport, verify
from openbell.model.time import iso


@dataclass(frozen=True, eq=False)
class JournalCheck:
    """The report of a journal that was read to its end, and how long that took."""

    path: Path
    report: JournalReport
    seconds: float

    @property
    def torn(self) -> str | None:
        """Where and how the last write was cut short; None where none was."""
        return self.report.torn

    @property
    def end(self) -> str:
        """`closed`: ended on purpose; `clean`: whole, but open; `torn`: the last write was cut short."""
        return "torn" if self.torn else "closed" if self.report.closed else "clean"

    @property
    def verdict(self) -> str:
        """One sentence."""
        return {
            "closed": "Whole and undamaged; ended on purpose.",
            "clean": "Whole and undamaged; not ended: it is being written, or its writer was stopped.",
            "torn": "Whole up to its last write, which was cut short; opening it for writing keeps a copy and cuts it.",
        }[self.end]

    @property
    def rate(self) -> float:
        """Bytes checked per second."""
        return self.report.bytes / self.seconds if self.seconds else 0.0

    def facts(self) -> dict[str, str]:
        """What was found, for people."""
        report = self.report
        referenced = f", {report.referenced:,} by reference" if report.referenced else ""
        facts = {
            "Journal": str(self.path),
            "Sequences": f"{report.first_sequence:,} to {report.last_sequence:,}",
            "Records": f"{report.records:,} in {report.batches:,} batches{referenced}",
            "Segments": f"{report.segments:,}",
            "Bytes": f"{report.bytes:,} ({report.file_bytes:,} on disk)",
            "Rate": f"{self.rate / 1e6:,.0f} MB/s, {report.records / max(self.seconds, 1e-9):,.0f} records/s",
            "Durability": report.durability,
            "End": self.end,
        }
        if report.torn:
            facts["Torn"] = report.torn
        for name, told in (("State hash", report.state_hash), ("Output hash", report.output_hash)):
            facts[name] = "none" if told is None else f"{told[1]:032x} after {told[0]:,}"
        return {**facts, "Chain": f"{report.chain:032x}"}

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        report = self.report
        return {
            "journal": str(self.path),
            "end": self.end,
            "torn": report.torn,
            "seconds": self.seconds,
            "bytes_per_second": self.rate,
            **report_values(report),
        }


def report_values(report: JournalReport) -> dict[str, object]:
    """Everything a report says, as plain values; hashes in hexadecimal digits with their sequence."""
    return {
        **{
            name: getattr(report, name)
            for name in (
                *("epoch", "shard", "schema", "rules_version", "created_by", "durability", "content"),
                *("segment_size", "sector_size", "segments", "batches", "records", "referenced", "slots"),
                *("bytes", "file_bytes", "first_sequence", "last_sequence", "durable_sequence", "closed"),
            )
        },
        "created": iso(report.created_time),
        "state_hash": _hash(report.state_hash),
        "output_hash": _hash(report.output_hash),
        "chain": f"{report.chain:032x}",
    }


def _hash(told: tuple[int, int] | None) -> dict[str, object] | None:
    return None if told is None else {"sequence": told[0], "hash": f"{told[1]:032x}"}


def check_journal(path: Path, *, require_closed: bool = False) -> JournalCheck:
    """Read and check the whole journal in `path`. Raises JournalError naming segment, offset, sequence and rule."""
    started = time.perf_counter()
    report = verify(path, require_closed=require_closed)
    return JournalCheck(path, report, time.perf_counter() - started)
