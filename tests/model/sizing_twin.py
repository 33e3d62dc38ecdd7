"""How much of an order may execute at a price, found by trying one lot after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.model.account_twin import NANO
from tests.model.gate_twin import GROSS, LEVERAGE, NOTIONAL, POSITION, SIZE, check_gross, check_leverage
from tests.model.order_twin import CLOSE, PERCENT, TARGET, UNITS, RefusedError, Submit

if TYPE_CHECKING:
    from tests.model.engine_twin import EngineTwin


class Sizer:
    """One order, one price, the account as it is now."""

    def __init__(self, engine: EngineTwin, request: Submit, price: int) -> None:
        self.engine, self.request, self.price = engine, request, price
        self.account = engine.accounts[request.account]
        self.instrument = engine.instruments[request.instrument]
        self.position = self.account.quantity(request.instrument)
        self.leverage = self.limit(LEVERAGE)

    def limit(self, kind: str) -> int | None:
        return self.engine.gate.limit(self.request.account, self.request.instrument, kind)

    def notional(self, quantity: int) -> int:
        return self.instrument.notional(self.price, quantity)

    def fee(self, quantity: int) -> int:
        return self.engine.fees.worst(self.notional(quantity))

    def worth(self) -> tuple[int, int]:
        """(equity, gross exposure) before the fill, this instrument at the price."""
        priced = {self.instrument.number: self.price}
        values = self.account.values(self.engine.instruments, self.engine.marks, priced)
        if values is None:
            held = [number for number, of in sorted(self.account.positions.items()) if of.quantity]
            unknown = [n for n in held if n != self.instrument.number and n not in self.engine.marks]
            raise RefusedError("REFERENCE_PRICE_MUST_BE_KNOWN", 0, unknown[0])
        return self.account.cash + sum(values.values()), sum(abs(value) for value in values.values())

    def after(self, signed: int) -> tuple[int, int, int]:
        """(equity, gross, of this instrument) after the fill and its fee."""
        equity, gross = self.worth()
        before, after = self.notional(self.position), self.notional(self.position + signed)
        equity += after - before - self.notional(signed) - self.fee(signed)
        return equity, gross - abs(before) + abs(after), abs(after)

    def has_margin(self, signed: int) -> bool:
        if self.leverage is None:
            return True
        equity, gross, _ = self.after(signed)
        return gross <= self.worth()[1] or (equity > 0 and gross * NANO <= equity * self.leverage)

    def most(self, fits: Callable[[int], bool]) -> int:
        """The largest quantity on the lot up to which all fit."""
        quantity = 0
        while fits(quantity + self.instrument.lot):
            quantity += self.instrument.lot
        return quantity

    def executable(self, leaves: int) -> int:
        """Signed: what is bought or sold."""
        request = self.request
        side = request.side
        if request.sizing == UNITS:
            wanted = side * leaves
        elif request.sizing == PERCENT:
            wanted = side * self.percent(request.quantity)
        elif request.sizing == TARGET:
            wanted = self.target(request.quantity)
        else:
            wanted = side * max(-self.position * side, 0)
        if request.reduce_only or request.sizing == CLOSE:
            wanted = self.cut(wanted)
        if request.sizing in (PERCENT, TARGET):
            self.check_size(wanted)
        after = self.position + wanted
        if abs(after) > abs(self.position) or after * self.position < 0:
            self.check_widening(wanted)
        return wanted

    def cut(self, wanted: int) -> int:
        """Only what is held against it."""
        sign = (wanted > 0) - (wanted < 0)
        allowed = min(max(-self.position * sign, 0), abs(wanted))
        if allowed == 0:
            raise RefusedError("REDUCE_ONLY_MUST_REDUCE", 0, abs(wanted))
        return sign * allowed

    def positive_equity(self) -> tuple[int, int]:
        equity, gross = self.worth()
        if equity <= 0:
            raise RefusedError("EQUITY_MUST_BE_POSITIVE", 1, equity)
        return equity, gross

    def nothing_fits(self) -> RefusedError:
        return RefusedError("SIZED_QUANTITY_MUST_BE_POSITIVE", self.instrument.lot, 0)

    def percent(self, share: int) -> int:
        equity, gross = self.positive_equity()
        available = equity if self.leverage is None else equity * self.leverage // NANO - gross
        budget = max(available, 0) * share // NANO
        side = self.request.side
        quantity = self.most(
            lambda quantity: (
                self.notional(quantity) + self.fee(quantity) <= budget and self.has_margin(side * quantity)
            )
        )
        if quantity == 0:
            raise self.nothing_fits()
        return quantity

    def target(self, target: int) -> int:
        if target == 0:
            if self.position == 0:
                raise self.nothing_fits()
            return -self.position
        sign = 1 if target > 0 else -1
        equity, _ = self.positive_equity()
        budget = equity * abs(target) // NANO
        held = self.position * sign
        if held > 0 and self.notional(held) > budget:
            return -sign * self.shed(held, budget)
        covered, base = max(-held, 0), max(held, 0)

        def fits(added: int) -> bool:
            traded = covered + added
            cost = self.notional(base + added) + self.fee(traded)
            return cost <= budget and self.has_margin(sign * traded)

        signed = sign * (covered + self.most(fits))
        if signed == 0:
            raise self.nothing_fits()
        return signed

    def shed(self, held: int, budget: int) -> int:
        """The least to give up so that the rest and the fee fit."""
        for quantity in range(self.instrument.lot, held + 1, self.instrument.lot):
            if self.notional(held - quantity) + self.fee(quantity) <= budget:
                return quantity
        return held

    def check_size(self, signed: int) -> None:
        for kind, rule, actual in (
            (SIZE, "QUANTITY_MUST_NOT_EXCEED_LIMIT", abs(signed)),
            (NOTIONAL, "NOTIONAL_MUST_NOT_EXCEED_LIMIT", self.notional(abs(signed))),
        ):
            limit = self.limit(kind)
            if limit is not None and actual > limit:
                raise RefusedError(rule, limit, actual)

    def check_widening(self, signed: int) -> None:
        after = self.position + signed
        most = self.limit(POSITION)
        if most is not None and abs(after) > most:
            raise RefusedError("POSITION_MUST_NOT_EXCEED_LIMIT", most, abs(after))
        if after < 0 and not self.account.shorting:
            raise RefusedError("SHORT_MUST_BE_ALLOWED", max(self.position, 0), abs(signed))
        gate, account, number = self.engine.gate, self.account.number, self.instrument.number
        bounds = (self.leverage, gate.of_account(account, GROSS), gate.of_instrument(account, number, GROSS))
        if all(bound is None for bound in bounds):
            return
        equity, gross, worth = self.after(signed)
        if gross <= self.worth()[1]:
            return
        if self.leverage is not None:
            check_leverage(gross, equity, self.leverage)
        check_gross(gate, account, number, worth, gross)
