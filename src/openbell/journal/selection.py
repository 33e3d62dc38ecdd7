"""Which records of a journal somebody wants to see."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from openbell.journal.names import Names
from openbell.journal.record_fields import Record, heads_of, message_names, record_at, record_starts
from openbell.messages.layouts import SLOT_SIZE, Slots, message_numbers
from openbell.model.errors import InputError

LAST_SEQUENCE = 2**64 - 1
SEQUENCE_BITS = 56
"""Bits of an order id below the shard: the sequence of the order's SubmitOrder; see crates/kernel/src/orders.rs."""

_ORDER_FIELDS = ("order_id", "client_order_id", "parent", "partner")
_FIRST_ID_WORD = 3
"""Of the eight words of a slot, payloads begin in this one and bodies in the next."""


@dataclass(slots=True)
class Selection:
    """What to keep: sequences from `first` to `last`, and all of those conditions that are given.

    `instrument` is a symbol or a number, `order` an order_id or a client_order_id: what names it is kept, and with an order_id
    also the commands that name the order by its client_order_id. Batches must come in their order.
    """

    first: int = 0
    last: int = LAST_SEQUENCE
    messages: tuple[str, ...] = ()
    account: int | None = None
    instrument: str | None = None
    order: int | None = None
    _aliases: dict[tuple[int, int], None] = field(default_factory=dict, init=False)
    """(account, client_order_id) of the order, once its command came by."""

    def __post_init__(self) -> None:
        for name in self.messages:
            if name not in message_numbers():
                known = ", ".join(sorted(one for one in message_numbers() if message_numbers()[one] < 256))
                raise InputError("no such message", field="message", value=name, expected=f"one of {known}")
        if self.first > self.last:
            raise InputError(
                "the first sequence comes after the last", value=self.first, expected=f"at most {self.last}"
            )

    def starts(self, slots: Slots, names: Names) -> NDArray[np.intp]:
        """Index of the first slot of every record to keep, in order."""
        starts = record_starts(slots)
        heads = heads_of(slots)[starts]
        kept = (heads["sequence"] >= np.uint64(self.first)) & (heads["sequence"] <= np.uint64(self.last))
        if self.messages:
            kept &= np.isin(heads["message"], [message_numbers()[name] for name in self.messages])
        if self.account is not None:
            kept &= heads["account"] == self.account
        if self.instrument is not None:
            number = names.number_of(self.instrument)
            kept &= heads["instrument"] == number if number is not None else False
        chosen = starts[kept]
        if self.order is None:
            return chosen
        return chosen[np.isin(chosen, self._about_order(slots, starts))]

    def _about_order(self, slots: Slots, starts: NDArray[np.intp]) -> NDArray[np.intp]:
        """Starts of the records that name the order."""
        order = int(self.order or 0)
        words = slots.view("<u8").reshape(-1, SLOT_SIZE // 8)
        heads = heads_of(slots)
        is_first = (heads["message"] == message_numbers()["SubmitOrder"]) & (
            heads["sequence"] == np.uint64(order & ((1 << SEQUENCE_BITS) - 1))
        )
        for at in np.flatnonzero(is_first):
            record = record_at(slots, int(at))
            self._aliases[(record.account, record.fields["client_order_id"])] = None
        wanted = [order, *(client for _, client in self._aliases)]
        naming = np.isin(words[:, _FIRST_ID_WORD:], np.array(wanted, np.uint64)).any(axis=1) | is_first
        owners = starts[np.searchsorted(starts, np.flatnonzero(naming), side="right") - 1]
        found = [at for at in np.unique(owners) if self._names_order(record_at(slots, int(at)), order)]
        return np.array(found, np.intp)

    def _names_order(self, record: Record, order: int) -> bool:
        fields = record.fields
        if any(fields.get(name) == order for name in _ORDER_FIELDS):
            return True
        return (record.account, fields.get("client_order_id")) in self._aliases


def message_name(text: str) -> str:
    """The name of a message, however its letters are cased. Raises InputError as Selection does."""
    found = (name for name in message_names().values() if name.lower() == text.lower())
    return next(found, text)
