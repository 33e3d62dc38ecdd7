//! The order book of one instrument: who rests where, and who trades with whom.
//!
//! [`Book`] takes commands and tells a [`ReportSink`] what came of them. Ids are the caller's; ties break by the
//! order of commands, never by a timestamp; a command is fully matched before the next is looked at. What is
//! refused leaves the book as it was.
//!
//! Inside: levels in a price window with a bitmap ([`ladder`]), orders in circular lists from one pool
//! ([`slab`]), live ids in a compact index ([`live`]). Adding, canceling and trading cost the same however many
//! orders rest, and allocate nothing once the pools have grown to what is live at once.

mod bitmap;
mod ladder;
mod live;
mod policy;
mod report;
mod slab;
mod state;
mod view;

pub use policy::{LevelQueue, MatchingPolicy, PriceTime, RestingOrder};
pub use report::{BookCancel, BookReplace, BookReport, BookTrade, LevelChange, NewOrder, ReportSink, Silent};
pub use view::{BookOrder, Level, QueuePosition, TopOfBook};

use crate::instrument::MAX_UNITS;
use crate::rules::{Refusal, Rule};
use crate::terms::{OrderType, Side, TimeInForce};

use ladder::{ANY_KEY, Ladder, mirror};
use live::LiveOrders;
use policy::Taker;
use slab::{NONE, Slab};

/// Live orders a book can hold: levels take slots of the same pool, at most one per order.
pub const MAX_ORDERS: usize = (u32::MAX / 2) as usize - 1;

/// One instrument's book under the matching policy `P`.
///
/// Prices are any units in `-MAX_UNITS..=MAX_UNITS`; whether a price may be negative or off tick is for the gate
/// before the book to say. Quantities are `1..=MAX_UNITS`.
#[derive(Clone, Debug, Default)]
pub struct Book<P: MatchingPolicy = PriceTime> {
    slab: Slab,
    live: LiveOrders,
    /// Buy, sell.
    ladders: [Ladder; 2],
    policy: P,
}

const fn index(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

const fn side_at(index: usize) -> Side {
    if index == 0 { Side::Buy } else { Side::Sell }
}

/// How far an incoming order reaches, as a key of the opposite side.
#[inline]
fn reach(order: &NewOrder) -> i64 {
    match order.order_type {
        OrderType::Market => ANY_KEY,
        _ => mirror(1 - index(order.side), order.price),
    }
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

pub(crate) fn check_price(price: i64) -> Result<(), Refusal> {
    if (-MAX_UNITS..=MAX_UNITS).contains(&price) {
        return Ok(());
    }
    Err(Refusal::new(Rule::FieldMustBeInRange, i128::from(MAX_UNITS), i128::from(price)))
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
    Ok(())
}

impl<P: MatchingPolicy> Book<P> {
    pub fn new(policy: P) -> Self {
        Book { slab: Slab::default(), live: LiveOrders::default(), ladders: Default::default(), policy }
    }

    /// Takes a new order: it trades as far as it reaches, and what is left rests or is canceled, as its terms
    /// say. Returns the quantity that rests.
    ///
    /// # Errors
    /// In this order: `ClientOrderIdMustBeUnique` (among live orders), `QuantityMustBePositive`,
    /// `QuantityMustBeInBounds`, `OrderTypeMustBeSupported`, `OpenOrdersMustNotExceedLimit`,
    /// `FieldMustBeInRange` (price), `PostOnlyMustNotTake`.
    pub fn submit<S: ReportSink>(&mut self, order: &NewOrder, sink: &mut S) -> Result<i64, Refusal> {
        self.admit(order)?;
        let own = index(order.side);
        let limit = reach(order);
        let takes = self.ladders[1 - own].best_key <= limit;
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
        if takes {
            if order.time_in_force == TimeInForce::Fok && self.cannot_fill(&taker, limit) {
                self.kill(order, &taker, limit, sink);
                return Ok(0);
            }
            self.take(&mut taker, limit, sink);
            if taker.leaves == 0 {
                return Ok(0);
            }
        }
        if order.order_type == OrderType::Market || is_immediate(order.time_in_force) {
            self.kill(order, &taker, limit, sink);
            return Ok(0);
        }
        let slot = self.slab.new_order(order.order_id, order.account, taker.leaves);
        self.live.insert(order.order_id, slot);
        self.rest(own, order.price, slot, sink);
        Ok(taker.leaves)
    }

    /// Takes an order out. Returns its leaves.
    ///
    /// # Errors
    /// `OrderMustExist` with the id.
    pub fn cancel<S: ReportSink>(&mut self, order_id: u64, sink: &mut S) -> Result<i64, Refusal> {
        let slot = self.live.remove(order_id, &self.slab);
        if slot == NONE {
            return Err(unknown_order(order_id));
        }
        let (leaves, account) = (self.slab.quantity(slot), self.slab.account(slot));
        let level = self.slab.level_of(slot);
        let (side, price) = (self.slab.side(level), self.slab.price(level));
        sink.canceled(&BookCancel {
            order_id,
            account,
            side: side_at(side),
            price,
            leaves,
            reason: Refusal::of(Rule::CanceledByParticipant),
        });
        self.unlink(slot, sink);
        self.slab.free(slot);
        Ok(leaves)
    }

    /// Gives an order new terms: `quantity` is its new open quantity. A pure decrease at the same price keeps
    /// its place; anything else loses it, and at a price that crosses the order trades at the makers' prices.
    /// Returns the quantity that rests.
    ///
    /// # Errors
    /// `OrderMustExist`, `QuantityMustBePositive`, `QuantityMustBeInBounds`, `FieldMustBeInRange` (price),
    /// `PostOnlyMustNotTake` when `post_only` and the new price crosses.
    pub fn replace<S: ReportSink>(
        &mut self,
        order_id: u64,
        price: i64,
        quantity: i64,
        post_only: bool,
        sink: &mut S,
    ) -> Result<i64, Refusal> {
        let slot = self.live.find(order_id, &self.slab);
        if slot == NONE {
            return Err(unknown_order(order_id));
        }
        check_quantity(quantity)?;
        let level = self.slab.level_of(slot);
        let (own, leaves) = (self.slab.side(level), self.slab.quantity(slot));
        self.check_room(own, quantity - leaves)?;
        check_price(price)?;
        let account = self.slab.account(slot);
        let kept_priority = self.slab.price(level) == price && quantity <= leaves;
        let terms =
            BookReplace { order_id, account, side: side_at(own), price, leaves: quantity, kept_priority };
        if kept_priority {
            self.decrease(slot, &terms, leaves - quantity, sink);
            return Ok(quantity);
        }
        let limit = mirror(1 - own, price);
        if post_only && self.ladders[1 - own].best_key <= limit {
            return Err(self.would_take(own, price));
        }
        sink.replaced(&terms);
        self.unlink(slot, sink);
        self.enter_again(slot, &terms, limit, sink)
    }

    /// Live orders on both sides.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn admit(&self, order: &NewOrder) -> Result<(), Refusal> {
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
        if order.order_type == OrderType::Limit { check_price(order.price) } else { Ok(()) }
    }

    /// The leaves of one side must fit a signed 64-bit integer, so that no total can overflow.
    #[inline]
    fn check_room(&self, side: usize, more: i64) -> Result<(), Refusal> {
        let total = self.ladders[side].quantity;
        if total.checked_add(more).is_some() {
            return Ok(());
        }
        let actual = i128::from(total) + i128::from(more);
        Err(Refusal::new(Rule::QuantityMustBeInBounds, i128::from(i64::MAX), actual))
    }

    #[cold]
    fn would_take(&self, own: usize, price: i64) -> Refusal {
        let best = mirror(1 - own, self.ladders[1 - own].best_key);
        Refusal::new(Rule::PostOnlyMustNotTake, i128::from(best), i128::from(price))
    }

    /// Matches against the opposite side, level by level, as far as `limit` reaches.
    fn take<S: ReportSink>(&mut self, taker: &mut Taker, limit: i64, sink: &mut S) {
        let opposite = 1 - index(taker.side);
        while taker.leaves > 0 && self.ladders[opposite].best_key <= limit {
            let level = self.ladders[opposite].best_level;
            let price = self.slab.price(level);
            let before = taker.leaves;
            let mut queue =
                LevelQueue { slab: &mut self.slab, live: &mut self.live, taker, sink, level, price };
            self.policy.match_level(&mut queue, before);
            if taker.leaves == before {
                break;
            }
            self.ladders[opposite].quantity -= before - taker.leaves;
            self.settle_level(opposite, level, sink);
        }
    }

    /// Tells a level's new totals, and drops it when it is empty.
    #[inline]
    fn settle_level<S: ReportSink>(&mut self, side: usize, level: u32, sink: &mut S) {
        let (price, orders) = (self.slab.price(level), self.slab.orders(level));
        if S::LEVELS {
            let quantity = self.slab.quantity(level);
            sink.level_changed(&LevelChange { side: side_at(side), price, quantity, orders });
        }
        if orders == 0 {
            self.ladders[side].remove(mirror(side, price));
            self.slab.free(level);
        }
    }

    /// Puts an order at the end of the queue at `price`.
    #[inline]
    fn rest<S: ReportSink>(&mut self, side: usize, price: i64, slot: u32, sink: &mut S) {
        let key = mirror(side, price);
        let ladder = &mut self.ladders[side];
        let mut level = ladder.find(key);
        if level == NONE {
            level = self.slab.new_level(side, price);
            ladder.insert(key, level);
        }
        ladder.quantity += self.slab.quantity(slot);
        self.slab.append(level, slot);
        if S::LEVELS {
            self.settle_level(side, level, sink);
        }
    }

    /// Takes a resting order out of its level; its slot stays taken.
    #[inline]
    fn unlink<S: ReportSink>(&mut self, slot: u32, sink: &mut S) {
        let leaves = self.slab.quantity(slot);
        let level = self.slab.detach(slot);
        let side = self.slab.side(level);
        self.ladders[side].quantity -= leaves;
        self.settle_level(side, level, sink);
    }

    fn decrease<S: ReportSink>(&mut self, slot: u32, terms: &BookReplace, less: i64, sink: &mut S) {
        let side = index(terms.side);
        self.ladders[side].quantity -= less;
        self.slab.reduce(slot, less);
        sink.replaced(terms);
        if S::LEVELS && less > 0 {
            self.settle_level(side, self.slab.level_of(slot), sink);
        }
    }

    /// The second half of a replace that lost its place: `slot` is live but in no level.
    fn enter_again<S: ReportSink>(
        &mut self,
        slot: u32,
        terms: &BookReplace,
        limit: i64,
        sink: &mut S,
    ) -> Result<i64, Refusal> {
        let BookReplace { order_id, account, side, price, leaves, .. } = *terms;
        let mut taker = Taker { order_id, account, side, leaves };
        self.take(&mut taker, limit, sink);
        if taker.leaves == 0 {
            self.live.remove(order_id, &self.slab);
            self.slab.free(slot);
            return Ok(0);
        }
        self.slab.set_leaves(slot, taker.leaves);
        self.rest(index(side), price, slot, sink);
        Ok(taker.leaves)
    }

    fn cannot_fill(&self, taker: &Taker, limit: i64) -> bool {
        self.fillable(taker.side, limit, taker.leaves) < taker.leaves
    }

    /// How much of `quantity` an order of `side` could trade now, reaching as far as `limit`.
    fn fillable(&self, side: Side, limit: i64, quantity: i64) -> i64 {
        let ladder = &self.ladders[1 - index(side)];
        let mut found = 0;
        for (_, level) in ladder.iter().take_while(|&(key, _)| key <= limit) {
            found += self.slab.quantity(level);
            if found >= quantity {
                return quantity;
            }
        }
        found
    }

    /// Cancels what may not rest.
    #[cold]
    fn kill<S: ReportSink>(&mut self, order: &NewOrder, taker: &Taker, limit: i64, sink: &mut S) {
        let (rule, could_trade) = match (order.time_in_force, order.order_type) {
            (TimeInForce::Fok, _) => {
                (Rule::FillOrKillMustFillWhole, self.fillable(order.side, limit, order.quantity))
            }
            (_, OrderType::Market) => (Rule::MarketMustHaveLiquidity, order.quantity - taker.leaves),
            _ => (Rule::ImmediateOrCancelMustFillNow, order.quantity - taker.leaves),
        };
        sink.canceled(&BookCancel {
            order_id: order.order_id,
            account: order.account,
            side: order.side,
            price: order.price,
            leaves: taker.leaves,
            reason: Refusal::new(rule, i128::from(could_trade), i128::from(order.quantity)),
        });
    }
}

const fn is_immediate(time_in_force: TimeInForce) -> bool {
    matches!(time_in_force, TimeInForce::Ioc | TimeInForce::Fok)
}
