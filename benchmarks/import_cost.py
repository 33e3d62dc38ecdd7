"""What `import openbell` costs: time, memory, and which heavy libraries it pulls in (none).

    make bench-import

Each figure is of a fresh process; a bare interpreter beside it is the reference.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

ROUNDS = 9
HEAVY = ("pandas", "polars", "plotly", "pyarrow", "rich", "cyclopts", "pydantic", "structlog")

PROBE = """
import sys, time
start = time.perf_counter()
{statement}
taken = time.perf_counter() - start
status = open("/proc/self/status").read()
memory = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
print(taken * 1000, int(memory) / 1024, ",".join(name for name in {heavy!r} if name in sys.modules))
"""


def probe(statement: str) -> tuple[float, float, str]:
    """Milliseconds, MiB resident, heavy libraries loaded."""
    code = PROBE.format(statement=statement, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    milliseconds, memory, heavy = [*done.stdout.strip("\n").split(" "), ""][:3]
    return float(milliseconds), float(memory), heavy


def show(label: str, statement: str) -> None:
    found = [probe(statement) for _ in range(ROUNDS)]
    times = [one[0] for one in found]
    memory = statistics.median(one[1] for one in found)
    heavy = found[0][2] or "none"
    print(
        f"  {label:<44} {statistics.median(times):7.1f} ms ({min(times):.1f} to {max(times):.1f})  "
        f"{memory:5.1f} MiB  heavy libraries: {heavy}"
    )


def main() -> None:
    print(f"import cost, {ROUNDS} fresh processes each, median (least to most)")
    show("nothing", "pass")
    show("import numpy", "import numpy")
    show("import openbell", "import openbell")
    show("from openbell import OrderBook", "from openbell import OrderBook")
    show("from openbell import Backtest, Strategy", "from openbell import Backtest, Strategy")


if __name__ == "__main__":
    main()
