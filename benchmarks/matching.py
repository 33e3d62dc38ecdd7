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


TAKE = 4
"""Beside the numbers of `CommandKind`: a submit that is immediate or canceled, a call with one argument more."""

Row = tuple[int, int, int, int, int]
"""Which call, side, order id, price, quantity."""


def in_calls(flow: MatchingFlow, setup: NDArray[np.void], commands: NDArray[np.void]) -> list[Measured]:
    """One call per command, each answering with report objects, for the first part of the flow; then the same
    loop without the calls. The book must end as one does that takes the part as a batch."""
    part = commands[:SINGLE_CALLS]
    immediate = (part["kind"] == CommandKind.SUBMIT) & (part["time_in_force"] == TimeInForce.IOC)
    calls = np.where(immediate, TAKE, part["kind"])
    columns = (calls, *(part[column] for column in ("side", "order_id", "price", "quantity")))
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    book, batched = OrderBook(), OrderBook()
    for batch in (setup, part):
        batched.submit_batch(batch)
    book.submit_batch(setup)
    time = one_call_each(flow, book, rows)
    if book.state_hash != batched.state_hash:
        sys.exit("commands sent one by one left another book than the same in a batch")
    return [(IN_CALLS, time, 0), (LOOP, loop_alone(flow, rows), 0)]


def one_call_each(flow: MatchingFlow, book: OrderBook, rows: list[Row]) -> float:
    """Nanoseconds per command. The answer is kept until the next one comes, as whoever looks at it would."""
    submit, cancel, replace = book.submit, book.cancel, book.replace
    submits, cancels, takes = CommandKind.SUBMIT.value, CommandKind.CANCEL.value, TAKE
    immediate = TimeInForce.IOC.value
    start = flow.thread_time_ns()
    for call, side, order_id, price, quantity in rows:
        if call == submits:
            told = submit(side, price, quantity, order_id)
        elif call == cancels:
            told = cancel(order_id)
        elif call == takes:
            told = submit(side, price, quantity, order_id, time_in_force=immediate)
        else:
            told = replace(order_id, price=price, quantity=quantity)
    elapsed = flow.thread_time_ns() - start
    assert told
    return elapsed / len(rows)


def loop_alone(flow: MatchingFlow, rows: list[Row]) -> float:
    """What looking at the rows takes of it."""
    submits, cancels, takes = CommandKind.SUBMIT.value, CommandKind.CANCEL.value, TAKE
    one, more = (None,), (None, None)
    start = flow.thread_time_ns()
    for call, _side, _order_id, _price, _quantity in rows:
        if call == submits:
            told: tuple[None, ...] = one
        elif call == cancels:
            told = one
        elif call == takes:
            told = more
        else:
            told = one
    elapsed = flow.thread_time_ns() - start
    assert told
    return elapsed / len(rows)


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
