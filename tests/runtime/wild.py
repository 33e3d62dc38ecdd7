"""A strategy that does everything at random, and markets to do it in. Every choice follows from the run's own seed."""

from __future__ import annotations

import random

from openbell import Bar, Fill, Instrument, Order, Strategy, crossover
from openbell.market_data.bars import Bars
from tests.runtime.story import Row, market, markets

HOUR = 3_600_000_000_000
SYMBOLS = ("ABC", "KLM", "XYZ")


def walk(seed: int, count: int, price: float = 100.0) -> list[Row]:
    """Bars of a random walk on a tick of 0.01, each opening somewhere near the close before."""
    chance = random.Random(seed)
    rows: list[Row] = []
    for _ in range(count):
        opened = max(round(price * chance.uniform(0.99, 1.01), 2), 1.0)
        closed = max(round(opened * chance.uniform(0.97, 1.03), 2), 1.0)
        high = round(max(opened, closed) * chance.uniform(1.0, 1.01), 2)
        low = max(round(min(opened, closed) * chance.uniform(0.99, 1.0), 2), 0.5)
        rows.append(
            (
                opened,
                max(high, opened, closed),
                min(low, opened, closed),
                closed,
                chance.randrange(100, 10_000),
            )
        )
        price = closed
    return rows


def wild_markets(seed: int, count: int, every_ns: int = HOUR) -> Bars:
    """Three instruments; the last one lists later."""
    return markets(
        **{
            symbol: market(
                walk(seed * 10 + number, count - (24 * number if number == 2 else 0)),
                Instrument(symbol, lot=1),
                first_day=1 if number == 2 else 0,
                every_ns=every_ns,
            )
            for number, symbol in enumerate(SYMBOLS)
        }
    )


class Wild(Strategy):
    """Looks at everything there is to look at, and sends whatever comes to its mind."""

    eagerness: float = 0.3

    def on_start(self) -> None:
        self.fast, self.slow = self.sma(3), self.ema(7)
        self.trend = self.sma(2, every="4h")
        self.schedule("look", every="5h")
        self.orders: list[Order] = []
        self.diary: list[object] = []

    def on_bar(self, bar: Bar) -> None:
        one = bar.instrument
        seen = (self.fast[one].value, self.slow[one].previous, self.trend[one].value)
        self.diary.append(
            (self.time, one.symbol, bar.close, *seen, self.cash, self.equity, self.position(one).quantity)
        )
        closes = self.history(one, 5)["close"]
        longer = self.history(one, 3, every="4h")["high"]
        self.record("spread", float(closes.mean()) - float(longer.max() if len(longer) else 0.0))
        if crossover(self.fast[one], self.slow[one]):
            self.bracket(one, percent=0.2, stop="-2%", target="+3%")
        if self.random.random() < self.eagerness:
            self.act(bar)

    def on_bars(self, bars: list[Bar]) -> None:
        if self.random.random() < 0.05:
            self.target_weights({bar.instrument: self.random.choice([0.0, 0.2, -0.2]) for bar in bars})

    def act(self, bar: Bar) -> None:
        """One of many things."""
        one, chance = bar.instrument, self.random
        near = one.round_price(bar.close * chance.uniform(0.97, 1.03))
        choice = chance.randrange(10)
        open_orders = [order for order in self.orders if order.is_open]
        if choice < 2:
            self.orders.append(self.buy(one, chance.randrange(1, 20)))
        elif choice < 4:
            self.orders.append(self.sell(one, chance.randrange(1, 20), limit=near))
        elif choice == 4:
            self.orders.append(self.buy(one, percent=0.1, stop=near, time_in_force="DAY"))
        elif choice == 5:
            self.orders.append(self.sell(one, 5, stop=near, limit=near, expire=self.time + 10 * HOUR))
        elif choice == 6:
            self.close(one)
        elif choice == 7 and open_orders:
            self.cancel(chance.choice(open_orders))
        elif choice == 8 and open_orders:
            self.replace(chance.choice(open_orders), quantity=chance.randrange(1, 30))
        else:
            self.orders.append(self.target_percent(one, chance.uniform(-0.5, 0.5)))

    def on_order(self, order: Order) -> None:
        self.diary.append((self.time, order.state, order.cumulative_quantity, order.refusal))

    def on_fill(self, fill: Fill) -> None:
        self.diary.append((self.time, fill.side, fill.price, fill.quantity, fill.fee))

    def on_timer(self, name: str) -> None:
        self.diary.append((self.time, name))
        if self.random.random() < 0.1:
            self.cancel_all()
