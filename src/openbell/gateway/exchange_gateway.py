"""All sessions of an exchange on one node: commands go in, durable events come out and go to whom they concern.

Everything here is called from one thread, that of the event loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from openbell.gateway import protocol
from openbell.gateway.account_projection import AccountProjection
from openbell.gateway.event_codec import Event, ExecutionCodec, events, number_of
from openbell.gateway.keys import ApiKey, verify
from openbell.gateway.listing import Listing
from openbell.gateway.market_projection import (
    BUY_SIDE,
    SELL_SIDE,
    Change,
    DepthProjection,
    Levels,
    TradesProjection,
)
from openbell.gateway.node_port import NodePort
from openbell.gateway.order_codec import CANCEL_ON_DISCONNECT, cancel_record, mass_cancel_record
from openbell.gateway.past import BookSide, Past, Standing
from openbell.gateway.protocol import ProtocolError
from openbell.gateway.session import Session, SessionLimits
from openbell.gateway.session_projection import (
    ORDER_EVENTS,
    SESSION_EVENTS,
    OrdersProjection,
    Queues,
    SessionProjection,
)
from openbell.model.terms import Side

MOST_SESSION_NUMBERS = 2**16 - 1
"""An order's record has 16 bits for the session that entered it; 0 is none."""
MOST_ROUNDS = 8
"""Batches of outputs taken in before readers get their turn; the node's descriptor stays readable for the rest."""


class ExchangeGateway:
    """Sessions, accounts and books of one exchange.

    `restore` takes over what a journal holds, `pump` takes in what happens now. `now` gives seconds that do not go back.
    """

    def __init__(
        self,
        node: NodePort,
        listing: Listing,
        keys: Sequence[ApiKey],
        durability: str,
        limits: SessionLimits,
        server: str,
        now: Callable[[], float],
    ) -> None:
        self.node = node
        self.listing = listing
        self.durability = durability
        self.limits = limits
        self.place = (0, 0)
        """Sequence and index of the last event taken in."""
        self._server = server
        self._now = now
        self._keys: Mapping[str, ApiKey] = {key.name: key for key in keys}
        self._codec = ExecutionCodec(listing, durability)
        kept = limits.private_messages
        self.accounts = {
            number: AccountProjection(account, listing, kept, kept)
            for number, account in listing.accounts.items()
        }
        self.depths = {number: DepthProjection(one) for number, one in listing.instruments.items()}
        self.trades = {number: TradesProjection(one) for number, one in listing.instruments.items()}
        self.market_sessions = {number: SessionProjection(one) for number, one in listing.instruments.items()}
        self.orders = {number: OrdersProjection(one) for number, one in listing.instruments.items()}
        self._session_events = {number_of(name) for name in SESSION_EVENTS}
        self._order_events = {number_of(name) for name in ORDER_EVENTS}
        self._level_changed = number_of("BookLevelChanged")
        self._command_refused = number_of("CommandRefused")
        self._trade_executed = number_of("TradeExecuted")
        self._touched: dict[int, None] = {}
        self._sessions: dict[Session, None] = {}
        self._of_account: dict[int, dict[Session, None]] = {number: {} for number in listing.accounts}
        self._readers: dict[tuple[str, int], dict[Session, None]] = {}
        self._last_numbers = dict.fromkeys(listing.accounts, 0)
        self._owed_cancels: deque[NDArray[np.uint8]] = deque()
        self._unrecalled: dict[int, Callable[[], Past | None]] = {}

    # -- events

    def empty_past(self, begin: int = 0) -> Past:
        """What gathers the events of a journal for `restore`, those after sequence `begin`."""
        return Past(self.limits.private_messages, begin)

    def restore(self, past: Past, standing: Standing) -> None:
        """Begin where a journal ends: `past` has gathered its last events, `standing` is what its engine has there."""
        self.place = past.place
        for number, account in self.accounts.items():
            account.restore(past, standing.orders.get(number, ()), standing.closed)
            account.cash_nano = standing.cash.get(number, 0)
        for number, instrument, quantity in standing.positions:
            if number in self.accounts:
                self.accounts[number].positions[instrument] = quantity
        self._restore_markets(past, standing)

    def _restore_markets(self, past: Past, standing: Standing) -> None:
        levels = _levels(standing.books)
        for number in self.listing.instruments:
            self.depths[number].restore(levels.get(number, {}), past.place[0])
            self._recall_trades(past, number)
            if past.earlier is not None:
                self._unrecalled[number] = past.earlier
        for number, session, until, auction in standing.sessions:
            self.market_sessions[number].restore(session, until, auction, past.place[0])
        queues = _queues(standing.books)
        for number in standing.told_by_order:
            self.orders[number].restore(queues.get(number, {}), past.place[0])

    def _recall_trades(self, past: Past, instrument: int) -> None:
        trades = past.trades(instrument)
        self.trades[instrument].recall(trades, self._codec.time_text)

    def cancel_left_behind(self, standing: Standing) -> list[tuple[int, int]]:
        """Cancel the orders of sessions that wanted that at their end and were connected when the exchange died.

        Returns them by account and client_order_id. `standing` is what the journal ends with: nobody who sent them is connected
        any more.
        """
        left = [
            (account, order)
            for account, still_open in standing.orders.items()
            if account in self.accounts
            for order in still_open
            if order.options & CANCEL_ON_DISCONNECT
        ]
        for account, session in dict.fromkeys((account, order.session) for account, order in left):
            if session:
                self.cancel_session(account, session)
        # Entered before sessions had numbers.
        nameless = [
            cancel_record(account, order.client_order_id) for account, order in left if not order.session
        ]
        self._owed_cancels.extend(nameless)
        self._send_owed_cancels()
        return [(account, order.client_order_id) for account, order in left]

    def written(self, message: str | Event) -> str:
        """A private message as its frame; one of the past may still be an event."""
        if isinstance(message, str):
            return message
        told = self._codec.message(message)
        assert told is not None, "only executions are remembered"
        return protocol.encode(told)

    def pump(self) -> None:
        """Take in what became durable and tell whom it concerns. Raises EngineStopped when the node has failed."""
        for _ in range(MOST_ROUNDS):
            slots = self.node.take_outputs()
            if not len(slots):
                break
            for event in events(slots):
                self._apply(event)
        self._publish()
        if self._owed_cancels:
            self._send_owed_cancels()

    def _apply(self, event: Event) -> None:
        if event.sequence == 0:
            self._tell_of_full_disk(event)
            return
        self.place = (event.sequence, event.event_index)
        if event.account:
            self._apply_private(event)
        elif event.message == self._level_changed:
            self.depths[event.instrument].apply(event)
            self._touched[event.instrument] = None
        elif event.message == self._trade_executed:
            self.trades[event.instrument].apply(event, self._codec.time_text(event.time))
            self._touched[event.instrument] = None
        elif event.message in self._order_events:
            self.orders[event.instrument].apply(event)
            self._touched[event.instrument] = None
        elif event.message in self._session_events:
            self.market_sessions[event.instrument].apply(event)
            self._touched[event.instrument] = None

    def _apply_private(self, event: Event) -> None:
        account = self.accounts.get(event.account)
        if account is None:
            return
        account.apply(event)
        message = self._codec.message(event)
        if message is None:
            return
        frame = protocol.encode(message)
        account.remember(self.place, frame)
        for session in self._of_account[event.account]:
            session.push(frame)

    def _tell_of_full_disk(self, event: Event) -> None:
        """A command was refused at the node's door: no journal has the answer, so it is no execution."""
        account = self.accounts.get(event.account)
        if account is None:
            return
        names_an_order = event.message != self._command_refused
        client_order_id = event.body[1] if names_an_order else None
        if client_order_id is not None:
            account.answered(client_order_id)
        told = "the disk is full: only cancels are taken until there is room"
        error = ProtocolError("JOURNAL_MUST_HAVE_ROOM", told, client_order_id=client_order_id)
        frame = protocol.encode(error.answer())
        for session in self._of_account[event.account]:
            session.push(frame)

    def _publish(self) -> None:
        for number in self._touched:
            self._offer("depth", number, self.depths[number].take_change())
            self._offer("trades", number, self.trades[number].take_change())
            self._offer("session", number, self.market_sessions[number].take_change())
            self._offer("orders", number, self.orders[number].take_change())
        self._touched.clear()

    def _offer(self, channel: str, instrument: int, change: Change | None) -> None:
        if change is None:
            return
        for session in self._readers.get((channel, instrument), ()):
            session.offer(channel, instrument, change)

    # -- sessions

    def open_session(self, wake: Callable[[], None]) -> Session:
        """A new connection; `wake` is called when there is something to send."""
        session = Session(self, self.limits, wake, self._now)
        self._sessions[session] = None
        return session

    @property
    def session_count(self) -> int:
        """Connections there are, logged in or not."""
        return len(self._sessions)

    def log_in(self, session: Session, key: str) -> AccountProjection:
        """The account that `key` is for. Raises ProtocolError for a wrong key and for an account with too many sessions."""
        found = verify(key, self._keys)
        if found is None:
            raise ProtocolError("KEY_MUST_BE_KNOWN", "field 'key': no such key", field="key")
        sessions = self._of_account[found.account]
        if len(sessions) >= self.limits.sessions_per_account:
            told = f"the account has {len(sessions)} sessions, more are not allowed"
            raise ProtocolError("SESSIONS_MUST_NOT_EXCEED_LIMIT", told)
        session.number = self._unused_number(found.account)
        sessions[session] = None
        session.operates = found.operates
        return self.accounts[found.account]

    def _unused_number(self, account: int) -> int:
        """A number for a session that no other and no open order of its account has.

        They go round, so that one comes again long after the last order of its session has been answered.
        """
        taken = {session.number for session in self._of_account[account]}
        taken.update(order.session for order in self.accounts[account].open.values())
        number = self._last_numbers[account] % MOST_SESSION_NUMBERS + 1
        while number in taken:
            number = number % MOST_SESSION_NUMBERS + 1
            if number == self._last_numbers[account] % MOST_SESSION_NUMBERS + 1:
                told = f"open orders of the account are from {MOST_SESSION_NUMBERS} sessions, more are not allowed"
                raise ProtocolError("SESSIONS_MUST_NOT_EXCEED_LIMIT", told)
        self._last_numbers[account] = number
        return number

    def leave(self, session: Session) -> None:
        """A connection is gone."""
        self._sessions.pop(session, None)
        if session.account is not None:
            self._of_account[session.account.account.number].pop(session, None)
        for channel, instrument in session.subscriptions():
            self.unsubscribe(session, channel, instrument)

    def subscribe(self, session: Session, channel: str, instrument: int) -> str:
        """Let a session read a channel from now on. Returns the snapshot it goes on from."""
        self._readers.setdefault((channel, instrument), {})[session] = None
        match channel:
            case "depth":
                return self.depths[instrument].snapshot()
            case "trades":
                self._recall_earlier_trades(instrument)
                return self.trades[instrument].snapshot()
            case "session":
                return self.market_sessions[instrument].snapshot()
            case _:
                return self.orders[instrument].snapshot()

    def _recall_earlier_trades(self, instrument: int) -> None:
        """Trades from before the snapshot with which the exchange went on are looked for when somebody wants to see them."""
        look = self._unrecalled.pop(instrument, None)
        if look is None or self.trades[instrument].is_full:
            return
        earlier = look()
        if earlier is not None:
            self._recall_trades(earlier, instrument)

    def unsubscribe(self, session: Session, channel: str, instrument: int) -> None:
        """End that."""
        self._readers.get((channel, instrument), {}).pop(session, None)

    def hello(self) -> protocol.Hello:
        """What a new connection is told."""
        limits = self.limits
        return protocol.Hello(
            protocol=protocol.PROTOCOL_VERSION,
            server=self._server,
            durability=self.durability,
            instruments=tuple(
                protocol.InstrumentTerms(
                    symbol=one.symbol,
                    currency=one.currency,
                    tick=f"{one.instrument.tick:f}",
                    lot=f"{one.instrument.lot:f}",
                    multiplier=f"{one.instrument.multiplier:f}",
                    negative_prices=one.negative_prices,
                )
                for one in self.listing.instruments.values()
            ),
            login_seconds=limits.login_seconds,
            heartbeat_seconds=limits.heartbeat_seconds,
            messages_per_second=limits.messages_per_second,
            frame_bytes=limits.frame_bytes,
        )

    def beat(self) -> None:
        """Let every session that was quiet know that the exchange is there; called every `heartbeat_seconds`."""
        for session in tuple(self._sessions):
            session.beat(self.place[0])
        if self._owed_cancels:
            self._send_owed_cancels()

    def close_all(self, code: int, reason: str) -> None:
        """Ask every connection to close."""
        for session in tuple(self._sessions):
            session.close(code, reason)

    # -- cancels that must not be forgotten

    def cancel_session(self, account: int, session: int) -> None:
        """Cancel the orders of a session that is gone, as one act. While the engine is busy that waits here and is sent again."""
        self._owed_cancels.append(mass_cancel_record(account, session=session))
        self._send_owed_cancels()

    def _send_owed_cancels(self) -> None:
        while self._owed_cancels and self.node.submit(self._owed_cancels[0]):
            self._owed_cancels.popleft()


def _levels(books: Iterable[BookSide]) -> dict[int, Levels]:
    """What books show, by instrument."""
    found: dict[int, Levels] = {}
    for instrument, side, levels, _ in books:
        key = BUY_SIDE if side == Side.BUY.value else SELL_SIDE
        shown = {(key, price): (quantity, orders) for price, quantity, orders in levels if quantity}
        found.setdefault(instrument, {}).update(shown)
    return found


def _queues(books: Iterable[BookSide]) -> dict[int, Queues]:
    """The visible orders of books, by instrument."""
    found: dict[int, Queues] = {}
    for instrument, side, _, orders in books:
        queues = found.setdefault(instrument, {})
        for order_id, price, shown, _ in orders:
            if shown:
                queues.setdefault((Side(side).name, price), {})[order_id] = shown
    return found
