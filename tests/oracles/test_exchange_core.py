"""exchange-core's scenarios on our node: each of their steps is true here, or it is in the table of differences."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.oracles.exchange_core import Floor, Scenario, Step, read_scenarios

FEATURES = ("basic.feature", "risk.feature")
SCENARIOS = {
    ("basic.feature", "basic full cycle test"): 2,
    ("basic.feature", "cancel BID order"): 1,
    ("risk.feature", "basic scenario"): 1,
    ("risk.feature", "move orders UP and DOWN"): 1,
}


class Difference(NamedTuple):
    """A step that is not true here, what is instead, and why."""

    line: int
    text: str
    ours: str
    reason: str


NO_RESERVE_PRICE = (
    "Their bids name a reserve price: the money held, and the highest price the bid may be moved to. Ours hold money for "
    "their limit price; a replace is judged again by the risk gate, at its new price."
)
DIFFERENCES = {
    "risk.feature": [
        Difference(
            81,
            "A client Bob could not place an BID order 203 at 18000@500 (type: GTC, symbol: ETH_XBT, reservePrice: 19000) "
            "due to RISK_NSF",
            "order 203 was accepted",
            NO_RESERVE_PRICE,
        ),
        Difference(
            91,
            "A balance of a client Bob:",
            "the balance is {'XBT': 4000000, 'ETH': 0}",
            NO_RESERVE_PRICE,
        ),
        Difference(
            97,
            "A client Bob could not move a price to 18501 of the order 203 due to "
            "MATCHING_MOVE_FAILED_PRICE_OVER_RISK_LIMIT",
            "order 203 was moved",
            NO_RESERVE_PRICE,
        ),
        Difference(
            98,
            "A balance of a client Bob:",
            "the balance is {'XBT': 4000000, 'ETH': 0}",
            NO_RESERVE_PRICE,
        ),
        Difference(
            115,
            "A balance of a client Bob:",
            "the balance is {'XBT': 6500000, 'ETH': 0}",
            NO_RESERVE_PRICE,
        ),
    ]
}

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def folder(real_data: Path) -> Path:
    return real_data / "matching" / "exchange_core_features"


def differing(scenario: Scenario, known: dict[int, Difference]) -> list[tuple[int, str, str]]:
    """Line, text and our answer of the steps that are not true here.

    Known differences are tried on a copy, so that what we do instead does not change what follows.
    """
    floor = Floor()
    found = []
    for step in scenario.steps:
        on = floor.copy() if step.line in known else floor
        try:
            on.say(step)
        except AssertionError as told:
            found.append((step.line, step.text, str(told)))
    return found


def test_every_step_is_true_here_or_a_known_difference(folder: Path) -> None:
    played = dict.fromkeys(SCENARIOS, 0)
    for feature in FEATURES:
        known = {difference.line: difference for difference in DIFFERENCES.get(feature, [])}
        met = set()
        for scenario in read_scenarios(folder / feature):
            played[feature, scenario.name] += 1
            for line, text, told in differing(scenario, known):
                assert line in known, f"{feature}:{line}: {text}: {told}"
                assert (text, told.splitlines()[0]) == (known[line].text, known[line].ours)
                met.add(line)
        assert met == known.keys(), "a step that is named as a difference is true here"
    assert played == SCENARIOS


def test_no_feature_file_is_left_out(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(FEATURES)


def test_a_step_that_is_not_true_is_found_out() -> None:
    steps = [
        ("New client Alice has a balance:", (("USD", "100"),)),
        (
            "A client Alice places an ASK order 1 at 10@7 (type: GTC, symbol: EUR_USD, reservePrice: 10)",
            (),
        ),
        ("An EUR_USD order book is:", (("", "10", "8"),)),
        ("No trade events", ()),
        ("A client Alice does not have active orders", ()),
    ]
    scenario = Scenario("wrong", tuple(Step(line, *step) for line, step in enumerate(steps)))
    assert [line for line, _, _ in differing(scenario, {})] == [2, 4]


def test_a_sentence_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(LookupError, match="line 3: nobody knows"):
        Floor().say(Step(3, "Alice sings", ()))
