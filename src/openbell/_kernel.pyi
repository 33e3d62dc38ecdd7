"""The compiled core. Import it through `openbell.kernel`, which groups what is here.

Integers inside: prices count an instrument's price units, quantities its quantity units, money 10^-9 of its currency,
times UTC nanoseconds. Arrays of slots are records of 64-byte slots (`openbell.messages.layouts` makes sense of them);
they are read in place, without a copy, so nobody may write to one while a call reads it.

Errors are those of `openbell.model.errors`. A value of the wrong type raises TypeError, a number too large for its
field OverflowError, as anywhere in Python.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Final, Literal, Protocol, Self, SupportsFloat, SupportsIndex, TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

from openbell.model.instrument import Instrument
from openbell.model.quantities import Money, Price, Quantity
from openbell.model.terms import Liquidity, OrderState, OrderType, Side, TimeInForce

__all__ = [
    "RULES_VERSION",
    "AllocationPolicy",
    "Bar",
    "BinanceDecoder",
    "BinanceUnitScan",
    "BookAccepted",
    "BookCanceled",
    "BookLevel",
    "BookOrder",
    "BookReader",
    "BookRefused",
    "BookReplaced",
    "BookTrade",
    "ClosedOrders",
    "Commands",
    "DecodeError",
    "Depth",
    "Fill",
    "Follower",
    "Holdings",
    "Hooks",
    "Indicator",
    "IndicatorByInstrument",
    "IndicatorValue",
    "InputExpansion",
    "JournalProof",
    "JournalReader",
    "JournalReport",
    "JournalWriter",
    "LiveHealth",
    "LiveNode",
    "NewJournal",
    "Node",
    "OrderBook",
    "OrderRecord",
    "QueuePosition",
    "Quote",
    "RecentEvents",
    "RestartedNode",
    "SpecialTerms",
    "Trade",
    "bar_dtype",
    "begin_journal_epoch",
    "body_layouts",
    "book_command_dtype",
    "book_report_dtype",
    "compare_history",
    "crossover",
    "cut_journal",
    "durability_of",
    "journal_segments",
    "message_registry",
    "outbox_dtype",
    "payload_layouts",
    "prove_journal",
    "remove_journal_segments",
    "reseal_journal",
    "rule_registry",
    "seal_public_key",
    "skip_journal_record",
    "skipped_records",
    "snapshots_in",
    "valuation_dtype",
    "verify_journal",
]

_Slots: TypeAlias = NDArray[np.uint8] | NDArray[np.void]
"""One dimension, contiguous, aligned to 8 bytes: bytes, or structured rows of whole slots. Anything else is an InputError."""

_Mode: TypeAlias = Literal["run", "replay", "rerun"]

_Durability: TypeAlias = Literal["strict", "batch", "interval", "os", "none"]
"""What has happened when a commit is reported durable. "strict": batch and watermark were synced; "batch": the batch was synced;
"interval": the operating system has it, and it is synced every so many milliseconds; "os": the operating system has it; "none":
nothing is promised."""

_Position: TypeAlias = tuple[int, int, int, int]
"""The end of a batch: segment, offset of the next batch in it, last sequence, chain."""

# ---- decoders, rebuilt books, indicators

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

# ---- an order book on its own

_BookNumber: TypeAlias = int | Decimal
"""A price or quantity of a book: an int of units, or an exact Decimal where the book has a tick and a lot."""

_BookInput: TypeAlias = SupportsIndex | SupportsFloat | str
"""What a book takes as a number: whole units, or any decimal where it has a tick and a lot (a float by its shortest form)."""

class _Allocates(Protocol):
    """A matching policy written in Python."""

    def allocate(self, incoming: int, resting_quantities: list[int]) -> Sequence[int]:
        """Return, for each resting order in time order, how much of `incoming` it gets; lots, where the book has a lot."""

@final
class AllocationPolicy:
    """How a level is shared among its orders, by the steps CME publishes: TOP, lead, by time, pro rata, leveling, time.

    `pro_rata_minimum`: a rounded pro-rata share below it is none; None leaves the step out. `by_time`: millionths of the
    aggressor that go by time before pro rata. `leveling`: one unit each to orders whose pro-rata share is below one. `top`: (smallest
    order that becomes TOP, most it gets, millionths it gets) of the order that bettered the market. `lead`: (account, millionths)
    of lead market makers. Raises InputError for settings out of range.
    """

    def __new__(
        cls,
        *,
        pro_rata_minimum: int | None = None,
        by_time: int = 0,
        leveling: bool = False,
        top: tuple[int, int, int] | None = None,
        lead: list[tuple[int, int]] | None = None,
    ) -> AllocationPolicy: ...

@final
class BookReader:
    """A book's best levels as last published, from any thread, while another one matches; it never waits for a lock.

    Published after each command, and in a batch after every 64.
    """

    def depth(self) -> tuple[list[BookLevel], list[BookLevel]]:
        """Return bids and asks, best first, of one moment."""
    @property
    def best_bid(self) -> BookLevel | None:
        """The best bid; None where nobody bids."""
    @property
    def best_ask(self) -> BookLevel | None:
        """The best ask; None where nobody offers."""

@final
class OrderBook:
    """An order book of one instrument.

    Matching is price-time unless `policy` says otherwise: 'PRICE_TIME', 'PRO_RATA', 'PRICE_SIZE_TIME', an `AllocationPolicy`, or
    an object with `allocate(incoming, resting_quantities)`, which is asked once per level and aggressor for the quantity of each
    resting order in time order. Its answer must sum to what can trade and give no order more than it has; when it does not, or
    raises, what is left of the aggressor is canceled and the error is raised.

    Without arguments it counts in whole units: prices and quantities are ints. With `tick` and `lot` it takes Decimal, str,
    int and float, converts them exactly, refuses what is off tick or off lot, and answers with Decimal.

    Commands return a tuple of immutable reports in the order in which things happened: the answer (`BookAccepted`,
    `BookReplaced`, `BookCanceled` or `BookRefused`), then a `BookTrade` for each match, best price and earliest order first,
    then a `BookCanceled` for what may not rest. A refusal is a report and leaves the book as it was; InputError is raised for
    what cannot be understood at all (no number, no side) and names the field and the value.

    Not for use from several threads at once: a call that meets another raises RuntimeError.
    """

    def __new__(
        cls,
        *,
        tick: _BookInput | None = None,
        lot: _BookInput | None = None,
        policy: str | AllocationPolicy | _Allocates | None = None,
    ) -> OrderBook:
        """Makes an empty book. Raises InputError when only one of tick and lot is given or one is not above zero."""
    def submit(
        self,
        side: Side | str | int,
        price: _BookInput,
        quantity: _BookInput,
        order_id: SupportsIndex | None = None,
        *,
        account: int = 0,
        time_in_force: TimeInForce | str | int | None = None,
        post_only: bool = False,
    ) -> tuple[_BookReport, ...]:
        """Sends a limit order; GTC unless said. An order without an id gets the next free one.

        DAY, GTC and GTD rest until canceled: a book on its own has no clock. IOC trades what it can and cancels the rest; FOK
        trades whole or is canceled; `post_only` is refused (POST_ONLY_MUST_NOT_TAKE) instead of trading.

        Refuses an id that is live (CLIENT_ORDER_ID_MUST_BE_UNIQUE), a quantity not above zero or beyond 2**56 units, a price
        beyond 2**56 ticks on either side of zero, what is off tick or off lot, and AT_OPEN and AT_CLOSE.
        """
    def market(
        self,
        side: Side | str | int,
        quantity: _BookInput,
        order_id: SupportsIndex | None = None,
        *,
        account: int = 0,
        time_in_force: TimeInForce | str | int | None = None,
    ) -> tuple[_BookReport, ...]:
        """Sends a market order: what finds no order to trade with is canceled (MARKET_MUST_HAVE_LIQUIDITY)."""
    def cancel(self, order_id: SupportsIndex) -> tuple[_BookReport, ...]:
        """Takes an order out; refuses an id that is not live (ORDER_MUST_EXIST)."""
    def replace(
        self,
        order_id: SupportsIndex,
        *,
        price: _BookInput | None = None,
        quantity: _BookInput | None = None,
        post_only: bool = False,
    ) -> tuple[_BookReport, ...]:
        """Gives an order a new price, a new open quantity, or both.

        A pure decrease of quantity keeps the place in the queue; anything else loses it. At a price that crosses, the order
        trades at the makers' prices, or is refused when `post_only`.
        """
    def depth(self, levels: int = 10) -> tuple[list[BookLevel], list[BookLevel]]:
        """Return the best `levels` bids and asks, best first."""
    @property
    def best_bid(self) -> BookLevel | None:
        """The best bid; None where nobody bids."""
    @property
    def best_ask(self) -> BookLevel | None:
        """The best ask; None where nobody offers."""
    def order(self, order_id: SupportsIndex) -> BookOrder | None:
        """Return a resting order."""
    def orders(self, side: Side | str | int) -> list[BookOrder]:
        """Return the resting orders of one side in priority order."""
    def queue_position(self, order_id: SupportsIndex) -> QueuePosition | None:
        """Return what is ahead of a resting order at its price; costs a step per order ahead."""
    def reader(self, levels: int = 10) -> BookReader:
        """Return a reader of the best levels for other threads; all readers show as many levels as the first asked for."""
    def submit_batch(self, commands: NDArray[np.void]) -> NDArray[np.void]:
        """Run an array of COMMAND_DTYPE and return its reports as an array of REPORT_DTYPE.

        The columns are described in `openbell.kernel.order_book`. Bad rows are refused one by one, by a report; InputError is
        raised, and nothing run, when the array is not one-dimensional, contiguous, aligned and of COMMAND_DTYPE. The commands
        are read in place: do not write to the array from another thread meanwhile.
        """
    def snapshot(self) -> bytes:
        """Return the whole state: equal for equal books, whatever happened before."""
    @staticmethod
    def restore(snapshot: bytes, *, policy: _Allocates | None = None) -> OrderBook:
        """Return the book `snapshot` was taken of, with the same future. Raises InputError for other bytes."""
    @property
    def state_hash(self) -> str:
        """128 bits of the state as 32 hexadecimal digits: equal for equal books on any machine."""
    def __len__(self) -> int: ...
    def __contains__(self, order_id: object, /) -> bool: ...

@final
class BookAccepted:
    """The book took the order; its trades and what became of the rest follow."""

    __match_args__: Final = ("order_id", "account", "side", "price", "quantity")
    @property
    def order_id(self) -> int:
        """The order."""
    @property
    def account(self) -> int:
        """Who sent it."""
    @property
    def side(self) -> Side:
        """Side of the order."""
    @property
    def price(self) -> _BookNumber | None:
        """The limit; None for a market order."""
    @property
    def quantity(self) -> _BookNumber:
        """Quantity as sent, before any trade that follows."""

@final
class BookTrade:
    """One match, at the maker's price."""

    __match_args__: Final = (
        "maker_order_id",
        "taker_order_id",
        "maker_account",
        "taker_account",
        "side",
        "price",
        "quantity",
        "maker_leaves_quantity",
        "taker_leaves_quantity",
    )
    @property
    def maker_order_id(self) -> int:
        """The order that was resting."""
    @property
    def taker_order_id(self) -> int:
        """The order that came in."""
    @property
    def maker_account(self) -> int:
        """Account of the resting order."""
    @property
    def taker_account(self) -> int:
        """Account of the incoming order."""
    @property
    def side(self) -> Side:
        """Side of the taker."""
    @property
    def price(self) -> _BookNumber:
        """Price of the resting order."""
    @property
    def quantity(self) -> _BookNumber:
        """How much was traded."""
    @property
    def maker_leaves_quantity(self) -> _BookNumber:
        """What is left of the resting order."""
    @property
    def taker_leaves_quantity(self) -> _BookNumber:
        """What is left of the incoming order."""

@final
class BookCanceled:
    """An order, or what was left of it, went without trading."""

    __match_args__: Final = ("order_id", "side", "leaves_quantity", "rule", "limit", "actual")
    @property
    def order_id(self) -> int:
        """The order."""
    @property
    def side(self) -> Side:
        """Side of the order."""
    @property
    def leaves_quantity(self) -> _BookNumber:
        """What did not trade."""
    @property
    def rule(self) -> str:
        """Why: CANCELED_ON_REQUEST, or the rule that kept the order from resting."""
    @property
    def limit(self) -> _BookNumber:
        """How much could trade; 0 when canceled on request."""
    @property
    def actual(self) -> _BookNumber:
        """How much was asked to; 0 when canceled on request."""

@final
class BookReplaced:
    """An order has new terms; if it crosses now, its trades follow."""

    __match_args__: Final = ("order_id", "side", "price", "quantity", "kept_priority")
    @property
    def order_id(self) -> int:
        """The order."""
    @property
    def side(self) -> Side:
        """Side of the order."""
    @property
    def price(self) -> _BookNumber:
        """The new price."""
    @property
    def quantity(self) -> _BookNumber:
        """The new open quantity, before any trade that follows."""
    @property
    def kept_priority(self) -> bool:
        """True when the order kept its place in the queue."""

@final
class BookRefused:
    """The book refused the command and is as it was."""

    __match_args__: Final = ("order_id", "rule", "limit", "actual")
    @property
    def order_id(self) -> int:
        """The order."""
    @property
    def rule(self) -> str:
        """Name of the rule that would have been broken."""
    @property
    def limit(self) -> _BookNumber:
        """What the rule allows."""
    @property
    def actual(self) -> _BookNumber:
        """What was asked."""

_BookReport: TypeAlias = BookAccepted | BookTrade | BookCanceled | BookReplaced | BookRefused

@final
class BookLevel:
    """All orders at one price."""

    __match_args__: Final = ("price", "quantity", "orders")
    @property
    def price(self) -> _BookNumber:
        """Their price."""
    @property
    def quantity(self) -> _BookNumber:
        """Sum of what its orders have left."""
    @property
    def orders(self) -> int:
        """How many orders there are."""

@final
class BookOrder:
    """A resting order."""

    __match_args__: Final = ("order_id", "account", "side", "price", "leaves_quantity")
    @property
    def order_id(self) -> int:
        """The order."""
    @property
    def account(self) -> int:
        """Who sent it."""
    @property
    def side(self) -> Side:
        """Side of the order."""
    @property
    def price(self) -> _BookNumber:
        """Its limit."""
    @property
    def leaves_quantity(self) -> _BookNumber:
        """What it has left."""

@final
class QueuePosition:
    """What must trade or leave at the price before an order's turn."""

    __match_args__: Final = ("orders_ahead", "quantity_ahead")
    @property
    def orders_ahead(self) -> int:
        """Orders that come before it."""
    @property
    def quantity_ahead(self) -> _BookNumber:
        """Sum of what they have left."""

def book_command_dtype() -> np.dtype[np.void]:
    """The dtype of batches; see `openbell.kernel.order_book`."""

def book_report_dtype() -> np.dtype[np.void]:
    """The dtype of reports; see `openbell.kernel.order_book`."""

# ---- what hooks receive: immutable objects that may be kept

@final
class Bar:
    """A closed bar. Prices and volume are floats to read; orders take `Price`, `Decimal`, `str` or float."""

    @property
    def instrument(self) -> Instrument:
        """What it is a bar of: the object given to `Hooks`."""
    @property
    def open(self) -> float:
        """First price."""
    @property
    def high(self) -> float:
        """Highest price."""
    @property
    def low(self) -> float:
        """Lowest price."""
    @property
    def close(self) -> float:
        """Last price."""
    @property
    def volume(self) -> float:
        """Quantity traded; 0 where the data does not say."""
    @property
    def time(self) -> int:
        """When it became known, UTC nanoseconds."""
    @property
    def open_time(self) -> int:
        """Where it begins, UTC nanoseconds."""
    @property
    def close_time(self) -> int:
        """Where it ends, UTC nanoseconds."""
    @property
    def interval_ns(self) -> int:
        """From one open to the next, nanoseconds; 0 where the data does not say."""
    @property
    def trades(self) -> int:
        """Trades in it; 0 where the data does not say."""

@final
class Quote:
    """Best bid and offer, after an update was applied as a whole."""

    @property
    def instrument(self) -> Instrument:
        """What is quoted: the object given to `Hooks`."""
    @property
    def bid(self) -> float | None:
        """Best price to sell at; None where nobody bids."""
    @property
    def bid_quantity(self) -> float:
        """Quantity at the bid."""
    @property
    def ask(self) -> float | None:
        """Best price to buy at; None where nobody offers."""
    @property
    def ask_quantity(self) -> float:
        """Quantity at the ask."""
    @property
    def mid(self) -> float | None:
        """Halfway between bid and ask; None where a side is empty."""
    @property
    def time(self) -> int:
        """When it became known, UTC nanoseconds."""

@final
class Trade:
    """A trade printed by a feed."""

    @property
    def instrument(self) -> Instrument:
        """What traded: the object given to `Hooks`."""
    @property
    def price(self) -> float:
        """Price, to read."""
    @property
    def quantity(self) -> float:
        """Quantity, to read."""
    @property
    def side(self) -> Side:
        """Side of the aggressor."""
    @property
    def trade_id(self) -> int:
        """The feed's number of it."""
    @property
    def time(self) -> int:
        """When it became known, UTC nanoseconds."""
    @property
    def exchange_time(self) -> int:
        """When the exchange says it happened, UTC nanoseconds."""

@final
class Fill:
    """One order's side of a trade, exact. A fee model sees it before its fee is known."""

    @property
    def instrument(self) -> Instrument:
        """What traded: the object given to `Hooks`."""
    @property
    def order_id(self) -> int:
        """Given by the engine."""
    @property
    def client_order_id(self) -> int:
        """Given by who sent the order."""
    @property
    def trade_id(self) -> int:
        """Given by the venue."""
    @property
    def side(self) -> Side:
        """Side of the order."""
    @property
    def liquidity(self) -> Liquidity:
        """Whether it gave or took liquidity."""
    @property
    def price(self) -> Price:
        """Price of this fill."""
    @property
    def quantity(self) -> Quantity:
        """Quantity of this fill."""
    @property
    def leaves_quantity(self) -> Quantity:
        """What is left of the order; in a fee model's hands 0."""
    @property
    def cumulative_quantity(self) -> Quantity:
        """What the order traded so far, this fill included; in a fee model's hands this fill's quantity."""
    @property
    def notional(self) -> Money:
        """Price x quantity x multiplier, in the instrument's currency."""
    @property
    def fee(self) -> Money:
        """What it cost; in a fee model's hands 0, for that is the question."""
    @property
    def price_units(self) -> int:
        """Price in price units."""
    @property
    def quantity_units(self) -> int:
        """Quantity in quantity units."""
    @property
    def fee_nano(self) -> int:
        """Fee in 10^-9 of the currency."""
    @property
    def time(self) -> int:
        """When it became known, UTC nanoseconds."""
    @property
    def venue_time(self) -> int:
        """When the venue says it happened, UTC nanoseconds."""

@final
class ClosedOrders:
    """Orders that can trade no more, some 80 bytes each with its key: a session day may have millions. Never changes."""

    def find(
        self, account: int, client_order_id: int
    ) -> tuple[int, int, int, int, int, int, int | None, int | None, int, int, bool, int] | None:
        """Return an order's order_id, instrument, side, type, time in force, state (numbers); price and stop price (None where it
        has none), quantity and cumulative quantity in units; whether it was triggered, session. None for one that is not there.
        """
    def __len__(self) -> int: ...

@final
class OrderRecord:
    """An order as it stood when it was looked at, in units. `openbell.strategy` shows users an `Order` instead."""

    @property
    def order_id(self) -> int:
        """Given by the engine: shard in the high 8 bits, sequence of the order's command below."""
    @property
    def client_order_id(self) -> int:
        """Given by who sent it."""
    @property
    def venue_order_id(self) -> int:
        """Given by an outside venue; 0 before it did."""
    @property
    def account(self) -> int:
        """Whose it is."""
    @property
    def instrument(self) -> int:
        """Number of the instrument."""
    @property
    def side(self) -> Side:
        """Buy or sell."""
    @property
    def order_type(self) -> OrderType:
        """Market, limit, stop or stop-limit."""
    @property
    def time_in_force(self) -> TimeInForce:
        """How long it stays."""
    @property
    def state(self) -> OrderState:
        """Where it is in its life."""
    @property
    def price_units(self) -> int:
        """Limit price; 0 where the type has none."""
    @property
    def stop_price_units(self) -> int:
        """Stop price; 0 where the type has none."""
    @property
    def quantity_units(self) -> int:
        """Total quantity, filled part included. See `is_sized_at_fill`."""
    @property
    def cumulative_units(self) -> int:
        """What it traded so far."""
    @property
    def leaves_units(self) -> int:
        """What is left of it; 0 once it is closed."""
    @property
    def filled_value(self) -> int:
        """Sum of price x quantity over its fills, both in units: the average price is this over `cumulative_units`."""
    @property
    def is_held(self) -> bool:
        """True while it waits for its parent's fill."""
    @property
    def is_open(self) -> bool:
        """True while it can still trade."""
    @property
    def has_price(self) -> bool:
        """Whether `price_units` is a price, be it 0."""
    @property
    def has_stop_price(self) -> bool:
        """Whether `stop_price_units` is a price, be it 0."""
    @property
    def is_triggered(self) -> bool:
        """True once the price it waited for has come."""
    @property
    def options(self) -> int:
        """Bits: 1 post-only, 2 reduce-only, 32768 lives only as long as the session that sent it."""
    @property
    def session(self) -> int:
        """Number of the client session that entered it, among those of its account; 0 where none did."""
    @property
    def is_sized_at_fill(self) -> bool:
        """True when it asks for a percentage, a target or a whole position: its quantity is not known before the fill."""
    @property
    def refusal(self) -> tuple[str, int, int] | None:
        """Name of the rule that refused or ended it, the rule's limit and what was found; None where there is none."""

# ---- the engine

@final
class Hooks:
    """The callables of one participant. Those that are missing cost nothing.

    `instruments` are the objects that events refer to, in the order of the instruments' numbers. A hook is called with one
    immutable object: `on_bar` a `Bar`, `on_bars` the list of bars that closed at one time, `on_quote`, `on_trade` and
    `on_fill` theirs, `on_order` a `client_order_id` of which something became, `on_timer` a `timer_id`; `on_refused` gets the
    names of a command that was refused and of the rule. `on_start` is called before anything else, without arguments.
    """

    def __new__(
        cls,
        participant: int,
        instruments: Sequence[Instrument],
        *,
        on_start: Callable[[], object] | None = None,
        on_bar: Callable[[Bar], object] | None = None,
        on_bars: Callable[[list[Bar]], object] | None = None,
        on_quote: Callable[[Quote], object] | None = None,
        on_trade: Callable[[Trade], object] | None = None,
        on_order: Callable[[int], object] | None = None,
        on_fill: Callable[[Fill], object] | None = None,
        on_timer: Callable[[int], object] | None = None,
        on_refused: Callable[[str, str], object] | None = None,
    ) -> Hooks: ...

@final
class IndicatorValue:
    """One indicator on one instrument: its value now and the value before it.

    It compares with numbers and with other indicators (`bar.close > self.trend[bar.instrument]`); every comparison is False
    while there is not enough data. `float(...)` and `value` give the number to reckon with.
    """

    def __new__(cls, node: Node, participant: int, number: int, instrument: int) -> IndicatorValue: ...
    def values(self) -> tuple[float | None, float | None]:
        """Return value and the value before it; None where there was not enough data yet."""
    @property
    def value(self) -> float:
        """The value after the last closed bar; NaN while there is not enough data."""
    @property
    def previous(self) -> float:
        """The value one bar earlier; NaN while there is none."""
    @property
    def is_ready(self) -> bool:
        """Whether there was enough data."""
    def __float__(self) -> float: ...
    def __lt__(self, other: SupportsFloat, /) -> bool: ...
    def __le__(self, other: SupportsFloat, /) -> bool: ...
    def __gt__(self, other: SupportsFloat, /) -> bool: ...
    def __ge__(self, other: SupportsFloat, /) -> bool: ...

@disjoint_base
class IndicatorByInstrument:
    """One indicator of a participant over every instrument, by instrument or symbol.

    Where there is a single instrument it reads like the `IndicatorValue` of that one; where there are several, everything but
    `[...]`, iteration and `label` raises StrategyError.

    Args:
        label: What errors call it, as "sma(10)".
        node: Where it is streamed.
        participant: Who asked for it.
        number: Which of the participant's indicators it is.
        symbols: Of the instruments, by id from 1.
    """

    def __new__(
        cls, label: str, node: Node, participant: int, number: int, symbols: Sequence[str]
    ) -> Self: ...
    @property
    def label(self) -> str:
        """What errors call it."""
    def __getitem__(self, instrument: Instrument | str, /) -> IndicatorValue:
        """Return the indicator on one instrument. Raises StrategyError for one that is not in the run."""
    def __iter__(self) -> Iterator[IndicatorValue]: ...
    def values(self) -> tuple[float | None, float | None]:
        """Return value and the value before it where there is a single instrument."""
    @property
    def value(self) -> float:
        """The value where there is a single instrument; NaN while there is not enough data."""
    @property
    def previous(self) -> float:
        """The value one bar earlier where there is a single instrument."""
    @property
    def is_ready(self) -> bool:
        """Whether there was enough data, where there is a single instrument."""
    def __float__(self) -> float: ...
    def __lt__(self, other: SupportsFloat, /) -> bool: ...
    def __le__(self, other: SupportsFloat, /) -> bool: ...
    def __gt__(self, other: SupportsFloat, /) -> bool: ...
    def __ge__(self, other: SupportsFloat, /) -> bool: ...
    def __hash__(self) -> int: ...

class _Paired(Protocol):
    """Whatever has a value and a value before it, as indicators have."""

    def values(self) -> tuple[float | None, float | None]:
        """Return value and the value before it; None where there was not enough data yet."""

def crossover(first: _Paired | float, second: _Paired | float) -> bool:
    """Return True on the bar on which `first` goes from below `second` to above it; swap them for the way down.

    Either may be a number, a level that does not move. Touching is neither below nor above. False while there is not enough
    data. An indicator over several instruments needs to be told which: `crossover(self.fast[bar.instrument], ...)`.
    """

@final
class Node:
    """The engine and the one loop around it.

    Methods named after commands queue that command; `run` gives it its place and applies it. A refusal is an event and
    never an exception. Where a command has a `participant`, it is marked with the event that made that participant send it;
    0 means that it comes from outside (set-up, a person, a gateway).

    A node belongs to the thread that made it: calls from another raise StrategyError, and so does a hook or model that
    calls `run`, `advance_clock`, `end_run` or `close` while the node runs. After a failure (bad input, a journal that failed, a
    divergence) every command and every call that moves the node raises EngineStopped, and reading still works; after a
    broken invariant or a panic every call raises it.

    Args:
        shard: Number of this engine, 0 to 255; part of every `order_id`.
        mode: "run" sequences records. "replay" takes a journal's records, participants stay silent. "rerun" takes them too,
            calls participants, and raises DivergenceError where one sends other commands than the journal holds.
        journal: What to write the records to; None keeps nothing.
        valuation_interval_ns: Value accounts at complete updates, at most once per interval; None never.
    """

    def __new__(
        cls,
        *,
        shard: int = 0,
        mode: _Mode = "run",
        journal: NewJournal | None = None,
        valuation_interval_ns: int | None = None,
    ) -> Node:
        """Raises ConfigError for another mode, JournalError when the journal cannot be created."""
    @staticmethod
    def restore(snapshot: bytes, *, mode: _Mode = "run") -> Node:
        """Return a node in the state `snapshot()` wrote, its output hash included. Raises JournalError for other bytes.

        A participant that was woken before has been started: its `on_start` is not called again.
        """
    @staticmethod
    def at(
        journal: str | PathLike[str],
        sequence: int,
        snapshots: str | PathLike[str] | None = None,
        *,
        configuration: int = 0,
    ) -> Node:
        """Return a node in mode "replay", as one was after the record `sequence` of a full journal, or at its end.

        It begins at the nearest snapshot in the folder `snapshots`, else at the journal's first record. Raises JournalError
        for a damaged journal and for a snapshot of another owner, EngineStopped for a record that stops the engine.
        """
    def pass_over(self, sequences: Sequence[int]) -> None:
        """Pass over the records of these sequences in a replay (`skipped_records`)."""
    def snapshot(self) -> bytes:
        """Return the whole state: equal for equal states after equal histories. Queued commands are not in it."""
    def rerun(self) -> None:
        """Have participants run again from here on, as in mode "rerun"."""
    def go_live(self) -> None:
        """Say that the journal has ended: what participants sent beyond it is sequenced, and what comes now is new."""
    def participant_saved(self, participant: int, sha256: bytes) -> None:
        """Queue the record that names the file with a participant's saved state, which must be synced before.

        Raises InputError for anything but 32 bytes.
        """

    # -- set-up

    def define_currency(self, currency: int, code: str) -> None:
        """Give a currency a number. Raises ConfigError for a code that is empty or longer than 36 bytes."""
    def configure_venue(
        self,
        venue: int,
        kind: int,
        *,
        order_latency_ns: int = 0,
        report_latency_ns: int = 0,
        slippage: int = 0,
        volume_share: int = 0,
        options: int = 0,
    ) -> None:
        """Add the venue with the next number, from 0. `kind`: 1 matching, 2 simulated, 3 remote.

        Of a simulated one: latency of orders there and of reports back, `slippage` in 10^-9 of the price against the taker,
        `volume_share` in 10^-9, the largest part of a bar's volume one order may take (0 = no limit), `options` bits: 1 limit
        orders fill on touch, 2 positions closed at the end get the last bar's open.
        """
    def list_instrument(
        self,
        instrument: int,
        symbol: str,
        *,
        currency: int,
        price_unit_nano: int,
        quantity_unit_nano: int,
        multiplier_nano: int,
        tick: int,
        lot: int,
        venue: int,
        negative_prices: bool = False,
    ) -> None:
        """List the instrument with the next number, from 1. Units and multiplier in 10^-9; tick and lot in units.

        Raises ConfigError for a symbol that is empty or longer than 36 bytes.
        """
    def open_account(self, account: int, currency: int, *, shorting: bool) -> None:
        """Open an account that is settled in `currency`; without `shorting` it never sells what it does not have."""
    def deposit_cash(self, account: int, amount_nano: int, currency: int) -> None:
        """Put cash into an account, 10^-9 of the currency."""
    def withdraw_cash(self, account: int, amount_nano: int, currency: int) -> None:
        """Take cash out of an account, 10^-9 of the currency."""
    def set_fee_schedule(
        self,
        account: int,
        instrument: int,
        *,
        maker_rate: int,
        taker_rate: int,
        flat_nano: int = 0,
        external: bool = False,
    ) -> None:
        """Set what fills cost: rates in 10^-9 of notional, and a flat part in 10^-9 of the currency. 0 means all.

        With `external` the fee model given to `run` answers for every fill, and `taker_rate` is what sizing holds back.
        """
    def set_risk_limit(self, account: int, instrument: int, limit: int, value: int) -> None:
        """Set a limit; 0 means every account or instrument, the most specific one holds, 2**63 - 1 lifts it.

        `limit`: 1 order quantity (units), 2 order notional (10^-9 of the currency), 3 price band (10^-9 of the mark), 4 open
        orders, 5 position (units), 6 leverage (10^-9: 1.0 is 10**9), 7 gross exposure (10^-9 of the currency).
        """
    def engage_kill_switch(self, account: int, reason: int) -> None:
        """Refuse every order of an account (0 = of all) until the switch is released."""
    def release_kill_switch(self, account: int, reason: int) -> None:
        """Undo `engage_kill_switch`."""
    def halt_trading(self, instrument: int, reason: int) -> None:
        """Refuse orders in an instrument (0 = in all) until trading is resumed."""
    def resume_trading(self, instrument: int, reason: int) -> None:
        """Undo `halt_trading`."""
    def set_matching_policy(self, instrument: int, policy: int, *, minimum: int = 0) -> None:
        """How an instrument of our own venue matches. `policy`: 1 price-time, 2 pro rata (no share below `minimum`), 3
        price-size-time, 4 as `run` is told by its `policy`.
        """
    def set_reference_price(self, instrument: int, price: int) -> None:
        """The price that an instrument of our own venue is valued at until it trades."""
    def register_participant(
        self, participant: int, account: int, *, feed_latency_ns: int = 0, history: int = 0, warm_up: int = 0
    ) -> None:
        """Register the participant with the next number, from 1, trading for `account`.

        It sees market data `feed_latency_ns` late, keeps the last `history` bars of each series, and is shown bars of an
        instrument after `warm_up` of them and once all its indicators are ready.
        """

    # -- commands of participants

    def subscribe(self, participant: int, instrument: int, wants: int) -> None:
        """Show a participant market data of an instrument (0 = all). Bits: 1 bars, 2 quotes, 4 trades, 8 books, 16 signals."""
    def add_indicator(self, participant: int, index: int, kind: int, period: int, every_ns: int) -> None:
        """Stream an indicator over each instrument. `kind`: 1 SMA, 2 EMA; `every_ns` 0 reads the bars as they are fed.

        Before the first bar only; `index` must be the next one, from 0.
        """
    def add_bar_interval(self, participant: int, every_ns: int) -> None:
        """Form bars of a longer interval for `bars`. Before the first bar only."""
    def submit_order(
        self,
        participant: int,
        account: int,
        instrument: int,
        client_order_id: int,
        side: int,
        order_type: int,
        time_in_force: int,
        quantity: int,
        *,
        price: int = 0,
        stop_price: int = 0,
        sizing: int = 0,
        options: int = 0,
        expire_time: int = 0,
        parent: int = 0,
        partner: int = 0,
        offset_nano: int = 0,
        special: SpecialTerms | None = None,
        session: int = 0,
    ) -> None:
        """Send an order. `client_order_id` is unique in the account for the session day.

        `sizing`: 0 `quantity` in units, 1 share of equity in 10^-9, 2 signed target share in 10^-9, 3 the whole position.
        `options` bits: 1 post-only, 2 reduce-only, 4 hidden, 8 all-or-none, 16 slide. `parent`: waits for that order's fill and takes its quantity. `partner`: one
        cancels the other. `offset_nano`: price as the parent's fill price x (1 + offset), in 10^-9.

        Raises InputError for a side, type, time in force or sizing that does not exist.
        """
    def replace_order(
        self,
        participant: int,
        account: int,
        client_order_id: int,
        *,
        price: int = 0,
        quantity: int = 0,
        stop_price: int = 0,
        special: SpecialTerms | None = None,
    ) -> None:
        """Ask for new terms of an open order; 0 keeps the old. `quantity` is the new total."""
    def cancel_order(self, participant: int, account: int, client_order_id: int) -> None:
        """Ask to take an open order back."""
    def cancel_all_orders(self, participant: int, account: int, instrument: int = 0) -> None:
        """Ask to take back all open orders of an account, in one instrument or in all (0)."""
    def mass_cancel(
        self, participant: int, account: int = 0, instrument: int = 0, side: int = 0, session: int = 0
    ) -> None:
        """Ask to take back open orders of an account, an instrument, a side, one of the account's sessions; 0 restricts nothing."""
    def start_timer(self, participant: int, timer_id: int, first_time: int, interval_ns: int = 0) -> None:
        """Fire at `first_time` and then every `interval_ns` (0 = once). A timer of the same id is replaced."""
    def cancel_timer(self, participant: int, timer_id: int) -> None:
        """Stop a timer."""
    def stop_participant(self, participant: int, reason: int) -> None:
        """Show a participant nothing more and cancel its open orders."""

    # -- running

    def run(
        self,
        slots: _Slots | None,
        source: int | None,
        hooks: Sequence[Hooks],
        fee_model: Callable[[Fill], int] | None = None,
        policy: Callable[[int, list[int]], Sequence[int]] | None = None,
    ) -> None:
        """Run until `slots` and all queued commands are used up, calling hooks inline.

        In mode "run" the slots are observations, and orders of accounts without a participant, in time order, of the source numbered `source` (None: of none that a journal
        by reference knows). In the other modes they are a journal's records, sequence and time included. `fee_model`
        answers 10^-9 of the currency for each fill of an `external` fee schedule; `policy`, called with the quantity that comes
        in and those that rest, shares a level of an instrument that matches by policy 4.

        The interpreter is left to other threads for as long as nobody has to be woken. SIGINT ends the run between two
        records. An exception of a hook or model ends it too and is raised as it is; `failed_hook` then says where. The
        records up to it are applied.

        Raises InputError for slots that are no records, no observations or out of order, JournalError, DivergenceError,
        EngineStopped; StrategyError when it is called from inside a hook, from another thread, or when the fee model answers
        no whole number or the policy no shares that add up; ConfigError when either is asked for and there is none.
        """
    def advance_clock(self, time: int) -> None:
        """Fire what is due up to `time` (timers, venues, late answers), in time order, and take the engine's time there.

        Commands and hooks wait for `run`.
        """
    def end_run(self) -> None:
        """Tell the engine that the data ended: open orders are canceled, and market orders sent from now on fill at the last price."""
    def commit(self) -> None:
        """Make the records so far durable and release their outputs. `run` does it at its end, too."""
    def close(self) -> None:
        """Commit and end the journal on purpose: what is missing from it later was lost."""
    def take_output(self) -> NDArray[np.uint8]:
        """Move out the events whose cause is durable, oldest first, as slots; `openbell.messages.layouts.select` reads them."""
    def take_valuations(self) -> NDArray[np.void]:
        """Move out account valuations, oldest first, as an array of `openbell.kernel.VALUATION_DTYPE`."""
    def value_accounts(self) -> None:
        """Value every account now; the figures come with `take_valuations`."""
    def take_outbox(self) -> NDArray[np.void]:
        """Move out requests to remote venues whose cause is durable, as an array of `openbell.kernel.OUTBOX_DTYPE`."""

    # -- reading

    @property
    def sequence(self) -> int:
        """Sequence of the last record applied."""
    @property
    def durable_sequence(self) -> int:
        """Sequence up to which records are durable; without a journal, up to which they were committed."""
    @property
    def time(self) -> int:
        """Time of the last record, UTC nanoseconds."""
    @property
    def output_hash(self) -> int:
        """128-bit hash over all events so far."""
    @property
    def failed_hook(self) -> tuple[str, int, int] | None:
        """Hook that ended the last `run`, and the sequence and time at which it raised; None where none did."""
    def state_hash(self) -> int:
        """Return the 128-bit hash of the engine state."""
    def order(self, account: int, client_order_id: int) -> OrderRecord | None:
        """Return an order of the session day; None for one that was not taken up."""
    def open_orders(self, account: int, instrument: int = 0) -> list[OrderRecord]:
        """Return the open orders of an account, oldest first, in one instrument or in all (0)."""
    def orders_by_account(self, *, closed: int = 0) -> dict[int, tuple[list[OrderRecord], list[OrderRecord]]]:
        """Return, by account, the open orders and the last `closed` of the others, both in the order of their submission.

        One pass over all orders of the session day. Accounts that never sent an order are left out.
        """
    def closed_orders(self) -> ClosedOrders:
        """Return every order of the session day that can trade no more, as it is now."""
    def position(self, account: int, instrument: int) -> tuple[int, int, int, int]:
        """Return (quantity in units, cost, realized profit and loss, fees), money in 10^-9 of the currency; zeros when flat."""
    def cash(self, account: int) -> int:
        """Return cash in the account's currency, 10^-9; 0 for an account that does not exist."""
    def equity(self, account: int) -> int | None:
        """Return cash and positions at their marks, 10^-9; None while a position has no mark."""
    def mark(self, instrument: int) -> int | None:
        """Return the last price in units; None before the first."""
    def indicator(self, participant: int, index: int, instrument: int) -> tuple[float | None, float | None]:
        """Return an indicator's value and the one before it; None until it is ready."""
    def bars(self, participant: int, instrument: int, every_ns: int, count: int) -> NDArray[np.void] | None:
        """Return the last `count` closed bars, oldest first, as an array of `openbell.kernel.BAR_DTYPE`.

        `every_ns` 0 means the bars as they are fed. None for an interval, instrument or participant that is not known.
        """

@final
class Holdings:
    """Instruments, currencies, accounts, limits, switches and books of a node's engine at one moment, for tools that look in.

    `depth` is how many levels of each side of a book are shown. Numbers are as the engine counts.
    """

    def __new__(cls, node: Node, *, depth: int = 10) -> Holdings: ...
    @property
    def instruments(self) -> list[tuple[int, str, int, int, int, int, int, int, int]]:
        """Number, symbol, currency, price unit, quantity unit and multiplier (10^-9), tick, lot (units), venue."""
    @property
    def currencies(self) -> list[tuple[int, str]]:
        """Number and code."""
    @property
    def accounts(self) -> list[tuple[int, int]]:
        """Number and currency."""
    @property
    def venue_kinds(self) -> list[int]:
        """Kind of each venue, by its number from 0: 1 matching, 2 simulated, 3 remote."""
    @property
    def limits(self) -> list[tuple[int, int, int, int]]:
        """Account (0 = every), instrument (0 = every), kind and value of every limit that was set."""
    @property
    def killed(self) -> list[int]:
        """Accounts whose kill switch is on; 0 stands for all."""
    @property
    def halted(self) -> list[int]:
        """Instruments that do not trade now; 0 stands for all."""
    @property
    def books(self) -> list[tuple[int, int, list[tuple[int, int, int]], list[tuple[int, int, int, int]]]]:
        """Of each side of each book on a venue of our own: instrument, side (1 bids, 2 asks), levels (price, shown quantity,
        orders) from the best on, and orders (order id, price, shown quantity, open quantity) in queue order.
        """
    @property
    def sessions(self) -> list[tuple[int, int, int, tuple[int, int, int, int | None] | None]]:
        """Of each instrument on a venue of our own for which anything was ever set: its number, its session (a
        `TradingSession`), when that ends by itself (UTC nanoseconds, 0 for not), and of an auction that would trade: price,
        volume, imbalance (+ of buyers) and reference price, where there is one.
        """
    @property
    def positions(self) -> list[tuple[int, int, int]]:
        """Account, instrument and signed quantity of every position that is not flat."""
    @property
    def told_by_order(self) -> list[int]:
        """Instruments of which every visible order is told."""

def valuation_dtype() -> np.dtype[np.void]:
    """Return the dtype of account valuations; see `openbell.kernel.node`."""

def bar_dtype() -> np.dtype[np.void]:
    """Return the dtype of closed bars; see `openbell.kernel.node`."""

def outbox_dtype() -> np.dtype[np.void]:
    """Return the dtype of requests to remote venues; see `openbell.kernel.node`."""

# ---- journals

RULES_VERSION: Final[int]
"""Version of what this engine does with records. A journal written under another one is not replayed."""

# ---- the node live

@final
class SpecialTerms:
    """What an order says beside the usual, in units; what is 0 says nothing."""

    def __new__(
        cls,
        *,
        display_quantity: int = 0,
        minimum_quantity: int = 0,
        trail: int = 0,
        trail_by: int = 0,
        limit_offset: int = 0,
        peg: int = 0,
        peg_offset: int = 0,
        trigger_by: int = 0,
        self_trade: int = 0,
        self_trade_group: int = 0,
        zero_price: bool = False,
        zero_stop_price: bool = False,
    ) -> SpecialTerms:
        """Terms of an order, or of a replace, where 0 keeps the old.

        `display_quantity`: the most an iceberg shows. `minimum_quantity`: the least that trades on arrival. `trail`: how far a
        trailing stop stays behind, in price units (`trail_by` 1) or 10^-9 of the price (2). `limit_offset`: how far the limit
        of a trailing stop-limit lies beyond its stop. `peg`: 1 the best of its side, 2 of the other, 3 the middle, with
        `peg_offset` added. `trigger_by`: 1 the last trade, 2 the best of the other side, 3 the mark. `self_trade`: as
        `Commands.set_self_trade_prevention` has it; `self_trade_group`: whose order it is. `zero_price`, `zero_stop_price`: the
        price of 0 is one, where 0 would say nothing: in a replace, of a pegged order, where a trailing stop begins.

        Raises InputError for a number that names none.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Commands:
    """Command records gathered in one array: what a live node is configured with, or a batch for `LiveNode.submit`.

    Methods are named after commands; numbers and units are those of `Node`'s.
    """

    def __new__(cls) -> Commands: ...
    def define_currency(self, currency: int, code: str) -> None:
        """Give a currency a number. Raises ConfigError for a code that is empty or longer than 36 bytes."""
    def configure_venue(self, venue: int, kind: int) -> None:
        """Add the venue with the next number, from 0. `kind`: 1 matching, 3 remote."""
    def list_instrument(
        self,
        instrument: int,
        symbol: str,
        *,
        currency: int,
        price_unit_nano: int,
        quantity_unit_nano: int,
        multiplier_nano: int,
        tick: int,
        lot: int,
        venue: int,
        negative_prices: bool = False,
    ) -> None:
        """List an instrument. Raises ConfigError for a symbol that is empty or longer than 36 bytes."""
    def open_account(self, account: int, currency: int, *, shorting: bool) -> None:
        """Open an account settled in `currency`; `shorting` allows negative positions."""
    def deposit_cash(self, account: int, amount_nano: int, currency: int) -> None:
        """`amount_nano` in 10^-9 of the currency."""
    def withdraw_cash(self, account: int, amount_nano: int, currency: int) -> None:
        """`amount_nano` in 10^-9 of the currency."""
    def set_fee_schedule(
        self, account: int, instrument: int, *, maker_rate: int, taker_rate: int, flat_nano: int = 0
    ) -> None:
        """Rates in 10^-9 of notional, flat part in 10^-9 of the currency per fill; 0 stands for all."""
    def set_risk_limit(self, account: int, instrument: int, limit: int, value: int) -> None:
        """Set the limit with the number `limit` to `value` in its unit; an instrument of 0 stands for all."""
    def engage_kill_switch(self, account: int, reason: int) -> None:
        """Refuse new orders and cancel open ones of an account; 0 stands for all."""
    def release_kill_switch(self, account: int, reason: int) -> None:
        """Let an account trade again; 0 stands for all."""
    def halt_trading(self, instrument: int, reason: int) -> None:
        """Refuse new orders in an instrument; 0 stands for all."""
    def resume_trading(self, instrument: int, reason: int) -> None:
        """End a halt."""
    def set_matching_policy(
        self,
        instrument: int,
        policy: int,
        *,
        minimum: int = 0,
        by_time: int = 0,
        leveling: bool = False,
        top: tuple[int, int, int] | None = None,
        lead: list[tuple[int, int]] | None = None,
    ) -> None:
        """How an instrument of our own venue matches. `policy`: 1 price-time, 2 allocation by steps, 3 price-size-time.

        Of an allocation: `minimum` of a pro-rata share (0: no pro-rata step), `by_time` in millionths, `top` as minimum,
        maximum and share, `lead` as accounts with shares, at most five. Raises ConfigError for more.
        """
    def change_trading_session(self, instrument: int, session: int, *, until: int = 0) -> None:
        """Open the session with the number `session` (0 stands for all instruments); at `until` its successor follows."""
    def set_price_bands(
        self,
        instrument: int,
        *,
        static_width: int = 0,
        dynamic_width: int = 0,
        static_units: int = 0,
        dynamic_units: int = 0,
        on_breach: int = 4,
        duration_ns: int = 0,
    ) -> None:
        """Widths in 10^-9 of the reference price and in price units, 0 for none: the wider holds. A breach starts session `on_breach` (4 or 5)."""
    def set_reference_price(self, instrument: int, price: int, *, is_known: bool = False) -> None:
        """The price that static bands lie around, until an auction gives another; one of 0 only where `is_known`, else none."""
    def set_tick_size(self, instrument: int, from_price: int, tick: int) -> None:
        """One row of the tick table; a tick of 0 takes the row out."""
    def set_order_sizes(self, instrument: int, *, minimum: int = 0, maximum: int = 0) -> None:
        """Smallest and largest quantity of an order; 0 for no bound."""
    def set_market_data(self, instrument: int, by_order: bool) -> None:
        """Whether every visible order is told."""
    def submit_order(
        self,
        account: int,
        instrument: int,
        client_order_id: int,
        side: int,
        order_type: int,
        time_in_force: int,
        quantity: int,
        *,
        price: int = 0,
        stop_price: int = 0,
        options: int = 0,
        expire_time: int = 0,
        special: SpecialTerms | None = None,
        session: int = 0,
    ) -> None:
        """Raises InputError for a number that names no side, type or time in force."""
    def replace_order(
        self,
        account: int,
        client_order_id: int,
        *,
        price: int = 0,
        quantity: int = 0,
        stop_price: int = 0,
        special: SpecialTerms | None = None,
    ) -> None:
        """New terms of an open order; 0 keeps the old value."""
    def cancel_order(self, account: int, client_order_id: int) -> None:
        """Cancel the order the client knows by this id."""
    def cancel_all_orders(self, account: int, instrument: int = 0) -> None:
        """Cancel an account's open orders, of one instrument where it is not 0."""
    def mass_cancel(
        self, account: int = 0, instrument: int = 0, side: int = 0, participant: int = 0, session: int = 0
    ) -> None:
        """Cancel open orders, oldest first: of an account, an instrument, a side, a participant, one of the account's sessions.

        0 restricts nothing.
        """
    def set_self_trade_prevention(self, account: int, group: int, action: int) -> None:
        """What happens when an order of the account (0: of any without a setting) meets one of its own.

        `action`: 0 they trade, 1 cancel the aggressor, 2 the resting order, 3 both, 4 take the smaller quantity from both.
        Accounts of one `group` are one owner; 0: each for itself.
        """
    def slots(self) -> NDArray[np.uint8]:
        """Return a copy of the slots gathered so far."""
    def clear(self) -> None:
        """Forget what was gathered."""

@final
class LiveHealth:
    """A live node at one moment. Times in UTC nanoseconds, sizes in slots.

    `state` is RUNNING, CANCEL_ONLY (the journal has no room but its reserve: cancels and the kill switch pass, all else is
    refused with JOURNAL_MUST_HAVE_ROOM, until there is room), STOPPING or STOPPED. `failure` is "journal" or "engine" when
    the node ended by itself, with `reason`. Up to `durable_sequence` everything is as durable as `durability` promises.
    `ingress`, `journal` and `egress` are (filled, capacity) of the rings; `held_slots` of events wait for the journal or
    for the reader. The commit times are of the last thousand. `clock_offset_ns` says how far the machine's clock is ahead
    of the time records get, while it is not believed.
    """

    @property
    def state(self) -> Literal["RUNNING", "CANCEL_ONLY", "STOPPING", "STOPPED"]:
        """What it does with what it is given; see the class."""
    @property
    def failure(self) -> Literal["journal", "engine"] | None:
        """What ended it by itself."""
    @property
    def reason(self) -> str | None:
        """The first error, in words."""
    @property
    def durability(self) -> str:
        """Mode of the journal."""
    @property
    def epoch(self) -> int:
        """Number of the history."""
    @property
    def shard(self) -> int:
        """Number of the engine."""
    @property
    def sequence(self) -> int:
        """Sequence of the last record applied."""
    @property
    def durable_sequence(self) -> int:
        """Up to here everything is as durable as the mode promises."""
    @property
    def time(self) -> int:
        """Time of the last record, UTC nanoseconds."""
    @property
    def ingress(self) -> tuple[int, int]:
        """(filled, capacity) of the ring of what was submitted, in slots."""
    @property
    def journal(self) -> tuple[int, int]:
        """(filled, capacity) of the ring before the journal's thread, in slots."""
    @property
    def egress(self) -> tuple[int, int]:
        """(filled, capacity) of the ring of outputs, in slots."""
    @property
    def held_slots(self) -> int:
        """Slots of events that wait for the journal or for room in the ring of outputs."""
    @property
    def shortage(self) -> str | None:
        """Why the journal's next segment cannot be prepared (the disk is full); nothing is refused yet while RUNNING."""
    @property
    def reserve_left(self) -> int | None:
        """Bytes left for cancels and the kill switch, while CANCEL_ONLY."""
    @property
    def commits(self) -> int:
        """Batches written since the start."""
    @property
    def commit_p50_ns(self) -> int | None:
        """Median time of the last thousand commits; None before the first."""
    @property
    def commit_p99_ns(self) -> int | None:
        """99th percentile of the last thousand commits; None before the first."""
    @property
    def clock_offset_ns(self) -> int | None:
        """How far the machine's clock is ahead of the time records get, while it is not believed."""
    @property
    def has_outgrown_inline(self) -> bool:
        """Whether the state is larger than is saved inline: nobody saves it now unless a follower has taken over."""
    @property
    def upkeep_trouble(self) -> str | None:
        """Why the last snapshot could not be saved inline, or old segments could not be removed."""

@final
class RecentEvents:
    """Gathers the last events of each account or instrument out of millions.

    Args:
        rules: Which are kept: numbers of messages, what groups them ("account" or "instrument"; events without one are not
            kept), and how many of each group. A message belongs to the first rule that names it.

    Raises InputError for a grouping that is none.
    """

    def __new__(cls, rules: Sequence[tuple[Sequence[int], str, int]]) -> RecentEvents: ...
    def add(self, slots: _Slots) -> None:
        """Take in the next events, in their order."""
    def of(self, rule: int, key: int) -> tuple[NDArray[np.uint8], tuple[int, int] | None]:
        """Return the last events of a group, oldest first, as slots, and sequence and index of the last one left out for them."""
    @property
    def place(self) -> tuple[int, int] | None:
        """Sequence and index of the last event of any kind; None before the first."""

@final
class RestartedNode:
    """The engine where a journal ends, to be looked at before it goes live. The journal is held open meanwhile.

    Args:
        directory: Of the journal.
        recent: Is shown every event of the records after the snapshot with which the restart began.
        accept_any_file_system, seal_key, inline_snapshots: As of `LiveNode.open`.

    Raises as `LiveNode.open`.
    """

    def __new__(
        cls,
        directory: str | PathLike[str],
        *,
        recent: RecentEvents | None = None,
        accept_any_file_system: bool = False,
        seal_key: bytes | None = None,
        inline_snapshots: tuple[int, int, int, int] | None = None,
    ) -> RestartedNode: ...
    @property
    def node(self) -> Node:
        """The engine, to be read in the thread that restarted it, until it goes live."""
    @property
    def begin(self) -> int:
        """Sequence of the snapshot with which the restart began; 0 where it began with the first record."""
    @property
    def durability(self) -> _Durability:
        """How the journal is written."""
    def go_live(
        self,
        *,
        ingress_slots: int = 16384,
        egress_slots: int = 65536,
        spins: int = 200,
        interval_ns: int = 10_000_000,
        clock_bound_ns: int = 10_000_000_000,
        accept_clock: bool = False,
        depth_levels: int = 0,
        processor: int | None = None,
    ) -> LiveNode:
        """Start the threads; `node` cannot be asked any more. Once.

        Raises ConfigError for a clock that is not to be believed and for a processor it may not run on.
        """

@final
class LiveNode:
    """An engine with its journal on threads of their own. Any thread may call it; the GIL is released meanwhile.

    What is submitted gets its place and time, is applied and written; its events can be taken once they are durable. A full
    ring answers BUSY and drops nothing: `submit` takes fewer records than it was given, the others return False. A reader
    that does not take outputs stops the intake in the same way.

    A journal that cannot be written ends the node: JournalError from every call, after the outputs that were durable. A
    broken invariant or a panic ends it with EngineStopped at once. After `stop`, submitting raises EngineStopped and what
    was not taken can still be taken.

    Args of `create` and `open`:
        directory: Of the journal, which nobody else may have open.
        configuration: Slots of the commands that set the stage (`Commands`); they are in the journal whole or not at all.
        epoch: Number of this history, not 0; two histories should not share one.
        durability: How the journal is written for its whole life.
        shard: Number of this engine, 0 to 255; part of every `order_id`.
        ingress_slots, egress_slots: Sizes of the rings, rounded up to powers of two.
        spins: How often a thread looks for work before it sleeps; more saves microseconds and costs a processor.
        interval_ns: In the mode "interval", what is written is synced after this.
        clock_bound_ns: A step of the machine's clock beyond this is not followed; `LiveHealth.clock_offset_ns` shows it.
        accept_clock: Start though the clock is behind the last record or more than a year ahead of it.
        accept_any_file_system: Begin also on a network or in memory, where a sync promises nothing.
        depth_levels: Levels of each side of every book that `depth` reads; 0 publishes none.
        processor: Number of the one processor that the node thread runs on, from 0; None leaves it to the system. Choose one that
            takes no interrupts of the disk (/proc/interrupts): with them it is a fifth slower.
        segment_bytes: Size of the journal's segments, for its whole life; 64 MiB unless given.
        seal_key: Ed25519 secret, 32 bytes, with which segments that end from now on are sealed.
        inline_snapshots: Save the node's own state beside the journal: (most bytes of a state that is saved so, and a snapshot is
            due after so many records, bytes of records, nanoseconds).
    """

    @staticmethod
    def create(
        directory: str | PathLike[str],
        configuration: _Slots,
        *,
        epoch: int,
        created_by: str,
        durability: _Durability = "batch",
        shard: int = 0,
        ingress_slots: int = 16384,
        egress_slots: int = 65536,
        spins: int = 200,
        interval_ns: int = 10_000_000,
        clock_bound_ns: int = 10_000_000_000,
        accept_clock: bool = False,
        accept_any_file_system: bool = False,
        depth_levels: int = 0,
        processor: int | None = None,
        segment_bytes: int | None = None,
        seal_key: bytes | None = None,
    ) -> LiveNode:
        """Begin a history. Raises ConfigError for a configuration the engine refuses, JournalError where one is already."""
    @staticmethod
    def open(
        directory: str | PathLike[str],
        *,
        ingress_slots: int = 16384,
        egress_slots: int = 65536,
        spins: int = 200,
        interval_ns: int = 10_000_000,
        clock_bound_ns: int = 10_000_000_000,
        accept_clock: bool = False,
        depth_levels: int = 0,
        processor: int | None = None,
        accept_any_file_system: bool = False,
        seal_key: bytes | None = None,
        inline_snapshots: tuple[int, int, int, int] | None = None,
    ) -> LiveNode:
        """Go on with a history. Raises JournalError for one that is not whole, EngineStopped at a record that stops it."""
    def depth(self, instrument: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]], int]:
        """Bids and asks as (price, quantity, orders) in units, best first, and how often the book was published.

        Reads without waiting for the node, which may be ahead of what is durable. Raises ConfigError without `depth_levels`.
        """
    def submit(self, slots: _Slots) -> int:
        """Take whole records of commands and observations; return how many, the rest found no room.

        Raises InputError, and takes nothing, for slots that are no records or that may not come from outside.
        """
    def submit_order(
        self,
        account: int,
        instrument: int,
        client_order_id: int,
        side: int,
        order_type: int,
        time_in_force: int,
        quantity: int,
        *,
        price: int = 0,
        stop_price: int = 0,
        options: int = 0,
        expire_time: int = 0,
        special: SpecialTerms | None = None,
        session: int = 0,
        wake: bool = True,
    ) -> bool:
        """Return False when there is no room. Raises InputError for a number that names no side, type or time in force.

        Who sends many at once gives `wake=False` and calls `wake` after the last: a node that rests goes on resting until then.
        """
    def wake(self) -> None:
        """Wake a node that rests, for the orders that were submitted without waking it."""
    def replace_order(
        self,
        account: int,
        client_order_id: int,
        *,
        price: int = 0,
        quantity: int = 0,
        stop_price: int = 0,
        special: SpecialTerms | None = None,
    ) -> bool:
        """New terms of an open order, 0 keeps the old value; return False when there is no room."""
    def cancel_order(self, account: int, client_order_id: int) -> bool:
        """Cancel the order the client knows by this id; return False when there is no room."""
    def take_outputs(self, limit: int = 65536) -> NDArray[np.uint8]:
        """Return whole events whose cause is durable, oldest first, at most `limit` slots; empty when there is none.

        Three bits of `flags` in an event's head say its durability (`durability_of`). An event with
        sequence 0 is an answer given at the door and in no journal.
        """
    def fileno(self) -> int:
        """Return a descriptor that is readable while outputs wait, and for ever once the node has ended.

        `take_outputs` silences it when it has taken everything.
        """
    def health(self) -> LiveHealth:
        """Return how the node is now."""
    def remove_sealed_before(self, sequence: int) -> None:
        """Have sealed segments removed of which every record is before `sequence`, soon and between two commits.

        What keeps it from doing so is told by `LiveHealth.upkeep_trouble`, and it can be asked again.
        """
    def accept_clock(self) -> None:
        """Believe the machine's clock from now on, wherever it stands."""
    def stop(self) -> None:
        """Apply and commit what was taken, end the journal on purpose, and wait for the threads."""
    @property
    def state_hash_at_stop(self) -> int | None:
        """Hash of the whole state with which `stop` ended the journal."""

def durability_of(flags: int) -> str | None:
    """Return the durability an event had when a live node let it go, from its head's `flags`; None where it did not."""

@final
class NewJournal:
    """A journal that does not exist yet; the node that gets it creates it in the directory `path`.

    `epoch` numbers one unbroken history, never 0; `created_by` names the program, at most 160 bytes. `content`: "full" holds all
    records, "by_reference" only points at those that `run` was given with a `source`. A `durability` that syncs is refused on a
    network or in memory, where a sync promises nothing, unless `accept_any_file_system`. `seal_key`, an Ed25519 secret of 32 bytes,
    signs the seals of segments.
    """

    def __new__(
        cls,
        path: str | PathLike[str],
        *,
        epoch: int,
        created_time: int,
        created_by: str,
        durability: _Durability = "batch",
        content: Literal["full", "by_reference"] = "full",
        accept_any_file_system: bool = False,
        seal_key: bytes | None = None,
    ) -> NewJournal:
        """Raises ConfigError for a durability or content that does not exist. Nothing is written yet."""

@final
class JournalReader:
    """Reads the journal in the directory `path` batch by batch and checks each: checksums, chain, sequences. Takes no lock.

    Raises JournalError, naming path, segment, offset, sequence and rule, for what is no journal, is damaged, ends with a write
    that was cut short, or was written by a newer program.
    """

    def __new__(cls, path: str | PathLike[str]) -> JournalReader: ...
    def read(self, max_slots: int = 65536) -> NDArray[np.uint8] | None:
        """Return the next records as slots: those of one whole batch, then of more until there are `max_slots` of them.

        None at the end. References come as markers (see `InputExpansion`). An error is raised after what comes before it
        was given out.
        """
    def read_durable(self, max_slots: int = 65536) -> NDArray[np.uint8] | None:
        """Return what `read` does, but only what is durable, also while somebody writes; None when there is nothing new yet.

        `report.closed` says that the writer has ended. In the modes "os" and "none" every whole batch counts as durable.
        """
    @property
    def report(self) -> JournalReport:
        """What was read so far."""

@final
class JournalWriter:
    """Writes a journal: for tools and tests; a node writes its own. Holds the journal's lock until closed or dropped.

    After a failed write or sync every call raises JournalError naming the first cause.
    """

    @staticmethod
    def create(
        path: str | PathLike[str],
        *,
        epoch: int,
        created_time: int,
        created_by: str,
        durability: str = "batch",
        content: str = "full",
        segment_size: int | None = None,
        accept_any_file_system: bool = False,
        seal_key: bytes | None = None,
    ) -> JournalWriter:
        """Begin a journal. Raises JournalError where there is one already, ConfigError for settings that cannot be."""
    @staticmethod
    def open(
        path: str | PathLike[str], *, accept_any_file_system: bool = False, seal_key: bytes | None = None
    ) -> JournalWriter:
        """Open a journal to continue it: checks all of it and cuts off a torn tail after keeping a copy."""
    @property
    def cut(self) -> str | None:
        """What was cut off when the journal was opened; None where nothing was."""
    def append(self, slots: _Slots) -> None:
        """Add whole, stamped records that continue the sequence."""
    def append_reference(self, input: int, count: int, sequence: int, time: int) -> None:
        """Let `count` records of an input stand by reference, from `sequence` and `time` on."""
    def commit(self, output_hash: int = 0, state_hash: tuple[int, int] | None = None) -> int:
        """Write what was appended; return the last sequence that is as durable as the mode promises."""
    def close(self, output_hash: int = 0, state_hash: tuple[int, int] | None = None) -> int:
        """Commit, and end the journal with a batch that says so: from now on the loss of its end is noticed."""
    @property
    def next_sequence(self) -> int:
        """The sequence the next record must have."""
    @property
    def durable_sequence(self) -> int:
        """The last sequence that is as durable as the mode promises."""

@final
class JournalReport:
    """What a journal is and holds, as far as it was read."""

    @property
    def epoch(self) -> int:
        """Number of the history it is of."""
    @property
    def shard(self) -> int:
        """Number of the engine that wrote it."""
    @property
    def schema(self) -> int:
        """Version of the message registry of the program that wrote it."""
    @property
    def rules_version(self) -> int:
        """Version of what that engine does with records; see `RULES_VERSION`."""
    @property
    def created_time(self) -> int:
        """When it was begun, UTC nanoseconds."""
    @property
    def created_by(self) -> str:
        """Program that began it."""
    @property
    def durability(self) -> Literal["batch", "none"]:
        """When a commit counted as durable."""
    @property
    def content(self) -> Literal["full", "by_reference"]:
        """Whether the records of inputs are here or only pointed at."""
    @property
    def segment_size(self) -> int:
        """Most bytes a segment has."""
    @property
    def sector_size(self) -> int:
        """Bytes to which batches are padded, so that no sector is written twice."""
    @property
    def segments(self) -> int:
        """Files read."""
    @property
    def batches(self) -> int:
        """Batches read."""
    @property
    def records(self) -> int:
        """Records that are here, markers of references not counted."""
    @property
    def referenced(self) -> int:
        """Records that stand by reference."""
    @property
    def slots(self) -> int:
        """Slots of all records and markers that are here."""
    @property
    def bytes(self) -> int:
        """Bytes up to the end of the last whole batch, headers and padding included."""
    @property
    def file_bytes(self) -> int:
        """Bytes of the files, room filled ahead and a torn tail included."""
    @property
    def first_sequence(self) -> int:
        """Sequence of the first record."""
    @property
    def last_sequence(self) -> int:
        """Sequence of the last record; one less than the first when there is none."""
    @property
    def durable_sequence(self) -> int:
        """What the last batch says was durable when it was written."""
    @property
    def state_hash(self) -> tuple[int, int] | None:
        """Sequence after which the last state hash was taken, and the hash."""
    @property
    def output_hash(self) -> tuple[int, int] | None:
        """Last sequence that the last output hash covers, and the hash."""
    @property
    def chain(self) -> int:
        """128-bit hash over everything up to the last whole batch."""
    @property
    def end(self) -> _Position:
        """End of the last whole batch."""
    @property
    def watermark(self) -> _Position | None:
        """Up to where the journal is known to have been durable; None in a mode that never syncs."""
    @property
    def closed(self) -> bool:
        """True when the last batch says that the writer ended on purpose."""
    @property
    def torn(self) -> str | None:
        """Where and how a write at the end was cut short; None where none was."""

@final
class InputExpansion:
    """Puts the records of inputs back where a journal by reference only points at them.

    `inputs` are the decoded, unstamped records of each input, in the order in which the journal numbers them; they are kept,
    not copied.
    """

    def __new__(cls, inputs: Sequence[_Slots] = ()) -> InputExpansion: ...
    def add(self, slots: _Slots) -> None:
        """Add the input with the next number."""
    def expand(self, slots: _Slots) -> NDArray[np.uint8]:
        """Return the records of `slots`, which a JournalReader gave, with what references stand for in their place, stamped.

        Must be given a journal's records in order. Raises JournalError where an input is missing or has too few records.
        """
    @property
    def left(self) -> list[int]:
        """Slots that each input still has: none, once a whole journal was expanded."""

def verify_journal(path: str | PathLike[str], *, require_closed: bool = False) -> JournalReport:
    """Read and check the whole journal in the directory `path`.

    Raises JournalError for damage; a torn tail is told in the report. With `require_closed`, also for a journal that does
    not end with the batch that closes it.
    """

# ---- care of journals

def seal_public_key(secret: bytes) -> bytes:
    """Return the Ed25519 public key, 32 bytes, to a secret one."""

@final
class JournalProof:
    """What the seals of a journal say."""

    @property
    def epoch(self) -> int:
        """Of the journal."""
    @property
    def entries(self) -> int:
        """Entries of SEALS: of sealed segments, of removals, of cuts."""
    @property
    def sealed_segments(self) -> int:
        """Segments that are here and sealed; all of them were hashed."""
    @property
    def sealed_through(self) -> int:
        """The last sequence that a seal covers; 0 when there is none."""
    @property
    def unsealed_segments(self) -> int:
        """Segments without a seal yet: only their own checks hold them."""
    @property
    def removed_through(self) -> int:
        """The last segment that was removed on purpose; 0 for none."""
    @property
    def cuts(self) -> list[int]:
        """Segments from which on the journal was cut on purpose."""
    @property
    def is_signed(self) -> bool:
        """Whether every entry has a signature."""
    @property
    def last_seal(self) -> bytes:
        """32 bytes that cover all that was ever sealed."""
    @property
    def touched(self) -> str | None:
        """Where history is not what was sealed, first; None where it is."""

def prove_journal(path: str | PathLike[str], public_key: bytes | None = None) -> JournalProof:
    """Compare a journal with its seals, and every seal with the one before and, with 32 bytes of an Ed25519 key, its signature.

    Raises JournalError for what is no journal and for one that is not sealed.
    """

def cut_journal(
    path: str | PathLike[str],
    snapshots: str | PathLike[str],
    sequence: int,
    *,
    actor: str,
    reason: str,
    time: int,
    accept_any_file_system: bool = False,
    seal_key: bytes | None = None,
) -> tuple[int, str, int, list[Path]]:
    """Take off everything behind `sequence`: (last sequence kept, place, bytes taken off, files that hold them).

    Snapshots of later states in the folder `snapshots` are put aside, with `.cut` behind their names. The journal says who did it and why. Raises JournalError where it cannot be read up to there, is being
    written, or would have nothing left to begin with.
    """

def skip_journal_record(
    path: str | PathLike[str],
    sequence: int,
    *,
    actor: str,
    reason: str,
    time: int,
    accept_any_file_system: bool = False,
) -> int:
    """Journal that a record is passed over; the sequence of the record that says so. Raises JournalError for one not there."""

def skipped_records(path: str | PathLike[str]) -> list[int]:
    """Return the sequences of records that the journal says are passed over. All of it is read."""

def reseal_journal(
    path: str | PathLike[str],
    *,
    actor: str,
    reason: str,
    time: int,
    accept_any_file_system: bool = False,
    seal_key: bytes | None = None,
) -> tuple[int, Path | None]:
    """Hash every ended segment anew into a new SEALS; return how many, and where the old file is kept.

    Raises JournalError for records that are damaged, and while somebody writes.
    """

def remove_journal_segments(
    path: str | PathLike[str],
    sequence: int,
    *,
    time: int,
    accept_any_file_system: bool = False,
    seal_key: bytes | None = None,
) -> list[int]:
    """Remove the sealed segments that end before `sequence`; their numbers. Raises JournalError while somebody writes."""

def journal_segments(path: str | PathLike[str]) -> list[tuple[int, int, int]]:
    """Return number, first sequence and epoch of every segment."""

def snapshots_in(
    path: str | PathLike[str],
) -> list[tuple[int, int, int, int, int, int, str | None]]:
    """Read and check every snapshot of a folder, oldest first, whoever it belongs to.

    Sequence, epoch, rules version, configuration, time of the last record, state hash; what is wrong with it, or None.
    """

def begin_journal_epoch(
    journal: str | PathLike[str],
    snapshots: str | PathLike[str],
    new_journal: str | PathLike[str],
    new_snapshots: str | PathLike[str],
    *,
    created_time: int,
    created_by: str,
    accept_any_file_system: bool = False,
) -> int:
    """Begin the next epoch from the snapshot of the old one's end, under this program's rules; its number.

    Raises JournalError for a damaged journal and where there is no whole snapshot of exactly its end.
    """

# ---- registries

def message_registry() -> list[tuple[int, str, str, int]]:
    """Return (number, name, kind, version) of every message; kinds: structure, command, observation, event."""

def body_layouts() -> list[tuple[str, int, list[tuple[str, str]]]]:
    """Return (name, message number, fields) of every body; a field is (name, kernel type), 32 bytes in all."""

def payload_layouts() -> list[tuple[str, int, list[tuple[str, str]]]]:
    """Return (name, continuation tag, fields) of every payload; a field is (name, kernel type), 40 bytes in all."""

def rule_registry() -> list[tuple[int, str]]:
    """Return (number, name) of every rule a refusal can name."""

@final
class Follower:
    """A second engine that follows a journal while it is written, compares the hashes in it and saves snapshots.

    Args:
        journal: The folder of a full journal.
        snapshots: The folder the snapshots go to; the two newest are kept.
        configuration: What else must be the same for a snapshot to be used, as a hash.
        records: Save after so many records.
        bytes: Save after so many bytes of records.
        interval_ns: Save after so long, if anything came.
    """

    def __new__(
        cls,
        journal: str | PathLike[str],
        snapshots: str | PathLike[str],
        *,
        configuration: int = 0,
        records: int = 4_000_000,
        bytes: int = 536_870_912,
        interval_ns: int = 30_000_000_000,
    ) -> Follower:
        """Begin at the newest snapshot that is whole. Raises JournalError where journal or snapshot cannot be used."""
    def follow(self, now_ns: int) -> tuple[int, int, Path | None, bool]:
        """Take in what is durable: (records taken in, last sequence, snapshot if one was saved, whether the journal was closed).

        `now_ns` is the caller's clock. Raises DivergenceError for a hash that is not the recorded one, EngineStopped for a
        record that stops the engine, JournalError for a damaged journal or a snapshot that cannot be written.
        """
    def save(self, now_ns: int) -> Path:
        """Save the state now and return the file. Errors as of `follow`."""

def compare_history(
    journal: str | PathLike[str], snapshots: str | PathLike[str] | None = None, *, configuration: int = 0
) -> list[str]:
    """Replay a full journal from its first record and compare every hash and every snapshot on the way.

    Returns the first difference in words, "here" being the replay, or an empty list. Raises JournalError for what cannot be
    read, EngineStopped for a record that stops the engine.
    """
