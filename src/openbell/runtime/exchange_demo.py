"""An exchange for a first look: two instruments, two accounts, and keys that are made when it starts."""

from __future__ import annotations

from openbell.gateway.keys import new_key
from openbell.runtime.exchange_settings import ExchangeSettings, checked_settings


def demo_settings() -> tuple[ExchangeSettings, dict[str, str]]:
    """The settings, and the key of each account."""
    keys: dict[str, str] = {}
    tables = []
    for account in ("alice", "bob"):
        keys[account], sha256 = new_key(account)
        tables.append({"name": account, "account": account, "sha256": sha256})
    settings = checked_settings(
        {
            "instruments": [
                {"symbol": "ACME", "tick": "0.01", "lot": 1},
                {"symbol": "BTC-USD", "tick": "0.5", "lot": "0.0001"},
            ],
            "accounts": [
                {"name": account, "cash": 1_000_000, "shorting": True} for account in ("alice", "bob")
            ],
            "fees": {"maker": "0", "taker": "2bps"},
            "keys": tables,
        }
    )
    return settings, keys
