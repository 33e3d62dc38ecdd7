"""Journals from Python: written by a node, read back, replayed and rerun to the same hashes, refused when damaged."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openbell.journal import journal_source
from openbell.journal.journal_source import JournalSource
from openbell.journal.reading import read_slots
from openbell.journal.references import InputReference, input_references, reference_records
from openbell.kernel import RULES_VERSION, InputExpansion, JournalReader, NewJournal, Node, verify_journal
from openbell.messages.layouts import HEAD_DTYPE, message_numbers
from openbell.model.errors import ConfigError, DivergenceError, EngineStopped, InputError, JournalError
from tests.kernel.door_nodes import Slots, Trader, bar_slots, new_node

Content = Literal["full", "by_reference"]
INPUTS = [bar_slots(700), bar_slots(900, first=700, seed=99)]
SHA256 = [hashlib.sha256(slots.tobytes()).hexdigest() for slots in INPUTS]
REFERENCES = [InputReference(number, SHA256[number], "bars-1", f"{number}.csv") for number in (0, 1)]


def written(
    path: Path, content: Content = "full", *, quantity: int = 3, batches: int = 1
) -> tuple[Node, Trader]:
    """Run a trader over both inputs, journaled, and end the journal."""
    journal = NewJournal(
        path, epoch=1, created_time=5, created_by="tests", durability="none", content=content
    )
    node = new_node(journal=journal, wants=0)
    trader = Trader(node, quantity)
    node.run(None, None, [trader.hooks()])
    for number, slots in enumerate(INPUTS):
        first_time = int(slots.view(HEAD_DTYPE)["time"][0])
        node.run(reference_records([REFERENCES[number]], first_time), None, [trader.hooks()])
        for part in np.array_split(slots.reshape(-1, 128), batches):
            node.run(part.reshape(-1), number, [trader.hooks()])
    node.end_run()
    node.run(None, None, [trader.hooks()])
    node.close()
    return node, trader


def load(references: Sequence[InputReference]) -> Slots:
    (reference,) = references
    assert reference == REFERENCES[reference.input]
    return INPUTS[reference.input]


def hashes(node: Node) -> tuple[int, int, int, int]:
    return (node.state_hash(), node.output_hash, node.sequence, node.time)


@pytest.mark.parametrize("content", ["full", "by_reference"])
@pytest.mark.parametrize("batches", [1, 7])
def test_a_replay_of_the_journal_has_the_hashes_of_the_run(
    tmp_path: Path, content: Content, batches: int
) -> None:
    ran, trader = written(tmp_path / "journal", content, batches=batches)
    source = JournalSource(tmp_path / "journal", load)
    node = Node(mode="replay")
    for slots in source:
        node.run(slots, None, [])
    assert len(trader.fills) > 100
    assert hashes(node) == hashes(ran)
    assert source.report.state_hash == (ran.sequence, ran.state_hash())
    assert source.report.output_hash == (ran.sequence, ran.output_hash)
    assert np.array_equal(node.take_output(), ran.take_output())


@pytest.mark.parametrize("content", ["full", "by_reference"])
def test_a_rerun_calls_the_strategy_again_and_it_sends_the_same(tmp_path: Path, content: Content) -> None:
    ran, trader = written(tmp_path / "journal", content)
    node = Node(mode="rerun")
    again = Trader(node)
    for slots in JournalSource(tmp_path / "journal", load):
        node.run(slots, None, [again.hooks()])
    assert hashes(node) == hashes(ran)
    assert (again.seen, len(again.fills)) == (trader.seen, len(trader.fills)) == (1_600, len(again.fills))


def test_a_rerun_of_another_strategy_diverges_and_says_where_and_how(tmp_path: Path) -> None:
    written(tmp_path / "journal")
    node = Node(mode="rerun")
    other = Trader(node, quantity=4)
    text = r"participant 1 diverged at sequence \d+: the journal has SubmitOrder\(.* 3 units.* sent SubmitOrder\(.* 4 units"

    def rerun() -> None:
        for slots in JournalSource(tmp_path / "journal"):
            node.run(slots, None, [other.hooks()])

    with pytest.raises(DivergenceError, match=text):
        rerun()
    with pytest.raises(EngineStopped, match="diverged at sequence"):
        node.run(None, None, [])


def test_a_journal_by_reference_is_small_and_counts_what_it_points_at(tmp_path: Path) -> None:
    written(tmp_path / "full")
    written(tmp_path / "by", "by_reference")
    full, by = verify_journal(tmp_path / "full"), verify_journal(tmp_path / "by")
    assert (full.content, full.referenced) == ("full", 0)
    assert (by.content, by.referenced) == ("by_reference", 1_600)
    assert by.records + by.referenced == full.records == full.last_sequence == by.last_sequence
    assert by.bytes < full.bytes / 2
    assert by.state_hash == full.state_hash
    assert by.output_hash == full.output_hash
    assert (full.closed, full.torn, full.epoch, full.created_time, full.created_by) == (
        True,
        None,
        1,
        5,
        "tests",
    )
    assert full.rules_version == RULES_VERSION


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("bars.csv", "bars.csv"),
        ("/daten/Börse/" + "x" * 166, "/daten/Börse/" + "x" * 166),
        ("/long/" + "ö" * 100 + "/bars.csv", "…" + "ö" * 84 + "/bars.csv"),
    ],
)
def test_a_reference_says_which_file_it_is(path: str, kept: str) -> None:
    told = [InputReference(3, SHA256[0], "csv-1", path), REFERENCES[1]]
    records = reference_records(told, 7)
    heads = records.view(HEAD_DTYPE)
    assert heads["slots"].tolist() == [8, *range(1, 8)] * 2, "every reference has one size, whatever its path"
    assert heads["time"][0] == 7
    first, second = input_references(records)
    assert (first, second) == (InputReference(3, SHA256[0], "csv-1", kept), REFERENCES[1])


def test_a_decoder_of_a_name_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="its name must have at most 36 bytes"):
        reference_records([InputReference(0, SHA256[0], "d" * 37, "bars.csv")], 7)


def test_an_input_that_changed_or_is_gone_is_told(tmp_path: Path) -> None:
    written(tmp_path / "journal", "by_reference")
    with pytest.raises(
        JournalError, match=r"records of input 0 are not in the journal, which only points at 0\.csv"
    ):
        list(JournalSource(tmp_path / "journal"))
    more = np.concatenate([INPUTS[1], INPUTS[1][-128:]])
    with pytest.raises(InputError, match="input 1 holds 2 slots that the run did not take in"):
        list(JournalSource(tmp_path / "journal", lambda told: [INPUTS[0], more][told[0].input]))
    expansion = InputExpansion([INPUTS[0], INPUTS[1][:1_280]])
    text = r"refers to a record of input 1 at sequence \d+, and the input has no more"
    with pytest.raises(JournalError, match=text):
        list(map(expansion.expand, read_slots(tmp_path / "journal")))


def test_expansion_uses_up_every_input(tmp_path: Path) -> None:
    written(tmp_path / "journal", "by_reference")
    expansion = InputExpansion(INPUTS)
    assert expansion.left == [1_400, 1_800]
    slots = np.concatenate([expansion.expand(batch) for batch in read_slots(tmp_path / "journal")])
    assert expansion.left == [0, 0]
    heads = slots.view(HEAD_DTYPE)
    sequences = heads["sequence"][heads["message"] != message_numbers()["Continuation"]]
    assert sequences.tolist() == list(range(1, len(sequences) + 1))


def test_a_journal_of_other_rules_is_not_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "journal")
    monkeypatch.setattr(journal_source, "RULES_VERSION", RULES_VERSION + 1)
    with pytest.raises(
        JournalError,
        match=rf"written under rules version {RULES_VERSION}, this program has {RULES_VERSION + 1}; replay it with .*\(tests\)",
    ):
        JournalSource(tmp_path / "journal")


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    for open_it in (JournalReader, verify_journal, JournalSource):
        with pytest.raises(JournalError, match="nowhere"):
            open_it(tmp_path / "nowhere")
    (tmp_path / "00000001.seg").write_bytes(b"not a segment" * 100)
    with pytest.raises(JournalError, match=r"segment 1, offset 0|not a journal"):
        verify_journal(tmp_path)


def test_a_journal_that_exists_is_not_written_over(tmp_path: Path) -> None:
    written(tmp_path / "journal")
    with pytest.raises(JournalError, match="a journal is here already"):
        written(tmp_path / "journal")


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("durability", "always", 'durability is "always"; it must be strict, batch, interval, os or none'),
        ("content", "half", 'content is "half"; it must be full or by_reference'),
    ],
)
def test_settings_that_do_not_exist_are_refused(tmp_path: Path, field: str, value: Any, text: str) -> None:
    options: dict[str, Any] = {field: value}
    with pytest.raises(ConfigError, match=text):
        NewJournal(tmp_path / "journal", epoch=1, created_time=0, created_by="tests", **options)
    with pytest.raises(ConfigError, match="journal settings"):
        Node(journal=NewJournal(tmp_path / "journal", epoch=0, created_time=0, created_by="tests"))


def test_a_write_cut_short_is_told_from_damage_after_what_comes_before_it(tmp_path: Path) -> None:
    ran, _ = written(tmp_path / "journal")
    (segment,) = (tmp_path / "journal").glob("*.seg")
    whole = segment.read_bytes()

    def replay(node: Node) -> None:
        for slots in JournalSource(tmp_path / "journal"):
            node.run(slots, None, [])

    segment.write_bytes(whole[:-200])
    with pytest.raises(
        JournalError, match=r"segment 1, offset \d+, sequence \d+: the last write was cut short"
    ):
        replay(node := Node(mode="replay"))
    assert 1_000 < node.sequence <= ran.sequence
    assert verify_journal(tmp_path / "journal").torn is not None
    segment.write_bytes(whole[:5_000] + bytes([whole[5_000] ^ 1]) + whole[5_001:])
    with pytest.raises(
        JournalError, match=r"segment 1, offset \d+, sequence \d+: damaged, BODY_CHECKSUM_MUST_MATCH"
    ):
        replay(Node(mode="replay"))


@given(st.integers(0), st.integers(0, 7))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_is_found_wherever_it_is(tmp_path: Path, place: int, bit: int) -> None:
    path = tmp_path / "journal"
    if not path.exists():
        written(path)
    (segment,) = path.glob("*.seg")
    whole = segment.read_bytes()
    spoiled = bytearray(whole)
    spoiled[place % len(whole)] ^= 1 << bit
    segment.write_bytes(spoiled)
    try:
        with pytest.raises(JournalError, match=r"segment 1, offset \d+|version|not a journal"):
            verify_journal(path, require_closed=True)
    finally:
        segment.write_bytes(whole)


def test_records_wait_for_the_sync_before_their_events_are_given_out(tmp_path: Path) -> None:
    journal = NewJournal(
        tmp_path / "journal", epoch=1, created_time=0, created_by="tests", durability="batch"
    )
    node = new_node(journal=journal)
    node.run(bar_slots(3), 0, [])
    assert node.durable_sequence == node.sequence
    node.deposit_cash(1, 1, 1)
    node.end_run()  # applied, not committed
    assert node.durable_sequence < node.sequence
    node.commit()
    assert node.durable_sequence == node.sequence
