"""Touched and trailing orders in a backtest, in a trader's words, and what a simulated venue refuses by its rule."""

from decimal import Decimal
from typing import Any, cast

import pytest

from openbell import Instrument, OrderState
from openbell.kernel import SpecialTerms
from openbell.model.errors import InputError, StrategyError
from openbell.model.terms import OrderType, Peg, SelfTradeAction, TrailBy, TriggerBy
from openbell.strategy.special_terms import Special, SpecialArguments, special_of
from tests.runtime.story import failure, market, play

# open, high, low, close; bar n closes n days after the first day begins
ROWS = [
    (100, 101, 99, 100),
    (101, 103, 100, 102),
    (102, 104, 95, 96),
    (96, 97, 90, 91),
    (92, 99, 91, 98),
    (98, 98, 98, 98),
]


def buy(*size, **terms):
    return lambda strategy: strategy.buy("ABC", *size, **terms)


def sell(*size, **terms):
    return lambda strategy: strategy.sell("ABC", *size, **terms)


TABLE = [
    # what a trader says, what he does at the close of bars, fills, state of his orders
    (
        "a touched order buys at its trigger on the way down",
        {1: buy(10, touched=98)},
        ["3 BUY 10 @ 98.00"],
        ["FILLED"],
    ),
    (
        "a touch is enough: it does not stand in a queue",
        {1: buy(10, touched=95)},
        ["3 BUY 10 @ 95.00"],
        ["FILLED"],
    ),
    ("nobody comes to its trigger", {1: buy(10, touched=89)}, [], ["CANCELED"]),
    (
        "an open beyond the trigger wakes it there",
        {3: sell(10, touched=95)},
        ["4 SELL 10 @ 96.00"],
        ["FILLED"],
    ),
    (
        "with a limit that allows its trigger it fills there",
        {1: buy(10, touched=98, limit=99)},
        ["3 BUY 10 @ 98.00"],
        ["FILLED"],
    ),
    (
        "with a limit beyond the trigger it is a limit order from the next bar on",
        {1: buy(10, touched=98, limit=97)},
        ["4 BUY 10 @ 96.00"],
        ["FILLED"],
    ),
    (
        "a trailing stop begins behind the last close",
        {2: sell(10, trail=3)},
        ["3 SELL 10 @ 99.00"],
        ["FILLED"],
    ),
    ("or so many percent behind", {2: sell(10, trail="2%")}, ["3 SELL 10 @ 99.96"], ["FILLED"]),
    (
        "the better extreme comes before the worse one",
        {2: sell(10, trail=8)},
        ["3 SELL 10 @ 96.00"],
        ["FILLED"],
    ),
    ("so it does for a buy", {3: buy(10, trail=5)}, ["4 BUY 10 @ 95.00"], ["FILLED"]),
    ("an open beyond it triggers it there", {4: buy(10, trail="0.5")}, ["5 BUY 10 @ 92.00"], ["FILLED"]),
    (
        "what is far behind follows bar by bar and never moves back",
        {1: sell(10, trail=12)},
        ["4 SELL 10 @ 92.00"],
        ["FILLED"],
    ),
    ("it begins where it is told", {2: sell(10, trail=8, stop=100)}, ["3 SELL 10 @ 100.00"], ["FILLED"]),
    (
        "with a limit behind its stop",
        {2: sell(10, trail=8, limit_offset=1)},
        ["3 SELL 10 @ 96.00"],
        ["FILLED"],
    ),
    (
        "whose limit the open has passed waits for it",
        {3: buy(10, trail=4, limit_offset=0), 4: lambda s: s.sell("ABC", 1)},
        ["4 BUY 10 @ 94.00", "5 SELL 1 @ 92.00"],
        ["FILLED", "FILLED"],
    ),
    (
        "reduce-only protects a position and no more",
        {1: buy(10), 2: sell(50, trail=3, reduce_only=True)},
        ["2 BUY 10 @ 101.00", "3 SELL 10 @ 99.00"],
        ["FILLED", "CANCELED"],
    ),
    (
        "a trailing stop and a touched target cancel each other, the stop first",
        {1: buy(10), 2: lambda s: s.sell("ABC", 10, touched=103, cancels=s.sell("ABC", 10, trail=3))},
        ["2 BUY 10 @ 101.00", "3 SELL 10 @ 99.00"],
        ["FILLED", "CANCELED"],
    ),
    (
        "cancel takes a trailing stop back",
        {2: sell(10, trail=8), 3: lambda s: s.cancel_all(), 1: sell(10, trail=30)},
        ["3 SELL 10 @ 96.00"],
        ["CANCELED", "FILLED"],
    ),
]


@pytest.mark.parametrize(
    ("actions", "fills", "states"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_special_orders_fill_as_a_trader_expects(actions, fills, states):
    story = play(ROWS, dict(sorted(actions.items())), leverage=2)
    assert story.fills == fills
    assert story.states() == states


def test_a_trailing_stop_shows_where_it_stands():
    seen = []
    actions = {
        1: sell(10, trail=12),
        2: lambda s: seen.append(s.kept[1].stop_price),
        3: lambda s: seen.append(s.kept[1].stop_price),
    }
    play(ROWS, actions)
    assert [Decimal(price) for price in seen] == [Decimal(91), Decimal(92)]


def test_a_bracket_may_trail():
    story = play(ROWS, {1: lambda s: s.bracket("ABC", 10, trail=4, target=110)})
    assert story.fills == ["2 BUY 10 @ 101.00", "3 SELL 10 @ 99.00"]
    bracket = story.order(1)
    assert [bracket.entry.state, bracket.stop.state, bracket.target.state] == [
        OrderState.FILLED,
        OrderState.FILLED,
        OrderState.CANCELED,
    ]
    assert bracket.stop.order_type is OrderType.TRAILING_STOP


def test_a_trailing_stop_released_inside_a_bar_begins_at_the_fill_and_does_not_follow_that_bar():
    """Bar 3 falls from 102 through the entry at 98 to 95: 1 behind is reached, 4 behind is not."""
    near = play(ROWS, {1: lambda s: s.bracket("ABC", 10, limit=98, trail=1)})
    far = play(ROWS, {1: lambda s: s.bracket("ABC", 10, limit=98, trail=4)})
    assert near.fills == ["3 BUY 10 @ 98.00", "3 SELL 10 @ 97.00"]
    assert far.fills == ["3 BUY 10 @ 98.00", "4 SELL 10 @ 94.00"]


def test_a_bracket_has_one_stop():
    raised = failure(ROWS, {1: lambda s: s.bracket("ABC", 10, trail=4, stop=90)})
    assert isinstance(raised, StrategyError)
    assert "stop and trail contradict" in str(raised)


NOT_OF_PRICES = [
    {"limit": 98, "display": 5},
    {"limit": 98, "hidden": True},
    {"limit": 98, "minimum": 5},
    {"limit": 98, "all_or_none": True},
    {"limit": 98, "slide": True},
    {"limit": 98, "self_trade": "CANCEL_RESTING"},
    {"limit": 98, "self_trade": "CANCEL_RESTING", "self_trade_group": 3},
    {"peg": "MID"},
    {"peg": "PRIMARY", "peg_offset": -1, "limit": 98},
    {"market_to_limit": True},
    {"stop": 110, "trigger_by": "MARK"},
    {"trail": 3, "trigger_by": "OPPOSITE_BEST"},
]


@pytest.mark.parametrize("terms", NOT_OF_PRICES, ids=lambda terms: " ".join(terms))
def test_what_no_data_tells_is_denied_by_its_rule(terms):
    story = play(ROWS, {1: buy(10, **terms)})
    assert story.fills == []
    assert story.order(1).state is OrderState.DENIED
    assert story.order(1).refusal.startswith("ORDER_TYPE_MUST_BE_SUPPORTED")


@pytest.mark.parametrize(
    ("terms", "rule"),
    [
        ({"trail": 0}, "TRAIL_MUST_BE_POSITIVE"),
        ({"trail": "100%"}, "TRAIL_MUST_BE_IN_BOUNDS"),
        ({"percent": 1, "trail": 3}, "SIZING_MUST_BE_SUPPORTED"),
        ({"percent": 1, "touched": 98}, "SIZING_MUST_BE_SUPPORTED"),
        ({"trail": 3, "time_in_force": "AT_CLOSE"}, "TERMS_MUST_FIT_ORDER_TYPE"),
        ({"touched": "98.005"}, "STOP_PRICE_MUST_BE_ON_TICK"),
    ],
)
def test_terms_that_break_a_rule_name_it(terms, rule):
    size = () if "percent" in terms else (10,)
    fine = Instrument("ABC", tick="0.01", price_unit="0.001", lot=1)
    story = play(market(ROWS, fine), {1: buy(*size, **terms)})
    assert story.fills == []
    assert story.order(1).refusal.startswith(rule)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"trail": 3, "touched": 98}, "touched and trail contradict"),
        ({"peg": "MID", "stop": 98}, "peg and stop contradict"),
        ({"trail": 3, "limit": 98}, "trail and limit contradict"),
        ({"trail": "much"}, "trail is 'much'"),
        ({"peg": "TOP"}, "peg is 'TOP'; it must be one of PRIMARY, MARKET, MID"),
        ({"limit": 98, "display": 0}, "display is 0; it must be above 0"),
        ({"touched": -1}, "touched"),
        ({"touched": 98, "post_only": True}, "post_only needs limit="),
    ],
)
def test_terms_that_make_no_sense_are_errors_of_the_strategy(terms, words):
    raised = failure(ROWS, {1: buy(10, **terms)})
    assert isinstance(raised, (StrategyError, InputError))
    assert words in str(raised)


def terms_of(limit: int | None = None, **given: Any) -> Special:
    found = special_of(cast(SpecialArguments, given), limit, None)
    assert found is not None
    return found


def test_a_name_that_is_no_term_is_an_error():
    with pytest.raises(TypeError, match="take no argument 'trial'"):
        terms_of(trial=3)


def test_every_argument_becomes_its_term():
    instrument = Instrument("ABC", tick="0.05", lot="0.1")
    special = terms_of(
        trail="2.5%", limit_offset="0.10", trigger_by="mark", display="0.5", minimum=1,
        self_trade=SelfTradeAction.CANCEL_BOTH, self_trade_group=7, peg=None,
    )  # fmt: skip
    assert special.order_type(has_limit=False) is OrderType.TRAILING_STOP_LIMIT
    assert special.terms(instrument) == SpecialTerms(
        trail=25_000_000, trail_by=TrailBy.PERCENT, limit_offset=2, trigger_by=TriggerBy.MARK, display_quantity=5,
        minimum_quantity=10, self_trade=SelfTradeAction.CANCEL_BOTH, self_trade_group=7,
    )  # fmt: skip
    pegged = terms_of(1, peg="market", peg_offset="-0.05", hidden=True, slide=True)
    assert pegged.order_type(has_limit=True) is OrderType.PEGGED
    assert pegged.terms(instrument) == SpecialTerms(peg=Peg.MARKET, peg_offset=-1)
    assert pegged.options() == 4 | 16
    assert terms_of(trail="0.10").terms(instrument) == SpecialTerms(trail=2, trail_by=TrailBy.AMOUNT)
    assert special_of({}, None, None) is None
