"""The engine and what it shows: `Node`, the hooks it calls, the objects they receive, the arrays it gives out.

Columns of `VALUATION_DTYPE`, one row for each account and moment. Amounts are 128-bit integers of 10^-9 of the account's
currency in two halves, `high * 2**64 + low`:

| column | |
|---|---|
| time | UTC nanoseconds |
| account | |
| cash_low, cash_high | cash in the account's currency |
| equity_low, equity_high | cash and positions at their marks |
| gross_low, gross_high | sum of the absolute notionals of all positions |
| net_low, net_high | sum of the signed notionals |

Columns of `BAR_DTYPE`, one row for each closed bar: `open_time`, `close_time` (UTC nanoseconds), `interval_ns`, `trades`
(0 where the data does not say), and as floats `open`, `high`, `low`, `close`, `volume`.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from openbell._kernel import Bar, Fill, Hooks, Node, OrderRecord, Quote, Trade, bar_dtype, valuation_dtype

__all__ = [
    "BAR_DTYPE",
    "VALUATION_DTYPE",
    "Bar",
    "Fill",
    "Hooks",
    "Node",
    "OrderRecord",
    "Quote",
    "Trade",
]

VALUATION_DTYPE: Final[np.dtype[np.void]] = valuation_dtype()
"""80 bytes a row; see the module's table."""

BAR_DTYPE: Final[np.dtype[np.void]] = bar_dtype()
"""72 bytes a row; see the module's table."""
