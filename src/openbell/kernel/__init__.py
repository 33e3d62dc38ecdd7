"""The one typed door to the compiled core. Nothing else imports `openbell._kernel`.

| to find | look in |
|---|---|
| the engine, what hooks receive, the arrays it gives out | `openbell.kernel.node` |
| the engine live, on threads of its own | `openbell.kernel.live_node` |
| an order book on its own | `openbell.kernel.order_book` |
| journals: writing, reading, checking, references | `openbell.kernel.journal` |
| decoders of captures, rebuilt books, streaming indicators | `openbell.kernel.codec` |
| numbers, names and layouts of messages and rules | `openbell.kernel.registry` |

All of it can be imported from here too, but for the columns and reports of the order book.
"""

from openbell.kernel.codec import BinanceDecoder, BinanceUnitScan, DecodeError, Depth, Indicator
from openbell.kernel.journal import (
    RULES_VERSION,
    Follower,
    InputExpansion,
    JournalProof,
    JournalReader,
    JournalReport,
    JournalWriter,
    NewJournal,
    begin_journal_epoch,
    compare_history,
    cut_journal,
    journal_segments,
    prove_journal,
    remove_journal_segments,
    reseal_journal,
    seal_public_key,
    skip_journal_record,
    skipped_records,
    snapshots_in,
    verify_journal,
)
from openbell.kernel.live_node import (
    Commands,
    LiveHealth,
    LiveNode,
    RecentEvents,
    RestartedNode,
    durability_of,
)
from openbell.kernel.node import (
    BAR_DTYPE,
    OUTBOX_DTYPE,
    VALUATION_DTYPE,
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
    RequestKind,
    SpecialTerms,
    Trade,
    crossover,
)
from openbell.kernel.order_book import OrderBook
from openbell.kernel.registry import body_layouts, message_registry, payload_layouts, rule_registry

__all__ = [
    "BAR_DTYPE",
    "OUTBOX_DTYPE",
    "RULES_VERSION",
    "VALUATION_DTYPE",
    "Bar",
    "BinanceDecoder",
    "BinanceUnitScan",
    "ClosedOrders",
    "Commands",
    "DecodeError",
    "Depth",
    "Fill",
    "Follower",
    "Holdings",
    "Hooks",
    "Indicator",
    "IndicatorByInstrument",
    "IndicatorValue",
    "InputExpansion",
    "JournalProof",
    "JournalReader",
    "JournalReport",
    "JournalWriter",
    "LiveHealth",
    "LiveNode",
    "NewJournal",
    "Node",
    "OrderBook",
    "OrderRecord",
    "Quote",
    "RecentEvents",
    "RequestKind",
    "RestartedNode",
    "SpecialTerms",
    "Trade",
    "begin_journal_epoch",
    "body_layouts",
    "compare_history",
    "crossover",
    "cut_journal",
    "durability_of",
    "journal_segments",
    "message_registry",
    "payload_layouts",
    "prove_journal",
    "remove_journal_segments",
    "reseal_journal",
    "rule_registry",
    "seal_public_key",
    "skip_journal_record",
    "skipped_records",
    "snapshots_in",
    "verify_journal",
]
