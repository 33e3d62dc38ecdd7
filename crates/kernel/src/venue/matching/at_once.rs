//! Requests that are worked on at once: nothing else waits to be done, and the order asks nothing of the engine while it
//! is matched. Each report is told as it comes about; what it then sets off (stops, pegs, auctions) waits to be pulled as
//! after any other request. The rules are those of `entry.rs`: only the way of the reports is another one.

use super::desk::{Leaving, Telling};
use super::entry::{check_requote, requote_in_book};
use super::{MatchingVenue, Place, Ticket};
use crate::rules::Refusal;
use crate::terms::options;
use crate::venue::at_work::Audience;
use crate::venue::{Outcome, VenueOrder, VenueRequest};

/// Orders with these ask for more than their price and quantity when they come to the book.
const NOT_AT_ONCE: u16 = options::ASIDE | options::REDUCE_ONLY;

impl MatchingVenue {
    /// Whether a request made at `time` would be the next thing done.
    #[inline]
    pub(crate) fn is_idle(&self, time: u64) -> bool {
        self.asking.is_none()
            && self.reports.is_empty()
            && self.work.is_empty()
            && self.triggered.is_empty()
            && self.restless.is_empty()
            && self.shrunk.is_empty()
            && self.expiries.first().is_none_or(|&(due, _)| due > time)
            && self.session_ends.first().is_none_or(|&(due, _)| due > time)
    }

    /// Does what an idle venue is asked for; `false`, and nothing done, where the request must go the way of all others.
    pub(crate) fn perform<A: Audience>(
        &mut self,
        request: &VenueRequest,
        time: u64,
        audience: &mut A,
    ) -> bool {
        match *request {
            VenueRequest::Submit(ref order) => self.submit_at_once(order, time, audience),
            VenueRequest::Replace { order_id, price, quantity, stop_price, .. } => {
                self.replace_at_once(order_id, [price, quantity, stop_price], time, audience)
            }
            VenueRequest::Cancel { order_id, .. } => self.cancel_at_once(order_id, time, audience),
            VenueRequest::Query { .. } => false,
        }
    }

    fn submit_at_once<A: Audience>(&mut self, order: &VenueOrder, time: u64, audience: &mut A) -> bool {
        let is_simple = order.options & NOT_AT_ONCE == 0
            && !order.order_type.waits()
            && !self.reduces_in(order.instrument)
            && !self.waits_for_close(order);
        if is_simple {
            let result = self.admit(order, time).and_then(|()| self.enter_at_once(order, time, audience));
            self.report_refused(order.order_id, time, result, |refusal| Outcome::Rejected { refusal });
        }
        is_simple
    }

    fn replace_at_once<A: Audience>(
        &mut self,
        order_id: u64,
        terms: [i64; 3],
        time: u64,
        audience: &mut A,
    ) -> bool {
        let Some(&ticket) = self.tickets.get(order_id) else { return false };
        let is_simple = matches!(ticket.place, Place::Book(_))
            && ticket.order.options & NOT_AT_ONCE == 0
            && !self.reduces_in(ticket.order.instrument);
        if is_simple {
            let [price, quantity, stop_price] = terms;
            let order = VenueOrder { price, quantity, stop_price, ..ticket.order };
            let result = self
                .check_new_conditions(&ticket, &order)
                .and_then(|()| self.requote_at_once(&ticket, &order, time, audience));
            self.report_refused(order_id, time, result, |refusal| Outcome::ReplaceRejected { refusal });
        }
        is_simple
    }

    fn requote_at_once<A: Audience>(
        &mut self,
        ticket: &Ticket,
        order: &VenueOrder,
        time: u64,
        audience: &mut A,
    ) -> Result<(), Refusal> {
        let leaves = check_requote(ticket, order)?;
        self.at_desk_with(order.instrument, Leaving::Canceled, time, None, audience, |book, desk| {
            desk.telling = Telling::Replaced;
            requote_in_book(book, order, leaves, desk)
        })
    }

    fn cancel_at_once<A: Audience>(&mut self, order_id: u64, time: u64, audience: &mut A) -> bool {
        let Some(ticket) = self.tickets.get(order_id) else { return false };
        if !matches!(ticket.place, Place::Book(_)) {
            return false;
        }
        let instrument = ticket.order.instrument;
        let left = self.at_desk_with(instrument, Leaving::Canceled, time, None, audience, |book, desk| {
            book.cancel(order_id, desk).map(|_| ())
        });
        if let Err(refusal) = left {
            self.report(order_id, time, Outcome::CancelRejected { refusal });
        }
        true
    }

    /// Whether reduce-only orders are live in the market: what others trade there bounds them.
    fn reduces_in(&self, instrument: u32) -> bool {
        self.market(instrument).is_some_and(|market| market.reducing.is_some())
    }
}
