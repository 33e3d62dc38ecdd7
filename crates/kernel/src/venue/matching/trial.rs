//! The trial of a step in an instrument that asks: on a venue that has only what matching sees up to its first question.
//!
//! A step is about one market, and what it sees of it is this:
//!
//! * the book, with its fence, and the conditions and the last price that the fence follows;
//! * the order that comes in or is looked at, the standing orders, and the reduce-only ones, each with its ticket and its special
//!   terms;
//! * where an order that comes in is kept from its own: whose the resting orders are.
//!
//! The other tickets are told what has traded and say nothing about it; stops and orders for the close are lined up or
//! brought after it; and marks, expiries, session ends and what waits behind the step decide which step is next, which is
//! known. Whatever is missing of those can only be missed by what comes after the question.

use super::{Market, MatchingVenue, Step, Work};
use crate::book::LevelQuestion;
use crate::terms::Side;
use crate::tracked::{EntityKey, TrackedTable};
use crate::venue::{VenueContext, VenueRequest};

/// One in so many trials is done on a copy of the whole venue too, in builds that check themselves.
const PROVED: u64 = if cfg!(test) { 1 } else { 32 };

fn copy<K: EntityKey, V: Clone>(from: &TrackedTable<K, V>, to: &mut TrackedTable<K, V>, key: K) {
    if let Some(value) = from.get(key).filter(|_| !to.contains_key(key)) {
        to.insert(key, value.clone());
    }
}

impl MatchingVenue {
    /// The first level for which there is no answer when `next` is done; the venue is as it was.
    pub(super) fn try_step(
        &self,
        next: &Step,
        instrument: u32,
        context: &dyn VenueContext,
    ) -> Option<LevelQuestion> {
        let answers = self.answers();
        let question = self.part_for(next, instrument)?.question_of(next, instrument, answers, context);
        if cfg!(debug_assertions) && self.arrivals.is_multiple_of(PROVED) {
            let whole = self.clone().question_of(next, instrument, answers, context);
            assert_eq!(
                question, whole,
                "{next:?} of instrument {instrument} asks something else on the whole"
            );
        }
        question
    }

    fn question_of(
        mut self,
        next: &Step,
        instrument: u32,
        answers: &[i64],
        context: &dyn VenueContext,
    ) -> Option<LevelQuestion> {
        self.asked_policy(instrument)?.give(answers);
        self.take_step(next, context);
        self.asked_policy(instrument)?.take_question()
    }

    /// The venue that `next` is tried on.
    fn part_for(&self, next: &Step, instrument: u32) -> Option<MatchingVenue> {
        let market = self.market(instrument)?;
        let mut part = MatchingVenue {
            holds_triggers: self.holds_triggers,
            trades: self.trades,
            arrivals: self.arrivals,
            ..MatchingVenue::default()
        };
        part.markets.resize_with(instrument as usize - 1, || None);
        part.markets.push(Some(Box::new(Market {
            book: market.book.clone(),
            standing: market.standing.clone(),
            reducing: market.reducing.clone(),
            is_plain: market.is_plain,
            is_changing: market.is_changing,
            ..Market::default()
        })));
        copy(&self.last_prices, &mut part.last_prices, instrument);
        copy(&self.conditions, &mut part.conditions, instrument);
        self.copy_orders(next, market, &mut part);
        Some(part)
    }

    fn copy_orders(&self, next: &Step, market: &Market, part: &mut MatchingVenue) {
        let standing = market.standing.iter().flat_map(|standing| standing.order_ids());
        let reducing = market.reducing.iter().flat_map(|reducing| reducing.orders.keys().copied());
        let mut meets_own = false;
        for order_id in standing.chain(reducing) {
            meets_own |= self.copy_order(order_id, part);
        }
        match *next {
            Step::Run(stop) => meets_own |= self.copy_order(stop.order_id, part),
            Step::Work { .. } => {
                let Some(work) = self.work.front() else { return };
                part.work.push_back(*work);
                match work.1 {
                    Work::Request(VenueRequest::Submit(order)) => {
                        self.copy_order(order.order_id, part);
                        meets_own |= self.copy_owner(order.account, order.order_id, part);
                    }
                    Work::Request(VenueRequest::Replace { order_id, .. }) => {
                        meets_own |= self.copy_order(order_id, part);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        if meets_own {
            for resting in [Side::Buy, Side::Sell].into_iter().flat_map(|side| market.book.orders(side)) {
                copy(&self.specials, &mut part.specials, resting.order_id);
                copy(&self.self_trade, &mut part.self_trade, resting.account);
            }
        }
    }

    /// An order with all that is kept of it; says whether it is kept from its own.
    fn copy_order(&self, order_id: u64, part: &mut MatchingVenue) -> bool {
        copy(&self.tickets, &mut part.tickets, order_id);
        copy(&self.specials, &mut part.specials, order_id);
        let Some(ticket) = self.tickets.get(order_id) else { return false };
        self.copy_owner(ticket.order.account, order_id, part)
    }

    fn copy_owner(&self, account: u32, order_id: u64, part: &mut MatchingVenue) -> bool {
        for account in [account, 0] {
            copy(&self.self_trade, &mut part.self_trade, account);
        }
        self.owners().own_action(account, order_id).is_some()
    }
}

#[cfg(test)]
mod tests;
