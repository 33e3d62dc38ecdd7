"""Strategies over captures of a venue: quotes, trades and books instead of bars."""

import json
from typing import Any, ClassVar

import pytest

from openbell import Backtest, Instrument, Strategy, StrategyError, read_binance
from openbell.messages.layouts import select

TIME = 1_723_161_255_000_000_000
SECOND = 1_000_000_000
COIN = Instrument("BTCUSDT", tick="0.1", lot="0.001", currency="USDT")


def line(second, message):
    return f"{TIME + second * SECOND} {json.dumps(message)}\n"


def quote(second, update, bid, bid_size, ask, ask_size):
    told = {"u": update, "s": "BTCUSDT", "b": bid, "B": bid_size, "a": ask, "A": ask_size}
    return line(second, {"stream": "btcusdt@bookTicker", "data": told})


def trade(second, number, price, quantity):
    told = {
        "e": "trade", "E": TIME // 10**6, "T": TIME // 10**6, "s": "BTCUSDT", "t": number, "p": price, "q": quantity, "m": True,
    }  # fmt: skip
    return line(second, {"stream": "btcusdt@trade", "data": told})


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "btcusdt.txt"
    path.write_text(
        quote(0, 1, "100.0", "1.000", "100.2", "0.500")
        + quote(1, 2, "100.1", "1.000", "100.3", "0.500")
        + trade(2, 7, "100.1", "0.2")
        + quote(3, 3, "100.4", "1.000", "100.6", "2.000")
        + quote(4, 4, "100.4", "1.000", "100.6", "2.000")
    )
    return read_binance(path, instrument=COIN)


class Taker(Strategy):
    """Buys at the second quote, sells at the third."""

    seen: ClassVar[list[Any]] = []
    fail_in: str = ""

    def on_start(self):
        Taker.seen[:] = [("start", self.time - TIME)]
        self.schedule("tick", every="2s")

    def on_quote(self, quote):
        self.fail("on_quote")
        self.note("quote", quote.bid, quote.ask)
        if len(Taker.seen) == 3:
            self.buy(quote.instrument, "0.3")
        if quote.bid == 100.4:
            self.close(quote.instrument)

    def on_trade(self, trade):
        self.fail("on_trade")
        self.note("trade", trade.price, trade.quantity, trade.side.name)

    def on_timer(self, name):
        self.note(name)

    def on_fill(self, fill):
        self.note(fill.side.name, str(fill.price), str(fill.quantity))

    def note(self, *what):
        Taker.seen.append((*what, (self.time - TIME) // SECOND))

    def fail(self, hook):
        if self.fail_in == hook:
            raise ValueError("boom")


def test_quotes_trades_and_timers_come_in_time_order_and_takers_pay_the_displayed_price(capture):
    Backtest(Taker(), capture, cash=1_000).prepare().execute(None)
    assert Taker.seen == [
        ("start", 0),
        ("quote", 100.0, 100.2, 0),
        ("quote", 100.1, 100.3, 1),
        ("BUY", "100.3", "0.300", 1),
        ("tick", 2),
        ("trade", 100.1, 0.2, "SELL", 2),
        ("quote", 100.4, 100.6, 3),
        ("SELL", "100.4", "0.300", 3),
        ("tick", 4),
        ("quote", 100.4, 100.6, 4),
    ]


def test_latency_takes_what_is_displayed_when_the_order_arrives(capture):
    Backtest(Taker(), capture, cash=1_000, latency="2500ms").prepare().execute(None)
    fills = [entry for entry in Taker.seen if entry[0] == "BUY"]
    # Seen 2.5 s after 1, at 3.5; there at 6: after the data, which ends with nothing displayed that was new.
    assert fills == []


@pytest.mark.parametrize("hook", ["on_quote", "on_trade"])
def test_a_hook_that_raises_is_named(capture, hook):
    with pytest.raises(
        StrategyError, match=rf"Taker\.{hook} raised ValueError: boom \(.*line \d+; sequence \d+, 2024-08-08T"
    ):
        Backtest(Taker(fail_in=hook), capture).prepare().execute(None)


def test_what_belongs_to_bars_is_refused_for_captures(capture):
    given: tuple[dict[str, Any], ...] = ({"start": "2024-01-01"}, {"benchmark": "buy_and_hold"})
    for arguments in given:
        with pytest.raises(Exception, match=r"belong to the source|a benchmark is drawn from bars"):
            Backtest(Taker(), capture, **arguments).prepare()


def test_equity_is_valued_between_bid_and_ask(capture):
    result = Backtest(Taker(), capture, cash=1_000).prepare().execute(None)
    assert len(select(result.output, "OrderFilled")) == 2
    assert result.valuations["equity_low"][-1] == 1_000_030_000_000, "0.3 bought at 100.3 and sold at 100.4"
    assert result.bars == {} and result.benchmark is None
