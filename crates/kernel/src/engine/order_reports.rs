//! What a venue's report does to an order, its position and its cash; the same for every venue.
//!
//! Reports may be late, repeated, out of order or about nothing we know. A fill is booked whatever state its
//! order is in; what cannot be matched is kept visible as `ObservationUnmatched`.

use super::booking::{Fill, Ledger};
use super::order_entry::{about, cancel_by, emit_accepted};
use super::{About, AnyVenue, Engine, EngineStopped, FeeQuestion};
use crate::command::SubmitOrder;
use crate::event;
use crate::instrument::MAX_UNITS;
use crate::message::Message;
use crate::money::Nano;
use crate::observation::FeeAssessed;
use crate::orders::Order;
use crate::portfolio::FeeSchedule;
use crate::record::{Body, Slot, flags};
use crate::risk::{ReplaceTerms, Reservation};
use crate::rules::{Refusal, Rule};
use crate::terms::{OrderState, OrderType, Sizing, VenueKind};
use crate::venue::{Outcome, Venue, VenueReport, VenueRequest};

/// Why an observation could not be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Unmatched {
    UnknownOrder = 1,
    RepeatedTrade = 2,
    OrderIsClosed = 3,
    UnknownInstrument = 4,
    NothingWasAsked = 5,
    BadFill = 6,
    BadTerms = 7,
    UnknownParticipant = 8,
}

/// Reason of a kill switch that the engine itself engaged.
const OVERFILL: u64 = 1;

impl Engine {
    pub(super) fn apply_venue_observation(
        &mut self,
        message: Message,
        record: &[Slot],
    ) -> Result<(), EngineStopped> {
        // Every venue observation starts with the order id.
        let order_id = record[0].body[0];
        let Some(order) = self.orders.get(order_id) else {
            self.unmatched(order_id, message, 0, Unmatched::UnknownOrder);
            return Ok(());
        };
        let venue = self.instruments.get(order.request.instrument).map_or(0, |instrument| instrument.venue);
        match self.venues.get_mut(usize::from(venue)) {
            Some(AnyVenue::Remote(remote)) => remote.observe(record),
            _ => {
                self.unmatched(order_id, message, 0, Unmatched::NothingWasAsked);
                return Ok(());
            }
        }
        self.pull(usize::from(venue))
    }

    pub(super) fn unmatched(&mut self, order_id: u64, message: Message, trade_id: u64, reason: Unmatched) {
        let body = event::ObservationUnmatched {
            order_id,
            observation: message as u64,
            trade_id,
            reserved: reason as u64,
        };
        self.events.emit(About::NOTHING, body);
    }

    #[inline(always)]
    pub(super) fn apply_report(&mut self, venue: u16, report: &VenueReport) -> Result<(), EngineStopped> {
        let order_id = report.order_id;
        if self.tell_market(report) {
            return Ok(());
        }
        let Some(order) = self.orders.get(order_id) else {
            self.unmatched(order_id, Message::VenueOrderAccepted, 0, Unmatched::UnknownOrder);
            return Ok(());
        };
        // It never left, so nothing can be said about it but that it traded all the same.
        if order.is_held && !matches!(report.outcome, Outcome::Filled { .. }) {
            self.unmatched(order_id, Message::VenueOrderAccepted, 0, Unmatched::NothingWasAsked);
            return Ok(());
        }
        self.apply_outcome(venue, report)?;
        self.after_report(order_id)
    }

    /// An order about which nothing is asked any more waits for no answer, and may be asked the next thing.
    fn after_report(&mut self, order_id: u64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get(order_id).filter(|order| !order.awaits_answer()) else {
            return Ok(());
        };
        let (is_waiting, has_wish) = (order.uncommon.deadline != 0, order.uncommon.wanted_quantity.is_some());
        if is_waiting {
            self.forget_deadline(order_id);
        }
        if has_wish { self.resume_linked(order_id) } else { Ok(()) }
    }

    #[inline(always)]
    fn apply_outcome(&mut self, venue: u16, report: &VenueReport) -> Result<(), EngineStopped> {
        let (order_id, venue_time) = (report.order_id, report.venue_time);
        match report.outcome {
            Outcome::Accepted { venue_order_id } => self.accept(order_id, venue_order_id, venue_time),
            Outcome::Rejected { refusal } => self.reject(order_id, refusal, venue_time),
            Outcome::Filled { fee_nano, .. } => self.fill(venue, report, fee_nano),
            Outcome::Canceled { refusal } => self.close_canceled(order_id, refusal),
            Outcome::Expired => self.expire(order_id, venue_time),
            Outcome::Replaced { price, quantity, stop_price } => {
                self.replaced(order_id, ReplaceTerms { price, quantity, stop_price })
            }
            Outcome::CancelRejected { refusal } => self.cancel_rejected(order_id, &refusal),
            Outcome::ReplaceRejected { refusal } => self.replace_rejected(order_id, &refusal),
            Outcome::Triggered { price } => {
                self.trigger(order_id, price, venue_time);
                Ok(())
            }
            Outcome::Unknown => self.never_seen(order_id, venue_time),
            Outcome::Repriced { price, stop_price } => {
                self.repriced(order_id, price, stop_price);
                Ok(())
            }
            Outcome::Unpriced => {
                self.unpriced(order_id);
                Ok(())
            }
            Outcome::Reduced { quantity, refusal } => {
                self.reduced(order_id, quantity, &refusal);
                Ok(())
            }
            // Of the market, and told already.
            _ => Ok(()),
        }
    }

    fn accept(&mut self, order_id: u64, venue_order_id: u64, venue_time: u64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(order_id) else { return Ok(()) };
        if order.state == OrderState::Rejected {
            return self.withdraw(order_id);
        }
        let (is_first, was_open) = (order.venue_order_id == 0, order.is_open());
        order.venue_order_id = venue_order_id;
        order.is_acknowledged = true;
        match order.state {
            OrderState::PendingNew | OrderState::Submitted => order.state = OrderState::Accepted,
            // The answer to a query: the venue has it as it was before we lost sight of it.
            OrderState::Unknown => self.give_up_replace(order_id),
            // A late acknowledgment changes nothing; it is still told once.
            _ if !is_first => return Ok(()),
            _ => {}
        }
        let Some(order) = self.orders.get(order_id) else { return Ok(()) };
        let is_done = was_open && !order.is_open();
        emit_accepted(&mut self.events, order, venue_time);
        if is_done { self.closed(order_id) } else { Ok(()) }
    }

    /// The venue has an order that was given up because it had said it never saw it: it must not trade unwatched.
    fn withdraw(&mut self, order_id: u64) -> Result<(), EngineStopped> {
        self.unmatched(order_id, Message::VenueOrderAccepted, 0, Unmatched::OrderIsClosed);
        let Some(order) = self.orders.get(order_id) else { return Ok(()) };
        let given_up = order.refusal().is_some_and(|refusal| refusal.rule == Rule::OrderMustReachVenue);
        let instrument = order.request.instrument;
        if given_up { self.send(&VenueRequest::Cancel { order_id, instrument }, order_id) } else { Ok(()) }
    }

    /// The answer to a query. One that the venue had before is gone, one that it never had was never there.
    fn never_seen(&mut self, order_id: u64, venue_time: u64) -> Result<(), EngineStopped> {
        let refusal = Refusal::of(Rule::OrderMustReachVenue);
        match self.orders.get(order_id) {
            Some(order) if order.is_acknowledged => self.close_canceled(order_id, refusal),
            _ => self.reject(order_id, refusal, venue_time),
        }
    }

    fn reject(&mut self, order_id: u64, refusal: Refusal, venue_time: u64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(order_id) else { return Ok(()) };
        if order.state.is_closed() {
            self.unmatched(order_id, Message::VenueOrderRejected, 0, Unmatched::OrderIsClosed);
            return Ok(());
        }
        order.state = OrderState::Rejected;
        order.set_refusal(refusal);
        let (client_order_id, rule) = (order.request.client_order_id, refusal.rule as u64);
        let about = about(order);
        let body = event::OrderRejected { order_id, client_order_id, rule, venue_time };
        self.events.emit_with(about, body, event::RefusalPayload::new(&refusal));
        self.closed(order_id)
    }

    pub(super) fn close_canceled(&mut self, order_id: u64, refusal: Refusal) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(order_id) else { return Ok(()) };
        if order.state.is_closed() {
            self.unmatched(order_id, Message::VenueOrderCanceled, 0, Unmatched::OrderIsClosed);
            return Ok(());
        }
        cancel_by(refusal, order, &mut self.events);
        self.closed(order_id)
    }

    fn expire(&mut self, order_id: u64, venue_time: u64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(order_id) else { return Ok(()) };
        if order.state.is_closed() {
            self.unmatched(order_id, Message::VenueOrderExpired, 0, Unmatched::OrderIsClosed);
            return Ok(());
        }
        order.state = OrderState::Expired;
        let client_order_id = order.request.client_order_id;
        let leaves_quantity = order.leaves_quantity();
        let about = about(order);
        let body = event::OrderExpired { order_id, client_order_id, leaves_quantity, venue_time };
        self.events.emit(about, body);
        self.closed(order_id)
    }

    /// Whether the order's instrument may have prices of zero and below.
    fn may_be_negative(&self, order_id: u64) -> bool {
        let order = self.orders.get(order_id);
        let instrument = order.and_then(|order| self.instruments.get(order.request.instrument));
        instrument.is_some_and(|instrument| instrument.negative_prices)
    }

    fn replaced(&mut self, order_id: u64, terms: ReplaceTerms) -> Result<(), EngineStopped> {
        let lowest = if self.may_be_negative(order_id) { -MAX_UNITS } else { 0 };
        let Some(order) = self.orders.get_mut(order_id) else { return Ok(()) };
        // That of an order sized at its fill is a share, and may be negative.
        let in_units = order.request.sizing == Sizing::Units;
        let quantity = if in_units { terms.quantity } else { 0 };
        let possible =
            [terms.price, terms.stop_price].iter().all(|price| (lowest..=MAX_UNITS).contains(price))
                && (0..=MAX_UNITS).contains(&quantity);
        if !possible {
            self.unmatched(order_id, Message::VenueOrderReplaced, 0, Unmatched::BadTerms);
            return Ok(());
        }
        if order.state.is_closed() {
            self.unmatched(order_id, Message::VenueOrderReplaced, 0, Unmatched::OrderIsClosed);
            return Ok(());
        }
        // What traded before the venue got to the replace stays traded: the total is never less.
        let quantity = if in_units { quantity.max(order.cumulative_quantity) } else { terms.quantity };
        let before = Reservation::of_open(order);
        order.terms = ReplaceTerms { quantity, ..terms };
        order.has_price |= terms.price != 0;
        let has_special_terms = order.has_special_terms();
        order.uncommon.pending_terms = None;
        order.is_acknowledged = true;
        let is_done = order.has_traded_whole();
        if order.state != OrderState::PendingCancel || is_done {
            order.settle();
        }
        self.risk.changed(&before, &Reservation::of_open(order));
        if has_special_terms {
            self.settle_special_terms(order_id, true);
        }
        self.emit_replaced(order_id);
        if is_done { self.closed(order_id) } else { Ok(()) }
    }

    /// Where an order stands that moves by its own terms. A pegged order keeps the limit that it was given.
    fn repriced(&mut self, order_id: u64, price: i64, stop_price: i64) {
        let Some(order) = self.orders.get_mut(order_id).filter(|order| order.is_open()) else { return };
        let (client_order_id, about) = (order.request.client_order_id, about(order));
        order.has_price |=
            order.request.order_type.may_rest() && order.request.order_type != OrderType::Pegged;
        if order.request.order_type != OrderType::Pegged {
            let before = Reservation::of_open(order);
            (order.terms.price, order.terms.stop_price) = (price, stop_price);
            self.risk.changed(&before, &Reservation::of_open(order));
        }
        self.events.emit(about, event::OrderRepriced { order_id, client_order_id, price, stop_price });
    }

    /// What a pegged order follows is gone: it stands nowhere.
    fn unpriced(&mut self, order_id: u64) {
        let Some(order) = self.orders.get(order_id).filter(|order| order.is_open()) else { return };
        let client_order_id = order.request.client_order_id;
        let body = event::OrderRepriced { order_id, client_order_id, price: 0, stop_price: 0 };
        self.events.emit(about(order).flagged(flags::UNPRICED, true), body);
    }

    fn reduced(&mut self, order_id: u64, quantity: i64, refusal: &Refusal) {
        let Some(order) = self.orders.get_mut(order_id).filter(|order| order.is_open()) else { return };
        let before = Reservation::of_open(order);
        order.terms.quantity = quantity.max(order.cumulative_quantity);
        self.risk.changed(&before, &Reservation::of_open(order));
        let (client_order_id, about) = (order.request.client_order_id, about(order));
        let (quantity, rule) = (order.terms.quantity, refusal.rule as u64);
        let body = event::OrderReduced { order_id, client_order_id, quantity, rule };
        self.events.emit_with(about, body, event::RefusalPayload::new(refusal));
    }

    /// A replace that was refused, or that nothing came of: the old terms stand, and may be filled already.
    fn give_up_replace(&mut self, order_id: u64) {
        self.settle_special_terms(order_id, false);
        let Some(order) = self.orders.get_mut(order_id).filter(|order| order.is_open()) else { return };
        let before = Reservation::of_open(order);
        order.uncommon.pending_terms = None;
        if order.state != OrderState::PendingCancel || order.has_traded_whole() {
            order.settle();
        }
        self.risk.changed(&before, &Reservation::of_open(order));
    }

    fn replace_rejected(&mut self, order_id: u64, refusal: &Refusal) -> Result<(), EngineStopped> {
        let was_open = self.orders.get(order_id).is_some_and(Order::is_open);
        self.give_up_replace(order_id);
        self.emit_replace_rejected(order_id, refusal);
        let is_open = self.orders.get(order_id).is_some_and(Order::is_open);
        if was_open && !is_open { self.closed(order_id) } else { Ok(()) }
    }

    /// The order stands as it was; a replace that the cancel overtook is still under way.
    fn cancel_rejected(&mut self, order_id: u64, refusal: &Refusal) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(order_id) else { return Ok(()) };
        if matches!(order.state, OrderState::PendingCancel | OrderState::Unknown) {
            match order.uncommon.pending_terms {
                Some(_) => order.state = OrderState::PendingReplace,
                None => order.settle(),
            }
        }
        self.emit_cancel_rejected(order_id, refusal);
        Ok(())
    }

    fn trigger(&mut self, order_id: u64, price: i64, venue_time: u64) {
        let Some(order) = self.orders.get_mut(order_id) else { return };
        order.is_triggered = true;
        let client_order_id = order.request.client_order_id;
        let body = event::OrderTriggered { order_id, client_order_id, price, venue_time };
        self.events.emit(about(order), body);
    }

    /// Asks for the fee where a model outside decides it, else books.
    fn fill(&mut self, venue: u16, report: &VenueReport, fee_nano: Option<i64>) -> Result<(), EngineStopped> {
        let order_id = report.order_id;
        let is_remote =
            self.venues.get(usize::from(venue)).is_some_and(|venue| venue.kind() == VenueKind::Remote);
        let Some(order) = self.orders.get_mut(order_id) else { return Ok(()) };
        let SubmitOrder { account, instrument, .. } = order.request;
        let negative_prices = self.instruments.get(instrument).is_some_and(|listed| listed.negative_prices);
        let possible = |fill: &Fill| !is_remote || fill.price.max(fill.quantity) <= MAX_UNITS;
        let Some(fill) = Fill::of(&order.request, report, negative_prices).filter(possible) else {
            self.unmatched(order_id, Message::VenueOrderFilled, 0, Unmatched::BadFill);
            return Ok(());
        };
        if is_remote && !order.note_trade(fill.trade_id) {
            self.unmatched(order_id, Message::VenueOrderFilled, fill.trade_id, Unmatched::RepeatedTrade);
            return Ok(());
        }
        let schedule = self.fees.for_(account, instrument);
        match fee_nano {
            Some(fee) => self.book(order_id, &fill, i128::from(fee)),
            None if schedule.external => {
                self.fee_question = Some(FeeQuestion { venue, report: *report });
                Ok(())
            }
            None => {
                let fee = self.scheduled_fee(&schedule, instrument, &fill)?;
                self.book(order_id, &fill, fee)
            }
        }
    }

    fn scheduled_fee(
        &self,
        schedule: &FeeSchedule,
        instrument: u32,
        fill: &Fill,
    ) -> Result<Nano, EngineStopped> {
        self.instruments
            .get(instrument)
            .and_then(|instrument| instrument.notional(fill.price, fill.quantity))
            .map(|notional| schedule.fee(notional, fill.liquidity))
            .ok_or_else(|| self.stopped(has_no_value(fill.trade_id)))
    }

    /// The answer to a [`FeeQuestion`]: books the fill that waits, then goes on with the venue it came from.
    pub(super) fn assess_fee(&mut self, record: &[Slot]) -> Result<(), EngineStopped> {
        let body = FeeAssessed::of(&record[0]);
        let Some(question) = self.fee_question.take() else {
            self.unmatched(body.order_id, Message::FeeAssessed, body.trade_id, Unmatched::NothingWasAsked);
            return Ok(());
        };
        let report = question.report;
        let negative_prices = self.may_be_negative(report.order_id);
        let order = self.orders.get(report.order_id);
        let fill = order.and_then(|order| Fill::of(&order.request, &report, negative_prices));
        let Some(fill) =
            fill.filter(|fill| (report.order_id, fill.trade_id) == (body.order_id, body.trade_id))
        else {
            let reason = format!(
                "order {} waits for the fee of a fill and that of order {} trade {} came",
                report.order_id, body.order_id, body.trade_id
            );
            return Err(self.stopped(reason));
        };
        // As inside a pull: what the fill entails is asked for in one go, before the venue goes on.
        self.is_pulling = true;
        let booked = self.book(report.order_id, &fill, i128::from(body.fee_nano));
        self.is_pulling = false;
        booked?;
        self.after_report(report.order_id)?;
        self.pull(usize::from(question.venue))?;
        // The others were left alone while the fill waited.
        for venue in 0..self.venues.len() {
            self.pull(venue)?;
        }
        self.settle_marks();
        Ok(())
    }

    fn book(&mut self, order_id: u64, fill: &Fill, fee: Nano) -> Result<(), EngineStopped> {
        let Engine { orders, instruments, portfolio, risk, events, .. } = self;
        let Some(order) = orders.get_mut(order_id) else { return Ok(()) };
        let is_linked = order.has_children || order.uncommon.partner != 0;
        let Some(instrument) = instruments.get(order.request.instrument) else {
            return Err(self.stopped(format!("order {order_id} is in an instrument that is not listed")));
        };
        let booked = Ledger { portfolio, risk, events }
            .book(order, instrument, fill, fee)
            .map_err(|refusal| self.stopped(cannot_be_booked(order_id, fill.trade_id, &refusal)))?;
        if booked.is_overfilled {
            self.breach_by_overfill(order_id)?;
        }
        if booked.ended_position && self.orders.has_children() {
            self.cancel_exits(order_id)?;
        }
        if !is_linked {
            return Ok(());
        }
        self.after_fill(order_id, fill.price, fill.quantity)?;
        if booked.has_closed { self.after_close(order_id) } else { Ok(()) }
    }

    /// More came than was asked for: it is ours and booked, and nobody trades on this account until a person looked.
    /// Only what protects a position stays, and goes out when it is its turn.
    fn breach_by_overfill(&mut self, order_id: u64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get(order_id) else { return Ok(()) };
        let (account, about) = (order.request.account, about(order));
        let refusal = Refusal::new(
            Rule::QuantityMustNotExceedLimit,
            i128::from(order.terms.quantity),
            i128::from(order.cumulative_quantity),
        );
        let body = event::RiskLimitBreached { order_id, rule: refusal.rule as u64, reserved: [0; 2] };
        self.events.emit_with(about, body, event::RefusalPayload::new(&refusal));
        self.engage(account, OVERFILL, order_id);
        let risky = self.orders.open_where(account, |order| !order.request.is_reduce_only());
        self.cancel_each(&risky)
    }

    /// The order was open and is closed now: it holds nothing back any more, and what hangs on it follows.
    pub(super) fn closed(&mut self, order_id: u64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get(order_id) else { return Ok(()) };
        self.risk.closed(&Reservation::of_open(order));
        self.after_close(order_id)
    }
}

/// Why a fill stops the engine that its account's figures have no room for.
pub(super) fn cannot_be_booked(order_id: u64, trade_id: u64, refusal: &Refusal) -> String {
    format!("fill {trade_id} of order {order_id} cannot be booked: {}", refusal.rule.name())
}

pub(super) fn has_no_value(trade_id: u64) -> String {
    format!("the value of trade {trade_id} does not fit 128 bits")
}
