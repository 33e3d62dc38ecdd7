//! Requests on their way to venues, and answers that are overdue.

use super::order_entry::about;
use super::{ANSWER_TIMEOUT_NS, About, AnyVenue, Engine, EngineStopped, OutboxEntry};
use crate::command::SubmitOrder;
use crate::event;
use crate::risk::ReplaceTerms;
use crate::terms::{OrderState, VenueKind, options};
use crate::venue::{VenueOrder, VenueRequest};

impl Engine {
    /// Sends an order to its venue for the first time. `released_at` is the fill of its parent.
    pub(super) fn send_new(&mut self, order_id: u64, released_at: Option<i64>) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(order_id) else { return Ok(()) };
        order.state = OrderState::PendingNew;
        let (request, terms) = (&order.request, order.terms);
        let venue_order = venue_order(order_id, request, terms, released_at);
        if venue_order.options & options::ASIDE != 0 {
            self.attach(order_id, venue_order.instrument);
        }
        self.send(&VenueRequest::Submit(venue_order), order_id)
    }

    /// Lets the venue of `order_id` know the special terms that it has, or those that are asked for.
    pub(super) fn attach(&mut self, order_id: u64, instrument: u32) {
        let Some(special) = self.orders.special(order_id) else { return };
        let venue = self.instruments.get(instrument).map_or(0, |instrument| instrument.venue);
        if let Some(venue) = self.venues.get_mut(usize::from(venue)) {
            venue.get_mut().attach(order_id, &special.pending.unwrap_or(special.terms));
        }
    }

    /// The replace under way was answered: what it asked of the special terms holds, or is forgotten.
    pub(super) fn settle_special_terms(&mut self, order_id: u64, holds: bool) {
        let is_pending = self.orders.special(order_id).is_some_and(|special| special.pending.is_some());
        if !is_pending {
            return;
        }
        if let Some(special) = self.orders.special_mut(order_id) {
            let asked = special.pending.take();
            special.terms = asked.filter(|_| holds).unwrap_or(special.terms);
        }
    }

    /// Hands a request to the venue of `order_id`; to a remote one through the outbox, with a deadline.
    pub(super) fn send(&mut self, request: &VenueRequest, order_id: u64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get(order_id) else { return Ok(()) };
        let instrument = order.request.instrument;
        let venue = self.instruments.get(instrument).map_or(0, |instrument| instrument.venue);
        if usize::from(venue) >= self.venues.len() {
            return Err(self.stopped(format!("order {order_id} is for venue {venue}, which does not exist")));
        };
        if self.answers_at_once(venue, request)? {
            return Ok(());
        }
        let Some(target) = self.venues.get_mut(usize::from(venue)) else { return Ok(()) };
        target.get_mut().request(request, self.time);
        if target.kind() == VenueKind::Remote {
            if let Some(order) = self.orders.get_mut(order_id) {
                order.uncommon.asked_time = self.time;
            }
            self.put_in_outbox(request, order_id, venue);
            self.expect_answer(order_id);
        }
        self.pull(usize::from(venue))
    }

    fn put_in_outbox(&mut self, request: &VenueRequest, order_id: u64, venue: u16) {
        self.outbox.push_back(OutboxEntry { cause_sequence: self.sequence, venue, request: *request });
        let Some(order) = self.orders.get(order_id) else { return };
        let (number, price, quantity) = match request {
            VenueRequest::Submit(order) => (1, order.price, order.quantity),
            VenueRequest::Replace { price, quantity, .. } => (2, *price, *quantity),
            VenueRequest::Cancel { .. } => (3, 0, 0),
            VenueRequest::Query { .. } => (4, 0, 0),
        };
        let body = event::VenueRequestSent { order_id, request: number, price, quantity };
        self.events.emit(About { participant: 0, ..about(order) }, body);
    }

    /// Sets the order's one deadline anew: the latest request is the one that is waited for.
    fn expect_answer(&mut self, order_id: u64) {
        self.forget_deadline(order_id);
        // At the end of time nothing is overdue.
        let Some(deadline) = self.time.checked_add(ANSWER_TIMEOUT_NS) else { return };
        let Some(order) = self.orders.get_mut(order_id) else { return };
        order.uncommon.deadline = deadline;
        self.deadlines.insert((deadline, order_id));
    }

    /// Nothing is asked about the order any more. A report that answers something else (a fill while a cancel is
    /// under way) leaves the deadline standing.
    pub(super) fn forget_deadline(&mut self, order_id: u64) {
        let Some(order) = self.orders.get(order_id).filter(|order| order.uncommon.deadline != 0) else {
            return;
        };
        self.deadlines.remove(&(order.uncommon.deadline, order_id));
        if let Some(order) = self.orders.get_mut(order_id) {
            order.uncommon.deadline = 0;
        }
    }

    /// Orders a remote venue did not answer in time: their state is not known, so it is asked for.
    pub(super) fn expire_deadlines(&mut self) {
        while let Some(&(deadline, order_id)) = self.deadlines.first() {
            if deadline > self.time {
                break;
            }
            self.forget_deadline(order_id);
            self.mark_unknown(order_id);
        }
    }

    fn mark_unknown(&mut self, order_id: u64) {
        let Some(order) = self.orders.get_mut(order_id).filter(|order| order.is_open()) else { return };
        order.state = OrderState::Unknown;
        let (client_order_id, instrument) = (order.request.client_order_id, order.request.instrument);
        let waited_ns = self.time - order.uncommon.asked_time;
        let body = event::OrderUnknown { order_id, client_order_id, waited_ns, reserved: 0 };
        let about = about(order);
        self.events.emit(about, body);
        let venue = self.instruments.get(instrument).map_or(0, |instrument| instrument.venue);
        if let Some(AnyVenue::Remote(_)) = self.venues.get(usize::from(venue)) {
            let query = VenueRequest::Query { order_id, instrument, client_order_id };
            self.put_in_outbox(&query, order_id, venue);
            self.expect_answer(order_id);
        }
    }
}

/// What its venue is told of an order under `terms`.
pub(super) fn venue_order(
    order_id: u64,
    request: &SubmitOrder,
    terms: ReplaceTerms,
    released_at: Option<i64>,
) -> VenueOrder {
    VenueOrder {
        order_id,
        client_order_id: request.client_order_id,
        account: request.account,
        instrument: request.instrument,
        side: request.side,
        order_type: request.order_type,
        time_in_force: request.time_in_force,
        sizing: request.sizing,
        options: request.options,
        price: terms.price,
        quantity: terms.quantity,
        stop_price: terms.stop_price,
        expire_time: request.expire_time,
        released_at,
    }
}
