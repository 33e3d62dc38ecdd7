"""The directory of an exchange: its journal, and what stands in the first records of it.

| name | |
|---|---|
| journal/ | everything the engine was told |
| exchange.toml | instruments, accounts, fees and limits, as the journal's first records have them |

The journal is made in `journal.new` and renamed when its first records are durable: it is there whole or not at all, whenever the
machine stops.
"""

from __future__ import annotations

import secrets
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from openbell.gateway.past import Past, Standing
from openbell.kernel.live_node import Commands, LiveNode, RestartedNode
from openbell.model.errors import ConfigError, OpenbellError
from openbell.runtime.durable_file import sync_folder, write_text
from openbell.runtime.exchange_settings import ExchangeSettings
from openbell.runtime.history import History
from openbell.runtime.seal_keys import read_seal_key
from openbell.runtime.toml_text import toml_text
from openbell.runtime.versions import versions

JOURNAL, NEW_JOURNAL, STAGE = "journal", "journal.new", "exchange.toml"
VENUE, MATCHING = 0, 1


@dataclass(frozen=True)
class Accepted:
    """What somebody answers for: the machine's clock as it stands, a file system on which a sync promises nothing."""

    clock: bool = False
    any_file_system: bool = False


@dataclass(frozen=True, slots=True)
class Restarted:
    """An exchange's node that has gone live, and what it knew before."""

    node: LiveNode
    past: Past
    standing: Standing


def restart(
    directory: Path,
    settings: ExchangeSettings,
    *,
    saves_inline: bool = False,
    accept: Accepted = Accepted(),
) -> Restarted:
    """Begin the exchange in an empty or missing directory, or go on with the one that is there.

    With `saves_inline` it saves its own state as the settings say. Raises ConfigError where another exchange is there or the
    signing key or the processor cannot be used, JournalError where its journal cannot be trusted, EngineStopped where
    a record in it stops the engine.
    """
    key = settings.journal.signing_key
    seal_key = None if key is None else read_seal_key(Path(key))
    if not (directory / JOURNAL).exists():
        _begin(directory, settings, seal_key, accept)
    _require_same_stage(directory, settings)
    one = settings.snapshots
    due = (one.inline_bytes, one.records, one.bytes, int(one.seconds * 1e9))
    past = Past(settings.session_limits().private_messages)
    restarted = RestartedNode(
        directory / JOURNAL,
        recent=past.recent,
        seal_key=seal_key,
        inline_snapshots=due if saves_inline else None,
        accept_any_file_system=accept.any_file_system,
    )
    past.begin = restarted.begin
    standing = Standing.of(restarted.node, settings.listing().accounts)
    node = restarted.go_live(accept_clock=accept.clock, processor=settings.processor)
    return Restarted(node, past, standing)


def exchange_history(directory: Path) -> History:
    """The journal of the exchange in `directory`."""
    return History(directory, directory / JOURNAL, "exchange")


def _begin(directory: Path, settings: ExchangeSettings, seal_key: bytes | None, accept: Accepted) -> None:
    new = directory / NEW_JOURNAL
    records = configuration(settings)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # What an earlier start left behind before it was acknowledged to anybody.
        shutil.rmtree(new, ignore_errors=True)
        _require_empty(directory)
        node = LiveNode.create(
            new,
            records,
            epoch=secrets.randbits(63) | 1,
            created_by=f"openbell exchange {versions()['openbell']}",
            durability=settings.durability,
            segment_bytes=settings.journal.segment_bytes,
            seal_key=seal_key,
            accept_any_file_system=accept.any_file_system,
            processor=settings.processor,
        )
        node.stop()
        write_text(directory / STAGE, toml_text(settings.stage()))
        new.rename(directory / JOURNAL)
        sync_folder(directory)
    except OSError as error:
        raise OpenbellError(f"cannot make {directory}: {error.strerror or error}") from error


def _require_empty(directory: Path) -> None:
    foreign = [path.name for path in directory.iterdir() if path.name not in (STAGE, f"{STAGE}.partial")]
    if foreign:
        raise ConfigError(f"{directory} is no directory of an exchange and not empty: it holds {foreign[0]}")


def _require_same_stage(directory: Path, settings: ExchangeSettings) -> None:
    path = directory / STAGE
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: what this exchange began with cannot be read: {error}") from None
    now = tomllib.loads(toml_text(settings.stage()))
    for name in dict.fromkeys((*table, *now)):
        if table.get(name) != now.get(name):
            raise ConfigError(
                f"{path}: this exchange began with other {name} than it is given now; they are in its journal and "
                "stay as they are. Give the same, or another --directory"
            )


def configuration(settings: ExchangeSettings) -> NDArray[np.uint8]:
    """The commands that set the stage, as records."""
    commands = Commands()
    currencies = {code: number for number, code in enumerate(settings.currencies(), start=1)}
    for code, number in currencies.items():
        commands.define_currency(number, code)
    commands.configure_venue(VENUE, MATCHING)
    for number, one in enumerate(settings.instrument_list(), start=1):
        commands.list_instrument(
            number,
            one.symbol,
            currency=currencies[one.currency],
            price_unit_nano=one.price_unit_nano,
            quantity_unit_nano=one.quantity_unit_nano,
            multiplier_nano=one.multiplier_nano,
            tick=one.tick_units,
            lot=one.lot_units,
            venue=VENUE,
            negative_prices=one.negative_prices,
        )
    maker, taker, flat = settings.fee_schedule()
    for number, account in enumerate(settings.accounts, start=1):
        currency = currencies[account.currency]
        commands.open_account(number, currency, shorting=account.shorting)
        cash = settings.cash_nano(account)
        if cash:
            commands.deposit_cash(number, cash, currency)
    commands.set_fee_schedule(0, 0, maker_rate=maker, taker_rate=taker, flat_nano=flat)
    for limit in settings.risk_limits():
        commands.set_risk_limit(limit.account, limit.instrument, limit.kind, limit.value)
    settings.add_market_rules(commands)
    return commands.slots()
