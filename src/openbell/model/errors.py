"""Every failure Openbell raises on purpose.

    OpenbellError                 exit code of the CLI
    ├── ConfigError               2   an argument or a setting that cannot work
    ├── InputError                3   data that is missing, broken or off its rules; names file, row and field
    ├── StrategyError             4   a strategy, or another part written by the user, raised or broke its contract
    ├── JournalError              5   a journal that cannot be opened, read or written
    ├── DivergenceError           6   a replay whose result differs from the recorded one
    └── EngineStopped             7   the engine met a broken invariant and does nothing more

A refusal (an order denied by a limit) is an event and never an exception. Anything else that escapes is a defect and exits
with 1; an interrupted command (SIGINT) exits with 130.
"""

from __future__ import annotations

from typing import ClassVar


class OpenbellError(Exception):
    """Root of the tree in this module's docstring."""

    exit_code: ClassVar[int] = 1


class ConfigError(OpenbellError):
    """An argument, option or setting that cannot work, whatever the data."""

    exit_code: ClassVar[int] = 2


class InputError(OpenbellError):
    """Data that is missing, broken or off its rules.

    `source` is the file or frame, `row` the 1-based row as an editor counts it, `field` the column, `value` what was found
    there, `expected` what should have been. Whatever is given is printed on one line.
    """

    exit_code: ClassVar[int] = 3

    def __init__(
        self,
        message: str,
        *,
        source: object = None,
        row: int | None = None,
        field: str | None = None,
        value: object = None,
        expected: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.source = None if source is None else str(source)
        self.row = row
        self.field = field
        self.value = value
        self.expected = expected

    def __str__(self) -> str:
        place = [
            self.source,
            None if self.row is None else f"row {self.row}",
            None if self.field is None else f"field '{self.field}'",
        ]
        where = ", ".join(part for part in place if part is not None)
        text = f"{where}: {self.message}" if where else self.message
        if self.value is not None:
            text += f", found {self.value!r}" if isinstance(self.value, str) else f", found {self.value}"
        if self.expected is not None:
            text += f", expected {self.expected}"
        return " ".join(text.split())


class StrategyError(OpenbellError):
    """A strategy, or another part written by the user, raised or broke its contract."""

    exit_code: ClassVar[int] = 4


class JournalError(OpenbellError):
    """A journal that cannot be opened, read or written. `is_torn`: it only ends with a write that was cut short."""

    exit_code: ClassVar[int] = 5
    is_torn: bool = False


class DivergenceError(OpenbellError):
    """A replay whose result differs from the recorded one."""

    exit_code: ClassVar[int] = 6


class EngineStopped(OpenbellError):
    """The engine met a broken invariant: its outputs are discarded and every further call raises this.

    `sequence` is that of the record it stopped at, where one is to blame.
    """

    exit_code: ClassVar[int] = 7
    sequence: int | None = None
