"""The life of one order in words: what was asked, what came of it, and what caused each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openbell.journal import Names, Record, Selection, Wording
from openbell.journal.record_fields import heads_of, record_at, record_starts
from openbell.journal.sentences import event_sentence
from openbell.journal.wording import trimmed
from openbell.kernel import Holdings, Node
from openbell.messages.layouts import SLOT_SIZE, Slots, message_numbers, select
from openbell.model.errors import InputError
from openbell.model.time import iso
from openbell.runtime.history import History
from openbell.runtime.time_travel import replayed

if TYPE_CHECKING:
    from rich.console import RenderableType

_REQUESTS = ("SubmitOrder", "ReplaceOrder", "CancelOrder")
_TRADE, _FILL = "TradeExecuted", "OrderFilled"
_BESIDE = (
    *("parent", "partner", "offset_nano", "expire_time", "display_quantity", "minimum_quantity"),
    *("trail", "limit_offset", "peg", "peg_offset", "trigger_by", "self_trade", "self_trade_group"),
)
"""What few orders say, told behind the rest."""
_STATE_AFTER = {
    "OrderSubmitted": "SUBMITTED",
    "OrderAccepted": "ACCEPTED",
    "OrderReplaced": "ACCEPTED",
    "OrderDenied": "DENIED",
    "OrderRejected": "REJECTED",
    "OrderCanceled": "CANCELED",
    "OrderExpired": "EXPIRED",
    "OrderUnknown": "UNKNOWN",
}


@dataclass(frozen=True)
class Step:
    """One thing that was asked of the order or happened to it; `cause` is the record that made it happen, in words."""

    sequence: int
    time: str
    kind: str
    text: str
    cause: str | None = None


@dataclass(frozen=True)
class OrderLife:
    """An order from its command to the end of the journal. Amounts are text in the instrument's decimals."""

    order_id: int
    client_order_id: int
    account: int
    instrument: str
    asked: str
    sender: str
    state: str
    filled: str
    average_price: str | None
    fees: str
    realized: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)

    def __rich__(self) -> RenderableType:
        return _table(self)


def explain(
    history: History, order: int, *, account: int | None = None, by_client: bool = False
) -> OrderLife:
    """Tell the life of the order whose order_id, or else client_order_id, is `order`.

    `account` narrows a client_order_id down, `by_client` says that it is one. Raises InputError where no order has the id, or
    several have that client_order_id; JournalError for damage.
    """
    found, notes = _find(history, order, account, by_client)
    begin = history.begin()
    if found.sequence <= begin.sequence:
        raise InputError(
            f"the order was sent with record {found.sequence}, and this journal can be told from sequence {begin.sequence + 1} "
            "on: what came before was removed",
            source=history.folder,
            value=order,
        )
    if begin.sequence:
        notes = (*notes, f"told from sequence {begin.sequence + 1} on: what came before was removed")
    return _Telling(history, found, begin, notes, history.skips()).tell()


def _find(
    history: History, wanted: int, account: int | None, by_client: bool
) -> tuple[Record, tuple[str, ...]]:
    """The SubmitOrder that was meant, and what else the number could have meant."""
    by_id, by_client_id = [], []
    shard = history.report().shard
    for slots in history.raw_batches():
        submits = select(slots, "SubmitOrder")
        same = (submits["client_order_id"] == np.uint64(wanted)) | (
            submits["sequence"] == np.uint64(wanted & _SEQUENCE_MASK)
        )
        for row in submits[same]:
            if account is not None and int(row["account"]) != account:
                continue
            record = _first_record(slots, int(row["sequence"]))
            if _order_id(shard, record.sequence) == wanted:
                by_id.append(record)
            if int(row["client_order_id"]) == wanted:
                by_client_id.append(record)
    if by_id and not by_client:
        others = [one for one in by_client_id if one.sequence != by_id[0].sequence]
        note = f"{wanted} is also the client_order_id of {_these(shard, others)}; --client asks for it"
        return by_id[0], (note,) if others else ()
    if len(by_client_id) > 1:
        raise InputError(
            "several orders have this client_order_id",
            source=history.folder,
            value=wanted,
            expected=f"the order_id of one: {_these(shard, by_client_id)}",
        )
    if not by_client_id:
        begin = history.begin_sequence()
        raise InputError(
            "no order in the journal has this order_id or client_order_id",
            source=history.folder,
            value=wanted,
            expected=f"one sent after sequence {begin}: what came before was removed" if begin else None,
        )
    return by_client_id[0], ()


_SEQUENCE_MASK = (1 << 56) - 1
_AVERAGE_DECIMALS = 4
"""Digits of an average price beyond those of the tick."""


def _order_id(shard: int, sequence: int) -> int:
    return (shard << 56) | sequence


def _these(shard: int, orders: list[Record]) -> str:
    shown = [
        f"{_order_id(shard, one.sequence)} (account {one.account}, {iso(one.time)})" for one in orders[:5]
    ]
    return ", ".join(shown) + (f" and {len(orders) - 5} more" if len(orders) > 5 else "")


def _first_record(slots: Slots, sequence: int) -> Record:
    return record_at(slots, int(np.searchsorted(heads_of(slots)["sequence"], np.uint64(sequence))))


@dataclass
class _Telling:
    """One replay, listening for everything about one order."""

    history: History
    submit: Record
    begin: Node
    notes: tuple[str, ...]
    skips: dict[int, Record] = field(default_factory=dict)
    """Records that say that another is passed over, by its sequence."""
    steps: list[tuple[Record, str]] = field(default_factory=list)
    """What to tell, and its sentence, in order."""
    causes: dict[int, Record] = field(default_factory=dict)
    fills: list[Record] = field(default_factory=list)
    realized: int = 0
    fees: int = 0
    state: str = "not taken up"

    def tell(self) -> OrderLife:
        names = Names.of(Holdings(self.begin))
        self.wording = Wording(names)
        self.order_id = _order_id(self.history.report().shard, self.submit.sequence)
        self.client_order_id = int(self.submit.fields["client_order_id"])
        selection = Selection(order=self.order_id)
        wanted = {self._cause_sequence(): None}
        for slots, output in replayed(self.begin, self.history):
            names.learn(slots)
            self._listen(slots, output, selection, wanted)
        self._keep_missing_causes()
        return self._life()

    def _keep_missing_causes(self) -> None:
        """Fetch what made a participant act where it lies batches before the command."""
        payloads = (record.payload("CausePayload") for record, _ in self.steps)
        sequences = sorted({int(of["cause_sequence"]) for of in payloads if of} - self.causes.keys())
        if sequences:
            for slots in self.history.batches(sequences[-1], after=self.begin.sequence):
                for sequence in sequences:
                    self._keep_cause(slots, sequence)

    def _cause_sequence(self) -> int:
        cause = self.submit.payload("CausePayload")
        return 0 if cause is None else int(cause["cause_sequence"])

    def _listen(self, slots: Slots, output: Slots, selection: Selection, wanted: dict[int, None]) -> None:
        """Take in one batch: requests about the order, events about it, and the records that caused them."""
        starts = selection.starts(slots, self.wording.names)
        requests = [record_at(slots, int(start)) for start in starts]
        requests = [one for one in requests if one.message in _REQUESTS and self._is_ours(one)]
        events = list(self._events(output, [one.sequence for one in requests]))
        for sequence in dict.fromkeys([*wanted, *(event.sequence for event, _ in events)]):
            self._keep_cause(slots, sequence)
        told = [(one.sequence, 0, at, one, self._request(one)) for at, one in enumerate(requests)]
        told += [(one.sequence, 0, 0, one, self._asked_for_all(one)) for one in self._mass_cancels(events)]
        told += [(event.sequence, 1, at, event, text) for at, (event, text) in enumerate(events)]
        self.steps += [(record, text) for *_, record, text in sorted(told, key=lambda one: one[:3])]

    def _mass_cancels(self, events: Sequence[tuple[Record, str]]) -> list[Record]:
        """Commands that took the order back with others, and do not name it."""
        sequences = dict.fromkeys(event.sequence for event, _ in events)
        causes = (self.causes.get(sequence) for sequence in sequences)
        return [one for one in causes if one is not None and one.message == "MassCancel"]

    def _asked_for_all(self, record: Record) -> str:
        """Who asked, and for which orders: `account 1 asked to cancel all SELL orders in ACME that its session 2 entered`."""
        fields, said = record.fields, self.wording.fields(record)
        of_account = f"account {record.account}" if record.account else ""
        who = f"participant {record.source}" if record.source else of_account or "somebody of no account"
        whose = "" if who == of_account or not of_account else f" of {of_account}"
        side = f" {said['side']}" if fields["side"] else ""
        where = f" in {self.wording.names.symbol(record.instrument)}" if record.instrument else ""
        senders = (
            f" that participant {fields['participant']} sent" if fields["participant"] else "",
            f" that session {fields['session']} entered" if fields["session"] else "",
        )
        return f"{who} asked to cancel all{side} orders{whose}{where}{' and'.join(filter(None, senders))}"

    def _is_ours(self, record: Record) -> bool:
        return record.account == self.submit.account and (
            record.sequence == self.submit.sequence
            or (record.message != "SubmitOrder" or record.fields["client_order_id"] == self.client_order_id)
        )

    def _keep_cause(self, slots: Slots, sequence: int) -> None:
        sequences = heads_of(slots)["sequence"]
        at = int(np.searchsorted(sequences, np.uint64(sequence)))
        if at < len(sequences) and int(sequences[at]) == sequence:
            self.causes[sequence] = record_at(slots, at)

    def _events(
        self, output: Slots, requested: list[int]
    ) -> Iterator[tuple[Record, str]] | list[tuple[Record, str]]:
        """Events about the order with their sentences, and refusals of commands that named it."""
        found = []
        starts = record_starts(output)
        for start in _naming(output, starts, self.order_id, requested):
            event = record_at(output, int(start))
            text = self._event(event, output, starts, int(start))
            if text:
                found.append((event, text))
        return found

    def _event(self, event: Record, output: Slots, starts: NDArray[np.intp], start: int) -> str | None:
        fields = event.fields
        if event.message == "CommandRefused":
            names_us = fields.get("actual") == self.client_order_id and event.account == self.submit.account
            return event_sentence(event, self.wording) if names_us else None
        if fields.get("order_id") != self.order_id:
            return None
        contra = ""
        if event.message == _FILL:
            self.fills.append(event)
            self.fees += fields.get("fee_nano", 0)
            contra = self._contra(output, starts, start, event)
        self.realized += fields.get("realized_nano", 0)
        self.state = self._state_after(event)
        return event_sentence(event, self.wording, contra)

    def _state_after(self, event: Record) -> str:
        if event.message == _FILL:
            return "FILLED" if event.fields["leaves_quantity"] == 0 else "PARTIALLY FILLED"
        if event.message == "OrderDenied" and self.state != "not taken up":
            return self.state  # a repeated client_order_id was denied, not the order itself
        return _STATE_AFTER.get(event.message, self.state)

    def _contra(self, output: Slots, starts: NDArray[np.intp], start: int, fill: Record) -> str:
        """Who was on the other side: told by the trade before the fill where users trade with each other."""
        at = int(np.searchsorted(starts, start))
        heads = heads_of(output)
        while at > 0:
            at -= 1
            head = heads[starts[at]]
            if int(head["sequence"]) != fill.sequence:
                break
            if int(head["message"]) == message_numbers()[_TRADE]:
                trade = record_at(output, int(starts[at])).fields
                both = (trade["aggressor_order_id"], trade["resting_order_id"])
                if self.order_id in both:
                    other = both[1] if both[0] == self.order_id else both[0]
                    return f" {'to' if fill.flags & 1 << 1 else 'from'} {self._counterparty(output, starts, other, fill)}"
        return ""

    def _counterparty(self, output: Slots, starts: NDArray[np.intp], other: int, fill: Record) -> str:
        for start in _naming(output, starts, other, []):
            event = record_at(output, int(start))
            if (
                event.message == _FILL
                and event.sequence == fill.sequence
                and event.fields["order_id"] == other
            ):
                return f"account {event.account} (order {other})"
        return f"order {other}"

    def _request(self, record: Record) -> str:
        skip = self.skips.get(record.sequence)
        if skip is None:
            return self._asked_for(record)
        who, why = skip.fields.get("actor", "nobody named"), skip.fields.get("reason", "")
        return f"{self._asked_for(record)}; the record is passed over, says record {skip.sequence} of {who}: {why}"

    def _asked_for(self, record: Record) -> str:
        said = self.wording.fields(record)
        if record.message == "SubmitOrder":
            again = record.sequence != self.submit.sequence
            return ("the same client_order_id came again: " if again else "asked to ") + self._asked(record)
        if record.message == "CancelOrder":
            return "asked to cancel it"
        terms = [
            f"{name.replace('_', ' ')} {self._replaced(record, name)}"
            for name in ("quantity", "price", "stop_price")
            if name in said
        ]
        return f"asked to replace it: {', '.join(terms)}"

    def _replaced(self, record: Record, name: str) -> str:
        value = record.fields[name]
        instrument = self.submit.instrument
        return (
            self.wording.quantity(value, instrument)
            if name == "quantity"
            else self.wording.price(value, instrument)
        )

    def _asked(self, record: Record) -> str:
        """`BUY 15 ACME at 100.55, LIMIT GTC`."""
        said = self.wording.fields(record)
        side, _, rest = said.get("terms", "").partition(" ")
        at = f" at {said['price']}" if "price" in said else ""
        stop = f", stop {said['stop_price']}" if "stop_price" in said else ""
        extra = [f"{name} {said[name]}" for name in _BESIDE if name in said]
        quantity = said.get("quantity", "the position")
        return f"{side} {quantity} {self.wording.names.symbol(record.instrument)}{at}{stop}, {rest}" + (
            f" ({', '.join(extra)})" if extra else ""
        )

    def _cause(self, record: Record) -> str | None:
        """What made a step happen, unless it is the order's own command."""
        if record.message in _REQUESTS:
            payload = record.payload("CausePayload")
            cause = None if payload is None else self.causes.get(int(payload["cause_sequence"]))
            return None if cause is None else f"sent on {self._short(cause)}"
        cause = self.causes.get(record.sequence)
        if cause is None or (cause.message in _REQUESTS and self._is_ours(cause) and self._names_us(cause)):
            return None
        return f"because of {self._short(cause)}"

    def _names_us(self, cause: Record) -> bool:
        return cause.fields.get("client_order_id") == self.client_order_id

    def _short(self, record: Record) -> str:
        line = self.wording.line(record)
        return f"record {record.sequence}: {line if len(line) <= 150 else line[:147] + '...'}"

    def _life(self) -> OrderLife:
        wording, instrument = self.wording, self.submit.instrument
        currency = wording.currency_of(instrument, self.submit.account)
        quantity = sum(fill.fields["last_quantity"] for fill in self.fills)
        source = self.submit.source
        return OrderLife(
            order_id=self.order_id,
            client_order_id=self.client_order_id,
            account=self.submit.account,
            instrument=wording.names.symbol(instrument),
            asked=self._asked(self.submit),
            sender=f"participant {source}" if source else "from outside",
            state=self.state,
            filled=wording.quantity(quantity, instrument),
            average_price=self._average(quantity),
            fees=wording.money(self.fees, currency),
            realized=wording.money(self.realized, currency),
            steps=tuple(self._told_steps()),
            notes=self.notes,
        )

    def _told_steps(self) -> Iterator[Step]:
        """The steps, each cause said once where it made several of them."""
        said = None
        for record, text in self.steps:
            cause = self._cause(record)
            yield Step(
                record.sequence, iso(record.time), record.message, text, None if cause == said else cause
            )
            said = cause

    def _average(self, quantity: int) -> str | None:
        if not quantity:
            return None
        value = sum(fill.fields["last_quantity"] * fill.fields["last_price"] for fill in self.fills)
        instrument = self.wording.names.instruments.get(self.submit.instrument)
        if instrument is None:
            return str(value / quantity)
        finest = instrument.tick.scaleb(-_AVERAGE_DECIMALS)
        return trimmed((instrument.price(value) / quantity).quantize(finest))


def _naming(slots: Slots, starts: NDArray[np.intp], order_id: int, requested: list[int]) -> NDArray[np.intp]:
    """Starts of the events whose body names the order, and of refusals of the commands in `requested`."""
    if not len(slots):
        return starts
    bodies = slots.view("<u8").reshape(-1, SLOT_SIZE // 8)[:, 4:]
    heads = heads_of(slots)
    naming = (bodies[starts] == np.uint64(order_id)).any(axis=1)
    if requested:
        refused = heads["message"][starts] == message_numbers()["CommandRefused"]
        naming |= refused & np.isin(heads["sequence"][starts], np.array(requested, np.uint64))
    named: NDArray[np.intp] = starts[naming]
    return named


def _table(life: OrderLife) -> RenderableType:
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    head = Table.grid(padding=(0, 2))
    head.add_column(style="dim", no_wrap=True)
    head.add_column(overflow="fold")
    head.add_row(
        "Order",
        f"{life.order_id}, client_order_id {life.client_order_id}, account {life.account}, {life.sender}",
    )
    head.add_row("Asked", life.asked)
    average = f" at {life.average_price} on average" if life.average_price else ""
    head.add_row("State", Text.assemble((life.state, "bold"), f", filled {life.filled}{average}"))
    head.add_row("Effect", f"realized {life.realized}, fees {life.fees}")
    for note in life.notes:
        head.add_row("Note", Text(note, style="yellow"))
    steps = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    steps.add_column("Sequence", justify="right", no_wrap=True)
    steps.add_column("Time", no_wrap=True)
    steps.add_column("What happened", overflow="fold")
    for step in life.steps:
        text = Text(step.text)
        if step.cause:
            text.append(f"\n{step.cause}", style="dim")
        steps.add_row(str(step.sequence), step.time, text)
    return Group(head, steps)
