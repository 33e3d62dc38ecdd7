"""A slow, obvious engine: orders in a list, every rule asked anew, one venue, no tables kept up to date.

It shares nothing with the engine it judges but the words of the events, which are plain tuples here (see `told` in
tests/kernel/engine_events.py). One command in, the events it leads to out.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from tests.model.account_twin import NANO, AccountTwin, FeesTwin, InstrumentTwin
from tests.model.gate_twin import GateTwin
from tests.model.order_twin import (
    BAR_NS,
    LIMIT,
    PENDING_STATES,
    STOP,
    STOP_LIMIT,
    UNITS,
    Bars,
    Cancel,
    CancelAll,
    CloseSession,
    Command,
    EndRun,
    Event,
    Kill,
    Order,
    Pass,
    RefusedError,
    Release,
    Replace,
    SetLimit,
    Submit,
    Terms,
)

ON_REQUEST = ("CANCELED_ON_REQUEST", 0, 0)


class VenueTwin(Protocol):
    """A place that accepts orders: asked here, heard of by `next_report`."""

    def request(self, request: Event, time: int) -> None: ...
    def next_report(self, time: int, engine: EngineTwin) -> Event | None: ...
    def next_due(self) -> int | None: ...
    def close_session(self, time: int) -> None: ...


class EngineTwin:
    """Accounts, orders and one venue."""

    def __init__(
        self,
        venue: VenueTwin,
        instruments: list[InstrumentTwin],
        accounts: list[AccountTwin],
        fees: FeesTwin,
        sequence: int,
        time: int = 0,
    ) -> None:
        self.venue = venue
        self.instruments = {instrument.number: instrument for instrument in instruments}
        self.accounts = {account.number: account for account in accounts}
        self.deposits = {account.number: account.cash for account in accounts}
        self.fees = fees
        self.gate = GateTwin(self.instruments)
        self.marks: dict[int, int] = {}
        self.orders: list[Order] = []
        self.sequence, self.time = sequence, time
        self.events: list[Event] = []
        self.is_pulling = False

    # ---- commands and observations

    def play(self, command: Command) -> list[tuple[int, list[Event]]]:
        """Events by the sequence of what caused them; time that passes may bring several."""
        if isinstance(command, Pass):
            return self.advance(self.time + command.duration_ns)
        if isinstance(command, CloseSession):
            return [*self.advance(self.time + 1, note=False), self.one(self.close_session)]
        if isinstance(command, Bars):
            told = self.advance(self.time + BAR_NS, note=False)
            # One record per bar; what they lead to comes with the last.
            self.sequence += len(command.rows) - 1
            return [*told, self.one(self.observe, command)]
        return [self.one(self.dispatch, command)]

    def one(self, act: object, *arguments: object) -> tuple[int, list[Event]]:
        assert callable(act)
        self.sequence += 1
        self.events = []
        act(*arguments)
        return self.sequence, self.events

    def advance(self, time: int, note: bool = True) -> list[tuple[int, list[Event]]]:
        """What falls due on the way, then an observation at `time` that concerns nobody."""
        told = []
        while (due := self.venue.next_due()) is not None and due <= time:
            self.time = max(due, self.time)
            told.append(self.one(self.pull))
        self.time = time
        if note:
            told.append(self.one(lambda: self.events.append(("SignalReceived",))))
        return told

    def close_session(self) -> None:
        # What expires now is still to be looked up for a day; what closed before is forgotten.
        self.orders = [order for order in self.orders if order.is_open]
        self.venue.close_session(self.time)
        self.pull()

    def observe(self, bars: Bars) -> None:
        self.venue.request(("bars", bars.rows), self.time)
        self.pull()
        for number, _, _, _, close in bars.rows:
            self.marks[number] = close

    def dispatch(self, command: Command) -> None:
        match command:
            case Submit():
                self.submit(command)
            case Replace():
                self.replace(command)
            case Cancel():
                self.cancel(command)
            case CancelAll(account, instrument):
                self.cancel_all(account, instrument)
            case Kill(account):
                self.gate.killed.add(account)
                self.events.append(("KillSwitchEngaged", account, 9, 0))
                self.cancel_all(account, 0)
            case Release(account):
                self.gate.killed.discard(account)
                self.events.append(("KillSwitchReleased", account))
            case SetLimit(account, instrument, kind, value):
                self.gate.limits[(account, instrument, kind)] = value
                self.events.append(("RiskLimitSet", account, instrument, kind, value))
            case EndRun():
                self.venue.request(("end",), self.time)
                self.pull()
            case _:
                raise AssertionError(command)

    def find(self, account: int, client_id: int) -> Order | None:
        """The order the client means."""
        named = [o for o in self.orders if (o.request.account, o.request.client_id) == (account, client_id)]
        return named[0] if named else None

    def by_id(self, order_id: int) -> Order:
        """The order the venue means."""
        return next(order for order in self.orders if order.order_id == order_id)

    def submit(self, request: Submit) -> None:
        first = self.find(request.account, request.client_id)
        if first is not None:
            self.repeat(first, request)
            return
        order = Order(self.sequence, request, Terms(request.price, request.quantity, request.stop))
        order.held = request.parent != 0
        try:
            self.admit(order)
        except RefusedError as refused:
            order.state, order.refusal, order.held = "DENIED", refused.words, False
            self.events.append(("OrderDenied", order.order_id, request.client_id, *refused.words))
            self.orders.append(order)
            return
        self.events.append(
            ("OrderSubmitted", order.order_id, request.client_id, request.price, request.quantity)
        )
        self.orders.append(order)
        self.link(order)
        if not order.held:
            self.send_new(order, None)
            return
        parent = self.find(request.account, request.parent)
        if parent is not None and parent.filled:
            self.release(
                order, self.share(order, parent.filled), round(Fraction(parent.value, parent.filled))
            )

    def repeat(self, first: Order, request: Submit) -> None:
        """The same again gets the first answer."""
        client_id = request.client_id
        if first.request != request:
            refusal = ("CLIENT_ORDER_ID_MUST_BE_UNIQUE", 0, client_id)
            self.events.append(("OrderDenied", self.sequence, client_id, *refusal))
        elif first.state == "DENIED" and first.refusal:
            self.events.append(("OrderDenied", first.order_id, client_id, *first.refusal))
        elif first.state == "REJECTED" and first.refusal:
            self.events.append(("OrderRejected", first.order_id, client_id, *first.refusal))
        elif first.state in ("SUBMITTED", "PENDING_NEW"):
            self.events.append(("OrderSubmitted", first.order_id, client_id, request.price, request.quantity))
        else:
            self.events.append(("OrderAccepted", first.order_id, client_id))

    def admit(self, order: Order) -> None:
        request = order.request
        if request.account not in self.accounts:
            raise RefusedError("ACCOUNT_MUST_BE_OPEN", 0, request.account)
        if request.instrument not in self.instruments:
            raise RefusedError("INSTRUMENT_MUST_BE_LISTED", 0, request.instrument)
        self.gate.check_switch(request.account)
        self.gate.check_terms(request, order.terms, order.held)
        self.check_links(request)
        account = self.accounts[request.account]
        self.gate.check(request, order.terms, account, self.orders, self.marks, held=order.held)

    def check_links(self, request: Submit) -> None:
        if request.parent:
            parent = self.find(request.account, request.parent)
            if parent is None:
                raise RefusedError("LINKED_ORDER_MUST_EXIST", 0, request.parent)
            if not parent.is_open and not parent.filled:
                numbers = {"CANCELED": 7, "EXPIRED": 8, "DENIED": 9, "REJECTED": 10}
                raise RefusedError("LINKED_ORDER_MUST_EXIST", numbers[parent.state], request.parent)
        if request.partner:
            partner = self.find(request.account, request.partner)
            if partner is None:
                raise RefusedError("LINKED_ORDER_MUST_EXIST", 0, request.partner)
            if not partner.is_open:
                raise RefusedError("PARTNER_MUST_BE_OPEN", 0, request.partner)
            other = partner.partner
            if other is not None and other.is_open:
                raise RefusedError("PARTNER_MUST_BE_FREE", other.request.client_id, request.partner)

    def replace(self, command: Replace) -> None:
        order = self.find(command.account, command.client_id)
        if order is None:
            self.events.append(("CommandRefused", "ReplaceOrder", "ORDER_MUST_EXIST", 0, command.client_id))
            return
        terms = Terms(
            command.price or order.terms.price,
            command.quantity or order.terms.quantity,
            command.stop or order.terms.stop,
        )
        try:
            self.check_replace(order, command, terms)
        except RefusedError as refused:
            self.events.append(("ReplaceRejected", order.order_id, *refused.words))
            return
        self.start_replace(order, terms)

    def check_replace(self, order: Order, command: Replace, terms: Terms) -> None:
        request = order.request
        if not order.is_open:
            raise RefusedError("ORDER_MUST_BE_OPEN", 0, state_number(order.state))
        if order.state in ("PENDING_REPLACE", "PENDING_CANCEL"):
            raise RefusedError("ORDER_MUST_NOT_BE_PENDING", 0, state_number(order.state))
        if request.sizing != UNITS and command.quantity:
            raise RefusedError("SIZING_MUST_BE_SUPPORTED")
        if not order.held:
            self.check_terms_of_open(order, terms)
            return
        self.gate.check_switch(request.account)
        self.gate.check_terms(request, terms, True)

    def check_terms_of_open(self, order: Order, terms: Terms) -> None:
        request = order.request
        self.gate.check_switch(request.account)
        self.gate.check_terms(request, terms, False, order.filled + 1)
        account = self.accounts[request.account]
        self.gate.check(request, terms, account, self.orders, self.marks, instead_of=order)

    def start_replace(self, order: Order, terms: Terms) -> None:
        if order.held:
            order.terms = terms
            self.tell_replaced(order)
            return
        order.pending, order.state = terms, "PENDING_REPLACE"
        self.events.append(("OrderPending", order.order_id, order.state))
        self.send("replace", order.order_id, order.request.instrument, terms)

    def tell_replaced(self, order: Order) -> None:
        has_limit = order.request.kind in (LIMIT, STOP_LIMIT)
        shown = order.terms.price if has_limit else order.terms.stop
        self.events.append(("OrderReplaced", order.order_id, shown, order.terms.quantity))

    def cancel(self, command: Cancel) -> None:
        order = self.find(command.account, command.client_id)
        if order is None:
            self.events.append(("CommandRefused", "CancelOrder", "ORDER_MUST_EXIST", 0, command.client_id))
        elif not order.is_open:
            refusal = ("ORDER_MUST_BE_OPEN", 0, state_number(order.state))
            self.events.append(("CancelRejected", order.order_id, *refusal))
        elif order.state == "PENDING_CANCEL":
            refusal = ("ORDER_MUST_NOT_BE_PENDING", 0, state_number(order.state))
            self.events.append(("CancelRejected", order.order_id, *refusal))
        else:
            self.start_cancel(order)

    def start_cancel(self, order: Order) -> None:
        if order.held:
            self.canceled(order, ON_REQUEST)
            return
        order.state = "PENDING_CANCEL"
        self.events.append(("OrderPending", order.order_id, order.state))
        self.send("cancel", order.order_id, order.request.instrument)

    def cancel_all(self, account: int, instrument: int) -> None:
        concerned = [
            order
            for order in self.orders
            if order.is_open
            and account in (0, order.request.account)
            and instrument in (0, order.request.instrument)
        ]
        for order in concerned:
            if order.is_open and order.state != "PENDING_CANCEL":
                self.start_cancel(order)

    # ---- to the venue and back

    def send_new(self, order: Order, released_at: int | None) -> None:
        order.state = "PENDING_NEW"
        self.send("submit", order.order_id, order.request, order.terms, released_at)

    def send(self, *request: object) -> None:
        self.venue.request(request, self.time)
        self.pull()

    def pull(self) -> None:
        """Hears reports until there is none; what is asked meanwhile is answered by the same loop."""
        if self.is_pulling:
            return
        self.is_pulling = True
        while (report := self.venue.next_report(self.time, self)) is not None:
            self.hear(report)
        self.is_pulling = False

    def hear(self, report: Event) -> None:
        name, *rest = report
        if name == "trade":
            instrument, price, quantity, aggressor, resting, side = rest
            assert isinstance(instrument, int) and isinstance(price, int)
            self.marks[instrument] = price
            self.events.append(("TradeExecuted", price, quantity, aggressor, resting, side))
            return
        order_id, *details = rest
        assert isinstance(order_id, int)
        order = self.by_id(order_id)
        getattr(self, f"hear_{name}")(order, *details)
        self.ask_what_was_wanted(order)

    def hear_accepted(self, order: Order) -> None:
        order.acknowledged = True
        if order.state == "PENDING_NEW":
            order.state = "ACCEPTED"
        elif order.accepted:
            return
        order.accepted = True
        self.events.append(("OrderAccepted", order.order_id, order.request.client_id))

    def hear_rejected(self, order: Order, *refusal: object) -> None:
        order.state, order.refusal = "REJECTED", refusal  # type: ignore[assignment]
        self.events.append(("OrderRejected", order.order_id, order.request.client_id, *refusal))
        self.after_close(order)

    def hear_filled(self, order: Order, price: int, quantity: int, is_maker: bool, trade_id: int) -> None:
        """`quantity` is signed: what was bought or sold."""
        request = order.request
        was_open = order.is_open
        self.fill_order(order, price, abs(quantity))
        account = self.accounts[request.account]
        instrument = self.instruments[request.instrument]
        fee = self.fees.fee(instrument.notional(price, quantity), is_maker)
        position = account.position(instrument.number)
        before = position.quantity
        paid, realized = position.trade(instrument, price, quantity)
        position.fees += fee
        account.cash -= paid + fee
        side = 1 if quantity > 0 else -1
        self.events.append(
            (
                "OrderFilled",
                order.order_id,
                price,
                abs(quantity),
                order.leaves,
                side,
                is_maker,
                trade_id,
                order.filled,
                fee,
            )
        )
        word = "Opened" if not before else "Closed" if not position.quantity else "Changed"
        self.events.append(
            (f"Position{word}", account.number, instrument.number, position.quantity, position.cost, realized)
        )
        self.events.append(("AccountChanged", account.number, account.cash, -paid - fee))
        if before and position.quantity * before <= 0:
            self.cancel_exits(order)
        self.after_fill(order, price, abs(quantity))
        if was_open and not order.is_open:
            self.after_close(order)

    def fill_order(self, order: Order, price: int, quantity: int) -> None:
        order.filled += quantity
        order.value += price * quantity
        if order.request.sizing != UNITS:
            order.terms = Terms(order.terms.price, order.filled, order.terms.stop)
        asked = max(order.terms.quantity, order.pending.quantity if order.pending else 0)
        assert order.filled <= asked, "these venues never fill more than they were asked for"
        if order.filled == asked:
            order.state = "FILLED"
        elif order.state == "PENDING_NEW":
            order.state = "ACCEPTED"
        order.acknowledged = True

    def hear_canceled(self, order: Order, *refusal: object) -> None:
        self.canceled(order, refusal)

    def canceled(self, order: Order, refusal: Event) -> None:
        order.state, order.refusal = "CANCELED", refusal  # type: ignore[assignment]
        self.events.append(("OrderCanceled", order.order_id, order.leaves, *refusal))
        self.after_close(order)

    def hear_expired(self, order: Order) -> None:
        order.state = "EXPIRED"
        self.events.append(("OrderExpired", order.order_id, order.leaves))
        self.after_close(order)

    def hear_replaced(self, order: Order, terms: Terms) -> None:
        order.terms, order.pending, order.acknowledged = terms, None, True
        done = order.request.sizing == UNITS and order.filled >= terms.quantity
        if order.state != "PENDING_CANCEL" or done:
            order.state = "FILLED" if done else "ACCEPTED"
        self.tell_replaced(order)
        if done:
            self.after_close(order)

    def hear_reduced(self, order: Order, quantity: int, *refusal: object) -> None:
        order.terms = Terms(order.terms.price, max(quantity, order.filled), order.terms.stop)
        self.events.append(("OrderReduced", order.order_id, order.terms.quantity, *refusal))

    def hear_triggered(self, order: Order, price: int) -> None:
        self.events.append(("OrderTriggered", order.order_id, price))

    def hear_replace_rejected(self, order: Order, *refusal: object) -> None:
        was_open = order.is_open
        if was_open:
            order.pending = None
            if order.state != "PENDING_CANCEL" or (order.request.sizing == UNITS and order.leaves == 0):
                self.settle(order)
        self.events.append(("ReplaceRejected", order.order_id, *refusal))
        if was_open and not order.is_open:
            self.after_close(order)

    def hear_cancel_rejected(self, order: Order, *refusal: object) -> None:
        if order.state == "PENDING_CANCEL":
            if order.pending is not None:
                order.state = "PENDING_REPLACE"
            else:
                self.settle(order)
        self.events.append(("CancelRejected", order.order_id, *refusal))

    def settle(self, order: Order) -> None:
        done = order.request.sizing == UNITS and order.filled >= order.terms.quantity
        order.state = "PENDING_NEW" if not order.acknowledged else "FILLED" if done else "ACCEPTED"

    # ---- linked orders

    def link(self, order: Order) -> None:
        account = order.request.account
        parent = self.find(account, order.request.parent) if order.request.parent else None
        partner = self.find(account, order.request.partner) if order.request.partner else None
        if parent is not None:
            parent.children.append(order)
        if partner is not None:
            partner.partner, order.partner = order, partner

    def after_fill(self, order: Order, price: int, quantity: int) -> None:
        for child in order.children:
            if not child.is_open:
                continue
            if child.held:
                self.release(child, self.share(child, order.filled), price)
            else:
                self.resize(child, self.share(child, order.filled))
        partner = order.partner
        if partner is None or not partner.is_open:
            return
        if not protect_together(order, partner):
            self.cancel_linked(partner)
        elif not partner.held:
            asked = (partner.pending or partner.terms).quantity
            self.resize(partner, (asked if partner.wanted is None else partner.wanted) - quantity)

    def cancel_exits(self, last: Order) -> None:
        """The position is gone: exits whose parents are done must not meet the next one."""
        place = (last.request.account, last.request.instrument)
        for exit_ in [order for order in self.orders if order.is_open and order.request.parent]:
            request = exit_.request
            parent = self.find(request.account, request.parent)
            alone = not exit_.held and (parent is None or not parent.is_open)
            if (
                exit_ is not last
                and request.reduce_only
                and alone
                and (request.account, request.instrument) == place
            ):
                self.cancel_linked(exit_)

    def share(self, child: Order, filled: int) -> int:
        partner = child.partner
        done = partner.filled if partner is not None and protect_together(child, partner) else 0
        return filled - done

    def release(self, child: Order, quantity: int, price: int) -> None:
        if quantity <= 0:
            self.cancel_linked(child)
            return
        request = child.request
        terms = child.terms
        child.held = False
        total = quantity if request.sizing == UNITS else terms.quantity
        limit, stop = terms.price, terms.stop
        if request.offset:
            tick = self.instruments[request.instrument].tick
            moved = max(round(Fraction(price * (NANO + request.offset), NANO * tick)), 1) * tick
            limit, stop = (limit, moved) if request.kind in (STOP, STOP_LIMIT) else (moved, stop)
        child.terms = Terms(limit, total, stop)
        try:
            child.held = True  # to the gate it is one that waits until it is let go
            self.gate.check_terms(request, child.terms, False)
            account = self.accounts[request.account]
            self.gate.check(request, child.terms, account, self.orders, self.marks, instead_of=child)
        except RefusedError as refused:
            child.held, child.state, child.refusal = False, "DENIED", refused.words
            self.events.append(("OrderDenied", child.order_id, request.client_id, *refused.words))
            self.after_close(child)
            return
        child.held = False
        self.tell_replaced(child)
        self.send_new(child, price)

    def resize(self, order: Order, quantity: int) -> None:
        if not order.is_open or order.request.sizing != UNITS:
            return
        if quantity <= order.filled:
            self.cancel_linked(order)
            return
        order.wanted = quantity
        self.ask_what_was_wanted(order)

    def ask_what_was_wanted(self, order: Order) -> None:
        if order.wanted is None or order.state in PENDING_STATES:
            return
        wanted, order.wanted = order.wanted, None
        if not order.is_open:
            return
        if wanted <= order.filled:
            self.start_cancel(order)
        elif wanted != order.terms.quantity:
            self.replace_linked(order, Terms(order.terms.price, wanted, order.terms.stop))

    def replace_linked(self, order: Order, terms: Terms) -> None:
        """What only reduces may grow with the position it protects; anything else passes the gate."""
        try:
            self.check_terms_of_open(order, terms)
        except RefusedError as refused:
            if not order.request.reduce_only:
                self.events.append(("ReplaceRejected", order.order_id, *refused.words))
                return
        self.start_replace(order, terms)

    def after_close(self, order: Order) -> None:
        if not order.filled:
            for child in [child for child in order.children if child.is_open]:
                self.cancel_linked(child)
        if order.partner is not None:
            self.cancel_linked(order.partner)

    def cancel_linked(self, order: Order) -> None:
        if not order.is_open or order.state == "PENDING_CANCEL":
            return
        if order.held:
            self.canceled(order, ("PARTNER_MUST_BE_OPEN", 0, 0))
        else:
            self.start_cancel(order)


def protect_together(one: Order, other: Order) -> bool:
    """Each takes from what the other may still do to a position."""
    return all(order.request.reduce_only and order.request.sizing == UNITS for order in (one, other))


def state_number(state: str) -> int:
    """As the engine numbers them."""
    names = "SUBMITTED PENDING_NEW ACCEPTED PENDING_REPLACE PENDING_CANCEL FILLED CANCELED EXPIRED DENIED REJECTED"
    return names.split().index(state) + 1
