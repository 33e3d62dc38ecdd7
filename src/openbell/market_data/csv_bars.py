"""CSV files as tables: plain, gzip, zstd or zip, with or without a header. Every cell stays the text it was."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from openbell.market_data.bar_table import BarTable
from openbell.market_data.bars import InputFile
from openbell.model.errors import InputError

if TYPE_CHECKING:
    import polars as pl

DECODER = "csv-1"
_DELIMITERS = ",;\t|"
_ZSTD_MAGIC, _ZIP_MAGIC = b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_WRONG_COUNT = "wrong number of fields"


def read_csv(data: bytes, source: str, input_file: InputFile, symbol: str, lenient: bool) -> BarTable:
    """Return the table in `data`. Raises InputError where it is damaged, not UTF-8, empty or has rows of unequal length."""
    text = _text(_plain(data, source), source)
    lines = text.split("\n", 3)
    if not text.strip():
        raise InputError("empty file", source=source, expected="a header and rows of bars")
    delimiter = max((_delimiter(line) for line in lines[:3] if line.strip()), key=text.count)
    if _is_yahoo(lines, delimiter):
        return _read_yahoo(text, delimiter, source, input_file, symbol, lenient)
    header_rows, names, width = _header(text, delimiter)
    frame, row_of, skipped = _body(text, delimiter, header_rows, width, source, lenient)
    return BarTable(frame, names, source, input_file, symbol, row_of=row_of, skipped=skipped)


def _plain(data: bytes, source: str) -> bytes:
    """The bytes uncompressed, by what they begin with and not by the name."""
    if data[:2] != b"\x1f\x8b" and data[:4] not in (_ZSTD_MAGIC, _ZIP_MAGIC):
        return data
    import gzip
    import zipfile
    import zlib

    try:
        if data[:2] == b"\x1f\x8b":
            return gzip.decompress(data)
        return _zstd(data) if data[:4] == _ZSTD_MAGIC else _zip(data, source)
    except EOFError as error:
        raise InputError("compressed file ends early", source=source, expected="a complete file") from error
    except (OSError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(
            f"compressed file is damaged or ends early ({error})", source=source, expected="a complete file"
        ) from error


def _zstd(data: bytes) -> bytes:
    """Polars brings zstd along: read lines as one column, with a separator that no CSV holds."""
    import polars as pl

    lines = pl.read_csv(
        data,
        has_header=False,
        separator="\x01",
        quote_char=None,
        schema={"line": pl.String},
        raise_if_empty=False,
    )
    return "\n".join(line or "" for line in lines.to_series().to_list()).encode()


def _zip(data: bytes, source: str) -> bytes:
    import zipfile

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [
            entry.filename
            for entry in archive.infolist()
            if not entry.is_dir() and not entry.filename.startswith("__MACOSX")
        ]
        if len(names) != 1:
            raise InputError(
                f"zip holds {len(names)} files",
                source=source,
                value=", ".join(names[:5]),
                expected="exactly one",
            )
        return archive.read(names[0])


def _text(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        found = data[error.start : error.start + 4].hex(" ")
        raise InputError(
            "not UTF-8 text", source=source, row=row, value=f"bytes {found}", expected="CSV in UTF-8"
        ) from error


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=lambda sign: (line.count(sign), -_DELIMITERS.index(sign)))


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank with the line each ends on: slow and exact, for the header and for errors."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for record in reader:
            if record and any(cell.strip() for cell in record):
                yield reader.line_num, record
    except csv.Error as error:
        raise InputError(f"broken CSV ({error})", row=reader.line_num) from error


def _header(text: str, delimiter: str) -> tuple[int, tuple[str, ...] | None, int]:
    """Return the lines before the data, the names in the header (None without one) and the number of columns."""
    records = _records(text, delimiter)
    before = 0
    line, first = next(records)
    if len(first) == 1 and first[0].startswith(("http://", "https://")):  # CryptoDataDownload signs its files
        before = line
        line, first = next(records, (line, first))
    if _looks_like_bars(first):
        return before, None, len(first)
    return line, tuple(cell.strip().strip("<>") for cell in first), len(first)


def _looks_like_bars(cells: Sequence[str]) -> bool:
    numbers = [cell for cell in cells[1:] if re.fullmatch(r"\s*[+-]?\d+(\.\d*)?([eE][+-]?\d+)?\s*", cell)]
    return len(numbers) >= 4 and bool(re.match(r"\s*\d", cells[0]))


def _body(
    text: str, delimiter: str, header_rows: int, width: int, source: str, lenient: bool
) -> tuple[pl.DataFrame, _RowOf, Counter[str]]:
    import polars as pl

    schema = {f"c{i}": pl.String for i in range(width)}
    body = text
    for _ in range(header_rows):
        body = body[body.index("\n") + 1 :] if "\n" in body else ""
    try:
        frame = pl.read_csv(
            io.BytesIO(body.encode()),
            has_header=False,
            schema=schema,
            separator=delimiter,
            raise_if_empty=False,
        )
        whole = frame.to_series(width - 1).null_count() == 0
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        whole = False
    if whole:
        return frame, _RowOf(text, delimiter, header_rows), Counter()
    return _body_row_by_row(text, delimiter, header_rows, width, source, lenient)


def _body_row_by_row(
    text: str, delimiter: str, header_rows: int, width: int, source: str, lenient: bool
) -> tuple[pl.DataFrame, _RowOf, Counter[str]]:
    """The same with blank lines left out and rows of unequal length found."""
    import polars as pl

    rows: list[list[str | None]] = []
    lines: list[int] = []
    skipped: Counter[str] = Counter()
    for line, record in _records(text, delimiter):
        if line <= header_rows:
            continue
        if len(record) == width:
            rows.append([cell or None for cell in record])
            lines.append(line)
        elif lenient:
            skipped[_WRONG_COUNT] += 1
        else:
            raise InputError(
                _WRONG_COUNT,
                source=source,
                row=line,
                value=delimiter.join(record)[:80],
                expected=f"{width} fields, as in the first row; {len(record)} are there",
            )
    schema = {f"c{i}": pl.String for i in range(width)}
    return (
        pl.DataFrame(rows, schema=schema, orient="row"),
        _RowOf(text, delimiter, header_rows, lines),
        skipped,
    )


class _RowOf:
    """Turns the index of a data row into its line in the file; counted only when an error asks."""

    __slots__ = ("delimiter", "header_rows", "lines", "text")

    def __init__(self, text: str, delimiter: str, header_rows: int, lines: list[int] | None = None) -> None:
        self.text, self.delimiter, self.header_rows, self.lines = text, delimiter, header_rows, lines

    def __call__(self, index: int) -> int:
        if self.lines is None:
            self.lines = [line for line, _ in _records(self.text, self.delimiter) if line > self.header_rows]
        return self.lines[index]


def _is_yahoo(lines: Sequence[str], delimiter: str) -> bool:
    """yfinance writes three header lines: Price, Ticker, then Date alone."""
    return (
        len(lines) > 2
        and lines[0].startswith("Price" + delimiter)
        and lines[1].startswith("Ticker" + delimiter)
    )


def _read_yahoo(
    text: str, delimiter: str, source: str, input_file: InputFile, symbol: str, lenient: bool
) -> BarTable:
    lines = text.split("\n", 3)
    names = lines[0].split(delimiter)
    tickers = {ticker for ticker in lines[1].split(delimiter)[1:] if ticker}
    if len(tickers) != 1:
        raise InputError(
            f"this yfinance file holds {len(tickers)} tickers",
            source=source,
            row=2,
            value=", ".join(sorted(tickers)),
            expected="one ticker, or the frame itself",
        )
    named_time = lines[2].split(delimiter)[0] or "Date"
    frame, row_of, skipped = _body(text, delimiter, 3, len(names), source, lenient)
    return BarTable(
        frame, (named_time, *names[1:]), source, input_file, tickers.pop(), row_of=row_of, skipped=skipped
    )
