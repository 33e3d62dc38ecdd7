"""Numbers of messages stand in journals for ever: they are added, never changed, never used again."""

from openbell import kernel
from tests.architecture.sources import ledger, require_none

KINDS = ("structure", "command", "observation", "event")
Row = tuple[int, str, str, int]
LEDGER: list[Row] = [
    (int(number), name, kind, int(version)) for number, name, kind, version in ledger("message_registry.txt")
]


def broken_promises(written: list[Row], current: list[Row]) -> list[str]:
    """What readers of old journals would miss: a number gone, renamed, of another kind or older version."""
    now = {number: (name, kind, version) for number, name, kind, version in current}
    found = []
    for number, name, kind, version in written:
        if number not in now:
            found.append(f"{number} {name}: gone")
        elif now[number][:2] != (name, kind):
            found.append(f"{number} {name} ({kind}): is now {now[number][0]} ({now[number][1]})")
        elif now[number][2] < version:
            found.append(f"{number} {name}: version {version} is now {now[number][2]}")
    return found


def unwritten(written: list[Row], current: list[Row]) -> list[str]:
    """Lines that the ledger lacks."""
    return [" | ".join(str(field) for field in row) for row in sorted(current) if row not in written]


def test_no_message_number_is_changed_or_used_again() -> None:
    require_none(
        broken_promises(LEDGER, kernel.message_registry()),
        "leave the old number and its reader; give the new message the next free number, or raise the "
        "version and upcast",
    )


def test_every_message_is_written_in_the_ledger() -> None:
    require_none(
        unwritten(LEDGER, kernel.message_registry()),
        "add these lines to tests/architecture/message_registry.txt (a raised version replaces its line)",
    )


def test_numbers_and_names_are_used_once_and_kinds_are_known() -> None:
    current = kernel.message_registry()
    assert current, "kernel.message_registry() is empty"
    assert len({row[0] for row in current}) == len(current), "a number is used twice: take the next free one"
    assert len({row[1] for row in current}) == len(current), "a name is used twice: name what differs"
    unknown = [f"{row[0]} {row[1]}: {row[2]}" for row in current if row[2] not in KINDS]
    require_none(unknown, f"a message is one of {', '.join(KINDS)}")


def test_the_ledger_check_sees_a_changed_number() -> None:
    written = [(10, "SubmitOrder", "command", 2), (11, "CancelOrder", "command", 1)]
    assert broken_promises(written, [(10, "SubmitOrder", "command", 2), (12, "CancelOrder", "command", 1)])
    assert broken_promises(written, [(10, "PlaceOrder", "command", 2), (11, "CancelOrder", "command", 1)])
    assert broken_promises(written, [(10, "SubmitOrder", "command", 1), (11, "CancelOrder", "command", 1)])
    assert broken_promises(written, [(10, "SubmitOrder", "event", 2), (11, "CancelOrder", "command", 1)])
    assert not broken_promises(written, [*written, (12, "ReplaceOrder", "command", 1)])
    assert unwritten(written, [*written, (12, "ReplaceOrder", "command", 1)]) == [
        "12 | ReplaceOrder | command | 1"
    ]
