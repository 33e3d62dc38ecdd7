"""Callgrind's profile as folded stacks, one `caller;callee count` a line, for a flame graph.

    valgrind --tool=callgrind --separate-callers=24 --compress-strings=no --compress-pos=no PROGRAM
    python -m benchmarks.fold_callgrind callgrind.out.PID

With separated callers a function's name carries those that called it, nearest first and divided by apostrophes. Only what
a function cost itself is counted: what its callees cost is in their own stacks.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

HASH = re.compile(r"::h[0-9a-f]{16}$")
"""What the compiler adds to a Rust name."""

RECURSION = re.compile(r"^\d+$")
"""How often a function was on the stack already: no name of its own."""


def stack_of(name: str) -> str:
    """`callee'caller'...` as `...;caller;callee`."""
    frames = [
        HASH.sub("", frame).replace(";", ":") for frame in name.split("'") if not RECURSION.match(frame)
    ]
    return ";".join(reversed(frames))


def own_costs(lines: Iterable[str]) -> Iterator[tuple[str, int]]:
    """(function, instructions) of every line that tells a function's own cost."""
    function = ""
    is_call = False
    for line in lines:
        if line.startswith("fn="):
            function = line[3:].rstrip("\n")
        elif line.startswith("calls="):
            is_call = True
        elif line[:1].isdigit():
            if not is_call and function:
                yield function, int(line.split()[1])
            is_call = False


def folded(lines: Iterable[str]) -> Counter[str]:
    """Instructions by stack."""
    costs: Counter[str] = Counter()
    for function, cost in own_costs(lines):
        costs[stack_of(function)] += cost
    return costs


def main() -> None:
    """Print the stacks of a profile."""
    text = Path(sys.argv[1]).read_text(encoding="utf-8", errors="replace")
    for stack, cost in sorted(folded(text.splitlines()).items()):
        print(stack, cost)


if __name__ == "__main__":
    main()
