"""Fields of records in the words of people: prices in the instrument's decimals, money with its currency, times as ISO 8601."""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from openbell.journal.names import Names
from openbell.journal.record_fields import Fields, Record, message_names
from openbell.messages.layouts import CLEAR, MAKER, REPEATED, SELL, SNAPSHOT, rule_names
from openbell.messages.refusal_figures import MONEY, figure_text
from openbell.model.quantities import EXACT, NANO
from openbell.model.terms import (
    Liquidity,
    OrderState,
    OrderType,
    Peg,
    RiskState,
    SelfTradeAction,
    Side,
    TimeInForce,
    TradingSession,
    TrailBy,
    TriggerBy,
)
from openbell.model.time import duration, iso

UNITS, PERCENT, TARGET_PERCENT, CLOSE_POSITION = 0, 1, 2, 3
SIZINGS = {
    UNITS: "UNITS",
    PERCENT: "PERCENT",
    TARGET_PERCENT: "TARGET_PERCENT",
    CLOSE_POSITION: "CLOSE_POSITION",
}
"""How the quantity of an order is meant; see crates/kernel/src/terms.rs."""

LIFTED = 2**63 - 1
"""The value that lifts a limit."""

LIMITS = {
    1: ("MAX_ORDER_QUANTITY", "quantity"),
    2: ("MAX_ORDER_NOTIONAL", "money"),
    3: ("PRICE_BAND", "share"),
    4: ("MAX_OPEN_ORDERS", "count"),
    5: ("MAX_POSITION", "quantity"),
    6: ("MAX_LEVERAGE", "ratio"),
    7: ("MAX_GROSS_EXPOSURE", "money"),
}
"""Name and unit of each kind of limit; see crates/kernel/src/risk/limits.rs."""

_PRICES = (
    *("price", "stop_price", "open", "high", "low", "close", "bid_price", "ask_price", "last_price", "tick"),
    *("reference_price", "uncross_price", "from_price", "bound", "limit_offset", "peg_offset"),
)
_QUANTITIES = (
    *("quantity", "bid_quantity", "ask_quantity", "last_quantity", "leaves_quantity", "cumulative_quantity"),
    *("display_quantity", "minimum_quantity", "volume", "lot", "imbalance"),
)
_MONEY = ("amount_nano", "fee_nano", "realized_nano", "flat_nano", "change_nano", "cost", "cash")
_SHARES = (
    *("maker_rate", "taker_rate", "slippage", "volume_share", "offset_nano"),
    *("static_width", "dynamic_width"),
)
_DECIMALS = ("price_unit_nano", "quantity_unit_nano", "multiplier_nano")
_TIMES = (
    "first_time",
    "last_time",
    "open_time",
    "close_time",
    "expire_time",
    "due_time",
    "session_end",
    "until",
)
_FIGURES = ("limit", "actual")
_TRUTHS = ("shorting", "external", "fee_known")
_WANTS = ((1, "bars"), (2, "quotes"), (4, "trades"), (8, "books"), (16, "signals"))
_OPTIONS = (
    *((1, "POST_ONLY"), (2, "REDUCE_ONLY"), (4, "HIDDEN"), (8, "ALL_OR_NONE"), (16, "SLIDE")),
    (1 << 15, "CANCEL_ON_DISCONNECT"),
)
"""See crates/kernel/src/terms.rs."""

_ZEROS = ((1, "PRICE"), (2, "STOP_PRICE"))
"""Prices of 0 that are meant; see crates/kernel/src/command.rs."""

_VENUES = {1: "MATCHING", 2: "SIMULATED", 3: "REMOTE"}
_REQUESTS = {1: "SUBMIT", 2: "REPLACE", 3: "CANCEL", 4: "QUERY"}
_INDICATORS = {1: "SMA", 2: "EMA"}
_FLAGS = ((SNAPSHOT, "SNAPSHOT"), (CLEAR, "CLEAR"), (MAKER, "MAKER"), (REPEATED, "REPEATED"))
_OF_CLIENT_SESSIONS = ("MassCancel", "OrdersMassCanceled")
"""Their `session` is a number of an account's, that of others a session of an instrument's trading."""

_SIDED = {
    "TradeObserved": ("aggressor=SELL", "aggressor=BUY"),
    "BookLevelObserved": ("side=ASK", "side=BID"),
    "BookLevelChanged": ("side=ASK", "side=BID"),
    "OrderFilled": ("side=SELL", "side=BUY"),
    "TradeExecuted": ("aggressor=SELL", "aggressor=BUY"),
    "BookOrderAdded": ("side=SELL", "side=BUY"),
    "BookOrderChanged": ("side=SELL", "side=BUY"),
    "BookOrderRemoved": ("side=SELL", "side=BUY"),
}


def rule_name(number: int) -> str:
    """Name of a rule; empty for 0, where there is none."""
    return rule_names().get(number, f"rule {number}") if number else ""


def trimmed(number: Decimal) -> str:
    """A decimal without trailing zeros and without an exponent."""
    text = f"{number.normalize(EXACT):f}"
    return "0" if text in ("-0", "") else text


def share_text(nano: int) -> str:
    """A share given in 10^-9, in percent."""
    return f"{trimmed(EXACT.multiply(Decimal(nano), Decimal('1e-7')))}%"


class Wording:
    """Says numbers in words by what `names` knows: an instrument's prices in its decimals, money in its currency."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def price(self, units: int, instrument: int) -> str:
        """A price with as many decimals as the tick has; in units where the instrument is not known."""
        known = self.names.instruments.get(instrument)
        if known is None:
            return str(units)
        decimals = max(-int(known.tick.normalize(EXACT).as_tuple().exponent), 0)
        price = known.price(units)
        finest = max(-int(price.normalize(EXACT).as_tuple().exponent), 0)
        return f"{price:.{max(decimals, finest)}f}"

    def quantity(self, units: int, instrument: int) -> str:
        """A quantity; in units where the instrument is not known."""
        known = self.names.instruments.get(instrument)
        return str(units) if known is None else trimmed(known.quantity(units))

    def money(self, nano: int, currency: str) -> str:
        """An amount of 10^-9 with at least two decimals, and its currency."""
        amount = EXACT.multiply(Decimal(nano), NANO).normalize(EXACT)
        decimals = max(-int(amount.as_tuple().exponent), 2)
        return f"{amount:.{decimals}f} {currency}".rstrip()

    def in_unit(self, value: int, unit: str, instrument: int, account: int) -> str:
        """A limit in the unit that LIMITS names."""
        if unit == "quantity":
            return self.quantity(value, instrument)
        if unit == "money":
            return self.money(value, self.currency_of(instrument, account))
        if unit == "share":
            return share_text(value)
        return trimmed(EXACT.multiply(Decimal(value), NANO)) if unit == "ratio" else str(value)

    def currency_of(self, instrument: int, account: int) -> str:
        """The currency in which amounts about an instrument and an account are."""
        known = self.names.instruments.get(instrument)
        return known.currency if known is not None else self.names.account_currency(account)

    def limit_value(self, kind: int, value: int, instrument: int, account: int) -> str:
        """The value of a limit of one kind."""
        if value == LIFTED:
            return "lifted"
        unit = LIMITS[kind][1] if kind in LIMITS else "number"
        return self.in_unit(value, unit, instrument, account)

    def fields(self, record: Record) -> dict[str, str]:
        """Every field of a record that says something, in words, by its name."""
        said = {}
        raw = record.fields
        for name, value in raw.items():
            text = self._field(record, raw, name, value)
            if text:
                said[name] = text
        if record.message in _SIDED:
            name, _, text = _SIDED[record.message][0 if record.flags & SELL else 1].partition("=")
            said = {name: text, **said}
        marks = "|".join(text for bit, text in _FLAGS if record.flags & bit)
        return said | ({"flags": marks} if marks else {})

    def head(self, record: Record) -> dict[str, str]:
        """Whom and what a record is about: instrument, account, source; those that are 0 left out."""
        return {
            **({"instrument": self.names.symbol(record.instrument)} if record.instrument else {}),
            **({"account": str(record.account)} if record.account else {}),
            **({"source": str(record.source)} if record.source else {}),
        }

    def line(self, record: Record) -> str:
        """A record on one line: its message, whom it is about, then its fields."""
        parts = {**self.head(record), **self.fields(record)}
        return " ".join([record.message, *(f"{name}={_quoted(text)}" for name, text in parts.items())])

    def _field(self, record: Record, raw: Fields, name: str, value: Any) -> str:
        if name == "terms":
            return _terms(value)
        if isinstance(value, dict | list):
            return _nested(value)
        if not isinstance(value, int):
            return str(value) if value else ""
        if not value and not (name in _FIGURES and raw.get("rule") and any(raw.get(of) for of in _FIGURES)):
            return ""
        special = _SPECIAL.get(name)
        if special is not None:
            return special(self, record, raw, value)
        return self._by_unit(record, raw, name, value)

    def _by_unit(self, record: Record, raw: Fields, name: str, value: int) -> str:
        if name in _PRICES:
            return self.price(value, self.names.instrument_of(record))
        if name in _QUANTITIES:
            return (
                self._sized(record, raw, value)
                if name == "quantity"
                else self.quantity(value, record.instrument)
            )
        if name in _MONEY:
            return self.money(value, self._currency(record, raw))
        if name in _SHARES:
            return share_text(value)
        if name in _DECIMALS:
            return trimmed(EXACT.multiply(Decimal(value), NANO))
        if name in _TIMES or name.endswith("_time"):
            return iso(value)
        if name.endswith("_ns"):
            return duration(value)
        return "yes" if name in _TRUTHS else str(value)

    def _sized(self, record: Record, raw: Fields, value: int) -> str:
        terms = raw.get("terms")
        sizing = terms["sizing"] if isinstance(terms, dict) else UNITS
        if sizing in (PERCENT, TARGET_PERCENT):
            return share_text(value)
        return self.quantity(value, self.names.instrument_of(record))

    def _currency(self, record: Record, raw: Fields) -> str:
        number = raw.get("currency")
        if isinstance(number, int) and number:
            return self.names.currencies.get(number, "")
        return self.currency_of(record.instrument, record.account)

    def _currency_code(self, record: Record, _: Fields, value: int) -> str:
        if record.message == "DefineCurrency":
            return str(value)
        return self.names.currencies.get(value, str(value))

    def _rule_figure(self, record: Record, raw: Fields, value: int) -> str:
        rule = rule_name(raw.get("rule", 0))
        instrument = self.names.instruments.get(self.names.instrument_of(record))
        if instrument is not None:
            return figure_text(rule, value, instrument)
        return self.money(value, self._currency(record, raw)) if rule.startswith(MONEY) else str(value)

    def _limit(self, record: Record, raw: Fields, value: int) -> str:
        if "rule" in raw:
            return self._rule_figure(record, raw, value)
        return LIMITS[value][0] if value in LIMITS else str(value)

    def _value(self, record: Record, raw: Fields, value: int) -> str:
        return self.limit_value(raw.get("limit", 0), value, record.instrument, record.account)

    def _trail(self, record: Record, raw: Fields, value: int) -> str:
        if raw.get("trail_by") == TrailBy.PERCENT:
            return share_text(value)
        return self.price(value, self.names.instrument_of(record))

    def _session(self, record: Record, _: Fields, value: int) -> str:
        if record.message in _OF_CLIENT_SESSIONS:
            return str(value)
        of_risk = record.message == "RiskStateChanged"
        return _named(RiskState if of_risk else TradingSession, value)

    def _kind(self, record: Record, _: Fields, value: int) -> str:
        names = _VENUES if record.message == "ConfigureVenue" else _INDICATORS
        return names.get(value, str(value))


Special = Callable[[Wording, Record, Fields, int], str]

_SPECIAL: dict[str, Special] = {
    "currency": Wording._currency_code,
    "rule": lambda _, __, ___, value: rule_name(value),
    "limit": Wording._limit,
    "actual": Wording._rule_figure,
    "value": Wording._value,
    "kind": Wording._kind,
    "state": lambda _, __, ___, value: _named(OrderState, value),
    "liquidity": lambda _, __, ___, value: _named(Liquidity, value),
    "request": lambda _, __, ___, value: _REQUESTS.get(value, str(value)),
    "command": lambda _, __, ___, value: message_names().get(value, str(value)),
    "observation": lambda _, __, ___, value: message_names().get(value, str(value)),
    "session": Wording._session,
    "side": lambda _, __, ___, value: _named(Side, value),
    "trail": Wording._trail,
    "trail_by": lambda _, __, ___, value: _named(TrailBy, value),
    "peg": lambda _, __, ___, value: _named(Peg, value),
    "trigger_by": lambda _, __, ___, value: _named(TriggerBy, value),
    "self_trade": lambda _, __, ___, value: _named(SelfTradeAction, value),
    "zeros": lambda _, __, ___, value: _bits(_ZEROS, value),
    "before": Wording._session,
    "after": Wording._session,
    "on_breach": Wording._session,
    "wants": lambda _, __, ___, value: _bits(_WANTS, value),
    "value_bits": lambda _, __, ___, value: repr(struct.unpack("<d", struct.pack("<Q", value))[0]),
}


def _terms(terms: Fields) -> str:
    if not terms.get("side"):
        return ""
    said = [
        _named(Side, terms["side"]),
        _named(OrderType, terms["order_type"]),
        _named(TimeInForce, terms["time_in_force"]),
        SIZINGS.get(terms["sizing"], str(terms["sizing"])) if terms["sizing"] else "",
        _bits(_OPTIONS, terms["options"]),
    ]
    return " ".join(part for part in said if part)


def _named(enumeration: Any, number: int) -> str:
    return next((one.name for one in enumeration if one == number), str(number))


def _bits(names: tuple[tuple[int, str], ...], value: int) -> str:
    known = [text for bit, text in names if value & bit]
    rest = value & ~sum(bit for bit, _ in names)
    return "|".join([*known, *([str(rest)] if rest else [])])


def _nested(value: Any) -> str:
    if isinstance(value, dict):
        said = ((name, _nested(of)) for name, of in value.items())
        return "(" + " ".join(f"{name}={text}" for name, text in said if text) + ")"
    if isinstance(value, list):
        return "[" + ", ".join(_nested(of) for of in value) + "]" if any(value) else ""
    return str(value) if value else ""


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text and not text.startswith(("(", "[")) else text
