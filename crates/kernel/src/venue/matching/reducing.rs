//! Reduce-only orders: none of them ever trades more than its account's position is at that moment, wherever it waits and
//! whatever trades before it in the same match. Once a position has shrunk, each is brought down to what is left.
//!
//! Each order is measured by itself, so that a stop loss and a take profit may both be for the whole position. Venues
//! differ here: some measure an account's orders together and take back those farthest from the market.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::desk::{Leaving, Telling};
use super::owners::MarketGuard;
use super::{MatchingVenue, Place, Ticket};
use crate::book::{BookTrade, ReportSink};
use crate::rules::{Refusal, Rule};
use crate::terms::Side;
use crate::venue::{Outcome, VenueContext, VenueOrder};

/// The live reduce-only orders of one market, wherever they wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Reducing {
    pub orders: BTreeMap<u64, Side>,
    /// Who traded which side since the orders were looked at.
    pub shrunk: BTreeSet<(u32, Side)>,
}

/// How much an order of `side` may trade and only bring `position` nearer to zero.
fn room(position: i64, side: Side) -> i64 {
    position.saturating_mul(-side.sign()).max(0)
}

/// What reduce-only orders may trade, kept up to date within one act on a book.
pub(super) struct Rooms<'a> {
    context: &'a dyn VenueContext,
    instrument: u32,
    orders: &'a BTreeMap<u64, Side>,
    /// By account, what its position has changed by.
    changes: RefCell<BTreeMap<u32, i64>>,
    /// Orders that were kept from trading more.
    capped: RefCell<BTreeSet<u64>>,
}

impl<'a> Rooms<'a> {
    pub fn new(context: &'a dyn VenueContext, instrument: u32, orders: &'a BTreeMap<u64, Side>) -> Self {
        Rooms { context, instrument, orders, changes: RefCell::default(), capped: RefCell::default() }
    }

    /// As [`crate::book::SelfTradeGuard::most`].
    pub fn most(&self, account: u32, order_id: u64, leaves: i64) -> Result<i64, Refusal> {
        let Some(&side) = self.orders.get(&order_id) else { return Ok(leaves) };
        let change = self.changes.borrow().get(&account).copied().unwrap_or(0);
        let position = self.context.position(account, self.instrument).saturating_add(change);
        let room = room(position, side);
        if room < leaves {
            self.capped.borrow_mut().insert(order_id);
        }
        match room.min(leaves) {
            most if most > 0 => Ok(most),
            _ => Err(Refusal::new(Rule::ReduceOnlyMustReduce, 0, i128::from(leaves))),
        }
    }

    /// As [`crate::book::SelfTradeGuard::on_trial`].
    pub fn on_trial<T>(&self, act: impl FnOnce() -> T) -> T {
        let before = (self.changes.borrow().clone(), self.capped.borrow().clone());
        let result = act();
        (*self.changes.borrow_mut(), *self.capped.borrow_mut()) = before;
        result
    }

    pub fn traded(&self, maker: u32, taker: u32, taker_side: Side, quantity: i64) {
        let mut changes = self.changes.borrow_mut();
        *changes.entry(taker).or_default() += quantity * taker_side.sign();
        *changes.entry(maker).or_default() -= quantity * taker_side.sign();
    }
}

/// Adds up what some orders trade.
struct Quantities<'a> {
    orders: &'a BTreeMap<u64, Side>,
    traded: BTreeMap<u64, i64>,
}

impl ReportSink for Quantities<'_> {
    fn traded(&mut self, trade: &BookTrade) {
        for order_id in [trade.maker_order_id, trade.taker_order_id] {
            if self.orders.contains_key(&order_id) {
                *self.traded.entry(order_id).or_default() += trade.quantity;
            }
        }
    }
}

impl MatchingVenue {
    pub(super) fn watch_position(&mut self, order: &VenueOrder) {
        if let Some(market) = self.market_mut(order.instrument) {
            market.reducing.get_or_insert_default().orders.insert(order.order_id, order.side);
        }
    }

    pub(super) fn unwatch_position(&mut self, instrument: u32, order_id: u64) {
        let Some(market) = self.market_mut(instrument) else { return };
        if let Some(reducing) = &mut market.reducing {
            reducing.orders.remove(&order_id);
            if reducing.orders.is_empty() {
                market.reducing = None;
            }
        }
    }

    /// Notes that positions shrank under reduce-only orders of a market.
    pub(super) fn note_shrunk(&mut self, instrument: u32, time: u64) {
        if !self.shrunk.iter().any(|&(number, _)| number == instrument) {
            self.shrunk.push_back((instrument, time));
        }
    }

    /// Brings the reduce-only orders of the next market whose trades ask for it down to what is left to reduce. Comes
    /// when nothing else is to be done: first those whom a trade concerns may answer it themselves, as an engine does that
    /// takes back or resizes the partner of what traded.
    pub(super) fn trim_next(&mut self, context: &dyn VenueContext) {
        let Some((instrument, time)) = self.shrunk.pop_front() else { return };
        let Some(reducing) = self.market_mut(instrument).and_then(|market| market.reducing.as_deref_mut())
        else {
            return;
        };
        let shrunk = std::mem::take(&mut reducing.shrunk);
        let orders: Vec<(u64, Side)> = reducing.orders.iter().map(|(id, side)| (*id, *side)).collect();
        for (order_id, side) in orders {
            let Some(&ticket) = self.tickets.get(order_id) else { continue };
            let account = ticket.order.account;
            let most = room(context.position(account, instrument), side);
            if shrunk.contains(&(account, side)) && ticket.leaves() - ticket.excess > most {
                self.cut(ticket, most, time);
            }
        }
    }

    /// Brings a waiting order down to `most`, its place kept, and cancels it where that is nothing.
    fn cut(&mut self, ticket: Ticket, most: i64, time: u64) {
        let VenueOrder { order_id, instrument, .. } = ticket.order;
        let open = ticket.leaves() - ticket.excess;
        let refusal = Refusal::new(Rule::ReduceOnlyMustReduce, i128::from(most), i128::from(open));
        if most <= 0 {
            self.leave(order_id, Leaving::ByRule(refusal), time);
            return;
        }
        let resting = self.market(instrument).and_then(|market| market.book.order(order_id));
        if let Some(resting) = resting {
            // A pure decrease is never refused.
            let _ = self.at_desk(instrument, Leaving::Canceled, time, None, |book, desk| {
                desk.telling = Telling::Reduced(refusal);
                book.replace(order_id, resting.price, most, false, desk).map(|_| ())
            });
            return;
        }
        self.cut_outside(ticket, most, time);
        self.report(order_id, time, Outcome::Reduced { quantity: ticket.executed + most, refusal });
    }

    /// As [`MatchingVenue::cut`] for an order that is not in the book.
    fn cut_outside(&mut self, ticket: Ticket, most: i64, time: u64) {
        let VenueOrder { order_id, instrument, .. } = ticket.order;
        if let Some(ticket) = self.tickets.get_mut(order_id) {
            ticket.order.quantity = ticket.executed + most;
            ticket.excess = 0;
        }
        if let Some(special) = self.specials.get_mut(order_id) {
            special.terms.minimum_quantity = special.terms.minimum_quantity.min(most);
        }
        if ticket.place == Place::Parked {
            self.disturb(instrument, time);
        }
    }

    /// Cuts the reduce-only orders that an auction at `price` would let trade beyond their positions to what each would
    /// trade; says whether there were any, for then the auction comes to something else.
    pub(super) fn cut_for_auction(
        &mut self,
        instrument: u32,
        price: i64,
        time: u64,
        context: &dyn VenueContext,
    ) -> bool {
        let Some(market) = self.market(instrument) else { return false };
        let Some(reducing) = market.reducing.as_deref() else { return false };
        let rooms = Rooms::new(context, instrument, &reducing.orders);
        let mut trial = Quantities { orders: &reducing.orders, traded: BTreeMap::new() };
        let guard = MarketGuard::of_rooms(self.owners(), &rooms);
        // Tried on a copy of what crosses: the rest of the book, and how large it is, does not matter.
        market.book.crossing_part(price).uncross_guarded(price, &guard, &mut trial);
        let traded = trial.traded;
        let mut is_cut = false;
        for order_id in rooms.capped.into_inner() {
            let Some(&ticket) = self.tickets.get(order_id) else { continue };
            let most = traded.get(&order_id).copied().unwrap_or(0);
            // One that was held up may have gone on when its account had traded the other side.
            if most < ticket.leaves() - ticket.excess {
                self.cut(ticket, most, time);
                is_cut = true;
            }
        }
        is_cut
    }
}
