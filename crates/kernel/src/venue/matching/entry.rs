//! Orders on their way into the book, and what changes them: admission, replace, cancel.

use super::desk::{Desk, Leaving, Telling};
use super::special::submit_guarded;
use super::{MAX_INSTRUMENTS, MarketBook, MatchingVenue, Place, Ticket, unknown_order};
use crate::book::{NewOrder, SHOW_ALL, check_price, check_quantity};
use crate::rules::{Refusal, Rule};
use crate::terms::{OrderType, Sizing, TimeInForce, options};
use crate::venue::at_work::{Audience, Nobody};
use crate::venue::{Outcome, VenueContext, VenueOrder};

impl MatchingVenue {
    pub(super) fn submit(&mut self, order: &VenueOrder, time: u64, context: &dyn VenueContext) {
        if order.options & options::ASIDE != 0 {
            return self.submit_special(order, time, context);
        }
        let result = self.admit(order, time).and_then(|()| {
            if order.order_type.has_stop() {
                self.hold_stop(order, time, context)
            } else if self.waits_for_close(order) {
                self.hold_for_close(order, time)
            } else {
                let ticket = Ticket { order: *order, executed: 0, excess: 0, place: Place::Triggered };
                self.match_order(ticket, false, time, context)
            }
        });
        self.report_refused(order.order_id, time, result, |refusal| Outcome::Rejected { refusal });
    }

    /// What the book does not look at itself. Lists the instrument's market.
    pub(super) fn admit(&mut self, order: &VenueOrder, time: u64) -> Result<(), Refusal> {
        let number = order.instrument;
        if number == 0 || number > MAX_INSTRUMENTS {
            let limit = i128::from(MAX_INSTRUMENTS);
            return Err(Refusal::new(Rule::InstrumentMustBeListed, limit, i128::from(number)));
        }
        if self.tickets.contains_key(order.order_id) {
            return Err(Refusal::new(Rule::ClientOrderIdMustBeUnique, 1, i128::from(order.order_id)));
        }
        if order.sizing != Sizing::Units {
            let actual = i128::from(order.sizing as u8);
            return Err(Refusal::new(Rule::SizingMustBeSupported, i128::from(Sizing::Units as u8), actual));
        }
        if order.time_in_force == TimeInForce::Gtd && order.expire_time <= time {
            let (limit, actual) = (i128::from(time), i128::from(order.expire_time));
            return Err(Refusal::new(Rule::ExpiryMustBeInFuture, limit, actual));
        }
        let market = self.open_market(number)?;
        if !market.is_plain || order.time_in_force as u8 > TimeInForce::Fok as u8 {
            self.check_conditions(order)?;
        }
        Ok(())
    }

    pub(super) fn keep(&mut self, ticket: Ticket) {
        let order = &ticket.order;
        if order.time_in_force == TimeInForce::Gtd {
            self.expiries.insert((order.expire_time, order.order_id));
        }
        if order.options & options::REDUCE_ONLY != 0 {
            self.watch_position(order);
        }
        self.tickets.insert(order.order_id, ticket);
    }

    pub(super) fn forget(&mut self, order_id: u64) {
        let Some(ticket) = self.tickets.remove(order_id) else { return };
        self.expiries.remove(&(ticket.order.expire_time, order_id));
        if ticket.order.options & (options::ASIDE | options::REDUCE_ONLY) != 0 {
            self.gone.push(order_id);
            self.clear_gone(ticket.order.instrument);
        }
    }

    /// Brings a new order that asks for nothing but its price and quantity to the book.
    pub(super) fn enter_at_once<A: Audience>(
        &mut self,
        order: &VenueOrder,
        time: u64,
        audience: &mut A,
    ) -> Result<(), Refusal> {
        let ticket = Ticket { order: *order, executed: 0, excess: 0, place: Place::Triggered };
        let new_order = self.book_terms(&ticket)?;
        self.bring_to_book(ticket, &new_order, Leaving::Canceled, time, None, audience)
    }

    /// The order as the book takes it.
    fn book_terms(&self, ticket: &Ticket) -> Result<NewOrder, Refusal> {
        check_quantity(ticket.order.quantity)?;
        let new_order = self.book_order(ticket);
        check_price(new_order.price)?;
        Ok(new_order)
    }

    /// Matches an order that is not in the book; `known` when its client has an `Accepted` already.
    pub(super) fn match_order(
        &mut self,
        mut ticket: Ticket,
        known: bool,
        time: u64,
        context: &dyn VenueContext,
    ) -> Result<(), Refusal> {
        let new_order = self.book_terms(&ticket)?;
        let quantity = self.executable(&ticket.order, ticket.leaves(), context)?;
        ticket.excess = ticket.leaves() - quantity;
        let leaving = if known { Leaving::Known } else { Leaving::Canceled };
        // Of what may not trade now nothing can be asked.
        let is_cut = quantity < ticket.leaves();
        let minimum = if is_cut { new_order.minimum.min(quantity) } else { new_order.minimum };
        let new_order = NewOrder { quantity, minimum, ..new_order };
        self.bring_to_book(ticket, &new_order, leaving, time, Some(context), &mut Nobody)
    }

    fn bring_to_book<A: Audience>(
        &mut self,
        mut ticket: Ticket,
        new_order: &NewOrder,
        leaving: Leaving,
        time: u64,
        context: Option<&dyn VenueContext>,
        audience: &mut A,
    ) -> Result<(), Refusal> {
        self.arrivals += 1;
        ticket.place = Place::Book(self.arrivals);
        self.keep(ticket);
        let VenueOrder { order_id, instrument, .. } = ticket.order;
        let result = self.at_desk_with(instrument, leaving, time, context, audience, |book, desk| {
            submit_guarded(book, new_order, desk)
        });
        if result.is_err() {
            self.arrivals -= 1;
            self.forget(order_id);
        }
        result
    }

    /// How much of `leaves` may trade: all, unless the order is reduce-only and would take now.
    pub(super) fn executable(
        &self,
        order: &VenueOrder,
        leaves: i64,
        context: &dyn VenueContext,
    ) -> Result<i64, Refusal> {
        if order.options & options::REDUCE_ONLY == 0 {
            return Ok(leaves);
        }
        // What is collected trades later: the auction sees to it.
        let market = self.market(order.instrument).filter(|market| !market.book.is_collecting());
        let Some(market) = market else { return Ok(leaves) };
        // Shown or not: it takes what is hidden too.
        let Some(best) = market.book.orders(order.side.opposite()).next() else { return Ok(leaves) };
        let is_limit = to_book(order).order_type == OrderType::Limit;
        if is_limit && !market.book.would_trade(order.side, order.price) {
            return Ok(leaves);
        }
        let quantity = context.executable_quantity(order, leaves, best.price)?.min(leaves);
        if quantity <= 0 {
            return Err(Refusal::new(Rule::ReduceOnlyMustReduce, 0, i128::from(leaves)));
        }
        Ok(quantity)
    }

    /// `terms` are price, total quantity and stop price.
    pub(super) fn replace(
        &mut self,
        order_id: u64,
        terms: [i64; 3],
        time: u64,
        context: &dyn VenueContext,
    ) -> Result<(), Refusal> {
        let Some(&ticket) = self.tickets.get(order_id) else {
            self.specials.remove(order_id);
            return Err(unknown_order(order_id));
        };
        let [price, quantity, stop_price] = terms;
        let order = VenueOrder { price, quantity, stop_price, ..ticket.order };
        self.check_new_conditions(&ticket, &order)?;
        let is_special = order.options & options::ASIDE != 0;
        let result = match ticket.place {
            Place::Book(_) if is_special => self.replace_special(ticket, &order, time, context),
            Place::Book(_) => self.requote(ticket, &order, Telling::Replaced, time, context),
            Place::Stop(_) => self.replace_stop(ticket, &order, time, context),
            Place::Parked => self.replace_parked(ticket, &order, time),
            Place::AtClose(arrival) => self.replace_for_close(ticket, arrival, &order, time),
            Place::Triggered => Err(Refusal::of(Rule::OrderMustNotBePending)),
        };
        if is_special && let Some(special) = self.specials.get_mut(order_id) {
            special.proposed = None;
        }
        result
    }

    /// Gives an order in the book new terms, its place kept where they are only less.
    pub(super) fn requote(
        &mut self,
        ticket: Ticket,
        order: &VenueOrder,
        telling: Telling,
        time: u64,
        context: &dyn VenueContext,
    ) -> Result<(), Refusal> {
        let leaves = check_requote(&ticket, order)?;
        let quantity = self.executable(order, leaves, context)?;
        self.at_desk(order.instrument, Leaving::Canceled, time, Some(context), |book, desk| {
            desk.excess = leaves - quantity;
            desk.telling = telling;
            requote_in_book(book, order, quantity, desk)
        })
    }

    pub(super) fn cancel(&mut self, order_id: u64, time: u64) {
        if !self.leave(order_id, Leaving::Canceled, time) {
            let refusal = unknown_order(order_id);
            self.report(order_id, time, Outcome::CancelRejected { refusal });
        }
    }

    /// Takes a live order out, wherever it is; says whether there was one.
    pub(super) fn leave(&mut self, order_id: u64, leaving: Leaving, time: u64) -> bool {
        let Some(&ticket) = self.tickets.get(order_id) else { return false };
        match ticket.place {
            Place::Book(_) => {
                return self
                    .at_desk(ticket.order.instrument, leaving, time, None, |book, desk| {
                        book.cancel(order_id, desk).map(|_| ())
                    })
                    .is_ok();
            }
            Place::Stop(_) => self.unwatch(&ticket),
            Place::AtClose(arrival) => {
                if let Some(market) = self.market_mut(ticket.order.instrument) {
                    market.at_close.remove(&arrival);
                }
            }
            Place::Triggered | Place::Parked => {}
        }
        self.forget(order_id);
        self.report(order_id, time, leaving.outcome(Refusal::of(Rule::CanceledByParticipant)));
        true
    }
}

/// What new terms of an order in the book leave to trade.
pub(super) fn check_requote(ticket: &Ticket, order: &VenueOrder) -> Result<i64, Refusal> {
    check_quantity(order.quantity)?;
    let leaves = order.quantity - ticket.executed;
    if leaves <= 0 {
        let limit = i128::from(ticket.executed) + 1;
        return Err(Refusal::new(Rule::QuantityMustBePositive, limit, i128::from(order.quantity)));
    }
    check_price(order.price)?;
    Ok(leaves)
}

/// Gives an order in the book its price and `quantity` to trade, under the guard of its owner where it has one.
pub(super) fn requote_in_book<A: Audience>(
    book: &mut MarketBook,
    order: &VenueOrder,
    quantity: i64,
    desk: &mut Desk<'_, A>,
) -> Result<(), Refusal> {
    let post_only = to_book(order).post_only;
    let (order_id, terms) = (order.order_id, [order.price, quantity]);
    let left = match desk.guard(order.account, order_id) {
        None => book.replace(order_id, order.price, quantity, post_only, desk),
        Some(guard) => book.replace_guarded(order_id, terms, post_only, &guard, desk),
    };
    left.map(|_| ())
}

/// The order as the book takes it: one that a price woke is a market or a limit order, as its type says.
pub(super) fn to_book(order: &VenueOrder) -> NewOrder {
    // Market-to-limit has its price from the book, where there was any.
    let finds_nothing = order.order_type == OrderType::MarketToLimit && order.price == 0;
    let has_limit = order.order_type.may_rest() && !finds_nothing;
    NewOrder {
        order_id: order.order_id,
        account: order.account,
        side: order.side,
        order_type: if has_limit { OrderType::Limit } else { OrderType::Market },
        time_in_force: order.time_in_force,
        post_only: order.options & (options::POST_ONLY | options::SLIDE) != 0,
        price: if has_limit { order.price } else { 0 },
        quantity: order.quantity,
        display: SHOW_ALL,
        minimum: 0,
    }
}
