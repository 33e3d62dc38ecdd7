"""Every proof that nothing acknowledged is lost, at the size of CI or long, on one scorecard.

    python -m tests.simulation.scorecard ci | long

One after the other: simulated disks, the proof of the proofs, models of the threads, memory, kills, determinism. Exit code 1
where anything is red.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"ci": {"kills": 100, "records": 20_000}, "long": {"kills": 2_000, "records": 10_000_000}}


@dataclass(frozen=True)
class Row:
    """What came of one proof. `repeat` runs it again; a red one has printed which cases were red."""

    proof: str
    size: str
    red: int
    seconds: float
    repeat: str
    detail: str


def simulated(size: str) -> Iterator[Row]:
    """The proofs on simulated disks and on a full one; a row as each ends."""
    release = ["--release"] if size == "long" else []
    command = [
        "cargo",
        "run",
        "--quiet",
        "--locked",
        *release,
        "-p",
        "openbell-simulation",
        "--",
        "torture",
        size,
    ]
    subprocess.run([*command[:-3], "--", "case", "1"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    began = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            fields = line.rstrip("\n").split("\t")
            if len(fields) != 4:
                print(line, end="")
                continue
            name, cases, red, detail = fields
            now = time.monotonic()
            yield Row(name, f"{int(cases):,} cases", int(red), now - began, " ".join(command), detail)
            began = now
    if process.returncode not in (0, 1):
        yield Row("simulated disks", "-", 1, 0.0, " ".join(command), f"ended with {process.returncode}")


def one(proof: str, size: str, command: Sequence[str], environment: dict[str, str] | None = None) -> Row:
    """A proof that is one command: red when it fails, and then its last lines are shown."""
    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | (environment or {}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode:
        print(f"{proof}: exit code {done.returncode}", *lines[-40:], sep="\n")
    words = " ".join([*(f"{name}={value}" for name, value in (environment or {}).items()), *command])
    seconds = time.monotonic() - began
    return Row(proof, size, int(done.returncode != 0), seconds, words, _telling(lines))


def _telling(lines: Sequence[str]) -> str:
    """The line that sums a run up."""
    said = [line for line in lines if line.startswith("test result") or " kills (" in line]
    return (said or lines or ["-"])[-1].strip()


def proofs(size: str) -> Iterator[Row]:
    """All of them."""
    kills, records = SIZES[size]["kills"], SIZES[size]["records"]
    yield from simulated(size)
    cargo = ["cargo", "test", "--locked", "--quiet", "-p", "openbell-simulation"]
    yield one(
        "the proofs are proven", "all sabotages", [*cargo, "--features", "sabotage", "--test", "sabotage"]
    )
    loom = {"RUSTFLAGS": "--cfg loom", "CARGO_TARGET_DIR": "target/loom"}
    yield one("threads: every interleaving", "all models", [*cargo, "--test", "loom"], loom)
    yield one("memory: valgrind", "all programs", ["scripts/memory_check.sh"])
    python = [sys.executable, "-m"]
    campaign = [*python, "tests.simulation.kill_exchange", "--kills", str(kills)]
    yield one("kill -9 of an exchange", f"{kills:,} kills", campaign)
    matrix = [*python, "tests.replay.determinism_matrix", "--builds", "debug", "release"]
    yield one("determinism", f"{records:,} records", [*matrix, "--records", str(records)])


def main() -> int:
    """The program; returns its exit code."""
    parser = argparse.ArgumentParser(description="Run every proof of journal and snapshots.")
    parser.add_argument("size", choices=sorted(SIZES))
    size = parser.parse_args().size
    rows = []
    for row in proofs(size):
        rows.append(row)
        print(f"... {_line(row)}", flush=True)
    print(f"\n{'proof':<40} {'size':>18} {'red':>4} {'seconds':>8}  what happened")
    for row in rows:
        print(_line(row), row.detail, sep="  ")
    print("\nto run one of them again:")
    for repeat in dict.fromkeys(row.repeat for row in rows):
        print(f"  {repeat}")
    return int(any(row.red for row in rows))


def _line(row: Row) -> str:
    return f"{row.proof:<40} {row.size:>18} {row.red:>4} {row.seconds:>8.0f}"


if __name__ == "__main__":
    sys.exit(main())
