//! What a venue's report does to an order, its position and its cash; the same for every venue.
//!
//! Reports may be late, repeated, out of order or about nothing we know. A fill is booked whatever state its
//! order is in; what cannot be matched is kept visible as `ObservationUnmatched`.

use super::order_entry::about;
use super::{About, AnyVenue, Engine, EngineStopped, FeeQuestion};
use crate::command::SubmitOrder;
use crate::event;
use crate::message::Message;
use crate::money::Nano;
use crate::observation::FeeAssessed;
use crate::portfolio::{Booking, BookingKind, FeeSchedule};
use crate::record::{Body, Slot, flags};
use crate::risk::ReplaceTerms;
use crate::rules::{Refusal, Rule};
use crate::terms::{Liquidity, OrderState, Side, Sizing, VenueKind};
use crate::venue::{Outcome, Venue, VenueReport};

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
}

/// Reason of a kill switch that the engine itself engaged.
const OVERFILL: u64 = 1;

/// One fill, with its fee known.
#[derive(Clone, Copy)]
struct FillReport {
    trade_id: u64,
    side: Side,
    price: i64,
    quantity: i64,
    liquidity: Liquidity,
    venue_time: u64,
}

impl FillReport {
    /// A venue reports the fill of a target order with the sign of what was traded; any other trades the
    /// order's side. `None` for a fill of nothing.
    fn of(request: &SubmitOrder, report: &VenueReport) -> Option<Self> {
        let Outcome::Filled { trade_id, price, quantity, liquidity, .. } = report.outcome else {
            return None;
        };
        let is_target = request.sizing == Sizing::TargetPercent;
        let side = match quantity.signum() {
            1 if is_target => Side::Buy,
            -1 if is_target => Side::Sell,
            1 => request.side,
            _ => return None,
        };
        let quantity = quantity.checked_abs()?;
        let venue_time = report.venue_time;
        (price > 0).then_some(FillReport { trade_id, side, price, quantity, liquidity, venue_time })
    }
}

/// An event shows at most 64 bits of a change; the balance itself is shown whole.
fn saturate(amount: i128) -> i64 {
    amount.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

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

    pub(super) fn apply_report(&mut self, venue: u16, report: &VenueReport) -> Result<(), EngineStopped> {
        let order_id = report.order_id;
        match report.outcome {
            Outcome::BookLevel { instrument, side, price, quantity, orders } => {
                let body =
                    event::BookLevelChanged { price, quantity, orders: u64::from(orders), reserved: 0 };
                let about = About { instrument, ..About::NOTHING }.sold(side == Side::Sell);
                self.events.emit(about, body);
                return Ok(());
            }
            Outcome::Trade { instrument, trade_id: _, price, quantity, aggressor_side, resting_order_id } => {
                let body =
                    event::TradeExecuted { price, quantity, aggressor_order_id: order_id, resting_order_id };
                let about = About { instrument, ..About::NOTHING }.sold(aggressor_side == Side::Sell);
                self.events.emit(about, body);
                return Ok(());
            }
            _ => {}
        }
        if self.orders.get(order_id).is_none() {
            self.unmatched(order_id, Message::VenueOrderAccepted, 0, Unmatched::UnknownOrder);
            return Ok(());
        }
        self.note_answer(order_id);
        match report.outcome {
            Outcome::Accepted { venue_order_id } => self.accept(order_id, venue_order_id, report.venue_time),
            Outcome::Rejected { refusal } => return self.reject(order_id, refusal, report.venue_time),
            Outcome::Filled { fee_nano, .. } => return self.fill(venue, report, fee_nano),
            Outcome::Canceled { refusal } => return self.close_canceled(order_id, refusal),
            Outcome::Expired => return self.expire(order_id, report.venue_time),
            Outcome::Replaced { price, quantity, stop_price } => {
                return self.replaced(order_id, ReplaceTerms { price, quantity, stop_price });
            }
            Outcome::CancelRejected { refusal } => {
                self.return_to_state_before(order_id);
                self.emit_cancel_rejected(order_id, &refusal);
            }
            Outcome::ReplaceRejected { refusal } => {
                self.return_to_state_before(order_id);
                self.emit_replace_rejected(order_id, &refusal);
            }
            Outcome::Triggered { price } => self.trigger(order_id, price, report.venue_time),
            Outcome::Unknown => {
                return self.reject(order_id, Refusal::of(Rule::OrderMustReachVenue), report.venue_time);
            }
            Outcome::BookLevel { .. } | Outcome::Trade { .. } => {}
        }
        Ok(())
    }

    /// An answer came: the deadline of the request is off.
    fn note_answer(&mut self, order_id: u64) {
        let Some(order) = self.orders.get(order_id).filter(|order| order.asked_time != 0) else { return };
        let deadline = (order.asked_time.saturating_add(super::ANSWER_TIMEOUT_NS), order_id);
        if !self.deadlines.remove(&deadline) {
            self.deadlines.retain(|(_, waiting)| *waiting != order_id);
        }
        if let Some(order) = self.orders.get_mut(order_id) {
            order.asked_time = 0;
        }
    }

    fn accept(&mut self, order_id: u64, venue_order_id: u64, venue_time: u64) {
        let Some(order) = self.orders.get_mut(order_id) else { return };
        let is_first = order.venue_order_id == 0;
        order.venue_order_id = venue_order_id;
        match order.state {
            OrderState::PendingNew | OrderState::Submitted => order.state = OrderState::Accepted,
            // The answer to a query: the venue has it as it was before we lost sight of it.
            OrderState::Unknown => {
                let before = order.state_before;
                let is_new = matches!(before, OrderState::PendingNew | OrderState::Submitted);
                order.state = if is_new { OrderState::Accepted } else { before };
            }
            // A late acknowledgment changes nothing; it is still told once.
            _ if !is_first => return,
            _ => {}
        }
        let client_order_id = order.request.client_order_id;
        let about = about(order);
        self.events
            .emit(about, event::OrderAccepted { order_id, client_order_id, venue_order_id, venue_time });
    }

    fn reject(&mut self, order_id: u64, refusal: Refusal, venue_time: u64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(order_id) else { return Ok(()) };
        if order.state.is_closed() {
            self.unmatched(order_id, Message::VenueOrderRejected, 0, Unmatched::OrderIsClosed);
            return Ok(());
        }
        order.state = OrderState::Rejected;
        order.refusal = Some(refusal);
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
        order.state = OrderState::Canceled;
        order.refusal = Some(refusal);
        let body = event::OrderCanceled {
            order_id,
            client_order_id: order.request.client_order_id,
            rule: refusal.rule as u64,
            leaves_quantity: order.leaves_quantity(),
        };
        let about = about(order);
        self.events.emit_with(about, body, event::RefusalPayload::new(&refusal));
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

    fn replaced(&mut self, order_id: u64, terms: ReplaceTerms) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(order_id) else { return Ok(()) };
        if order.state.is_closed() {
            self.unmatched(order_id, Message::VenueOrderReplaced, 0, Unmatched::OrderIsClosed);
            return Ok(());
        }
        order.terms = terms;
        order.pending_terms = None;
        if matches!(order.state, OrderState::PendingReplace | OrderState::Unknown | OrderState::PendingNew) {
            order.state = OrderState::Accepted;
        }
        let is_done = order.cumulative_quantity >= terms.quantity;
        if is_done {
            order.state = OrderState::Filled;
        }
        self.risk.replaced(order_id, &terms);
        self.emit_replaced(order_id);
        if is_done { self.closed(order_id) } else { Ok(()) }
    }

    /// A cancel or replace was refused: the order is what it was.
    fn return_to_state_before(&mut self, order_id: u64) {
        let Some(order) = self.orders.get_mut(order_id) else { return };
        if matches!(order.state, OrderState::PendingCancel | OrderState::PendingReplace | OrderState::Unknown)
        {
            let before = order.state_before;
            let is_settled = matches!(before, OrderState::PendingNew | OrderState::Accepted);
            order.state = if is_settled { before } else { OrderState::Accepted };
        }
        if order.pending_terms.take().is_some() {
            self.risk.replace_rejected(order_id);
        }
    }

    fn trigger(&mut self, order_id: u64, price: i64, venue_time: u64) {
        let Some(order) = self.orders.get(order_id) else { return };
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
        let Some(fill) = FillReport::of(&order.request, report) else {
            self.unmatched(order_id, Message::VenueOrderFilled, 0, Unmatched::BadFill);
            return Ok(());
        };
        if is_remote && !order.note_trade(fill.trade_id) {
            self.unmatched(order_id, Message::VenueOrderFilled, fill.trade_id, Unmatched::RepeatedTrade);
            return Ok(());
        }
        let schedule = self.fees.for_(order.request.account, order.request.instrument);
        let instrument = order.request.instrument;
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
        fill: &FillReport,
    ) -> Result<Nano, EngineStopped> {
        self.instruments
            .get(instrument)
            .and_then(|instrument| instrument.notional(fill.price, fill.quantity))
            .map(|notional| schedule.fee(notional, fill.liquidity))
            .ok_or_else(|| {
                self.stopped(format!("the value of trade {} does not fit 128 bits", fill.trade_id))
            })
    }

    /// The answer to a [`FeeQuestion`]: books the fill that waits, then goes on with the venue it came from.
    pub(super) fn assess_fee(&mut self, record: &[Slot]) -> Result<(), EngineStopped> {
        let body = FeeAssessed::of(&record[0]);
        let Some(question) = self.fee_question.take() else {
            self.unmatched(body.order_id, Message::FeeAssessed, body.trade_id, Unmatched::NothingWasAsked);
            return Ok(());
        };
        let report = question.report;
        let fill = self.orders.get(report.order_id).and_then(|order| FillReport::of(&order.request, &report));
        let Some(fill) =
            fill.filter(|fill| (report.order_id, fill.trade_id) == (body.order_id, body.trade_id))
        else {
            let reason = format!(
                "order {} waits for the fee of a fill and that of order {} trade {} came",
                report.order_id, body.order_id, body.trade_id
            );
            return Err(self.stopped(reason));
        };
        self.book(report.order_id, &fill, i128::from(body.fee_nano))?;
        self.pull(usize::from(question.venue))
    }

    fn book(&mut self, order_id: u64, fill: &FillReport, fee: Nano) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(order_id) else { return Ok(()) };
        let (request, was_open) = (order.request, order.is_open());
        let is_overfilled = order.fill(fill.price, fill.quantity);
        let Some(instrument) = self.instruments.get(request.instrument) else {
            return Err(self.stopped(format!("order {order_id} is in an instrument that is not listed")));
        };
        let booking = self
            .portfolio
            .book_fill(request.account, instrument, fill.side, fill.price, fill.quantity, fee)
            .map_err(|refusal| {
                let rule = refusal.rule.name();
                self.stopped(format!("fill {} of order {order_id} cannot be booked: {rule}", fill.trade_id))
            })?;
        if was_open {
            self.risk.filled(order_id, fill.quantity);
        }
        self.emit_fill(order_id, fill, saturate(fee), &booking);
        if is_overfilled {
            self.breach_by_overfill(order_id);
        }
        let is_closed_now = self.orders.get(order_id).is_some_and(|order| order.state == OrderState::Filled);
        if was_open && is_closed_now {
            self.risk.closed(order_id);
        }
        self.after_fill(order_id, fill.price, fill.quantity)?;
        if was_open && is_closed_now { self.after_close(order_id) } else { Ok(()) }
    }

    fn emit_fill(&mut self, order_id: u64, fill: &FillReport, fee_nano: i64, booking: &Booking) {
        let Some(order) = self.orders.get(order_id) else { return };
        let about = About { flags: 0, ..about(order) }
            .sold(fill.side == Side::Sell)
            .flagged(flags::MAKER, fill.liquidity == Liquidity::Maker);
        let body = event::OrderFilled {
            order_id,
            last_price: fill.price,
            last_quantity: fill.quantity,
            leaves_quantity: order.leaves_quantity(),
        };
        let rest = event::FillPayload {
            trade_id: fill.trade_id,
            client_order_id: order.request.client_order_id,
            cumulative_quantity: order.cumulative_quantity,
            fee_nano,
            venue_time: fill.venue_time,
        };
        let account = order.request.account;
        let currency = self.portfolio.account(account).map_or(0, |account| account.currency);
        self.events.emit_with(about, body, rest);
        self.emit_position(about, order_id, fill, fee_nano, booking);
        self.emit_cash(account, currency, booking.cash_after, saturate(booking.cash_change));
    }

    fn emit_position(
        &mut self,
        about: About,
        order_id: u64,
        fill: &FillReport,
        fee_nano: i64,
        booking: &Booking,
    ) {
        let rest = event::PositionPayload {
            cost_low: booking.cost_after as u64,
            cost_high: (booking.cost_after >> 64) as i64,
            realized_nano: saturate(booking.realized),
            fee_nano,
            reserved: 0,
        };
        // The participant learns of it from its fill.
        let about = About { participant: 0, ..about };
        let (quantity, price, trade_id) = (booking.quantity_after, fill.price, fill.trade_id);
        match booking.kind {
            BookingKind::Opened => {
                self.events.emit_with(
                    about,
                    event::PositionOpened { quantity, price, order_id, trade_id },
                    rest,
                );
            }
            BookingKind::Changed | BookingKind::Flipped => {
                self.events.emit_with(
                    about,
                    event::PositionChanged { quantity, price, order_id, trade_id },
                    rest,
                );
            }
            BookingKind::Closed => {
                self.events.emit_with(
                    about,
                    event::PositionClosed { quantity, price, order_id, trade_id },
                    rest,
                );
            }
        }
    }

    /// More came than was asked for: it is ours and booked, and nobody trades on this account until a person looked.
    fn breach_by_overfill(&mut self, order_id: u64) {
        let Some(order) = self.orders.get(order_id) else { return };
        let (account, about) = (order.request.account, about(order));
        let refusal = Refusal::new(
            Rule::QuantityMustNotExceedLimit,
            i128::from(order.terms.quantity),
            i128::from(order.cumulative_quantity),
        );
        let body = event::RiskLimitBreached { order_id, rule: refusal.rule as u64, reserved: [0; 2] };
        self.events.emit_with(about, body, event::RefusalPayload::new(&refusal));
        self.kill(account, OVERFILL, order_id);
    }

    /// The order is closed: its reservations go, and what hangs on it follows.
    pub(super) fn closed(&mut self, order_id: u64) -> Result<(), EngineStopped> {
        self.risk.closed(order_id);
        self.after_close(order_id)
    }
}
