"""The bytes of a capture file, plain or gzip, in pieces of bounded size and hashed on the way."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from openbell.model.errors import InputError

_READ_BYTES = 1 << 18
_PIECE_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_GZIP_WBITS = 31


def capture_bytes(path: Path, seen: Callable[[bytes], object]) -> Iterator[bytes]:
    """Yield the content of `path` in pieces of at most 1 MiB, gunzipped where it is gzip (told by its first bytes).

    `seen` is called with the bytes as they stand in the file, for a hash. Raises InputError where the file cannot be
    read, is empty, or is gzip that is damaged or ends early.
    """
    try:
        with path.open("rb") as file:
            yield from _content(file, path, seen)
    except OSError as error:
        raise InputError(
            f"the file cannot be read: {error.strerror or error}", source=path, expected="a capture"
        ) from error


def _content(file: BinaryIO, path: Path, seen: Callable[[bytes], object]) -> Iterator[bytes]:
    first = file.read(_READ_BYTES)
    if not first:
        raise InputError("the file is empty", source=path, expected="lines of <local time in ns> <JSON>")
    raw = _raw(first, file, seen)
    return _gunzipped(raw, path) if first.startswith(_GZIP) else raw


def _raw(first: bytes, file: BinaryIO, seen: Callable[[bytes], object]) -> Iterator[bytes]:
    piece = first
    while piece:
        seen(piece)
        yield piece
        piece = file.read(_READ_BYTES)


def _gunzipped(raw: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """A gzip file may hold several streams one after the other; zeros may pad its end."""
    stream, total = zlib.decompressobj(_GZIP_WBITS), 0
    for compressed in raw:
        rest = compressed
        while rest:
            if stream.eof:
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                stream = zlib.decompressobj(_GZIP_WBITS)
            try:
                piece = stream.decompress(rest, _PIECE_BYTES)
            except zlib.error as error:
                raise InputError(
                    f"damaged gzip after {total:,} bytes of text: {error}",
                    source=path,
                    expected="intact gzip data",
                ) from error
            rest = stream.unused_data or stream.unconsumed_tail
            total += len(piece)
            if piece:
                yield piece
    if not stream.eof:
        raise InputError(
            f"the gzip data ends early, after {total:,} bytes of text",
            source=path,
            expected="a complete gzip file (was it still being written or copied?)",
        )
