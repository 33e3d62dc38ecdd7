"""Records in words: what an order says beside the usual is named, never a number."""

from typing import Any

import pytest

from openbell.journal import Names, Record, Wording
from openbell.journal.record_fields import record_at, record_starts
from openbell.kernel import Commands, SpecialTerms

SELL, LIMIT, TRAILING_STOP, PEGGED, GTC = 2, 2, 7, 10, 2
POST_ONLY, REDUCE_ONLY, HIDDEN, ALL_OR_NONE, SLIDE, CANCEL_ON_DISCONNECT = 1, 2, 4, 8, 16, 1 << 15
WORDING = Wording(Names())


def only(commands: Commands) -> Record:
    slots = commands.slots()
    (start,) = record_starts(slots)
    return record_at(slots, int(start))


def order(order_type: int, options: int, **special: Any) -> Record:
    commands = Commands()
    terms = SpecialTerms(**special) if special else None
    commands.submit_order(1, 1, 5, SELL, order_type, GTC, 10, price=90, options=options, special=terms)
    return only(commands)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (POST_ONLY | REDUCE_ONLY, "POST_ONLY|REDUCE_ONLY"),
        (HIDDEN, "HIDDEN"),
        (ALL_OR_NONE, "ALL_OR_NONE"),
        (SLIDE | CANCEL_ON_DISCONNECT, "SLIDE|CANCEL_ON_DISCONNECT"),
    ],
)
def test_every_option_of_an_order_has_its_name(options: int, named: str) -> None:
    assert WORDING.fields(order(LIMIT, options))["terms"] == f"SELL LIMIT GTC {named}"


def test_what_few_orders_say_is_named() -> None:
    said = WORDING.fields(order(TRAILING_STOP, 0, trail=5, trail_by=1, trigger_by=2, self_trade=4))
    named = {name: said[name] for name in ("trail", "trail_by", "trigger_by", "self_trade")}
    assert named == {
        "trail": "5",
        "trail_by": "AMOUNT",
        "trigger_by": "OPPOSITE_BEST",
        "self_trade": "DECREMENT_AND_CANCEL",
    }
    said = WORDING.fields(order(TRAILING_STOP, 0, trail=15_000_000, trail_by=2))
    assert (said["trail"], said["trail_by"]) == ("1.5%", "PERCENT")
    said = WORDING.fields(order(PEGGED, 0, peg=3, peg_offset=-2))
    assert (said["peg"], said["peg_offset"]) == ("MID", "-2")


def test_the_session_of_a_mass_cancel_is_a_clients_and_not_one_of_trading() -> None:
    commands = Commands()
    commands.mass_cancel(1, 0, SELL, session=2)
    said = WORDING.fields(only(commands))
    assert (said["side"], said["session"]) == ("SELL", "2")
