//! The rules an order or command can break. A refusal is named after the rule, with limit and actual.

use crate::state::{State, StateError, StateReader, StateWriter};

macro_rules! rules {
    ($($name:ident = $number:literal => $label:literal,)*) => {
        /// A rule that must hold; the order of the enum is the order in which rules are tested.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Rule { $($name = $number,)* }

        impl Rule {
            pub const ALL: &'static [Rule] = &[$(Rule::$name,)*];

            pub const fn from_number(number: u16) -> Option<Rule> {
                match number { $($number => Some(Rule::$name),)* _ => None }
            }

            pub const fn name(self) -> &'static str {
                match self { $(Rule::$name => $label,)* }
            }
        }
    };
}

rules! {
    TermsMustBeKnown = 1 => "TERMS_MUST_BE_KNOWN",
    AccountMustBeOpen = 2 => "ACCOUNT_MUST_BE_OPEN",
    InstrumentMustBeListed = 3 => "INSTRUMENT_MUST_BE_LISTED",
    ParticipantMustBeRegistered = 4 => "PARTICIPANT_MUST_BE_REGISTERED",
    ClientOrderIdMustBeUnique = 5 => "CLIENT_ORDER_ID_MUST_BE_UNIQUE",
    KillSwitchMustBeOff = 6 => "KILL_SWITCH_MUST_BE_OFF",
    TradingMustNotBeHalted = 7 => "TRADING_MUST_NOT_BE_HALTED",
    QuantityMustBePositive = 10 => "QUANTITY_MUST_BE_POSITIVE",
    QuantityMustBeOnLot = 11 => "QUANTITY_MUST_BE_ON_LOT",
    PriceMustBePositive = 12 => "PRICE_MUST_BE_POSITIVE",
    PriceMustBeOnTick = 13 => "PRICE_MUST_BE_ON_TICK",
    StopPriceMustBeOnTick = 14 => "STOP_PRICE_MUST_BE_ON_TICK",
    QuantityMustBeInBounds = 15 => "QUANTITY_MUST_BE_IN_BOUNDS",
    NotionalMustBeInBounds = 16 => "NOTIONAL_MUST_BE_IN_BOUNDS",
    OrderTypeMustBeSupported = 17 => "ORDER_TYPE_MUST_BE_SUPPORTED",
    SizingMustBeSupported = 18 => "SIZING_MUST_BE_SUPPORTED",
    ExpiryMustBeInFuture = 19 => "EXPIRY_MUST_BE_IN_FUTURE",
    LinkedOrderMustExist = 20 => "LINKED_ORDER_MUST_EXIST",
    ReferencePriceMustBeKnown = 30 => "REFERENCE_PRICE_MUST_BE_KNOWN",
    QuantityMustNotExceedLimit = 31 => "QUANTITY_MUST_NOT_EXCEED_LIMIT",
    NotionalMustNotExceedLimit = 32 => "NOTIONAL_MUST_NOT_EXCEED_LIMIT",
    PriceMustBeInBand = 33 => "PRICE_MUST_BE_IN_BAND",
    OpenOrdersMustNotExceedLimit = 34 => "OPEN_ORDERS_MUST_NOT_EXCEED_LIMIT",
    PositionMustNotExceedLimit = 35 => "POSITION_MUST_NOT_EXCEED_LIMIT",
    ShortMustBeAllowed = 36 => "SHORT_MUST_BE_ALLOWED",
    LeverageMustNotExceedLimit = 37 => "LEVERAGE_MUST_NOT_EXCEED_LIMIT",
    ReduceOnlyMustReduce = 38 => "REDUCE_ONLY_MUST_REDUCE",
    EquityMustBePositive = 39 => "EQUITY_MUST_BE_POSITIVE",
    GrossExposureMustNotExceedLimit = 40 => "GROSS_EXPOSURE_MUST_NOT_EXCEED_LIMIT",
    OrderMustExist = 50 => "ORDER_MUST_EXIST",
    OrderMustBeOpen = 51 => "ORDER_MUST_BE_OPEN",
    OrderMustNotBePending = 52 => "ORDER_MUST_NOT_BE_PENDING",
    PostOnlyMustNotTake = 60 => "POST_ONLY_MUST_NOT_TAKE",
    FillOrKillMustFillWhole = 61 => "FILL_OR_KILL_MUST_FILL_WHOLE",
    ImmediateOrCancelMustFillNow = 62 => "IMMEDIATE_OR_CANCEL_MUST_FILL_NOW",
    MarketMustHaveLiquidity = 63 => "MARKET_MUST_HAVE_LIQUIDITY",
    StopMustNotBeTriggered = 64 => "STOP_MUST_NOT_BE_TRIGGERED",
    SizedQuantityMustBePositive = 65 => "SIZED_QUANTITY_MUST_BE_POSITIVE",
    VenueMustAccept = 66 => "VENUE_MUST_ACCEPT",
    PartnerMustBeOpen = 67 => "PARTNER_MUST_BE_OPEN",
    PartnerMustBeFree = 68 => "PARTNER_MUST_BE_FREE",
    CashMustCover = 80 => "CASH_MUST_COVER",
    NameMustBeUnique = 81 => "NAME_MUST_BE_UNIQUE",
    FieldMustBeInRange = 82 => "FIELD_MUST_BE_IN_RANGE",
    CurrencyMustMatch = 83 => "CURRENCY_MUST_MATCH",
    TimerMustExist = 84 => "TIMER_MUST_EXIST",
    CanceledByParticipant = 90 => "CANCELED_ON_REQUEST",
    CanceledAtEnd = 91 => "CANCELED_AT_END_OF_RUN",
    OrderMustReachVenue = 92 => "ORDER_MUST_REACH_VENUE",
    MinimumQuantityMustFillNow = 110 => "MINIMUM_QUANTITY_MUST_FILL_NOW",
    SelfTradeMustNotHappen = 111 => "SELF_TRADE_MUST_NOT_HAPPEN",
    AllocationMustBeExact = 112 => "ALLOCATION_MUST_BE_EXACT",
    BookMustNotBeCrossed = 113 => "BOOK_MUST_NOT_BE_CROSSED",
    JournalMustHaveRoom = 120 => "JOURNAL_MUST_HAVE_ROOM",
    SessionMustTakeOrder = 130 => "SESSION_MUST_TAKE_ORDER",
    PriceMustBeWithinBands = 131 => "PRICE_MUST_BE_WITHIN_BANDS",
    QuantityMustReachMinimum = 132 => "QUANTITY_MUST_REACH_MINIMUM",
    BookMustBeEmpty = 133 => "BOOK_MUST_BE_EMPTY",
    VenueMustBeOurs = 134 => "VENUE_MUST_BE_OURS",
    BandMustHaveAbsoluteWidth = 136 => "BAND_MUST_HAVE_ABSOLUTE_WIDTH",
    DisplayMustNotExceedQuantity = 140 => "DISPLAY_MUST_NOT_EXCEED_QUANTITY",
    MinimumMustNotExceedQuantity = 141 => "MINIMUM_MUST_NOT_EXCEED_QUANTITY",
    TrailMustBePositive = 142 => "TRAIL_MUST_BE_POSITIVE",
    TermsMustFitOrderType = 143 => "TERMS_MUST_FIT_ORDER_TYPE",
    TrailMustBeInBounds = 144 => "TRAIL_MUST_BE_IN_BOUNDS",
}

/// A refusal: which rule, what it allows, what was asked. Units are the rule's own: price units, quantity
/// units, orders, or 10^-9 of the currency for money; ratios (leverage, bands) are in 10^-9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub rule: Rule,
    pub limit: i128,
    pub actual: i128,
}

impl Refusal {
    pub const fn new(rule: Rule, limit: i128, actual: i128) -> Self {
        Refusal { rule, limit, actual }
    }

    /// For rules without figures.
    pub const fn of(rule: Rule) -> Self {
        Refusal { rule, limit: 0, actual: 0 }
    }
}

impl State for Refusal {
    fn write(&self, out: &mut StateWriter) {
        out.u16(self.rule as u16);
        out.i128(self.limit);
        out.i128(self.actual);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let number = input.u16()?;
        let rule = Rule::from_number(number).ok_or_else(|| input.invalid("rule", u64::from(number)))?;
        Ok(Refusal { rule, limit: input.i128()?, actual: input.i128()? })
    }
}
