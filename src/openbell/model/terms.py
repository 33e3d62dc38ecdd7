"""Terms of orders and states of risk. The numbers are those of the records and never change."""

from __future__ import annotations

from enum import IntEnum


class Side(IntEnum):
    """Side of an order or a fill."""

    BUY = 1
    SELL = 2

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(IntEnum):
    """How an order is priced."""

    MARKET = 1
    LIMIT = 2
    STOP = 3
    STOP_LIMIT = 4
    MARKET_IF_TOUCHED = 5
    LIMIT_IF_TOUCHED = 6
    TRAILING_STOP = 7
    TRAILING_STOP_LIMIT = 8
    MARKET_TO_LIMIT = 9
    PEGGED = 10

    @property
    def has_limit(self) -> bool:
        """It needs a limit price."""
        return self in (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED)

    @property
    def has_stop(self) -> bool:
        """It needs a stop price: the price that wakes it."""
        return self in _WOKEN

    @property
    def trails(self) -> bool:
        """Its stop follows the market; it may come with a price where it begins."""
        return self in (OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT)


_WOKEN = (
    OrderType.STOP,
    OrderType.STOP_LIMIT,
    OrderType.MARKET_IF_TOUCHED,
    OrderType.LIMIT_IF_TOUCHED,
)


class TriggerBy(IntEnum):
    """What wakes a stop or touched order."""

    LAST_TRADE = 1
    OPPOSITE_BEST = 2
    MARK = 3


class TrailBy(IntEnum):
    """How far a trailing stop stays behind: price units, or 10^-9 of the price."""

    AMOUNT = 1
    PERCENT = 2


class Peg(IntEnum):
    """What a pegged order follows: the best of its own side, of the other, or the middle."""

    PRIMARY = 1
    MARKET = 2
    MID = 3


class SelfTradeAction(IntEnum):
    """What happens when an order meets one of the same owner."""

    CANCEL_AGGRESSOR = 1
    CANCEL_RESTING = 2
    CANCEL_BOTH = 3
    DECREMENT_AND_CANCEL = 4


class TimeInForce(IntEnum):
    """How long an order lives."""

    DAY = 1
    GTC = 2
    GTD = 3
    IOC = 4
    FOK = 5
    AT_OPEN = 6
    AT_CLOSE = 7


class TradingSession(IntEnum):
    """What an instrument of an exchange is open for; docs/venue.md says what each takes."""

    PRE_OPEN = 1
    OPENING_AUCTION = 2
    CONTINUOUS = 3
    VOLATILITY_AUCTION = 4
    HALTED = 5
    CLOSING_AUCTION = 6
    CLOSED = 7


class OrderState(IntEnum):
    """Where an order is in its life. Fills are legal in every pending state and after a cancel."""

    SUBMITTED = 1
    PENDING_NEW = 2
    ACCEPTED = 3
    PENDING_REPLACE = 4
    PENDING_CANCEL = 5
    FILLED = 6
    CANCELED = 7
    EXPIRED = 8
    DENIED = 9  # by us, before the venue saw it
    REJECTED = 10  # by the venue
    UNKNOWN = 11  # no answer in time: queried, never resent blindly

    @property
    def is_terminal(self) -> bool:
        """True where the order rests nowhere any more (a late fill may still arrive)."""
        return self in _TERMINAL


_TERMINAL = (
    OrderState.FILLED,
    OrderState.CANCELED,
    OrderState.EXPIRED,
    OrderState.DENIED,
    OrderState.REJECTED,
)


class RiskState(IntEnum):
    """State of an account's risk: free, tightened, closing orders only."""

    NORMAL = 1
    WARNING = 2
    COOL_DOWN = 3


class Liquidity(IntEnum):
    """Whether a fill gave liquidity or took it."""

    MAKER = 1
    TAKER = 2
