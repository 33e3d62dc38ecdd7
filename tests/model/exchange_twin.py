"""Our own venue as one would explain it: a book per instrument, stops in a list, one thing done after another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from tests.model.book_twin import LARGEST, BookTwin
from tests.model.order_twin import DAY, GTD, LIMIT, STOP, STOP_LIMIT, Event, RefusedError, Submit, Terms

if TYPE_CHECKING:
    from tests.model.engine_twin import EngineTwin

SIDES = {1: "BUY", -1: "SELL"}


@dataclass
class Ticket:
    """A live order at the venue."""

    order_id: int
    request: Submit
    terms: Terms
    executed: int = 0
    excess: int = 0
    place: str = "book"
    arrival: int = 0


class ExchangeTwin:
    """Users trade with each other."""

    def __init__(self) -> None:
        self.books: dict[int, BookTwin] = {}
        self.tickets: dict[int, Ticket] = {}
        self.last: dict[int, int] = {}
        self.work: list[Event] = []
        self.triggered: list[tuple[Ticket, int]] = []
        self.out: list[Event] = []
        self.trades = 0
        self.arrivals = 0
        # By instrument: who traded which side since its reduce-only orders were looked at.
        self.shrunk: dict[int, set[tuple[int, int]]] = {}

    def request(self, request: Event, time: int) -> None:
        """Waits its turn."""
        self.work.append(request)

    def close_session(self, time: int) -> None:
        """DAY orders are to expire."""
        self.work.append(("close",))

    def next_due(self) -> int | None:
        """When the next order good till a time ends."""
        return min(
            (t.request.expire_time for t in self.tickets.values() if t.request.time_in_force == GTD),
            default=None,
        )

    def next_report(self, time: int, engine: EngineTwin) -> Event | None:
        """Does one thing after another until there is something to tell."""
        while not self.out:
            for instrument in [one for one in self.shrunk if not self.reducing(one)]:
                del self.shrunk[instrument]
            expired = sorted(
                (t.request.expire_time, t.order_id)
                for t in self.tickets.values()
                if t.request.time_in_force == GTD and t.request.expire_time <= time
            )
            if self.triggered:
                self.run_triggered(*self.triggered.pop(0), engine)
            elif expired:
                self.leave(self.tickets[expired[0][1]], "expired")
            elif self.work:
                self.run(self.work.pop(0), time, engine)
            elif self.shrunk:
                instrument = next(iter(self.shrunk))
                self.trim(instrument, self.shrunk.pop(instrument), engine)
            else:
                return None
        return self.out.pop(0)

    def reducing(self, instrument: int) -> list[Ticket]:
        """Live reduce-only orders, oldest first."""
        tickets = [t for t in self.tickets.values() if t.request.instrument == instrument]
        return sorted((t for t in tickets if t.request.reduce_only), key=lambda t: t.order_id)

    def trim(self, instrument: int, shrunk: set[tuple[int, int]], engine: EngineTwin) -> None:
        """Each reduce-only order of who traded its side is at most what is left of the position."""
        for ticket in self.reducing(instrument):
            request = ticket.request
            most = max(0, -engine.accounts[request.account].quantity(instrument) * request.side)
            leaves = ticket.terms.quantity - ticket.executed - ticket.excess
            if (request.account, request.side) not in shrunk or leaves <= most:
                continue
            refusal = ("REDUCE_ONLY_MUST_REDUCE", most, leaves)
            if most == 0:
                self.leave(ticket, "canceled", *refusal)
                continue
            if ticket.place == "book":
                self.books[instrument].replace(ticket.order_id, None, most)
            ticket.excess = 0
            ticket.terms = Terms(ticket.terms.price, ticket.executed + most, ticket.terms.stop)
            self.out.append(("reduced", ticket.order_id, ticket.terms.quantity, *refusal))

    def book(self, instrument: int, engine: EngineTwin) -> BookTwin:
        """The book, which is told how much reduce-only orders may trade."""
        book = self.books.setdefault(instrument, BookTwin())

        def room(order_id: int, traded: list[tuple[int, int]]) -> int:
            request = self.tickets[order_id].request
            if not request.reduce_only:
                return LARGEST
            position = engine.accounts[request.account].quantity(instrument)
            for other, quantity in traded:
                one = self.tickets[other].request
                position += quantity * one.side if one.account == request.account else 0
            return -position * request.side

        book.room = room
        return book

    def run(self, work: Event, time: int, engine: EngineTwin) -> None:
        kind, *rest = work
        if kind == "close":
            self.expire_day_orders()
            return
        order_id = cast(int, rest[0])
        answers = {"submit": "rejected", "replace": "replace_rejected", "cancel": "cancel_rejected"}
        try:
            if kind == "submit":
                _, request, terms, _ = cast("tuple[int, Submit, Terms, int]", tuple(rest))
                self.submit(Ticket(order_id, request, terms), time, engine)
            elif order_id not in self.tickets:
                raise RefusedError("ORDER_MUST_EXIST", 0, order_id)
            elif kind == "replace":
                self.replace(self.tickets[order_id], cast(Terms, rest[2]), engine)
            else:
                self.leave(self.tickets[order_id], "canceled", "CANCELED_ON_REQUEST", 0, 0)
        except RefusedError as refused:
            self.out.append((answers[cast(str, kind)], order_id, *refused.words))

    def submit(self, ticket: Ticket, time: int, engine: EngineTwin) -> None:
        request = ticket.request
        if request.sizing != "UNITS":
            numbers = {"PERCENT": 1, "TARGET_PERCENT": 2, "CLOSE_POSITION": 3}
            raise RefusedError("SIZING_MUST_BE_SUPPORTED", 0, numbers[request.sizing])
        if request.time_in_force == GTD and request.expire_time <= time:
            raise RefusedError("EXPIRY_MUST_BE_IN_FUTURE", time, request.expire_time)
        if request.kind not in (STOP, STOP_LIMIT):
            self.enter(ticket, False, engine)
            return
        self.check_stop(ticket, ticket.terms)
        self.out.append(("accepted", ticket.order_id))
        self.wait(ticket)

    def check_stop(self, ticket: Ticket, terms: Terms) -> None:
        last = self.last.get(ticket.request.instrument)
        if last is not None and (last - terms.stop) * ticket.request.side >= 0:
            raise RefusedError("STOP_MUST_NOT_BE_TRIGGERED", last, terms.stop)

    def wait(self, ticket: Ticket) -> None:
        self.arrivals += 1
        ticket.arrival, ticket.place = self.arrivals, "stop"
        self.tickets[ticket.order_id] = ticket

    def enter(self, ticket: Ticket, known: bool, engine: EngineTwin) -> None:
        """Brings an order that is not in the book to it."""
        request, terms = ticket.request, ticket.terms
        leaves = terms.quantity - ticket.executed
        price = terms.price if request.kind in (LIMIT, STOP_LIMIT) else None
        quantity = self.executable(ticket, price, leaves, engine)
        ticket.excess, ticket.place = leaves - quantity, "book"
        book = self.book(request.instrument, engine)
        self.tickets[ticket.order_id] = ticket
        reports = book.submit(
            ticket.order_id, SIDES[request.side], price, quantity, request.time_in_force, request.post_only
        )
        if reports[0][0] == "refused":
            self.tickets.pop(ticket.order_id, None)
            raise RefusedError(*cast("tuple[str, int, int]", reports[0][2:]))
        self.translate(request.instrument, reports, known)

    def executable(self, ticket: Ticket, price: int | None, leaves: int, engine: EngineTwin) -> int:
        """A reduce-only order that would take takes what there is to reduce."""
        request = ticket.request
        book = self.books.get(request.instrument)
        if not request.reduce_only or book is None or not book.reachable(SIDES[request.side], price):
            return leaves
        held = -engine.accounts[request.account].quantity(request.instrument) * request.side
        if held <= 0:
            raise RefusedError("REDUCE_ONLY_MUST_REDUCE", 0, leaves)
        return min(held, leaves)

    def translate(self, instrument: int, reports: list[Event], known: bool = False, excess: int = 0) -> None:
        """The book's words as the venue's, and the stops that the trades set off."""
        prices = [cast(int, report[3]) for report in reports if report[0] == "traded"]
        if prices and self.reducing(instrument):
            requests = [
                self.tickets[cast(int, one)].request for r in reports if r[0] == "traded" for one in r[1:3]
            ]
            shrunk = self.shrunk.setdefault(instrument, set())
            shrunk |= {(request.account, request.side) for request in requests}
        for report in reports:
            kind, *rest = report
            if kind == "traded":
                self.tell_trade(instrument, *cast("tuple[int, int, int, int, int, int]", tuple(rest)))
            elif kind == "accepted" and not known:
                self.out.append(("accepted", rest[0]))
            elif kind == "canceled":
                order_id, _, rule, limit, actual = rest
                self.tickets.pop(cast(int, order_id), None)
                self.out.append(("canceled", order_id, rule, limit, actual))
            elif kind == "replaced":
                order_id, price, leaves, _ = cast("tuple[int, int, int, bool]", tuple(rest))
                ticket = self.tickets[order_id]
                ticket.excess = excess
                ticket.terms = Terms(price, ticket.executed + leaves + excess, ticket.terms.stop)
                self.out.append(("replaced", order_id, ticket.terms))
        if prices:
            self.set_off(instrument, prices)

    def tell_trade(
        self,
        instrument: int,
        maker: int,
        taker: int,
        price: int,
        quantity: int,
        maker_left: int,
        taker_left: int,
    ) -> None:
        self.trades += 1
        side = self.tickets[taker].request.side
        self.out.append(("trade", instrument, price, quantity, taker, maker, side))
        self.out.append(("filled", maker, price, -quantity * side, True, self.trades))
        self.out.append(("filled", taker, price, quantity * side, False, self.trades))
        for order_id, left in ((maker, maker_left), (taker, taker_left)):
            ticket = self.tickets[order_id]
            ticket.executed += quantity
            if left == 0:
                del self.tickets[order_id]
                if ticket.excess:
                    refusal = ("REDUCE_ONLY_MUST_REDUCE", ticket.executed, ticket.terms.quantity)
                    self.out.append(("canceled", order_id, *refusal))

    def stops(self, instrument: int, side: int) -> list[Ticket]:
        """Stops of one side in the order in which they would be set off."""
        waiting = [
            ticket
            for ticket in self.tickets.values()
            if ticket.place == "stop"
            and (ticket.request.instrument, ticket.request.side) == (instrument, side)
        ]
        return sorted(waiting, key=lambda ticket: (ticket.terms.stop * side, ticket.arrival))

    def set_off(self, instrument: int, prices: list[int]) -> None:
        last = prices[-1]
        self.last[instrument] = last
        for side, extreme in ((1, max(prices)), (-1, min(prices))):
            for ticket in self.stops(instrument, side):
                if ticket.terms.stop * side <= extreme * side:
                    ticket.place = "triggered"
                    self.triggered.append((ticket, last))

    def run_triggered(self, ticket: Ticket, price: int, engine: EngineTwin) -> None:
        if ticket.order_id not in self.tickets:
            return
        self.out.append(("triggered", ticket.order_id, price))
        try:
            self.enter(ticket, True, engine)
        except RefusedError as refused:
            self.tickets.pop(ticket.order_id, None)
            self.out.append(("canceled", ticket.order_id, *refused.words))

    def replace(self, ticket: Ticket, terms: Terms, engine: EngineTwin) -> None:
        if ticket.place == "triggered":
            raise RefusedError("ORDER_MUST_NOT_BE_PENDING")
        if ticket.place == "stop":
            self.replace_stop(ticket, terms)
            return
        request = ticket.request
        leaves = terms.quantity - ticket.executed
        quantity = self.executable(ticket, terms.price, leaves, engine)
        book = self.book(request.instrument, engine)
        reports = book.replace(ticket.order_id, terms.price, quantity, request.post_only)
        if reports[0][0] == "refused":
            raise RefusedError(*cast("tuple[str, int, int]", reports[0][2:]))
        self.translate(request.instrument, reports, excess=leaves - quantity)

    def replace_stop(self, ticket: Ticket, terms: Terms) -> None:
        self.check_stop(ticket, terms)
        old = ticket.terms
        keeps_place = (old.price, old.stop) == (terms.price, terms.stop) and terms.quantity <= old.quantity
        ticket.terms = terms
        self.out.append(("replaced", ticket.order_id, terms))
        if not keeps_place:
            self.wait(ticket)

    def leave(self, ticket: Ticket, *why: object) -> None:
        if ticket.place == "book":
            self.books[ticket.request.instrument].cancel(ticket.order_id)
        del self.tickets[ticket.order_id]
        self.out.append((why[0], ticket.order_id, *why[1:]))

    def expire_day_orders(self) -> None:
        for instrument in sorted({ticket.request.instrument for ticket in self.tickets.values()}):
            book = self.books.get(instrument, BookTwin())
            resting = [order.order_id for side in ("BUY", "SELL") for order in book.queue(side)]
            self.expire_days(
                [*resting, *(t.order_id for side in (1, -1) for t in self.stops(instrument, side))]
            )

    def expire_days(self, order_ids: list[int]) -> None:
        for order_id in order_ids:
            if self.tickets[order_id].request.time_in_force == DAY:
                self.leave(self.tickets[order_id], "expired")
