"""What users write passes mypy --strict, and what cannot work is an error before it runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

GOOD = """
from decimal import Decimal
from openbell import (
    Backtest, Bar, FeeModel, Fill, FillModel, Instrument, LatencyModel, Money, Order, OrderState, Position, Price, Quantity,
    Quote, Run, Side, Strategy, TimeInForce, Trade, crossover, param, read_bars,
)


class Cross(Strategy):
    fast: int = 10
    slow: int = param(30, minimum=2, doc="bars")
    share: float = 0.5

    def on_start(self) -> None:
        self.a, self.b = self.sma(self.fast), self.ema(self.slow)
        self.trend = self.sma(50, every="1h")
        self.entry: Order | None = None
        self.schedule("daily", every="1d", at="2022-01-05")

    def on_bar(self, bar: Bar) -> None:
        a, b = self.a[bar.instrument], self.b[bar.instrument]
        if crossover(a, b) and bar.close > self.trend[bar.instrument].value and a > b:
            bracket = self.bracket(bar.instrument, percent=self.share, stop="-3%", target="+6%")
            self.entry = bracket.entry
        if self.entry is not None and self.entry.is_open:
            self.replace(self.entry, limit=bar.instrument.round_price(bar.close * 1.01))
            self.cancel(self.entry)
        self.buy("ABC", 10, limit=Decimal("1.5"), time_in_force=TimeInForce.DAY)
        self.sell(bar.instrument, "0.5", stop=99.5, expire="2022-02-01", cancels=self.entry)
        closes = self.history(bar.instrument, 20)["close"]
        self.record("mean", float(closes.mean()))
        holding: Position = self.position(bar.instrument)
        worth: Money | None = holding.value
        self.log("seen", equity=str(self.equity), worth=str(worth), chance=self.random.random())

    def on_bars(self, bars: list[Bar]) -> None:
        self.target_weights({bar.instrument: 1 / len(bars) for bar in bars})

    def on_quote(self, quote: Quote) -> None:
        self.log("quote", bid=quote.bid)

    def on_trade(self, trade: Trade) -> None:
        self.log("trade", side=trade.side is Side.BUY)

    def on_order(self, order: Order) -> None:
        if order.state is OrderState.DENIED:
            self.log("denied", why=order.refusal)

    def on_fill(self, fill: Fill) -> None:
        price: Price = fill.price
        quantity: Quantity = fill.quantity
        self.log("fill", value=str(price * quantity), fee=str(fill.fee))

    def on_timer(self, name: str) -> None:
        self.cancel_timer(name)


class PerShare(FeeModel):
    def fee(self, fill: Fill) -> Money:
        return max(Money("1", "USD"), fill.quantity * Money("0.005", "USD"))


run: Run = Backtest(
    Cross(fast=5, share=0.2), data=read_bars("x.csv", instrument=Instrument("ABC", tick="0.01")), cash=10_000, fees="0.1%",
    leverage=2, start="2022-01-05", benchmark="buy_and_hold",
).run(out="runs")
Backtest(Cross(), "x.csv", fees=PerShare(), fills=FillModel(limit_fills="touch"), latency=LatencyModel(order_ns=5))
"""

BAD = [
    ("Cross(fats=5)", 'Unexpected keyword argument "fats" for "Cross"'),
    ('Cross(fast="five")', 'Argument "fast" to "Cross" has incompatible type "str"; expected "int"'),
    ("Cross(5)", "Too many positional arguments"),
    ('Backtest(Cross(), "x.csv", 10_000)', "Too many positional arguments"),
    ('Backtest(Cross, "x.csv")', 'incompatible type "type[Cross]"; expected "Strategy"'),
    ('Backtest(Cross(), "x.csv", close_at_end="close")', "close_at_end"),
    ('Backtest(Cross(), "x.csv", fees=None)', "fees"),
    ("Cross(least=1, fats=2)", "fats"),
    ("Cross().fast.upper()", '"int" has no attribute "upper"'),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What mypy says of each file, by name."""
    folder = tmp_path_factory.mktemp("typed")
    (folder / "good.py").write_text(GOOD)
    head = "from openbell import Backtest, Strategy\n\n\nclass Cross(Strategy):\n    fast: int = 10\n\n\n"
    (folder / "bad.py").write_text(head + "\n".join(line for line, _ in BAD) + "\n")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        "--no-incremental",
        "good.py",
        "bad.py",
    ]
    environment = {"MYPYPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def test_a_strategy_as_in_the_guide_type_checks_strictly(told):
    assert [line for line in told.splitlines() if line.startswith("good.py")] == []


@pytest.mark.parametrize(
    ("number", "message"), list(enumerate(message for _, message in BAD)), ids=[line for line, _ in BAD]
)
def test_what_cannot_work_is_an_error_of_types(told, number, message):
    of_line = re.compile(rf"^bad\.py:{8 + number}: error: (.*)$", re.MULTILINE)
    assert any(message in found for found in of_line.findall(told)), told
