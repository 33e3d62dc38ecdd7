"""Every example of a strategy and a model runs over the stocks that come with it."""

import importlib.util
from pathlib import Path

import pytest

from openbell import Backtest, FeeModel, Strategy, read_bars

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
STOCKS = EXAMPLES / "data" / "us_stocks_daily.parquet"


def classes(path, kind):
    """The classes of a file that derive from `kind`."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == path.stem]
    return [one for one in found if issubclass(one, kind)]


@pytest.fixture(scope="module")
def stocks():
    return read_bars(STOCKS)


@pytest.mark.parametrize("path", sorted((EXAMPLES / "strategies").glob("*.py")), ids=lambda path: path.stem)
def test_a_strategy_trades_and_none_of_its_orders_is_refused(path, stocks):
    strategies = classes(path, Strategy)
    assert strategies
    for strategy in strategies:
        run = Backtest(strategy(), stocks, cash=100_000, fees="0.1%", start="2003-01-01", warm_up=130).run()
        assert len(run.trades) > 20
        refused = [note for note in run.notes if "denied" in note or "refused" in note]
        assert refused == []


def test_the_fee_model_charges_by_the_share_within_its_bounds(stocks):
    (model,) = classes(EXAMPLES / "fee_models" / "per_share.py", FeeModel)
    (strategy,) = classes(EXAMPLES / "strategies" / "sma_cross.py", Strategy)
    run = Backtest(strategy(), stocks, cash=100_000, fees=model()).run()
    fills = run.fills.select("quantity", "price", "fee").rows()
    assert len(fills) > 50
    for quantity, price, fee in fills:
        most = float(quantity * price) * 0.01
        assert float(fee) == pytest.approx(min(max(1.0, float(quantity) * 0.005), most))
