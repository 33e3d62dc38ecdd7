"""A price that goes through zero in a backtest, as WTI for May 2020 did on 20 April: orders, positions, cash, fees, report."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from openbell import Backtest, Instrument, Strategy, StrategyError, Venue, read_bars, read_orders, replay
from openbell.model.errors import InputError
from tests.runtime.market_history import History, told
from tests.runtime.story import ABC, Player, failure, frame, market, play

WTI = Instrument("CLK0", tick="0.01", lot=1, multiplier=1000, negative_prices=True)
ROWS = [
    # open, high, low, close of pieces of that day
    (17.73, 17.85, 14.47, 14.50),
    (14.50, 14.52, 10.01, 10.50),
    (10.50, 10.50, 0.01, 0.01),
    (0.00, 0.50, -13.10, -13.00),
    (-13.00, -5.00, -40.32, -37.63),
    (-37.00, -2.00, -38.00, -20.00),
    (-20.00, 10.00, -21.00, 8.00),
]


def buy(*size: Any, **terms: Any):
    return lambda strategy: strategy.buy("CLK0", *size, **terms)


def sell(*size: Any, **terms: Any):
    return lambda strategy: strategy.sell("CLK0", *size, **terms)


def day() -> Any:
    return market(ROWS, instrument=WTI)


def played(acts: Any, bars: Any = None, **settings: Any) -> Any:
    """The run, with its tables."""
    made: Any = type("Acts", (Player,), {"_actions": acts})
    return Backtest(made(), bars or day(), cash=1_000_000, leverage=10, **settings).run()


def told_fills(run: Any) -> list[str]:
    rows = run.fills.select("side", "quantity", "price").rows()
    return [f"{side.upper()} {quantity:.0f} @ {price:.2f}" for side, quantity, price in rows]


TABLE = [
    # what a trader says, what he does at the close of bars, fills, states of his orders
    ("a market order fills at an open of zero", {3: buy(1)}, ["4 BUY 1 @ 0.00"], ["FILLED"]),
    ("a market order fills below zero", {4: sell(1)}, ["5 SELL 1 @ -13.00"], ["FILLED"]),
    ("a bid of zero", {2: buy(1, limit=0)}, ["4 BUY 1 @ 0.00"], ["FILLED"]),
    ("a bid below zero", {1: buy(1, limit="-20.00")}, ["5 BUY 1 @ -20.00"], ["FILLED"]),
    (
        "an offer below zero fills at a better open",
        {4: sell(1, limit=-37)},
        ["5 SELL 1 @ -13.00"],
        ["FILLED"],
    ),
    ("an offer of zero on the way up", {5: sell(1, limit=0)}, ["7 SELL 1 @ 0.00"], ["FILLED"]),
    ("a stop at zero", {1: sell(1, stop=0)}, ["4 SELL 1 @ 0.00"], ["FILLED"]),
    ("a stop below zero", {1: sell(1, stop=-10)}, ["4 SELL 1 @ -10.00"], ["FILLED"]),
    ("a buy stop at zero on the way up", {5: buy(1, stop=0)}, ["7 BUY 1 @ 0.00"], ["FILLED"]),
    ("a stop-limit at zero", {1: sell(1, stop=0, limit=-5)}, ["4 SELL 1 @ 0.00"], ["FILLED"]),
    ("a touch at zero", {1: buy(1, touched=0)}, ["4 BUY 1 @ 0.00"], ["FILLED"]),
    ("a touch below zero", {1: buy(1, touched=-12)}, ["4 BUY 1 @ -12.00"], ["FILLED"]),
    (
        "a trailing stop follows below zero and is taken on the way up",
        {4: buy(1, trail=5)},
        ["5 BUY 1 @ -8.00"],
        ["FILLED"],
    ),
    (
        "a trail in percent is of the distance from zero",
        {4: buy(1, trail="50%")},
        ["5 BUY 1 @ -6.50"],
        ["FILLED"],
    ),
    ("a trail whose stop comes to lie at zero", {3: sell(1, trail="0.01")}, ["4 SELL 1 @ 0.00"], ["FILLED"]),
    (
        "another price below zero",
        {1: buy(1, limit=-1), 2: lambda s: s.replace(s.kept[1], limit=-30)},
        ["5 BUY 1 @ -30.00"],
        ["FILLED"],
    ),
    (
        "a target of nothing closes below zero",
        {1: buy(2), 4: lambda s: s.target_percent("CLK0", 0)},
        ["2 BUY 2 @ 14.50", "5 SELL 2 @ -13.00"],
        ["FILLED", "FILLED"],
    ),
    (
        "a position is closed below zero",
        {1: buy(2), 4: lambda s: s.close("CLK0")},
        ["2 BUY 2 @ 14.50", "5 SELL 2 @ -13.00"],
        ["FILLED", "FILLED"],
    ),
    ("a share of equity buys nothing below zero", {4: buy(percent=0.5)}, [], ["CANCELED"]),
]


@pytest.mark.parametrize(
    ("acts", "fills", "states"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_orders_of_every_kind_work_across_zero(acts: Any, fills: Any, states: Any) -> None:
    story = play(day(), acts, cash=10_000_000, leverage=10)
    assert (story.fills, story.states()) == (fills, states)


def test_cash_and_fees_follow_the_price_below_zero() -> None:
    # Bought at 14.50, sold at -13.00, bought at -37.00: each times 1,000, fees on the distance from zero.
    acts = {1: buy(2), 4: sell(3), 5: buy(1)}
    run = played(acts, fees="0.1%")
    assert told_fills(run) == ["BUY 2 @ 14.50", "SELL 3 @ -13.00", "BUY 1 @ -37.00"]
    traded = [(2, Decimal("14.5")), (-3, Decimal(-13)), (1, Decimal(-37))]
    fees = sum(abs(quantity * price) * 1000 / 1000 for quantity, price in traded)
    cash = 1_000_000 - sum(quantity * price * 1000 for quantity, price in traded) - fees
    assert (run.equity["equity"][-1], run.fills["fee"].sum()) == (cash, fees)


@pytest.mark.parametrize("close_at_end", [False, True])
def test_what_is_held_below_zero_is_worth_less_than_nothing_and_closed_there(close_at_end: bool) -> None:
    run = played({1: buy(2)}, day().slice(None, "2022-01-06"), close_at_end=close_at_end)
    assert run.equity["equity"][-1] == 1_000_000 + 2000 * (Decimal("-37.63") - Decimal("14.50"))
    assert (len(run.fills), run.trades["is_open"].to_list()) == (1 + close_at_end, [not close_at_end])


@pytest.mark.parametrize(
    ("entry", "leave", "gain"),
    [
        (buy, sell, (Decimal(-20) + Decimal(37)) / 37),
        (sell, buy, (Decimal(-37) + Decimal(20)) / 37),
    ],
)
def test_a_round_trip_begun_below_zero_returns_its_gain_over_the_distance(
    entry: Any, leave: Any, gain: Decimal
) -> None:
    run = played({5: entry(1), 6: leave(1)})
    assert run.trades["return"].to_list() == pytest.approx([float(gain)])
    assert (run.trades["profit_and_loss"][0] > 0) == (gain > 0)


def test_a_round_trip_begun_at_zero_has_no_return() -> None:
    run = played({3: buy(1), 4: sell(1)})
    assert run.trades["profit_and_loss"].to_list() == [-13_000]
    assert run.trades["return"].to_list() == [None]
    assert run.stats.trades == 1


def test_slippage_below_zero_goes_against_whoever_takes() -> None:
    story = play(day(), {4: lambda s: (buy(1)(s), sell(1)(s))}, cash=10_000_000, leverage=10, slippage="1%")
    assert story.fills == ["5 BUY 1 @ -12.87", "5 SELL 1 @ -13.13"]


def test_a_bracket_in_percent_lies_on_the_right_sides_of_a_fill_below_zero() -> None:
    story = play(
        day(),
        {4: lambda s: s.bracket("CLK0", 1, stop="-300%", target="+50%")},
        cash=10_000_000,
        leverage=10,
    )
    # Bought at -13.00: the stop 39.00 below it is not reached, the target 6.50 above it is.
    assert story.fills == ["5 BUY 1 @ -13.00", "5 SELL 1 @ -6.50"]


def test_the_book_of_our_own_venue_and_what_a_strategy_sees_of_it_go_through_zero() -> None:
    history = (
        History()
        .add("BUY", "-0.01", 5, 1)
        .add("SELL", "0.00", 6, 2)
        .take("BUY", "0.00", 1)
        .take("SELL", "-0.01", 2)
        .take("BUY", None, 2)
        .take("BUY", "0", 9)
    )
    strategy = told(buy(1, limit=0), sell(1, limit="-0.01"))
    data = read_orders(history.frame, instrument=WTI)
    assert data.first_price == -1
    Backtest(strategy(), data, cash=1_000_000, leverage=10, venue=Venue()).run()
    seen = strategy._last
    assert seen.fills == [("BUY", 1.0, 0.0, "TAKER"), ("SELL", 1.0, -0.01, "TAKER")]
    assert seen.prints[0] == (0.0, 1.0, "BUY")
    assert (-0.01, 5.0, 0.0, 5.0) in seen.quotes
    assert seen.quotes[-1] == (-0.01, 2.0, None, 0.0)


PLAIN = Instrument("CLK0", tick="0.01", lot=1, multiplier=1000)


def test_bars_at_zero_are_refused_where_the_instrument_has_no_such_prices() -> None:
    with pytest.raises(InputError, match="price not above zero"):
        read_bars(frame(ROWS), instrument=PLAIN, bar_time="open")
    both = pl.concat([frame(ROWS).with_columns(symbol=pl.lit(name)) for name in ("CLK0", "ABC")])
    with pytest.raises(InputError, match="price not above zero") as caught:
        read_bars(both, instrument={"CLK0": WTI, "ABC": ABC}, bar_time="open")
    assert caught.value.row == len(ROWS) + 4
    both = pl.concat(
        [
            frame(ROWS).with_columns(symbol=pl.lit("CLK0")),
            frame([(5, 6, 4, 5)]).with_columns(symbol=pl.lit("ABC")),
        ]
    )
    assert len(read_bars(both, instrument={"CLK0": WTI, "ABC": ABC}, bar_time="open").series) == 2


def test_prices_below_zero_cannot_be_adjusted_by_a_share() -> None:
    adjusted = frame(ROWS).with_columns(pl.col("close").alias("adj_close"))
    with pytest.raises(InputError, match="price not above zero"):
        read_bars(adjusted, instrument=WTI, bar_time="open")
    assert read_bars(adjusted, instrument=WTI, bar_time="open", adjust="none").series[0].close[4] == -3763


@pytest.mark.parametrize("terms", [{"limit": 0}, {"limit": -1}, {"stop": 0}, {"touched": -1}])
def test_a_strategy_gives_no_price_of_zero_or_below_where_the_instrument_has_none(terms: Any) -> None:
    error = failure(market([(5, 6, 4, 5)] * 3, instrument=PLAIN), {1: lambda s: s.buy("CLK0", 1, **terms)})
    assert isinstance(error, StrategyError)
    assert "must be above 0" in str(error)


def test_a_replace_to_zero_is_refused_since_it_would_keep_the_price() -> None:
    acts = {1: buy(1, limit=-1), 2: lambda s: s.replace(s.kept[1], limit=0)}
    assert "cancel it and send another" in str(failure(day(), acts))
    moved = History().add("BUY", "1", 1, 1).replace("0", 1, 1)
    with pytest.raises(InputError, match="REPLACE to a price of 0"):
        read_orders(moved.frame, instrument=WTI)
    with pytest.raises(InputError, match="not above 0"):
        read_orders(History().add("BUY", "0", 1, 1).frame, instrument=ABC)
    # An empty price is any price of a TAKE, and nothing of an ADD that follows one.
    with pytest.raises(InputError, match="no price"):
        read_orders(History().take("BUY", None, 1).add("BUY", None, 1, 1).frame, instrument=WTI)


class Holds(Strategy):
    """Buys early and holds all the way down."""

    def on_bars(self, bars: Any) -> None:
        if not self.position("CLK0"):
            self.buy("CLK0", 1)


def test_a_run_below_zero_is_saved_replayed_and_reported(tmp_path: Any) -> None:
    run = Backtest(Holds(), day(), cash=1_000_000, leverage=10).run(out=tmp_path / "run")
    assert run.folder is not None
    assert replay(run.folder).digest == run.digest
    page = run.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "NaN" not in page.split("<script")[0]
    # Bought at 14.50 and held until 8.00; at the worst 52.13 below.
    assert run.stats.total_return == pytest.approx(-6_500 / 1_000_000)
    assert run.stats.max_drawdown == pytest.approx(-52_130 / 1_000_000)
