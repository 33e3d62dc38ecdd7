"""Costs and frictions: fee models of the engine and in Python, slippage, latency, leverage, currencies."""

from decimal import Decimal

import pytest

from openbell import (
    Backtest,
    ConfigError,
    FeeModel,
    FillModel,
    Instrument,
    LatencyModel,
    Money,
    Strategy,
    StrategyError,
)
from openbell.messages.layouts import select
from openbell.venue.models import PercentageFee
from tests.runtime.story import flat, market, markets, play

ROWS = [(100, 101, 99, 100), (101, 103, 100, 102), (102, 104, 95, 96), (96, 97, 90, 91)]


def buy(*size, **terms):
    return lambda strategy: strategy.buy("ABC", *size, **terms)


def fees_of(story):
    return [Decimal(int(nano)).scaleb(-9) for nano in select(story.result.output, "OrderFilled")["fee_nano"]]


FEES = [
    # what is given, fee of 10 bought at 101 by taking, fee of 10 bought at 98 by making, how the report says it
    (0, "0", "0", "no fees"),
    ("0.1%", "1.01", "0.98", "0.1 % of value"),
    (0.001, "1.01", "0.98", "0.1 % of value"),
    ("10bps", "1.01", "0.98", "0.1 % of value"),
    (("0.02%", "0.05%"), "0.505", "0.196", "maker 0.02 %, taker 0.05 % of value"),
    (("-0.01%", "0.05%"), "0.505", "-0.098", "maker -0.01 %, taker 0.05 % of value"),
    (PercentageFee(flat="1.5"), "1.5", "1.5", "0 % of value + 1.5 per fill"),
]


@pytest.mark.parametrize(("fees", "taker", "maker", "text"), FEES)
def test_fees_are_a_share_of_value(fees, taker, maker, text):
    story = play(ROWS, {1: lambda s: (buy(10)(s), buy(10, limit=98)(s))}, fees=fees)
    assert fees_of(story) == [Decimal(taker), Decimal(maker)]
    assert story.result.settings["fee_model"] == text


class PerShare(FeeModel):
    """The example of the guide: half a cent for each share, a dollar at least."""

    def fee(self, fill):
        return max(Money("1", "USD"), fill.quantity * Money("0.005", "USD"))


def test_a_fee_model_in_python_decides_each_fee_before_the_fill_is_booked():
    seen = []

    class Asked(PerShare):
        def fee(self, fill):
            seen.append(
                (
                    fill.instrument.symbol,
                    fill.side.name,
                    str(fill.price),
                    str(fill.quantity),
                    fill.liquidity.name,
                )
            )
            return super().fee(fill)

    story = play(flat(10, 4), {1: buy(100), 2: lambda s: s.sell("ABC", 500)}, fees=Asked())
    assert fees_of(story) == [Decimal(1), Decimal("2.5")]
    assert seen == [("ABC", "BUY", "10.00", "100", "TAKER"), ("ABC", "SELL", "10.00", "500", "TAKER")]
    assert story.result.settings["fee_model"] == "Asked"
    cash = select(story.result.output, "AccountChanged")["cash_low"][-1]
    assert int(cash) == (10_000 + 4_000) * 10**9 - 3_500_000_000


def test_sizing_rate_leaves_room_for_the_fee_of_a_model():
    class Rated(PerShare):
        sizing_rate = "1%"

        def fee(self, fill):
            return Money(fill.quantity * fill.price * Decimal("0.01"), "USD")

    assert play(flat(100, 3), {1: buy(percent=1)}, fees=Rated()).fills == ["2 BUY 99 @ 100.00"]


class Wrong(FeeModel):
    """Gives back whatever it was made with."""

    def __init__(self, answer):
        self.answer = answer

    def fee(self, fill):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


BAD_FEES = [
    (Money("1", "EUR"), "Wrong.fee returned 1 EUR; the account is in USD"),
    (1.5, 'Wrong.fee returned 1.5; it must return Money, as Money("1.50", "USD")'),
    (None, "Wrong.fee returned None; it must return Money"),
    (Money("1e12", "USD"), "does not fit 64 bits"),
    (ZeroDivisionError("by zero"), "FeeModel.fee raised ZeroDivisionError: by zero"),
]


@pytest.mark.parametrize(("answer", "message"), BAD_FEES)
def test_a_fee_model_that_fails_stops_the_run_and_says_where(answer, message):
    with pytest.raises(StrategyError) as caught:
        play(flat(100, 3), {1: buy(1)}, fees=Wrong(answer))
    assert message in str(caught.value)
    assert "sequence " in str(caught.value) and "2022-01-03T00:00:00Z" in str(caught.value)
    assert caught.value.__cause__ is not None


def test_slippage_is_paid_by_whoever_takes_and_rounds_against_him():
    actions = {1: lambda s: (buy(10)(s), buy(10, limit=98)(s)), 2: lambda s: s.sell("ABC", 10)}
    story = play(ROWS, actions, slippage="0.1%")
    # 101 x 1.001 = 101.101, up to the tick; a resting limit has none; 102 x 0.999 = 101.898, down to the tick
    assert story.fills == ["2 BUY 10 @ 101.11", "3 SELL 10 @ 101.89", "3 BUY 10 @ 98.00"]
    assert story.result.settings["slippage_model"] == "0.1 % of the price against the taker"
    assert play(ROWS, actions, fills=FillModel(slippage=0.001)).fills == story.fills


def test_slippage_never_moves_a_limit_beyond_itself():
    assert play(ROWS, {1: buy(10, limit="101.05")}, slippage="1%").fills == ["2 BUY 10 @ 101.05"]


def test_latency_misses_the_open_that_comes_sooner():
    assert play(ROWS, {1: buy(10)}, latency="1s").fills == ["3 BUY 10 @ 102.00"]
    assert play(ROWS, {1: buy(10)}, latency=LatencyModel(order_ns=1)).fills == ["3 BUY 10 @ 102.00"]
    late = play(ROWS, {1: buy(10)}, latency=LatencyModel(report_ns=36 * 3_600_000_000_000))
    assert late.fills == ["3 BUY 10 @ 101.00"], "filled at the open of bar 2, known a day and a half later"
    told = play(ROWS, {1: buy(10)}, latency=LatencyModel(order_ns=1, report_ns=2, feed_ns=3_000_000_000))
    assert told.result.settings["latency_model"] == "order 1ns, report 2ns, feed 3s"


def test_a_touch_fills_where_the_model_says_so():
    assert play(ROWS, {1: buy(10, limit=100)}, fills=FillModel(limit_fills="touch")).fills == [
        "2 BUY 10 @ 100.00"
    ]
    assert play(ROWS, {1: buy(10, limit=100)}).fills == ["3 BUY 10 @ 100.00"]


def test_leverage_buys_that_many_times_the_equity():
    assert play(flat(100, 3), {1: buy(percent=1)}, leverage=3).fills == ["2 BUY 300 @ 100.00"]
    assert play(flat(100, 3), {1: buy(percent=1)}, leverage="0.5").fills == ["2 BUY 50 @ 100.00"]
    assert play(flat(100, 3), {1: buy(300)}, leverage=3).fills == ["2 BUY 300 @ 100.00"]


def test_a_multiplier_counts_in_sizes_cash_and_equity():
    future = Instrument("ABC", tick="0.25", multiplier=50)
    story = play(market(flat(100, 3), future), {1: buy(percent=1)}, cash=26_000, fees="0.1%")
    assert story.fills == ["2 BUY 5 @ 100.00"]
    assert fees_of(story) == [25]


def test_the_account_is_in_the_currency_of_its_instruments():
    euro = market(flat(100, 3), Instrument("ABC", currency="EUR"))
    seen = []
    play(euro, {1: lambda s: seen.append(s.cash)}, cash=Money("500", "EUR"))
    assert seen == [Money("500", "EUR")]
    for arguments in ({"currency": "USD"}, {"cash": Money("500", "USD")}):
        with pytest.raises(ConfigError, match="quoted in EUR and the account is in USD"):
            play(euro, {}, **arguments)
    both = markets(euro=euro, dollar=market(flat(100, 3), Instrument("XYZ")))
    with pytest.raises(ConfigError, match="quoted in EUR, USD and the account is in one currency"):
        play(both, {})


def test_cash_larger_than_64_bits_of_nano_is_deposited_whole():
    seen = []
    play(flat(100, 3), {1: lambda s: seen.append(s.cash)}, cash=10**12 + Decimal("0.01"))
    assert seen == [Money("1000000000000.01", "USD")]


class Nothing(Strategy):
    """Does nothing."""


def test_every_model_that_was_used_is_named():
    settings = (
        Backtest(
            Nothing(),
            market(flat(1, 2)),
            fees="0.1%",
            slippage="1bp",
            latency="50ms",
            fills=None,
            leverage="1.5",
        )
        .prepare()
        .settings()
    )
    assert settings["fee_model"] == "0.1 % of value"
    assert settings["slippage_model"] == "0.01 % of the price against the taker"
    assert settings["latency_model"] == "order 50ms, report 50ms, feed 50ms"
    assert str(settings["fill_model"]).startswith("next open; limits fill when traded through")
    assert settings["leverage"] == "1.5" and settings["cash"] == "10000"
