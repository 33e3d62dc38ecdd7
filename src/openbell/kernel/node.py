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

Columns of `OUTBOX_DTYPE`, one row for each request to a remote venue; what a kind of request does not say is 0:

| column | |
|---|---|
| cause_sequence | sequence of the record that made the engine ask |
| order_id | the order; the venue's answers name it |
| client_order_id | of a submit and a query: what the venue knows the order by |
| price, quantity, stop_price | of a submit and a replace, in units; the quantity is the new total |
| expire_time | of a submit, UTC nanoseconds; 0 where it has none |
| account, instrument, venue | |
| options | bits: 1 post-only, 2 reduce-only |
| kind | a `RequestKind` |
| side, order_type, time_in_force | numbers of the terms, of a submit |

Columns of `BAR_DTYPE`, one row for each closed bar: `open_time`, `close_time` (UTC nanoseconds), `interval_ns`, `trades`
(0 where the data does not say), and as floats `open`, `high`, `low`, `close`, `volume`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np

from openbell._kernel import (
    Bar,
    ClosedOrders,
    Fill,
    Holdings,
    Hooks,
    IndicatorByInstrument,
    IndicatorValue,
    Node,
    OrderRecord,
    Quote,
    SpecialTerms,
    Trade,
    bar_dtype,
    crossover,
    outbox_dtype,
    valuation_dtype,
)

__all__ = [
    "BAR_DTYPE",
    "OUTBOX_DTYPE",
    "VALUATION_DTYPE",
    "Bar",
    "ClosedOrders",
    "Fill",
    "Holdings",
    "Hooks",
    "IndicatorByInstrument",
    "IndicatorValue",
    "Node",
    "OrderRecord",
    "Quote",
    "RequestKind",
    "SpecialTerms",
    "Trade",
    "crossover",
]

VALUATION_DTYPE: Final[np.dtype[np.void]] = valuation_dtype()
"""80 bytes a row; see the module's table."""

BAR_DTYPE: Final[np.dtype[np.void]] = bar_dtype()
"""72 bytes a row; see the module's table."""

OUTBOX_DTYPE: Final[np.dtype[np.void]] = outbox_dtype()
"""72 bytes a row; see the module's table."""


class RequestKind(IntEnum):
    """Numbers of the column `kind` of requests to remote venues."""

    SUBMIT = 1
    REPLACE = 2
    CANCEL = 3
    QUERY = 4
