"""What users are told when code of theirs raised."""

from __future__ import annotations

import traceback
from types import TracebackType

from openbell.kernel import Node
from openbell.model.errors import OpenbellError, StrategyError
from openbell.model.time import iso
from openbell.strategy.strategy import Strategy

OWN_FOLDER = __file__.rsplit("/", 2)[0]


def hook_failure(
    node: Node, strategy: Strategy, error: Exception, hook: str | None = None, policy: object = None
) -> OpenbellError:
    """What a user is told: the hook, what it raised and where, the sequence and the time.

    An error that no hook raised is the engine's own and comes back as it is.
    """
    failed = (hook, node.sequence, node.time) if hook is not None else node.failed_hook
    if failed is None:
        return error if isinstance(error, OpenbellError) else StrategyError(str(error))
    name, sequence, time = failed
    if name == "MatchingPolicy.allocate" and policy is not None:
        name = f"{type(policy).__name__}.allocate"
    owner = "" if "." in name else f"{type(strategy).__name__}."
    when = iso(time) if time else "the start"
    return StrategyError(
        f"{owner}{name} raised {type(error).__name__}: {error} "
        f"({_place(error.__traceback__)}sequence {sequence}, {when})"
    )


def _place(trace: TracebackType | None) -> str:
    """The last line of the user's own code on the way to the error."""
    frames = [frame for frame in traceback.extract_tb(trace) if not frame.filename.startswith(OWN_FOLDER)]
    return f"{frames[-1].filename}, line {frames[-1].lineno}; " if frames else ""
