"""inspect, explain, diff, replay --to and the journal's verbs, as a shell sees them."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from openbell.journal import Selection
from openbell.runtime.history import open_history
from openbell.runtime.time_travel import state_at
from tests.cli.commands_here import openbell_here as openbell
from tests.cli.histories import canceled_together, exchange, wild_run


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two sessions of an exchange, one the beginning of the other, and two backtests."""
    place = tmp_path_factory.mktemp("histories")
    exchange(place / "morning")
    exchange(place / "day", rounds=2)
    wild_run(place / "runs", seed=11, bars=60)
    wild_run(place / "runs", seed=12, bars=60, journal="by_reference")
    return place


def told(place: Path, *arguments: object, code: int = 0) -> Any:
    done = openbell(*arguments, "--json", cwd=place)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def runs(place: Path) -> list[str]:
    return [one["digest"] for one in told(place, "runs")["runs"]]


# ---- the engine at a moment


def test_inspect_shows_what_was_there_after_a_record(place: Path) -> None:
    shown = told(place, "inspect", "morning", "--at", 18)
    assert shown["sequence"] == 18
    assert [row["cash"] for row in shown["accounts"]][:2] == ["1001507.75 USD", "998490.74225 USD"]
    assert [(row["account"], row["quantity"], row["fees"]) for row in shown["positions"]] == [
        ("1", "-15", "0.00 USD"),
        ("2", "15", "1.50775 USD"),
    ]
    (book,) = shown["books"]
    assert (book["ask"], book["ask quantity"], book["bid"]) == ("100.55", "15", "")
    assert shown["risk"] == [
        {"account": "2", "instrument": "every", "rule": "MAX_ORDER_QUANTITY", "value": "500"}
    ]
    assert told(place, "inspect", "morning", "--at", 17)["positions"] == []


def test_every_moment_has_the_state_of_a_run_that_ended_there(place: Path) -> None:
    history = open_history(place / "day")
    last = state_at(history).node.sequence
    assert last == 43
    hashes = [state_at(history, sequence).node.state_hash() for sequence in range(1, last + 1)]
    assert len(dict.fromkeys(hashes)) > last // 2
    shorter = open_history(place / "morning")
    ends = state_at(shorter).node.sequence
    assert [state_at(shorter, at).node.state_hash() for at in range(1, ends + 1)] == hashes[:ends]


def test_a_backtest_is_inspected_whether_its_journal_holds_the_data_or_points_at_it(place: Path) -> None:
    for run in runs(place)[:1]:
        shown = told(place, "inspect", run, "--at", 100)
        assert shown["time"].startswith("2022-01-")
        assert shown["accounts"]
    point_at = runs(place)[1]
    done = openbell("inspect", point_at, "--at", 100, cwd=place)
    assert done.returncode == 3  # the data was a frame in memory
    assert "frame in memory" in done.stderr


def test_replay_to_a_sequence_stops_there_and_replay_of_an_exchange_compares_its_hashes(place: Path) -> None:
    assert told(place, "replay", "day", "--to", 20) == {
        name: value
        for name, value in told(place, "inspect", "day", "--at", 20).items()
        if name in ("run", "sequence", "time", "state_hash", "output_hash")
    }
    done = openbell("replay", "day", cwd=place)
    assert "The same as in the journal: hashes compared up to sequence 43" in done.stdout


# ---- the life of an order


def life(place: Path, run: str, *arguments: object) -> Any:
    return told(place, "explain", run, *arguments)


def test_a_fill_is_told_with_its_counterparty_price_fee_and_cause(place: Path) -> None:
    resting = life(place, "morning", 16)
    assert resting["asked"] == "SELL 20 ACME at 100.55, LIMIT GTC"
    assert (resting["state"], resting["filled"], resting["average_price"]) == (
        "PARTIALLY FILLED",
        "5",
        "100.55",
    )
    fill = next(step for step in resting["steps"] if step["kind"] == "OrderFilled")
    assert fill["text"] == "sold 5 at 100.55 to account 2 (order 18), as maker, 15 left"
    assert fill["cause"].startswith("because of record 18: SubmitOrder instrument=ACME account=2")
    aggressor = life(place, "morning", 18)
    fills = [step["text"] for step in aggressor["steps"] if step["kind"] == "OrderFilled"]
    assert fills == [
        "bought 10 at 100.50 from account 1 (order 15), as taker, 5 left, fee 1.005 USD",
        "bought 5 at 100.55 from account 1 (order 16), as taker, filled, fee 0.50275 USD",
    ]
    assert aggressor["fees"] == "1.50775 USD"
    assert all(step["cause"] is None for step in aggressor["steps"])  # its own command is no other cause


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (19, "denied before the venue saw it: QUANTITY_MUST_NOT_EXCEED_LIMIT, limit 500, actual 501"),
        (20, "denied before the venue saw it: PRICE_MUST_BE_ON_TICK, limit 0.05, actual 100.02"),
        (27, "denied before the venue saw it: SHORT_MUST_BE_ALLOWED, limit 0, actual 1"),
        (28, "canceled with 3 unfilled: IMMEDIATE_OR_CANCEL_MUST_FILL_NOW, limit 0, actual 3"),
        (22, "has new terms: 9 at 99.95"),
        (23, "canceled with 4 unfilled: CANCELED_ON_REQUEST"),
    ],
)
def test_a_refusal_names_the_rule_with_limit_and_actual(place: Path, order: int, text: str) -> None:
    assert life(place, "morning", order)["steps"][-1]["text"] == text


def test_a_client_order_id_is_found_by_account_and_ambiguity_is_told(place: Path) -> None:
    assert life(place, "morning", 1, "--account", 3)["order_id"] == 27
    done = openbell("explain", "morning", 1, cwd=place)
    assert done.returncode == 3
    assert "several orders have this client_order_id" in done.stderr
    assert "15 (account 1, 2023-11-14T22:13:30Z), 18 (account 2" in done.stderr


def test_orders_of_a_strategy_name_what_it_answered_and_what_filled_them(place: Path) -> None:
    history = open_history(place / "runs" / sorted(path.name for path in (place / "runs").iterdir())[0])
    selection = Selection(messages=("SubmitOrder",))
    (first, *_) = (
        int(record)
        for slots in history.raw_batches()
        for record in slots.view("<u8").reshape(-1, 8)[selection.starts(slots, history.names()), 0]
    )
    told_life = life(place, runs(place)[0], first)
    assert told_life["sender"] == "participant 1"
    assert told_life["steps"][0]["cause"].startswith("sent on record ")
    by_client = life(place, runs(place)[0], told_life["client_order_id"])
    assert by_client == told_life


def test_who_took_an_order_back_with_others_is_said(tmp_path: Path) -> None:
    canceled_together(tmp_path / "day")
    said = [
        [step["text"] for step in life(tmp_path, "day", client, "--client")["steps"]] for client in (1, 2)
    ]
    assert "account 1 asked to cancel all SELL orders in ACME" in said[0], said[0]
    assert "somebody of no account asked to cancel all orders" in said[1], said[1]


# ---- two runs


def test_a_run_differs_from_itself_in_nothing(place: Path) -> None:
    same = told(place, "diff", "day", "day")
    assert same["same"] is True
    assert same["summary"] == "the same: 43 records, their events and the state at the end"


def test_the_beginning_of_a_run_is_told_apart_from_another_run(place: Path) -> None:
    found = told(place, "diff", "morning", "day", code=6)
    assert found["summary"] == "morning is the beginning of the other: 28 of 43 records, all the same"
    assert found["records"]["first"] == "nothing: it ends before"
    assert found["records"]["sequence"] == 29
    assert ["positions", "1 ACME", "quantity", "-15", "-30"] in found["states"]


def test_the_first_record_event_and_state_that_differ_are_said_in_words(place: Path, tmp_path: Path) -> None:
    wild_run(tmp_path / "runs", seed=11, bars=60)
    wild_run(tmp_path / "runs", seed=12, bars=60)
    first, second = sorted((tmp_path / "runs").iterdir())
    found = told(place, "diff", first, second, code=6)
    assert found["records"]["sequence"] == found["common_records"] + 1
    assert "SubmitOrder" in found["records"]["first"]
    assert found["records"]["first"] != found["records"]["second"]
    assert "OrderSubmitted" in found["events"]["first"]
    assert any(table == "accounts" and column == "cash" for table, _, column, *_ in found["states"])
    shown = openbell("diff", first, second, cwd=place)
    assert shown.returncode == 6
    assert "First record that differs" in shown.stdout


# ---- the journal's own verbs


def test_verify_tells_what_a_journal_holds_and_how_it_ends(place: Path, tmp_path: Path) -> None:
    check = told(place, "journal", "verify", "day")
    assert (check["end"], check["records"], check["last_sequence"]) == ("closed", 43, 43)
    assert check["state_hash"]["sequence"] == 43
    exchange(tmp_path / "open", close=False)
    assert told(place, "journal", "verify", tmp_path / "open")["end"] == "clean"
    assert openbell("journal", "verify", tmp_path / "open", "--closed", cwd=place).returncode == 5


def test_verify_tells_a_cut_write_and_damage_apart(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "day", tmp_path / "cut")
    segment = tmp_path / "cut" / "journal" / "00000001.seg"
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-70])
    assert told(place, "journal", "verify", tmp_path / "cut", code=8)["end"] == "torn"
    damaged = bytearray(whole)
    damaged[700] ^= 1
    segment.write_bytes(bytes(damaged))
    done = openbell("journal", "verify", tmp_path / "cut", cwd=place)
    assert done.returncode == 5
    assert re.search(r"segment 1.* offset 512.*CHECKSUM_MUST_MATCH", done.stderr), done.stderr


def test_dump_prints_every_field_in_words(place: Path) -> None:
    lines = openbell("journal", "dump", "morning", cwd=place).stdout.splitlines()
    assert len(lines) == 28
    assert lines[14].split(maxsplit=2)[2] == (
        'SubmitOrder instrument=ACME account=1 price=100.50 quantity=10 client_order_id=1 terms="SELL LIMIT GTC"'
    )
    assert "limit=MAX_ORDER_QUANTITY value=500" in lines[12]
    assert lines[23].endswith("ReplaceOrder account=2 client_order_id=4 price=99.95 quantity=9")


@pytest.mark.parametrize(
    ("arguments", "sequences"),
    [
        (["--from", 5, "--to", 7], [5, 6, 7]),
        (["--message", "replaceorder", "--message", "CancelOrder"], [24, 25, 26]),
        (["--account", 3], [10, 11, 27, 28]),
        (["--instrument", "BOLT"], [5, 27, 28]),
        (["--order", 22], [22, 24]),
        (["--order", 4], [22, 24]),
        (["--order", 16, "--from", 17], []),
        (["--account", 2, "--message", "SubmitOrder", "--to", 20], [18, 19, 20]),
    ],
)
def test_dump_filters(place: Path, arguments: list[Any], sequences: list[int]) -> None:
    done = openbell("journal", "dump", "morning", "--json", *arguments, cwd=place)
    assert [json.loads(line)["sequence"] for line in done.stdout.splitlines()] == sequences, done.stderr


def test_inspect_of_a_journal_shows_its_head_and_files(place: Path) -> None:
    shown = told(place, "journal", "inspect", "day")
    assert (shown["epoch"], shown["kind"], shown["created"]) == (7, "exchange", "2023-11-14T22:13:20Z")
    assert "00000001.seg" in [one["file"] for one in shown["files"]]


# ---- bad input


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["inspect", "absent"], 3, "no such run folder.*'absent'"),
        (
            ["inspect", "empty"],
            3,
            "empty: no journal here, found 'an empty directory', expected a run folder",
        ),
        (["journal", "verify", "other"], 3, "other: no journal here"),
        (["journal", "dump", "nonsense"], 5, "SEGMENT_HEADER_MUST_BE_VALID.*nothing was changed"),
        (["inspect", "day", "--at", 44], 3, "ends before this sequence, found 44, expected at most 43"),
        (["inspect", "day", "--at", 0], 3, "no such sequence.*found 0, expected 1 or more"),
        (["replay", "day", "--to", 99], 3, "ends before this sequence"),
        (["explain", "day", 777], 3, "no order in the journal has this order_id or client_order_id"),
        (["explain", "day", "x"], 2, "ORDER"),
        (["diff", "day", "latest"], 3, "different instruments: ACME, BOLT in day, ABC, KLM, XYZ in"),
        (["journal", "dump", "day", "--message", "Nothing"], 3, "no such message.*'Nothing'.*SubmitOrder"),
        (["journal", "dump", "day", "--from", 9, "--to", 3], 3, "comes after the last"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else None,
)
def test_bad_input_is_one_clear_line_and_touches_nothing(
    place: Path, arguments: list[Any], code: int, message: str
) -> None:
    (place / "empty").mkdir(exist_ok=True)
    (place / "other").mkdir(exist_ok=True)
    (place / "other" / "file.txt").write_text("x")
    (place / "nonsense" / "journal").mkdir(parents=True, exist_ok=True)
    (place / "nonsense" / "journal" / "00000001.seg").write_bytes(b"nonsense" * 200)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    done = openbell(*arguments, cwd=place)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before
