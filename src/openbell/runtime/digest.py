"""The digest of a run: one number that is equal wherever the same inputs gave the same outputs and the same state.

It covers the inputs (SHA-256 and decoder), the output hash and the state hash, and nothing else: no path, no time, no machine.
The file DIGEST is text that can be checked by hand, `head -n -1 DIGEST | sha256sum`:

    openbell digest 1
    input <decoder> <SHA-256>        one line for each input, in the order they were given
    output <32 hexadecimal digits>
    state <32 hexadecimal digits>
    digest <SHA-256 of all lines above, line feeds included>
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from openbell.market_data.bars import InputFile
from openbell.model.errors import InputError

_HEADING = "openbell digest 1"
_HASH = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class RunDigest:
    """What a digest covers. `inputs` are (decoder, SHA-256)."""

    inputs: tuple[tuple[str, str], ...]
    output_hash: int
    state_hash: int

    @classmethod
    def of(cls, inputs: Iterable[InputFile], output_hash: int, state_hash: int) -> RunDigest:
        """The digest of a run over these inputs; a file that several instruments come from counts once."""
        told = dict.fromkeys((one.decoder, one.sha256) for one in inputs)
        return cls(tuple(told), output_hash, state_hash)

    def _lines(self) -> str:
        inputs = (f"input {decoder} {sha256}" for decoder, sha256 in self.inputs)
        hashes = (f"output {self.output_hash:032x}", f"state {self.state_hash:032x}")
        return "".join(f"{line}\n" for line in (_HEADING, *inputs, *hashes))

    @property
    def hex(self) -> str:
        """64 hexadecimal digits."""
        return hashlib.sha256(self._lines().encode()).hexdigest()

    def text(self) -> str:
        """The content of DIGEST."""
        return f"{self._lines()}digest {self.hex}\n"

    @classmethod
    def parse(cls, text: str, source: object = None) -> RunDigest:
        """Read a DIGEST file. Raises InputError where it is none, or its last line does not fit the others."""
        words = [line.split(" ") for line in text.splitlines()]
        inputs = tuple((word[1], word[2]) for word in words if word[0] == "input" and len(word) == 3)
        told = {word[0]: word[1] for word in words if len(word) == 2}
        hashes = (told.get("output", ""), told.get("state", ""))
        if not all(_HASH.fullmatch(value) for value in hashes):
            raise InputError(
                "not a digest", source=source, expected=f"the file DIGEST of a run, '{_HEADING}'"
            )
        digest = cls(inputs, *(int(value, 16) for value in hashes))
        if digest.text() != text:
            raise InputError(
                "the digest does not fit its own lines: the file was changed",
                source=source,
                value=told.get("digest", ""),
                expected=digest.hex,
            )
        return digest
