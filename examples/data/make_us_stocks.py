"""Make us_stocks_daily.parquet from the stock prices that the package bokeh_sampledata carries.

    pip install --no-deps bokeh_sampledata==2026.1
    python examples/data/make_us_stocks.py

Reads the packaged stocks.csv.gz, checks that it is the one this was written for, undoes the splits inside the period
(prices divided, volume multiplied, exactly) and writes symbol, date, open, high, low, close, volume. Running it again gives
the same table; README.md beside it says where the figures come from.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl

SHA256 = "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd"
TARGET = Path(__file__).with_name("us_stocks_daily.parquet")
PRICES = ("open", "high", "low", "close")

# Two new shares for one, from the first day at the new price.
SPLITS = (
    ("AAPL", date(2000, 6, 21), 2),
    ("AAPL", date(2005, 2, 28), 2),
    ("MSFT", date(2003, 2, 18), 2),
)


def packaged_file() -> Path:
    """Return the file inside the installed package, found without importing it (its imports would need pandas)."""
    spec = importlib.util.find_spec("bokeh_sampledata")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("bokeh_sampledata is missing: pip install --no-deps bokeh_sampledata==2026.1")
    return Path(spec.submodule_search_locations[0]) / "_data" / "stocks.csv.gz"


def read(path: Path) -> pl.DataFrame:
    """Return the source as text, so that no price passes through a float before it is divided."""
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise SystemExit(
            f"{path}: SHA-256 {found}, expected {SHA256}; this release carries other figures, check them first"
        )
    frame = pl.read_csv(io.BytesIO(data), infer_schema=False)
    return frame.select(
        pl.col("Ticker").alias("symbol"),
        pl.col("Date").str.to_date("%Y-%m-%d").alias("date"),
        *(pl.col(name.title()).alias(name) for name in PRICES),
        pl.col("Volume").cast(pl.Int64).alias("volume"),
    )


def split_factor(symbol: str, day: date) -> int:
    """Return how many of today's shares one share of that day became."""
    factor = 1
    for split_symbol, first_day, ratio in SPLITS:
        if symbol == split_symbol and day < first_day:
            factor *= ratio
    return factor


def adjusted(frame: pl.DataFrame) -> pl.DataFrame:
    """Return prices divided and volumes multiplied by the splits that followed."""
    factors = [split_factor(symbol, day) for symbol, day in frame.select("symbol", "date").iter_rows()]
    columns = {
        name: [float(Decimal(text) / factor) for text, factor in zip(frame[name], factors, strict=True)]
        for name in PRICES
    }
    volume = [count * factor for count, factor in zip(frame["volume"], factors, strict=True)]
    return frame.with_columns(
        *(pl.Series(name, values) for name, values in columns.items()), volume=pl.Series(volume)
    )


def main() -> None:
    frame = adjusted(read(packaged_file())).sort("symbol", "date")
    frame.write_parquet(TARGET, compression="zstd", compression_level=19)
    print(f"{TARGET.name}: {frame.height:,} rows, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
