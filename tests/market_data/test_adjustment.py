"""Back-adjustment by Adj Close, and the warning where prices look unadjusted."""

import numpy as np
import pytest

from openbell.market_data.read_bars import read_bars
from openbell.model.errors import InputError
from openbell.model.instrument import Instrument

SPLIT = """Date,Open,High,Low,Close,Adj Close,Volume
2022-01-03,100,101.5,99.25,101,25.25,1000
2022-01-04,101,102,100.5,101.75,25.4375,1100
2022-01-05,25.5,26,25,25.75,25.75,4800
"""


def test_adj_close_back_adjusts_by_default_and_says_so(write):
    series = read_bars(write(SPLIT)).series[0]
    assert series.adjustment == "back" and any("back-adjusted" in note for note in series.notes)
    assert series.values("open").tolist() == [25, 25.25, 25.5] and series.values("close").tolist() == [
        25.25,
        25.4375,
        25.75,
    ]
    assert str(series.instrument.tick) == "0.01" and str(series.instrument.price_unit) == "0.000001"
    assert series.volume.tolist() == [1000, 1100, 4800]
    assert not any("split" in note for note in series.notes)
    assert (series.open == read_bars(write(SPLIT), adjust="back").series[0].open).all()


def test_adjust_none_keeps_the_prices_and_warns_of_the_jump(write):
    series = read_bars(write(SPLIT), adjust="none").series[0]
    assert series.adjustment == "none" and series.values("open").tolist() == [100, 101, 25.5]
    assert any("unadjusted split at 2022-01-05 (x0.251)" in note for note in series.notes)
    assert "Adj Close is not used" in series.notes


def test_the_declared_tick_is_checked_before_adjusting_and_stays(write):
    declared = Instrument("ACME", tick="0.25", lot=1)
    series = read_bars(write(SPLIT), instrument=declared)["ACME"]
    assert series.instrument.tick == declared.tick and series.instrument.tick_declared
    assert series.values("close").tolist() == [25.25, 25.4375, 25.75]
    with pytest.raises(InputError, match="off the declared tick"):
        read_bars(write(SPLIT.replace("99.25", "99.26")), instrument=declared)


def test_adjust_back_requires_the_column(write):
    with pytest.raises(InputError, match="needs a column Adj Close"):
        read_bars(write(SPLIT.replace("Adj Close", "Other")), adjust="back")


def test_an_adj_close_equal_to_close_changes_nothing(write):
    lines = SPLIT.splitlines()
    same = "\n".join([lines[0], lines[3], lines[3].replace("01-05", "01-06")])
    series = read_bars(write(same)).series[0]
    assert series.adjustment == "none" and series.instrument.price_unit == series.instrument.tick
    assert "Adj Close equals Close: nothing to adjust" in series.notes


@pytest.mark.parametrize("bad", ["", "nan", "-1", "x"])
def test_a_bad_adj_close_is_named(bad, write):
    with pytest.raises(InputError) as caught:
        read_bars(write(SPLIT.replace("25.4375", bad)))
    assert (caught.value.row, caught.value.field) == (3, "adj_close")
    assert len(read_bars(write(SPLIT.replace("25.4375", bad)), adjust="none")) == 3


def test_rounding_never_puts_the_close_outside_the_bar(write):
    rng = np.random.default_rng(7)
    close = np.round(rng.uniform(1, 500, 2_000), 2)
    adj = np.round(close * rng.uniform(0.001, 1, 2_000), 6).clip(1e-6)
    days = np.datetime64("2000-01-01") + np.arange(2_000)
    rows = "".join(f"{d},{c},{c},{c},{c},{a},1\n" for d, c, a in zip(days, close, adj, strict=True))
    series = read_bars(write("Date,Open,High,Low,Close,Adj Close,Volume\n" + rows)).series[0]
    assert (series.high >= series.close).all() and (series.low <= series.close).all()
    assert np.allclose(series.values("close"), adj, rtol=0, atol=1e-9)


@pytest.mark.parametrize("ratio", [1.5, 2, 3, 4, 5, 7, 10, 20])
def test_split_sized_jumps_are_noticed_both_ways(ratio, write):
    for factor in (ratio, 1 / ratio):
        price = round(100 * factor * 1.02, 4)
        text = f"date,open,high,low,close\n2022-01-03,100,100,100,100\n2022-01-04,{price},{price},{price},{price}\n"
        assert any("unadjusted split" in note for note in read_bars(write(text)).series[0].notes)


@pytest.mark.parametrize("factor", [1.1, 0.9, 1.3, 0.55, 1.8, 2.5])
def test_other_jumps_are_left_alone(factor, write):
    price = round(100 * factor, 4)
    text = (
        f"date,open,high,low,close\n2022-01-03,100,100,100,100\n2022-01-04,{price},{price},{price},{price}\n"
    )
    assert not any("split" in note for note in read_bars(write(text)).series[0].notes)
