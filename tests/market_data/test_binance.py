"""What `read_binance` says about good, odd and broken captures."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from openbell.market_data.binance import read_binance
from openbell.model.errors import ConfigError, InputError
from openbell.model.instrument import Instrument

TIME = 1_723_161_255_000_000_000


def line(offset: int, message: object) -> str:
    return f"{TIME + offset} {json.dumps(message)}\n"


def snapshot(offset: int = 0, last: int = 10) -> str:
    return line(offset, {"lastUpdateId": last, "bids": [["100.10", "1.500"]], "asks": [["100.20", "2.000"]]})


def update(offset: int, first: int, last: int, symbol: str = "BTCUSDT") -> str:
    message = {
        "e": "depthUpdate",
        "E": 1723161255208,
        "s": symbol,
        "U": first,
        "u": last,
        "b": [["100.1", "0"]],
        "a": [],
    }
    return line(offset, {"stream": "x", "data": message})


def trade(offset: int, price: str = "100.20", symbol: str = "BTCUSDT") -> str:
    message = {
        "e": "trade",
        "E": 1723161255208,
        "T": 1723161255207,
        "s": symbol,
        "t": 1,
        "p": price,
        "q": "0.5",
        "m": False,
    }
    return line(offset, message)


GOOD = snapshot() + update(1, 11, 12) + trade(2)


@pytest.fixture
def capture(tmp_path: Path):
    def write(text: str | bytes, name: str = "capture.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def slots_of(source) -> np.ndarray:
    arrays = list(source.batches())
    assert all(array.dtype == np.uint8 and array.size % 64 == 0 for array in arrays)
    return np.concatenate(arrays).reshape(-1, 64)


def messages_of(source) -> list[int]:
    return [int(number) for number in slots_of(source).view(np.uint16)[:, 8]]


def error_of(path, **options) -> InputError:
    with pytest.raises(InputError) as raised:
        slots_of(read_binance(path, **options))
    return raised.value


def test_records_carry_local_time_instrument_and_source(capture):
    slots = np.concatenate(list(read_binance(capture(GOOD)).batches(instrument_id=5, source_id=9))).reshape(
        -1, 64
    )
    assert slots.view(np.uint16)[:, 8].tolist() == [67, 67, 67, 66]
    assert slots.view(np.uint64)[:, 1].tolist() == [TIME, TIME, TIME + 1, TIME + 2]
    assert set(slots.view(np.uint32)[:, 6].tolist()) == {5}
    assert set(slots.view(np.uint16)[:, 11].tolist()) == {9}


def test_plain_gzip_and_gzip_in_two_members_give_the_same_records(capture):
    half = len(GOOD) // 2
    members = gzip.compress(GOOD[:half].encode()) + gzip.compress(GOOD[half:].encode()) + bytes(16)
    expected = slots_of(read_binance(capture(GOOD)))
    for content in (gzip.compress(GOOD.encode()), members):
        assert np.array_equal(slots_of(read_binance(capture(content, "c.gz"))), expected)


def test_inputs_name_path_hash_and_decoder(capture):
    path = capture(gzip.compress(GOOD.encode()), "c.gz")
    (inferred,) = read_binance(path).inputs
    (declared,) = read_binance(path, instrument=Instrument("BTCUSDT", "USDT", tick="0.1", lot="0.001")).inputs
    assert inferred == declared
    assert (inferred.path, inferred.sha256, inferred.decoder) == (
        str(path),
        hashlib.sha256(path.read_bytes()).hexdigest(),
        "binance-1",
    )


def test_a_capture_cut_into_files_reads_as_one(capture):
    first, second = capture(snapshot() + update(1, 11, 12), "a"), capture(update(2, 13, 13), "b")
    source = read_binance([first, second])
    assert messages_of(source) == [67, 67, 67, 67]
    assert source.counts["gaps"] == 0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "the file is empty"),
        ("\n\n", "no market data in the file"),
        (GOOD + update(3, 13, 13)[:90], "row 4, field 'JSON': found a line cut off after"),
        (GOOD + trade(3, "abc"), "row 4, field 'p': found \"abc\", expected a decimal number"),
        (GOOD + trade(3).replace('"q": "0.5", ', ""), "row 4, field 'q': found no such field"),
        (GOOD + trade(1), "row 4, field 'local time': found 1723161255000000001, expected no time before"),
        (GOOD + trade(3, symbol="ETHUSDT"), 'row 4, field \'s\': found "ETHUSDT", expected "BTCUSDT"'),
        (GOOD + "date,open,high\n", "row 4, field 'local time': found \"date,open,high\""),
        (update(0, 1, 2), "no snapshot up to the end of the data"),
        (GOOD.replace("BTCUSDT", "BTCXYZ"), "the currency of BTCXYZ is not known"),
        (GOOD.replace("BTCUSDT", "BTCUSD_PERP"), "the currency of BTCUSD_PERP is not known"),
        (line(0, {"result": None, "id": 1}), "no market data in the file"),
        (trade(0, "0.0000000001"), "expected at most 9 digits after the point"),
    ],
)
def test_a_broken_capture_gets_one_error_that_names_the_place(capture, text, wanted):
    path = capture(text)
    error = error_of(path)
    assert wanted in str(error)
    assert str(error).startswith(str(path))
    assert error.exit_code == 3


def test_gzip_that_ends_early_or_is_damaged_is_an_error(capture):
    text = GOOD + "".join(trade(3 + n, f"{100 + n * n % 97}.20") for n in range(2_000))
    whole = gzip.compress(text.encode())
    instrument = Instrument("BTCUSDT", "USDT", tick="0.1", lot="0.1", quantity_unit="0.1")
    for options in ({}, {"instrument": instrument}):
        assert "the gzip data ends early" in str(error_of(capture(whole[:-12], "cut.gz"), **options))
    broken = bytearray(whole)
    broken[len(broken) // 2] ^= 0xFF
    assert "damaged gzip" in str(error_of(capture(bytes(broken), "bad.gz")))


def test_a_missing_file_is_an_input_error(tmp_path):
    for options in ({}, {"instrument": Instrument("BTCUSDT", "USDT", tick="0.1", lot="0.1")}):
        assert "cannot be read: No such file" in str(error_of(tmp_path / "none.gz", **options))


def test_a_price_off_the_declared_unit_names_the_line(capture):
    instrument = Instrument("BTCUSDT", "USDT", tick="0.5", lot="0.1")
    error = error_of(capture(GOOD), instrument=instrument)
    assert (error.row, error.field, error.expected) == (1, "bids[0].price", "a multiple of 0.5")


def test_a_file_that_changed_after_opening_is_refused(capture):
    source = read_binance(capture(GOOD))
    capture(GOOD + trade(3))
    with pytest.raises(InputError, match="the file changed since it was opened"):
        list(source.batches())


def test_lenient_reading_counts_what_it_left_out_and_says_so(capture):
    text = GOOD + update(3, 13, 13)[:90] + "\n" + trade(4, "x") + trade(1) + update(5, 15, 15)
    source = read_binance(capture(text), lenient=True)
    assert 68 in messages_of(source)
    assert {note.partition(": ")[2] for note in source.notes[1:]} == {
        "1 lines skipped or mended: json",
        "1 lines skipped or mended: bad_field",
        "1 lines skipped or mended: time_steps_back",
        "1 gaps in the depth updates; the book is not trusted until the next snapshot",
    }


def test_messages_of_other_streams_are_counted_by_kind(capture):
    kline = line(3, {"e": "kline", "E": 1, "s": "BTCUSDT", "k": {"o": "1"}})
    source = read_binance(capture(GOOD + kline + kline))
    slots_of(source)
    assert "BTCUSDT: 2 messages not used: kline" in source.notes


def test_a_symbol_picks_its_messages_and_one_that_is_not_there_is_an_error(capture):
    path = capture(trade(0) + trade(1, "7.5", "ETHUSDT"))
    source = read_binance(path, symbol="ETHUSDT")
    assert messages_of(source) == [66]
    assert str(source.instruments[0].tick) == "0.1"
    assert "no market data of XRPUSDT" in str(error_of(path, symbol="XRPUSDT"))
    declared = Instrument("XRPUSDT", "USDT", tick="0.1", lot="0.1")
    assert "no market data of XRPUSDT in 2 lines" in str(error_of(path, instrument=declared))


def test_start_must_lie_before_end(capture):
    with pytest.raises(ConfigError, match="is not before end"):
        read_binance(capture(GOOD), start="2024-01-02", end="2024-01-01")
