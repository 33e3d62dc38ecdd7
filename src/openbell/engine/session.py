"""One participant's door to the node: names become numbers on the way in, numbers become names on the way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from openbell.kernel import Node, OrderRecord
from openbell.model.errors import InputError, StrategyError
from openbell.model.instrument import Instrument

ORDER_BITS = 48
"""A participant's client order ids are its number in the high 16 bits and a count below."""
MOST_ORDERS_AT_ONCE = 1 << 16
"""Orders sent without time moving on, after which a strategy is taken to answer its own orders for ever."""

LEAST_SWEEP = 1_024
"""Orders noted as held, at which those that nobody holds any more are forgotten for the first time."""


class Stage(IntEnum):
    """How far a participant has come. STOPPING: the data has ended, it may look but not act."""

    READY = 0
    STARTING = 1
    RUNNING = 2
    STOPPING = 3
    OVER = 4


@dataclass(slots=True)
class Session:
    """What a participant needs to act: the node, its own numbers and the instruments it trades.

    `history` is how many bars the engine keeps for it, None where that is not known here; `interval_ns` the length of the
    longest bars it is fed, 0 where that is not known.
    """

    node: Node
    participant: int
    account: int
    currency: str
    instruments: tuple[Instrument, ...]
    history: int | None = None
    interval_ns: int = 0
    stage: Stage = field(default=Stage.READY, init=False)
    _held: dict[int, ref[Any]] = field(default_factory=dict, init=False)
    _sweep_at: int = field(default=LEAST_SWEEP, init=False)
    _ids: dict[str, int] = field(init=False)
    _orders: int = field(default=0, init=False)
    _looked: tuple[int, int] = field(default=(0, -1), init=False)
    _indicators: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._ids = {instrument.symbol: number for number, instrument in enumerate(self.instruments, start=1)}

    def id_of(self, instrument: Instrument | str) -> int:
        """Number of an instrument or symbol. Raises InputError for one that is not in the data."""
        try:
            return self._ids[instrument.symbol]  # type: ignore[union-attr] # most orders name the instrument itself
        except (AttributeError, KeyError, TypeError):
            return self._id_of_symbol(getattr(instrument, "symbol", instrument))

    def _id_of_symbol(self, symbol: Any) -> int:
        number = self._ids.get(symbol) if isinstance(symbol, str) else None
        if number is None:
            raise InputError(
                "no such instrument in this run",
                value=symbol if isinstance(symbol, str) else repr(symbol),
                expected=f"bar.instrument or one of {', '.join(self._ids)}",
            )
        return number

    def find(self, instrument: Instrument | str) -> Instrument:
        """The instrument itself, named by its symbol or given."""
        return self.instruments[self.id_of(instrument) - 1]

    def next_order_id(self) -> int:
        """A `client_order_id` nobody has used. Raises StrategyError for orders without end at one time."""
        self._orders += 1
        if self._orders >= self._looked[0] + MOST_ORDERS_AT_ONCE:
            self._require_progress()
        return (self.participant << ORDER_BITS) | self._orders

    def counts(self) -> dict[str, int]:
        """What must be remembered so that a session can be continued in another process."""
        return {"orders": self._orders}

    def restore_counts(self, counts: Mapping[str, int]) -> None:
        """Take back what `counts` told."""
        self._orders = counts["orders"]
        self._looked = (self._orders, -1)

    def _require_progress(self) -> None:
        if self._looked[1] == self.node.time:
            raise StrategyError(
                f"{MOST_ORDERS_AT_ONCE} orders were sent at one time; does on_order or on_fill answer every order with another?"
            )
        self._looked = (self._orders, self.node.time)

    def hold(self, client_order_id: int, order: Any) -> None:
        """Note the object of an order, to be kept up to date for as long as somebody else holds it.

        A dictionary of weak references from the library does the same with a call back for each order that goes; sweeping now
        and then costs a fifth of that.
        """
        if len(self._held) >= self._sweep_at:
            self._held = {number: held for number, held in self._held.items() if held() is not None}
            self._sweep_at = max(LEAST_SWEEP, 2 * len(self._held))
        self._held[client_order_id] = ref(order)

    def held(self, client_order_id: int) -> Any:
        """The object of an order that somebody holds; None where nobody does."""
        found = self._held.get(client_order_id)
        order = None if found is None else found()
        if order is None and found is not None:
            del self._held[client_order_id]
        return order

    def add_indicator(self, kind: int, period: int, every_ns: int) -> int:
        """Ask for an indicator over every instrument and return its number."""
        number = self._indicators
        self.node.add_indicator(self.participant, number, kind, period, every_ns)
        self._indicators += 1
        return number

    def order(self, client_order_id: int) -> OrderRecord | None:
        """The order as it stands now; None until the command was taken up."""
        return self.node.order(self.account, client_order_id)

    def bars(self, instrument: Instrument | str, count: int, every_ns: int) -> NDArray[np.void] | None:
        """The last `count` closed bars, oldest first; None for an interval that was not asked for at the start."""
        words = self.node.bars(self.participant, self.id_of(instrument), every_ns, count)
        return words
