"""A client of the exchange. Needs the extra `exchange`.

    async with ExchangeClient("ws://127.0.0.1:8700/ws", key) as client:
        await client.submit(1, "ACME", "BUY", "10", price="100.25")
        accepted = await client.execution(1)

It reads all the time: executions wait until `execution` takes them, depth and trades until `market` does, and answers to
questions go to who asked. `place` is the last execution that came; a client that reconnects with it is sent what it missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from itertools import count
from types import TracebackType
from typing import Any, Final, Generic, Self, TypedDict, TypeVar, Unpack

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from openbell.gateway import protocol
from openbell.gateway.protocol import (
    ChannelName,
    OrderTypeName,
    PegName,
    SelfTradeName,
    SessionName,
    SideName,
    TimeInForceName,
    TriggerName,
)
from openbell.model.errors import OpenbellError

Amount = str | int | Decimal
MarketMessage = (
    protocol.DepthSnapshot
    | protocol.Depth
    | protocol.TradesSnapshot
    | protocol.Trades
    | protocol.SessionSnapshot
    | protocol.SessionChanged
    | protocol.BookOrdersSnapshot
    | protocol.BookOrders
)
_Message = TypeVar("_Message")
_CONNECTION = "CONNECTION"
_MARKET = MarketMessage.__args__
_EXECUTIONS = protocol.Execution.__args__


class SpecialNewFields(TypedDict, total=False):
    """Fields of a replace that few orders have; docs/venue.md says what they do."""

    display_quantity: Amount
    trail_amount: Amount
    trail_percent: Amount
    limit_offset: Amount
    peg_offset: Amount


class SpecialFields(SpecialNewFields, total=False):
    """Fields of a new order that few have."""

    hidden: bool
    minimum_quantity: Amount
    all_or_none: bool
    slide: bool
    trigger_by: TriggerName
    peg: PegName
    self_trade: SelfTradeName


_AMOUNTS: Final = frozenset((*SpecialNewFields.__annotations__, "minimum_quantity"))


class ExchangeError(OpenbellError):
    """The exchange refused a frame, the login, or closed the connection. `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class ExchangeClient:
    """One session with an exchange. Not for use from several threads.

    Args:
        url: Where the exchange listens, as `ws://127.0.0.1:8700/ws`.
        key: The API key.
        cancel_on_disconnect: Take back this session's open orders when it ends, however it ends.
        resume_from: Place (sequence, index) of the last private message seen before; what came after it is sent again.
        observe: Called with every frame as it came, before anything else is done with it.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        cancel_on_disconnect: bool = False,
        resume_from: tuple[int, int] | None = None,
        observe: Callable[[str], object] | None = None,
    ) -> None:
        self._url = url
        self._login = protocol.Login(
            key=key,
            cancel_on_disconnect=cancel_on_disconnect,
            resume_from=None if resume_from is None else resume_from[0],
            resume_index=None if resume_from is None else resume_from[1],
        )
        self.place = resume_from or (0, 0)
        self._executions: _Inbox[protocol.Execution] = _Inbox()
        self._market: _Inbox[MarketMessage] = _Inbox()
        self._observe = observe
        self.hello: protocol.Hello | None = None
        self.welcome: protocol.Welcome | None = None
        self.missed_state: protocol.AccountState | None = None
        """Open orders, positions and cash, where the exchange could not send again what was missed."""
        self._requests = count(1)
        self._asked: dict[int, asyncio.Future[protocol.Sent]] = {}
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._over: Exception | None = None

    # -- the connection

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Connect and log in. Raises ExchangeError where either fails."""
        try:
            self._socket = await connect(self._url, compression=None, max_size=None)
        except (OSError, InvalidHandshake, TimeoutError) as error:
            raise ExchangeError(_CONNECTION, f"cannot connect to {self._url}: {error}") from error
        self._reader = asyncio.create_task(self._read())
        answer = await self._ask(self._login)
        assert isinstance(answer, protocol.Welcome)
        self.welcome = answer
        if self._login.resume_from is None:
            self.place = max(self.place, (answer.sequence, answer.index))

    async def close(self) -> None:
        """End the session."""
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader

    async def _read(self) -> None:
        assert self._socket is not None
        try:
            async for frame in self._socket:
                if self._observe is not None:
                    self._observe(str(frame))
                self._take(protocol.decode_answer(frame))
        except ConnectionClosed:
            pass
        except Exception as error:
            self._end(error)
            raise
        self._end(
            ExchangeError(
                _CONNECTION, f"closed with {self._socket.close_code}: {self._socket.close_reason or '-'}"
            )
        )

    def _end(self, error: Exception) -> None:
        self._over = error
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(error)
        self._asked.clear()
        self._executions.put(error)
        self._market.put(error)

    def _take(self, message: protocol.Sent) -> None:
        if isinstance(message, _EXECUTIONS):
            self.place = (message.sequence, message.index)
            self._executions.put(message)
            return
        if isinstance(message, _MARKET):
            self._market.put(message)
            return
        if isinstance(message, protocol.Hello):
            self.hello = message
            return
        asked = self._asked.pop(getattr(message, "request", None) or 0, None)
        if asked is not None and not asked.done():
            asked.set_result(message)
        elif isinstance(message, protocol.Error):
            self._executions.put(ExchangeError(message.code, message.message))
        elif isinstance(message, protocol.AccountState):
            self.missed_state = message
            self.place = (message.sequence, message.index)

    async def _send(self, message: protocol.Received) -> None:
        if self._socket is None:
            raise ExchangeError(_CONNECTION, "connect first")
        if self._over is not None:
            raise self._over
        try:
            await self._socket.send(protocol.encode_request(message))
        except ConnectionClosed as error:
            raise ExchangeError(_CONNECTION, str(error)) from None

    async def _ask(self, message: protocol.Received) -> protocol.Sent:
        request = next(self._requests)
        asked: asyncio.Future[protocol.Sent] = asyncio.get_running_loop().create_future()
        self._asked[request] = asked
        await self._send(msgspec.structs.replace(message, request=request))
        answer = await asked
        if isinstance(answer, protocol.Error):
            raise ExchangeError(answer.code, answer.message)
        return answer

    # -- orders. What becomes of them comes as executions; what is refused at the door, as errors.

    async def submit(
        self,
        client_order_id: int,
        instrument: str,
        side: SideName,
        quantity: Amount,
        *,
        price: Amount | None = None,
        stop_price: Amount | None = None,
        order_type: OrderTypeName | None = None,
        time_in_force: TimeInForceName = "GTC",
        expire_time: str | None = None,
        post_only: bool = False,
        reduce_only: bool = False,
        **special: Unpack[SpecialFields],
    ) -> None:
        """Send an order: a limit order where it has a price, else a market order, unless `order_type` says otherwise.

        What few orders have is given by the names of the protocol: `display_quantity`, `trail_amount`, `peg`, ...
        """
        await self._send(
            protocol.Submit(
                client_order_id=client_order_id,
                instrument=instrument,
                side=side,
                quantity=Decimal(quantity),
                order_type=order_type or _type_of(price, stop_price),
                time_in_force=time_in_force,
                price=_decimal(price),
                stop_price=_decimal(stop_price),
                expire_time=expire_time,
                post_only=post_only,
                reduce_only=reduce_only,
                **_decimals(special),
            )
        )

    async def replace(
        self,
        client_order_id: int,
        *,
        price: Amount | None = None,
        quantity: Amount | None = None,
        stop_price: Amount | None = None,
        **special: Unpack[SpecialNewFields],
    ) -> None:
        """Ask for new terms; what is left out stays."""
        await self._send(
            protocol.Replace(
                client_order_id=client_order_id,
                price=_decimal(price),
                quantity=_decimal(quantity),
                stop_price=_decimal(stop_price),
                **_decimals(special),
            )
        )

    async def mass_cancel(
        self, *, instrument: str | None = None, side: SideName | None = None, session: int | None = None
    ) -> None:
        """Take back the account's open orders, of an instrument, a side, a session (its number is in `welcome`), or all."""
        await self._send(protocol.MassCancel(instrument=instrument, side=side, session=session))

    async def cancel(self, client_order_id: int) -> None:
        """Take an order back."""
        await self._send(protocol.Cancel(client_order_id=client_order_id))

    async def cancel_all(self, instrument: str | None = None) -> None:
        """Take back all orders of the account."""
        await self._send(protocol.CancelAll(instrument=instrument))

    async def execution(
        self, client_order_id: int | None = None, *, seconds: float = 10.0
    ) -> protocol.Execution:
        """The next execution, of one order or of any; those of other orders that come before it are passed over.

        Raises ExchangeError where a frame was refused, the connection ended, or nothing comes within `seconds`.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found = await self._executions.get()
                    if client_order_id in (None, getattr(found, "client_order_id", None)):
                        return found
        except TimeoutError:
            raise ExchangeError("TIMEOUT", f"no execution within {seconds:g} seconds") from None

    async def market(self, *, seconds: float = 10.0) -> MarketMessage:
        """The next message of the channels subscribed to. Raises ExchangeError as `execution` does."""
        try:
            async with asyncio.timeout(seconds):
                return await self._market.get()
        except TimeoutError:
            raise ExchangeError("TIMEOUT", f"no market data within {seconds:g} seconds") from None

    # -- questions

    async def order_status(self, client_order_id: int) -> protocol.OrderTerms:
        """How an order stands."""
        answer = await self._ask(protocol.OrderStatus(client_order_id=client_order_id))
        assert isinstance(answer, protocol.Order)
        return answer.order

    async def state(self) -> protocol.AccountState:
        """Open orders, positions and cash."""
        answer = await self._ask(protocol.State())
        assert isinstance(answer, protocol.AccountState)
        return answer

    async def ping(self) -> protocol.Pong:
        """A round trip."""
        answer = await self._ask(protocol.Ping())
        assert isinstance(answer, protocol.Pong)
        return answer

    async def change_session(
        self, session: SessionName, instrument: str | None = None, *, until: str | None = None
    ) -> None:
        """Open another trading session; needs a key that operates the exchange. It is told on the channel `session`."""
        await self._ask(protocol.ChangeSession(session=session, instrument=instrument, until=until))

    async def subscribe(self, channel: ChannelName, instrument: str) -> None:
        """Read a channel: its snapshot and changes come through `market`."""
        await self._send(protocol.Subscribe(channel=channel, instrument=instrument))

    async def unsubscribe(self, channel: ChannelName, instrument: str) -> None:
        """Stop reading it."""
        await self._ask(protocol.Unsubscribe(channel=channel, instrument=instrument))


class _Inbox(Generic[_Message]):
    """Messages that wait to be read, and the error that ends them."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[_Message | Exception] = asyncio.Queue()

    def put(self, message: _Message | Exception) -> None:
        self._queue.put_nowait(message)

    async def get(self) -> _Message:
        found = await self._queue.get()
        if isinstance(found, Exception):
            if getattr(found, "code", _CONNECTION) == _CONNECTION:
                self._queue.put_nowait(found)  # the end stays the end
            raise found
        return found


def _decimals(special: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as they are sent: amounts as decimals, words and flags as they are."""
    return {name: Decimal(value) if name in _AMOUNTS else value for name, value in special.items()}


def _decimal(value: Amount | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _type_of(price: Amount | None, stop_price: Amount | None) -> OrderTypeName:
    if stop_price is not None:
        return "STOP" if price is None else "STOP_LIMIT"
    return "MARKET" if price is None else "LIMIT"
