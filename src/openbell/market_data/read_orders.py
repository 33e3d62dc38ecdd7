"""`read_orders`: the orders of a market, one by one, for a backtest at a venue of our own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from openbell.market_data.bars import InputFile
from openbell.market_data.frame_bars import FRAME
from openbell.messages.layouts import LAST_OF_MESSAGE, Slots, as_slots, dtype_of, records
from openbell.model.errors import ConfigError, InputError
from openbell.model.instrument import Instrument
from openbell.model.time import to_ns

if TYPE_CHECKING:
    import polars as pl

MARKET_ACCOUNT = 2
"""The account whose orders are the market's; nobody here trades for it."""
DECODER = "orders-1"
COLUMNS = ("time", "action", "side", "price", "quantity", "order_id")
ADD, REPLACE, CANCEL, TAKE = "ADD", "REPLACE", "CANCEL", "TAKE"
_FIRST_TAKER = 1 << 62
"""What takes at once has ids of its own, from here on."""
_ROWS = 65_536
_SIDES = {"BUY": 1, "SELL": 2}
_MARKET, _LIMIT, _GTC, _IOC = 1, 2, 2, 4
"""Numbers of terms; see crates/kernel/src/terms.rs."""

_Ints = NDArray[np.int64]


class OrderHistory:
    """The orders of one instrument's market as records, in the order in which they came.

    `instruments` has the one instrument, `inputs` the file with its SHA-256. Rows and columns are those of `read_orders`.
    """

    def __init__(
        self, instrument: Instrument, columns: dict[str, _Ints], inputs: tuple[InputFile, ...]
    ) -> None:
        self.instruments: tuple[Instrument, ...] = (instrument,)
        self.inputs = inputs
        self.notes: tuple[str, ...] = ()
        self._columns = columns
        self._any_price = _any_price(instrument)

    @property
    def first_price(self) -> int | None:
        """The first price it names, in price units; None where it names none."""
        named = self._columns["action"] != _ACTIONS[CANCEL]
        named &= ~_takes_any_price(self._columns, self._any_price)
        prices = self._columns["price"][named]
        return int(prices[0]) if len(prices) else None

    def __len__(self) -> int:
        return len(self._columns["time"])

    def batches(self) -> Iterator[Slots]:
        """The orders as records, in pieces of bounded size."""
        for first in range(0, len(self), _ROWS):
            part = {name: column[first : first + _ROWS] for name, column in self._columns.items()}
            yield _slots(part, self._any_price)

    def __repr__(self) -> str:
        return f"<OrderHistory {self.instruments[0].symbol}: {len(self):,} rows>"


def read_orders(source: Any, *, instrument: Instrument, timezone: str | None = None) -> OrderHistory:
    """Read market-by-order history for `Backtest(data=..., venue=Venue(...))`.

    source      path of a CSV or Parquet file, or a polars or pandas frame, with the columns below; others are left alone
    instrument  what is traded, with its units
    timezone    of times without a zone

    time       UTC nanoseconds, or what a clock shows (ISO 8601 text, datetimes), never falling
    action     ADD: a limit order. REPLACE: other price and quantity of one, the quantity as its total with what was filled; it
               keeps its place where only the quantity falls. CANCEL: takes it out. TAKE: an order that takes what it meets
               up to `price` (at any price where that is empty) and leaves nothing behind, as the record of an execution
               tells of it
    side       BUY or SELL; of ADD and TAKE
    price, quantity   exact decimals
    order_id   a number, each ADD with its own; none with TAKE

    What history says of an order that our own have filled meanwhile finds nothing, and is refused in the events: that is no
    error. Raises InputError naming row, column, what was found and what was expected.
    """
    if not isinstance(instrument, Instrument):
        raise ConfigError(f"instrument is {instrument!r}; give an Instrument")
    frame, name, digest = _frame(source)
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise InputError(
            f"missing column{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
            source=name,
            value=", ".join(frame.columns),
            expected=", ".join(COLUMNS),
        )
    if not len(frame):
        raise InputError("no rows", source=name, expected="at least one order")
    columns = _Reading(frame, name, instrument, timezone).columns()
    if digest is None:
        digest = hashlib.sha256(b"".join(columns[one].tobytes() for one in sorted(columns))).hexdigest()
    return OrderHistory(instrument, columns, (InputFile(name, digest, DECODER),))


def _frame(source: Any) -> tuple[pl.DataFrame, str, str | None]:
    """The table, its name, and the SHA-256 of its file."""
    import polars as pl

    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"the file cannot be read: {error.strerror or error}", source=path, expected="CSV or Parquet"
            ) from error
        reader = pl.read_parquet if content[:4] == b"PAR1" else _read_csv
        try:
            frame = reader(content)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"damaged ({first_line})", source=path, expected="CSV or Parquet") from error
        return frame, str(path), hashlib.sha256(content).hexdigest()
    if isinstance(source, pl.DataFrame):
        return source, FRAME, None
    if type(source).__module__.partition(".")[0] == "pandas":
        return pl.from_pandas(source), FRAME, None
    raise InputError("not a history of orders", value=type(source).__name__, expected="a path or a DataFrame")


def _read_csv(content: bytes) -> pl.DataFrame:
    """Every cell stays the text it was."""
    import polars as pl

    return pl.read_csv(content, infer_schema=False)


class _Reading:
    """One table on its way to integers."""

    def __init__(self, frame: pl.DataFrame, name: str, instrument: Instrument, timezone: str | None) -> None:
        self.frame = frame
        self.name = name
        self.instrument = instrument
        self.timezone = timezone

    def columns(self) -> dict[str, _Ints]:
        """Time, action, side, price, quantity and order id of every row; what an action does not have is 0."""
        actions = self._each("action", self._action)
        is_add, is_take = actions == _ACTIONS[ADD], actions == _ACTIONS[TAKE]
        is_cancel = actions == _ACTIONS[CANCEL]
        times = self._each("time", self._time)
        falls = np.flatnonzero(np.diff(times) < 0)
        if len(falls):
            row = int(falls[0]) + 1
            raise self._error("time falls", row, "time", f"{self._at('time', row - 1)} or later")
        found = {
            "time": times,
            "action": actions,
            "side": self._each("side", self._side, is_add | is_take),
            "price": self._prices(actions),
            "quantity": self._each("quantity", self._quantity, ~is_cancel),
            "order_id": self._each("order_id", self._order_id, ~is_take),
        }
        found["order_id"][is_take] = _FIRST_TAKER + np.flatnonzero(is_take)
        self._require_new_ids(found["order_id"], is_add)
        return found

    def _require_new_ids(self, ids: _Ints, is_add: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(is_add)
        _, first = np.unique(ids[rows], return_index=True)
        if len(first) < len(rows):
            again = int(rows[np.setdiff1d(np.arange(len(rows)), first)[0]])
            raise self._error(
                "an order was added before under this id", again, "order_id", "an id of its own"
            )

    def _each(self, column: str, convert: Any, wanted: NDArray[np.bool_] | None = None) -> _Ints:
        """A column as integers; equal cells are converted once."""
        known: dict[Any, int] = {}
        out = np.zeros(len(self.frame), dtype=np.int64)
        rows = range(len(out)) if wanted is None else np.flatnonzero(wanted).tolist()
        cells = self.frame[column].to_list()
        for row in rows:
            cell = cells[row]
            value = known.get(cell)
            if value is None:
                value = known[cell] = self._converted(column, convert, cell, row)
            out[row] = value
        return out

    def _converted(self, column: str, convert: Any, cell: Any, row: int) -> int:
        try:
            value: int = convert(cell.strip() if isinstance(cell, str) else cell, row)
        except InputError as error:
            raise self._error(error.message, row, column, error.expected) from None
        return value

    def _action(self, cell: Any, row: int) -> int:
        found = _ACTIONS.get(str(cell).upper())
        if found is None:
            raise self._error("no such action", row, "action", ", ".join(_ACTIONS))
        return found

    def _side(self, cell: Any, row: int) -> int:
        found = _SIDES.get(str(cell).upper())
        if found is None:
            raise self._error("no such side", row, "side", "BUY or SELL")
        return found

    def _time(self, cell: Any, row: int) -> int:
        if cell is None:
            raise self._error("no time", row, "time", "a time")
        if isinstance(cell, str) and cell.isdigit():
            cell = int(cell)
        value = to_ns(cell, self.timezone)
        if value < 0:
            raise self._error("a time before 1970", row, "time", "1970 or later")
        return value

    def _prices(self, actions: _Ints) -> _Ints:
        """Of every row; an action reads an empty cell, and a 0, in a way of its own."""
        of_action = ((ADD, self._price), (REPLACE, self._new_price), (TAKE, self._taken_price))
        prices = np.zeros(len(actions), dtype=np.int64)
        for action, convert in of_action:
            prices += self._each("price", convert, actions == _ACTIONS[action])
        return prices

    def _price(self, cell: Any, row: int) -> int:
        if cell is None or cell == "":
            raise self._error("no price", row, "price", "a price")
        units = self.instrument.price_units(_number(cell))
        return units if self.instrument.negative_prices else self._positive(units, row, "price")

    def _new_price(self, cell: Any, row: int) -> int:
        units = self._price(cell, row)
        if not units:
            # The record of a replace says with 0 that the price stays.
            raise self._error("a REPLACE to a price of 0", row, "price", "a CANCEL and an ADD")
        return units

    def _taken_price(self, cell: Any, row: int) -> int:
        is_any = cell is None or cell == ""
        return _any_price(self.instrument) if is_any else self._price(cell, row)

    def _quantity(self, cell: Any, row: int) -> int:
        if cell is None or cell == "":
            raise self._error("no quantity", row, "quantity", "a quantity")
        return self._positive(self.instrument.quantity_units(_number(cell)), row, "quantity")

    def _order_id(self, cell: Any, row: int) -> int:
        # pandas keeps numbers beside empty cells as floats, exact up to 2^53.
        is_exact = isinstance(cell, float) and cell.is_integer() and cell < 2**53
        text = str(int(cell)) if is_exact else str(cell)
        value = int(text) if text.isascii() and text.isdigit() else 0
        if not 0 < value < _FIRST_TAKER:
            raise self._error("no order id", row, "order_id", f"a whole number from 1 to {_FIRST_TAKER - 1}")
        return value

    def _positive(self, value: int, row: int, column: str) -> int:
        if value <= 0:
            raise self._error(f"a {column} that is not above 0", row, column, f"a {column} above 0")
        return value

    def _at(self, column: str, row: int) -> Any:
        return self.frame[column][row]

    def _error(self, problem: str, row: int, column: str, expected: Any) -> InputError:
        return InputError(
            problem,
            source=self.name,
            row=row + 1,
            field=column,
            value=self._at(column, row),
            expected=expected,
        )


def _number(cell: Any) -> Any:
    return Decimal(repr(cell)) if isinstance(cell, float) else cell


_ACTIONS = {ADD: 1, REPLACE: 2, CANCEL: 3, TAKE: 4}
_MESSAGES: dict[Literal["SubmitOrder", "ReplaceOrder", "CancelOrder"], tuple[int, ...]] = {
    "SubmitOrder": (1, 4),
    "ReplaceOrder": (2,),
    "CancelOrder": (3,),
}


def _any_price(instrument: Instrument) -> int:
    """What stands in the column of prices for a TAKE at any price: where 0 is a price, one that nothing has."""
    return -(2**63) if instrument.negative_prices else 0


def _takes_any_price(columns: dict[str, _Ints], any_price: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (columns["action"] == _ACTIONS[TAKE]) & (columns["price"] == any_price)
    return found


def _slots(columns: dict[str, _Ints], any_price: int) -> Slots:
    """Rows as records of one slot each."""
    actions = columns["action"]
    out = np.zeros((len(actions), 64), dtype=np.uint8)
    for message, numbers in _MESSAGES.items():
        rows = np.flatnonzero(np.isin(actions, numbers))
        array = records(message, len(rows))
        part = {name: column[rows] for name, column in columns.items()}
        array["time"] = part["time"]
        array["flags"] = LAST_OF_MESSAGE
        array["account"] = MARKET_ACCOUNT
        array["client_order_id"] = part["order_id"]
        if message != "CancelOrder":
            is_any = _takes_any_price(part, any_price)
            array["price"], array["quantity"] = np.where(is_any, 0, part["price"]), part["quantity"]
        if message == "SubmitOrder":
            _fill_terms(array, part, is_any)
        out[rows] = as_slots(array).reshape(-1, dtype_of(message).itemsize)
    return out.reshape(-1)


def _fill_terms(array: NDArray[np.void], part: dict[str, _Ints], is_any: NDArray[np.bool_]) -> None:
    is_take = part["action"] == _ACTIONS[TAKE]
    array["instrument"] = 1
    array["terms"]["side"] = part["side"]
    array["terms"]["order_type"] = np.where(is_any, _MARKET, _LIMIT)
    array["terms"]["time_in_force"] = np.where(is_take, _IOC, _GTC)
