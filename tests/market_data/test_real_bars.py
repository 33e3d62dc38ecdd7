"""Real files against pandas, cell by cell."""

import io
import zipfile
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from openbell.market_data.read_bars import read_bars
from openbell.model.errors import InputError

FIELDS = ("open", "high", "low", "close", "volume")
PLAIN = {
    "ohlcv/backtesting_GOOG.csv": (2_148, None),
    "ohlcv/btc-perp-20211231-20220201_1m.csv": (45_031, "UTC"),
    "indicators/skender/quotes_bitcoin.csv": (1_246, None),
    "indicators/skender/quotes_compare.csv": (502, None),
    "indicators/skender/quotes_default.csv": (502, None),
    "indicators/skender/quotes_intraday.csv": (1_564, "America/New_York"),
    "indicators/skender/quotes_longest.csv": (15_821, None),
    "indicators/skender/quotes_longish.csv": (5_285, None),
    "indicators/skender/quotes_msft.csv": (8_111, None),
    "indicators/skender/quotes_spx.csv": (8_111, None),
}


def compare(series, frame, timezone):
    """Times equal pandas' own parsing; every number is the decimal written, within float noise where that is noted."""
    times = pd.to_datetime(frame.iloc[:, 0]).dt.tz_localize(timezone or "UTC").dt.tz_convert("UTC")
    order = np.argsort(times.to_numpy(), kind="stable")
    assert series.open_time.tolist() == times.dt.as_unit("ns").astype("int64").to_numpy()[order].tolist()
    noisy = any("float noise" in note or "rounded" in note for note in series.notes)
    for number, field in enumerate(FIELDS, start=1):
        unit = series.instrument.quantity_unit if field == "volume" else series.instrument.price_unit
        for text, units in zip(
            frame.iloc[:, number].to_numpy()[order], getattr(series, field).tolist(), strict=True
        ):
            difference = abs(units * unit - Decimal(text))
            assert difference <= (abs(Decimal(text)) * Decimal("1e-15") if noisy else 0)


@pytest.mark.parametrize("name", PLAIN)
def test_real_files_equal_what_pandas_reads(name, real_data):
    rows, timezone = PLAIN[name]
    path = real_data / name
    series = read_bars(path, timezone=timezone).series[0]
    assert len(series) == rows and series.skipped == 0
    compare(series, pd.read_csv(path, dtype=str, encoding="utf-8-sig"), timezone)


def test_lean_equities_are_read_from_their_zips(real_data):
    files = sorted((real_data / "ohlcv/lean").glob("daily_*.zip")) + sorted(
        (real_data / "ohlcv/lean").glob("hour_*.zip")
    )
    assert len(files) == 15
    for path in files:
        hourly = path.name.startswith("hour")
        series = read_bars(
            path, price_scale="0.0001", timezone="America/New_York" if hourly else None
        ).series[0]
        with zipfile.ZipFile(path) as archive:
            frame = pd.read_csv(io.BytesIO(archive.read(archive.namelist()[0])), header=None)
        assert len(series) == len(frame)
        for number, field in enumerate(FIELDS, start=1):
            scale = 1 if field == "volume" else 10_000
            assert (series.values(field) == frame[number].to_numpy() / scale).all()


def test_lean_quote_bars_are_read_by_naming_their_columns(real_data):
    path = real_data / "ohlcv/lean/oanda_daily_eurusd.zip"
    with pytest.raises(InputError, match="no usual layout of 11 columns"):
        read_bars(path)
    names = [
        "time",
        "open",
        "high",
        "low",
        "close",
        "bid size",
        "ask o",
        "ask h",
        "ask l",
        "ask c",
        "ask size",
    ]
    series = read_bars(path, columns=names, symbol="EURUSD")["EURUSD"]
    assert series.values("open")[0] == 1.31927 and str(series.instrument.tick) == "0.00001"


def test_lean_unadjusted_prices_show_their_splits(real_data):
    notes = read_bars(real_data / "ohlcv/lean/daily_aapl.zip", price_scale="0.0001").notes
    assert any(
        "2000-06-21" in n and "2005-02-28" in n and "2014-06-09" in n and "2020-08-31" in n for n in notes
    )
