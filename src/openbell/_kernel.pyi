"""The compiled engine. Import it through openbell.kernel only."""

from typing import final

import numpy as np
from numpy.typing import NDArray

class DecodeError(ValueError):
    """A line of input that cannot be used. `args` is (line, field, found, expected); lines count from 1."""

@final
class BinanceDecoder:
    """Decodes raw Binance captures (`<local time in ns> <JSON>` per line) into records, incrementally.

    Prices and quantities count `price_unit_nano` and `quantity_unit_nano` (units in 10^-9). With `symbol`, messages of
    others are counted and left out; without it a second symbol is an error. Records with start <= local time < end are
    given out, beginning with the book as it stands at `start`. `lenient` counts lines that cannot be used.
    """

    def __new__(
        cls,
        *,
        price_unit_nano: int,
        quantity_unit_nano: int,
        instrument: int = 1,
        source: int = 0,
        symbol: str | None = None,
        lenient: bool = False,
        start: int = 0,
        end: int | None = None,
    ) -> BinanceDecoder: ...
    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """Return the slots (64 bytes each) of the lines that end in `data`; the GIL is released meanwhile.

        Raises DecodeError at the first line that cannot be used, unless lenient.
        """

    def finish_file(self) -> NDArray[np.uint8]:
        """End one file: return the slots of a last line without line feed. The book goes on into the next file."""

    def finish(self) -> None:
        """End the last file. Raises DecodeError where depth updates came without any snapshot, unless lenient."""

    @property
    def symbol(self) -> str:
        """The symbol decoded; empty before the first message."""

    @property
    def ended(self) -> bool:
        """True once a line at or after `end` has come."""

    def counts(self) -> dict[str, int]:
        """Return what was seen: lines, records, snapshots, depth_updates, levels, trades, quotes, gaps and so on."""

    def unused(self) -> dict[str, int]:
        """Return valid messages that are not decoded, by kind."""

    def skipped(self) -> dict[str, int]:
        """Return lines that lenient decoding left out, by defect."""

@final
class BinanceUnitScan:
    """Reads a capture once to find the finest decimals of its prices and quantities, trailing zeros left out."""

    def __new__(cls, *, symbol: str | None = None, lenient: bool = False) -> BinanceUnitScan: ...
    def feed(self, data: bytes) -> None:
        """Look at the lines that end in `data`. Raises DecodeError at the first unusable one, unless lenient."""

    def finish_file(self) -> None:
        """End one file."""

    @property
    def symbol(self) -> str:
        """First symbol seen; empty when there was none."""

    @property
    def price_decimals(self) -> int | None:
        """Most digits after the point of a price; None before the first."""

    @property
    def quantity_decimals(self) -> int | None:
        """Most digits after the point of a quantity; None before the first."""

@final
class Depth:
    """A MarketByPrice book rebuilt from observed levels, in price and quantity units. Sides: 1 bids, 2 asks."""

    def __new__(cls) -> Depth: ...
    def apply(self, slots: NDArray[np.uint8]) -> None:
        """Apply the book levels among `slots` (64 bytes each); other records are passed over."""

    def best_after_each(self, slots: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Apply `slots`; return a row (update_id, bid_price, bid_quantity, ask_price, ask_quantity) for each message.

        An empty side shows 0, 0.
        """

    def best(self, side_number: int) -> tuple[int, int] | None:
        """Return the best (price, quantity) of a side; None where it is empty."""

    def levels(self, side_number: int, count: int | None = None) -> NDArray[np.int64]:
        """Return (price, quantity) rows from the best outward, at most `count`."""

    def length(self, side_number: int) -> int:
        """Return the number of levels of a side."""

    def is_crossed(self) -> bool:
        """Tell whether the best bid is at or above the best ask."""

    def clear(self) -> None:
        """Empty both sides."""

@final
class Indicator:
    """A streaming indicator: kind 1 is SMA, 2 is EMA (seeded with the mean of the first `period` values)."""

    def __new__(cls, kind: int, period: int) -> Indicator: ...
    def update(self, value: float) -> float | None:
        """Take the next value and return the indicator; None until `period` values have come.

        Raises ValueError for NaN and infinities, which would stay in an average for good.
        """

    def update_batch(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take all `values` in turn and return the indicator after each; NaN until it is ready."""

    @property
    def value(self) -> float | None:
        """The indicator after the last update."""

    @property
    def previous(self) -> float | None:
        """The indicator before the last update."""

    @property
    def ready(self) -> bool:
        """True once `period` values have come."""
