"""`openbell exchange` as a process: started, talked to and stopped by tests."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "exchange"
OPENBELL = [sys.executable, "-m", "openbell"]


@contextmanager
def exchange(
    *arguments: object, stop: int = signal.SIGTERM, limit_addresses: int | None = None
) -> Iterator[dict[str, Any]]:
    """A running exchange: what it said when it listened, then under "ended" what it said at its end.

    With `limit_addresses` the system gives it no more bytes of addresses than that.
    """

    def limit() -> None:
        if limit_addresses is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limit_addresses, limit_addresses))

    command = [*OPENBELL, "exchange", *map(str, arguments), "--port", "0", "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, preexec_fn=limit
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        told = json.loads(line) | {"pid": process.pid}
        yield told
        process.send_signal(stop)
        rest, errors = process.communicate(timeout=60)
        if stop == signal.SIGKILL:
            assert process.returncode == -signal.SIGKILL, errors
            return
        told["ended"] = json.loads(rest)
        assert (process.returncode, errors) == (0, "")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def trade(told: dict[str, Any]) -> str:
    keys = told["keys"]
    script = EXAMPLE / "two_clients.py"
    done = subprocess.run(
        [sys.executable, str(script), told["url"], keys["alice"], keys["bob"]],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def fails(*arguments: object, environment: dict[str, str] | None = None) -> tuple[int, str]:
    done = subprocess.run(
        [*OPENBELL, "exchange", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    assert done.stderr.count("\n") == 1, done.stderr
    return done.returncode, done.stderr


def health(told: dict[str, Any]) -> dict[str, Any]:
    """What GET /health answers."""
    url = told["url"].replace("ws", "http", 1).removesuffix("/ws") + "/health"
    answer: dict[str, Any] = json.loads(urllib.request.urlopen(url, timeout=5).read())
    return answer


def until(what: str, is_so: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait for something; a test that waits in vain fails."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)


def config(folder: Path, **changes: str) -> Path:
    """A file whose tables can be exchanged."""
    tables = {
        "top": "",
        "server": "",
        "instruments": '[[instruments]]\nsymbol = "ACME"',
        "accounts": '[[accounts]]\nname = "alice"\ncash = 5',
        "keys": "",
        "limits": "",
        "fees": "",
        "sessions": "",
        "journal": "",
        "snapshots": "",
        "retention": "",
    }
    path = folder / "exchange-config.toml"
    path.write_text("\n".join((tables | changes).values()) + "\n")
    return path
