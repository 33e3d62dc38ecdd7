"""Replays a run from its folder and proves that it is the same.

Twice: first the engine alone takes in the journal, then the strategy runs again from the source in the folder, and every command
it sends is compared with the one in the journal. Both must end in the recorded state hash and output hash. A journal that is
`full` needs no data; one `by_reference` names its files, which must have the SHA-256 they had.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from openbell.engine.session import Session
from openbell.journal.journal_source import JournalSource
from openbell.journal.record_fields import heads_of, records_in
from openbell.kernel import Node, skipped_records, verify_journal
from openbell.messages.layouts import HEAD_DTYPE, Slots, message_numbers, select
from openbell.model.errors import DivergenceError, InputError, StrategyError
from openbell.runtime.digest import RunDigest
from openbell.runtime.hook_failure import hook_failure
from openbell.runtime.parameter_values import fitted_parameters
from openbell.runtime.recorded_code import recorded_model
from openbell.runtime.replay_report import ReplayReport
from openbell.runtime.run_files import read_table
from openbell.runtime.run_names import find_run, is_incomplete
from openbell.runtime.setup import ACCOUNT, PARTICIPANT, fee_answer
from openbell.runtime.stored_run import recorded_instruments, recorded_parameters, recorded_slots
from openbell.runtime.strategy_source import load_class
from openbell.strategy.binding import bind
from openbell.venue.matching_policy import asked_shares

Progress = Callable[[int, int], None]
FIRST_COMMAND, LAST_COMMAND = 16, 63
"""Numbers of messages that are commands; see crates/kernel/src/message.rs."""


@dataclass(frozen=True)
class _Recorded:
    """What the folder says about the run that is to be replayed."""

    folder: Path
    table: Mapping[str, Any]
    digest: RunDigest
    data: Any

    @property
    def sequence(self) -> int:
        return int(self.table["engine"]["sequence"])

    @cached_property
    def records(self) -> Slots:
        """The records that a journal by reference points at, made again from the files that it names."""
        return recorded_slots(self.folder, self.data)

    def journal(self) -> JournalSource:
        """All of its records. Raises JournalError for one that was written under other rules."""
        return JournalSource(self.folder / "journal", lambda _: self.records, max_slots=1)


def replay(
    run: str | Path, *, data: Any = None, rerun: bool = True, progress: Progress | None = None
) -> ReplayReport:
    """Replay the run in the folder `run` (a path, or a part of its name that only one in `runs/` has).

    `data` stands in for inputs that a journal `by_reference` needs and that are not where they were. `rerun=False` leaves the
    strategy out. `progress(done, total)` counts records.

    Raises DivergenceError naming the first difference; JournalError for a journal that is damaged or missing; InputError for a
    folder of no finished run, or data that is missing or was changed; StrategyError where the strategy cannot be loaded.
    """
    recorded = _recorded(find_run(run), data)
    passes = 2 if rerun else 1
    started = time.perf_counter()
    proof = _replay_engine(recorded, _scaled(progress, recorded.sequence, 0, passes))
    replayed = time.perf_counter()
    again = _Rerun(None, None, "left out on request")
    if rerun:
        again = _rerun(recorded, _scaled(progress, recorded.sequence, 1, passes))
    ended = time.perf_counter()
    return ReplayReport(
        folder=str(recorded.folder),
        strategy=recorded.table["strategy"]["name"],
        digest=recorded.digest.hex,
        state_hash=f"{recorded.digest.state_hash:032x}",
        output_hash=f"{recorded.digest.output_hash:032x}",
        records=recorded.sequence,
        events=proof.events,
        journal_bytes=proof.journal_bytes,
        journal_content=recorded.table["journal"],
        commands=again.commands,
        not_rerun=again.reason,
        fees=again.fees,
        shares=again.shares,
        replay_seconds=replayed - started,
        rerun_seconds=None if again.commands is None else ended - replayed,
    )


def _recorded(folder: Path, data: Any) -> _Recorded:
    if is_incomplete(folder):
        raise InputError(
            "the run did not finish", source=folder, expected="a run without the file INCOMPLETE"
        )
    table = read_table(folder / "run.toml")
    digest = RunDigest.parse(_text(folder / "DIGEST"), folder / "DIGEST")
    told = tuple(int(table["engine"][name], 16) for name in ("output_hash", "state_hash"))
    if told != (digest.output_hash, digest.state_hash):
        raise InputError("run.toml and DIGEST tell different hashes: one was changed", source=folder)
    if table["journal"] == "none" or not (folder / "journal").is_dir():
        raise InputError(
            "the run has no journal",
            source=folder,
            expected='one written by Backtest(..., journal="full").run(out=...)',
        )
    return _Recorded(folder, table, digest, data)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror}", source=path, expected="the folder of a finished run"
        ) from error


def _scaled(progress: Progress | None, total: int, turn: int, passes: int) -> Callable[[int], None]:
    """Progress of one pass of several, by its sequence."""
    if progress is None:
        return lambda _: None
    return lambda sequence: progress(turn * total + sequence, passes * total)


def _batches(recorded: _Recorded, source: JournalSource) -> Iterator[Slots]:
    """The records of a journal batch by batch, to its end."""
    yield from source
    if not source.report.closed:
        verify_journal(recorded.folder / "journal", require_closed=True)  # says where it ends


@dataclass(frozen=True)
class _EngineProof:
    events: int
    journal_bytes: int


def _replay_engine(recorded: _Recorded, progress: Callable[[int], None]) -> _EngineProof:
    """The engine alone over the journal, compared after every batch and at the end."""
    node = Node(mode="replay")
    node.pass_over(skipped_records(recorded.folder / "journal"))
    source = recorded.journal()
    same, events = 0, 0
    for slots in _batches(recorded, source):
        node.run(slots, None, [])
        output = node.take_output()
        events += int(
            np.count_nonzero(output.view(HEAD_DTYPE)["message"] != message_numbers()["Continuation"])
        )
        at, output_hash = source.report.output_hash or (0, 0)
        if at == node.sequence and output_hash != node.output_hash:
            raise DivergenceError(
                f"the engine gave other events between sequence {same + 1} and {at}: output hash {output_hash:032x} was "
                f"recorded, the replay has {node.output_hash:032x}"
            )
        same = node.sequence
        progress(node.sequence)
    _require_same_end(recorded, node, "the replay of the engine")
    return _EngineProof(events, source.report.bytes)


def _require_same_end(recorded: _Recorded, node: Node, what: str) -> None:
    compared = (
        ("last sequence", recorded.sequence, node.sequence, "d"),
        ("output hash", recorded.digest.output_hash, node.output_hash, "032x"),
        ("state hash", recorded.digest.state_hash, node.state_hash(), "032x"),
    )
    for name, before, now, form in compared:
        if before != now:
            raise DivergenceError(
                f"{what} ends with another {name}: {before:{form}} was recorded, now it is {now:{form}}"
            )


@dataclass(frozen=True)
class _Rerun:
    """What came of running the strategy again; without `commands` it did not, and `reason` says why."""

    commands: int | None
    fees: str | None
    reason: str | None
    shares: str | None = None


def _rerun(recorded: _Recorded, progress: Callable[[int], None]) -> _Rerun:
    """The strategy again over the journal: the engine compares each command it sends with the one recorded."""
    told = recorded.table["strategy"]
    if not told["is_replayable"]:
        return _Rerun(None, None, told["reason"])
    folder = recorded.folder / "strategy"
    cls = load_class(folder, told["file"], told["class"], told["files"])
    strategy = cls(**fitted_parameters(cls, recorded_parameters(told)))
    node = Node(mode="rerun")
    node.pass_over(skipped_records(recorded.folder / "journal"))
    instruments = recorded_instruments(recorded.table)
    session = Session(
        node,
        PARTICIPANT,
        ACCOUNT,
        recorded.table["currency"],
        instruments,
        history=recorded.table["settings"].get("history"),
        interval_ns=max((one["interval_ns"] for one in recorded.table.get("bars", ())), default=0),
    )
    hooks = bind(strategy, session, seed=recorded.table["seed"])
    fees, shares = _Fees(recorded), _Shares(recorded)
    commands = 0
    for slots in _batches(recorded, recorded.journal()):
        fees.expect(slots)
        shares.expect(slots)
        try:
            node.run(slots, None, [hooks], fees.answer, shares.answer)
        except Exception as error:
            raise _failure(node, strategy, error) from error
        node.take_output()
        commands += _commands_in(slots)
        progress(node.sequence)
    _require_same_end(recorded, node, "the run of the strategy")
    return _Rerun(commands, fees.origin, None, shares.origin)


def _failure(node: Node, strategy: Any, error: Exception) -> Exception:
    if isinstance(error, DivergenceError):
        return error
    failure = hook_failure(node, strategy, error)
    if isinstance(failure, StrategyError):
        return DivergenceError(f"the strategy did not raise when it ran, and does now: {failure}")
    return failure


def _commands_in(slots: Slots) -> int:
    """Records that the strategy sent."""
    heads = slots.view(HEAD_DTYPE)
    is_command = (heads["message"] >= FIRST_COMMAND) & (heads["message"] <= LAST_COMMAND)
    is_set_up = heads["message"] == message_numbers()["RegisterParticipant"]
    return int(np.count_nonzero(is_command & ~is_set_up & (heads["source"] == PARTICIPANT)))


class _Fees:
    """Answers for fills that wait for a fee model in Python: asked of the model again, else as the journal has them."""

    def __init__(self, recorded: _Recorded) -> None:
        table = recorded.table.get("fee_model")
        self._journaled: deque[int] = deque()
        self._model: Callable[[Any], int] | None = None
        self.origin: str | None = None
        if table is None:
            return
        model = recorded_model(recorded.folder / "strategy", table)
        self._model = None if model is None else fee_answer(model, recorded.table["currency"])
        self.origin = (
            "asked again and compared" if model is not None else f"from the journal: {table['reason']}"
        )

    def expect(self, slots: Slots) -> None:
        """The batch that is run next."""
        self._journaled.extend(int(fee) for fee in select(slots, "FeeAssessed")["fee_nano"])

    def answer(self, fill: Any) -> int:
        """The fee of one fill in nano."""
        if self._model is not None:
            return self._model(fill)
        if not self._journaled:
            raise DivergenceError("a fill asks for a fee that the journal does not have")
        return self._journaled.popleft()


class _Shares:
    """Answers for levels that wait for a matching policy in Python: asked of it again, else as the journal has them."""

    def __init__(self, recorded: _Recorded) -> None:
        table = recorded.table.get("matching_policy")
        self._journaled: deque[int] = deque()
        self._asked: Callable[[int, list[int]], list[int]] | None = None
        self.origin: str | None = None
        if table is None:
            return
        policy = recorded_model(recorded.folder / "strategy", table)
        self._asked = None if policy is None else asked_shares(policy)
        self.origin = (
            "asked again and compared" if policy is not None else f"from the journal: {table['reason']}"
        )

    def expect(self, slots: Slots) -> None:
        """The batch that is run next."""
        if self._asked is not None:
            return
        is_answer = heads_of(slots)["message"] == message_numbers()["AllocationAssessed"]
        for record in records_in(slots, np.flatnonzero(is_answer)):
            shares = [share for _, fields in record.payloads for share in fields["quantities"]]
            self._journaled.extend(shares[: record.body["orders"] - record.body["from"]])

    def answer(self, incoming: int, resting: list[int]) -> list[int]:
        """The shares of one level."""
        if self._asked is not None:
            return self._asked(incoming, resting)
        if len(self._journaled) < len(resting):
            raise DivergenceError("a level asks for shares that the journal does not have")
        return [self._journaled.popleft() for _ in resting]
