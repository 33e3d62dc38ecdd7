"""The risk gate, which adds up every open order anew for each question."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from tests.model.account_twin import NANO, AccountTwin, InstrumentTwin
from tests.model.order_twin import (
    CLOSE,
    LIMIT,
    MARKET,
    STOP,
    STOP_LIMIT,
    TARGET,
    UNITS,
    Order,
    RefusedError,
    Submit,
    Terms,
)

LARGEST = 2**56
LIFTED = 2**63 - 1
SIZE, NOTIONAL, BAND, OPEN_ORDERS, POSITION, LEVERAGE, GROSS = (
    "MAX_ORDER_QUANTITY",
    "MAX_ORDER_NOTIONAL",
    "PRICE_BAND",
    "MAX_OPEN_ORDERS",
    "MAX_POSITION",
    "MAX_LEVERAGE",
    "MAX_GROSS_EXPOSURE",
)
LIMIT_KINDS = (SIZE, NOTIONAL, BAND, OPEN_ORDERS, POSITION, LEVERAGE, GROSS)


@dataclass(frozen=True)
class Claim:
    """What an order could do while it is open, under one set of terms."""

    request: Submit
    terms: Terms
    filled: int
    held: bool

    @property
    def leaves(self) -> int:
        return max(self.terms.quantity - self.filled, 0)

    @property
    def own_price(self) -> int | None:
        """The price it values itself at."""
        request, terms = self.request, self.terms
        price = {
            MARKET: 0,
            STOP: terms.stop,
            LIMIT: terms.price,
            STOP_LIMIT: terms.price if request.side > 0 else max(terms.price, terms.stop),
        }[request.kind]
        return price if price > 0 else None

    def reference(self, mark: int | None) -> int | None:
        """The worst price it is known to trade at."""
        own = self.own_price
        if (self.request.kind, self.request.side) in ((LIMIT, -1), (STOP, 1)):
            known = [price for price in (own, mark) if price is not None]
            return max(known) if known else None
        return mark if own is None else own


@dataclass
class Sum:
    """What the open orders of one side could do together."""

    quantity: int = 0
    priced: int = 0
    unpriced: int = 0
    closing: int = 0
    closing_all: int = 0
    unsized: int = 0

    def worth(self, mark: int | None) -> int | None:
        """Price x quantity of all of it."""
        if self.unpriced and mark is None:
            return None
        return self.priced + self.unpriced * (mark or 0)


def interest(claim: Claim) -> Sum:
    """What one order holds back."""
    request = claim.request
    reduces = request.reduce_only or request.sizing == CLOSE
    at_once = request.kind == MARKET
    if claim.held:
        return Sum()
    if request.sizing == CLOSE and at_once:
        return Sum(closing_all=1)
    if request.sizing == UNITS and reduces and at_once:
        return Sum(closing=claim.leaves)
    if reduces:
        return Sum()
    if request.sizing != UNITS:
        return Sum(unsized=1)
    if claim.own_price is None:
        return Sum(quantity=claim.leaves, unpriced=claim.leaves)
    return Sum(quantity=claim.leaves, priced=claim.leaves * claim.own_price)


def total(parts: Iterable[Sum]) -> Sum:
    """All of them together."""
    whole = Sum()
    for part in parts:
        for name in vars(whole):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
    return whole


def worse(one: Sum, other: Sum) -> Sum:
    """Either may happen: of what is counted on as done, the lesser."""
    lesser = ("closing", "closing_all")
    picked = {
        name: (min if name in lesser else max)(getattr(one, name), getattr(other, name)) for name in vars(one)
    }
    return Sum(**picked)


def claims_of(order: Order) -> Sum:
    """What an open order holds back: the worse of old and new terms while a replace is under way."""
    now = interest(Claim(order.request, order.terms, order.filled, order.held))
    if order.pending is None:
        return now
    return worse(now, interest(Claim(order.request, order.pending, order.filled, order.held)))


def after_closing(position: int, buys: Sum, sells: Sum) -> int:
    """The position once market orders that only close it have."""
    closers = sells if position > 0 else buys
    if closers.closing_all:
        return 0
    left = max(abs(position) - closers.closing, 0)
    return left if position > 0 else -left


def exposure(position: int, buys: Sum, sells: Sum, mark: int | None) -> int | None:
    """The most price x quantity that can be held when all buys or all sells execute."""
    held = after_closing(position, buys, sells)
    if held and mark is None:
        return None
    now = abs(held) * (mark or 0)
    found = [now]
    for toward, orders in ((held, buys), (-held, sells)):
        worth = orders.worth(mark)
        if worth is None:
            return None
        widening = toward + orders.quantity
        if toward >= 0:
            found.append(now + worth)
        elif widening > 0:
            found.append(ceil(Fraction(worth * widening, orders.quantity)))
    return max(found)


class GateTwin:
    """Limits and switches; the orders are the engine's."""

    def __init__(self, instruments: dict[int, InstrumentTwin]) -> None:
        self.instruments = instruments
        self.limits: dict[tuple[int, int, str], int] = {}
        self.killed: set[int] = set()

    def check_switch(self, account: int) -> None:
        for number in (0, account):
            if number in self.killed:
                raise RefusedError("KILL_SWITCH_MUST_BE_OFF", 0, number)

    def limit(self, account: int, instrument: int, kind: str) -> int | None:
        """The most specific limit."""
        return self.first([(account, instrument), (account, 0), (0, instrument), (0, 0)], kind)

    def of_account(self, account: int, kind: str) -> int | None:
        return self.first([(account, 0), (0, 0)], kind)

    def of_instrument(self, account: int, instrument: int, kind: str) -> int | None:
        return self.first([(account, instrument), (0, instrument)], kind)

    def first(self, places: list[tuple[int, int]], kind: str) -> int | None:
        found = (self.limits[(*place, kind)] for place in places if (*place, kind) in self.limits)
        value = next(found, None)
        return None if value == LIFTED else value

    def check_terms(self, request: Submit, terms: Terms, held: bool, least: int = 1) -> None:
        """Quantity, lot, prices, ticks, bounds."""
        instrument = self.instruments[request.instrument]
        prices = []
        if request.kind in (LIMIT, STOP_LIMIT):
            prices.append(("PRICE_MUST_BE_ON_TICK", terms.price))
        if request.kind in (STOP, STOP_LIMIT):
            prices.append(("STOP_PRICE_MUST_BE_ON_TICK", terms.stop))
        if not (held and terms.quantity == 0):
            if terms.quantity < least and request.sizing not in (TARGET, CLOSE):
                raise RefusedError("QUANTITY_MUST_BE_POSITIVE", least, terms.quantity)
            if request.sizing == UNITS and terms.quantity % instrument.lot:
                raise RefusedError("QUANTITY_MUST_BE_ON_LOT", instrument.lot, terms.quantity)
        if held and request.offset:
            prices = []
        for _, price in prices:
            if price <= 0:
                raise RefusedError("PRICE_MUST_BE_POSITIVE", 1, price)
        for rule, price in prices:
            if price % instrument.tick:
                raise RefusedError(rule, instrument.tick, price)
        if request.sizing == UNITS and abs(terms.quantity) > LARGEST:
            raise RefusedError("QUANTITY_MUST_BE_IN_BOUNDS", LARGEST, terms.quantity)

    def check(
        self,
        request: Submit,
        terms: Terms,
        account: AccountTwin,
        orders: Iterable[Order],
        marks: dict[int, int],
        *,
        held: bool = False,
        instead_of: Order | None = None,
    ) -> None:
        """Every limit, in the order of the rules. `instead_of` is the order whose terms are to change, or that waits."""
        Judged(self, request, terms, account, list(orders), marks, held, instead_of).check()


class Judged:
    """One order, or new terms of one, before the limits."""

    def __init__(
        self,
        gate: GateTwin,
        request: Submit,
        terms: Terms,
        account: AccountTwin,
        orders: list[Order],
        marks: dict[int, int],
        held: bool,
        instead_of: Order | None,
    ) -> None:
        self.gate, self.request, self.terms, self.account, self.marks = gate, request, terms, account, marks
        self.held, self.instead_of = held, instead_of
        self.mine = [order for order in orders if order.is_open and order.request.account == account.number]
        self.instrument = gate.instruments[request.instrument]
        self.mark = marks.get(request.instrument)
        self.filled = instead_of.filled if instead_of else 0
        self.claim = Claim(request, terms, self.filled, held)
        self.widens = (
            request.sizing == UNITS and not held and not (request.reduce_only or request.sizing == CLOSE)
        )
        self.position = account.quantity(request.instrument)
        self.before = self.sums(self.mine)
        others = self.sums([order for order in self.mine if order is not instead_of])
        own = 0 if request.side > 0 else 1
        self.after = tuple(
            total([side, self.added()]) if at == own else side for at, side in enumerate(others)
        )

    def limit(self, kind: str) -> int | None:
        return self.gate.limit(self.account.number, self.request.instrument, kind)

    def sums(self, orders: list[Order], instrument: int | None = None) -> tuple[Sum, Sum]:
        number = instrument or self.request.instrument
        there = [order for order in orders if order.request.instrument == number]
        buys = total(claims_of(order) for order in there if order.request.side > 0)
        return buys, total(claims_of(order) for order in there if order.request.side < 0)

    def added(self) -> Sum:
        """What the order would hold back, valued at the worst price known; a replace holds the worse of both."""
        added = interest(self.claim)
        if self.instead_of is not None and not self.instead_of.held:
            old = Claim(self.request, self.instead_of.terms, self.filled, False)
            added = worse(interest(old), added)
        reference = self.claim.reference(self.mark)
        if added.priced > 0 and reference is not None:
            added.priced = max(added.priced, self.claim.leaves * reference)
        return added

    def check(self) -> None:
        exposures = self.exposures()
        self.check_reference()
        self.check_size()
        self.check_band()
        self.check_open_orders()
        self.check_position()
        self.check_short()
        self.check_leverage(exposures)
        self.check_reduction()
        self.check_gross(exposures)

    def reference(self) -> int | None:
        return self.claim.own_price if self.held else self.claim.reference(self.mark)

    def exposures(self) -> tuple[int, int, int, int] | None:
        """(equity, gross, of the instrument, of it before), where a limit asks for it."""
        number, instrument = self.account.number, self.request.instrument
        asked = (
            self.limit(LEVERAGE),
            self.gate.of_account(number, GROSS),
            self.gate.of_instrument(number, instrument, GROSS),
        )
        if not self.widens or all(limit is None for limit in asked):
            return None
        (buys, sells), (buys_before, sells_before) = self.after, self.before
        after = exposure(self.position, buys, sells, self.mark)
        before = exposure(self.position, buys_before, sells_before, self.mark)
        equity = self.account.equity(self.gate.instruments, self.marks)
        others = []
        for other in {order.request.instrument for order in self.mine} | set(self.account.positions):
            if other != instrument:
                sums = self.sums(self.mine, other)
                others.append((other, exposure(self.account.quantity(other), *sums, self.marks.get(other))))
        if after is None or before is None or equity is None or any(units is None for _, units in others):
            held = [n for n, of in self.account.positions.items() if of.quantity and n != instrument]
            unknown = [n for n in sorted(held) if n not in self.marks]
            raise RefusedError("REFERENCE_PRICE_MUST_BE_KNOWN", 0, unknown[0] if unknown else instrument)
        worth = self.money(instrument, after)
        gross = worth + sum(self.money(other, units or 0) for other, units in others)
        return equity, gross, worth, self.money(instrument, before)

    def money(self, instrument: int, units: int) -> int:
        return round(units * self.gate.instruments[instrument].unit_value)

    def check_reference(self) -> None:
        in_units = self.request.sizing == UNITS and not self.held
        needs = in_units and (self.limit(NOTIONAL) is not None or self.widens)
        banded = self.request.kind == LIMIT and not self.held and self.limit(BAND) is not None
        if (needs and self.reference() is None) or (banded and self.mark is None):
            raise RefusedError("REFERENCE_PRICE_MUST_BE_KNOWN", 0, self.request.instrument)

    def check_size(self) -> None:
        if self.request.sizing != UNITS:
            return
        reference = self.reference()
        notional = 0 if reference is None else self.instrument.notional(reference, self.terms.quantity)
        for kind, rule, actual in (
            (SIZE, "QUANTITY_MUST_NOT_EXCEED_LIMIT", self.terms.quantity),
            (NOTIONAL, "NOTIONAL_MUST_NOT_EXCEED_LIMIT", notional),
        ):
            limit = self.limit(kind)
            if limit is not None and actual > limit:
                raise RefusedError(rule, limit, actual)

    def check_band(self) -> None:
        band = self.limit(BAND)
        centers = {LIMIT: None if self.held else self.mark, STOP_LIMIT: self.terms.stop}
        center = centers.get(self.request.kind)
        if band is None or center is None or self.terms.price <= 0:
            return
        distance = Fraction(abs(self.terms.price - center) * NANO, max(center, 1))
        if distance > band:
            raise RefusedError("PRICE_MUST_BE_IN_BAND", band, ceil(distance))

    def check_open_orders(self) -> None:
        if self.instead_of is not None:
            return
        number, instrument = self.account.number, self.request.instrument
        there = sum(order.request.instrument == instrument for order in self.mine)
        for limit, count in (
            (self.gate.of_instrument(number, instrument, OPEN_ORDERS), there),
            (self.gate.of_account(number, OPEN_ORDERS), len(self.mine)),
        ):
            if limit is not None and count >= limit:
                raise RefusedError("OPEN_ORDERS_MUST_NOT_EXCEED_LIMIT", limit, count + 1)

    def worst(self) -> int:
        """Where all open orders on this side, and this one, would take the position, in its direction."""
        side = self.request.side
        mine = self.after[0 if side > 0 else 1]
        return side * (after_closing(self.position, *self.after) + side * mine.quantity)

    def check_position(self) -> None:
        limit = self.limit(POSITION)
        if limit is not None and self.widens and self.worst() > limit:
            raise RefusedError("POSITION_MUST_NOT_EXCEED_LIMIT", limit, self.worst())

    def check_short(self) -> None:
        if self.account.shorting:
            return
        if self.request.sizing == TARGET and self.terms.quantity < 0:
            raise RefusedError("SHORT_MUST_BE_ALLOWED", 0, self.terms.quantity)
        if self.widens and self.request.side < 0 and self.worst() > 0:
            asked = self.terms.quantity - self.filled
            raise RefusedError("SHORT_MUST_BE_ALLOWED", max(asked - self.worst(), 0), asked)

    def check_leverage(self, exposures: tuple[int, int, int, int] | None) -> None:
        limit = self.limit(LEVERAGE)
        if limit is None or exposures is None:
            return
        equity, gross, worth, before = exposures
        if worth > before:
            check_leverage(gross, equity, limit)

    def check_reduction(self) -> None:
        goes_out = not self.held and (self.instead_of is None or self.instead_of.held)
        if not (self.request.reduce_only or self.request.sizing == CLOSE) or not goes_out:
            return
        buys, sells = self.before
        opposite = sells if self.request.side > 0 else buys
        held = -self.position * self.request.side
        if not (buys.unsized + sells.unsized > 0 or held + opposite.quantity > 0):
            raise RefusedError("REDUCE_ONLY_MUST_REDUCE", 0, self.terms.quantity)

    def check_gross(self, exposures: tuple[int, int, int, int] | None) -> None:
        if exposures is None:
            return
        _, gross, worth, before = exposures
        number = self.account.number
        if worth > before:
            check_gross(self.gate, number, self.request.instrument, worth, gross)


def check_leverage(gross: int, equity: int, limit: int) -> None:
    """Gross exposure against equity."""
    if equity <= 0:
        raise RefusedError("EQUITY_MUST_BE_POSITIVE", 1, equity)
    if gross * NANO > equity * limit:
        raise RefusedError("LEVERAGE_MUST_NOT_EXCEED_LIMIT", limit, ceil(Fraction(gross * NANO, equity)))


def check_gross(gate: GateTwin, account: int, instrument: int, worth: int, gross: int) -> None:
    """Exposure of the instrument and of the account."""
    limits = (
        (gate.of_instrument(account, instrument, GROSS), worth),
        (gate.of_account(account, GROSS), gross),
    )
    for limit, actual in limits:
        if limit is not None and actual > limit:
            raise RefusedError("GROSS_EXPOSURE_MUST_NOT_EXCEED_LIMIT", limit, actual)
