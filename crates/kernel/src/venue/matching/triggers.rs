//! Orders that wait for a price: in the order in which they would trigger, and what happens when they do.

use std::collections::BTreeSet;

use super::{MatchingVenue, Place, Ticket, TradedRange, TriggeredStop};
use crate::book::{check_price, check_quantity};
use crate::rules::{Refusal, Rule};
use crate::terms::Side;
use crate::venue::{Outcome, VenueContext, VenueOrder};

/// Keys grow away from the first stop to trigger: a sell stop's key is its negated stop price.
#[derive(Clone, Debug, Default)]
pub(super) struct Stops {
    /// Buy, sell: (key, arrival, order id).
    waiting: [BTreeSet<(i64, u64, u64)>; 2],
}

const fn row(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

impl Stops {
    pub fn insert(&mut self, side: Side, stop_price: i64, sequence: u64, order_id: u64) {
        self.waiting[row(side)].insert((stop_price * side.sign(), sequence, order_id));
    }

    pub fn remove(&mut self, side: Side, stop_price: i64, sequence: u64, order_id: u64) {
        self.waiting[row(side)].remove(&(stop_price * side.sign(), sequence, order_id));
    }

    /// Takes the next stop that a trade at `price` triggers.
    pub fn pop_triggered(&mut self, side: Side, price: i64) -> Option<u64> {
        let waiting = &mut self.waiting[row(side)];
        let &(key, _, _) = waiting.first()?;
        if key > price * side.sign() {
            return None;
        }
        waiting.pop_first().map(|(_, _, order_id)| order_id)
    }

    /// Buys, then sells, each as they would trigger.
    pub fn order_ids(&self) -> impl Iterator<Item = u64> {
        self.waiting.iter().flatten().map(|&(_, _, order_id)| order_id)
    }
}

impl MatchingVenue {
    pub(super) fn hold_stop(&mut self, order: &VenueOrder, time: u64) -> Result<(), Refusal> {
        self.check_stop(order)?;
        self.report(order.order_id, time, Outcome::Accepted { venue_order_id: order.order_id });
        self.place_stop(Ticket { order: *order, executed: 0, excess: 0, place: Place::Triggered });
        Ok(())
    }

    pub(super) fn check_stop(&self, order: &VenueOrder) -> Result<(), Refusal> {
        check_quantity(order.quantity)?;
        if order.order_type.has_limit() {
            check_price(order.price)?;
        }
        check_price(order.stop_price)?;
        let sign = order.side.sign();
        match self.last_price(order.instrument) {
            Some(last) if (last - order.stop_price) * sign >= 0 => {
                let (limit, actual) = (i128::from(last), i128::from(order.stop_price));
                Err(Refusal::new(Rule::StopMustNotBeTriggered, limit, actual))
            }
            _ => Ok(()),
        }
    }

    /// Puts a stop behind all others at its stop price.
    pub(super) fn place_stop(&mut self, ticket: Ticket) {
        self.arrivals += 1;
        let (sequence, order) = (self.arrivals, ticket.order);
        if let Some(market) = self.market_mut(order.instrument) {
            market.stops.insert(order.side, order.stop_price, sequence, order.order_id);
        }
        self.keep(Ticket { place: Place::Stop(sequence), ..ticket });
    }

    pub(super) fn line_up_stops(&mut self, instrument: u32, traded: &TradedRange, time: u64) {
        let Some(last) = traded.last else { return };
        let index = (instrument as usize).wrapping_sub(1);
        let Some(market) = self.markets.get_mut(index).and_then(|market| market.as_deref_mut()) else {
            return;
        };
        for (side, extreme) in [(Side::Buy, traded.high), (Side::Sell, traded.low)] {
            while let Some(order_id) = market.stops.pop_triggered(side, extreme) {
                if let Some(ticket) = self.tickets.get_mut(order_id) {
                    ticket.place = Place::Triggered;
                }
                self.triggered.push_back(TriggeredStop { order_id, price: last, time });
            }
        }
    }

    pub(super) fn run_triggered(&mut self, stop: &TriggeredStop, context: &dyn VenueContext) {
        let Some(&ticket) = self.tickets.get(stop.order_id) else { return };
        self.report(stop.order_id, stop.time, Outcome::Triggered { price: stop.price });
        let result = self.match_order(ticket, true, stop.time, context);
        if result.is_err() {
            self.forget(stop.order_id);
        }
        self.report_refused(stop.order_id, stop.time, result, |refusal| Outcome::Canceled { refusal });
    }

    pub(super) fn replace_stop(
        &mut self,
        ticket: Ticket,
        sequence: u64,
        order: &VenueOrder,
        time: u64,
    ) -> Result<(), Refusal> {
        self.check_stop(order)?;
        let old = ticket.order;
        let keeps_place =
            (old.price, old.stop_price) == (order.price, order.stop_price) && order.quantity <= old.quantity;
        let VenueOrder { order_id, price, quantity, stop_price, .. } = *order;
        self.report(order_id, time, Outcome::Replaced { price, quantity, stop_price });
        if keeps_place {
            self.tickets.insert(order_id, Ticket { order: *order, ..ticket });
            return Ok(());
        }
        if let Some(market) = self.market_mut(old.instrument) {
            market.stops.remove(old.side, old.stop_price, sequence, order_id);
        }
        self.place_stop(Ticket { order: *order, ..ticket });
        Ok(())
    }
}
