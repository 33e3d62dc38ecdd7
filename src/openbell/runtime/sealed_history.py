"""Whether a history is the one that was sealed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from openbell.kernel import JournalProof, prove_journal
from openbell.model.errors import InputError


@dataclass(frozen=True, eq=False)
class SealedHistory:
    """What the seals of a journal show. `has_key` says whether signatures were checked with somebody's public key."""

    journal: Path
    proof: JournalProof
    has_key: bool

    @property
    def touched(self) -> str | None:
        """Where and how it is not what was sealed, first; None where it is."""
        return self.proof.touched

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.touched is not None:
            return "Touched: this is not the history that was sealed."
        if not self.proof.sealed_segments:
            return "Nothing to prove yet: no segment is full and sealed."
        signed = " and signed with this key" if self.has_key else ""
        return f"Untouched: every full segment is as it was sealed{signed}."

    def facts(self) -> dict[str, str]:
        """For people."""
        proof = self.proof
        facts = {
            "Journal": str(self.journal),
            "Epoch": str(proof.epoch),
            "Sealed": f"{proof.sealed_segments:,} segments, up to sequence {proof.sealed_through:,}",
            "Not sealed yet": f"{proof.unsealed_segments:,} segments: the chain alone holds them",
            "Signed": "yes" if proof.is_signed else "no: whoever can write here can seal anew",
        }
        if proof.removed_through:
            facts["Removed"] = f"segments up to {proof.removed_through}, on purpose"
        if proof.cuts:
            facts["Cut"] = f"from segment {', '.join(map(str, proof.cuts))} on, on purpose"
        if self.touched:
            facts["Touched"] = self.touched
        return {**facts, "Last seal": proof.last_seal.hex()}

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        proof = self.proof
        return {
            "journal": str(self.journal),
            "verdict": self.verdict,
            "touched": proof.touched,
            "epoch": proof.epoch,
            "sealed_segments": proof.sealed_segments,
            "sealed_through": proof.sealed_through,
            "unsealed_segments": proof.unsealed_segments,
            "removed_through": proof.removed_through,
            "cuts": proof.cuts,
            "signed": proof.is_signed,
            "last_seal": proof.last_seal.hex(),
        }


def prove(journal: Path, public_key: bytes | None = None, seal: str | None = None) -> SealedHistory:
    """Compare a journal with its seals, and the last of them with `seal` where that was kept.

    Raises JournalError for what has no seals, InputError for another last seal.
    """
    found = SealedHistory(journal, prove_journal(journal, public_key), public_key is not None)
    if seal is not None and found.proof.last_seal.hex() != seal.strip().lower():
        raise InputError(
            "the last seal is another: segments were sealed since, or history was replaced",
            source=journal,
            value=found.proof.last_seal.hex(),
            expected=seal,
        )
    return found
