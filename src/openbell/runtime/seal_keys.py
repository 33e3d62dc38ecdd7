"""Keys that sign the seals of a journal: Ed25519, in the files that OpenSSL writes and reads.

| file | form |
|---|---|
| private key | PEM of PKCS #8 (RFC 8410, section 7), unencrypted, readable by its owner only |
| public key | PEM of SubjectPublicKeyInfo (RFC 8410, section 4), or 64 hexadecimal digits |

`openssl genpkey -algorithm ed25519 -out seal.pem` makes such a key too.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from pathlib import Path

from openbell.kernel import seal_public_key
from openbell.model.errors import ConfigError

KEY_BYTES = 32
_PRIVATE, _PUBLIC = "PRIVATE KEY", "PUBLIC KEY"
# What stands before the 32 bytes in the DER of RFC 8410: nothing in it varies.
_DER = {
    _PRIVATE: bytes.fromhex("302e020100300506032b657004220420"),
    _PUBLIC: bytes.fromhex("302a300506032b6570032100"),
}


def read_seal_key(path: Path) -> bytes:
    """The 32 secret bytes of a private key.

    Raises ConfigError for a file that cannot be read, that others than its owner may read, or that holds no such key.
    """
    _require_private(path)
    return _key_in(path, _PRIVATE, _text(path))


def read_public_key(text: str) -> bytes:
    """The 32 bytes of a public key: `text` is 64 hexadecimal digits or names a file with them or with PEM.

    Raises ConfigError for anything else.
    """
    path = Path(text)
    content = _text(path).strip() if path.is_file() else text.strip()
    if content.startswith("-----BEGIN"):
        return _key_in(path, _PUBLIC, content)
    try:
        key = bytes.fromhex(content)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"public key {text!r}: 64 hexadecimal digits, or a file that holds them or a PEM, are expected"
        )
    return key


def make_seal_key(path: Path) -> tuple[Path, str]:
    """Make a key: the private one in `path`, for its owner only, the public one beside it in `path`.pub.

    Returns the file of the public key and its hexadecimal digits. Raises ConfigError where one of the files is there already
    or cannot be written.
    """
    public_path = path.with_name(path.name + ".pub")
    secret = secrets.token_bytes(KEY_BYTES)
    public = seal_public_key(secret)
    try:
        _write_new(path, _pem(_PRIVATE, secret), 0o600)
        _write_new(public_path, _pem(_PUBLIC, public), 0o644)
    except FileExistsError as error:
        raise ConfigError(f"{error.filename} is there already; a key is never written over") from None
    except OSError as error:
        raise ConfigError(f"{error.filename or path}: the key cannot be written: {error.strerror}") from None
    return public_path, public.hex()


def _require_private(path: Path) -> None:
    try:
        found = path.stat()
    except OSError as error:
        raise ConfigError(f"signing key {path}: cannot be read: {error.strerror}") from None
    if found.st_mode & 0o077:
        raise ConfigError(
            f"signing key {path}: its permissions are {stat.filemode(found.st_mode)}, so others than its owner may use it; "
            f"chmod 600 {path}"
        )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise ConfigError(f"key {path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"key {path}: is no PEM file") from None


def _key_in(path: Path, kind: str, text: str) -> bytes:
    begin, end = f"-----BEGIN {kind}-----", f"-----END {kind}-----"
    if "-----BEGIN ENCRYPTED" in text:
        raise ConfigError(f"key {path}: is encrypted; nobody is there to be asked for a passphrase")
    if begin not in text or end not in text:
        raise ConfigError(f"key {path}: no {begin} in it: an Ed25519 key in PEM is expected")
    body = text.partition(begin)[2].partition(end)[0]
    try:
        der = base64.b64decode("".join(body.split()), validate=True)
    except binascii.Error:
        raise ConfigError(f"key {path}: what stands between its lines is no Base64") from None
    prefix = _DER[kind]
    if not der.startswith(prefix) or len(der) != len(prefix) + KEY_BYTES:
        raise ConfigError(f"key {path}: is no Ed25519 key: openssl genpkey -algorithm ed25519 makes one")
    return der[len(prefix) :]


def _pem(kind: str, key: bytes) -> str:
    body = base64.b64encode(_DER[kind] + key).decode("ascii")
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n"


def _write_new(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
