"""How an exchange's instruments trade: policy, session, bands, ticks and sizes, from its file to commands."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from openbell.kernel.live_node import Commands
from openbell.model.errors import ConfigError, InputError
from openbell.model.instrument import Instrument
from openbell.model.terms import TradingSession
from openbell.venue.models import fraction

Amount = str | int | float
SessionName = Literal[
    "PRE_OPEN",
    "OPENING_AUCTION",
    "CONTINUOUS",
    "VOLATILITY_AUCTION",
    "HALTED",
    "CLOSING_AUCTION",
    "CLOSED",
]
PolicyName = Literal["PRICE_TIME", "PRO_RATA", "PRICE_SIZE_TIME", "ALLOCATION"]
_KINDS = {"PRICE_TIME": 1, "PRO_RATA": 2, "ALLOCATION": 2, "PRICE_SIZE_TIME": 3}
_NANO, _MILLION = 10**9, 10**6
MOST_LEADS = 5


class _Table(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    pass


class TopTable(_Table, frozen=True, kw_only=True):
    """Priority of the order that bettered the market: from which size on, and at most how much it gets of one order."""

    minimum: Amount | None = None
    maximum: Amount | None = None
    share: Amount = 1


class PolicyTable(_Table, frozen=True, kw_only=True):
    """How a level is shared among its orders; the steps are CME's, see docs/venue.md."""

    name: PolicyName
    minimum: Amount | None = None
    by_time: Amount = 0
    leveling: bool = False
    top: TopTable | None = None
    lead: dict[str, Amount] | None = None


class BandsTable(_Table, frozen=True, kw_only=True):
    """Widths as shares of the reference price and in its currency, of which the wider holds, and what a breach starts for how
    long (0: until a command ends it).
    """

    static: Amount = 0
    dynamic: Amount = 0
    static_amount: Amount = 0
    dynamic_amount: Amount = 0
    on_breach: Literal["VOLATILITY_AUCTION", "HALTED"] = "VOLATILITY_AUCTION"
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0


class MarketRules(_Table, frozen=True, kw_only=True):
    """What the file of an exchange says of an instrument beside its units."""

    policy: PolicyName | PolicyTable | None = None
    session: SessionName | None = None
    reference_price: Amount | None = None
    bands: BandsTable | None = None
    ticks: tuple[tuple[Amount, Amount], ...] | None = None
    minimum_quantity: Amount | None = None
    maximum_quantity: Amount | None = None
    by_order: bool | None = None


def add_market_rules(
    commands: Commands, number: int, instrument: Instrument, rules: MarketRules, accounts: Mapping[str, int]
) -> None:
    """Append the commands that set `rules` for the instrument with `number`. Raises ConfigError naming the field."""
    where = f"instruments.{instrument.symbol}"
    _add_policy(commands, number, instrument, rules, accounts, where)
    if rules.reference_price is not None:
        price = _units(f"{where}.reference_price", rules.reference_price, instrument, "price")
        commands.set_reference_price(number, price, is_known=True)
    if rules.bands is not None:
        _require_absolute_widths(f"{where}.bands", rules.bands, instrument)
        commands.set_price_bands(
            number,
            static_width=_share(f"{where}.bands.static", rules.bands.static, _NANO),
            dynamic_width=_share(f"{where}.bands.dynamic", rules.bands.dynamic, _NANO),
            static_units=_width(f"{where}.bands.static_amount", rules.bands.static_amount, instrument),
            dynamic_units=_width(f"{where}.bands.dynamic_amount", rules.bands.dynamic_amount, instrument),
            on_breach=TradingSession[rules.bands.on_breach],
            duration_ns=int(Decimal(str(rules.bands.seconds)) * _NANO),
        )
    for row, (from_price, tick) in enumerate(rules.ticks or (), start=1):
        at = f"{where}.ticks, row {row}"
        prices = [_units(at, value, instrument, "price") for value in (from_price, tick)]
        if prices[1] <= 0:
            raise ConfigError(f"{at}: tick {tick} must be above zero")
        commands.set_tick_size(number, *prices)
    sizes = [
        0 if value is None else _units(f"{where}.{name}", value, instrument, "quantity")
        for name, value in (
            ("minimum_quantity", rules.minimum_quantity),
            ("maximum_quantity", rules.maximum_quantity),
        )
    ]
    if any(sizes):
        commands.set_order_sizes(number, minimum=sizes[0], maximum=sizes[1])
    if rules.by_order:
        commands.set_market_data(number, True)
    if rules.session is not None:
        commands.change_trading_session(number, TradingSession[rules.session])


def _add_policy(
    commands: Commands,
    number: int,
    instrument: Instrument,
    rules: MarketRules,
    accounts: Mapping[str, int],
    where: str,
) -> None:
    if rules.policy is None:
        return
    policy = PolicyTable(name=rules.policy) if isinstance(rules.policy, str) else rules.policy
    where = f"{where}.policy"
    least = 0
    if policy.minimum is not None:
        least = _units(f"{where}.minimum", policy.minimum, instrument, "quantity")
    elif policy.name == "PRO_RATA":
        least = 1
    lead = [
        (_account(f"{where}.lead", name, accounts), _share(f"{where}.lead.{name}", share, _MILLION))
        for name, share in (policy.lead or {}).items()
    ]
    if len(lead) > MOST_LEADS:
        raise ConfigError(f"{where}.lead names {len(lead)} accounts; at most {MOST_LEADS} can lead")
    commands.set_matching_policy(
        number,
        _KINDS[policy.name],
        minimum=least,
        by_time=_share(f"{where}.by_time", policy.by_time, _MILLION),
        leveling=policy.leveling,
        top=None if policy.top is None else _top(f"{where}.top", policy.top, instrument),
        lead=lead,
    )


def _top(where: str, top: TopTable, instrument: Instrument) -> tuple[int, int, int]:
    least = 1 if top.minimum is None else _units(f"{where}.minimum", top.minimum, instrument, "quantity")
    most = (
        2**63 - 1 if top.maximum is None else _units(f"{where}.maximum", top.maximum, instrument, "quantity")
    )
    return least, most, _share(f"{where}.share", top.share, _MILLION)


def _account(where: str, name: str, accounts: Mapping[str, int]) -> int:
    if name not in accounts:
        raise ConfigError(f"{where} {name!r} is not known, expected one of {', '.join(accounts)}")
    return accounts[name]


def _units(where: str, value: Amount, instrument: Instrument, kind: Literal["price", "quantity"]) -> int:
    try:
        units = (
            instrument.price_units(str(value)) if kind == "price" else instrument.quantity_units(str(value))
        )
    except InputError as error:
        raise ConfigError(f"{where}: {error}") from None
    may_be = instrument.negative_prices and kind == "price"
    if units < 0 and not may_be:
        raise ConfigError(f"{where} is {value}; it must not be below zero")
    return units


def _width(where: str, value: Amount, instrument: Instrument) -> int:
    units = _units(where, value, instrument, "price")
    if units < 0:
        raise ConfigError(f"{where} is {value}; it must not be below zero")
    return units


def _require_absolute_widths(where: str, bands: BandsTable, instrument: Instrument) -> None:
    """Near a price of zero a share of it is nothing."""
    widths = (("static", bands.static, bands.static_amount), ("dynamic", bands.dynamic, bands.dynamic_amount))
    for name, share, amount in widths:
        if instrument.negative_prices and share and not amount:
            raise ConfigError(
                f"{where}.{name} is a share of a price that may be zero; give {name}_amount too"
            )


def _share(where: str, value: Amount, whole: int) -> int:
    share = fraction(value, where) * whole
    if not 0 <= share <= whole or share != int(share):
        raise ConfigError(f"{where} is {value}; a share lies between 0 and 1, in steps of 1/{whole}")
    return int(share)
