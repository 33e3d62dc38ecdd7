"""The proof that a replay was the same."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class ReplayReport:
    """The proof. It exists only where everything was the same: any difference is raised.

    `records` were taken in by the engine, `commands` of the strategy compared one by one (None where it did not run again, and
    then `not_rerun` says why). `fees` and `shares` say where the answers of a fee model and of a matching
    policy in Python came from.
    """

    folder: str
    strategy: str
    digest: str
    state_hash: str
    output_hash: str
    records: int
    events: int
    journal_bytes: int
    journal_content: str
    commands: int | None
    not_rerun: str | None
    fees: str | None
    shares: str | None
    replay_seconds: float
    rerun_seconds: float | None

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)

    def __rich__(self) -> RenderableType:
        return _table(self)


def _table(report: ReplayReport) -> RenderableType:
    """What was compared, line by line."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_column(style="green")
    records = f"{report.records:,} records, {report.journal_bytes / 1e6:,.1f} MB, {report.journal_content}"
    table.add_row("Journal", records, "whole and undamaged")
    table.add_row("Events", f"{report.events:,} in {report.replay_seconds:.2f} s", "the same")
    table.add_row("Output hash", report.output_hash, "the same")
    table.add_row("State hash", report.state_hash, "the same")
    if report.commands is None:
        table.add_row("Strategy", Text(f"did not run again: {report.not_rerun}", style="yellow"), "")
    else:
        seconds = report.rerun_seconds or 0.0
        table.add_row(
            "Commands",
            f"{report.commands:,} of {report.strategy}, run again in {seconds:.2f} s",
            "all the same",
        )
    for what, origin in (("Fees", report.fees), ("Shares", report.shares)):
        if origin is not None:
            table.add_row(what, origin, "")
    table.add_row("Digest", report.digest, "")
    return table
