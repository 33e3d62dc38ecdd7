"""What ails a journal, what can be done about it, and doing it: nothing is lost without an explicit word."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from openbell.kernel import (
    RULES_VERSION,
    JournalReader,
    cut_journal,
    prove_journal,
    reseal_journal,
    skip_journal_record,
)
from openbell.model.errors import ConfigError, DivergenceError, EngineStopped, JournalError
from openbell.runtime.history import History, open_history
from openbell.runtime.time_travel import replayed

Finding = Literal["sound", "torn", "damaged", "seals", "stops the engine", "diverges"]


@dataclass(frozen=True)
class Diagnosis:
    """What was found. Records up to `readable` can be read; `durable` is how far they were once known to be durable."""

    journal: str
    finding: Finding
    text: str
    readable: int
    durable: int | None
    stopping: int | None
    proposal: str

    @property
    def lost(self) -> int | None:
        """Records that were durable and cannot be read any more; None where nobody knows."""
        return None if self.durable is None else max(self.durable - self.readable, 0)

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {**asdict(self), "lost": self.lost}


@dataclass(frozen=True)
class Treatment:
    """What was done: to what, by whom, why; `copies` hold whatever was taken off."""

    journal: str
    done: str
    sequence: int
    actor: str
    reason: str
    bytes: int
    copies: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)


def diagnose(history: History, *, replays: bool = True) -> Diagnosis:
    """Read all of a journal, then with `replays` let the engine take it in. Nothing is changed.

    Raises JournalError for what is no journal, or one of a newer program: there is nothing to heal there.
    """
    reader = JournalReader(history.journal)
    try:
        while reader.read() is not None:
            pass
    except JournalError as error:
        return _unreadable(history, reader, error)
    unlike = _unlike_its_seals(history, reader)
    if unlike is not None:
        proposal = (
            "restore a backup, or: --reseal --reason TEXT seals it anew as it stands and keeps the old seals aside; "
            "what they proved is proven no more"
        )
        return _diagnosis(history, reader, "seals", unlike, proposal)
    if not replays or reader.report.content != "full" or reader.report.rules_version != RULES_VERSION:
        return _diagnosis(
            history, reader, "sound", "every batch is whole; it was not replayed", "nothing to do"
        )
    try:
        _replay(history)
    except EngineStopped as error:
        stopping = error.sequence
        proposal = f"--skip {stopping} journals that this record is passed over" if stopping else "none known"
        return _diagnosis(history, reader, "stops the engine", str(error), proposal, stopping)
    except DivergenceError as error:
        proposal = "no cut heals this: replay it with the program that wrote it, and compare the two builds"
        return _diagnosis(history, reader, "diverges", str(error), proposal)
    return _diagnosis(
        history, reader, "sound", "every batch is whole and the engine takes it in", "nothing to do"
    )


def _unlike_its_seals(history: History, reader: JournalReader) -> str | None:
    """What of its seals keeps a journal whose records are whole from being opened."""
    if reader.report.durability == "none":
        return None
    try:
        return prove_journal(history.journal).touched
    except JournalError as error:
        return str(error)


def _replay(history: History) -> None:
    """From the first record, or from the oldest snapshot where the first is gone; every hash is compared."""
    for _ in replayed(history.begin(), history):
        pass


def _unreadable(history: History, reader: JournalReader, error: JournalError) -> Diagnosis:
    report = reader.report
    if error.is_torn:
        proposal = "nothing: opening it for writing keeps a copy of the torn end, cuts it and journals that"
        return _diagnosis(history, reader, "torn", str(error), proposal)
    proposal = (
        f"restore a backup, or: --cut-behind {report.last_sequence} --accept-loss --reason TEXT keeps a copy of what "
        "follows and goes on without it"
    )
    return _diagnosis(history, reader, "damaged", str(error), proposal)


def _diagnosis(
    history: History,
    reader: JournalReader,
    finding: Finding,
    text: str,
    proposal: str,
    stopping: int | None = None,
) -> Diagnosis:
    report = reader.report
    watermark = report.watermark
    return Diagnosis(
        journal=str(history.journal),
        finding=finding,
        text=text,
        readable=report.last_sequence,
        durable=None if watermark is None else watermark[2],
        stopping=stopping,
        proposal=proposal,
    )


def cut_behind(
    history: History,
    sequence: int,
    *,
    actor: str,
    reason: str,
    accept_loss: bool,
    now_ns: int,
    seal_key: bytes | None = None,
) -> Treatment:
    """Take off everything behind `sequence`: copies stay in the journal's directory, and the journal says who did it and why.
    Snapshots of states that are cut off are put aside: a restart must not meet them.

    Raises ConfigError without `accept_loss`, saying what would be lost; JournalError where it cannot be read up to there.
    """
    if not accept_loss:
        raise ConfigError(_what_is_lost(diagnose(history, replays=False), sequence))
    last, place, size, copies = cut_journal(
        history.journal,
        history.snapshots,
        sequence,
        actor=actor,
        reason=reason,
        time=now_ns,
        seal_key=seal_key,
    )
    return Treatment(
        journal=str(history.journal),
        done=f"cut at {place}",
        sequence=last,
        actor=actor,
        reason=reason,
        bytes=size,
        copies=tuple(str(path) for path in copies),
    )


def _what_is_lost(found: Diagnosis, sequence: int) -> str:
    last = max(found.readable, found.durable or 0)
    readable = max(found.readable - sequence, 0)
    parts = [f"{max(last - sequence, 0)} records behind sequence {sequence} would be lost"]
    if readable:
        parts.append(f"{readable} of them can still be read")
    if found.durable is not None and found.durable > sequence:
        parts.append(f"{found.durable - sequence} were durable, so somebody may have been told of them")
    return f"{'; '.join(parts)}. A copy is kept; --accept-loss does it"


def skip(history: History, sequence: int, *, actor: str, reason: str, now_ns: int) -> Treatment:
    """Journal that a record is passed over from now on. Raises JournalError for one that is not there."""
    told = skip_journal_record(history.journal, sequence, actor=actor, reason=reason, time=now_ns)
    return Treatment(
        journal=str(history.journal),
        done=f"record {sequence} is passed over from now on; record {told} says so",
        sequence=sequence,
        actor=actor,
        reason=reason,
        bytes=0,
        copies=(),
    )


def reseal(
    history: History, *, actor: str, reason: str, now_ns: int, seal_key: bytes | None = None
) -> Treatment:
    """Seal a journal anew as it stands, whose seals are lost or damaged: what they proved is proven no more.

    Raises JournalError where its records are damaged.
    """
    sealed, kept = reseal_journal(history.journal, actor=actor, reason=reason, time=now_ns, seal_key=seal_key)
    return Treatment(
        journal=str(history.journal),
        done=f"{sealed} segments are sealed anew; whoever kept an earlier seal will see that",
        sequence=0,
        actor=actor,
        reason=reason,
        bytes=0 if kept is None else kept.stat().st_size,
        copies=() if kept is None else (str(kept),),
    )


def restored_to(folder: Path, sequence: int, *, actor: str, backup: str, now_ns: int) -> None:
    """Cut a restored copy behind `sequence`; what follows is in the backup still."""
    history = open_history(folder)
    reason = f"restored to sequence {sequence} from {backup}"
    cut = cut_behind(history, sequence, actor=actor, reason=reason, accept_loss=True, now_ns=now_ns)
    for copy in cut.copies:
        Path(copy).unlink(missing_ok=True)
