"""Read models folded from events: trades, equity, orders."""
