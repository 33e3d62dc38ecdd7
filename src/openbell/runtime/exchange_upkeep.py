"""What is done beside a running exchange: its state is saved, and what nobody needs of its journal is removed.

A small state is saved by the exchange itself ("inline"), a larger one by a follower in a process of its own, which replays and
compares before it saves. Old segments are removed by the journal's own thread, which holds the lock; here is decided which.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from openbell.kernel import journal_segments
from openbell.kernel.live_node import LiveNode
from openbell.model.errors import OpenbellError
from openbell.runtime.exchange_directory import exchange_history
from openbell.runtime.exchange_settings import ExchangeSettings
from openbell.runtime.follower import FollowerProcess
from openbell.runtime.retention import RetentionPolicy, plan_retention, whole_snapshots

LOOK_SECONDS = 1.0
"""Between two looks at what there is to do."""

_Listing = tuple[tuple[str, int, int], ...]


class ExchangeUpkeep:
    """Looks after the directory of an exchange from `start` to `stop`; `look` is called now and then, from any one thread."""

    def __init__(self, directory: Path, settings: ExchangeSettings) -> None:
        self._history = exchange_history(directory)
        bounds = settings.snapshots
        self._follower = FollowerProcess(
            self._history.journal, seconds=bounds.seconds, records=bounds.records, size=bounds.bytes
        )
        self._policy = RetentionPolicy(settings.retention.keep_bytes, settings.retention.keep_seconds)
        size = self._listed()[-1][1] if self._listed() else 0
        self.saves_inline = 0 < bounds.inline_bytes >= size
        """Whether the exchange is to save its own state."""
        self._node: LiveNode | None = None
        self._seen: _Listing | None = None
        self._whole: tuple[int, ...] = ()
        self._trouble: str | None = None
        self._because = "nothing is to be removed" if self._policy.keeps_everything else "not looked at yet"

    def start(self, node: LiveNode) -> None:
        """The exchange goes live."""
        self._node = node
        if not self.saves_inline:
            self._follower.start()

    def stop(self) -> None:
        """The exchange is about to end: what was seen is saved."""
        self._follower.stop()

    def look(self) -> None:
        """Let a follower take over from a node whose state has grown, and have old segments removed."""
        node = self._node
        if node is None:
            return
        if self.saves_inline and node.health().has_outgrown_inline:
            self.saves_inline = False
            self._follower.start()
        if self._policy.keeps_everything:
            return
        try:
            self._remove_old(node)
            self._trouble = None
        except (OpenbellError, OSError) as error:
            # Nothing is removed where it is not clear what is needed; the exchange goes on.
            self._trouble = str(error)

    def _remove_old(self, node: LiveNode) -> None:
        listed = self._listed()
        if listed != self._seen:
            # Checking a snapshot reads all of it, so each is checked once.
            self._seen, self._whole = listed, whole_snapshots(self._history)
        plan = plan_retention(self._history, self._policy, whole=self._whole, now=time.time())
        self._because = plan.because
        if plan.remove_before:
            node.remove_sealed_before(plan.remove_before)

    def _listed(self) -> _Listing:
        found = []
        for path in sorted(self._history.snapshots.glob("*[0-9].snap")):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue  # a newer one took its place
            found.append((path.name, stat.st_size, stat.st_mtime_ns))
        return tuple(found)

    def health(self) -> Mapping[str, object]:
        """Who saves the state, the last snapshot and its age, where the journal begins, and what is in the way."""
        listed = self._listed()
        name, _, written_ns = listed[-1] if listed else ("", 0, 0)
        node = self._node
        trouble = self._trouble or (None if node is None else node.health().upkeep_trouble)
        writer = "inline" if self.saves_inline else "followed"
        return {
            "snapshots": self._follower.trouble or writer,
            "snapshot_sequence": int(Path(name).stem) if name else None,
            "snapshot_age_seconds": round(time.time() - written_ns / 1e9, 3) if name else None,
            "first_sequence": journal_segments(self._history.journal)[0][1],
            "retention": trouble or self._because,
        }
