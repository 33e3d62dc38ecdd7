"""What users write: strategies, their parameters, hooks, orders and indicators."""

from openbell.strategy.indicators import Indicator, IndicatorValue, crossover
from openbell.strategy.orders import Bracket, Order
from openbell.strategy.parameters import param
from openbell.strategy.strategy import Strategy

__all__ = ["Bracket", "Indicator", "IndicatorValue", "Order", "Strategy", "crossover", "param"]
