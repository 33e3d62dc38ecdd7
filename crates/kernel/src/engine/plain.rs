//! The short way of most orders: a plain limit order that comes to rest in a market of ours where nothing else is going
//! on, or trades there with such orders (`plain_trades.rs`), and the cancel of such an order.
//!
//! No rule is stated here. What is tested is that none of the rules passed by could have a say; everything else goes
//! the general way, which would do the same for these orders as well (`tests/engine/ways.rs` holds one against the
//! other, event by event).

use super::order_entry::{cancel_by, emit_accepted, emit_pending, emit_submitted};
use super::{AnyVenue, Engine, EngineStopped};
use crate::command::{CancelOrder, SubmitOrder};
use crate::orders::{Order, order_id};
use crate::record::{Body, Slot};
use crate::risk::{Held, check_terms};
use crate::rules::{Refusal, Rule};
use crate::sabotage::{Check, is_removed};
use crate::terms::{OrderState, OrderType, Sizing, TimeInForce, options};

/// Says nothing about how an order trades once it rests.
const PLAIN_OPTIONS: u16 = options::POST_ONLY | options::CANCEL_ON_DISCONNECT;

fn is_plain(request: &SubmitOrder) -> bool {
    request.order_type == OrderType::Limit
        && matches!(request.time_in_force, TimeInForce::Day | TimeInForce::Gtc | TimeInForce::Ioc)
        && request.sizing == Sizing::Units
        && request.options & !PLAIN_OPTIONS == 0
        && (request.parent | request.partner) == 0
}

impl Engine {
    /// Takes in an order that is plain and comes to rest, or trades with plain ones; `false`, and nothing done, for any
    /// other.
    #[inline]
    pub(super) fn submit_plainly(&mut self, record: &[Slot]) -> Result<bool, EngineStopped> {
        let [head] = record else { return Ok(false) };
        let Ok(request) = SubmitOrder::from_record(record) else { return Ok(false) };
        let is_halted = !self.halted.is_empty() && self.check_halts(request.instrument).is_err();
        if head.source != 0 || is_halted || !is_plain(&request) || self.takes_no_short_way() {
            return Ok(false);
        }
        let Engine { instruments, portfolio, orders, venues, risk, events, participants, time, .. } = self;
        let Some(instrument) = instruments.get(request.instrument) else { return Ok(false) };
        let Some(account) = portfolio.account(request.account) else { return Ok(false) };
        if check_terms(&request, instrument).is_err() {
            return Ok(false);
        }
        let Some(room) = risk.room_at_a_glance(&request, account, instrument) else { return Ok(false) };
        let Some(vacancy) = orders.vacancy(request.account, request.client_order_id) else {
            return Ok(false);
        };
        let Some(AnyVenue::Matching(venue)) = venues.get_mut(usize::from(instrument.venue)) else {
            return Ok(false);
        };
        let order_id = order_id(self.shard, head.sequence);
        let rests = match request.time_in_force {
            TimeInForce::Ioc => None,
            _ => venue.rest_plainly(order_id, &request, *time),
        };
        let Some(level) = rests else { return self.take_plainly(order_id, record, request, vacancy) };
        let mut order = Order::new(order_id, 0, request);
        emit_submitted(events, &order, None, record);
        order.acknowledge(order_id);
        emit_accepted(events, &order, *time);
        events.emit_level(request.instrument, &level);
        participants.stir(request.instrument);
        room.take(&request);
        orders.insert_in(vacancy, order);
        Ok(true)
    }

    /// Takes a plain order back that rests; `false`, and nothing done, for any other.
    #[inline]
    pub(super) fn cancel_plainly(&mut self, head: &Slot) -> bool {
        if self.takes_no_short_way() {
            return false;
        }
        let Engine { instruments, orders, venues, risk, events, participants, time, .. } = self;
        let client_order_id = CancelOrder::of(head).client_order_id;
        let Some(order) = orders.by_client_id_mut(head.account, client_order_id) else { return false };
        if !order.rests_plainly() {
            return false;
        }
        let Some(instrument) = instruments.get(order.request.instrument) else { return false };
        let Some(AnyVenue::Matching(venue)) = venues.get_mut(usize::from(instrument.venue)) else {
            return false;
        };
        let Some(level) = venue.cancel_plainly(order.request.instrument, order.order_id, *time) else {
            return false;
        };
        let held = Held::of(order);
        emit_pending(events, order, OrderState::PendingCancel);
        cancel_by(Refusal::of(Rule::CanceledByParticipant), order, events);
        events.emit_level(order.request.instrument, &level);
        participants.stir(order.request.instrument);
        risk.lessened(&held, order);
        true
    }

    /// A test wants the general way, or a check taken out that is not on the short one.
    pub(super) fn takes_no_short_way(&self) -> bool {
        self.always_pulls || is_removed(Check::Duplicate)
    }
}
