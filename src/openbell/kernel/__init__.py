"""The one typed door to the compiled core. Nothing else imports `openbell._kernel`."""

from openbell._kernel import (
    Bar,
    Fill,
    Hooks,
    JournalReader,
    NewJournal,
    Node,
    OrderRecord,
    Quote,
    ReferencedInputs,
    Trade,
    body_layouts,
    message_registry,
    payload_layouts,
    rule_registry,
)

__all__ = [
    "Bar",
    "Fill",
    "Hooks",
    "JournalReader",
    "NewJournal",
    "Node",
    "OrderRecord",
    "Quote",
    "ReferencedInputs",
    "Trade",
    "body_layouts",
    "message_registry",
    "payload_layouts",
    "rule_registry",
]
