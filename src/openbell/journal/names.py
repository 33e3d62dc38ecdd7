"""What the numbers in records stand for, learnt from the records that define them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice

import numpy as np

from openbell.journal.record_fields import Fields, Record, heads_of, records_in
from openbell.kernel import Holdings
from openbell.messages.layouts import Slots, message_numbers, select
from openbell.model.errors import InputError
from openbell.model.instrument import Instrument
from openbell.model.quantities import EXACT, NANO

MATCHING, SIMULATED, REMOTE = 1, 2, 3
"""Kinds of venues; see crates/kernel/src/terms.rs."""

MOST_ORDERS = 1 << 20
"""Orders whose instrument is remembered: enough for any that is still replaced, and never more memory than that."""

_DEFINING = ("DefineCurrency", "ConfigureVenue", "ListInstrument", "OpenAccount")


@dataclass(slots=True)
class Names:
    """Instruments, currencies, accounts and venues by their numbers, as far as the journal was read.

    `account_currencies` gives each account the number of its currency, `venue_kinds` each venue its kind, `venues` each
    instrument its venue. A command that the engine refused is learnt too: nothing after it refers to it by that number.
    """

    instruments: dict[int, Instrument] = field(default_factory=dict)
    currencies: dict[int, str] = field(default_factory=dict)
    account_currencies: dict[int, int] = field(default_factory=dict)
    venue_kinds: dict[int, int] = field(default_factory=dict)
    venues: dict[int, int] = field(default_factory=dict)
    _ordered: dict[tuple[int, int], int] = field(default_factory=dict)
    """Instrument of the latest orders, by account and client_order_id: a replace does not name it."""

    @classmethod
    def of(cls, holdings: Holdings) -> Names:
        """What an engine itself knows, whatever the journal still holds of its beginning."""
        names = cls(
            currencies=dict(holdings.currencies),
            account_currencies=dict(holdings.accounts),
            venue_kinds=dict(enumerate(holdings.venue_kinds)),
        )
        for (
            number,
            symbol,
            currency,
            price_unit,
            quantity_unit,
            multiplier,
            tick,
            lot,
            venue,
        ) in holdings.instruments:
            fields = {
                "text": symbol,
                "currency": currency,
                "price_unit_nano": price_unit,
                "quantity_unit_nano": quantity_unit,
                "multiplier_nano": multiplier,
                "tick": tick,
                "lot": lot,
            }
            names._list(number, fields, venue)
        return names

    def learn(self, slots: Slots) -> None:
        """Take in what a batch of records defines."""
        messages = heads_of(slots)["message"]
        wanted = [message_numbers()[name] for name in _DEFINING]
        if len(slots) and messages.min() <= max(wanted):
            for record in records_in(slots, np.flatnonzero(np.isin(messages, wanted))):
                self._learn_one(record)

    def learn_orders(self, slots: Slots) -> None:
        """Take in which instrument each order is in, of the last MOST_ORDERS."""
        rows = select(slots, "SubmitOrder")
        keys = zip(rows["account"].tolist(), rows["client_order_id"].tolist(), strict=True)
        self._ordered.update(zip(keys, rows["instrument"].tolist(), strict=True))
        for key in list(islice(self._ordered, max(len(self._ordered) - MOST_ORDERS, 0))):
            del self._ordered[key]

    def instrument_of(self, record: Record) -> int:
        """The instrument a record is about: the one it names, or that of the order it names; 0 where neither is known."""
        if record.instrument or "client_order_id" not in record.body:
            return record.instrument
        return self._ordered.get((record.account, record.body["client_order_id"]), 0)

    def _learn_one(self, record: Record) -> None:
        fields = record.fields
        if record.message == "DefineCurrency":
            self.currencies.setdefault(fields["currency"], fields.get("text", ""))
        elif record.message == "ConfigureVenue":
            self.venue_kinds.setdefault(fields["venue"], fields["kind"])
        elif record.message == "OpenAccount":
            self.account_currencies.setdefault(record.account, fields["currency"])
        elif record.instrument not in self.instruments and fields["currency"] in self.currencies:
            self._list(record.instrument, fields, fields["venue"])

    def _list(self, number: int, fields: Fields, venue: int) -> None:
        try:
            self.instruments[number] = self._instrument(fields)
        except InputError:
            return  # units that the engine refuses as well, or a symbol that is no plain text
        self.venues[number] = venue

    def _instrument(self, fields: Fields) -> Instrument:
        price_unit, quantity_unit = (
            _nano_decimal(fields[name]) for name in ("price_unit_nano", "quantity_unit_nano")
        )
        return Instrument(
            fields.get("text", ""),
            self.currencies[fields["currency"]],
            tick=EXACT.multiply(Decimal(fields.get("tick", 0)), price_unit),
            lot=EXACT.multiply(Decimal(fields.get("lot", 0)), quantity_unit),
            price_unit=price_unit,
            quantity_unit=quantity_unit,
            multiplier=_nano_decimal(fields["multiplier_nano"]),
        )

    def symbol(self, instrument: int) -> str:
        """The symbol of an instrument, else its number."""
        known = self.instruments.get(instrument)
        return str(instrument) if known is None else known.symbol

    def number_of(self, symbol: str) -> int | None:
        """The number of a symbol; a number in digits stands for itself. None where there is none (yet)."""
        found = (number for number, one in self.instruments.items() if one.symbol == symbol)
        return next(found, int(symbol) if symbol.isdecimal() else None)

    def account_currency(self, account: int) -> str:
        """Code of an account's currency; empty where it is not known."""
        return self.currencies.get(self.account_currencies.get(account, 0), "")

    def is_matched_here(self, instrument: int) -> bool:
        """Whether the instrument trades on a venue of our own."""
        return self.venue_kinds.get(self.venues.get(instrument, -1)) == MATCHING


def _nano_decimal(nano: int) -> Decimal:
    return EXACT.multiply(Decimal(nano), NANO).normalize(EXACT)
