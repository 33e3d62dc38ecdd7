"""The messages of the exchange's WebSocket protocol, both ways; docs/protocol.md is the same table for people.

A frame is one JSON object with a `type`. Prices and quantities are exact decimals in text, times ISO 8601 in UTC with
nanoseconds, numbers never floats. Fields may be added to what the server sends: a client passes over what it does not know. The
server refuses fields it does not know, for a misspelled one would be left out silently.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from openbell.model.errors import OpenbellError

PROTOCOL_VERSION = 1

ClientOrderId = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
SessionNumber = Annotated[int, msgspec.Meta(ge=1, le=2**16 - 1)]
SideName = Literal["BUY", "SELL"]
OrderTypeName = Literal[
    "MARKET",
    "LIMIT",
    "STOP",
    "STOP_LIMIT",
    "MARKET_IF_TOUCHED",
    "LIMIT_IF_TOUCHED",
    "TRAILING_STOP",
    "TRAILING_STOP_LIMIT",
    "MARKET_TO_LIMIT",
    "PEGGED",
]
TriggerName = Literal["LAST_TRADE", "OPPOSITE_BEST", "MARK"]
PegName = Literal["PRIMARY", "MARKET", "MID"]
SelfTradeName = Literal["CANCEL_AGGRESSOR", "CANCEL_RESTING", "CANCEL_BOTH", "DECREMENT_AND_CANCEL"]
TimeInForceName = Literal["DAY", "GTC", "GTD", "IOC", "FOK", "AT_OPEN", "AT_CLOSE"]
ChannelName = Literal["depth", "trades", "session", "orders"]
SessionName = Literal[
    "PRE_OPEN",
    "OPENING_AUCTION",
    "CONTINUOUS",
    "VOLATILITY_AUCTION",
    "HALTED",
    "CLOSING_AUCTION",
    "CLOSED",
]
ShownOrder = tuple[int, str, str]
"""Order id, price, quantity shown."""
OrderChange = tuple[str, str, int, str, str]
"""ADD, CHANGE or REMOVE, side, order id, price, quantity shown (of a removed one: last)."""
Level = tuple[str, str, int]
"""Price, quantity at it, number of orders; quantity "0" takes the level away."""


class _Received(
    msgspec.Struct,
    tag_field="type",
    forbid_unknown_fields=True,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
):
    """What a client sends. `request` is its own number for it, repeated in what answers directly."""

    request: int | None = None


class Login(_Received, tag="login", kw_only=True, frozen=True):
    """The first message. `resume_from` and `resume_index` name the last private message the client has seen."""

    key: Annotated[str, msgspec.Meta(max_length=256)]
    cancel_on_disconnect: bool = False
    resume_from: Annotated[int, msgspec.Meta(ge=0)] | None = None
    resume_index: Annotated[int, msgspec.Meta(ge=0, le=2**16)] | None = None


class Submit(_Received, tag="submit", kw_only=True, frozen=True):
    """A new order."""

    client_order_id: ClientOrderId
    instrument: str
    side: SideName
    quantity: Decimal
    order_type: OrderTypeName = "LIMIT"
    time_in_force: TimeInForceName = "GTC"
    price: Decimal | None = None
    stop_price: Decimal | None = None
    expire_time: str | None = None
    post_only: bool = False
    reduce_only: bool = False
    display_quantity: Decimal | None = None
    hidden: bool = False
    minimum_quantity: Decimal | None = None
    all_or_none: bool = False
    slide: bool = False
    trail_amount: Decimal | None = None
    trail_percent: Decimal | None = None
    limit_offset: Decimal | None = None
    trigger_by: TriggerName | None = None
    peg: PegName | None = None
    peg_offset: Decimal | None = None
    self_trade: SelfTradeName | None = None


class Replace(_Received, tag="replace", kw_only=True, frozen=True):
    """New terms of an open order; what is left out stays. `quantity` is the new total."""

    client_order_id: ClientOrderId
    price: Decimal | None = None
    quantity: Decimal | None = None
    stop_price: Decimal | None = None
    display_quantity: Decimal | None = None
    trail_amount: Decimal | None = None
    trail_percent: Decimal | None = None
    limit_offset: Decimal | None = None
    peg_offset: Decimal | None = None


class Cancel(_Received, tag="cancel", kw_only=True, frozen=True):
    """Takes an open order back."""

    client_order_id: ClientOrderId


class CancelAll(_Received, tag="cancel_all", kw_only=True, frozen=True):
    """Takes back all open orders of the account, in one instrument or in all."""

    instrument: str | None = None


class MassCancel(_Received, tag="mass_cancel", kw_only=True, frozen=True):
    """Takes back the account's open orders: of an instrument, a side, a session, or all. Answered by how many there were."""

    instrument: str | None = None
    side: SideName | None = None
    session: SessionNumber | None = None


class OrderStatus(_Received, tag="order_status", kw_only=True, frozen=True):
    """Asks how an order stands."""

    client_order_id: ClientOrderId


class State(_Received, tag="state", kw_only=True, frozen=True):
    """Asks for open orders, positions and cash."""


class ChangeSession(_Received, tag="change_session", kw_only=True, frozen=True):
    """Opens another trading session for one instrument or for all; needs a key that operates the exchange."""

    session: SessionName
    instrument: str | None = None
    until: str | None = None


class Subscribe(_Received, tag="subscribe", kw_only=True, frozen=True):
    """Asks for a channel of an instrument: a snapshot, then what changes."""

    channel: ChannelName
    instrument: str


class Unsubscribe(_Received, tag="unsubscribe", kw_only=True, frozen=True):
    """Ends a subscription."""

    channel: ChannelName
    instrument: str


class Ping(_Received, tag="ping", kw_only=True, frozen=True):
    """Asks for a pong."""


Received = (
    Login
    | Submit
    | Replace
    | Cancel
    | CancelAll
    | MassCancel
    | OrderStatus
    | State
    | Subscribe
    | Unsubscribe
    | Ping
    | ChangeSession
)


class _Sent(msgspec.Struct, tag_field="type", frozen=True, kw_only=True, omit_defaults=True):
    """What the server sends."""


class InstrumentTerms(msgspec.Struct, frozen=True):
    """An instrument and its rules for orders."""

    symbol: str
    currency: str
    tick: str
    lot: str
    multiplier: str
    negative_prices: bool = False


class Hello(_Sent, tag="hello", kw_only=True, frozen=True):
    """Sent as soon as the connection stands."""

    protocol: int
    server: str
    durability: str
    instruments: tuple[InstrumentTerms, ...]
    login_seconds: float
    heartbeat_seconds: float
    messages_per_second: int
    frame_bytes: int


class Welcome(_Sent, tag="welcome", kw_only=True, frozen=True):
    """The login was right. With `resumed`, the `resent` messages that follow are all the client missed.

    `session` is a number among those of the account: orders entered now carry it.
    """

    request: int | None = None
    account: str
    session: int
    sequence: int
    index: int
    durability: str
    resumed: bool
    resent: int


class Pong(_Sent, tag="pong", kw_only=True, frozen=True):
    """Answers a ping; `sequence` is the last one of which everything was sent."""

    request: int | None = None
    sequence: int


class Heartbeat(_Sent, tag="heartbeat", kw_only=True, frozen=True):
    """Sent when nothing else was for a while."""

    sequence: int


class Error(_Sent, tag="error", kw_only=True, frozen=True):
    """A frame was refused before it reached the engine: nothing was journaled for it."""

    code: str
    message: str
    request: int | None = None
    field: str | None = None
    client_order_id: int | None = None
    limit: str | None = None
    actual: str | None = None


class _Execution(_Sent, kw_only=True, frozen=True):
    """What became of an order, of a command, or of both: sent when its cause is durable as `durability` promises.

    (`sequence`, `index`) is its place among all messages of the account: ascending, and the same after a restart.
    """

    sequence: int
    index: int
    time: str
    durability: str


class _OrderExecution(_Execution, kw_only=True, frozen=True):
    order_id: int
    client_order_id: int
    instrument: str
    side: str = ""
    repeated: bool = False


class OrderAccepted(_OrderExecution, tag="order_accepted", kw_only=True, frozen=True):
    """The order is in the book, or waits there for its stop."""


class OrderDenied(_OrderExecution, tag="order_denied", kw_only=True, frozen=True):
    """Refused before the book: by `rule`, which allows `limit`, and `actual` was asked."""

    rule: str
    limit: str
    actual: str


class OrderRejected(_OrderExecution, tag="order_rejected", kw_only=True, frozen=True):
    """Refused by the book."""

    rule: str
    limit: str
    actual: str


class OrderFilled(_OrderExecution, tag="order_filled", kw_only=True, frozen=True):
    """One trade's side that is the account's."""

    trade_id: int
    liquidity: str
    price: str
    quantity: str
    leaves_quantity: str
    cumulative_quantity: str
    fee: str
    currency: str


class OrderReplaced(_OrderExecution, tag="order_replaced", kw_only=True, frozen=True):
    """The new terms hold. `price` is the limit, or the stop price of an order that has no limit."""

    price: str
    quantity: str


class OrderCanceled(_OrderExecution, tag="order_canceled", kw_only=True, frozen=True):
    """The order is gone with `leaves_quantity` untraded; `rule` is CANCELED_ON_REQUEST or what kept it from resting."""

    rule: str
    leaves_quantity: str


class OrderExpired(_OrderExecution, tag="order_expired", kw_only=True, frozen=True):
    """The order's time ran out."""

    leaves_quantity: str


class OrderTriggered(_OrderExecution, tag="order_triggered", kw_only=True, frozen=True):
    """The stop was reached by a trade at `price`."""

    price: str


class OrderRepriced(_OrderExecution, tag="order_repriced", kw_only=True, frozen=True):
    """The order moved by its own terms: a trailing stop, a peg, one that slid. Without a price: it waits outside the book."""

    price: str | None = None
    stop_price: str


class OrderReduced(_OrderExecution, tag="order_reduced", kw_only=True, frozen=True):
    """The exchange cut the order to `quantity` in all, by `rule`."""

    quantity: str
    rule: str


class OrdersMassCanceled(_Execution, tag="orders_mass_canceled", kw_only=True, frozen=True):
    """A mass cancel took back this many orders; an `order_canceled` for each came before."""

    orders: int
    instrument: str = ""
    side: str = ""
    session: int = 0


class CancelRejected(_OrderExecution, tag="cancel_rejected", kw_only=True, frozen=True):
    """The cancel was refused; the order is as it was."""

    rule: str
    limit: str
    actual: str


class ReplaceRejected(_OrderExecution, tag="replace_rejected", kw_only=True, frozen=True):
    """The replace was refused; the old terms hold."""

    rule: str
    limit: str
    actual: str


class CommandRefused(_Execution, tag="command_refused", kw_only=True, frozen=True):
    """A command that names no order of the account was refused."""

    command: str
    rule: str
    limit: str
    actual: str
    instrument: str = ""


Execution = (
    OrderAccepted
    | OrderDenied
    | OrderRejected
    | OrderFilled
    | OrderReplaced
    | OrderCanceled
    | OrderExpired
    | OrderTriggered
    | OrderRepriced
    | OrderReduced
    | OrdersMassCanceled
    | CancelRejected
    | ReplaceRejected
    | CommandRefused
)


class OrderTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order as it stands."""

    order_id: int
    client_order_id: int
    instrument: str
    side: str
    order_type: str
    time_in_force: str
    state: str
    quantity: str
    cumulative_quantity: str
    leaves_quantity: str
    price: str | None = None
    stop_price: str | None = None
    session: int = 0


class Order(_Sent, tag="order", kw_only=True, frozen=True):
    """Answers order_status: the order as of `sequence`."""

    request: int | None = None
    sequence: int
    order: OrderTerms


class Holding(msgspec.Struct, frozen=True):
    """A position: its signed quantity."""

    instrument: str
    quantity: str


class AccountState(_Sent, tag="state", kw_only=True, frozen=True):
    """Open orders, oldest first, positions and cash as of (`sequence`, `index`), from which a client goes on."""

    request: int | None = None
    sequence: int
    index: int
    account: str
    cash: str
    currency: str
    orders: tuple[OrderTerms, ...]
    positions: tuple[Holding, ...]


class DepthSnapshot(_Sent, tag="depth_snapshot", kw_only=True, frozen=True):
    """The whole book, best levels first. The next depth message has its `number` as `previous`."""

    instrument: str
    number: int
    sequence: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class Depth(_Sent, tag="depth", kw_only=True, frozen=True):
    """Levels that changed between two numbers of the channel, with their new quantities."""

    instrument: str
    previous: int
    number: int
    sequence: int
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()


class TradePrint(msgspec.Struct, frozen=True):
    """A trade. `side` is the aggressor's."""

    sequence: int
    index: int
    time: str
    price: str
    quantity: str
    side: str


class TradesSnapshot(_Sent, tag="trades_snapshot", kw_only=True, frozen=True):
    """The latest trades, oldest first."""

    instrument: str
    number: int
    trades: tuple[TradePrint, ...]


class Trades(_Sent, tag="trades", kw_only=True, frozen=True):
    """Trades between two numbers of the channel. `missed` counts those a slow reader was not sent."""

    instrument: str
    previous: int
    number: int
    trades: tuple[TradePrint, ...]
    missed: int = 0


class AuctionTerms(msgspec.Struct, frozen=True):
    """What an auction would come to now. `imbalance` is what would stay unfilled, negative for sellers."""

    price: str | None
    volume: str
    imbalance: str
    reference_price: str | None


class SessionTerms(msgspec.Struct, frozen=True):
    """The trading session of an instrument; `auction` while one collects, once something was indicated."""

    instrument: str
    sequence: int
    session: str
    until: str | None
    auction: AuctionTerms | None


class SessionSnapshot(_Sent, tag="session_snapshot", kw_only=True, frozen=True):
    """The session now. The next session message has its `number` as `previous`."""

    number: int
    state: SessionTerms


class SessionChanged(_Sent, tag="session", kw_only=True, frozen=True):
    """The session, or what its auction would come to, has changed."""

    previous: int
    number: int
    state: SessionTerms


class BookOrdersSnapshot(_Sent, tag="orders_snapshot", kw_only=True, frozen=True):
    """All visible orders, best price first, at a price in the order of their queue."""

    instrument: str
    number: int
    sequence: int
    bids: tuple[ShownOrder, ...]
    asks: tuple[ShownOrder, ...]


class BookOrders(_Sent, tag="orders", kw_only=True, frozen=True):
    """Changes of visible orders, in order. With `missed` there are none here: subscribe again."""

    instrument: str
    previous: int
    number: int
    sequence: int
    changes: tuple[OrderChange, ...] = ()
    missed: int = 0


class SessionAsked(_Sent, tag="session_asked", kw_only=True, frozen=True):
    """The engine has the change of session; that it happened comes on the channel `session`."""

    request: int | None = None


class Unsubscribed(_Sent, tag="unsubscribed", kw_only=True, frozen=True):
    """The subscription is over."""

    request: int | None = None
    channel: str
    instrument: str


Sent = (
    Hello
    | Welcome
    | Pong
    | Heartbeat
    | Error
    | Order
    | AccountState
    | DepthSnapshot
    | Depth
    | TradesSnapshot
    | Trades
    | SessionSnapshot
    | SessionChanged
    | BookOrdersSnapshot
    | BookOrders
    | SessionAsked
    | Unsubscribed
    | Execution
)


class Close:
    """Codes with which the server closes a connection; the reason says more."""

    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_TEXT = 1007
    TOO_LARGE = 1009
    SERVER_ERROR = 1011
    LOGIN_FAILED = 4001
    LOGIN_LATE = 4002
    TOO_SLOW = 4009
    TOO_MANY_MESSAGES = 4029


class ProtocolError(OpenbellError):
    """A frame that cannot be taken. `code` names the rule that it breaks, `field` the field, where there is one.

    A rule that allows something has it as `limit`, and what came instead as `actual`.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        request: int | None = None,
        client_order_id: int | None = None,
        limit: str | None = None,
        actual: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.request = request
        self.client_order_id = client_order_id
        self.limit = limit
        self.actual = actual

    def answer(self) -> Error:
        """What the client is told."""
        return Error(
            code=self.code,
            message=self.message,
            field=self.field,
            request=self.request,
            client_order_id=self.client_order_id,
            limit=self.limit,
            actual=self.actual,
        )


_received: msgspec.json.Decoder[Received] = msgspec.json.Decoder(Received)
_sent: msgspec.json.Decoder[Sent] = msgspec.json.Decoder(Sent)
_encode = msgspec.json.encode

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_NAMED = re.compile(r"field `(?P<name>[^`]*)`")
KNOWN_TYPES = tuple(kind.__struct_config__.tag for kind in Received.__args__)


def encode(message: Sent) -> str:
    """A message of the server as the text of its frame."""
    return _encode(message).decode("utf-8")


def encode_request(message: Received) -> str:
    """A message of a client as the text of its frame; what was left out is left out again."""
    return _encode(message).decode("utf-8")


def decode_request(frame: str | bytes) -> Received:
    """Read what a client sent. Raises ProtocolError that says what is wrong and names the field."""
    try:
        return _received.decode(frame)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), frame) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError("FRAME_MUST_BE_JSON", f"the frame is no JSON object: {error}") from None


def decode_answer(frame: str | bytes) -> Sent:
    """Read what the server sent. Raises ProtocolError for what this program does not know."""
    try:
        return _sent.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError("FRAME_MUST_BE_JSON", f"not a message of this protocol: {error}") from None


def _invalid(text: str, frame: str | bytes) -> ProtocolError:
    path = _PATH.search(text)
    named = _NAMED.search(text)
    field = (path and path["path"]) or (named and named["name"]) or None
    told = text[: path.start()] if path else text
    if field == "type":
        code, told = "TYPE_MUST_BE_KNOWN", f"{told}; known are {', '.join(KNOWN_TYPES)}"
    else:
        code = "FIELD_MUST_BE_VALID"
    where = f"field '{field}': " if field and not named else ""
    request, client_order_id = _correlation(frame)
    told = f"{where}{told}"
    return ProtocolError(code, told, field=field, request=request, client_order_id=client_order_id)


class _Correlation(msgspec.Struct):
    request: int | None = None
    client_order_id: int | None = None


_correlated = msgspec.json.Decoder(_Correlation, strict=True)


def _correlation(frame: str | bytes) -> tuple[int | None, int | None]:
    """Whatever of a broken frame lets its sender find it again: its request, its client_order_id."""
    try:
        found = _correlated.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, None
    return found.request, found.client_order_id


def joined(names: Sequence[str]) -> str:
    """Names as a list that people read."""
    return ", ".join(names) if names else "none"
