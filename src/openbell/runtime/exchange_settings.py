"""What `openbell exchange` is told by its TOML file: what is traded, by whom, with which keys, at what fees, within what limits.

Instruments, accounts, fees and limits become the first records of the journal and are kept beside it in `exchange.toml`; an
exchange that goes on must be given the same. Keys, addresses and bounds of sessions may change from run to run.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from openbell.gateway.keys import NAME, ApiKey
from openbell.gateway.listing import Listing
from openbell.gateway.session import SessionLimits
from openbell.kernel.live_node import Commands
from openbell.model.errors import ConfigError, InputError
from openbell.model.instrument import Instrument
from openbell.model.quantities import Money, exact_decimal
from openbell.runtime.exchange_market_rules import MarketRules, add_market_rules
from openbell.venue.models import fraction

Amount = str | int | float
DurabilityName = Literal["strict", "batch", "interval", "os", "none"]
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_NANO = 2**63 - 1
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class _Table(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    pass


class ServerTable(_Table, frozen=True, kw_only=True):
    """Where it listens. Without a certificate on loopback only, for keys would travel in the clear."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8700
    certificate: str | None = None
    private_key: str | None = None


class InstrumentTable(MarketRules, frozen=True, kw_only=True):
    """What is traded, in which units, by which rules."""

    symbol: str
    currency: str = "USD"
    tick: Amount = "0.01"
    lot: Amount = 1
    multiplier: Amount = 1
    negative_prices: bool = False


class AccountTable(_Table, frozen=True, kw_only=True):
    """Who trades, and with how much."""

    name: str
    currency: str = "USD"
    cash: Amount = 0
    shorting: bool = False


class KeyTable(_Table, frozen=True, kw_only=True):
    """What opens an account; `openbell exchange --new-key NAME` makes one."""

    name: str
    account: str
    sha256: str
    operator: bool = False


class FeesTable(_Table, frozen=True, kw_only=True):
    """What fills cost: rates of notional, and a flat part per fill."""

    maker: Amount = 0
    taker: Amount = 0
    flat: Amount = 0


class LimitTable(_Table, frozen=True, kw_only=True):
    """Limits of an account (without one: of every account) in an instrument (without one: in all)."""

    account: str | None = None
    instrument: str | None = None
    order_quantity: Amount | None = None
    order_notional: Amount | None = None
    price_band: Amount | None = None
    open_orders: int | None = None
    position: Amount | None = None
    leverage: Amount | None = None
    gross_exposure: Amount | None = None


class SessionsTable(_Table, frozen=True, kw_only=True):
    """Bounds of connections; see `openbell.gateway.session.SessionLimits`."""

    messages_per_second: Annotated[int, msgspec.Meta(ge=1)] = 2_000
    frame_bytes: Annotated[int, msgspec.Meta(ge=1_024, le=1_048_576)] = 65_536
    private_messages: Annotated[int, msgspec.Meta(ge=100)] = 10_000
    sessions_per_account: Annotated[int, msgspec.Meta(ge=1)] = 16
    login_seconds: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    heartbeat_seconds: Annotated[float, msgspec.Meta(gt=0)] = 15.0


_QUANTITIES = ("order_quantity", "position")
_MONEY = ("order_notional", "gross_exposure")
_RATIOS = ("price_band", "leverage")
_KINDS = {
    "order_quantity": 1,
    "order_notional": 2,
    "price_band": 3,
    "open_orders": 4,
    "position": 5,
    "leverage": 6,
    "gross_exposure": 7,
}
"""Numbers of limits; see `Node.set_risk_limit`."""


class RiskLimit(msgspec.Struct, frozen=True):
    """A limit in the engine's numbers."""

    account: int
    instrument: int
    kind: int
    value: int


class JournalTable(_Table, frozen=True, kw_only=True):
    """How the journal is kept. `signing_key` names the file of a key; `segment_bytes` counts for a new journal only."""

    signing_key: str | None = None
    segment_bytes: Annotated[int, msgspec.Meta(ge=65_536, le=2**32)] = 64 << 20


class SnapshotsTable(_Table, frozen=True, kw_only=True):
    """When the state is saved: after so many seconds, records or bytes of records, whichever comes first.

    A state of at most `inline_bytes` is saved by the exchange itself, a larger one by a process beside it.
    """

    seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    records: Annotated[int, msgspec.Meta(ge=1)] = 4_000_000
    bytes: Annotated[int, msgspec.Meta(ge=1)] = 512 << 20
    inline_bytes: Annotated[int, msgspec.Meta(ge=0, le=1 << 30)] = 0


class RetentionTable(_Table, frozen=True, kw_only=True):
    """What of the journal is kept though nobody needs it: segments up to so many bytes in all, and up to so old.

    A segment beyond one of the two goes. Without either everything is kept.
    """

    keep_bytes: Annotated[int, msgspec.Meta(ge=0)] | None = None
    keep_seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None


class ExchangeSettings(_Table, frozen=True, kw_only=True):
    """The whole file.

    `processor` is the number of the one that the engine's thread runs on; nothing leaves that to the system.
    """

    instruments: Annotated[tuple[InstrumentTable, ...], msgspec.Meta(min_length=1)]
    accounts: Annotated[tuple[AccountTable, ...], msgspec.Meta(min_length=1)]
    keys: tuple[KeyTable, ...] = ()
    fees: FeesTable = FeesTable()
    limits: tuple[LimitTable, ...] = ()
    directory: str = "exchange"
    durability: DurabilityName = "batch"
    processor: Annotated[int, msgspec.Meta(ge=0)] | None = None
    server: ServerTable = ServerTable()
    sessions: SessionsTable = SessionsTable()
    journal: JournalTable = JournalTable()
    snapshots: SnapshotsTable = SnapshotsTable()
    retention: RetentionTable = RetentionTable()

    # -- in the words of the engine

    def instrument_list(self) -> tuple[Instrument, ...]:
        """The instruments. Raises ConfigError for what cannot be one."""
        return tuple(_instrument(one) for one in self.instruments)

    def listing(self) -> Listing:
        """Instruments and accounts by number."""
        return Listing(self.instrument_list(), [(one.name, one.currency) for one in self.accounts])

    def currencies(self) -> tuple[str, ...]:
        """Every currency, in the order in which they are numbered from 1."""
        traded = (one.currency for one in self.instruments)
        held = (one.currency for one in self.accounts)
        return tuple(dict.fromkeys((*traded, *held)))

    def api_keys(self) -> tuple[ApiKey, ...]:
        """The keys, each with the number of its account."""
        numbers = {one.name: number for number, one in enumerate(self.accounts, start=1)}
        return tuple(ApiKey(key.name, numbers[key.account], key.sha256, key.operator) for key in self.keys)

    def session_limits(self) -> SessionLimits:
        """Bounds of connections."""
        return SessionLimits(**msgspec.structs.asdict(self.sessions))

    def fee_schedule(self) -> tuple[int, int, int]:
        """Maker rate, taker rate (10^-9 of notional) and flat part (10^-9 of the currency)."""
        maker, taker = (
            _nano(f"fees.{name}", fraction(getattr(self.fees, name), f"fees.{name}"))
            for name in ("maker", "taker")
        )
        return maker, taker, _nano("fees.flat", _number("fees.flat", self.fees.flat))

    def cash_nano(self, account: AccountTable) -> int:
        """What an account begins with, in 10^-9 of its currency."""
        where = f"accounts.{account.name}.cash"
        cash = _nano(where, _number(where, account.cash))
        if cash < 0:
            raise ConfigError(f"{where} is {account.cash}; it must not be below zero")
        return cash

    def risk_limits(self) -> tuple[RiskLimit, ...]:
        """The limits in units."""
        listing = self.listing()
        accounts = {one.name: number for number, one in listing.accounts.items()}
        return tuple(
            RiskLimit(
                account=0 if table.account is None else accounts[table.account],
                instrument=0 if table.instrument is None else listing.by_symbol[table.instrument].number,
                kind=_KINDS[name],
                value=_limit_value(name, value, table, listing),
            )
            for table in self.limits
            for name in _KINDS
            if (value := getattr(table, name)) is not None
        )

    def add_market_rules(self, commands: Commands) -> None:
        """Append the commands that say how each instrument trades. Raises ConfigError naming the field."""
        accounts = {one.name: number for number, one in enumerate(self.accounts, start=1)}
        pairs = zip(self.instruments, self.instrument_list(), strict=True)
        for number, (table, instrument) in enumerate(pairs, start=1):
            add_market_rules(commands, number, instrument, table, accounts)

    def stage(self) -> dict[str, Any]:
        """What is in the journal and must stay the same, as plain tables."""
        whole: dict[str, Any] = msgspec.to_builtins(self)
        return {name: whole[name] for name in ("instruments", "accounts", "fees", "limits", "durability")}


def read_exchange_settings(path: Path) -> ExchangeSettings:
    """Read the TOML file of an exchange. Raises ConfigError naming the field that is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `openbell exchange --demo` needs none") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    try:
        return checked_settings(table)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def checked_settings(table: Mapping[str, Any]) -> ExchangeSettings:
    """Settings from plain tables, checked as a whole. Raises ConfigError."""
    try:
        settings = msgspec.convert(table, ExchangeSettings, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(str(error).replace("`$.", "`").replace(" - at ", " in ")) from None
    _check_names(settings)
    # Numbers are checked by being counted once.
    settings.instrument_list()
    settings.fee_schedule()
    settings.risk_limits()
    settings.add_market_rules(Commands())
    for account in settings.accounts:
        settings.cash_nano(account)
    return settings


def _check_names(settings: ExchangeSettings) -> None:
    _require_unique("instruments", "symbol", [one.symbol for one in settings.instruments])
    _require_unique("accounts", "name", [one.name for one in settings.accounts])
    _require_unique("keys", "name", [one.name for one in settings.keys])
    symbols = [one.symbol for one in settings.instruments]
    accounts = [one.name for one in settings.accounts]
    for key in settings.keys:
        if NAME.fullmatch(key.name) is None:
            raise ConfigError(f"keys: name {key.name!r} must be letters, digits, - and _, at most 64")
        if _SHA256.fullmatch(key.sha256) is None:
            raise ConfigError(f"keys.{key.name}: sha256 must be 64 hexadecimal digits; --new-key makes a key")
        _require_one_of(f"keys.{key.name}: account", key.account, accounts)
    for number, limit in enumerate(settings.limits, start=1):
        if limit.account is not None:
            _require_one_of(f"limits, table {number}: account", limit.account, accounts)
        if limit.instrument is not None:
            _require_one_of(f"limits, table {number}: instrument", limit.instrument, symbols)
    server = settings.server
    if (server.certificate is None) != (server.private_key is None):
        raise ConfigError("server: certificate and private_key belong together")
    if server.host not in _LOOPBACK and server.certificate is None:
        raise ConfigError(
            f"server: listening on {server.host} without certificate and private_key would send keys in the clear; "
            f"give both, or listen on {_LOOPBACK[0]}"
        )


def _require_unique(where: str, field: str, names: Sequence[str]) -> None:
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise ConfigError(f"{where}: {field} {twice!r} is there twice")


def _require_one_of(where: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise ConfigError(f"{where} {name!r} is not known, expected one of {', '.join(known)}")


def _instrument(table: InstrumentTable) -> Instrument:
    try:
        return Instrument(
            table.symbol,
            table.currency,
            tick=str(table.tick),
            lot=str(table.lot),
            multiplier=str(table.multiplier),
            negative_prices=table.negative_prices,
        )
    except InputError as error:
        raise ConfigError(f"instruments.{table.symbol}: {error}") from None


def _limit_value(name: str, value: Any, table: LimitTable, listing: Listing) -> int:
    where = f"limits: {name}"
    if name == "open_orders":
        return int(value)
    number = _number(where, value)
    if name in _QUANTITIES:
        if table.instrument is None:
            raise ConfigError(f"{where} needs an instrument, whose units it counts")
        try:
            return listing.by_symbol[table.instrument].instrument.quantity_units(number)
        except InputError as error:
            raise ConfigError(f"{where}: {error}") from None
    return _nano(where, fraction(value, where) if name in _RATIOS else number)


def _number(where: str, value: Amount) -> Decimal:
    try:
        return exact_decimal(value)
    except InputError as error:
        raise ConfigError(f"{where}: {error}") from None


def _nano(where: str, value: Decimal) -> int:
    nano = Money(value, "X").nano
    if abs(nano) > _MOST_NANO:
        raise ConfigError(f"{where} is {value}; at most {_MOST_NANO} times 10^-9 can be counted")
    return nano
