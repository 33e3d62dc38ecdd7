"""`read_binance`: raw captures of Binance as records for the engine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openbell.kernel.codec import BinanceDecoder, BinanceUnitScan, DecodeError
from openbell.market_data.bars import InputFile
from openbell.market_data.capture_bytes import capture_bytes
from openbell.model.errors import ConfigError, InputError
from openbell.model.instrument import Instrument
from openbell.model.time import to_ns

Slots = NDArray[np.uint8]
CapturePath = str | os.PathLike[str]

DECODER = "binance-1"

# Quote currencies of Binance; where one ends in another the longer stands first.
# fmt: off
_QUOTES = (
    "FDUSD", "BUSD", "TUSD", "USDT", "USDC", "USDP", "USD1", "DAI", "BTC", "ETH", "BNB", "EUR", "GBP", "AUD", "BRL", "TRY",
    "JPY", "RUB", "UAH", "ZAR", "PLN", "RON", "ARS", "MXN", "CZK", "IDR", "COP", "NGN", "XRP", "TRX", "DOGE", "DOT", "SOL",
    "VAI", "BIDR", "IDRT", "USD",
)
# fmt: on


class BinanceSource:
    """Raw Binance captures as records: depth snapshots, depth diffs, trades and best quotes of one instrument.

    `instruments` has the one instrument, `inputs` the files with their SHA-256, `notes` what was inferred and, once the
    records were read, what was left out and why. `counts` are the decoder's figures of the last reading.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        instrument: Instrument,
        inputs: Sequence[InputFile],
        *,
        symbol: str,
        lenient: bool = False,
        start: int = 0,
        end: int | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.instruments: tuple[Instrument, ...] = (instrument,)
        self.inputs: tuple[InputFile, ...] = tuple(inputs)
        self.counts: dict[str, int] = {}
        self._paths = tuple(paths)
        self._symbol = symbol
        self._lenient = lenient
        self._start, self._end = start, end
        self._inferred = tuple(notes)
        self._left_out: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was inferred; and, after `batches()` has ended, what was left out."""
        return self._inferred + self._left_out

    def batches(self, *, instrument_id: int = 1, source_id: int = 0) -> Iterator[Slots]:
        """Yield the records in order of local time, as arrays of slots (uint8, 64 bytes a slot), a few MB each.

        A record never spans two arrays; its time is the local time of its line. `instrument_id` and `source_id` go into
        the heads. Each call reads the files anew. Raises InputError naming file, line, field, what was found and what
        was expected; also where a file changed since it was opened, or holds nothing of the symbol.
        """
        (instrument,) = self.instruments
        decoder = BinanceDecoder(
            price_unit_nano=instrument.price_unit_nano,
            quantity_unit_nano=instrument.quantity_unit_nano,
            instrument=instrument_id,
            source=source_id,
            symbol=self._symbol,
            lenient=self._lenient,
            start=self._start,
            end=self._end,
        )
        for path, file in zip(self._paths, self.inputs, strict=True):
            yield from _decoded(decoder, path, file)
            if decoder.ended:
                break
        try:
            decoder.finish()
        except DecodeError as error:
            raise _input_error(error, self._paths[-1]) from None
        self._close(decoder)

    def _close(self, decoder: BinanceDecoder) -> None:
        self.counts = decoder.counts()
        self._left_out = tuple(_left_out(decoder))
        if self.counts["records"] == 0:
            raise InputError(
                f"no market data of {self._symbol} in {self.counts['lines']:,} lines ({'; '.join(self._left_out)})",
                source=self._paths[0],
                expected="depth snapshots, depth updates, trades or best quotes within start and end",
            )

    def __repr__(self) -> str:
        return f"<BinanceSource {self._symbol} from {', '.join(path.name for path in self._paths)}>"


def read_binance(
    path: CapturePath | Sequence[CapturePath],
    *,
    symbol: str | None = None,
    instrument: Instrument | None = None,
    lenient: bool = False,
    start: Any = None,
    end: Any = None,
) -> BinanceSource:
    """Open raw captures of Binance spot or futures: lines of `<local time in ns> <JSON>`, plain or gzip.

    path: one file, or several that follow each other in time; the book goes on from one to the next.
    symbol: which symbol to take; without it the files must hold one only (or that of `instrument`).
    instrument: units and rules. A price or quantity off its units is an error. Without one it is inferred from a first
        reading (tick and lot = the finest decimals seen) and noted.
    lenient: count lines that cannot be used instead of raising at the first.
    start, end: give out records with start <= local time < end; the book begins as it stands at `start`.

    The REST depth snapshot must be among the lines: updates before it are held, those it contains dropped, a missing
    one becomes a FeedGapObserved. Raises InputError naming file, line, field, what was found and what was expected.
    """
    paths = _paths(path)
    wanted = symbol or (instrument.symbol if instrument is not None else None)
    notes: tuple[str, ...] = ()
    if instrument is None:
        inputs, scan = _scanned(paths, wanted, lenient)
        instrument = _inferred(scan, wanted, paths[0])
        wanted = scan.symbol
        notes = (_inferred_note(instrument),)
    else:
        inputs = [InputFile(str(one), _sha256(one), DECODER) for one in paths]
    first, last = (None if time is None else to_ns(time) for time in (start, end))
    if first is not None and last is not None and first >= last:
        raise ConfigError(f"start {start} is not before end {end}")
    return BinanceSource(
        paths,
        instrument,
        inputs,
        symbol=wanted or instrument.symbol,
        lenient=lenient,
        start=max(first or 0, 0),
        end=None if last is None else max(last, 0),
        notes=notes,
    )


def _paths(path: CapturePath | Sequence[CapturePath]) -> tuple[Path, ...]:
    paths = (Path(path),) if isinstance(path, (str, os.PathLike)) else tuple(Path(one) for one in path)
    if not paths:
        raise InputError("no file given", expected="at least one capture")
    return paths


def _sha256(path: Path) -> str:
    """SHA-256 of the file's bytes. Gunzips nothing, so that opening stays cheap; damage shows on reading."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"the file cannot be read: {error.strerror or error}", source=path, expected="a capture"
        ) from error


def _scanned(
    paths: Sequence[Path], symbol: str | None, lenient: bool
) -> tuple[list[InputFile], BinanceUnitScan]:
    scan, inputs = BinanceUnitScan(symbol=symbol, lenient=lenient), []
    for path in paths:
        digest = hashlib.sha256()
        try:
            for piece in capture_bytes(path, digest.update):
                scan.feed(piece)
            scan.finish_file()
        except DecodeError as error:
            raise _input_error(error, path) from None
        inputs.append(InputFile(str(path), digest.hexdigest(), DECODER))
    return inputs, scan


def _inferred(scan: BinanceUnitScan, wanted: str | None, path: Path) -> Instrument:
    name = scan.symbol
    if not name or scan.price_decimals is None or scan.quantity_decimals is None:
        of_symbol = f" of {wanted}" if wanted else ""
        raise InputError(
            f"no market data{of_symbol} in the file",
            source=path,
            expected="depth updates, trades or best quotes as Binance sends them",
        )
    quote = _quote_currency(name)
    if quote is None:
        raise InputError(
            f"the currency of {name} is not known",
            source=path,
            field="s",
            value=name,
            expected=f"instrument=Instrument({name!r}, currency=...) to say it",
        )
    tick, lot = (Decimal(1).scaleb(-decimals) for decimals in (scan.price_decimals, scan.quantity_decimals))
    return Instrument(name, quote, tick=tick, lot=lot, tick_declared=False)


def _quote_currency(symbol: str) -> str | None:
    """The currency a symbol is priced in. Futures add `_PERP` or a date; those priced in USD settle in their coin (an
    inverse contract, whose value is no price x quantity), so nothing is inferred for them.
    """
    pair, contract, _ = symbol.partition("_")
    quote = next((quote for quote in _QUOTES if pair.endswith(quote) and pair != quote), None)
    return None if contract and quote == "USD" else quote


def _inferred_note(instrument: Instrument) -> str:
    return (
        f"{instrument.symbol}: currency {instrument.currency}, tick {instrument.tick:f}, lot {instrument.lot:f} inferred "
        "(the finest decimals in the data)"
    )


def _decoded(decoder: BinanceDecoder, path: Path, file: InputFile) -> Iterator[Slots]:
    """The records of one file, which must still be the file that was opened."""
    digest = hashlib.sha256()
    try:
        for piece in capture_bytes(path, digest.update):
            slots = decoder.decode(piece)
            if slots.size:
                yield slots
            if decoder.ended:
                return
        slots = decoder.finish_file()
        if slots.size:
            yield slots
    except DecodeError as error:
        raise _input_error(error, path) from None
    if digest.hexdigest() != file.sha256:
        raise InputError(
            "the file changed since it was opened",
            source=path,
            field="SHA-256",
            value=digest.hexdigest(),
            expected=file.sha256,
        )


def _input_error(error: DecodeError, path: Path) -> InputError:
    line, field, found, expected = error.args
    return InputError(f"found {found}", source=path, row=line, field=field, expected=expected)


def _left_out(decoder: BinanceDecoder) -> Iterator[str]:
    """What a reader must know about the messages that gave no records."""
    symbol, counts = decoder.symbol, decoder.counts()
    for kind, count in decoder.unused().items():
        yield f"{symbol}: {count:,} messages not used: {kind}"
    for defect, count in decoder.skipped().items():
        yield f"{symbol}: {count:,} lines skipped or mended: {defect}"
    if counts["other_symbol"]:
        yield f"{symbol}: {counts['other_symbol']:,} messages of other symbols left out"
    if counts["gaps"]:
        yield f"{symbol}: {counts['gaps']:,} gaps in the depth updates; the book is not trusted until the next snapshot"
    if counts["stale_updates"]:
        yield f"{symbol}: {counts['stale_updates']:,} depth updates were already in the book"
