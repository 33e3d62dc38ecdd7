"""Makes the golden journals of today's format and rules again, on purpose:

    python -m tests.golden.make

Journals of other formats and rules stay: what was written once must be read for ever. Run it when a change of format or rules
is meant; the commit says why. A change that was not meant is a defect, and the golden journals have found it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from openbell import Backtest
from openbell.journal import verify
from openbell.kernel import NewJournal, Node
from openbell.runtime.history import open_history
from openbell.runtime.setup import Context
from openbell.runtime.time_travel import replayed
from openbell.runtime.toml_text import toml_text
from tests.cli.histories import START, exchange
from tests.runtime.wild import Wild, wild_markets

GOLDEN = Path(__file__).parent


def backtest(folder: Path) -> None:
    """A strategy that sends every kind of order, over generated bars of three instruments."""
    prepared = Backtest(
        Wild(),
        wild_markets(7, 60),
        cash=100_000,
        fees=("0.02%", "0.05%"),
        slippage="0.01%",
        latency="1s",
        leverage=2,
        seed=11,
    ).prepare()
    journal = NewJournal(
        folder / "journal",
        epoch=1,
        created_time=START,
        created_by="openbell golden",
        durability="none",
    )
    prepared.execute(Context(journal=journal))


def session(folder: Path) -> None:
    """Three rounds of trading between three accounts."""
    exchange(folder, rounds=3)


SESSIONS: dict[str, Callable[[Path], None]] = {"backtest": backtest, "exchange": session}


def expected(folder: Path) -> dict[str, object]:
    """What a replay of the journal in `folder` comes to."""
    report = verify(folder / "journal", require_closed=True)
    node = Node(mode="replay")
    events = sum(len(output) // 64 for _, output in replayed(node, open_history(folder)))
    return {
        "schema": report.schema,
        "rules_version": report.rules_version,
        "records": report.records,
        "last_sequence": report.last_sequence,
        "chain": f"{report.chain:032x}",
        "event_slots": events,
        "output_hash": f"{node.output_hash:032x}",
        "state_hash": f"{node.state_hash():032x}",
    }


def folder_name(folder: Path) -> str:
    """Golden journals are kept by the versions they were written under."""
    report = verify(folder / "journal")
    return f"schema-{report.schema}-rules-{report.rules_version}"


def main() -> int:
    """Write the journals of today and say what changed."""
    scratch = GOLDEN / "making"
    shutil.rmtree(scratch, ignore_errors=True)
    for name, make in SESSIONS.items():
        make(scratch / name)
        (scratch / name / "journal" / "LOCK").unlink(missing_ok=True)
        target = GOLDEN / folder_name(scratch / name) / name
        text = toml_text(expected(scratch / name))
        old = target / "expected.toml"
        print(f"{target}: {'the same' if old.is_file() and old.read_text() == text else 'changed'}")
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(exist_ok=True)
        shutil.move(scratch / name, target)
        (target / "expected.toml").write_text(text, encoding="utf-8")
    shutil.rmtree(scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
