"""Where in the user's own code an error came up."""

from __future__ import annotations

import sysconfig
from pathlib import Path

_OURS = str(Path(__file__).resolve().parents[1])
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))


def place_in_user_code(error: BaseException) -> str | None:
    """`file.py:12` of the innermost frame that is neither Openbell's nor a library's, through all causes."""
    found = None
    one: BaseException | None = error
    seen: list[BaseException] = []
    while one is not None and one not in seen:
        seen.append(one)  # an error may name itself as its cause
        trace = one.__traceback__
        while trace is not None:
            name = trace.tb_frame.f_code.co_filename
            if _is_users(name):
                found = f"{name}:{trace.tb_lineno}"
            trace = trace.tb_next
        one = one.__cause__
    return found


def _is_users(name: str) -> bool:
    if name.startswith("<"):
        return False
    path = str(Path(name).resolve())
    return not path.startswith((_OURS, *_LIBRARIES)) and not path.endswith("/bin/openbell")
