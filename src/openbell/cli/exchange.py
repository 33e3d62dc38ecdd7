"""`openbell exchange`: an exchange on this machine that clients trade at over WebSocket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from openbell.cli.options import COMMON, CommonOptions
from openbell.model.errors import ConfigError

if TYPE_CHECKING:
    from openbell.runtime.exchange import Ending, Listening
    from openbell.runtime.exchange_settings import ExchangeSettings


def exchange(
    *,
    config: Annotated[
        Path | None, Parameter(name=["--config", "-c"], help="TOML file with instruments, accounts and keys.")
    ] = None,
    demo: Annotated[
        bool, Parameter(negative=(), help="Two instruments, two accounts and new keys, without a file.")
    ] = False,
    directory: Annotated[
        Path | None, Parameter(help="Where the journal is; an exchange that is there goes on.")
    ] = None,
    host: Annotated[str | None, Parameter(help="Address to listen on.")] = None,
    port: Annotated[int | None, Parameter(help="Port to listen on; 0 takes a free one.")] = None,
    durability: Annotated[
        Literal["strict", "batch", "interval", "os", "none"] | None,
        Parameter(help="What an acknowledgment promises; batch: it is synced to disk."),
    ] = None,
    signing_key: Annotated[
        Path | None,
        Parameter(
            help="File of the Ed25519 key that signs sealed history; openbell journal new-key makes one."
        ),
    ] = None,
    accept_clock: Annotated[
        bool,
        Parameter(negative=(), help="Start though the clock is behind the last record or far ahead of it."),
    ] = False,
    accept_any_file_system: Annotated[
        bool,
        Parameter(negative=(), help="Start also on a network or in memory, where a sync promises nothing."),
    ] = False,
    new_key: Annotated[
        str | None, Parameter(help="Make a key of this name, print it and the line for the file, and end.")
    ] = None,
    options: CommonOptions = COMMON,
) -> None:
    """Run an exchange until SIGINT or SIGTERM: WebSocket at /ws, health at /health.

    What it acknowledges is in its journal first; started again on the same directory it goes on where it was.
    """
    if new_key is not None:
        _make_key(new_key, options)
        return
    from openbell.runtime.exchange import run_exchange
    from openbell.runtime.exchange_directory import Accepted

    settings, keys = _settings(config, demo)
    settings = _told(settings, host, port, durability, signing_key)
    folder = directory or Path(settings.directory)
    accept = Accepted(accept_clock, accept_any_file_system)
    ending = run_exchange(settings, folder, lambda started: _show_start(started, keys, options), accept)
    _show_end(ending, options)


def _settings(config: Path | None, demo: bool) -> tuple[ExchangeSettings, dict[str, str]]:
    if demo == (config is not None):
        raise ConfigError("openbell exchange needs --config FILE or --demo, one of them")
    if config is not None:
        from openbell.runtime.exchange_settings import read_exchange_settings

        return read_exchange_settings(config), {}
    from openbell.runtime.exchange_demo import demo_settings

    return demo_settings()


def _told(
    settings: ExchangeSettings,
    host: str | None,
    port: int | None,
    durability: str | None,
    signing_key: Path | None,
) -> ExchangeSettings:
    """The settings with what the command line says instead, checked again."""
    import msgspec

    from openbell.runtime.exchange_settings import checked_settings

    table = msgspec.to_builtins(settings)
    server = {"host": host, "port": port}
    table["server"] |= {name: value for name, value in server.items() if value is not None}
    table["durability"] = durability or settings.durability
    if signing_key is not None:
        table["journal"]["signing_key"] = str(signing_key)
    return checked_settings(table)


def _make_key(name: str, options: CommonOptions) -> None:
    from openbell.cli.terminal import console, print_json
    from openbell.gateway.keys import NAME, new_key

    if NAME.fullmatch(name) is None:
        raise ConfigError(f"--new-key {name!r}: a name has letters, digits, - and _, at most 64")
    key, sha256 = new_key(name)
    if options.json:
        print_json({"name": name, "key": key, "sha256": sha256})
        return
    console().print(f"The key, for its owner; it is not kept anywhere:\n  {key}\n", soft_wrap=True)
    lines = ["[[keys]]", f'name = "{name}"', f'account = "{name}"', f'sha256 = "{sha256}"']
    console().print("For the exchange's file:\n  " + "\n  ".join(lines), soft_wrap=True, markup=False)


def _tell(what: dict[str, object]) -> None:
    """One line of JSON, in one write even where Python does not buffer: whoever reads never finds half of one."""
    print(json.dumps(what) + "\n", end="", flush=True)


def _show_start(started: Listening, keys: dict[str, str], options: CommonOptions) -> None:
    if options.json:
        told = {
            "event": "listening",
            "url": started.url,
            "directory": str(started.directory),
            "durability": started.durability,
            "sequence": started.sequence,
            "restart_seconds": round(started.restart_seconds, 3),
            "keys": keys,
        }
        _tell(told)
        return
    from openbell.cli.terminal import console

    show = console().print
    show(f"[bold green]Listening[/] at {started.url}", soft_wrap=True)
    show(f"  journal    {started.directory}/journal, durability {started.durability}", soft_wrap=True)
    show(f"  sequence   {started.sequence}, reached in {started.restart_seconds:.2f} s")
    show(f"  health     {started.url.replace('ws', 'http', 1).removesuffix('/ws')}/health", soft_wrap=True)
    for account, key in keys.items():
        show(f"  key        {key}  [dim](account {account}, until the next start)[/]", soft_wrap=True)
    show("Try it: examples/exchange/two_clients.py; the protocol is in docs/protocol.md. Ctrl-C stops it.")


def _show_end(ending: Ending, options: CommonOptions) -> None:
    if options.json:
        told = {"event": "ended", "sequence": ending.sequence, "state_hash": ending.state_hash}
        _tell(told)
        return
    from openbell.cli.terminal import console

    console().print(f"Stopped after sequence {ending.sequence}, state {ending.state_hash or 'not hashed'}.")
