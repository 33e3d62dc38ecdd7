"""Matching from Python against the plain native reference, on the flow of `cargo bench --bench matching`.

    maturin develop --release --features bench
    python -m benchmarks.matching [--commands 2000000] [--rounds 7] [--seed 23]

Rounds are interleaved: each runs every book once and gives one ratio per book; the median and the spread of the
ratios count, not the times. The flow is 55 % adds, 40 % cancels, 3 % replaces, 2 % marketable, about 10,000 live
orders, shuffled ids. Times are of the thread, so that other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import statistics
import sys

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import tell
from openbell.kernel.matching_flow import MatchingFlow, matching_flow
from openbell.kernel.order_book import CommandKind, OrderBook, ReportKind
from openbell.model.terms import TimeInForce

BATCH = 1_024
SINGLE_CALLS = 200_000
IN_BATCHES = f"ours from Python, batches of {BATCH:,}"
IN_CALLS = "ours from Python, one call each"
LOOP = "  of it the loop around the calls"

Measured = tuple[str, float, int]
"""Name, nanoseconds per command, trades."""


def in_batches(flow: MatchingFlow, setup: NDArray[np.void], commands: NDArray[np.void]) -> Measured:
    """The whole flow in batches; every report comes out as a NumPy row and is counted."""
    book = OrderBook()
    book.submit_batch(setup)
    batches = [commands[start : start + BATCH] for start in range(0, len(commands), BATCH)]
    traded = ReportKind.TRADED.value
    trades = 0
    start = flow.thread_time_ns()
    for batch in batches:
        reports = book.submit_batch(batch)
        trades += int(np.count_nonzero(reports["kind"] == traded))
    elapsed = flow.thread_time_ns() - start
    return (IN_BATCHES, elapsed / len(commands), trades)


Row = tuple[int, int, int, int, int, int]
"""Kind, side, time in force, order id, price, quantity."""


def in_calls(flow: MatchingFlow, setup: NDArray[np.void], commands: NDArray[np.void]) -> list[Measured]:
    """One call per command, each answering with report objects, for the first part of the flow; then the same
    loop without the calls."""
    part = commands[:SINGLE_CALLS]
    columns = ("kind", "side", "time_in_force", "order_id", "price", "quantity")
    rows = list(zip(*(part[column].tolist() for column in columns), strict=True))
    book = OrderBook()
    book.submit_batch(setup)
    return [(IN_CALLS, *one_call_each(flow, book, rows)), (LOOP, *loop_alone(flow, rows))]


def one_call_each(flow: MatchingFlow, book: OrderBook, rows: list[Row]) -> tuple[float, int]:
    """Nanoseconds per command, and how many reports there were."""
    submit, cancel, replace = book.submit, book.cancel, book.replace
    submits, cancels, immediate = CommandKind.SUBMIT.value, CommandKind.CANCEL.value, TimeInForce.IOC.value
    reports = 0
    start = flow.thread_time_ns()
    for kind, side, time_in_force, order_id, price, quantity in rows:
        if kind == submits and time_in_force != immediate:
            told = submit(side, price, quantity, order_id)
        elif kind == cancels:
            told = cancel(order_id)
        elif kind == submits:
            told = submit(side, price, quantity, order_id, time_in_force=time_in_force)
        else:
            told = replace(order_id, price=price, quantity=quantity)
        reports += len(told)
    return ((flow.thread_time_ns() - start) / len(rows), reports)


def loop_alone(flow: MatchingFlow, rows: list[Row]) -> tuple[float, int]:
    """What looking at the rows and counting takes of it."""
    submits, cancels, immediate = CommandKind.SUBMIT.value, CommandKind.CANCEL.value, TimeInForce.IOC.value
    answer = (None,)
    reports = 0
    start = flow.thread_time_ns()
    for kind, _side, time_in_force, _order_id, _price, _quantity in rows:
        is_plain = kind == submits and time_in_force != immediate
        told = answer if is_plain or kind == cancels else (None, None)
        reports += len(told)
    return ((flow.thread_time_ns() - start) / len(rows), reports)


def ratios_of(times: list[float], limit: list[float]) -> list[float]:
    """How often as fast as the reference of the same round, by round."""
    return [reference / own for reference, own in zip(limit, times, strict=True)]


def print_row(name: str, times: list[float], limit: list[float]) -> None:
    """Median time, and the ratio to the reference of the same round."""
    ratios = ratios_of(times, limit)
    median = statistics.median(times)
    print(
        f"{name:<36} {1e3 / median:>8.2f} M/s {median:>8.1f} ns "
        f"{statistics.median(ratios):>7.3f}x   {min(ratios):.3f} .. {max(ratios):.3f}"
    )


def main() -> None:
    """Print the table; exit with 1 when the books did not trade alike."""
    parser = argparse.ArgumentParser(description="Matching from Python against the plain native reference.")
    parser.add_argument("--commands", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seed", type=int, default=23)
    arguments = parser.parse_args()
    flow = matching_flow(arguments.commands, arguments.seed)
    if flow is None:
        sys.exit("this build has no benchmark flow: maturin develop --release --features bench")
    setup, commands = flow.setup(), flow.commands()
    times: dict[str, list[float]] = {}
    for _ in range(arguments.rounds):
        batched = in_batches(flow, setup, commands)
        results = [*flow.native(), batched]
        if len({trades for _, _, trades in results}) != 1:
            sys.exit(f"the books traded differently: {results}")
        for name, time, _ in [*results, *in_calls(flow, setup, commands)]:
            times.setdefault(name, []).append(time)
    print(
        f"{arguments.commands:,} mixed commands, seed {arguments.seed}, {arguments.rounds} interleaved rounds"
    )
    print(f"{'':<36} {'median':>12} {'':>11} {'ratio':>7}    ratio to the first, spread")
    limit = next(iter(times.values()))
    for name, of_rounds in times.items():
        print_row(name, of_rounds, limit)
    ratio = statistics.median(ratios_of(times[IN_BATCHES], limit))
    tell(f"Python in batches of {BATCH:,} / hash-indexed reference", ratio)
    tell("Python, one call per command", 1e9 / statistics.median(times[IN_CALLS]))


if __name__ == "__main__":
    main()
