//! Orders that are looked at again after each request about their instrument: pegs follow the market, all-or-none orders
//! wait until all of them can trade.
//!
//! This is done in one pass each, in the order of the orders' ids, before triggered orders run. A pass ends with the first
//! trade that it makes; then the reports go out and the passes begin anew. Pegs follow orders that do not follow
//! themselves, so a pass without a trade or a prevented self-trade leaves nothing to do: each further pass needs one, and there
//! are only so many.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::{Leaving, Telling};
use super::reducing::Rooms;
use super::special::waits_for_whole;
use super::{Market, MatchingVenue, Place, Ticket};
use crate::book::Unguarded;
use crate::rules::{Refusal, Rule};
use crate::terms::{OrderType, Peg, Side, options};
use crate::venue::{Outcome, VenueContext, VenueOrder, VenueReport};

/// By order id.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    pegs: BTreeSet<u64>,
    whole: BTreeSet<u64>,
}

impl Standing {
    pub fn insert(&mut self, order: &VenueOrder) {
        if order.order_type == OrderType::Pegged {
            self.pegs.insert(order.order_id);
        } else if waits_for_whole(order) {
            self.whole.insert(order.order_id);
        }
    }

    pub fn remove(&mut self, order_id: u64) {
        for orders in [&mut self.pegs, &mut self.whole] {
            orders.remove(&order_id);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.pegs.is_empty() && self.whole.is_empty()
    }

    /// Those that may wait outside the book.
    pub fn order_ids(&self) -> impl Iterator<Item = u64> {
        self.pegs.iter().chain(&self.whole).copied()
    }
}

/// What a pegged order must do that is not where it belongs.
enum PegMove {
    Enter(i64),
    Follow(i64),
    /// What it follows is gone.
    Park,
}

/// Best bid and best offer among orders that do not follow others.
type References = [Option<i64>; 2];

/// The price a pegged order would have, `None` where what it follows is not there.
fn peg_price(order: &VenueOrder, peg: Peg, offset: i64, bests: References, tick: i64) -> Option<i64> {
    let [bid, ask] = bests;
    let (own, opposite) = if order.side == Side::Buy { (bid, ask) } else { (ask, bid) };
    let price = match peg {
        Peg::Primary => own?,
        Peg::Market => opposite?,
        Peg::Mid => middle(bid?, ask?, order.side, tick.max(1)),
    };
    price.checked_add(offset)
}

/// Half way, on the tick, on the order's own side of it.
fn middle(bid: i64, ask: i64, side: Side, tick: i64) -> i64 {
    let sum = bid + ask;
    match side {
        Side::Buy => sum.div_euclid(2 * tick) * tick,
        Side::Sell => -(-sum).div_euclid(2 * tick) * tick,
    }
}

impl MatchingVenue {
    /// Notes that a market's standing orders must be looked at.
    pub(super) fn disturb(&mut self, instrument: u32, time: u64) {
        if !self.restless.iter().any(|&(number, _)| number == instrument) {
            self.restless.push_back((instrument, time));
        }
    }

    fn is_collecting(&self, instrument: u32) -> bool {
        self.market(instrument).is_some_and(|market| market.book.is_collecting())
    }

    fn standing(&self, instrument: u32) -> Option<&Standing> {
        self.market(instrument)?.standing.as_deref()
    }

    /// Keeps an order in mind that is to be looked at after each request.
    pub(super) fn stand(&mut self, order: &VenueOrder) {
        if let Some(market) = self.market_mut(order.instrument) {
            market.standing.get_or_insert_default().insert(order);
        }
    }

    /// As [`MatchingVenue::stand`] for an order read back where it rests: those that wait for their whole quantity do
    /// not rest.
    pub(super) fn restore_standing(&mut self, order: &VenueOrder) {
        if order.order_type == OrderType::Pegged {
            self.stand(order);
        }
    }

    pub(super) fn unstand(&mut self, instrument: u32, order_id: u64) {
        let Some(market) = self.market_mut(instrument) else { return };
        if let Some(standing) = &mut market.standing {
            standing.remove(order_id);
            if standing.is_empty() {
                market.standing = None;
            }
        }
    }

    /// Lets an order wait outside the book for what it needs; the passes bring it in.
    pub(super) fn park_new(&mut self, mut ticket: Ticket, known: bool, time: u64) -> Result<(), Refusal> {
        let order_id = ticket.order.order_id;
        if ticket.order.order_type == OrderType::Pegged {
            let Some(special) = self.specials.get_mut(order_id).filter(|one| one.terms.peg.is_some()) else {
                let actual = i128::from(ticket.order.order_type as u8);
                return Err(Refusal::new(Rule::TermsMustFitOrderType, 0, actual));
            };
            special.limit = special.terms.optional_price(ticket.order.price);
            ticket.order.price = 0;
        }
        if !known {
            self.report(order_id, time, Outcome::Accepted { venue_order_id: order_id });
        }
        ticket.place = Place::Parked;
        self.keep(ticket);
        self.stand(&ticket.order);
        self.disturb(ticket.order.instrument, time);
        Ok(())
    }

    pub(super) fn replace_parked(
        &mut self,
        ticket: Ticket,
        order: &VenueOrder,
        time: u64,
    ) -> Result<(), Refusal> {
        crate::book::check_quantity(order.quantity)?;
        crate::book::check_price(order.price)?;
        if order.quantity <= ticket.executed {
            let limit = i128::from(ticket.executed) + 1;
            return Err(Refusal::new(Rule::QuantityMustBePositive, limit, i128::from(order.quantity)));
        }
        self.take_proposed(order.order_id, order.quantity);
        let mut renewed = Ticket { order: *order, ..ticket };
        let VenueOrder { order_id, price, quantity, stop_price, .. } = *order;
        if order.order_type == OrderType::Pegged
            && let Some(special) = self.specials.get_mut(order_id)
        {
            special.limit = special.terms.optional_price(price);
            renewed.order.price = 0;
        }
        self.tickets.insert(order_id, renewed);
        self.report(order_id, time, Outcome::Replaced { price, quantity, stop_price });
        self.disturb(order.instrument, time);
        Ok(())
    }

    /// The passes over the standing orders of one market.
    pub(super) fn settle(&mut self, instrument: u32, time: u64, context: &dyn VenueContext) {
        let (trades, told) = (self.trades, self.reports.len());
        self.move_pegs(instrument, time, context);
        if self.trades == trades {
            self.try_whole(instrument, time, context);
        }
        // A self-trade that was prevented takes out what others follow, as a trade does.
        let has_cut = |report: &VenueReport| {
            matches!(report.outcome, Outcome::Canceled { .. } | Outcome::Reduced { .. })
        };
        if self.trades == trades && !self.reports.iter().skip(told).any(has_cut) {
            self.restless.retain(|&(number, _)| number != instrument);
        }
    }

    /// Bests of a market, what pegged orders show left out.
    fn references(&self, market: &Market, pegs: &BTreeSet<u64>) -> References {
        let mut shown: BTreeMap<(Side, i64), u32> = BTreeMap::new();
        for ticket in pegs.iter().filter_map(|id| self.tickets.get(*id)) {
            let is_shown = ticket.order.options & options::HIDDEN == 0;
            if is_shown && matches!(ticket.place, Place::Book(_)) {
                *shown.entry((ticket.order.side, ticket.order.price)).or_default() += 1;
            }
        }
        [Side::Buy, Side::Sell].map(|side| {
            let pegged = |price| shown.get(&(side, price)).copied().unwrap_or(0);
            market.book.levels(side).find(|level| level.orders > pegged(level.price)).map(|level| level.price)
        })
    }

    fn move_pegs(&mut self, instrument: u32, time: u64, context: &dyn VenueContext) {
        let Some(market) = self.market(instrument) else { return };
        let Some(standing) = market.standing.as_deref().filter(|standing| !standing.pegs.is_empty()) else {
            return;
        };
        if market.book.is_collecting() {
            return;
        }
        let bests = self.references(market, &standing.pegs);
        let ids: Vec<u64> = standing.pegs.iter().copied().collect();
        let trades = self.trades;
        for order_id in ids {
            self.move_peg(order_id, bests, time, context);
            // One that would trade outside its bands has started an auction.
            if self.trades != trades || self.is_collecting(instrument) {
                return;
            }
        }
    }

    /// Whether a pass over the standing orders of a market would change anything.
    pub(super) fn would_settle(&self, instrument: u32, context: &dyn VenueContext) -> bool {
        let Some(market) = self.market(instrument) else { return false };
        let Some(standing) = market.standing.as_deref() else { return false };
        let moves_pegs = !market.book.is_collecting() && !standing.pegs.is_empty() && {
            let bests = self.references(market, &standing.pegs);
            let mut tickets = standing.pegs.iter().filter_map(|id| self.tickets.get(*id));
            tickets.any(|ticket| self.peg_move(ticket, bests, context).is_some())
        };
        let mut waiting = standing.whole.iter().filter_map(|id| self.tickets.get(*id));
        moves_pegs || waiting.any(|ticket| self.is_fillable(ticket, context))
    }

    /// What a pegged order must do now.
    fn peg_move(&self, ticket: &Ticket, bests: References, context: &dyn VenueContext) -> Option<PegMove> {
        match (ticket.place, self.peg_target(ticket, bests, context)) {
            (Place::Parked, Some(price)) => Some(PegMove::Enter(price)),
            (Place::Book(_), Some(price)) if price != ticket.order.price => Some(PegMove::Follow(price)),
            (Place::Book(_), None) => Some(PegMove::Park),
            _ => None,
        }
    }

    fn move_peg(&mut self, order_id: u64, bests: References, time: u64, context: &dyn VenueContext) {
        let Some(&ticket) = self.tickets.get(order_id) else { return };
        match self.peg_move(&ticket, bests, context) {
            Some(PegMove::Enter(price)) => {
                let mut priced = ticket;
                priced.order.price = price;
                self.report(order_id, time, Outcome::Repriced { price, stop_price: 0 });
                let result = self.match_order(priced, true, time, context);
                self.cancel_refused(order_id, result, time);
            }
            Some(PegMove::Follow(price)) => {
                let order = VenueOrder { price, ..ticket.order };
                let result = self.requote(ticket, &order, Telling::Repriced, time, context);
                if let Err(refusal) = result {
                    self.leave(order_id, Leaving::ByRule(refusal), time);
                }
            }
            Some(PegMove::Park) => self.park_again(ticket, time),
            None => {}
        }
    }

    /// Where a pegged order belongs now: within its limit, and not where a post-only one would take.
    fn peg_target(&self, ticket: &Ticket, bests: References, context: &dyn VenueContext) -> Option<i64> {
        let order = &ticket.order;
        let special = self.special(order)?;
        let tick = context.tick(order.instrument);
        let mut price = peg_price(order, special.terms.peg?, special.terms.peg_offset, bests, tick)?;
        if let Some(limit) = special.limit {
            price = match order.side {
                Side::Buy => price.min(limit),
                Side::Sell => price.max(limit),
            };
        }
        let posts = order.options & (options::POST_ONLY | options::SLIDE) != 0;
        if posts
            && self.would_trade(&VenueOrder { price, ..*order })
            && let Some(best) = self.best_opposite(order)
        {
            price = best - order.side.sign() * tick;
        }
        let may_be = price > 0 || context.negative_prices(order.instrument);
        (may_be && crate::book::check_price(price).is_ok()).then_some(price)
    }

    /// What a peg follows is gone: it waits outside the book.
    fn park_again(&mut self, ticket: Ticket, time: u64) {
        let VenueOrder { order_id, instrument, .. } = ticket.order;
        let taken = self.at_desk(instrument, Leaving::Canceled, time, None, |book, desk| {
            desk.is_moving = true;
            book.cancel(order_id, desk).map(|_| ())
        });
        if taken.is_err() {
            return;
        }
        if let Some(ticket) = self.tickets.get_mut(order_id) {
            ticket.place = Place::Parked;
            ticket.order.price = 0;
        }
        self.report(order_id, time, Outcome::Unpriced);
    }

    fn try_whole(&mut self, instrument: u32, time: u64, context: &dyn VenueContext) {
        let Some(standing) = self.standing(instrument).filter(|standing| !standing.whole.is_empty()) else {
            return;
        };
        let ids: Vec<u64> = standing.whole.iter().copied().collect();
        let trades = self.trades;
        for order_id in ids {
            let Some(&ticket) = self.tickets.get(order_id) else { continue };
            if self.is_fillable(&ticket, context) {
                let result = self.match_order(ticket, true, time, context);
                self.cancel_refused(order_id, result, time);
            }
            if self.trades != trades {
                return;
            }
        }
    }

    fn is_fillable(&self, ticket: &Ticket, context: &dyn VenueContext) -> bool {
        self.fillable(&ticket.order, ticket.leaves(), context) >= ticket.leaves()
    }

    fn fillable(&self, order: &VenueOrder, quantity: i64, context: &dyn VenueContext) -> i64 {
        let Some(market) = self.market(order.instrument) else { return 0 };
        let VenueOrder { account, side, price, .. } = *order;
        let reducing = market.reducing.as_deref();
        let rooms = reducing.map(|reducing| Rooms::new(context, order.instrument, &reducing.orders));
        match self.owners().guard(account, order.order_id, rooms.as_ref()) {
            None => market.book.fillable(account, side, price, quantity, &Unguarded),
            Some(guard) => market.book.fillable(account, side, price, quantity, &guard),
        }
    }

    /// An order that its client believes live could not be brought to the book.
    fn cancel_refused(&mut self, order_id: u64, result: Result<(), Refusal>, time: u64) {
        if result.is_err() {
            self.forget(order_id);
        }
        self.report_refused(order_id, time, result, |refusal| Outcome::Canceled { refusal });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_lies_on_the_tick_on_the_orders_side() {
        for (bid, ask, tick, buy, sell) in
            [(100, 102, 1, 101, 101), (100, 103, 1, 101, 102), (100, 115, 5, 105, 110), (-7, -4, 1, -6, -5)]
        {
            assert_eq!(middle(bid, ask, Side::Buy, tick), buy);
            assert_eq!(middle(bid, ask, Side::Sell, tick), sell);
        }
    }
}
