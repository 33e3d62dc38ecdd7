"""What happened to an order, as sentences: one for each event about it."""

from __future__ import annotations

from openbell.journal.record_fields import Record
from openbell.journal.wording import Wording, rule_name
from openbell.messages.layouts import MAKER, REPEATED, SELL
from openbell.model.terms import OrderState

_STATES = {
    OrderState.PENDING_NEW: "sent, not yet acknowledged",
    OrderState.PENDING_REPLACE: "a replace is asked for",
    OrderState.PENDING_CANCEL: "a cancel is asked for",
}
_PLAIN = {
    "OrderSubmitted": "passed the risk gate and left for the venue",
    "OrderAccepted": "the venue accepted it",
    "OrderUnknown": "the venue did not answer in time: it is asked what became of the order",
}
_ENDED = {
    "OrderDenied": "denied before the venue saw it",
    "OrderRejected": "rejected by the venue",
    "OrderCanceled": "canceled",
    "CancelRejected": "its cancel was refused",
    "ReplaceRejected": "its replace was refused",
    "CommandRefused": "the command was refused",
}
_POSITIONS = {
    "PositionOpened": "opened a position",
    "PositionChanged": "changed the position",
    "PositionClosed": "closed the position",
}


def event_sentence(event: Record, wording: Wording, contra: str = "") -> str:
    """One event in words. `contra` says who was on the other side of a fill."""
    again = " (the answer given before, to a repeated client_order_id)" if event.flags & REPEATED else ""
    return _sentence(event, wording, contra) + again


def _sentence(event: Record, wording: Wording, contra: str) -> str:
    fields = event.fields
    if event.message in _PLAIN:
        return _PLAIN[event.message]
    if event.message in _ENDED:
        return _ENDED[event.message] + _left(event, wording) + refusal_text(event, wording)
    if event.message in _POSITIONS:
        return _position(event, wording)
    if event.message == "OrderFilled":
        return _fill(event, wording, contra)
    if event.message == "OrderPending":
        state = fields["state"]
        return next((text for known, text in _STATES.items() if known == state), f"pending, state {state}")
    if event.message == "OrderReplaced":
        price = wording.price(fields["price"], event.instrument)
        return f"has new terms: {wording.quantity(fields['quantity'], event.instrument)} at {price}"
    if event.message == "OrderTriggered":
        return f"its stop was triggered at {wording.price(fields['price'], event.instrument)}"
    if event.message == "OrderExpired":
        return f"expired, {wording.quantity(fields['leaves_quantity'], event.instrument)} unfilled"
    return wording.line(event)


def refusal_text(event: Record, wording: Wording) -> str:
    """`: RULE, limit 500, actual 501`; empty where no rule is named."""
    fields = event.fields
    rule = rule_name(fields.get("rule", 0))
    if not rule:
        return ""
    said = wording.fields(event)
    if "limit" not in said:
        return f": {rule}"
    return f": {rule}, limit {said['limit']}, actual {said['actual']}"


def _left(event: Record, wording: Wording) -> str:
    left = event.fields.get("leaves_quantity", 0)
    return f" with {wording.quantity(left, event.instrument)} unfilled" if left else ""


def _fill(event: Record, wording: Wording, contra: str) -> str:
    fields = event.fields
    verb = "sold" if event.flags & SELL else "bought"
    quantity = wording.quantity(fields["last_quantity"], event.instrument)
    price = wording.price(fields["last_price"], event.instrument)
    left = fields["leaves_quantity"]
    parts = [
        f"{verb} {quantity} at {price}{contra}",
        "as maker" if event.flags & MAKER else "as taker",
        f"{wording.quantity(left, event.instrument)} left" if left else "filled",
    ]
    fee = fields.get("fee_nano", 0)
    if fee:
        parts.append(f"fee {wording.money(fee, wording.currency_of(event.instrument, event.account))}")
    return ", ".join(parts)


def _position(event: Record, wording: Wording) -> str:
    fields = event.fields
    currency = wording.currency_of(event.instrument, event.account)
    text = _POSITIONS[event.message]
    if event.message != "PositionClosed":
        text += f": now {wording.quantity(fields['quantity'], event.instrument)}"
    realized = fields.get("realized_nano", 0)
    return text + (f", realized {wording.money(realized, currency)}" if realized else "")
