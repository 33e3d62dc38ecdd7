"""Starts `openbell exchange` again and again, quickly: everything is imported once, each start is a fork of that.

Reads a line of arguments (JSON) for each start; writes the process id, what the exchange writes, and how it ended.
"""

import json
import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress


def nurse() -> None:
    with suppress(ImportError):
        import picows  # noqa: F401
        import uvloop  # noqa: F401

    import openbell.gateway.server
    import openbell.gateway.websocket
    import openbell.runtime.exchange  # noqa: F401
    from openbell.cli.app import run

    for line in sys.stdin:
        arguments = json.loads(line)
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)  # with its follower it can be killed at once
            os._exit(_exit_code(run, arguments))
        _tell({"event": "started", "pid": child})
        status = _wait_for(child)
        _tell({"event": "exited", "pid": child, "code": os.waitstatus_to_exitcode(status)})


def _wait_for(child: int) -> int:
    """Wait until a process ends. Nothing is asked for meanwhile: stdin that can be read has ended, and so must the process."""
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        if select.select([0], [], [], 0.005)[0]:
            os.kill(child, signal.SIGKILL)
            return os.waitpid(child, 0)[1]


def _exit_code(run: Callable[[list[str]], int], arguments: list[str]) -> int:
    try:
        return run(arguments)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _tell(message: dict[str, object]) -> None:
    # One write, so that lines of the child never mix with it.
    os.write(1, (json.dumps(message) + "\n").encode())


if __name__ == "__main__":
    nurse()
