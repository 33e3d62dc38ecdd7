//! The order book of one instrument: who rests where, and who trades with whom.
//!
//! [`Book`] takes commands and tells a [`ReportSink`] what came of them. Ids are the caller's; ties break by the
//! order of commands, never by a timestamp; a command is fully matched before the next is looked at. What is
//! refused leaves the book as it was.
//!
//! Inside: levels in a price window with a bitmap ([`ladder`]), orders in circular lists from one pool
//! ([`slab`]), live ids in a compact index ([`live`]); reserves of icebergs and hidden orders apart ([`aside`]). Who has commands
//! before they are due lets a book look ahead ([`foresight`]).
//! Adding, canceling and trading cost the same however many orders rest, and allocate nothing once the pools
//! have grown to what is live at once.

mod allocation;
mod aside;
mod asked;
mod auction;
mod bitmap;
mod foresight;
mod ladder;
mod live;
mod matching;
mod part;
mod policy;
mod published;
mod report;
mod self_trade;
mod slab;
mod state;
mod view;

pub use allocation::{AllocationPolicy, AnyPolicy, LeadShare, PriceSizeTime, ProRataStep, TopStep, WHOLE};
pub use asked::{AskedPolicy, LevelQuestion};
pub use auction::AuctionLevel;
pub use foresight::{FAR_AHEAD, SOON};
pub use policy::{LevelQueue, MatchingPolicy, PriceTime, RestingOrder};
pub use published::{DepthPublisher, DepthReader, PublishedDepth};
pub use report::{
    BookCancel, BookDecrement, BookRefresh, BookReplace, BookReport, BookTrade, LevelChange, NewOrder,
    ReportSink, SHOW_ALL, Silent,
};
pub use self_trade::{ByAccount, SelfTradeAction, SelfTradeGuard, Unguarded};
pub use view::{BookOrder, Level, QueuePosition, TopOfBook};

use crate::instrument::MAX_UNITS;
use crate::rules::{Refusal, Rule};
use crate::terms::{OrderType, Side, TimeInForce};

use aside::Aside;
use ladder::{ANY_KEY, Ladder, NOWHERE, mirror};
use live::LiveOrders;
use policy::Taker;
use slab::{NONE, Slab};

/// Live orders a book can hold: levels take slots of the same pool, at most one per order.
pub const MAX_ORDERS: usize = (1 << 30) - 1;

/// The highest price, and negated the lowest: of all integers of 64 bits only the lowest two and the highest are none.
/// They stand for limits that no order reaches and that every order reaches, and each price has a negative.
pub const MAX_PRICE: i64 = i64::MAX - 1;

/// One instrument's book under the matching policy `P`.
///
/// Prices are any units in `-MAX_PRICE..=MAX_PRICE`, zero like any other; whether a price may be negative or off tick
/// is for the gate before the book to say. A market order is told by its type, never by its price, which is not looked
/// at. Quantities are `1..=MAX_UNITS`.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct Book<P: MatchingPolicy = PriceTime> {
    /// Buy, sell.
    ladders: [Ladder; 2],
    live: LiveOrders,
    /// Made with the first iceberg or hidden order.
    aside: Option<Box<Aside>>,
    slab: Slab,
    /// Orders rest without trading, until [`Book::uncross`].
    collecting: bool,
    policy: P,
}

/// In arithmetic, for the reason of [`mirror`].
#[inline(always)]
const fn index(side: Side) -> usize {
    const { assert!(Side::Buy as u8 == 1 && Side::Sell as u8 == 2) }
    (side as usize >> 1) & 1
}

const fn side_at(index: usize) -> Side {
    if index == 0 { Side::Buy } else { Side::Sell }
}

fn unknown_order(order_id: u64) -> Refusal {
    Refusal::new(Rule::OrderMustExist, 0, i128::from(order_id))
}

pub(crate) fn check_quantity(quantity: i64) -> Result<(), Refusal> {
    if quantity <= 0 {
        return Err(Refusal::new(Rule::QuantityMustBePositive, 1, i128::from(quantity)));
    }
    if quantity > MAX_UNITS {
        return Err(Refusal::new(Rule::QuantityMustBeInBounds, i128::from(MAX_UNITS), i128::from(quantity)));
    }
    Ok(())
}

/// What the venue before a book lets through: beyond it a price times a quantity has no bounds of its own.
pub(crate) fn check_price(price: i64) -> Result<(), Refusal> {
    check_price_within(MAX_UNITS, price)
}

fn check_price_within(most: i64, price: i64) -> Result<(), Refusal> {
    if (-most..=most).contains(&price) {
        return Ok(());
    }
    Err(Refusal::new(Rule::FieldMustBeInRange, i128::from(most), i128::from(price)))
}

fn check_terms(order: &NewOrder) -> Result<(), Refusal> {
    if !matches!(order.order_type, OrderType::Market | OrderType::Limit) {
        let actual = i128::from(order.order_type as u8);
        return Err(Refusal::new(Rule::OrderTypeMustBeSupported, 0, actual));
    }
    if matches!(order.time_in_force, TimeInForce::AtOpen | TimeInForce::AtClose) {
        let actual = i128::from(order.time_in_force as u8);
        return Err(Refusal::new(Rule::OrderTypeMustBeSupported, 0, actual));
    }
    let least = order.display.min(order.minimum);
    if least < 0 || order.minimum > order.quantity {
        let (limit, actual) = if least < 0 { (0, least) } else { (order.quantity, order.minimum) };
        return Err(Refusal::new(Rule::FieldMustBeInRange, i128::from(limit), i128::from(actual)));
    }
    Ok(())
}

impl<P: MatchingPolicy> Book<P> {
    pub fn new(policy: P) -> Self {
        Book {
            slab: Slab::default(),
            live: LiveOrders::default(),
            ladders: Default::default(),
            aside: None,
            collecting: false,
            policy,
        }
    }

    /// The policy's settings.
    pub fn policy(&self) -> &P {
        &self.policy
    }

    /// The policy's settings, to change: what rests keeps its place.
    pub fn policy_mut(&mut self) -> &mut P {
        &mut self.policy
    }

    /// Takes a new order: it trades as far as it reaches, and what is left rests or is canceled, as its terms
    /// say. Returns the quantity that rests.
    ///
    /// # Errors
    /// In this order: `ClientOrderIdMustBeUnique` (among live orders), `QuantityMustBePositive`,
    /// `QuantityMustBeInBounds`, `OrderTypeMustBeSupported`, `FieldMustBeInRange` (display or minimum),
    /// `OpenOrdersMustNotExceedLimit`, `FieldMustBeInRange` (price), `PostOnlyMustNotTake`.
    #[inline(always)]
    pub fn submit<S: ReportSink>(&mut self, order: &NewOrder, sink: &mut S) -> Result<i64, Refusal> {
        self.submit_guarded(order, &Unguarded, sink)
    }

    /// As [`Book::submit`], where `guard` says which orders may not trade with each other.
    ///
    /// # Errors
    /// As [`Book::submit`].
    ///
    /// Most orders take nothing and rest with all terms plain. They go the short way, inlined into the caller;
    /// the long way does the same for them and for all others.
    #[inline(always)]
    pub fn submit_guarded<S: ReportSink, G: SelfTradeGuard>(
        &mut self,
        order: &NewOrder,
        guard: &G,
        sink: &mut S,
    ) -> Result<i64, Refusal> {
        if self.rest_plainly(order, sink) {
            return Ok(order.quantity);
        }
        // A copy, so that only this way has to have the order in memory.
        self.submit_any(&order.clone(), guard, sink)
    }

    /// The short way of a new order: rests it if it takes nothing and all its terms are plain; `false`, and nothing done,
    /// where it must go the long way.
    #[inline(always)]
    pub fn rest_plainly<S: ReportSink>(&mut self, order: &NewOrder, sink: &mut S) -> bool {
        if self.rests_plainly(order)
            && let Some(vacancy) = self.live.vacancy(order.order_id)
        {
            sink.accepted(order);
            let slot = self.rest_new(order, order.quantity, sink);
            self.live.fill(vacancy, slot);
            return true;
        }
        false
    }

    #[inline(never)]
    fn submit_any<S: ReportSink, G: SelfTradeGuard>(
        &mut self,
        order: &NewOrder,
        guard: &G,
        sink: &mut S,
    ) -> Result<i64, Refusal> {
        self.admit(order)?;
        let own = index(order.side);
        let limit = self.reach(order);
        let takes = self.reachable(1 - own, limit) != NONE;
        if takes && order.post_only {
            return Err(self.would_take(own, order.price));
        }
        sink.accepted(order);
        let mut taker = Taker {
            order_id: order.order_id,
            account: order.account,
            side: order.side,
            leaves: order.quantity,
        };
        if order.minimum > 0 && self.misses_minimum(order, limit, guard, sink) {
            return Ok(0);
        }
        if takes {
            if order.time_in_force == TimeInForce::Fok && self.misses_whole(order, limit, guard, sink) {
                return Ok(0);
            }
            self.take(&mut taker, limit, guard, sink);
            if taker.leaves == 0 {
                return Ok(0);
            }
        }
        if order.order_type == OrderType::Market || is_immediate(order.time_in_force) {
            self.kill(order, &taker, sink);
            return Ok(0);
        }
        let slot = if order.display == SHOW_ALL {
            self.rest_new(order, taker.leaves, sink)
        } else {
            let slot = self.slab.new_apart(order.order_id, order.account, taker.leaves);
            self.rest(own, order.price, slot, order.display, sink);
            slot
        };
        self.live.insert(order.order_id, slot, &self.slab);
        Ok(taker.leaves)
    }

    /// Takes an order out. Returns its leaves.
    ///
    /// # Errors
    /// `OrderMustExist` with the id.
    #[inline(always)]
    pub fn cancel<S: ReportSink>(&mut self, order_id: u64, sink: &mut S) -> Result<i64, Refusal> {
        let slot = self.live.remove(order_id, &self.slab);
        if slot == NONE {
            return Err(unknown_order(order_id));
        }
        Ok(self.cancel_slot(slot, Refusal::of(Rule::CanceledByParticipant), sink))
    }

    /// Takes out every order that `leaves` says yes to, each told with `reason`: buys, then sells, each in
    /// priority order, hidden ones last. Returns how many. Walks the whole book.
    pub fn cancel_where<S: ReportSink>(
        &mut self,
        leaves: impl Fn(&BookOrder) -> bool,
        reason: Refusal,
        sink: &mut S,
    ) -> usize {
        let leaving: Vec<u64> = [Side::Buy, Side::Sell]
            .into_iter()
            .flat_map(|side| self.orders(side))
            .filter(|order| leaves(order))
            .map(|order| order.order_id)
            .collect();
        for &order_id in &leaving {
            let slot = self.live.remove(order_id, &self.slab);
            self.cancel_slot(slot, reason, sink);
        }
        leaving.len()
    }

    /// Gives an order new terms: `quantity` is its new open quantity. A pure decrease at the same price keeps
    /// its place; anything else loses it, and at a price that crosses the order trades at the makers' prices.
    /// An iceberg's decrease comes out of its reserve first. Returns the quantity that rests.
    ///
    /// # Errors
    /// `OrderMustExist`, `QuantityMustBePositive`, `QuantityMustBeInBounds`, `FieldMustBeInRange` (price),
    /// `PostOnlyMustNotTake` when `post_only` and the new price crosses.
    #[inline]
    pub fn replace<S: ReportSink>(
        &mut self,
        order_id: u64,
        price: i64,
        quantity: i64,
        post_only: bool,
        sink: &mut S,
    ) -> Result<i64, Refusal> {
        self.replace_guarded(order_id, [price, quantity], post_only, &Unguarded, sink)
    }

    /// As [`Book::replace`], where `terms` are price and quantity and `guard` says which orders may not trade
    /// with each other.
    ///
    /// # Errors
    /// As [`Book::replace`].
    pub fn replace_guarded<S: ReportSink, G: SelfTradeGuard>(
        &mut self,
        order_id: u64,
        terms: [i64; 2],
        post_only: bool,
        guard: &G,
        sink: &mut S,
    ) -> Result<i64, Refusal> {
        let [price, quantity] = terms;
        let slot = self.live.find(order_id, &self.slab);
        if slot == NONE {
            return Err(unknown_order(order_id));
        }
        check_quantity(quantity)?;
        let level = self.slab.level_of(slot);
        let (own, leaves) = (self.slab.side(level), self.leaves(slot));
        self.check_room(own, quantity - leaves)?;
        check_price_within(MAX_PRICE, price)?;
        let account = self.slab.account(slot);
        let kept_priority = self.slab.price(level) == price && quantity <= leaves;
        let terms =
            BookReplace { order_id, account, side: side_at(own), price, leaves: quantity, kept_priority };
        if kept_priority {
            self.decrease(slot, &terms, leaves - quantity, sink);
            return Ok(quantity);
        }
        let limit = if self.collecting { NOWHERE } else { mirror(1 - own, price) };
        if post_only && self.reachable(1 - own, limit) != NONE {
            return Err(self.would_take(own, price));
        }
        sink.replaced(&terms);
        let display = self.leave_level(slot, sink);
        let mut taker = Taker { order_id, account, side: side_at(own), leaves: quantity };
        self.take(&mut taker, limit, guard, sink);
        if taker.leaves == 0 {
            self.live.remove(order_id, &self.slab);
            self.slab.free(slot);
            return Ok(0);
        }
        self.slab.set_leaves(slot, taker.leaves);
        self.rest(own, price, slot, display, sink);
        Ok(taker.leaves)
    }

    /// Live orders on both sides.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much of `quantity` an order of `account` and `side` could trade now, up to its `price`; `None` for
    /// any price. What `guard` would prevent does not count.
    pub fn fillable<G: SelfTradeGuard>(
        &self,
        account: u32,
        side: Side,
        price: Option<i64>,
        quantity: i64,
        guard: &G,
    ) -> i64 {
        let limit =
            price.map_or(ANY_KEY, |price| mirror(1 - index(side), price.clamp(-MAX_PRICE, MAX_PRICE)));
        let limit = if self.collecting { NOWHERE } else { limit };
        let taker = Taker { order_id: 0, account, side, leaves: quantity };
        self.could_trade(taker, limit, quantity, guard)
    }

    /// Whether an order whose id is new passes every test, takes nothing and shows all of itself.
    #[inline(always)]
    fn rests_plainly(&self, order: &NewOrder) -> bool {
        let own = index(order.side);
        let plain = order.order_type as u8 == OrderType::Limit as u8
            && order.time_in_force as u8 <= TimeInForce::Gtd as u8
            && order.display == SHOW_ALL
            && order.minimum == 0;
        plain
            && in_bounds(order)
            && mirror(1 - own, order.price) < self.ladders[1 - own].best_key
            && self.ladders[own].quantity <= i64::MAX - MAX_UNITS
            && self.aside.is_none()
            && self.live.len() < MAX_ORDERS
    }

    fn admit(&self, order: &NewOrder) -> Result<(), Refusal> {
        let known = self.live.find(order.order_id, &self.slab) != NONE;
        let plain = order.order_type as u8 <= OrderType::Limit as u8
            && order.time_in_force as u8 <= TimeInForce::Fok as u8
            && order.display >= 0
            && order.minimum == 0;
        let room = self.aside.is_none()
            && self.ladders[index(order.side)].quantity <= i64::MAX - MAX_UNITS
            && self.live.len() < MAX_ORDERS;
        if !known && plain && in_bounds(order) && room { Ok(()) } else { self.admit_slowly(order) }
    }

    /// The tests one by one, for who does not pass them all at a glance.
    #[cold]
    fn admit_slowly(&self, order: &NewOrder) -> Result<(), Refusal> {
        if self.live.find(order.order_id, &self.slab) != NONE {
            return Err(Refusal::new(Rule::ClientOrderIdMustBeUnique, 1, i128::from(order.order_id)));
        }
        check_quantity(order.quantity)?;
        self.check_room(index(order.side), order.quantity)?;
        check_terms(order)?;
        if self.live.len() >= MAX_ORDERS {
            let limit = MAX_ORDERS as i128;
            return Err(Refusal::new(Rule::OpenOrdersMustNotExceedLimit, limit, limit + 1));
        }
        if order.order_type == OrderType::Limit { check_price_within(MAX_PRICE, order.price) } else { Ok(()) }
    }

    /// The leaves of one side must fit a signed 64-bit integer, so that no total can overflow.
    #[inline]
    fn check_room(&self, side: usize, more: i64) -> Result<(), Refusal> {
        let unseen = self.aside.as_ref().map_or(0, |aside| aside.unseen(side));
        let total = self.ladders[side].quantity + unseen;
        if total.checked_add(more).is_some() {
            return Ok(());
        }
        let actual = i128::from(total) + i128::from(more);
        Err(Refusal::new(Rule::QuantityMustBeInBounds, i128::from(i64::MAX), actual))
    }

    #[cold]
    fn would_take(&self, own: usize, price: i64) -> Refusal {
        let best = self.slab.price(self.reachable(1 - own, ANY_KEY));
        Refusal::new(Rule::PostOnlyMustNotTake, i128::from(best), i128::from(price))
    }

    /// How far an incoming order reaches, as a key of the opposite side.
    #[inline(always)]
    fn reach(&self, order: &NewOrder) -> i64 {
        if self.collecting {
            return NOWHERE;
        }
        match order.order_type {
            OrderType::Market => ANY_KEY,
            _ => mirror(1 - index(order.side), order.price),
        }
    }
}

/// Quantity and price, as a market order's must be too to pass at a glance.
#[inline(always)]
fn in_bounds(order: &NewOrder) -> bool {
    (order.quantity as u64).wrapping_sub(1) < MAX_UNITS as u64
        && order.price.wrapping_add(MAX_PRICE) as u64 <= 2 * MAX_PRICE as u64
}

const fn is_immediate(time_in_force: TimeInForce) -> bool {
    matches!(time_in_force, TimeInForce::Ioc | TimeInForce::Fok)
}
