//! The words of an order: side, type, time in force, state, options.

macro_rules! terms {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $number:literal => $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($variant = $number,)* }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            pub const fn from_number(number: u8) -> Option<$name> {
                match number { $($number => Some($name::$variant),)* _ => None }
            }

            /// The name used in Python, in reports and in messages.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $label,)* }
            }
        }
    };
}

terms!(
    Side { Buy = 1 => "BUY", Sell = 2 => "SELL", }
);
terms!(
    /// How an order is priced. From 5 on it has [`crate::special_terms`].
    OrderType {
        Market = 1 => "MARKET", Limit = 2 => "LIMIT", Stop = 3 => "STOP", StopLimit = 4 => "STOP_LIMIT",
        MarketIfTouched = 5 => "MARKET_IF_TOUCHED", LimitIfTouched = 6 => "LIMIT_IF_TOUCHED",
        TrailingStop = 7 => "TRAILING_STOP", TrailingStopLimit = 8 => "TRAILING_STOP_LIMIT",
        MarketToLimit = 9 => "MARKET_TO_LIMIT", Pegged = 10 => "PEGGED",
    }
);
terms!(
    TimeInForce {
        Day = 1 => "DAY", Gtc = 2 => "GTC", Gtd = 3 => "GTD", Ioc = 4 => "IOC", Fok = 5 => "FOK",
        AtOpen = 6 => "AT_OPEN", AtClose = 7 => "AT_CLOSE",
    }
);
terms!(
    /// What wakes a stop or touched order.
    TriggerBy {
        LastTrade = 1 => "LAST_TRADE",
        // Best offer for a buy, best bid for a sell.
        OppositeBest = 2 => "OPPOSITE_BEST",
        Mark = 3 => "MARK",
    }
);
terms!(
    /// How far a trailing stop stays behind is given in price units or in 10^-9 of the price.
    TrailBy { Amount = 1 => "AMOUNT", Percent = 2 => "PERCENT", }
);
terms!(
    /// What a pegged order follows: the best of its own side, of the other, or the middle.
    Peg { Primary = 1 => "PRIMARY", Market = 2 => "MARKET", Mid = 3 => "MID", }
);
terms!(
    /// How the quantity of an order is meant.
    Sizing {
        Units = 0 => "UNITS",
        // `quantity` is a fraction of equity in 10^-9, sized by the venue at the fill price, net of fees.
        Percent = 1 => "PERCENT",
        // `quantity` is the signed target share of equity in 10^-9; the venue trades the difference.
        TargetPercent = 2 => "TARGET_PERCENT",
        // The whole position, at the time of the fill; side is the closing one.
        ClosePosition = 3 => "CLOSE_POSITION",
    }
);
terms!(
    OrderState {
        Submitted = 1 => "SUBMITTED", PendingNew = 2 => "PENDING_NEW", Accepted = 3 => "ACCEPTED",
        PendingReplace = 4 => "PENDING_REPLACE", PendingCancel = 5 => "PENDING_CANCEL", Filled = 6 => "FILLED",
        Canceled = 7 => "CANCELED", Expired = 8 => "EXPIRED", Denied = 9 => "DENIED", Rejected = 10 => "REJECTED",
        Unknown = 11 => "UNKNOWN",
    }
);
terms!(
    Liquidity { Maker = 1 => "MAKER", Taker = 2 => "TAKER", }
);
terms!(
    VenueKind { Matching = 1 => "MATCHING", Simulated = 2 => "SIMULATED", Remote = 3 => "REMOTE", }
);
terms!(
    /// What an instrument is open for on a venue of our own.
    TradingSession {
        PreOpen = 1 => "PRE_OPEN", OpeningAuction = 2 => "OPENING_AUCTION", Continuous = 3 => "CONTINUOUS",
        VolatilityAuction = 4 => "VOLATILITY_AUCTION", Halted = 5 => "HALTED",
        ClosingAuction = 6 => "CLOSING_AUCTION", Closed = 7 => "CLOSED",
    }
);

/// Bits of an order's options.
pub mod options {
    /// Refused instead of taking liquidity.
    pub const POST_ONLY: u16 = 1 << 0;
    /// May only bring the position nearer to zero; cut down to it at the fill.
    pub const REDUCE_ONLY: u16 = 1 << 1;
    /// Nothing of it is shown; behind what is shown at its price.
    pub const HIDDEN: u16 = 1 << 2;
    /// Trades whole or not at all.
    pub const ALL_OR_NONE: u16 = 1 << 3;
    /// As post-only, but moved a tick behind the best price it would have taken instead of refused.
    pub const SLIDE: u16 = 1 << 4;
    pub const ALL: u16 = POST_ONLY | REDUCE_ONLY | CANCEL_ON_DISCONNECT | SPECIAL;
    /// Options that are special terms, see [`crate::special_terms`].
    pub const SPECIAL: u16 = HIDDEN | ALL_OR_NONE | SLIDE;
    /// Set by the engine, never by a client: the order has special terms, kept aside.
    pub const ASIDE: u16 = 1 << 14;
    /// Lives only as long as the session that sent it: whoever serves sessions cancels it when that ends, also when it
    /// ended with the machine. Changes nothing in how the order trades.
    pub const CANCEL_ON_DISCONNECT: u16 = 1 << 15;
}

impl Side {
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// +1 for a buy, -1 for a sell.
    pub const fn sign(self) -> i64 {
        match self {
            Side::Buy => 1,
            Side::Sell => -1,
        }
    }
}

impl TradingSession {
    /// Orders rest without trading.
    pub const fn collects(self) -> bool {
        !matches!(self, TradingSession::Continuous)
    }

    /// Ends with all that crosses trading at one price, which is indicated while it collects.
    pub const fn is_auction(self) -> bool {
        matches!(
            self,
            TradingSession::OpeningAuction
                | TradingSession::VolatilityAuction
                | TradingSession::ClosingAuction
        )
    }

    /// New orders and replaces are taken.
    pub const fn takes_orders(self) -> bool {
        !matches!(self, TradingSession::Halted | TradingSession::Closed)
    }

    /// What follows when its time is over.
    pub const fn successor(self) -> TradingSession {
        match self {
            TradingSession::PreOpen => TradingSession::OpeningAuction,
            TradingSession::OpeningAuction | TradingSession::VolatilityAuction | TradingSession::Halted => {
                TradingSession::Continuous
            }
            TradingSession::Continuous => TradingSession::ClosingAuction,
            TradingSession::ClosingAuction => TradingSession::Closed,
            TradingSession::Closed => TradingSession::PreOpen,
        }
    }
}

impl OrderState {
    /// Nothing more is expected of the order (a late fill is still booked).
    #[inline]
    pub const fn is_closed(self) -> bool {
        matches!(
            self,
            OrderState::Filled
                | OrderState::Canceled
                | OrderState::Expired
                | OrderState::Denied
                | OrderState::Rejected
        )
    }
}

impl OrderType {
    /// It needs a stop price: the price that wakes it.
    pub const fn has_stop(self) -> bool {
        use OrderType::{LimitIfTouched, MarketIfTouched, Stop, StopLimit};
        matches!(self, Stop | StopLimit | MarketIfTouched | LimitIfTouched)
    }

    /// It needs a limit price.
    pub const fn has_limit(self) -> bool {
        matches!(self, OrderType::Limit | OrderType::StopLimit | OrderType::LimitIfTouched)
    }

    /// It may come with a stop price: where a trailing stop begins.
    pub const fn may_have_stop(self) -> bool {
        self.has_stop() || self.trails()
    }

    /// It may come with a limit price: beyond which a pegged order does not follow.
    pub const fn may_have_limit(self) -> bool {
        self.has_limit() || matches!(self, OrderType::Pegged)
    }

    /// Its stop follows the market.
    pub const fn trails(self) -> bool {
        matches!(self, OrderType::TrailingStop | OrderType::TrailingStopLimit)
    }

    /// It waits outside the book until a price wakes it.
    pub const fn waits(self) -> bool {
        self.may_have_stop()
    }

    /// It waits for a price better than now (to buy, a lower one); a stop waits for a worse one.
    pub const fn is_touched(self) -> bool {
        matches!(self, OrderType::MarketIfTouched | OrderType::LimitIfTouched)
    }

    /// What is left of it may rest in the book.
    pub const fn may_rest(self) -> bool {
        use OrderType::{Market, MarketIfTouched, Stop, TrailingStop};
        !matches!(self, Market | MarketIfTouched | Stop | TrailingStop)
    }
}

/// The packed terms in the body of `SubmitOrder`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
#[repr(C)]
pub struct PackedTerms {
    pub side: u8,
    pub order_type: u8,
    pub time_in_force: u8,
    pub sizing: u8,
    pub options: u16,
    /// Of the account's client session that entered the order; 0 where none did.
    pub session: u16,
}

impl PackedTerms {
    /// Where there is no order to have terms.
    pub const NONE: PackedTerms =
        PackedTerms { side: 0, order_type: 0, time_in_force: 0, sizing: 0, options: 0, session: 0 };
}
