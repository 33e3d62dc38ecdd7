"""Words that everyone speaks: instruments, quantities and money, terms of orders, time, errors."""
