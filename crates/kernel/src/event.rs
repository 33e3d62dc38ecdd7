//! What the engine derived. Events are never journaled; the output hash covers their bytes.

use crate::layout::{layouts, payloads};

pub mod tag {
    pub const FILL: u16 = 64;
    pub const REFUSAL: u16 = 65;
    pub const ORDER: u16 = 66;
    pub const POSITION: u16 = 67;
    pub const TRADE: u16 = 14;
}

layouts! {
    /// The order passed the risk gate and is on its way to its venue.
    OrderSubmitted = OrderSubmitted { order_id: u64, client_order_id: u64, price: i64, quantity: i64, }
    OrderAccepted = OrderAccepted { order_id: u64, client_order_id: u64, venue_order_id: u64, venue_time: u64, }
    /// Refused by us, before the venue; `quantity` is what was asked for. Followed by [`RefusalPayload`].
    OrderDenied = OrderDenied { order_id: u64, client_order_id: u64, rule: u64, quantity: i64, }
    /// Refused by the venue. Followed by [`RefusalPayload`].
    OrderRejected = OrderRejected { order_id: u64, client_order_id: u64, rule: u64, venue_time: u64, }
    /// Flags: `SELL`, `MAKER`. Followed by [`FillPayload`].
    OrderFilled = OrderFilled { order_id: u64, last_price: i64, last_quantity: i64, leaves_quantity: i64, }
    /// `quantity` is the new total.
    OrderReplaced = OrderReplaced { order_id: u64, client_order_id: u64, price: i64, quantity: i64, }
    /// `rule` says why; `leaves_quantity` is what did not trade. Followed by [`RefusalPayload`] when by rule.
    OrderCanceled = OrderCanceled { order_id: u64, client_order_id: u64, rule: u64, leaves_quantity: i64, }
    OrderExpired = OrderExpired { order_id: u64, client_order_id: u64, leaves_quantity: i64, venue_time: u64, }
    CancelRejected = CancelRejected { order_id: u64, client_order_id: u64, rule: u64, reserved: u64, }
    ReplaceRejected = ReplaceRejected { order_id: u64, client_order_id: u64, rule: u64, reserved: u64, }
    OrderTriggered = OrderTriggered { order_id: u64, client_order_id: u64, price: i64, venue_time: u64, }
    /// The order entered a pending state: `state` is a number of `OrderState`.
    OrderPending = OrderPending { order_id: u64, client_order_id: u64, state: u64, reserved: u64, }
    /// No answer within the limit: the venue is asked by `client_order_id`, nothing is sent again.
    OrderUnknown = OrderUnknown { order_id: u64, client_order_id: u64, waited_ns: u64, reserved: u64, }
    /// One trade between two orders of ours. Flags: `SELL` when the aggressor sold. Followed by [`TradePayload`]
    /// since version 2.
    TradeExecuted = TradeExecuted { price: i64, quantity: i64, aggressor_order_id: u64, resting_order_id: u64, }
    /// New total of one level of our own matching book. Flags: `SELL` for asks.
    BookLevelChanged = BookLevelChanged { price: i64, quantity: i64, orders: u64, reserved: u64, }
    /// A bar of a longer interval closed. Followed by [`crate::observation::BarPayload`].
    BarClosed = BarClosed { open: i64, high: i64, low: i64, close: i64, }
    FeedGapDetected = FeedGapDetected { expected: u64, received: u64, exchange_time: u64, reserved: u64, }
    /// Position after a fill. Followed by [`PositionPayload`].
    PositionOpened = PositionOpened { quantity: i64, price: i64, order_id: u64, trade_id: u64, }
    PositionChanged = PositionChanged { quantity: i64, price: i64, order_id: u64, trade_id: u64, }
    PositionClosed = PositionClosed { quantity: i64, price: i64, order_id: u64, trade_id: u64, }
    /// Cash of one currency after a change.
    AccountChanged = AccountChanged { cash_low: u64, cash_high: i64, change_nano: i64, currency: u64, }
    /// Followed by [`RefusalPayload`].
    RiskLimitBreached = RiskLimitBreached { order_id: u64, rule: u64, reserved: [u64; 2], }
    RiskStateChanged = RiskStateChanged { before: u64, after: u64, reserved: [u64; 2], }
    KillSwitchEngaged = KillSwitchEngaged { reason: u64, order_id: u64, reserved: [u64; 2], }
    KillSwitchReleased = KillSwitchReleased { reason: u64, reserved: [u64; 3], }
    TradingHalted = TradingHalted { reason: u64, reserved: [u64; 3], }
    TradingResumed = TradingResumed { reason: u64, reserved: [u64; 3], }
    TimerFired = TimerFired { timer_id: u64, due_time: u64, participant: u64, reserved: u64, }
    /// A command other than an order was refused. Followed by [`RefusalPayload`].
    CommandRefused = CommandRefused { command: u64, rule: u64, reserved: [u64; 2], }
    /// `options` are bits of [`crate::command::instrument_options`].
    InstrumentListed = InstrumentListed { tick: i64, lot: i64, venue: u64, options: u64, }
    AccountOpened = AccountOpened { currency: u64, shorting: u64, reserved: [u64; 2], }
    /// A request left for a remote venue through the output gate. `request`: 1 submit, 2 replace, 3 cancel, 4 query.
    VenueRequestSent = VenueRequestSent { order_id: u64, request: u64, price: i64, quantity: i64, }
    /// A venue's report named an order we never sent, or could not be applied; kept for people to look at.
    ObservationUnmatched = ObservationUnmatched { order_id: u64, observation: u64, trade_id: u64, reserved: u64, }
    SignalReceived = SignalReceived { name: u64, value_bits: u64, exchange_time: u64, reserved: u64, }
    RiskLimitSet = RiskLimitSet { limit: u64, value: i64, reserved: [u64; 2], }

    /// `before` and `after` are numbers of [`crate::terms::TradingSession`]; `until` is when the session ends by
    /// itself, 0 for not.
    TradingSessionChanged = TradingSessionChanged { before: u64, after: u64, until: u64, reserved: u64, }
    /// What the auction would come to now. Price 0: nothing would trade. `imbalance` is what would stay unfilled:
    /// + of buyers, - of sellers.
    AuctionIndicated = AuctionIndicated { price: i64, volume: i64, imbalance: i64, reference_price: i64, }
    /// What it came to; its trades follow. `session` is the auction's number.
    AuctionUncrossed = AuctionUncrossed { price: i64, volume: i64, imbalance: i64, session: u64, }
    /// An order would have traded at `price`, beyond `bound`.
    PriceBandBreached = PriceBandBreached { order_id: u64, price: i64, bound: i64, reserved: u64, }
    /// An order came to rest, last in the queue at its price, showing `quantity`. Flags: `SELL`.
    BookOrderAdded = BookOrderAdded { order_id: u64, price: i64, quantity: i64, reserved: u64, }
    /// It shows `quantity` now, at its place.
    BookOrderChanged = BookOrderChanged { order_id: u64, price: i64, quantity: i64, reserved: u64, }
    /// It shows nothing any more, or left its place; `quantity` is what it showed last.
    BookOrderRemoved = BookOrderRemoved { order_id: u64, price: i64, quantity: i64, reserved: u64, }
    /// `policy` is a number of [`crate::command::policy_kind`].
    MatchingPolicySet = MatchingPolicySet { policy: u64, reserved: [u64; 3], }
    PriceBandsSet = PriceBandsSet { static_width: u32, dynamic_width: u32, on_breach: u64, duration_ns: u64, reserved: u64, }
    ReferencePriceSet = ReferencePriceSet { price: i64, is_known: u64, reserved: [u64; 2], }
    TickSizeSet = TickSizeSet { from_price: i64, tick: i64, reserved: [u64; 2], }
    OrderSizesSet = OrderSizesSet { minimum: i64, maximum: i64, reserved: [u64; 2], }
    MarketDataSet = MarketDataSet { by_order: u64, reserved: [u64; 3], }
    /// The venue moved the order by its own terms: a stop that trails, a peg that follows, a post-only order that slid.
    OrderRepriced = OrderRepriced { order_id: u64, client_order_id: u64, price: i64, stop_price: i64, }
    /// The venue cut the order: `quantity` is the new total, `rule` says why. Followed by [`RefusalPayload`].
    OrderReduced = OrderReduced { order_id: u64, client_order_id: u64, quantity: i64, rule: u64, }
    /// The cancels that a `MassCancel` asked for stand before it; `orders` says how many.
    OrdersMassCanceled = OrdersMassCanceled { side: u64, participant: u64, orders: u64, session: u64, }
    SelfTradePreventionSet = SelfTradePreventionSet { group: u64, action: u64, reserved: [u64; 2], }
}

payloads! {
    FillPayload = FILL { trade_id: u64, client_order_id: u64, cumulative_quantity: i64, fee_nano: i64, venue_time: u64, }
    /// `terms` are those of a denied order, which no earlier event has told; zeros elsewhere.
    RefusalPayload = REFUSAL { limit_low: u64, limit_high: i64, actual_low: u64, actual_high: i64, terms: crate::terms::PackedTerms, }
    /// Terms of the order an event is about, so that a reader needs no table of orders. `zeros` are bits of
    /// [`crate::command::zeros`].
    OrderPayload = ORDER { terms: crate::terms::PackedTerms, stop_price: i64, cause_sequence: u64, participant: u64, zeros: u64, }
    /// `session` is the number of the trading session it happened in, the auction's for one of an uncrossing.
    TradePayload = TRADE { trade_id: u64, session: u64, reserved: [u64; 3], }
    /// Cost basis and what this fill realized, both in 10^-9.
    PositionPayload = POSITION { cost_low: u64, cost_high: i64, realized_nano: i64, fee_nano: i64, reserved: u64, }
}

impl RefusalPayload {
    #[inline]
    pub fn new(refusal: &crate::rules::Refusal) -> Self {
        RefusalPayload {
            limit_low: refusal.limit as u64,
            limit_high: (refusal.limit >> 64) as i64,
            actual_low: refusal.actual as u64,
            actual_high: (refusal.actual >> 64) as i64,
            terms: crate::terms::PackedTerms::NONE,
        }
    }

    pub fn limit(&self) -> i128 {
        i128::from(self.limit_high) << 64 | i128::from(self.limit_low)
    }

    pub fn actual(&self) -> i128 {
        i128::from(self.actual_high) << 64 | i128::from(self.actual_low)
    }
}
