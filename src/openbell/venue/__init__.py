"""How simulated venues fill and what they cost: the models a backtest names in its report."""

from openbell.venue.models import FeeModel, FillModel, LatencyModel, PercentageFee, fee_model, latency_model

__all__ = ["FeeModel", "FillModel", "LatencyModel", "PercentageFee", "fee_model", "latency_model"]
