"""How long an exchange that was killed takes to come back, with a million records since its newest snapshot.

    make bench-restart            (or: python -m benchmarks.restart --records 1000000 --rounds 3)

An exchange is begun, a snapshot is saved, orders and cancels of fifty accounts are journaled and the node is abandoned as a
kill would. Measured are the node alone (journal checked, snapshot read, tail replayed with state hashes) and the whole
program, from its start to the moment it takes connections, the gateway's own look at the past included.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import figures
from openbell.kernel import Follower, LiveNode
from openbell.messages.layouts import as_slots, records
from openbell.runtime.exchange_directory import JOURNAL, restart
from openbell.runtime.exchange_settings import checked_settings

ACCOUNTS, BATCH, RESTING, SLOT_SIZE = 50, 512, 10_000, 64


def settings() -> dict[str, object]:
    return {
        "instruments": [{"symbol": f"S{number}"} for number in range(10)],
        "accounts": [{"name": f"a{number}", "cash": 10**9} for number in range(ACCOUNTS)],
    }


def fill(node: LiveNode, first: int, count: int, cancels_from: int) -> int:
    """Submit orders that rest, each followed by the cancel of one that has rested for a while. Returns the next id."""
    for start in range(first, first + count, BATCH // 2):
        ids = np.arange(start, start + BATCH // 2, dtype=np.uint64)
        orders, cancels = records("SubmitOrder", len(ids)), records("CancelOrder", len(ids))
        orders["client_order_id"], orders["account"] = ids, ids % ACCOUNTS + 1
        orders["instrument"], orders["quantity"] = ids % 10 + 1, 100
        orders["price"] = 1_000 + ids % 50
        orders["terms"]["side"], orders["terms"]["order_type"], orders["terms"]["time_in_force"] = 1, 2, 2
        cancels["client_order_id"] = ids - RESTING
        cancels["account"] = (ids - RESTING) % ACCOUNTS + 1
        push(node, as_slots(orders))
        if start >= cancels_from:
            push(node, as_slots(cancels))
    return first + count


def push(node: LiveNode, slots: np.ndarray) -> None:
    at = 0
    while at < len(slots):
        at += node.submit(slots[at:]) * SLOT_SIZE
        node.take_outputs()


def drain(node: LiveNode) -> None:
    while (health := node.health()).durable_sequence < health.sequence or health.ingress[0]:
        node.take_outputs()
        time.sleep(0.001)


def prepared(directory: Path, count: int) -> Path:
    """The directory of an exchange with a tail of `count` records."""
    node = restart(directory, checked_settings(settings())).node
    after = fill(node, 1 + RESTING, RESTING, cancels_from=10**12)
    drain(node)
    journal = directory / JOURNAL
    follower = Follower(journal, journal / "snapshots", interval_ns=10**15)
    while follower.follow(0)[0]:
        pass
    follower.save(0)
    del follower
    fill(node, after, count // 2, cancels_from=0)
    drain(node)
    node.stop()
    return directory


def node_seconds(directory: Path) -> float:
    began = time.perf_counter()
    node = LiveNode.open(directory / JOURNAL)
    seconds = time.perf_counter() - began
    node.stop()
    return seconds


def exchange_seconds(directory: Path, config: Path) -> float:
    options = ["--config", str(config), "--directory", str(directory), "--port", "0", "--json"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "openbell", "exchange", *options], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    json.loads(process.stdout.readline())
    seconds = time.perf_counter() - began
    process.kill()
    process.wait()
    process.stdout.close()
    return seconds


def config_of(folder: Path) -> Path:
    lines = []
    for number in range(10):
        lines += ["[[instruments]]", f'symbol = "S{number}"']
    for number in range(ACCOUNTS):
        lines += ["[[accounts]]", f'name = "a{number}"', "cash = 1_000_000_000"]
    path = folder / "config.toml"
    path.write_text("\n".join(lines))
    return path


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="openbell-bench-", dir="target"))
    try:
        original = prepared(root / "original", arguments.records)
        config = config_of(root)
        alone, whole = [], []
        for number in range(arguments.rounds):
            copy = root / f"copy{number}"
            shutil.copytree(original, copy)
            alone.append(node_seconds(copy))
            shutil.rmtree(copy)
            shutil.copytree(original, copy)
            whole.append(exchange_seconds(copy, config))
            shutil.rmtree(copy)
        print(f"restart on a tail of {arguments.records:,} records, median of {arguments.rounds} (all)")
        for name, seconds in (("node", alone), ("exchange, process start to listening", whole)):
            print(
                f"  {name:<40} {statistics.median(seconds):6.2f} s ({', '.join(f'{one:.2f}' for one in seconds)})"
            )
        figures.tell("restart on a tail of 1 M records", statistics.median(alone))
        figures.tell("exchange listens again on a tail of 1 M records", statistics.median(whole))
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
