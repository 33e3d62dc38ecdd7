"""Durable records per second from Python, through the live node's threads, beside a bare file written and synced.

    make bench-journal
    python -m benchmarks.journal_from_python [--records 1000000] [--rounds 3] [--directory DIR]

A record counts when its sequence is durable. Orders and cancels alternate in batches, so that the book stays small, and all
their events are taken; observed trades change next to nothing and show what the way through the rings and the journal costs.
The probe writes the same slots in the same batches to a file that is already there and syncs each batch: what the disk takes
from one that waits for it. The node does not wait: what queues during a sync is its next batch.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import figures
from openbell.kernel import Commands, LiveNode
from openbell.messages.layouts import as_slots, records

ACCOUNT = INSTRUMENT = 1
BATCHES = (1, 8, 64, 512, 4096)
SLOT_SIZE = 64
LONGEST_S = 2.0
PROBE_BYTES = 64 << 20

Batches = list[NDArray[np.uint8]]


def configuration() -> NDArray[np.uint8]:
    commands = Commands()
    commands.define_currency(1, "USD")
    commands.configure_venue(0, 1)
    commands.list_instrument(
        INSTRUMENT, "ABC", currency=1, price_unit_nano=10**7, quantity_unit_nano=10**9, multiplier_nano=10**9,
        tick=1, lot=1, venue=0,
    )  # fmt: skip
    commands.open_account(ACCOUNT, 1, shorting=True)
    commands.deposit_cash(ACCOUNT, 9 * 10**18, 1)
    return commands.slots()


def orders_and_cancels(count: int, batch: int) -> Batches:
    """Each batch of resting orders is followed by the batch that cancels it."""
    batches: Batches = []
    for first in range(1, count // 2, batch):
        orders = records("SubmitOrder", batch)
        cancels = records("CancelOrder", batch)
        for array in (orders, cancels):
            array["account"] = ACCOUNT
            array["client_order_id"] = np.arange(first, first + batch)
        orders["instrument"], orders["quantity"] = INSTRUMENT, 1
        orders["price"] = 1000 + np.arange(batch) % 50
        orders["terms"]["side"], orders["terms"]["order_type"] = 1, 2
        orders["terms"]["time_in_force"] = 2
        batches += [as_slots(orders), as_slots(cancels)]
    return batches


def trades(count: int, batch: int) -> Batches:
    array = records("TradeObserved", batch)
    array["instrument"], array["price"], array["quantity"], array["flags"] = INSTRUMENT, 1000, 1, 1
    return [as_slots(array)] * (count // batch)


def through_the_node(directory: Path, batches: Batches, durability: str) -> float:
    """Durable records per second."""
    live = LiveNode.create(
        directory,
        configuration(),
        epoch=1,
        created_by="benchmark",
        durability=durability,  # type: ignore[arg-type]
    )
    first, sent = live.health().sequence, 0
    start = time.perf_counter()
    for batch in batches:
        at = 0
        while at < len(batch):
            taken = live.submit(batch[at:])
            at, sent = at + taken * SLOT_SIZE, sent + taken
            live.take_outputs()
        if time.perf_counter() - start > LONGEST_S:
            break
    while live.health().durable_sequence - first < sent:
        live.take_outputs()
    rate = sent / (time.perf_counter() - start)
    live.stop()
    shutil.rmtree(directory)
    return rate


def probe(directory: Path, batch: int) -> float:
    """Records per second that are written and synced batch by batch, without anything else."""
    directory.mkdir()
    path, block = directory / "probe", bytes((batch + 2) * SLOT_SIZE)
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    os.pwrite(file, bytes(PROBE_BYTES), 0)
    os.fsync(file)
    written, start = 0, time.perf_counter()
    while time.perf_counter() - start < LONGEST_S / 2:
        os.pwrite(file, block, written * SLOT_SIZE % (PROBE_BYTES - len(block)) // 512 * 512)
        os.fdatasync(file)
        written += batch
    rate = written / (time.perf_counter() - start)
    os.close(file)
    shutil.rmtree(directory)
    return rate


def show(rates: list[float]) -> str:
    middle = statistics.median(rates)
    return f"{middle:>12,.0f} (±{(max(rates) - min(rates)) / middle * 50:.0f}%)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--directory",
        type=Path,
        default=None,
        help="on the disk to measure; a new one below target by default",
    )
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="openbell-bench-", dir=arguments.directory or "target"))
    columns = ("orders, batch", "orders, none", "trades, batch", "probe")
    print(f"durable records per second from Python, median of {arguments.rounds}")
    print(f"{'batch':>6} " + " ".join(f"{column:>19}" for column in columns))
    try:
        for batch in BATCHES:
            measured: list[list[float]] = [[] for _ in columns]
            flow, feed = orders_and_cancels(arguments.records, batch), trades(arguments.records, batch)
            for _ in range(arguments.rounds):
                measured[0].append(through_the_node(root / "node", flow, "batch"))
                measured[1].append(through_the_node(root / "node", flow, "none"))
                measured[2].append(through_the_node(root / "node", feed, "batch"))
                measured[3].append(probe(root / "probe", batch))
            figures.tell(f"durable records from Python, batch {batch}", statistics.median(measured[0]))
            print(f"{batch:>6} " + " ".join(f"{show(rates):>19}" for rates in measured), flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
