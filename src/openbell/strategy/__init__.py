"""What users write: strategies, their parameters, hooks, orders and indicators."""
