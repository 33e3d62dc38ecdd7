"""One seeded run in every surrounding: builds of the engine, hash seeds, time zones, locales, from genesis and every snapshot.

    python -m tests.replay.determinism_matrix --records 10000000 --builds debug release

The kernel's example `seeded_run` writes a journal and snapshots, in each build; journals and snapshots must be the same bytes. It
plays every kind of order through auctions, bands and three matching policies (one of them outside the kernel), and saves its
states in the middle of auctions, with stops, trailing stops, pegs and icebergs at rest; it fails where one of these is missing.
Then fresh Python processes, each in other surroundings, replay the journal on the compiled engine, from genesis and from every
snapshot, and must come to the same hashes. As many run at a time as there are cores.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SURROUNDINGS: dict[str, dict[str, str]] = {
    "as it is": {},
    "hash seed 1, New York, Turkish": {
        "PYTHONHASHSEED": "1",
        "TZ": "America/New_York",
        "LC_ALL": "tr_TR.UTF-8",
    },
    "hash seed 4294967295, Kathmandu, German": {
        "PYTHONHASHSEED": "4294967295",
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "de_DE.UTF-8",
    },
    "no randomization, Kiritimati, C, optimized": {
        "PYTHONHASHSEED": "0",
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "PYTHONOPTIMIZE": "2",
    },
}
_VARIED = ("PYTHONHASHSEED", "TZ", "LC_ALL", "LANG", "PYTHONOPTIMIZE")


@dataclass(frozen=True)
class Line:
    """One cell of the matrix: who came to which hashes, and how long it took."""

    who: str
    hashes: tuple[tuple[str, ...], ...]
    seconds: float


def matrix(
    directory: Path, *, records: int, seed: int, snapshots: int = 5, builds: Sequence[str] = ("debug",)
) -> list[Line]:
    """Run everything below `directory`. Raises AssertionError where two builds write other bytes."""
    for build in builds:
        _compile(build)

    def run(build: str) -> Line:
        return _build_line(build, directory / build, records=records, seed=seed, snapshots=snapshots)

    first = directory / builds[0]
    with ThreadPoolExecutor(os.cpu_count()) as cells:
        lines = list(cells.map(run, builds))
        for build in builds[1:]:
            require_same_files(first, directory / build)
        lines += cells.map(lambda name: _python_line(name, SURROUNDINGS[name], first), SURROUNDINGS)
    return lines


def require_same_files(first: Path, second: Path) -> None:
    """Pass only two folders with the same files of the same bytes."""
    names = [
        sorted(str(path.relative_to(of)) for path in of.rglob("*") if path.is_file())
        for of in (first, second)
    ]
    assert names[0] == names[1], f"other files: {names}"
    _, mismatched, failed = filecmp.cmpfiles(first, second, names[0], shallow=False)
    assert not mismatched and not failed, f"other bytes: {mismatched + failed}"


def _compile(build: str) -> None:
    flags = ["--release"] if build == "release" else []
    subprocess.run(
        ["cargo", "build", "--quiet", "--locked", "-p", "openbell-kernel", "--example", "seeded_run", *flags],
        cwd=ROOT,
        check=True,
    )


def _build_line(build: str, directory: Path, *, records: int, seed: int, snapshots: int) -> Line:
    directory.mkdir(parents=True)
    program = ROOT / "target" / build / "examples" / "seeded_run"
    started = time.perf_counter()
    arguments = {"records": records, "seed": seed, "snapshots": snapshots, "directory": directory}
    command = [str(program)]
    for name, value in arguments.items():
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{build}: {done.stderr}"
    hashes = tuple(tuple(line.split()) for line in done.stdout.splitlines())
    return Line(f"kernel, {build}", hashes, time.perf_counter() - started)


def _python_line(name: str, around: dict[str, str], directory: Path) -> Line:
    environment = {key: value for key, value in os.environ.items() if key not in _VARIED}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "tests.replay.determinism_matrix", "--replay", str(directory)],
        cwd=ROOT,
        env=environment | around,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{name}: {done.stderr}"
    hashes = tuple(tuple(line) for line in json.loads(done.stdout))
    return Line(f"Python, {name}", hashes, time.perf_counter() - started)


def replayed_hashes(directory: Path) -> list[list[str]]:
    """Sequence, output hash and state hash at every snapshot and at the end, from genesis; every snapshot must agree."""
    checkpoints = sorted(int(path.stem) for path in directory.glob("*.state"))
    genesis = _replay(directory, None, checkpoints)
    for checkpoint in checkpoints:
        again = _replay(directory, checkpoint, checkpoints)
        expected = [line for line in genesis if int(line[0]) > checkpoint]
        assert again == expected, f"from the snapshot at {checkpoint}"
    return genesis


def _replay(directory: Path, snapshot: int | None, checkpoints: Sequence[int]) -> list[list[str]]:
    from openbell.journal import read_slots
    from openbell.journal.record_fields import after_sequence, last_sequence, up_to_sequence
    from openbell.kernel import Node

    node = Node(mode="replay")
    if snapshot is not None:
        node = Node.restore((directory / f"{snapshot}.state").read_bytes(), mode="replay")
    wanted = [at for at in checkpoints if at > node.sequence]
    lines = []
    for batch in read_slots(directory / "journal"):
        rest = after_sequence(batch, node.sequence)
        while wanted and wanted[0] <= last_sequence(rest):
            node.run(up_to_sequence(rest, wanted[0]), None, [])
            node.take_output()
            rest = after_sequence(rest, wanted.pop(0))
            lines.append(_line(node))
        if len(rest):
            node.run(rest, None, [])
            node.take_output()
    return [*lines, _line(node)]


def _line(node: object) -> list[str]:
    from openbell.kernel import Node

    assert isinstance(node, Node)
    return [str(node.sequence), f"{node.output_hash:032x}", f"{node.state_hash():032x}"]


def main() -> int:
    """Print the matrix; exit code 1 where not all of it is the same."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=23)
    parser.add_argument("--snapshots", type=int, default=5)
    parser.add_argument("--builds", nargs="+", default=["debug"], choices=["debug", "release"])
    parser.add_argument("--directory", type=Path, help="where to write; a temporary folder unless given")
    parser.add_argument("--replay", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.replay:
        json.dump(replayed_hashes(given.replay), sys.stdout)
        return 0
    with tempfile.TemporaryDirectory(dir=given.directory) as scratch:
        lines = matrix(
            Path(scratch),
            records=given.records,
            seed=given.seed,
            snapshots=given.snapshots,
            builds=given.builds,
        )
    return _show(lines, given)


def _show(lines: Sequence[Line], given: argparse.Namespace) -> int:
    same = True
    print(f"seed {given.seed}, {given.records:,} records, {given.snapshots} snapshots; hashes of the end:")
    for line in lines:
        agrees = line.hashes == lines[0].hashes
        same &= agrees
        end = line.hashes[-1]
        verdict = "the same" if agrees else "ANOTHER"
        print(f"{line.who:<52} state {end[2][:16]} output {end[1][:16]} {line.seconds:7.1f} s  {verdict}")
    print(
        "to repeat: python -m tests.replay.determinism_matrix --seed", given.seed, "--records", given.records
    )
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
