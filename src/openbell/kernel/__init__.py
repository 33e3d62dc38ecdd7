"""The one typed door to the compiled core. Nothing else imports `openbell._kernel`."""

from openbell._kernel import (
    Bar,
    Fill,
    Hooks,
    InputExpansion,
    JournalReader,
    NewJournal,
    Node,
    OrderRecord,
    Quote,
    Trade,
    body_layouts,
    message_registry,
    payload_layouts,
    rule_registry,
    verify_journal,
)

__all__ = [
    "Bar",
    "Fill",
    "Hooks",
    "InputExpansion",
    "JournalReader",
    "NewJournal",
    "Node",
    "OrderRecord",
    "Quote",
    "Trade",
    "body_layouts",
    "message_registry",
    "payload_layouts",
    "rule_registry",
    "verify_journal",
]
