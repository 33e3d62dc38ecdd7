//! One trait for every place that accepts and matches orders.
//!
//! The engine sends requests, feeds observations and then *pulls* reports until there is none. Pulling lets it
//! book each fill (cash, position, contingent orders) before the venue decides the next one, so a close and
//! a percent-sized order at the same open see each other, and lets it stop at a fill whose fee an outside
//! model must first assess.

pub(crate) mod at_work;
pub mod matching;
pub mod remote;
mod saved;
pub mod simulated;

use crate::record::Slot;
use crate::rules::Refusal;
use crate::special_terms::SpecialTerms;
use crate::terms::{Liquidity, OrderType, Side, Sizing, TimeInForce, TradingSession};
use crate::tracked::EntityHasher;

pub use at_work::AtWork;
use matching::ShownOrder;

/// An order as a venue sees it. Quantities and prices in the instrument's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueOrder {
    pub order_id: u64,
    pub client_order_id: u64,
    pub account: u32,
    pub instrument: u32,
    pub side: Side,
    pub order_type: OrderType,
    pub time_in_force: TimeInForce,
    pub sizing: Sizing,
    pub options: u16,
    pub price: i64,
    pub quantity: i64,
    pub stop_price: i64,
    pub expire_time: u64,
    /// Set for an order released by a fill of its parent: the price of that fill. It may execute within the
    /// data that filled the parent, under the pessimistic rules of the simulated venue.
    pub released_at: Option<i64>,
}

/// What the engine asks of a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueRequest {
    Submit(VenueOrder),
    /// New terms, each final (the engine has filled in what stays). `quantity` is the new total.
    Replace {
        order_id: u64,
        instrument: u32,
        price: i64,
        quantity: i64,
        stop_price: i64,
    },
    Cancel {
        order_id: u64,
        instrument: u32,
    },
    /// What became of the order? Asked when no answer came in time.
    Query {
        order_id: u64,
        instrument: u32,
        client_order_id: u64,
    },
}

/// What a venue reports about one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueReport {
    pub order_id: u64,
    /// When it happened at the venue, UTC nanoseconds.
    pub venue_time: u64,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Accepted {
        venue_order_id: u64,
    },
    Rejected {
        refusal: Refusal,
    },
    /// `fee_nano` where the venue itself says what it charged. `contra` is the order on the other side where
    /// both are ours; each side gets its own report, the resting one first.
    Filled {
        trade_id: u64,
        price: i64,
        quantity: i64,
        liquidity: Liquidity,
        fee_nano: Option<i64>,
        contra: Option<u64>,
    },
    /// `refusal` names the reason; `CanceledByParticipant` when asked for.
    Canceled {
        refusal: Refusal,
    },
    Expired,
    Replaced {
        price: i64,
        quantity: i64,
        stop_price: i64,
    },
    CancelRejected {
        refusal: Refusal,
    },
    ReplaceRejected {
        refusal: Refusal,
    },
    /// A stop was triggered at `price`.
    Triggered {
        price: i64,
    },
    /// The venue never saw the order.
    Unknown,
    /// The venue moved the order by its own terms.
    Repriced {
        price: i64,
        stop_price: i64,
    },
    /// A pegged order has nothing to follow and waits.
    Unpriced,
    /// The venue cut the order to this total, for this reason.
    Reduced {
        quantity: i64,
        refusal: Refusal,
    },
    /// New total of one level of the venue's own book; `order_id` of the report is 0.
    BookLevel {
        instrument: u32,
        side: Side,
        price: i64,
        quantity: i64,
        orders: u32,
    },
    /// One trade of two of our orders; comes before their two fills. `order_id` of the report is the aggressor's.
    Trade {
        instrument: u32,
        trade_id: u64,
        price: i64,
        quantity: i64,
        aggressor_side: Side,
        resting_order_id: u64,
        /// The auction it came out of; neither side is the aggressor then, and the buy is told as it.
        auction: Option<TradingSession>,
    },
    /// Another trading session of one instrument; `order_id` of this report and the next two is 0.
    SessionChanged {
        instrument: u32,
        before: TradingSession,
        after: TradingSession,
        until: u64,
    },
    /// What an auction would come to now.
    Indicated {
        instrument: u32,
        price: i64,
        volume: i64,
        imbalance: i64,
        reference: Option<i64>,
    },
    /// What an auction came to; its trades follow.
    Uncrossed {
        instrument: u32,
        session: TradingSession,
        price: i64,
        volume: i64,
        imbalance: i64,
    },
    /// The report's order would have traded at `price`, beyond `bound`.
    BandBreached {
        instrument: u32,
        price: i64,
        bound: i64,
    },
    /// What others see of the report's order has changed.
    BookOrder {
        instrument: u32,
        shown: ShownOrder,
    },
}

/// What a venue that simulates must ask the engine at the moment of a fill.
pub trait VenueContext {
    /// Quantity that may execute for `order` at `price` now: a percent sized, reduce-only cut to the position,
    /// margin looked at. At most `leaves` for orders sized in units; `leaves` is ignored for the others, which
    /// are asked about once, at their first fill.
    ///
    /// Positive and in the direction of `order.side`, except for `TARGET_PERCENT`: its target says nothing
    /// about the direction of the trade that leads there, so the result is signed (+ buy, - sell).
    ///
    /// # Errors
    /// The rule that leaves nothing to execute; the venue cancels the order with it.
    fn executable_quantity(&self, order: &VenueOrder, leaves: i64, price: i64) -> Result<i64, Refusal>;

    /// What the account holds of an instrument, + long, - short; all that was reported is booked.
    fn position(&self, account: u32, instrument: u32) -> i64;

    /// Tick of an instrument in price units.
    fn tick(&self, instrument: u32) -> i64;

    /// Whether an instrument may have prices of zero and below.
    fn negative_prices(&self, _instrument: u32) -> bool {
        false
    }
}

/// A place that accepts and matches orders. Implementations are deterministic functions of the calls made.
pub trait Venue {
    /// Takes a request at `time`. Answers come out of [`Venue::next_report`].
    fn request(&mut self, request: &VenueRequest, time: u64);

    /// Takes the special terms of an order: of a new one before the request that submits it, of one it has before
    /// the request that replaces it. Orders without any are not spoken of.
    fn attach(&mut self, _order_id: u64, _terms: &SpecialTerms) {}

    /// Takes one market data record or venue observation, whole, with its continuations. The record has been
    /// sequenced at its head's `time`; all that was due before has been pulled.
    fn observe(&mut self, record: &[Slot]);

    /// The next report due at or before `time`, or `None` when there is nothing more for now.
    fn next_report(&mut self, time: u64, context: &dyn VenueContext) -> Option<VenueReport>;

    /// When the venue next has something to report or do by itself, if it knows.
    fn next_due(&self) -> Option<u64>;

    /// The trading day of `instrument` (0 = all) ended at `session_end`: DAY orders that arrived before it expire.
    fn close_session(&mut self, instrument: u32, session_end: u64);

    /// Until [`Venue::release_triggers`] nothing comes of what requests set off: stops and the like wait.
    fn hold_triggers(&mut self) {}

    /// Says whether anything waited, which comes out of [`Venue::next_report`] now.
    fn release_triggers(&mut self) -> bool {
        false
    }

    /// Wrapping sum of the hashes of the venue's entities; only what changed since the last call is hashed. Whoever
    /// drives a venue calls it now and then, as the node does: what changed is kept in mind until then.
    fn state_sum(&mut self, hasher: &mut EntityHasher) -> u128;
}
