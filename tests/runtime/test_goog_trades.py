"""The SMA cross on GOOG, trade by trade, against the outside implementation backtesting.py set up the same way."""

import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from openbell import Backtest, Bar, Strategy, crossover

FAST, SLOW, CASH, COMMISSION = 10, 20, 10_000, 0.002


class Cross(Strategy):
    """All in, long or short, at every crossing."""

    def on_start(self) -> None:
        self.a, self.b = self.sma(FAST), self.sma(SLOW)

    def on_bar(self, bar: Bar) -> None:
        if crossover(self.a, self.b):
            self.close(bar.instrument)
            self.buy(bar.instrument, percent=1)
        elif crossover(self.b, self.a):
            self.close(bar.instrument)
            self.sell(bar.instrument, percent=1)


@pytest.fixture(scope="module")
def goog(real_data: Path) -> Path:
    return real_data / "ohlcv" / "backtesting_GOOG.csv"


@pytest.fixture(scope="module")
def theirs(goog: Path) -> Any:
    from backtesting import Backtest as OutsideBacktest
    from backtesting import Strategy as OutsideStrategy
    from backtesting.lib import crossover as crossed
    from backtesting.test import SMA

    class Outside(OutsideStrategy):  # type: ignore[misc]
        def init(self) -> None:
            self.a, self.b = self.I(SMA, self.data.Close, FAST), self.I(SMA, self.data.Close, SLOW)

        def next(self) -> None:
            if crossed(self.a, self.b):
                self.position.close()
                self.buy()
            elif crossed(self.b, self.a):
                self.position.close()
                self.sell()

    frame = pd.read_csv(goog, index_col=0, parse_dates=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return OutsideBacktest(frame, Outside, cash=CASH, commission=COMMISSION, finalize_trades=True).run()


@pytest.mark.data
def test_every_trade_is_that_of_the_outside_implementation(goog: Path, theirs: Any) -> None:
    run = Backtest(Cross(), goog, cash=CASH, fees=COMMISSION, close_at_end="open").run()
    expected = theirs["_trades"]
    assert run.trades.height == len(expected) == 94
    for ours, outside in zip(run.trades.iter_rows(named=True), expected.itertuples(), strict=True):
        signed = ours["quantity"] if ours["side"] == "long" else -ours["quantity"]
        assert int(signed) == outside.Size
        assert float(ours["entry_price"]) == pytest.approx(outside.EntryPrice, rel=1e-12)
        assert float(ours["exit_price"]) == pytest.approx(outside.ExitPrice, rel=1e-12)
        assert f"{ours['entry_time']:%F}" == f"{outside.EntryTime:%F}"
        # what is closed out when the data has ended happens then, at the close of the last bar
        is_last = ours["number"] == len(expected)
        assert f"{ours['exit_time']:%F}" == ("2013-03-02" if is_last else f"{outside.ExitTime:%F}")
        assert ours["bars"] == outside.ExitBar - outside.EntryBar
        assert float(ours["fees"]) == pytest.approx(outside.Commission, abs=1e-8)
        assert float(ours["profit_and_loss"]) == pytest.approx(outside.PnL, abs=1e-6)
    assert run.equity["equity"][-1].quantize(Decimal("0.01")) == Decimal("55574.51")
    assert run.stats.final_equity == pytest.approx(theirs["Equity Final [$]"], abs=1e-6)
    assert CASH + run.trades["profit_and_loss"].sum() == run.equity["equity"][-1]
