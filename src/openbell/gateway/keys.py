"""API keys: `name.secret`. Only the SHA-256 of the secret is kept.

A secret has 256 random bits, so nobody guesses it from a fast hash; a slow one would only let strangers keep the server busy.
The client sends the key itself and the hashes are compared in constant time. An HMAC of a nonce would keep the secret off the
wire, but then what the server stores would be enough to log in; TLS keeps it off the wire without that.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the exchange knows it: its name, the account it trades for, the SHA-256 of its secret in hexadecimal.

    One that `operates` may also change trading sessions.
    """

    name: str
    account: int
    sha256: str
    operates: bool = False


def new_key(name: str) -> tuple[str, str]:
    """Make a key. Returns it, to be given to its owner, and the hash to be kept."""
    secret = secrets.token_hex(32)
    return f"{name}.{secret}", hash_of(secret)


def hash_of(secret: str) -> str:
    """SHA-256 of a secret, in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def verify(key: str, known: Mapping[str, ApiKey]) -> ApiKey | None:
    """The key that `key` proves to be; None for a wrong one. Takes as long whether or not the name exists."""
    name, _, secret = key.partition(".")
    found = known.get(name)
    expected = found.sha256 if found is not None else _NOBODY
    matches = hmac.compare_digest(hash_of(secret), expected)
    return found if matches and secret else None
