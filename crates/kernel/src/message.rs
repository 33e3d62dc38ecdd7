//! The registry of messages. Numbers are append-only: one is never reused or given another meaning.

/// Which of the three kinds a message is; structure is the registry's own fourth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Padding, batch headers, continuations: the container, not the content.
    Structure,
    /// Asks; may be refused. Journaled.
    Command,
    /// Tells what happened outside; never refused silently. Journaled.
    Observation,
    /// Derived by the engine; never journaled, covered by the output hash.
    Event,
}

impl MessageKind {
    pub const fn name(self) -> &'static str {
        match self {
            MessageKind::Structure => "structure",
            MessageKind::Command => "command",
            MessageKind::Observation => "observation",
            MessageKind::Event => "event",
        }
    }
}

macro_rules! registry {
    ($($name:ident = $number:literal, $kind:ident, $version:literal;)*) => {
        /// Every message, by its number in a record's head.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Message { $($name = $number,)* }

        impl Message {
            pub const ALL: &'static [Message] = &[$(Message::$name,)*];

            pub const fn from_number(number: u16) -> Option<Message> {
                match number { $($number => Some(Message::$name),)* _ => None }
            }

            pub const fn name(self) -> &'static str {
                match self { $(Message::$name => stringify!($name),)* }
            }

            pub const fn kind(self) -> MessageKind {
                match self { $(Message::$name => MessageKind::$kind,)* }
            }

            /// Version of the layout this program writes.
            pub const fn version(self) -> u8 {
                match self { $(Message::$name => $version,)* }
            }
        }
    };
}

registry! {
    Padding = 0, Structure, 1;
    BatchHeader = 1, Structure, 1;
    Continuation = 2, Structure, 1;
    Interleave = 3, Structure, 1;
    SegmentHeader = 4, Structure, 1;

    SubmitOrder = 16, Command, 1;
    ReplaceOrder = 17, Command, 1;
    CancelOrder = 18, Command, 1;
    CancelAllOrders = 19, Command, 1;
    SetRiskLimit = 20, Command, 1;
    EngageKillSwitch = 21, Command, 1;
    ReleaseKillSwitch = 22, Command, 1;
    ListInstrument = 23, Command, 1;
    OpenAccount = 24, Command, 1;
    DepositCash = 25, Command, 1;
    WithdrawCash = 26, Command, 1;
    StartTimer = 27, Command, 1;
    CancelTimer = 28, Command, 1;
    SetFeeSchedule = 29, Command, 1;
    ConfigureVenue = 30, Command, 1;
    RegisterParticipant = 31, Command, 1;
    Subscribe = 32, Command, 1;
    AddIndicator = 33, Command, 1;
    HaltTrading = 34, Command, 1;
    ResumeTrading = 35, Command, 1;
    StopParticipant = 36, Command, 1;
    DefineCurrency = 37, Command, 1;
    AddBarInterval = 38, Command, 1;
    SetSelfTradePrevention = 42, Command, 1;
    MassCancel = 43, Command, 1;
    SetMatchingPolicy = 47, Command, 1;
    ChangeTradingSession = 48, Command, 1;
    SetPriceBands = 49, Command, 1;
    SetReferencePrice = 50, Command, 1;
    SetTickSize = 51, Command, 1;
    SetOrderSizes = 52, Command, 1;
    SetMarketData = 53, Command, 1;

    BarObserved = 64, Observation, 1;
    QuoteObserved = 65, Observation, 1;
    TradeObserved = 66, Observation, 1;
    BookLevelObserved = 67, Observation, 1;
    FeedGapObserved = 68, Observation, 1;
    ClockAdvanced = 69, Observation, 1;
    FeeAssessed = 70, Observation, 1;
    ExternalSignalReceived = 71, Observation, 1;
    SessionClosed = 72, Observation, 1;
    InputReferenced = 73, Observation, 1;
    JournalCut = 74, Observation, 1;
    RecordSkipped = 75, Observation, 1;
    ParticipantSaved = 76, Observation, 1;
    AllocationAssessed = 77, Observation, 1;
    VenueOrderAccepted = 80, Observation, 1;
    VenueOrderRejected = 81, Observation, 1;
    VenueOrderFilled = 82, Observation, 1;
    VenueOrderCanceled = 83, Observation, 1;
    VenueOrderReplaced = 84, Observation, 1;
    VenueOrderExpired = 85, Observation, 1;
    VenueCancelRejected = 86, Observation, 1;
    VenueReplaceRejected = 87, Observation, 1;
    VenueOrderUnknown = 88, Observation, 1;
    RunEnded = 95, Observation, 1;

    OrderSubmitted = 256, Event, 1;
    OrderAccepted = 257, Event, 1;
    OrderDenied = 258, Event, 1;
    OrderRejected = 259, Event, 1;
    OrderFilled = 260, Event, 1;
    OrderReplaced = 261, Event, 1;
    OrderCanceled = 262, Event, 1;
    OrderExpired = 263, Event, 1;
    CancelRejected = 264, Event, 1;
    ReplaceRejected = 265, Event, 1;
    OrderTriggered = 266, Event, 1;
    OrderPending = 267, Event, 1;
    OrderUnknown = 268, Event, 1;
    TradeExecuted = 280, Event, 2;
    BookLevelChanged = 281, Event, 1;
    BarClosed = 282, Event, 1;
    FeedGapDetected = 283, Event, 1;
    PositionOpened = 290, Event, 1;
    PositionChanged = 291, Event, 1;
    PositionClosed = 292, Event, 1;
    AccountChanged = 293, Event, 1;
    RiskLimitBreached = 300, Event, 1;
    RiskStateChanged = 301, Event, 1;
    KillSwitchEngaged = 302, Event, 1;
    KillSwitchReleased = 303, Event, 1;
    TradingHalted = 304, Event, 1;
    TradingResumed = 305, Event, 1;
    TimerFired = 310, Event, 1;
    CommandRefused = 311, Event, 1;
    InstrumentListed = 312, Event, 1;
    AccountOpened = 313, Event, 1;
    VenueRequestSent = 314, Event, 1;
    ObservationUnmatched = 315, Event, 1;
    SignalReceived = 316, Event, 1;
    RiskLimitSet = 317, Event, 1;
    OrderRepriced = 318, Event, 1;
    OrderReduced = 319, Event, 1;
    OrdersMassCanceled = 320, Event, 1;
    SelfTradePreventionSet = 321, Event, 1;
    TradingSessionChanged = 326, Event, 1;
    AuctionIndicated = 327, Event, 1;
    AuctionUncrossed = 328, Event, 1;
    PriceBandBreached = 329, Event, 1;
    BookOrderAdded = 330, Event, 1;
    BookOrderChanged = 331, Event, 1;
    BookOrderRemoved = 332, Event, 1;
    MatchingPolicySet = 333, Event, 1;
    PriceBandsSet = 334, Event, 1;
    ReferencePriceSet = 335, Event, 1;
    TickSizeSet = 336, Event, 1;
    OrderSizesSet = 337, Event, 1;
    MarketDataSet = 338, Event, 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_ascending() {
        assert!(Message::ALL.windows(2).all(|pair| (pair[0] as u16) < (pair[1] as u16)));
    }

    #[test]
    fn every_number_finds_its_message() {
        for &message in Message::ALL {
            assert_eq!(Message::from_number(message as u16), Some(message));
        }
    }
}
