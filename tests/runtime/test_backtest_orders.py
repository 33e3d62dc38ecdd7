"""Every kind of order, in a trader's words: what is sent at which close, what fills when and at which price."""

from typing import Any

import pytest

from openbell import Backtest, FillModel, Instrument, Order, OrderState, Side, Strategy, TimeInForce
from openbell.messages.layouts import select
from tests.runtime.story import ABC, flat, market, markets, play

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
    ("a market order fills at the next open", {1: buy(10)}, ["2 BUY 10 @ 101.00"], ["FILLED"]),
    ("a sale beyond the position is a short", {1: sell(10)}, ["2 SELL 10 @ 101.00"], ["FILLED"]),
    (
        "all-in takes what the open allows",
        {1: buy(percent=1)},
        ["2 BUY 99 @ 101.00"],
        ["FILLED"],
    ),
    ("half of it", {1: buy(percent=0.5)}, ["2 BUY 49 @ 101.00"], ["FILLED"]),
    (
        "half of what is left, twice",
        {1: lambda s: (buy(percent=0.5)(s), buy(percent=0.5)(s))},
        ["2 BUY 49 @ 101.00", "2 BUY 25 @ 101.00"],
        [],
    ),
    ("a limit waits until traded through", {1: buy(10, limit=98)}, ["3 BUY 10 @ 98.00"], ["FILLED"]),
    ("a touch does not fill a limit", {1: buy(10, limit=100)}, ["3 BUY 10 @ 100.00"], ["FILLED"]),
    (
        "a limit beyond the open fills at the open",
        {1: buy(10, limit=105)},
        ["2 BUY 10 @ 101.00"],
        ["FILLED"],
    ),
    ("a limit nobody reaches stays", {1: buy(10, limit=50)}, [], ["CANCELED"]),
    ("a stop buys on the way up", {1: buy(10, stop=103)}, ["2 BUY 10 @ 103.00"], ["FILLED"]),
    (
        "a stop that the open has passed pays the open",
        {2: sell(5, stop=105)},
        ["3 SELL 5 @ 102.00"],
        ["FILLED"],
    ),
    (
        "a stop-limit fills at its stop where the limit allows it",
        {1: buy(10, stop=103, limit=103)},
        ["2 BUY 10 @ 103.00"],
        ["FILLED"],
    ),
    (
        "a stop-limit past its limit becomes a limit for the bars after",
        {2: buy(10, stop=103, limit="102.5")},
        ["4 BUY 10 @ 96.00"],
        ["FILLED"],
    ),
    (
        "DAY lives through the next bar",
        {1: buy(10, limit="100.5", time_in_force="DAY")},
        ["2 BUY 10 @ 100.50"],
        ["FILLED"],
    ),
    ("DAY does not see the day after", {1: buy(10, limit=98, time_in_force="DAY")}, [], ["EXPIRED"]),
    (
        "GTD lives until its time",
        {1: buy(10, limit=96, expire="2022-01-04")},
        ["3 BUY 10 @ 96.00"],
        ["FILLED"],
    ),
    ("GTD is over after its time", {1: buy(10, limit="90.5", expire="2022-01-04")}, [], ["EXPIRED"]),
    ("IOC that is not marketable is gone", {1: buy(10, limit=96, time_in_force="IOC")}, [], ["CANCELED"]),
    (
        "IOC at the market fills",
        {1: buy(10, time_in_force=TimeInForce.IOC)},
        ["2 BUY 10 @ 101.00"],
        ["FILLED"],
    ),
    ("FOK fills whole or not at all", {1: buy(10, time_in_force="fok")}, ["2 BUY 10 @ 101.00"], ["FILLED"]),
    ("FOK that is not marketable is gone", {1: buy(10, limit=96, time_in_force="FOK")}, [], ["CANCELED"]),
    ("post-only that would take is gone", {1: buy(10, limit=103, post_only=True)}, [], ["CANCELED"]),
    ("post-only that rests makes", {1: buy(10, limit=98, post_only=True)}, ["3 BUY 10 @ 98.00"], ["FILLED"]),
    ("reduce-only with nothing to reduce is denied", {1: sell(10, reduce_only=True)}, [], ["DENIED"]),
    (
        "reduce-only is cut down to the position",
        {1: buy(10), 2: sell(50, reduce_only=True)},
        ["2 BUY 10 @ 101.00", "3 SELL 10 @ 102.00"],
        ["FILLED", "CANCELED"],
    ),
    (
        "cancel takes an order back",
        {1: buy(10, limit=98), 2: lambda s: s.cancel(s.kept[1])},
        [],
        ["CANCELED"],
    ),
    (
        "cancel_all takes back those of one instrument",
        {1: buy(10, limit=98), 2: lambda s: s.cancel_all("ABC")},
        [],
        ["CANCELED"],
    ),
    (
        "cancel_all takes back all",
        {1: lambda s: [buy(1, limit=98)(s), sell(1, limit=103)(s)], 2: lambda s: s.cancel_all()},
        [],
        [],
    ),
    (
        "replace moves the limit",
        {1: buy(10, limit=50), 2: lambda s: s.replace(s.kept[1], limit=99)},
        ["3 BUY 10 @ 99.00"],
        ["FILLED"],
    ),
    (
        "replace changes the quantity only",
        {1: buy(10, limit=98), 2: lambda s: s.replace(s.kept[1], quantity=3)},
        ["3 BUY 3 @ 98.00"],
        ["FILLED"],
    ),
    (
        "replace moves the stop",
        {1: buy(10, stop=200), 2: lambda s: s.replace(s.kept[1], stop=104)},
        ["3 BUY 10 @ 104.00"],
        ["FILLED"],
    ),
    (
        "replace that is refused leaves the order as it was",
        {1: buy(10, limit=98), 2: lambda s: s.replace(s.kept[1], quantity=100_000)},
        ["3 BUY 10 @ 98.00"],
        ["FILLED"],
    ),
    (
        "close sells what is held",
        {1: buy(10), 2: lambda s: s.close("ABC")},
        ["2 BUY 10 @ 101.00", "3 SELL 10 @ 102.00"],
        ["FILLED", "FILLED"],
    ),
    (
        "close buys back a short",
        {1: sell(10), 2: lambda s: s.close("ABC")},
        ["2 SELL 10 @ 101.00", "3 BUY 10 @ 102.00"],
        ["FILLED", "FILLED"],
    ),
    ("close of nothing sends nothing", {1: lambda s: s.close("ABC")}, [], []),
    (
        "close and all-in at one open see each other",
        {1: buy(percent=1), 2: lambda s: (s.close("ABC"), s.sell("ABC", percent=1))},
        ["2 BUY 99 @ 101.00", "3 SELL 99 @ 102.00", "3 SELL 99 @ 102.00"],
        ["FILLED"],
    ),
    (
        "target_percent is sized at the fill and trades the difference only",
        {1: lambda s: s.target_percent("ABC", 0.5), 2: lambda s: s.target_percent("ABC", 0.25)},
        ["2 BUY 49 @ 101.00", "3 SELL 25 @ 102.00"],
        ["FILLED", "FILLED"],
    ),
    (
        "target_percent turns a long into a short in one order",
        {1: lambda s: s.target_percent("ABC", 0.5), 2: lambda s: s.target_percent("ABC", -0.5)},
        ["2 BUY 49 @ 101.00", "3 SELL 98 @ 102.00"],
        ["FILLED", "FILLED"],
    ),
    (
        "a target that is met trades nothing",
        {1: lambda s: s.target_percent("ABC", 0.5), 5: lambda s: s.target_percent("ABC", 0.49)},
        ["2 BUY 49 @ 101.00"],
        ["FILLED", "CANCELED"],
    ),
    ("an order from the last bar has no open to fill at", {6: buy(10)}, [], ["CANCELED"]),
    (
        "an all-in from on_start fills at the first open",
        {0: buy(percent=1)},
        ["1 BUY 100 @ 100.00"],
        ["FILLED"],
    ),
]


@pytest.mark.parametrize(
    ("actions", "fills", "states"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_orders_fill_as_a_trader_expects(actions, fills, states):
    story = play(ROWS, actions, leverage=1)
    assert story.fills == fills
    assert story.states() == states


REFUSED = [
    # what is refused, action at the close of bar 1, settings, what the order says
    (
        "a short where none is allowed",
        sell(1),
        {"shorting": False},
        "SHORT_MUST_BE_ALLOWED: limit 0, actual 1",
    ),
    ("more than cash and leverage buy", buy(101), {}, "LEVERAGE_MUST_NOT_EXCEED_LIMIT: limit 1, actual 1.01"),
    (
        "more than leverage allows",
        buy(201),
        {"leverage": 2},
        "LEVERAGE_MUST_NOT_EXCEED_LIMIT: limit 2, actual 2.01",
    ),
    (
        "a negative target without shorting",
        lambda s: s.target_percent("ABC", -0.1),
        {"shorting": False},
        "SHORT_MUST",
    ),
    ("an expiry in the past", buy(1, limit=90, expire="2022-01-01"), {}, "EXPIRY_MUST_BE_IN_FUTURE"),
]


@pytest.mark.parametrize(
    ("action", "settings", "refusal"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_refusal_names_rule_limit_and_actual(action, settings, refusal):
    story = play(ROWS, {1: action}, **settings)
    assert story.fills == []
    assert story.order(1).state in (OrderState.DENIED, OrderState.REJECTED)
    assert refusal in story.order(1).refusal
    assert any(refusal.partition(":")[0] in note for note in story.result.notes)


@pytest.mark.parametrize(
    ("force", "rule"),
    [
        ("IOC", "IMMEDIATE_OR_CANCEL_MUST_FILL_NOW: limit 10"),
        ("FOK", "FILL_OR_KILL_MUST_FILL_WHOLE: limit 10, actual 0"),
    ],
)
def test_what_may_not_wait_says_which_rule_ended_it(force, rule):
    assert rule in play(ROWS, {1: buy(10, limit=96, time_in_force=force)}).order(1).refusal


def test_what_no_longer_can_be_paid_at_the_open_is_canceled_and_named():
    story = play(ROWS, {1: buy(100)})
    assert story.fills == []
    assert story.order(1).state is OrderState.CANCELED
    assert story.order(1).refusal.startswith("LEVERAGE_MUST_NOT_EXCEED_LIMIT: limit 1, actual 1.01")


def test_a_price_off_a_declared_tick_is_refused_by_the_rule():
    coarse = Instrument("ABC", tick="0.05", price_unit="0.01")
    story = play(market(ROWS, coarse), {1: buy(5, limit="96.02"), 2: buy(5, stop="110.01")})
    assert story.order(1).refusal.startswith("PRICE_MUST_BE_ON_TICK: limit 0.05, actual 96.02")
    assert story.order(2).refusal.startswith("STOP_PRICE_MUST_BE_ON_TICK: limit 0.05, actual 110.01")
    assert "round_price" in story.order(1).refusal
    assert story.states() == ["DENIED", "DENIED"]


def test_a_quantity_off_the_lot_is_refused_by_the_rule():
    lots = Instrument("ABC", lot=10, quantity_unit=1)
    story = play(market(ROWS, lots), {1: buy(25), 2: buy(20)})
    assert story.order(1).refusal.startswith("QUANTITY_MUST_BE_ON_LOT: limit 10, actual 25")
    assert story.fills == ["3 BUY 20 @ 102.00"]


def test_sizes_in_percent_are_floored_to_the_lot():
    lots = Instrument("ABC", lot=10, quantity_unit=1)
    assert play(market(ROWS, lots), {1: buy(percent=1)}).fills == ["2 BUY 90 @ 101.00"]


def test_fractions_trade_where_the_lot_is_one():
    coin = Instrument("ABC", tick="0.01", lot="0.001")
    story = play(market(ROWS, coin), {1: buy("0.125"), 2: sell(percent=0.5)})
    assert story.fills[0] == "2 BUY 0.125 @ 101.00"
    assert story.player.kept[1].quantity == story.player.kept[1].cumulative_quantity


BRACKETS = [
    (
        "the stop gets out",
        {"stop": 94, "target": 110},
        ["2 BUY 10 @ 101.00", "4 SELL 10 @ 94.00"],
        ("FILLED", "FILLED", "CANCELED"),
    ),
    (
        "the target takes the profit",
        {"stop": 80, "target": "102.5"},
        ["2 BUY 10 @ 101.00", "2 SELL 10 @ 102.50"],
        ("FILLED", "CANCELED", "FILLED"),
    ),
    (
        "distances count from the price of the fill",
        {"stop": "-3%", "target": "+6%"},
        ["2 BUY 10 @ 101.00", "3 SELL 10 @ 97.97"],
        ("FILLED", "FILLED", "CANCELED"),
    ),
    (
        "when both lie in one bar the worse one fills",
        {"stop": 96, "target": "103.5"},
        ["2 BUY 10 @ 101.00", "3 SELL 10 @ 96.00"],
        ("FILLED", "FILLED", "CANCELED"),
    ),
    ("a stop alone", {"stop": 96}, ["2 BUY 10 @ 101.00", "3 SELL 10 @ 96.00"], ("FILLED", "FILLED", None)),
    (
        "a target alone",
        {"target": "102.5"},
        ["2 BUY 10 @ 101.00", "2 SELL 10 @ 102.50"],
        ("FILLED", None, "FILLED"),
    ),
    (
        "an entry at a limit",
        {"limit": 98, "stop": 92, "target": 105},
        ["3 BUY 10 @ 98.00", "4 SELL 10 @ 92.00"],
        ("FILLED", "FILLED", "CANCELED"),
    ),
    (
        "an entry that never fills takes its exits along",
        {"limit": 50, "stop": 40},
        [],
        ("CANCELED", "CANCELED", None),
    ),
    (
        "a short is protected above and takes its profit below",  # 104.03 is not reached, 94.94 is
        {"side": "sell", "stop": "+3%", "target": "-6%"},
        ["2 SELL 10 @ 101.00", "4 BUY 10 @ 94.94"],
        ("FILLED", "CANCELED", "FILLED"),
    ),
]


@pytest.mark.parametrize(
    ("terms", "fills", "states"), [row[1:] for row in BRACKETS], ids=[row[0] for row in BRACKETS]
)
def test_brackets_protect_what_was_filled(terms, fills, states):
    story = play(ROWS, {1: lambda s: s.bracket("ABC", 10, **terms)})
    bracket = story.order(1)
    legs = (bracket.entry, bracket.stop, bracket.target)
    assert story.fills == fills
    assert tuple(None if leg is None else leg.state.name for leg in legs) == states


@pytest.mark.parametrize(
    "leave", [lambda s: s.close("ABC"), lambda s: s.sell("ABC", 20)], ids=["closed", "turned"]
)
def test_exits_do_not_outlive_the_position_they_protect(leave):
    rows = [*flat(100, 5), (100, 100, 90, 90), (90, 120, 90, 110)]
    story = play(
        rows,
        {
            1: lambda s: s.bracket("ABC", 10, stop=95, target=105),
            2: leave,
            3: lambda s: s.target_percent("ABC", 0.07),
        },
    )
    bracket = story.order(1)
    assert (bracket.stop.state, bracket.target.state) == (OrderState.CANCELED, OrderState.CANCELED)
    assert story.player.fills[0] == "2 BUY 10 @ 100.00"
    assert len(story.fills) == 3, "the stop of the first position leaves the second alone"


def test_of_two_brackets_each_keeps_its_own_exits():
    rows = [*flat(100, 3), (100, 100, 94, 96), (96, 96, 89, 90)]
    story = play(
        rows,
        {
            1: lambda s: (
                s.bracket("ABC", 10, stop=95, target=120),
                s.bracket("ABC", 5, stop=90, target=130),
            ),
        },
    )
    assert story.fills == ["2 BUY 10 @ 100.00", "2 BUY 5 @ 100.00", "4 SELL 10 @ 95.00", "5 SELL 5 @ 90.00"]
    first, second = story.order(1)
    assert [leg.state.name for leg in (first.target, second.target)] == ["CANCELED", "CANCELED"]


def test_of_two_orders_that_cancel_each_other_only_one_trades():
    def pair(strategy):
        above = strategy.buy("ABC", 10, stop=103)
        below = strategy.buy("ABC", 10, limit=95.5, cancels=above)
        return [above, below]

    story = play(ROWS, {1: pair})
    above, below = story.order(1)
    assert story.fills == ["2 BUY 10 @ 103.00"]
    assert (above.state, below.state) == (OrderState.FILLED, OrderState.CANCELED)
    assert below.refusal.startswith(("PARTNER", "CANCELED"))


def test_target_weights_sells_before_it_buys():
    rows = flat(100, 6)
    both = markets(a=market(rows), b=market(rows, Instrument("XYZ")))
    story = play(
        both,
        {
            1: lambda s: s.target_weights({"ABC": 1.0, "XYZ": 0.0}),
            3: lambda s: s.target_weights({"XYZ": 1.0, "ABC": 0.0}),
        },
    )
    assert story.fills == ["2 BUY 100 @ 100.00", "4 SELL 100 @ 100.00", "4 BUY 100 @ 100.00"]
    assert len(story.order(1)) == 1, "nothing is sent for a weight of 0 without a position"
    assert [order.side for order in story.order(3)] == [Side.SELL, Side.BUY]


def test_an_order_may_be_kept_and_looked_at_days_after_it_closed():
    held = {}

    def look(strategy):
        order = strategy.kept[1]
        held["is_open"], held["state"] = order.is_open, order.state
        held["average_price"], held["quantity"] = order.average_price, order.quantity

    story = play(ROWS, {1: buy(10), 6: look})
    assert held == {"is_open": False, "state": OrderState.FILLED, "average_price": 101, "quantity": 10}
    assert story.order(1).order_id is not None


def test_the_order_a_hook_is_told_of_is_the_one_that_was_returned():
    told: list[Order] = []

    class Told(Strategy):
        def on_bar(self, bar):
            if not told:
                self.entry = self.buy(bar.instrument, 10)
                told.append(self.entry)

        def on_order(self, order):
            told.append(order)

    Backtest(Told(), market(ROWS)).prepare().execute(None)
    assert len(told) == 3
    assert all(order is told[0] for order in told)


def test_open_orders_gives_back_the_same_objects_oldest_first():
    def two(strategy):
        return [strategy.buy("ABC", 1, limit=50), strategy.buy("ABC", 1, limit=51)]

    found: dict[str, Any] = {}
    story = play(ROWS, {1: two, 2: lambda s: found.update(all=s.open_orders(), one=s.open_orders("ABC"))})
    assert found["all"] == story.order(1) == found["one"]
    assert [a is b for a, b in zip(found["all"], story.order(1), strict=True)] == [True, True]


def test_volume_share_spreads_an_order_over_bars():
    rows = [(100, 100, 100, 100, 40)] * 5
    story = play(rows, {1: buy(10)}, fills=FillModel(volume_share="10%"))
    assert story.fills == ["2 BUY 4 @ 100.00", "3 BUY 4 @ 100.00", "4 BUY 2 @ 100.00"]


@pytest.mark.parametrize(("how", "price"), [(False, None), (True, 98), ("open", 92)])
def test_positions_left_at_the_end_stay_or_are_closed_as_asked(how, price):
    result = play(ROWS[:5], {1: buy(10)}, close_at_end=how).result
    fills = select(result.output, "OrderFilled")["last_price"] / 100
    assert fills.tolist() == ([101] if price is None else [101, price])
    assert result.valuations["net_low"][-1] == (10 * 98 * 10**9 if price is None else 0)


def test_a_kept_instrument_names_what_to_trade_as_its_symbol_does():
    assert play(ROWS, {1: lambda s: s.buy(ABC, 10)}).fills == ["2 BUY 10 @ 101.00"]
    assert play(ROWS, {1: lambda s: s.buy(s.instruments[0], 10)}).fills == ["2 BUY 10 @ 101.00"]
