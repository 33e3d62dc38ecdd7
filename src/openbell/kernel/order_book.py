"""An order book on its own: price-time matching for one instrument, one command at a time or in NumPy batches.

    from openbell import OrderBook

    book = OrderBook(tick="0.01", lot="1")
    book.submit("SELL", "100.05", 10, order_id=1)
    book.submit("BUY", "100.05", 4)  # (BookAccepted(...), BookTrade(...))
    bids, asks = book.depth(5)

Batches are one-dimensional arrays of `COMMAND_DTYPE` in and of `REPORT_DTYPE` out. Prices there are in ticks and
quantities in lots, always integers; the interpreter is free for other threads while a batch runs.

Columns of `COMMAND_DTYPE`:

| column | |
|---|---|
| kind | a `CommandKind` |
| side, order_type, time_in_force | numbers of `Side`, `OrderType` (market or limit) and `TimeInForce`; of a submit only |
| options | `POST_ONLY` or 0 |
| account | who sends it; repeated in the reports of single commands |
| order_id | the order, given by the caller; unique among live orders |
| price | in ticks; of a submit and a replace |
| quantity | in lots; of a replace the new open quantity |

Columns of `REPORT_DTYPE`, in the order in which things happened:

| column | |
|---|---|
| command | row of the command in its batch |
| kind | a `ReportKind` |
| side | side of the order; of a trade, of the taker |
| rule | number of the rule a cancel or a refusal names (`openbell.kernel.rule_registry`), else 0 |
| order_id | the order; of a trade, the taker |
| maker_order_id | of a trade only |
| price, quantity | of the order, the trade, the quantity canceled; of a refusal, what was asked |
| leaves_quantity | open quantity of `order_id` after the report |
| maker_leaves_quantity | of a trade only |
| limit, actual | figures of the rule: prices in ticks, quantities in lots |
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, TypeAlias

import numpy as np

from openbell._kernel import (
    AllocationPolicy,
    BookAccepted,
    BookCanceled,
    BookLevel,
    BookOrder,
    BookReader,
    BookRefused,
    BookReplaced,
    BookTrade,
    OrderBook,
    QueuePosition,
    book_command_dtype,
    book_report_dtype,
)

__all__ = [
    "COMMAND_DTYPE",
    "POST_ONLY",
    "REPORT_DTYPE",
    "AllocationPolicy",
    "BookAccepted",
    "BookCanceled",
    "BookLevel",
    "BookOrder",
    "BookReader",
    "BookRefused",
    "BookReplaced",
    "BookReport",
    "BookTrade",
    "CommandKind",
    "OrderBook",
    "QueuePosition",
    "ReportKind",
]

BookReport: TypeAlias = BookAccepted | BookTrade | BookCanceled | BookReplaced | BookRefused
"""What a single command answers with, one or more in a tuple."""

COMMAND_DTYPE: Final[np.dtype[np.void]] = book_command_dtype()
"""40 bytes a row; see the module's table."""

REPORT_DTYPE: Final[np.dtype[np.void]] = book_report_dtype()
"""72 bytes a row; see the module's table."""

POST_ONLY: Final = 1
"""Bit of the column `options`: refused instead of taking liquidity."""


class CommandKind(IntEnum):
    """Numbers of the column `kind` of commands."""

    SUBMIT = 1
    REPLACE = 2
    CANCEL = 3


class ReportKind(IntEnum):
    """Numbers of the column `kind` of reports."""

    ACCEPTED = 1
    TRADED = 2
    CANCELED = 3
    REPLACED = 4
    REFUSED = 5
