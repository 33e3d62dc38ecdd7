//! Commands about orders: submit, replace, cancel. A command is refused by an event, never silently.

use super::{About, AnyVenue, Engine, EngineStopped, Events};
use crate::command::{CancelOrder, CausePayload, MassCancel, ReplaceOrder, SubmitOrder, SubmitOrderBody};
use crate::event;
use crate::message::Message;
use crate::orders::{Order, OrderSpecials, order_id};
use crate::record::{Body, RecordBuffer, Slot, flags, payload};
use crate::risk::{ReplaceTerms, Reservation, check_held_terms, check_terms};
use crate::rules::{Refusal, Rule};
use crate::sabotage::{Check, is_removed};
use crate::special_terms::SpecialTerms;
use crate::terms::{OrderState, PackedTerms, Side, Sizing, options};
use crate::venue::VenueRequest;
use crate::venue::simulated::SimulatedVenue;

/// What an event about `order` says in its head.
pub(super) fn about(order: &Order) -> About {
    About {
        instrument: order.request.instrument,
        account: order.request.account,
        participant: order.participant,
        ..About::NOTHING
    }
    .sold(order.request.side == Side::Sell)
}

fn packed(order: &SubmitOrder) -> PackedTerms {
    PackedTerms {
        side: order.side as u8,
        order_type: order.order_type as u8,
        time_in_force: order.time_in_force as u8,
        sizing: order.sizing as u8,
        options: order.options & options::ALL,
        session: order.session,
    }
}

/// What the command asked for, as its body says it.
pub(super) fn asked(order: &SubmitOrder) -> SubmitOrderBody {
    SubmitOrderBody {
        price: order.price,
        quantity: order.quantity,
        client_order_id: order.client_order_id,
        terms: packed(order),
    }
}

/// `special` are the special terms of an order that has any.
#[inline]
pub(super) fn emit_submitted(
    events: &mut Events,
    order: &Order,
    special: Option<&OrderSpecials>,
    record: &[Slot],
) {
    let request = &order.request;
    let body = event::OrderSubmitted {
        order_id: order.order_id,
        client_order_id: request.client_order_id,
        price: request.price,
        quantity: request.quantity,
    };
    let rest = event::OrderPayload {
        terms: packed(request),
        stop_price: request.stop_price,
        cause_sequence: payload::<CausePayload>(record).map_or(0, |cause| cause.cause_sequence),
        participant: u64::from(order.participant),
        zeros: special.map_or(0, |special| special.terms.conditions().zeros),
    };
    let Some(special) = special else {
        return events.emit_with(about(order), body, rest);
    };
    let mut event = RecordBuffer::new(body);
    event.push(rest);
    special.terms.push(request, &mut event);
    events.emit_record(about(order), event);
}

#[inline]
pub(super) fn emit_accepted(events: &mut Events, order: &Order, venue_time: u64) {
    let body = event::OrderAccepted {
        order_id: order.order_id,
        client_order_id: order.request.client_order_id,
        venue_order_id: order.venue_order_id,
        venue_time,
    };
    events.emit(about(order), body);
}

#[inline]
pub(super) fn emit_pending(events: &mut Events, order: &Order, state: OrderState) {
    let (order_id, client_order_id) = (order.order_id, order.request.client_order_id);
    let body = event::OrderPending { order_id, client_order_id, state: state as u64, reserved: 0 };
    events.emit(about(order), body);
}

#[inline]
pub(super) fn emit_replaced(events: &mut Events, order: &Order) {
    let body = event::OrderReplaced {
        order_id: order.order_id,
        client_order_id: order.request.client_order_id,
        price: order.told_price(),
        quantity: order.terms.quantity,
    };
    events.emit(about(order), body);
}

/// Closes an order that was open, for a reason.
#[inline]
pub(super) fn cancel_by(refusal: Refusal, order: &mut Order, events: &mut Events) {
    order.state = OrderState::Canceled;
    order.set_refusal(refusal);
    let body = event::OrderCanceled {
        order_id: order.order_id,
        client_order_id: order.request.client_order_id,
        rule: refusal.rule as u64,
        leaves_quantity: order.leaves_quantity(),
    };
    events.emit_with(about(order), body, event::RefusalPayload::new(&refusal));
}

impl Engine {
    pub(super) fn submit_order(&mut self, record: &[Slot]) -> Result<(), EngineStopped> {
        if self.submit_plainly(record)? {
            return Ok(());
        }
        let head = &record[0];
        let order_id = order_id(self.shard, head.sequence);
        let read = SubmitOrder::from_record(record)
            .and_then(|request| Ok((request, SpecialTerms::from_record(record, &request)?)));
        let (mut request, special) = match read {
            Ok(read) => read,
            Err(refusal) => {
                let about = About {
                    instrument: head.instrument,
                    account: head.account,
                    participant: head.source,
                    ..About::NOTHING
                };
                self.emit_denied(about, order_id, SubmitOrderBody::of(head), &refusal);
                return Ok(());
            }
        };
        if special.is_some() {
            request.options |= options::ASIDE;
        }
        if let Some(first) = self.orders.by_client_id(request.account, request.client_order_id)
            && !is_removed(Check::Duplicate)
        {
            let first = first.clone();
            self.answer_repeated(&first, &request, special, order_id, head.source);
            return Ok(());
        }
        let sized = self.sized(&request, head.source);
        request = sized.unwrap_or(request);
        let mut order = Order::new(order_id, head.source, request);
        if let Some(terms) = special {
            self.orders.insert_special(order_id, terms);
            order.has_price |= terms.zero_price;
        }
        if let Err(refusal) = sized.and_then(|_| self.admit(&order, special.as_ref())) {
            order.state = OrderState::Denied;
            order.set_refusal(refusal);
            self.emit_denied(about(&order), order_id, asked(&request), &refusal);
            self.orders.insert(order);
            return Ok(());
        }
        order.is_held = request.parent != 0;
        emit_submitted(&mut self.events, &order, self.orders.special(order_id), record);
        if request.parent != 0 || request.partner != 0 {
            self.link(&mut order);
        }
        self.risk.opened(&Reservation::of_open(&order));
        let is_held = order.is_held;
        self.orders.insert(order);
        if is_held { self.release_if_parent_traded(order_id) } else { self.send_new(order_id, None) }
    }

    /// The gate every order passes, rule by rule in the order of their numbers. One that waits for its parent
    /// passes it again, with its final terms, when it is released.
    fn admit(&self, order: &Order, special: Option<&SpecialTerms>) -> Result<(), Refusal> {
        let (request, view) = (&order.request, self.risk_view());
        view.account(request.account)?;
        let instrument = view.instrument(request.instrument)?;
        self.check_participant(order.participant, request.account)?;
        self.risk.check_kill_switch(request.account)?;
        self.check_halts(request.instrument)?;
        let waits = request.parent != 0;
        if waits {
            check_held_terms(request, instrument)?
        } else {
            check_terms(request, instrument)?
        }
        if let Some(special) = special {
            special.check(request, instrument)?;
            self.check_supported(request, special, instrument.venue)?;
        }
        self.check_sizing(request, instrument.venue)?;
        self.check_links(request)?;
        if waits { self.risk.check_held(request, &view) } else { self.risk.check_limits(request, &view) }
    }

    /// A participant sends orders for its own account, and none once it was stopped.
    fn check_participant(&self, participant: u16, account: u32) -> Result<(), Refusal> {
        let known = self.participants.get(participant);
        match known.filter(|known| !known.is_stopped && known.account == account) {
            None if participant != 0 => {
                let limit = known.map_or(0, |known| i128::from(known.account));
                Err(Refusal::new(Rule::ParticipantMustBeRegistered, limit, i128::from(participant)))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn check_halts(&self, instrument: u32) -> Result<(), Refusal> {
        let halted = [0, instrument].into_iter().find(|id| self.halted.contains(id));
        let refusal = |id| Refusal::new(Rule::TradingMustNotBeHalted, 0, i128::from(id));
        halted.map_or(Ok(()), |id| Err(refusal(id)))
    }

    /// A remote venue knows nothing of our equity and positions: only we could size, and we do not know its price.
    fn check_sizing(&self, request: &SubmitOrder, venue: u16) -> Result<(), Refusal> {
        let is_remote = matches!(self.venues.get(usize::from(venue)), Some(AnyVenue::Remote(_)));
        if is_remote && request.sizing != Sizing::Units {
            let actual = i128::from(request.sizing as u8);
            return Err(Refusal::new(Rule::SizingMustBeSupported, i128::from(Sizing::Units as u8), actual));
        }
        Ok(())
    }

    /// Our own venue knows all special terms, a simulated one those that its data can decide, and what a remote one
    /// makes of them is not known.
    fn check_supported(
        &self,
        request: &SubmitOrder,
        special: &SpecialTerms,
        venue: u16,
    ) -> Result<(), Refusal> {
        let is_supported = match self.venues.get(usize::from(venue)) {
            Some(AnyVenue::Matching(_) | AnyVenue::AtWork(_)) => true,
            Some(AnyVenue::Simulated(_)) => SimulatedVenue::supports(request, special),
            Some(AnyVenue::Remote(_)) | None => false,
        };
        let actual = i128::from(request.order_type as u8);
        if is_supported { Ok(()) } else { Err(Refusal::new(Rule::OrderTypeMustBeSupported, 0, actual)) }
    }

    /// What can be said of new terms whose quantity and price the parent's fill will decide.
    fn check_held_terms(&self, request: &SubmitOrder) -> Result<(), Refusal> {
        self.risk.check_parties(request, &self.risk_view())?;
        let unlisted = Refusal::new(Rule::InstrumentMustBeListed, 0, i128::from(request.instrument));
        check_held_terms(request, self.instruments.get(request.instrument).ok_or(unlisted)?)
    }

    /// A parent that traded and is closed is as good as an open one; a partner must be open and without a partner.
    fn check_links(&self, request: &SubmitOrder) -> Result<(), Refusal> {
        let find = |client_order_id: u64| {
            let missing = Refusal::new(Rule::LinkedOrderMustExist, 0, i128::from(client_order_id));
            self.orders.by_client_id(request.account, client_order_id).ok_or(missing)
        };
        if request.parent != 0 {
            let parent = find(request.parent)?;
            if !parent.is_open() && parent.cumulative_quantity == 0 {
                let (state, parent) = (i128::from(parent.state as u8), i128::from(request.parent));
                return Err(Refusal::new(Rule::LinkedOrderMustExist, state, parent));
            }
        }
        if request.partner != 0 {
            let partner = find(request.partner)?;
            if !partner.is_open() {
                return Err(Refusal::new(Rule::PartnerMustBeOpen, 0, i128::from(request.partner)));
            }
            let other = self.orders.get(partner.uncommon.partner).filter(|other| other.is_open());
            if let Some(other) = other {
                let taken_by = i128::from(other.request.client_order_id);
                return Err(Refusal::new(Rule::PartnerMustBeFree, taken_by, i128::from(request.partner)));
            }
        }
        Ok(())
    }

    /// The same request again gets the first answer; another one under the same id is refused.
    fn answer_repeated(
        &mut self,
        first: &Order,
        request: &SubmitOrder,
        special: Option<SpecialTerms>,
        order_id: u64,
        participant: u16,
    ) {
        let about = About { participant, ..about(first) };
        let first_special = self.orders.special(first.order_id).map(|special| special.asked);
        // A client that comes back and is not sure of its order sends it again, from another session.
        let request = &SubmitOrder { session: first.request.session, ..*request };
        if first.request != *request || first_special != special {
            let refusal =
                Refusal::new(Rule::ClientOrderIdMustBeUnique, 0, i128::from(request.client_order_id));
            self.emit_denied(about, order_id, asked(request), &refusal);
            return;
        }
        let about = about.flagged(flags::REPEATED, true);
        let client_order_id = request.client_order_id;
        match (first.state, first.refusal()) {
            (OrderState::Denied, Some(refusal)) => {
                self.emit_denied(about, first.order_id, asked(request), &refusal);
            }
            (OrderState::Rejected, Some(refusal)) => {
                let rule = refusal.rule as u64;
                let body =
                    event::OrderRejected { order_id: first.order_id, client_order_id, rule, venue_time: 0 };
                self.events.emit_with(about, body, event::RefusalPayload::new(&refusal));
            }
            (OrderState::Submitted | OrderState::PendingNew | OrderState::Unknown, _) => {
                let (price, quantity) = (first.request.price, first.request.quantity);
                let body =
                    event::OrderSubmitted { order_id: first.order_id, client_order_id, price, quantity };
                self.events.emit(about, body);
            }
            _ => {
                let body = event::OrderAccepted {
                    order_id: first.order_id,
                    client_order_id,
                    venue_order_id: first.venue_order_id,
                    venue_time: 0,
                };
                self.events.emit(about, body);
            }
        }
    }

    pub(super) fn emit_denied(
        &mut self,
        about: About,
        order_id: u64,
        asked: SubmitOrderBody,
        refusal: &Refusal,
    ) {
        let SubmitOrderBody { client_order_id, quantity, terms, .. } = asked;
        let body = event::OrderDenied { order_id, client_order_id, rule: refusal.rule as u64, quantity };
        let rest = event::RefusalPayload { terms, ..event::RefusalPayload::new(refusal) };
        self.events.emit_with(about, body, rest);
    }

    pub(super) fn replace_order(&mut self, record: &[Slot]) -> Result<(), EngineStopped> {
        if self.replace_plainly(record)? {
            return Ok(());
        }
        let head = &record[0];
        let body = ReplaceOrder::of(head);
        let found = self.orders.by_client_id(head.account, body.client_order_id).map(|order| order.order_id);
        let Some(order_id) = found else {
            let refusal = Refusal::new(Rule::OrderMustExist, 0, i128::from(body.client_order_id));
            self.refuse_command(Message::ReplaceOrder, head, &refusal);
            return Ok(());
        };
        let judged = SpecialTerms::said(record).and_then(|said| {
            let terms = self.judge_replace(order_id, &body, head.source, &said)?;
            let special = self.judge_special_terms(order_id, &terms, said)?;
            Ok((terms, special))
        });
        match judged {
            Err(refusal) => self.emit_replace_rejected(order_id, &refusal),
            Ok((terms, pending)) => {
                if let Some(special) = self.orders.special_mut(order_id).filter(|_| pending.is_some()) {
                    special.pending = pending;
                }
                return self.start_replace(order_id, terms);
            }
        }
        Ok(())
    }

    /// The special terms that a replace leads to; `None` where the order has none.
    fn judge_special_terms(
        &self,
        order_id: u64,
        terms: &ReplaceTerms,
        mut said: SpecialTerms,
    ) -> Result<Option<SpecialTerms>, Refusal> {
        let Some(order) = self.orders.get(order_id) else { return Ok(None) };
        said.keep_meaningful_zeros(order.request.order_type);
        let Some(special) = self.orders.special(order_id) else {
            let actual = i128::from(order.request.order_type as u8);
            let fits = said == SpecialTerms::default();
            return if fits { Ok(None) } else { Err(Refusal::new(Rule::TermsMustFitOrderType, 0, actual)) };
        };
        let &ReplaceTerms { price, quantity, stop_price } = terms;
        let mut merged = special.terms.merged(&said);
        merged.zero_price &= price == 0;
        merged.zero_stop_price &= stop_price == 0;
        // An order that shrinks below what it shows, or must trade on arrival, shows or must trade all of it.
        if said.display_quantity == 0 && quantity > 0 {
            merged.display_quantity = merged.display_quantity.min(quantity);
        }
        if said.minimum_quantity == 0 && quantity > 0 {
            merged.minimum_quantity = merged.minimum_quantity.min(quantity);
        }
        let request = SubmitOrder { price, quantity, stop_price, ..order.request };
        merged.check(&request, self.risk_view().instrument(request.instrument)?)?;
        Ok(Some(merged))
    }

    fn judge_replace(
        &self,
        order_id: u64,
        body: &ReplaceOrder,
        participant: u16,
        said: &SpecialTerms,
    ) -> Result<ReplaceTerms, Refusal> {
        let order = self.open_order(order_id)?;
        self.check_participant(participant, order.request.account)?;
        self.check_halts(order.request.instrument)?;
        let keep = |new: i64, old: i64, is_zero: bool| if new == 0 && !is_zero { old } else { new };
        let terms = ReplaceTerms {
            price: keep(body.price, order.terms.price, said.zero_price),
            quantity: keep(body.quantity, order.terms.quantity, false),
            stop_price: keep(body.stop_price, order.terms.stop_price, said.zero_stop_price),
        };
        if order.request.sizing != Sizing::Units && body.quantity != 0 {
            return Err(Refusal::of(Rule::SizingMustBeSupported));
        }
        if order.is_held {
            let request = SubmitOrder {
                price: terms.price,
                quantity: terms.quantity,
                stop_price: terms.stop_price,
                ..order.request
            };
            self.check_held_terms(&request)?;
        } else {
            self.risk.check_replace(&Reservation::of_open(order), &terms, &self.risk_view())?;
        }
        Ok(terms)
    }

    /// The order, when a participant may still change it.
    fn open_order(&self, order_id: u64) -> Result<&Order, Refusal> {
        let order =
            self.orders.get(order_id).ok_or(Refusal::new(Rule::OrderMustExist, 0, i128::from(order_id)))?;
        match order.state {
            state if state.is_closed() => Err(Refusal::new(Rule::OrderMustBeOpen, 0, state as i128)),
            state @ (OrderState::PendingReplace | OrderState::PendingCancel | OrderState::Unknown) => {
                Err(Refusal::new(Rule::OrderMustNotBePending, 0, state as i128))
            }
            _ => Ok(order),
        }
    }

    pub(super) fn start_replace(&mut self, order_id: u64, terms: ReplaceTerms) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(order_id) else { return Ok(()) };
        if order.is_held {
            order.terms = terms;
            self.settle_special_terms(order_id, true);
            self.emit_replaced(order_id);
            return Ok(());
        }
        let before = Reservation::of_open(order);
        order.uncommon.pending_terms = Some(terms);
        order.state = OrderState::PendingReplace;
        let instrument = order.request.instrument;
        self.risk.changed(&before, &Reservation::of_open(order));
        self.emit_pending(order_id);
        self.attach(order_id, instrument);
        let ReplaceTerms { price, quantity, stop_price } = terms;
        self.send(&VenueRequest::Replace { order_id, instrument, price, quantity, stop_price }, order_id)
    }

    pub(super) fn emit_replaced(&mut self, order_id: u64) {
        let Some(order) = self.orders.get(order_id) else { return };
        emit_replaced(&mut self.events, order);
    }

    pub(super) fn emit_pending(&mut self, order_id: u64) {
        let Some(order) = self.orders.get(order_id) else { return };
        emit_pending(&mut self.events, order, order.state);
    }

    pub(super) fn emit_replace_rejected(&mut self, order_id: u64, refusal: &Refusal) {
        let Some(order) = self.orders.get(order_id) else { return };
        let (client_order_id, rule) = (order.request.client_order_id, refusal.rule as u64);
        let body = event::ReplaceRejected { order_id, client_order_id, rule, reserved: 0 };
        self.events.emit_with(about(order), body, event::RefusalPayload::new(refusal));
    }

    pub(super) fn emit_cancel_rejected(&mut self, order_id: u64, refusal: &Refusal) {
        let Some(order) = self.orders.get(order_id) else { return };
        let (client_order_id, rule) = (order.request.client_order_id, refusal.rule as u64);
        let body = event::CancelRejected { order_id, client_order_id, rule, reserved: 0 };
        self.events.emit_with(about(order), body, event::RefusalPayload::new(refusal));
    }

    pub(super) fn cancel_order(&mut self, record: &[Slot]) -> Result<(), EngineStopped> {
        let head = &record[0];
        if self.cancel_plainly(head) {
            return Ok(());
        }
        let client_order_id = CancelOrder::of(head).client_order_id;
        let found = self.orders.by_client_id(head.account, client_order_id).map(|order| order.order_id);
        let Some(order_id) = found else {
            let refusal = Refusal::new(Rule::OrderMustExist, 0, i128::from(client_order_id));
            self.refuse_command(Message::CancelOrder, head, &refusal);
            return Ok(());
        };
        let refusal = match self.orders.get(order_id) {
            Some(order) if order.state.is_closed() => {
                Refusal::new(Rule::OrderMustBeOpen, 0, order.state as i128)
            }
            Some(order) if order.state == OrderState::PendingCancel => {
                Refusal::new(Rule::OrderMustNotBePending, 0, order.state as i128)
            }
            // A cancel may overtake a replace: it is never held back.
            _ => return self.start_cancel(order_id),
        };
        self.emit_cancel_rejected(order_id, &refusal);
        Ok(())
    }

    /// Takes an open order back: at once when it waits for its parent, else by asking its venue.
    pub(super) fn start_cancel(&mut self, order_id: u64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(order_id) else { return Ok(()) };
        if order.is_held {
            return self.close_canceled(order_id, Refusal::of(Rule::CanceledByParticipant));
        }
        order.state = OrderState::PendingCancel;
        let instrument = order.request.instrument;
        self.emit_pending(order_id);
        self.send(&VenueRequest::Cancel { order_id, instrument }, order_id)
    }

    pub(super) fn cancel_all_orders(&mut self, record: &[Slot]) -> Result<(), EngineStopped> {
        let head = &record[0];
        if self.portfolio.account(head.account).is_none() {
            let refusal = Refusal::new(Rule::AccountMustBeOpen, 0, i128::from(head.account));
            self.refuse_command(Message::CancelAllOrders, head, &refusal);
            return Ok(());
        }
        self.cancel_open_orders(head.account, head.instrument)
    }

    /// Cancels what the restrictions of a `MassCancel` leave, oldest first, then says how many there were.
    pub(super) fn mass_cancel(&mut self, record: &[Slot]) -> Result<(), EngineStopped> {
        let (head, body) = (&record[0], MassCancel::of(&record[0]));
        if let Err(refusal) = self.check_mass_cancel(head, &body) {
            self.refuse_command(Message::MassCancel, head, &refusal);
            return Ok(());
        }
        let concerns = |order: &Order| {
            let request = &order.request;
            let any = |restriction: u64, of_order: u64| restriction == 0 || restriction == of_order;
            any(u64::from(head.instrument), u64::from(request.instrument))
                && any(body.side, request.side as u64)
                && any(body.participant, u64::from(order.participant))
                && any(body.session, u64::from(request.session))
                && order.state != OrderState::PendingCancel
        };
        let open = self.orders.open_where(head.account, concerns);
        self.cancel_each(&open)?;
        let about = About { instrument: head.instrument, account: head.account, ..About::NOTHING };
        let MassCancel { side, participant, session, .. } = body;
        let orders = open.len() as u64;
        self.events.emit(
            About { participant: head.source, ..about },
            event::OrdersMassCanceled { side, participant, orders, session },
        );
        Ok(())
    }

    fn check_mass_cancel(&self, head: &Slot, body: &MassCancel) -> Result<(), Refusal> {
        let view = self.risk_view();
        if head.account != 0 {
            view.account(head.account)?;
        }
        if head.instrument != 0 {
            view.instrument(head.instrument)?;
        }
        for (number, most) in [(body.side, Side::Sell as u64), (body.session, u64::from(u16::MAX))] {
            if number > most {
                return Err(Refusal::new(Rule::FieldMustBeInRange, i128::from(most), i128::from(number)));
            }
        }
        if body.session != 0 && head.account == 0 {
            // Every account has a session of that number.
            return Err(Refusal::of(Rule::AccountMustBeOpen));
        }
        Ok(())
    }

    /// Cancels the open orders of an account (0 = all) in an instrument (0 = all), oldest first.
    pub(super) fn cancel_open_orders(&mut self, account: u32, instrument: u32) -> Result<(), EngineStopped> {
        let concerns = |order: &Order| instrument == 0 || order.request.instrument == instrument;
        let open = self.orders.open_where(account, concerns);
        self.cancel_each(&open)
    }

    /// Cancels orders as one act: nothing that one cancel sets off comes before the last of them.
    pub(super) fn cancel_each(&mut self, order_ids: &[u64]) -> Result<(), EngineStopped> {
        self.venues.iter_mut().for_each(|venue| venue.get_mut().hold_triggers());
        let result = self.cancel_in_turn(order_ids);
        for venue in 0..self.venues.len() {
            if self.venues[venue].get_mut().release_triggers() {
                self.pull(venue)?;
            }
        }
        result
    }

    fn cancel_in_turn(&mut self, order_ids: &[u64]) -> Result<(), EngineStopped> {
        for &order_id in order_ids {
            // An earlier one may have closed it: they can be partners.
            let is_cancelable = self
                .orders
                .get(order_id)
                .is_some_and(|order| order.is_open() && order.state != OrderState::PendingCancel);
            if is_cancelable {
                self.start_cancel(order_id)?;
            }
        }
        Ok(())
    }

    pub(super) fn risk_view(&self) -> crate::risk::RiskView<'_> {
        crate::risk::RiskView {
            instruments: &self.instruments,
            portfolio: &self.portfolio,
            marks: &self.marks,
            fees: &self.fees,
        }
    }
}
