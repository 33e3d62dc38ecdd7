"""Files of what participants saved: named by their SHA-256, so that the journal can name them and nothing can replace them."""

from __future__ import annotations

from pathlib import Path

from openbell.model.errors import JournalError
from openbell.runtime.durable_file import write_bytes
from openbell.strategy.saved_state import sha256


class ParticipantFiles:
    """The folder `participants` of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "participants"

    def path(self, name: str) -> Path:
        """Where the state with this SHA-256 is kept."""
        return self.folder / f"{name}.json"

    def write(self, content: bytes) -> str:
        """Keep a state for good and return its SHA-256. It is on the disk before a record may name it."""
        name = sha256(content)
        if not self.path(name).exists():
            self.folder.mkdir(exist_ok=True)
            write_bytes(self.path(name), content)
        return name

    def read(self, name: str) -> bytes:
        """The state with this SHA-256. Raises JournalError where it is missing or was changed."""
        path = self.path(name)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise JournalError(
                f"{path}: the state that the journal names cannot be read: {error.strerror}"
            ) from error
        if sha256(content) != name:
            raise JournalError(f"{path}: the saved state was changed: its SHA-256 is {sha256(content)}")
        return content
