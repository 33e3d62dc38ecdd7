"""A market's orders written down by hand, and what a strategy meets in them."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from openbell import Backtest, Instrument, MatchingPolicy, Strategy, Venue, read_orders
from openbell.messages.layouts import select

ABC = Instrument("ABC", "USD", tick="0.01", lot=1)
START = 1_700_000_000_000_000_000


class Idle(Strategy):
    """Looks on."""


class Told(Strategy):
    """Does what the test wrote down for each trade it sees, in order, and keeps what it saw."""

    _acts: ClassVar[tuple[Any, ...]] = ()
    _last: ClassVar[Any] = None

    def on_start(self):
        self.quotes, self.prints, self.fills, self.orders = [], [], [], []

    def on_quote(self, quote):
        self.quotes.append((quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity))

    def on_trade(self, trade):
        self.prints.append((trade.price, trade.quantity, trade.side.name))
        acts = type(self)._acts
        if len(self.prints) <= len(acts):
            acts[len(self.prints) - 1](self)

    def on_fill(self, fill):
        self.fills.append((fill.side.name, float(fill.quantity), float(fill.price), fill.liquidity.name))

    def on_stop(self):
        type(self)._last = self


def told(*acts):
    """A strategy that does these things, one at each trade."""
    made: Any = type("Told", (Told,), {"_acts": acts})
    return made


class LastFirst(MatchingPolicy):
    """Who came last is served first."""

    def allocate(self, incoming: int, resting_quantities: Sequence[int]) -> list[int]:
        shares = []
        for wanted in reversed(resting_quantities):
            shares.append(min(wanted, incoming))
            incoming -= shares[-1]
        return shares[::-1]


class Joins(Strategy):
    """Joins the bid now and then; ends its process, as a crash does, at one trade, unless the file is there."""

    crash_at: int = 0
    unless: str = ""

    def on_start(self):
        self.seen = 0

    def on_trade(self, trade):
        self.seen += 1
        if self.seen % 20 == 1:
            self.buy(trade.instrument, 4, limit="99")
        if self.seen == self.crash_at and not Path(self.unless).exists():
            Path(self.unless).touch()
            os.kill(os.getpid(), signal.SIGKILL)


def long_history():
    """Some thousand bids at one price, and sales that leave something to decide."""
    history = History().add("SELL", "101", 6, 1).take("BUY", "101", 1)
    for number in range(2, 8_002):
        history.add("BUY", "99", 5, number)
        if number % 4 == 0:
            history.take("SELL", "99", 19)
    return history


class History:
    """Rows of `read_orders`, a millisecond from each to the next."""

    def __init__(self):
        self.rows = []

    def _row(self, action, side, price, quantity, order_id):
        time = START + 1_000_000 * len(self.rows)
        self.rows.append((time, action, side, price, None if quantity is None else str(quantity), order_id))
        return self

    def add(self, side, price, quantity, order_id):
        return self._row("ADD", side, price, quantity, order_id)

    def replace(self, price, quantity, order_id):
        return self._row("REPLACE", None, price, quantity, order_id)

    def cancel(self, order_id):
        return self._row("CANCEL", None, None, None, order_id)

    def take(self, side, price, quantity):
        return self._row("TAKE", side, price, quantity, None)

    @property
    def frame(self):
        schema = {"time": pl.Int64, "action": pl.String, "side": pl.String, "price": pl.String}
        schema |= {"quantity": pl.String, "order_id": pl.Int64}
        return pl.DataFrame(self.rows, schema=schema, orient="row")

    def backtest(self, strategy=None, policy="PRICE_TIME", **arguments):
        data = read_orders(self.frame, instrument=ABC)
        return Backtest(strategy or Idle(), data, venue=Venue(policy=policy), **arguments)

    def trades(self, policy):
        """What each of the orders that came first sold or bought at rest, by its place among them."""
        executed = self._executed(policy)
        # An order's number in the engine is that of its record, and nothing is asked before the first trade.
        before = (
            History().add("SELL", "1", 1, 1).take("BUY", "1", 1)._executed(policy)["resting_order_id"][0] - 1
        )
        found: dict[int, int] = {}
        for row in executed:
            number = int(row["resting_order_id"] - before)
            found[number] = found.get(number, 0) + int(row["quantity"])
        return found

    def _executed(self, policy):
        return select(self.backtest(policy=policy).prepare().execute().output, "TradeExecuted")


if __name__ == "__main__":  # begins the long run in the folder given, to be ended by it
    from tests.runtime import market_history as here

    target = Path(sys.argv[1])
    crash = here.Joins(crash_at=1_500, unless=str(target / "crashed"))
    here.long_history().backtest(crash, policy=here.LastFirst(), leverage=1000).run(out=target / "runs")
