//! What happened outside: market data, the clock, answers of venues and of Python models.

use crate::layout::{layouts, payloads};
use crate::terms::Side;

/// Continuation tags of observations and events; commands have theirs in [`crate::command::tag`].
pub mod tag {
    pub const BAR: u16 = 32;
    pub const VENUE_FILL: u16 = 33;
    pub const VENUE_TERMS: u16 = 34;
    pub const INPUT: u16 = 35;
    pub const QUOTE: u16 = 36;
    pub const INTERLEAVE: u16 = 37;
    pub const ALLOCATION: u16 = 38;
}

layouts! {
    /// A closed bar, stamped at its close. Prices in price units. Followed by [`BarPayload`].
    BarObserved = BarObserved { open: i64, high: i64, low: i64, close: i64, }

    /// Best bid and offer after an update. A side that is empty has a price of 0, and where 0 is a price, no quantity.
    QuoteObserved = QuoteObserved { bid_price: i64, bid_quantity: i64, ask_price: i64, ask_quantity: i64, }

    /// A trade printed by a feed; `flags::SELL` when the aggressor sold.
    TradeObserved = TradeObserved { price: i64, quantity: i64, trade_id: u64, exchange_time: u64, }

    /// The new total quantity of one price level (0 removes it); `flags::SELL` for asks. The book is
    /// consistent only after the record flagged `LAST_OF_MESSAGE`.
    BookLevelObserved = BookLevelObserved { price: i64, quantity: i64, update_id: u64, exchange_time: u64, }

    /// The feed lost updates `expected..received`: the book is not to be trusted until a snapshot.
    FeedGapObserved = FeedGapObserved { expected: u64, received: u64, exchange_time: u64, reserved: u64, }

    /// Time moved to the record's time without other news; journaled only when a timer is due.
    ClockAdvanced = ClockAdvanced { reserved: [u64; 4], }

    /// The fee a model outside the kernel charges for the fill that waits for it.
    FeeAssessed = FeeAssessed { order_id: u64, trade_id: u64, fee_nano: i64, reserved: u64, }

    ExternalSignalReceived = ExternalSignalReceived { name: u64, value_bits: u64, exchange_time: u64, reserved: u64, }

    /// The trading day of the instrument (0 = all) ended at `session_end`: DAY orders from before it expire, and
    /// client order ids may be used again.
    SessionClosed = SessionClosed { session_end: u64, reserved: [u64; 3], }

    /// A file (or frame) that the data was read from: SHA-256 of its bytes, or of the decoded arrays of a frame. Followed by
    /// [`InputPayload`], then texts ([`crate::command::TextPayload`]): name and version of its decoder, then its path as it
    /// was given, in pieces. It stands before the first record of its input, one record for each file.
    InputReferenced = InputReferenced { sha256: [u8; 32], }

    /// The journal was cut at `offset` of `segment`: `bytes` bytes behind `last_sequence` were taken off and kept in a
    /// file. `kind` is a number of [`crate::journal::CutKind`]. Changes no state. Followed by texts: who, and why.
    JournalCut = JournalCut { segment: u32, kind: u32, offset: u64, bytes: u64, last_sequence: u64, }

    /// The record `skipped_sequence` stopped the engine and is passed over whenever the journal is replayed. Changes
    /// no state. Followed by texts: who decided so, and why.
    RecordSkipped = RecordSkipped { skipped_sequence: u64, reserved: [u64; 3], }
    /// The head's source saved its own state in a file of that SHA-256, after all it had been shown before this record;
    /// the file was synced before.
    ParticipantSaved = ParticipantSaved { sha256: [u8; 32], }

    /// How a matching policy outside the kernel shares the level that waits for it between the order `order_id`, which
    /// takes, and the `orders` that rest at `price`. Followed by [`AllocationPayload`]s with the quantities of the orders
    /// from number `from` on (0 = first come); a level of more orders than fit takes several records.
    AllocationAssessed = AllocationAssessed { order_id: u64, price: i64, orders: u32, from: u32, incoming: i64, }

    /// The data ended. Open orders are canceled; market orders sent afterwards fill at the last price.
    RunEnded = RunEnded { reserved: [u64; 4], }

    VenueOrderAccepted = VenueOrderAccepted { order_id: u64, venue_order_id: u64, venue_time: u64, reserved: u64, }
    VenueOrderRejected = VenueOrderRejected { order_id: u64, reason: u64, venue_time: u64, reserved: u64, }
    /// Followed by [`VenueFillPayload`].
    VenueOrderFilled = VenueOrderFilled { order_id: u64, trade_id: u64, price: i64, quantity: i64, }
    VenueOrderCanceled = VenueOrderCanceled { order_id: u64, reason: u64, venue_time: u64, reserved: u64, }
    /// `quantity` is the new total, filled part included.
    VenueOrderReplaced = VenueOrderReplaced { order_id: u64, price: i64, quantity: i64, stop_price: i64, }
    VenueOrderExpired = VenueOrderExpired { order_id: u64, venue_time: u64, reserved: [u64; 2], }
    VenueCancelRejected = VenueCancelRejected { order_id: u64, reason: u64, venue_time: u64, reserved: u64, }
    VenueReplaceRejected = VenueReplaceRejected { order_id: u64, reason: u64, venue_time: u64, reserved: u64, }
    /// The venue says it never saw the order (the answer to a query).
    VenueOrderUnknown = VenueOrderUnknown { order_id: u64, venue_time: u64, reserved: [u64; 2], }
}

payloads! {
    /// Rest of a bar. `volume` in quantity units; `interval_ns` from one open to the next.
    BarPayload = BAR { volume: i64, open_time: u64, close_time: u64, interval_ns: u64, trades: u64, }

    /// Rest of a venue's fill report. `fee_nano` is what the venue charged and counts when `fee_known` is 1,
    /// else the fee schedule decides. `liquidity`: 1 maker, 2 taker.
    VenueFillPayload = VENUE_FILL { venue_time: u64, fee_nano: i64, fee_known: u64, liquidity: u64, reserved: u64, }

    /// Rest of a quote, where the feed says it: the update after which it holds (the same count as
    /// `BookLevelObserved::update_id`) and when the exchange sent it (0 = not said).
    QuotePayload = QUOTE { update_id: u64, exchange_time: u64, reserved: [u64; 3], }

    /// Quantities of five orders more; those beyond the last order of the level are 0.
    AllocationPayload = ALLOCATION { quantities: [i64; 5], }

    /// Rest of a reference to a file: `input` is the number under which [`crate::journal::interleave`] counts the records
    /// decoded from it and from the other files of that input.
    InputPayload = INPUT { input: u64, reserved: [u64; 4], }
}

impl QuoteObserved {
    /// Price and quantity of a side, if there is anything. Where prices may be zero and below its quantity says so, elsewhere
    /// its price, as feeds without quantities have it.
    pub fn best(&self, side: Side, negative_prices: bool) -> Option<(i64, i64)> {
        let (price, quantity) = match side {
            Side::Buy => (self.bid_price, self.bid_quantity),
            Side::Sell => (self.ask_price, self.ask_quantity),
        };
        let is_there = if negative_prices { quantity > 0 } else { price > 0 };
        is_there.then_some((price, quantity))
    }
}
