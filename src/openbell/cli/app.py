"""The application: its verbs, and what an error looks like.

Exit codes: 0 done, 1 unexpected, 2 usage or configuration, 3 input, 4 strategy, 5 journal, 6 divergence, 7 engine stopped,
8 a last write that was cut short, 130 interrupted.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import PurePath

from cyclopts import App, CycloptsError

from openbell.cli.failure import place_in_user_code
from openbell.cli.journal import journal
from openbell.cli.lazy_verbs import add_verbs
from openbell.model.errors import ConfigError, OpenbellError, StrategyError

INTERRUPTED = 130

_ABOUT = """Event-driven trading with one deterministic engine.

Try `openbell demo`: it backtests two strategies over real prices, writes their reports, and proves that a replay is the same."""

_CODES = (
    "Exit codes: 0 done, 1 unexpected, 2 usage or configuration, 3 input, 4 strategy, 5 journal, 6 divergence, "
    "7 engine stopped, 8 a last write that was cut short, 130 interrupted."
)

app = App(
    name="openbell",
    help=_ABOUT,
    help_epilogue=_CODES,
    version=lambda: _version(),
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)

_VERBS = {
    "demo": ("demo:demo", "Backtest two strategies over real prices and prove their replay."),
    "init": ("init:init", "Begin a project: a strategy, its settings and a README."),
    "backtest": ("backtest:backtest", "Run a strategy over market data into a run folder."),
    "runs": ("runs:runs", "List the runs in a folder with their main figures."),
    "report": ("report:report", "Write the report page of a run again."),
    "replay": ("replay:replay_run", "Replay a run and prove that it is the same."),
    "inspect": (
        "inspect_moment:inspect_moment",
        "Show books, orders, positions and risk at any moment of a run.",
    ),
    "explain": ("explain:explain_order", "Tell the life of an order in words."),
    "diff": ("diff:diff_runs", "Say the first difference between two runs."),
    "exchange": ("exchange:exchange", "Run an exchange that clients trade at over WebSocket."),
}
add_verbs(app, _VERBS)
app.command(journal)


def _version() -> str:
    from openbell.runtime.versions import versions

    return f"openbell {versions()['openbell']}"


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; an error is one line on stderr, with its traceback after `--debug`."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return _told(
            ConfigError(" ".join(str(error).split())), "--debug" in tokens, hint="see openbell --help"
        )
    except OpenbellError as error:
        return _told(error, "--debug" in tokens)
    except KeyboardInterrupt:
        print(
            "openbell: interrupted; a run folder that was being written is marked INCOMPLETE", file=sys.stderr
        )
        return INTERRUPTED
    except BrokenPipeError:
        return 0  # whoever read the output has seen enough
    except Exception as error:
        return _told(error, "--debug" in tokens, hint="this is a defect of Openbell; --debug shows where")
    return code if isinstance(code, int) else 0


def _told(error: Exception, debug: bool, hint: str = "") -> int:
    if debug:
        traceback.print_exception(error)
    is_ours = isinstance(error, OpenbellError)
    message = str(error) if is_ours else f"{type(error).__name__}: {error}"
    place = place_in_user_code(error) if isinstance(error, StrategyError) or not is_ours else None
    if place is not None and PurePath(place.rpartition(":")[0]).name in message:
        place = None  # the message says it already
    parts = [" ".join(message.split()), f"at {place}" if place else "", f"({hint})" if hint else ""]
    print("openbell:", " ".join(part for part in parts if part), file=sys.stderr)
    return error.exit_code if isinstance(error, OpenbellError) else 1
