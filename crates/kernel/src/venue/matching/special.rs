//! Orders with special terms: what the venue keeps of them, and how they come to the book.

use super::desk::{Desk, Leaving, Telling};
use super::entry::to_book;
use super::{MarketBook, MatchingVenue, Place, Ticket};
use crate::book::{NewOrder, SHOW_ALL, check_price, check_quantity};
use crate::rules::{Refusal, Rule};
use crate::special_terms::SpecialTerms;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{OrderType, TimeInForce, options};
use crate::venue::at_work::Audience;
use crate::venue::{Outcome, VenueContext, VenueOrder};

/// What few orders have beside their ticket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Special {
    pub terms: SpecialTerms,
    /// Asked for by the replace under way.
    pub proposed: Option<SpecialTerms>,
    /// Of a trailing stop: the best price it has followed.
    pub water: Option<i64>,
    /// Of a trailing stop: the tick of its instrument.
    pub tick: i64,
    /// Of a trailing stop: its instrument may have prices of zero and below.
    pub negative_prices: bool,
    /// Of a pegged order: the price beyond which it does not follow.
    pub limit: Option<i64>,
}

impl State for Special {
    fn write(&self, out: &mut StateWriter) {
        self.terms.write(out);
        out.option(self.proposed.as_ref());
        out.option_i64(self.water);
        out.i64(self.tick);
        out.bool(self.negative_prices);
        out.option_i64(self.limit);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Special {
            terms: State::read(input)?,
            proposed: input.option()?,
            water: input.option_i64()?,
            tick: input.i64()?,
            negative_prices: input.bool()?,
            limit: input.option_i64()?,
        })
    }
}

/// The order never waits for anything: what does not trade at once is canceled.
fn is_immediate(order: &VenueOrder) -> bool {
    matches!(order.time_in_force, TimeInForce::Ioc | TimeInForce::Fok)
}

/// It waits outside the book until all of it can trade.
pub(super) fn waits_for_whole(order: &VenueOrder) -> bool {
    order.options & options::ALL_OR_NONE != 0 && order.order_type.may_rest() && !is_immediate(order)
}

impl MatchingVenue {
    /// What is kept aside of an order, `None` for most.
    pub(super) fn special(&self, order: &VenueOrder) -> Option<&Special> {
        if order.options & options::ASIDE == 0 { None } else { self.specials.get(order.order_id) }
    }

    pub(super) fn submit_special(&mut self, order: &VenueOrder, time: u64, context: &dyn VenueContext) {
        let order_id = order.order_id;
        let result = self.admit(order, time).and_then(|()| {
            if !self.specials.contains_key(order_id) {
                self.specials.insert(order_id, Special::default());
            }
            if order.order_type.waits() {
                return self.hold_stop(order, time, context);
            }
            if self.waits_for_close(order) {
                return self.hold_for_close(order, time);
            }
            let ticket = Ticket { order: *order, executed: 0, excess: 0, place: Place::Triggered };
            self.bring(ticket, false, time, context)
        });
        if result.is_err() && !self.tickets.contains_key(order_id) {
            self.specials.remove(order_id);
        }
        self.report_refused(order_id, time, result, |refusal| Outcome::Rejected { refusal });
    }

    /// Brings an order with special terms to the book, or to where it waits for what it needs; `known` when its client
    /// has an `Accepted` already.
    pub(super) fn bring(
        &mut self,
        mut ticket: Ticket,
        known: bool,
        time: u64,
        context: &dyn VenueContext,
    ) -> Result<(), Refusal> {
        let order = ticket.order;
        check_quantity(order.quantity)?;
        check_price(order.price)?;
        if order.order_type == OrderType::Pegged || waits_for_whole(&order) {
            return self.park_new(ticket, known, time);
        }
        let Some(price) = self.own_price(&order, context)? else {
            return self.match_order(ticket, known, time, context);
        };
        ticket.order.price = price;
        if order.order_type == OrderType::MarketToLimit {
            // It has its limit: from here on it is such an order.
            ticket.order.order_type = OrderType::Limit;
        }
        if !known {
            self.report(order.order_id, time, Outcome::Accepted { venue_order_id: order.order_id });
        }
        let stop_price = order.stop_price;
        self.report(order.order_id, time, Outcome::Repriced { price, stop_price });
        let result = self.match_order(ticket, true, time, context);
        if known {
            return result;
        }
        if result.is_err() {
            self.specials.remove(order.order_id);
        }
        self.report_refused(order.order_id, time, result, |refusal| Outcome::Canceled { refusal });
        Ok(())
    }

    /// The price that an order takes from the book instead of its own: market-to-limit that of the best order it meets,
    /// a sliding one that which is a tick short of it.
    fn own_price(&self, order: &VenueOrder, context: &dyn VenueContext) -> Result<Option<i64>, Refusal> {
        let market = self.market(order.instrument).filter(|market| !market.book.is_collecting());
        let Some(market) = market else { return Ok(None) };
        let best = market.book.orders(order.side.opposite()).next().map(|best| best.price);
        let slides = order.options & options::SLIDE != 0;
        if order.order_type == OrderType::MarketToLimit {
            return Ok(best);
        }
        match best {
            Some(best) if slides && market.book.would_trade(order.side, order.price) => {
                let price = best - order.side.sign() * context.tick(order.instrument);
                let refusal =
                    Refusal::new(Rule::PostOnlyMustNotTake, i128::from(best), i128::from(order.price));
                let may_be = price > 0 || context.negative_prices(order.instrument);
                if may_be { Ok(Some(price)) } else { Err(refusal) }
            }
            _ => Ok(None),
        }
    }

    /// The order as the book takes it.
    pub(super) fn book_order(&self, ticket: &Ticket) -> NewOrder {
        let order = &ticket.order;
        let mut new = to_book(order);
        let Some(special) = self.special(order) else { return new };
        new.display = match special.terms.display_quantity {
            _ if order.options & options::HIDDEN != 0 => 0,
            0 => SHOW_ALL,
            display => display,
        };
        new.minimum = match order.options & options::ALL_OR_NONE {
            0 if ticket.executed == 0 => special.terms.minimum_quantity,
            0 => 0,
            _ => ticket.leaves(),
        };
        new
    }

    /// Makes the special terms that a replace asked for those of the order; says whether any changed. That an order
    /// which shrinks shows no more than it is, is no change.
    pub(super) fn take_proposed(&mut self, order_id: u64, quantity: i64) -> bool {
        if self.specials.is_empty() {
            return false;
        }
        let Some(special) = self.specials.get_mut(order_id) else { return false };
        let Some(proposed) = special.proposed.take() else { return false };
        let as_small = SpecialTerms {
            display_quantity: special.terms.display_quantity.min(quantity),
            minimum_quantity: special.terms.minimum_quantity.min(quantity),
            ..special.terms
        };
        let is_changed = proposed != as_small && proposed != special.terms;
        special.terms = proposed;
        is_changed
    }

    /// New terms of an order with special ones that rests.
    pub(super) fn replace_special(
        &mut self,
        ticket: Ticket,
        order: &VenueOrder,
        time: u64,
        context: &dyn VenueContext,
    ) -> Result<(), Refusal> {
        let before = self.specials.get(order.order_id).copied();
        let mut order = *order;
        let mut is_changed = self.take_proposed(order.order_id, order.quantity);
        if order.order_type == OrderType::Pegged
            && let Some(special) = self.specials.get_mut(order.order_id)
        {
            let limit = special.terms.optional_price(order.price);
            is_changed |= special.limit != limit;
            special.limit = limit;
            // Where it stands; the pegs are moved after this request.
            order.price = ticket.order.price;
        }
        let result = self.own_price_of_replace(&mut order, context).and_then(|()| {
            if is_changed {
                self.requeue(ticket, &order, time, context)
            } else {
                self.requote(ticket, &order, Telling::Replaced, time, context)
            }
        });
        if let (Err(_), Some(special)) = (&result, before) {
            self.specials.insert(order.order_id, Special { proposed: None, ..special });
        }
        result
    }

    fn own_price_of_replace(
        &self,
        order: &mut VenueOrder,
        context: &dyn VenueContext,
    ) -> Result<(), Refusal> {
        if order.options & options::SLIDE != 0
            && let Some(price) = self.own_price(order, context)?
        {
            order.price = price;
        }
        Ok(())
    }

    /// Takes an order out and puts it back under new terms at the end of its queue, as one step.
    fn requeue(
        &mut self,
        ticket: Ticket,
        order: &VenueOrder,
        time: u64,
        context: &dyn VenueContext,
    ) -> Result<(), Refusal> {
        let renewed = Ticket { order: *order, ..ticket };
        let leaves = renewed.leaves();
        if leaves <= 0 {
            let limit = i128::from(ticket.executed) + 1;
            return Err(Refusal::new(Rule::QuantityMustBePositive, limit, i128::from(order.quantity)));
        }
        check_quantity(order.quantity)?;
        check_price(order.price)?;
        let post_only = order.options & options::POST_ONLY != 0;
        if post_only && self.would_trade(order) {
            let best = self.best_opposite(order).unwrap_or(0);
            return Err(Refusal::new(Rule::PostOnlyMustNotTake, i128::from(best), i128::from(order.price)));
        }
        let quantity = self.executable(order, leaves, context)?;
        let VenueOrder { order_id, price, quantity: total, stop_price, .. } = *order;
        self.report(order_id, time, Outcome::Replaced { price, quantity: total, stop_price });
        self.arrivals += 1;
        let place = Place::Book(self.arrivals);
        let kept = Ticket { excess: leaves - quantity, place, ..renewed };
        self.tickets.insert(order_id, kept);
        let new_order = NewOrder { quantity, minimum: 0, ..self.book_order(&kept) };
        self.at_desk(order.instrument, Leaving::Known, time, Some(context), |book, desk| {
            desk.is_moving = true;
            book.cancel(order_id, desk)?;
            desk.is_moving = false;
            submit_guarded(book, &new_order, desk)
        })
    }

    pub(super) fn would_trade(&self, order: &VenueOrder) -> bool {
        self.market(order.instrument).is_some_and(|market| market.book.would_trade(order.side, order.price))
    }

    /// Price of the first order on the other side, shown or not.
    pub(super) fn best_opposite(&self, order: &VenueOrder) -> Option<i64> {
        let market = self.market(order.instrument)?;
        market.book.orders(order.side.opposite()).next().map(|best| best.price)
    }
}

/// Submits under the guard of the order's owner, where it has one.
pub(super) fn submit_guarded<A: Audience>(
    book: &mut MarketBook,
    order: &NewOrder,
    desk: &mut Desk<'_, A>,
) -> Result<(), Refusal> {
    match desk.guard(order.account, order.order_id) {
        None => book.submit(order, desk).map(|_| ()),
        Some(guard) => book.submit_guarded(order, &guard, desk).map(|_| ()),
    }
}
