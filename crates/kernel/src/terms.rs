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
    OrderType { Market = 1 => "MARKET", Limit = 2 => "LIMIT", Stop = 3 => "STOP", StopLimit = 4 => "STOP_LIMIT", }
);
terms!(
    TimeInForce {
        Day = 1 => "DAY", Gtc = 2 => "GTC", Gtd = 3 => "GTD", Ioc = 4 => "IOC", Fok = 5 => "FOK",
        AtOpen = 6 => "AT_OPEN", AtClose = 7 => "AT_CLOSE",
    }
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
    /// Lives only as long as the session that sent it: whoever serves sessions cancels it when that ends, also when it
    /// ended with the machine. Changes nothing in how the order trades.
    pub const CANCEL_ON_DISCONNECT: u16 = 1 << 15;
    pub const ALL: u16 = POST_ONLY | REDUCE_ONLY | CANCEL_ON_DISCONNECT;
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
    pub const fn has_stop(self) -> bool {
        matches!(self, OrderType::Stop | OrderType::StopLimit)
    }

    pub const fn has_limit(self) -> bool {
        matches!(self, OrderType::Limit | OrderType::StopLimit)
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
    pub reserved: u16,
}

impl PackedTerms {
    /// Where there is no order to have terms.
    pub const NONE: PackedTerms =
        PackedTerms { side: 0, order_type: 0, time_in_force: 0, sizing: 0, options: 0, reserved: 0 };
}
