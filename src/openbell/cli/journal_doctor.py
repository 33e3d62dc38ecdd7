"""`openbell journal doctor`: says what ails a journal, and heals it where somebody answers for it."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from openbell.cli.arguments import RUNS, HistoryName, RunsFolder, SigningKey
from openbell.cli.journal_verify import TORN
from openbell.cli.options import COMMON, CommonOptions
from openbell.model.errors import ConfigError, DivergenceError, EngineStopped, JournalError

if TYPE_CHECKING:
    from openbell.runtime.journal_doctor import Diagnosis, Treatment

_CODES = {
    "sound": 0,
    "torn": TORN,
    "damaged": JournalError.exit_code,
    "seals": JournalError.exit_code,
    "diverges": DivergenceError.exit_code,
    "stops the engine": EngineStopped.exit_code,
}


def doctor_journal(
    path: HistoryName,
    /,
    *,
    cut_behind: Annotated[
        int | None, Parameter(help="Take off everything behind this sequence; a copy is kept.")
    ] = None,
    accept_loss: Annotated[
        bool, Parameter(negative=(), help="Needed for --cut-behind: the loss is accepted.")
    ] = False,
    skip: Annotated[
        int | None, Parameter(help="Journal that this record, which stops the engine, is passed over.")
    ] = None,
    reseal: Annotated[
        bool, Parameter(negative=(), help="Seal it anew as it stands, where its seals are lost or damaged.")
    ] = False,
    reason: Annotated[
        str | None, Parameter(help="Why; needed for every cure, and kept in the journal.")
    ] = None,
    actor: Annotated[
        str | None, Parameter(help="Who answers for it; the name of the login unless given.")
    ] = None,
    signing_key: SigningKey = None,
    out: RunsFolder = RUNS,
    options: CommonOptions = COMMON,
) -> int:
    """Say what ails a journal and what can be done. Changes nothing, unless --cut-behind, --skip or --reseal say so.

    Ends with exit code 0 for a sound journal or a cure that was done, 5 damaged, 6 other events or states than recorded, 7 a
    record stops the engine, 8 a last write that was cut short.
    """
    from openbell.runtime.history import open_history
    from openbell.runtime.journal_doctor import cut_behind as cut
    from openbell.runtime.journal_doctor import diagnose
    from openbell.runtime.journal_doctor import reseal as seal_anew
    from openbell.runtime.journal_doctor import skip as pass_over
    from openbell.runtime.seal_keys import read_seal_key

    history = open_history(path, out)
    cures = [cut_behind is not None, skip is not None, reseal]
    if not any(cures):
        found = diagnose(history)
        _show(found, options)
        return _CODES[found.finding]
    if sum(cures) > 1:
        raise ConfigError("--cut-behind, --skip and --reseal are different cures: one at a time")
    who, why, now = actor or getpass.getuser(), reason or "", time.time_ns()
    key = None if signing_key is None else read_seal_key(signing_key)
    if cut_behind is not None:
        done = cut(
            history, cut_behind, actor=who, reason=why, accept_loss=accept_loss, now_ns=now, seal_key=key
        )
    elif reseal:
        done = seal_anew(history, actor=who, reason=why, now_ns=now, seal_key=key)
    else:
        done = pass_over(history, skip or 0, actor=who, reason=why, now_ns=now)
    _show_done(done, options)
    return 0


def _show(found: Diagnosis, options: CommonOptions) -> None:
    from openbell.cli.row_table import fact_table
    from openbell.cli.terminal import console, print_json

    if options.json:
        print_json(found.to_dict())
        return
    style = "green" if found.finding == "sound" else "yellow" if found.finding == "torn" else "red"
    console().print(f"[bold {style}]{found.finding.capitalize()}.[/] {found.journal}")
    facts = {"Found": found.text, "Readable": f"up to sequence {found.readable:,}"}
    if found.durable is not None:
        facts["Durable"] = f"up to sequence {found.durable:,} at least"
    if found.lost:
        facts["Lost"] = f"{found.lost:,} records that were durable"
    console().print(fact_table({**facts, "Proposal": found.proposal}))


def _show_done(done: Treatment, options: CommonOptions) -> None:
    from openbell.cli.row_table import fact_table
    from openbell.cli.terminal import console, print_json

    if options.json:
        print_json(done.to_dict())
        return
    console().print(f"[bold green]Done.[/] {done.done}")
    facts = {"Who": done.actor, "Why": done.reason}
    if done.copies:
        facts["Kept aside"] = f"{done.bytes:,} bytes in {', '.join(done.copies)}"
    console().print(fact_table(facts))
