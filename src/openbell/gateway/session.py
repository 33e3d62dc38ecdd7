"""One connection: what it may do, and what it is still to be sent. No input or output here; `websocket.py` carries the frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from openbell.gateway import protocol
from openbell.gateway.account_projection import AccountProjection
from openbell.gateway.event_codec import Event
from openbell.gateway.listing import Listing
from openbell.gateway.market_projection import Change, Subscription
from openbell.gateway.node_port import NodePort
from openbell.gateway.order_codec import (
    CANCEL_ON_DISCONNECT,
    cancel_all_record,
    listed_instrument,
    mass_cancel_record,
    new_order,
    new_terms,
    session_record,
)
from openbell.gateway.protocol import Close, ProtocolError
from openbell.gateway.rate_limit import RateLimit
from openbell.model.terms import Side

_CANCELS = (protocol.Cancel, protocol.CancelAll, protocol.MassCancel)
MOST_WAITING_CHARACTERS = 64 << 20
"""Of messages that wait for one connection, whose answers may be long."""
MOST_REFUSED_IN_A_ROW = 1_000
"""Messages over the rate that are answered before the connection is closed."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Bounds of a connection. Cancels have a rate of their own, so that orders never hold them back.

    `private_messages` is how many past messages an account keeps for clients that were away; twice as many may wait for one
    connection before it is closed as too slow.
    """

    messages_per_second: int = 2_000
    frame_bytes: int = 65_536
    private_messages: int = 10_000
    sessions_per_account: int = 16
    login_seconds: float = 10.0
    heartbeat_seconds: float = 15.0


class Exchange(Protocol):
    """What a session needs of the exchange that it is a session of."""

    listing: Listing
    node: NodePort
    durability: str
    place: tuple[int, int]

    def hello(self) -> protocol.Hello:
        """What a new connection is told."""

    def log_in(self, session: Session, key: str) -> AccountProjection:
        """The account of a key; raises ProtocolError."""

    def written(self, message: str | Event) -> str:
        """A private message as its frame."""

    def leave(self, session: Session) -> None:
        """The connection is gone."""

    def subscribe(self, session: Session, channel: str, instrument: int) -> str:
        """Offer changes of a channel from now on; returns its snapshot."""

    def unsubscribe(self, session: Session, channel: str, instrument: int) -> None:
        """Offer no more of them."""

    def cancel_session(self, account: int, session: int) -> None:
        """Take back what a session entered, now or as soon as the engine has room."""


class Session:
    """A connection from its hello to its end.

    `wake` is called when there is something to send, `now` gives seconds that do not go back.
    """

    def __init__(
        self,
        gateway: Exchange,
        limits: SessionLimits,
        wake: Callable[[], None],
        now: Callable[[], float],
    ) -> None:
        self._gateway = gateway
        self._limits = limits
        self._wake = wake
        self._now = now
        rate = limits.messages_per_second
        self._rate = RateLimit(rate, rate, now())
        self._cancel_rate = RateLimit(rate, rate, now())
        self._refused_in_a_row = 0
        self._private: deque[str] = deque()
        self._waiting_characters = 0
        """Of those."""
        self._subscriptions: dict[tuple[str, int], Subscription] = {}
        self._cancel_on_disconnect = False
        self._has_submitted = False
        self.account: AccountProjection | None = None
        self.number = 0
        """Among those of its account, from its login on: its orders carry it."""
        self.operates = False
        """Its key may change trading sessions."""
        self.closing: tuple[int, str] | None = None
        """Code and reason with which to close, once what waits was sent."""
        self.was_quiet = True
        """Nothing was sent since this was last set."""
        self._handlers: dict[type, Callable[[Any], None]] = {
            protocol.Login: self._login,
            protocol.Submit: self._submit,
            protocol.Replace: self._replace,
            protocol.Cancel: self._cancel,
            protocol.CancelAll: self._cancel_all,
            protocol.MassCancel: self._mass_cancel,
            protocol.OrderStatus: self._order_status,
            protocol.State: self._state,
            protocol.Subscribe: self._subscribe,
            protocol.Unsubscribe: self._unsubscribe,
            protocol.Ping: self._ping,
            protocol.ChangeSession: self._change_session,
        }
        self._answer(gateway.hello())

    # -- what comes in

    def receive(self, frame: str | bytes) -> None:
        """Take one frame: do what it asks or answer what is wrong with it. Raises EngineStopped when the node has failed.

        An order does not wake a node that rests: call the node's `wake` after the last of the frames that came together.
        """
        if self.closing is not None:
            return
        try:
            self._dispatch(self._decoded(frame))
        except ProtocolError as error:
            self._answer(error.answer())

    def _decoded(self, frame: str | bytes) -> protocol.Received:
        if isinstance(frame, bytes):
            self._count(self._rate)
            raise ProtocolError("FRAME_MUST_BE_TEXT", "a binary frame came; frames are JSON in text frames")
        if len(frame) > self._limits.frame_bytes:
            self._count(self._rate)
            told = f"the frame has {len(frame)} characters, at most {self._limits.frame_bytes} are taken"
            raise ProtocolError("FRAME_MUST_NOT_EXCEED_LIMIT", told)
        try:
            message = protocol.decode_request(frame)
        except ProtocolError:
            self._count(self._rate)
            raise
        self._count(self._cancel_rate if isinstance(message, _CANCELS) else self._rate, message)
        return message

    def _count(self, rate: RateLimit, message: protocol.Received | None = None) -> None:
        if rate.allows(self._now()):
            self._refused_in_a_row = 0
            return
        self._refused_in_a_row += 1
        most = self._limits.messages_per_second
        if self._refused_in_a_row > MOST_REFUSED_IN_A_ROW:
            self.close(Close.TOO_MANY_MESSAGES, f"more than {most} messages per second, again and again")
        raise ProtocolError(
            "RATE_MUST_NOT_EXCEED_LIMIT",
            f"at most {most} messages per second are taken; this one was left out",
            request=message.request if message is not None else None,
            client_order_id=getattr(message, "client_order_id", None),
        )

    def _dispatch(self, message: protocol.Received) -> None:
        if self.account is None and not isinstance(message, protocol.Login | protocol.Ping):
            told = "log in first: nothing but login and ping is taken before"
            raise ProtocolError("LOGIN_MUST_COME_FIRST", told, request=message.request)
        try:
            self._handlers[type(message)](message)
        except ProtocolError as error:
            error.request = message.request
            error.client_order_id = getattr(message, "client_order_id", None)
            raise

    # -- logging in

    def _login(self, message: protocol.Login) -> None:
        if self.account is not None:
            raise ProtocolError("LOGIN_MUST_COME_ONCE", f"this session is logged in as {self._name}")
        try:
            account = self._gateway.log_in(self, message.key)
        except ProtocolError as error:
            self.close(Close.LOGIN_FAILED, error.message)
            raise
        self.account = account
        self._cancel_on_disconnect = message.cancel_on_disconnect
        self._resume(account, message)

    def _resume(self, account: AccountProjection, message: protocol.Login) -> None:
        place = self._gateway.place
        missed: Sequence[str | Event] | None = ()
        if message.resume_from is not None:
            # Without an index: all messages of that sequence were seen.
            index = 2**16 if message.resume_index is None else message.resume_index
            missed = self._missed(account, (message.resume_from, index))
        self._answer(
            protocol.Welcome(
                request=message.request,
                account=account.account.name,
                session=self.number,
                sequence=place[0],
                index=place[1],
                durability=self._gateway.durability,
                resumed=missed is not None and message.resume_from is not None,
                resent=len(missed or ()),
            )
        )
        if missed is None:
            self._answer(account.state(place))
        else:
            for message_missed in missed:
                self.push(self._gateway.written(message_missed))

    def _missed(self, account: AccountProjection, seen: tuple[int, int]) -> Sequence[str | Event] | None:
        if seen[0] > self._gateway.place[0]:
            told = (
                f"field 'resume_from': sequence {seen[0]} has not been reached, the last is "
                f"{self._gateway.place[0]}; this is another exchange, or it lost data"
            )
            self._answer(ProtocolError("SEQUENCE_MUST_BE_REACHED", told, field="resume_from").answer())
            return None
        return account.messages_after(seen)

    @property
    def _name(self) -> str:
        return self.account.account.name if self.account is not None else "nobody"

    @property
    def _known(self) -> AccountProjection:
        assert self.account is not None, "dispatch lets nobody else in"
        return self.account

    # -- commands

    def _submit(self, message: protocol.Submit) -> None:
        order = new_order(message, self._gateway.listing)
        account = self._known
        taken = self._gateway.node.submit_order(
            account.account.number,
            order.instrument,
            order.client_order_id,
            order.side,
            order.order_type,
            order.time_in_force,
            order.quantity,
            price=order.price,
            stop_price=order.stop_price,
            options=order.options | (CANCEL_ON_DISCONNECT if self._cancel_on_disconnect else 0),
            expire_time=order.expire_time,
            special=order.special,
            session=self.number,
            # Whoever brought the frame does, once for all frames that came together.
            wake=False,
        )
        self._require_taken(taken)
        account.asked(order.client_order_id, order.instrument)
        self._has_submitted = True

    def _replace(self, message: protocol.Replace) -> None:
        instrument = self._known.instrument_of(message.client_order_id)
        if instrument is None:
            raise _unknown_order(
                message.client_order_id
            )  # without an instrument there are no units to count in
        terms = new_terms(message, self._gateway.listing.instruments[instrument])
        taken = self._gateway.node.replace_order(
            self._known.account.number,
            terms.client_order_id,
            price=terms.price,
            quantity=terms.quantity,
            stop_price=terms.stop_price,
            special=terms.special,
        )
        self._require_taken(taken)

    def _cancel(self, message: protocol.Cancel) -> None:
        account = self._known.account.number
        self._require_taken(self._gateway.node.cancel_order(account, message.client_order_id))

    def _cancel_all(self, message: protocol.CancelAll) -> None:
        instrument = 0
        if message.instrument is not None:
            instrument = listed_instrument(message.instrument, self._gateway.listing).number
        record = cancel_all_record(self._known.account.number, instrument)
        self._require_taken(self._gateway.node.submit(record) == 1)

    def _mass_cancel(self, message: protocol.MassCancel) -> None:
        instrument = 0
        if message.instrument is not None:
            instrument = listed_instrument(message.instrument, self._gateway.listing).number
        side = 0 if message.side is None else Side[message.side].value
        account, session = self._known.account.number, message.session or 0
        record = mass_cancel_record(account, instrument, side, session)
        self._require_taken(self._gateway.node.submit(record) == 1)

    def _require_taken(self, taken: bool) -> None:
        if not taken:
            told = "the engine has more to do than it can take; nothing was done, send it again"
            raise ProtocolError("ENGINE_MUST_NOT_BE_BUSY", told)

    # -- questions

    def _order_status(self, message: protocol.OrderStatus) -> None:
        order = self._known.order(message.client_order_id)
        if order is None:
            raise _unknown_order(message.client_order_id)
        terms = self._known.terms(order)
        sequence = self._gateway.place[0]
        self._answer(protocol.Order(request=message.request, sequence=sequence, order=terms))

    def _state(self, message: protocol.State) -> None:
        self._answer(self._known.state(self._gateway.place, message.request))

    def _ping(self, message: protocol.Ping) -> None:
        self._answer(protocol.Pong(request=message.request, sequence=self._gateway.place[0]))

    # -- the operator's

    def _change_session(self, message: protocol.ChangeSession) -> None:
        if not self.operates:
            told = "the key of this session may trade, not operate the exchange"
            raise ProtocolError("KEY_MUST_OPERATE", told, request=message.request)
        instrument = 0
        if message.instrument is not None:
            instrument = listed_instrument(message.instrument, self._gateway.listing).number
        record = session_record(self._known.account.number, instrument, message)
        self._require_taken(self._gateway.node.submit(record) == 1)
        self._answer(protocol.SessionAsked(request=message.request))

    # -- market data

    def _subscribe(self, message: protocol.Subscribe) -> None:
        number = listed_instrument(message.instrument, self._gateway.listing).number
        # A second subscription begins anew: it is how a client closes a gap.
        snapshot = self._gateway.subscribe(self, message.channel, number)
        self._subscriptions[message.channel, number] = Subscription(snapshot)
        self._wake()

    def _unsubscribe(self, message: protocol.Unsubscribe) -> None:
        number = listed_instrument(message.instrument, self._gateway.listing).number
        if self._subscriptions.pop((message.channel, number), None) is None:
            told = f"field 'channel': not subscribed to {message.channel} of {message.instrument}"
            raise ProtocolError("SUBSCRIPTION_MUST_EXIST", told, field="channel")
        self._gateway.unsubscribe(self, message.channel, number)
        self._answer(
            protocol.Unsubscribed(
                request=message.request, channel=message.channel, instrument=message.instrument
            )
        )

    # -- what goes out

    def push(self, frame: str) -> None:
        """Send a private message, which is never dropped: a reader who lets too many wait is disconnected."""
        if self.closing is None and self._has_room(frame):
            self._private.append(frame)
            self._waiting_characters += len(frame)
            self._wake()

    def _has_room(self, frame: str) -> bool:
        """Whether what waits may grow by this; if not, nothing waits any more and the connection is closed."""
        most = 2 * self._limits.private_messages
        if len(self._private) < most and self._waiting_characters + len(frame) <= MOST_WAITING_CHARACTERS:
            return True
        told = f"{len(self._private)} messages of {self._waiting_characters} characters wait; reconnect and resume"
        self._private.clear()
        self._waiting_characters = 0
        self.close(Close.TOO_SLOW, told)
        return False

    def offer(self, channel: str, instrument: int, change: Change) -> None:
        """Send market data, merged with what waits when the reader does not keep up."""
        subscription = self._subscriptions.get((channel, instrument))
        if subscription is not None and self.closing is None:
            subscription.offer(change)
            self._wake()

    def beat(self, sequence: int) -> None:
        """Send a heartbeat where nothing was sent since the last time."""
        if self.was_quiet and self.closing is None and self.account is not None and not self._private:
            self._answer(protocol.Heartbeat(sequence=sequence))
        self.was_quiet = True

    def frames(self) -> Iterator[str]:
        """Move out what is to be sent, private messages first; ends when nothing waits."""
        while True:
            while self._private:
                self.was_quiet = False
                frame = self._private.popleft()
                self._waiting_characters -= len(frame)
                yield frame
            ready = self._next_market_frame()
            if ready is None:
                return
            self.was_quiet = False
            yield ready

    def _next_market_frame(self) -> str | None:
        for channel, subscription in self._subscriptions.items():
            frame = subscription.next_frame()
            if frame is not None:
                # To the end of the line: a busy channel must not starve the others of a slow reader.
                self._subscriptions[channel] = self._subscriptions.pop(channel)
                return frame
        return None

    def _answer(self, message: protocol.Sent) -> None:
        """Send an answer. It waits as executions do, and has no room of its own: who asks and does not read is too slow, too."""
        frame = protocol.encode(message)
        if self.closing is not None or self._has_room(frame):
            self._private.append(frame)
            self._waiting_characters += len(frame)
            self._wake()

    # -- the end

    def close(self, code: int, reason: str) -> None:
        """Ask for the connection to be closed, after what waits was sent."""
        if self.closing is None:
            self.closing = (code, reason)
            self._wake()

    def require_login(self) -> None:
        """Close a connection that has not logged in by now."""
        if self.account is None:
            told = f"no login within {self._limits.login_seconds:g} seconds"
            self.close(Close.LOGIN_LATE, told)

    def end(self) -> None:
        """The connection is gone: leave the gateway, and take back its orders where it wanted that."""
        self._gateway.leave(self)
        if self.account is not None and self._cancel_on_disconnect and self._has_submitted:
            self._gateway.cancel_session(self.account.account.number, self.number)

    def subscriptions(self) -> tuple[tuple[str, int], ...]:
        """The channels this session reads."""
        return tuple(self._subscriptions)


def _unknown_order(client_order_id: int) -> ProtocolError:
    return ProtocolError(
        "ORDER_MUST_EXIST",
        f"field 'client_order_id': no order {client_order_id} is known yet",
        field="client_order_id",
        actual=str(client_order_id),
    )
