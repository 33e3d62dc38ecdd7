"""What benchmarks measured, told in one place: each appends its figures to the file named by OPENBELL_BENCH_FIGURES.

    python -m benchmarks.figures FILE                prints them beside their targets
    python -m benchmarks.figures FILE --only matching    those of the matching core only

`make bench` names such a file, runs every benchmark and prints the table; `make bench-matching` alone prints the part
about matching; another benchmark that is run alone writes none.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "OPENBELL_BENCH_FIGURES"


@dataclass(frozen=True)
class Target:
    """What a figure should be: at least, or at most."""

    figure: str
    bound: float
    is_least: bool
    unit: str

    def is_met(self, value: float) -> bool:
        """Whether a measured value is on the right side."""
        return value >= self.bound if self.is_least else value <= self.bound

    @property
    def words(self) -> str:
        """The bound as people write it; a bound of nothing says that the figure is only shown."""
        if self.is_least and not self.bound:
            return "shown"
        return f"{'>=' if self.is_least else '<='} {_number(self.bound)}"


def _least(figure: str, bound: float, unit: str) -> Target:
    return Target(figure, bound, True, unit)


def _most(figure: str, bound: float, unit: str) -> Target:
    return Target(figure, bound, False, unit)


KINDS = ("Add", "Cancel", "Replace", "Take")
LARGE_FLOWS = ("350,000 live orders", "14,000 levels", "1,000 books")
WAYS = ("one command after the other", "commands foreseen")
"""The reference, which never looks ahead, is beside both."""
FLOWS = ("usual flow", *LARGE_FLOWS)

MATCHING = (
    _least("native with acks / hash-indexed reference", 0.7, "x"),
    _least("native with acks / reference with direct ids", 0, "x"),
    _least("Python in batches of 1,024 / hash-indexed reference", 0.6, "x"),
    _least("Python, one call per command", 5e6, "/s"),
    *(_least(f"{flow}, {how} / hash-indexed reference", 0.9, "x") for flow in LARGE_FLOWS for how in WAYS),
    _least("pro rata / price-time", 0.5, "x"),
    *(_most(f"{flow}, {kind}, p99.9", 10_000, "ns") for flow in FLOWS for kind in KINDS),
    *(_most(f"{flow}, {kind}, p99 / reference's", 2, "x") for flow in FLOWS for kind in KINDS),
    _most("allocations per command", 0, ""),
    _most("bytes per live order", 64, "B"),
)

TARGETS = (
    *MATCHING,
    *(_least(f"durable / smaller of engine and disk, batch {batch}", 0.75, "x") for batch in (1, 8, 64, 512, 4096)),
    _least("durable / smaller of engine and disk, batch 512, on the best processor", 0.75, "x"),
    *(_most(f"commit p99 / probe p99, batch {batch}", 1.5, "x") for batch in (1, 8, 64, 512, 4096)),
    *(_most(f"bytes per slot, batch {batch}", 100, "B") for batch in (16, 64, 512, 4096)),
    _least("durable records from Python, batch 512", 1e6, "/s"),
    _least("verify, batch 512", 3.0, "GB/s"),
    _least("replay, state hash off", 3e6, "/s"),
    _least("replay, state hash on", 3e6, "/s"),
    _most("restart on a tail of 1 M records", 2.0, "s"),
    _most("exchange listens again on a tail of 1 M records", 2.0, "s"),
    _least("exchange, none, 50 clients", 25_000, "orders/s"),
    _most("exchange, none, 1 client, p50", 1_000, "us"),
)  # fmt: skip


def tell(figure: str, value: float) -> None:
    """Keep one figure, if somebody wants them."""
    if path := os.environ.get(VARIABLE):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{figure}\t{value!r}\n")


def read(path: Path) -> dict[str, float]:
    """The figures of a file; the last one of a name counts."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: float(value) for name, value in rows}


def show(figures: dict[str, float], targets: Sequence[Target] = TARGETS) -> None:
    """Print every target with what was measured, then what has none."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="measured, and what it should be (the load of the machine is part of every figure)")
    for name in ("figure", "measured", "target", "unit", "met"):
        table.add_column(name, justify="left" if name in ("figure", "unit") else "right")
    for target in targets:
        value = figures.pop(target.figure, None)
        shown, met = ("-", "not run") if value is None else (_number(value), _yes(target.is_met(value)))
        table.add_row(target.figure, shown, target.words, target.unit, met)
    for name, value in figures.items():
        table.add_row(name, _number(value), "", "", "")
    Console(width=130).print(table)


def _yes(is_met: bool) -> str:
    return "yes" if is_met else "NO"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def main() -> None:
    """Print the table of a file."""
    parser = argparse.ArgumentParser(description="What benchmarks measured, beside what it should be.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", choices=("matching",), help="the targets of one benchmark")
    arguments = parser.parse_args()
    show(read(arguments.file), MATCHING if arguments.only else TARGETS)


if __name__ == "__main__":
    main()
