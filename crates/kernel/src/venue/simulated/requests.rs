//! What the venue does with a request once it has arrived.

use crate::rules::{Refusal, Rule};
use crate::terms::{OrderType, Sizing, TimeInForce};
use crate::venue::{Outcome, VenueOrder, VenueRequest};

use super::bars::Pass;
use super::latency::Outbox;
use super::market::{Feed, Market};
use super::orders::{Entry, LiveOrder};
use super::trail::Trail;
use super::{Markets, books, execution, make_ready, market_of};

/// Takes requests at one moment.
pub(super) struct Desk<'a> {
    pub time: u64,
    /// Of the order the request is about, where it trails.
    pub trail: Option<Trail>,
    /// Set when the request answers a report of this pass: it acts inside the bar in work.
    pub reaction: Option<&'a mut Pass>,
    pub markets: &'a mut Markets,
    pub reports: &'a mut Outbox,
    pub ready: &'a mut Vec<u32>,
    pub last_priority: &'a mut u64,
    pub earliest_expiry: &'a mut u64,
    pub is_over: bool,
}

impl Desk<'_> {
    pub fn handle(&mut self, request: &VenueRequest) {
        match *request {
            VenueRequest::Submit(ref order) => self.submit(order),
            VenueRequest::Replace { order_id, instrument, price, quantity, stop_price } => {
                let terms = NewTerms { price, quantity, stop_price };
                if let Err(refusal) = self.replace(order_id, instrument, terms) {
                    self.answer(order_id, instrument, Outcome::ReplaceRejected { refusal });
                }
            }
            VenueRequest::Cancel { order_id, instrument } => self.cancel(order_id, instrument),
            VenueRequest::Query { order_id, instrument, .. } => self.query(order_id, instrument),
        }
    }

    fn submit(&mut self, terms: &VenueOrder) {
        let (account, order_id) = (terms.account, terms.order_id);
        let market = market_of(self.markets, terms.instrument, self.is_over);
        market.time = market.time.max(self.time);
        let mut order = LiveOrder {
            terms: *terms,
            venue_order_id: *self.last_priority + 1,
            priority: *self.last_priority + 1,
            arrival: self.time,
            filled: 0,
            triggered: false,
            fresh: true,
            first_update: market.next_update(),
            entry: Entry::Open,
            taken_in_bar: 0,
            trail: self.trail,
        };
        if let Some(trail) = &mut order.trail {
            trail.water = terms.released_at.or_else(|| market.price_now(terms.side));
            trail.has_stop |= terms.stop_price != 0;
        }
        if let Some(refusal) = self.refusal(&order) {
            self.reports.send_last(account, order_id, self.time, Outcome::Rejected { refusal });
            return;
        }
        *self.last_priority += 1;
        let venue_order_id = order.venue_order_id;
        self.reports.send(account, order_id, self.time, Outcome::Accepted { venue_order_id });
        let has_stop = order.trail.is_some_and(|trail| trail.has_stop);
        if order.terms.order_type == OrderType::TrailingStopLimit && has_stop {
            order.set_limit();
            execution::report_repriced(&order, self.time, self.reports);
        }
        self.place(order);
    }

    fn place(&mut self, mut order: LiveOrder) {
        if let Some(pass) = &mut self.reaction {
            order.entry = pass.admit(&order);
            order.fresh = order.terms.order_type == OrderType::Market;
        }
        if order.terms.time_in_force == TimeInForce::Gtd {
            *self.earliest_expiry = order.terms.expire_time.min(*self.earliest_expiry);
        }
        let instrument = order.terms.instrument;
        let market = market_of(self.markets, instrument, self.is_over);
        market.orders.push(order);
        make_ready(market, instrument, self.ready);
    }

    /// Why the venue does not take the order.
    fn refusal(&self, order: &LiveOrder) -> Option<Refusal> {
        let terms = &order.terms;
        let market = self.markets.get(terms.instrument)?;
        let is_market = terms.order_type == OrderType::Market;
        let is_auction_stop = books::is_for_auction(order) && terms.order_type.has_stop();
        let is_auction_in_book = books::is_for_auction(order) && market.feed >= Feed::Trades;
        if market.find(terms.order_id).is_some() {
            Some(Refusal::of(Rule::ClientOrderIdMustBeUnique))
        } else if terms.sizing == Sizing::Units && terms.quantity <= 0 {
            Some(Refusal::new(Rule::QuantityMustBePositive, 1, i128::from(terms.quantity)))
        } else if self.is_over && !is_market {
            Some(Refusal::of(Rule::CanceledAtEnd))
        } else if is_auction_stop || is_auction_in_book {
            Some(Refusal::of(Rule::OrderTypeMustBeSupported))
        } else if order.has_expired(self.time) {
            let (limit, actual) = (i128::from(self.time), i128::from(terms.expire_time));
            Some(Refusal::new(Rule::ExpiryMustBeInFuture, limit, actual))
        } else if order.is_post_only() && !terms.order_type.has_limit() {
            Some(Refusal::of(Rule::PostOnlyMustNotTake))
        } else if terms.order_type == OrderType::Limit {
            books::post_only_refusal(market, order)
        } else {
            None
        }
    }

    fn replace(&mut self, order_id: u64, instrument: u32, new: NewTerms) -> Result<(), Refusal> {
        let missing = self.missing(order_id);
        let Some(market) = self.markets.get_mut(instrument) else { return Err(missing) };
        let index = market.find(order_id).ok_or(missing)?;
        let before = market.orders[index];
        let mut order = before;
        (order.terms.price, order.terms.quantity) = (new.price, new.quantity);
        order.terms.stop_price = new.stop_price;
        order.trail_anew(&before, self.trail, market.price_now(order.terms.side));
        check_replacement(market, &before, &order)?;
        let (price, stop_price) = (order.terms.price, order.terms.stop_price);
        let is_repriced =
            (price, stop_price, order.trail) != (before.terms.price, before.terms.stop_price, before.trail);
        let requeues = is_repriced || new.quantity > before.terms.quantity;
        if self.reaction.is_some() {
            // Its place in the bar in work stays; a new price could not be judged inside it.
            order.entry = if is_repriced { Entry::NextBar } else { order.entry };
            market.orders[index] = order;
        } else if requeues {
            requeue(market, index, order, self.last_priority, self.time);
        } else {
            market.orders[index] = order;
        }
        market.time = market.time.max(self.time);
        let outcome = Outcome::Replaced { price, quantity: new.quantity, stop_price };
        self.reports.send(order.terms.account, order_id, self.time, outcome);
        make_ready(market, instrument, self.ready);
        Ok(())
    }

    fn cancel(&mut self, order_id: u64, instrument: u32) {
        let market = self.markets.get_mut(instrument);
        match market.and_then(|market| Some((market.find(order_id)?, market))) {
            Some((index, market)) => {
                let refusal = Refusal::of(Rule::CanceledByParticipant);
                execution::cancel(market, index, self.time, refusal, self.reports);
            }
            None => {
                let refusal = self.missing(order_id);
                self.answer(order_id, instrument, Outcome::CancelRejected { refusal });
            }
        }
    }

    /// An order closed not long ago needs no answer: its last report is under way or has been pulled.
    fn query(&mut self, order_id: u64, instrument: u32) {
        let market = self.markets.get(instrument);
        let order = market.and_then(|market| market.find(order_id).map(|index| market.orders[index]));
        match order {
            Some(order) => {
                let outcome = Outcome::Accepted { venue_order_id: order.venue_order_id };
                self.answer(order_id, instrument, outcome);
            }
            None if self.reports.has_closed(order_id) => {}
            None => self.answer(order_id, instrument, Outcome::Unknown),
        }
    }

    fn missing(&self, order_id: u64) -> Refusal {
        let closed = self.reports.has_closed(order_id);
        Refusal::of(if closed { Rule::OrderMustBeOpen } else { Rule::OrderMustExist })
    }

    fn answer(&mut self, order_id: u64, instrument: u32, outcome: Outcome) {
        let market = self.markets.get(instrument);
        let order = market.and_then(|market| market.find(order_id).map(|index| &market.orders[index]));
        let account = order.map_or(0, |order| order.terms.account);
        self.reports.send(account, order_id, self.time, outcome);
    }
}

#[derive(Clone, Copy)]
struct NewTerms {
    price: i64,
    quantity: i64,
    stop_price: i64,
}

fn check_replacement(market: &Market, before: &LiveOrder, order: &LiveOrder) -> Result<(), Refusal> {
    if before.triggered && order.terms.stop_price != before.terms.stop_price {
        let (limit, actual) = (i128::from(before.terms.stop_price), i128::from(order.terms.stop_price));
        return Err(Refusal::new(Rule::StopMustNotBeTriggered, limit, actual));
    }
    if !order.is_sized_at_fill() && order.terms.quantity <= order.filled {
        let (limit, actual) = (i128::from(order.filled) + 1, i128::from(order.terms.quantity));
        return Err(Refusal::new(Rule::QuantityMustBePositive, limit, actual));
    }
    if order.awaits_trigger() {
        return Ok(());
    }
    books::post_only_refusal(market, order).map_or(Ok(()), Err)
}

/// An order with better terms is as good as new: it stands behind all others and may take.
fn requeue(market: &mut Market, index: usize, mut order: LiveOrder, last_priority: &mut u64, time: u64) {
    market.orders.remove(index);
    *last_priority += 1;
    order.priority = *last_priority;
    order.arrival = time;
    order.fresh = true;
    order.first_update = market.next_update();
    market.orders.push(order);
}
