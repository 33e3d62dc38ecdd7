"""The proof on real captures: snapshot plus depth diffs give the book that Binance itself published as bookTicker."""

from __future__ import annotations

import gzip
import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from openbell.kernel.codec import Depth
from openbell.market_data.binance import BinanceSource, read_binance
from openbell.model.errors import InputError

pytestmark = pytest.mark.data

USDM = "usdm_btcusdt_20240808.gz"
SPOT = ("spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz")

Best = tuple[Decimal, Decimal, Decimal, Decimal]


@pytest.fixture
def captures(real_data: Path) -> Path:
    folder = real_data / "crypto" / "hftbacktest"
    if not folder.is_dir():
        pytest.skip(f"{folder} does not exist; OPENBELL_DATA must hold the Binance captures")
    return folder


def published(paths: Sequence[Path]) -> Iterator[tuple[int, Best]]:
    """Every bookTicker of the files, by Python's own JSON and Decimal: nothing of ours is in the way."""
    for path in paths:
        with gzip.open(path, "rt") as lines:
            for line in lines:
                data = json.loads(line.partition(" ")[2]).get("data", {})
                if "B" in data:
                    yield (
                        data["u"],
                        (Decimal(data["b"]), Decimal(data["B"]), Decimal(data["a"]), Decimal(data["A"])),
                    )


def rebuilt(source: BinanceSource) -> list[tuple[int, Best]]:
    """The best bid and ask after every depth message, with the update id it ends at."""
    (instrument,) = source.instruments
    depth = Depth()
    rows = np.concatenate([depth.best_after_each(slots) for slots in source.batches()])
    price, quantity = instrument.price, instrument.quantity
    return [
        (row[0], (price(row[1]), quantity(row[2]), price(row[3]), quantity(row[4]))) for row in rows.tolist()
    ]


@pytest.mark.parametrize(
    ("names", "at_least"), [((USDM,), 620), (SPOT, 1_060)], ids=["usdm", "spot-two-days"]
)
def test_the_rebuilt_book_equals_book_ticker_at_every_common_update_id(captures, names, at_least, capsys):
    paths = [captures / name for name in names]
    source = read_binance(paths)
    oracle = dict(published(paths))
    books = rebuilt(source)
    common = [(update_id, best) for update_id, best in books if update_id in oracle]
    different = [update_id for update_id, best in common if best != oracle[update_id]]
    with capsys.disabled():
        print(
            f"\n{' + '.join(names)}: {len(common)} common update ids compared, {len(different)} different; "
            f"{source.counts['gaps']} gaps in {source.counts['depth_updates']} updates"
        )
    assert different == []
    assert len(common) >= at_least
    assert source.counts["gaps"] == 0


def test_between_common_ids_the_book_equals_the_last_book_ticker_before(captures, capsys):
    """On futures every change of the best is published, so the last bookTicker holds until the next one."""
    path = captures / USDM
    tickers = list(published([path]))
    ids = [update_id for update_id, _ in tickers]
    compared = different = 0
    for update_id, best in rebuilt(read_binance(path)):
        last = bisect_right(ids, update_id) - 1
        if last >= 0:
            compared += 1
            different += best != tickers[last][1]
    with capsys.disabled():
        print(f"\n{USDM}: {compared} books compared with the last bookTicker, {different} different")
    assert different == 0
    assert compared >= 6_500


def without_one_update(path: Path, to: Path, number: int) -> None:
    """Copy a capture without its `number`-th depth update."""
    with gzip.open(path, "rt") as lines, gzip.open(to, "wt", compresslevel=1) as out:
        seen = 0
        for line in lines:
            if '"e":"depthUpdate"' in line:
                seen += 1
                if seen == number:
                    continue
            out.write(line)


@pytest.mark.parametrize("name", [USDM, SPOT[0]])
@pytest.mark.parametrize("number", [100, 2_000])
def test_a_removed_depth_update_is_noticed_as_exactly_one_gap(captures, tmp_path, name, number):
    cut = tmp_path / name
    without_one_update(captures / name, cut, number)
    source = read_binance(cut)
    kinds = np.concatenate([slots.view(np.uint16)[8::32] for slots in source.batches()])
    assert source.counts["gaps"] == 1
    assert np.count_nonzero(kinds == 68) == 1  # FeedGapObserved
    assert any("1 gaps in the depth updates" in note for note in source.notes)


def test_the_second_spot_day_alone_is_refused_for_it_has_no_snapshot(captures):
    with pytest.raises(InputError, match="no snapshot up to the 1024th update"):
        rebuilt(read_binance(captures / SPOT[1]))


def test_a_start_inside_the_capture_shows_the_same_books_from_there(captures):
    path = captures / USDM
    whole = dict(rebuilt(read_binance(path)))
    late = rebuilt(read_binance(path, start="2024-08-08T23:57:00Z", end="2024-08-08T23:58:00Z"))
    assert len(late) > 500
    assert all(whole[update_id] == best for update_id, best in late)


def test_units_are_inferred_as_the_finest_decimals_and_noted(captures):
    usdm, spot = read_binance(captures / USDM), read_binance(captures / SPOT[0])
    figures = [
        (one.symbol, one.currency, str(one.tick), str(one.lot), one.tick_declared)
        for one in (*usdm.instruments, *spot.instruments)
    ]
    assert figures == [
        ("BTCUSDT", "USDT", "0.1", "0.001", False),
        ("BTCUSDT", "USDT", "0.01", "0.000001", False),  # levels are finer than Binance's lot
    ]
    assert "inferred" in usdm.notes[0]
