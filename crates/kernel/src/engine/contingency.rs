//! Linked orders: children wait for their parent's fill, partners cancel each other.

use super::{Engine, EngineStopped};
use crate::command::SubmitOrder;
use crate::money::{NANO, divide_half_even};
use crate::orders::Order;
use crate::risk::{ReplaceTerms, Reservation};
use crate::rules::{Refusal, Rule};
use crate::terms::{OrderState, Sizing};

impl Engine {
    /// Ties a new order to those it names. The link to a partner is mutual: the second of a pair names the first.
    pub(super) fn link(&mut self, order: &mut Order) {
        let account = order.request.account;
        let find = |engine: &Engine, client_order_id: u64| {
            engine.orders.by_client_id(account, client_order_id).map(|found| found.order_id)
        };
        if let Some(parent) = find(self, order.request.parent).and_then(|id| self.orders.get_mut(id)) {
            parent.has_children = true;
        }
        if let Some(partner) = find(self, order.request.partner).and_then(|id| self.orders.get_mut(id)) {
            partner.uncommon.partner = order.order_id;
            order.uncommon.partner = partner.order_id;
        }
    }

    /// Orders linked to `order_id` by `link`, oldest first. Only orders submitted after it can name it.
    fn children_of(&self, parent: &Order) -> Vec<u64> {
        let (account, client_order_id) = (parent.request.account, parent.request.client_order_id);
        self.orders
            .after(parent.order_id)
            .filter(|order| order.is_open())
            .filter(|order| order.request.account == account && order.request.parent == client_order_id)
            .map(|order| order.order_id)
            .collect()
    }

    /// A fill releases the order's children, or lets them grow with it, and shrinks its partner.
    pub(super) fn after_fill(
        &mut self,
        order_id: u64,
        price: i64,
        quantity: i64,
    ) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get(order_id) else { return Ok(()) };
        let (filled, partner) = (order.cumulative_quantity, order.uncommon.partner);
        let children = if order.has_children { self.children_of(order) } else { Vec::new() };
        for child in children {
            self.feed_child(child, filled, price)?;
        }
        if partner != 0 { self.shrink_partner(order_id, partner, quantity) } else { Ok(()) }
    }

    fn feed_child(&mut self, child: u64, filled: i64, price: i64) -> Result<(), EngineStopped> {
        // An earlier child may have been denied and taken this one, its partner, with it.
        let Some(order) = self.orders.get(child).filter(|order| order.is_open()) else { return Ok(()) };
        let share = self.share_of(order, filled);
        if order.is_held { self.release(child, share, price) } else { self.resize_linked(child, share) }
    }

    /// What a child may trade in all: what its parent did, less what its partner did for the same position.
    fn share_of(&self, child: &Order, filled: i64) -> i64 {
        let partner =
            self.orders.get(child.uncommon.partner).filter(|partner| protect_together(child, partner));
        filled - partner.map_or(0, |partner| partner.cumulative_quantity)
    }

    /// An order that was submitted when its parent had traded already waits for nothing.
    pub(super) fn release_if_parent_traded(&mut self, child: u64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get(child) else { return Ok(()) };
        let parent = self.orders.by_client_id(order.request.account, order.request.parent);
        let Some(parent) = parent.filter(|parent| parent.cumulative_quantity > 0) else { return Ok(()) };
        let filled = parent.cumulative_quantity;
        let average = divide_half_even(parent.filled_value(), i128::from(filled));
        let price = i64::try_from(average).unwrap_or(i64::MAX);
        self.release(child, self.share_of(order, filled), price)
    }

    /// Gives a held order its quantity and price and sends it through the gate to its venue.
    fn release(&mut self, child: u64, quantity: i64, price: i64) -> Result<(), EngineStopped> {
        if quantity <= 0 {
            return self.cancel_linked(child);
        }
        let Some(order) = self.orders.get_mut(child) else { return Ok(()) };
        let waiting = Reservation::of_open(order);
        let listed = self.instruments.get(order.request.instrument);
        let (tick, negative_prices) = listed.map_or((1, false), |one| (one.tick, one.negative_prices));
        order.is_held = false;
        if order.request.sizing == Sizing::Units {
            order.terms.quantity = quantity;
        }
        if order.request.offset_nano != 0 {
            let target = offset_price(price, order.request.offset_nano, tick, negative_prices);
            let is_stop = order.request.order_type.has_stop();
            *(if is_stop { &mut order.terms.stop_price } else { &mut order.terms.price }) = target;
        }
        let ReplaceTerms { price: limit, quantity, stop_price } = order.terms;
        let request = SubmitOrder { price: limit, quantity, stop_price, ..order.request };
        let released = Reservation::of_open(order);
        if let Err(refusal) = self.risk.check_release(&request, &self.risk_view()) {
            self.risk.closed(&waiting);
            return self.deny_released(child, refusal);
        }
        self.risk.changed(&waiting, &released);
        self.emit_replaced(child);
        self.send_new(child, Some(price))
    }

    fn deny_released(&mut self, child: u64, refusal: Refusal) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(child) else { return Ok(()) };
        order.state = OrderState::Denied;
        order.set_refusal(refusal);
        let (about, asked) = (super::order_entry::about(order), super::order_entry::asked(&order.request));
        self.emit_denied(about, child, asked, &refusal);
        self.after_close(child)
    }

    /// Both of a reduce-only pair protect one position: the other keeps what is left of it. Any other pair
    /// is one or the other.
    fn shrink_partner(&mut self, order_id: u64, partner: u64, quantity: i64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get(order_id) else { return Ok(()) };
        let Some(other) = self.orders.get(partner).filter(|order| order.is_open()) else { return Ok(()) };
        if !protect_together(order, other) {
            return self.cancel_linked(partner);
        }
        if other.is_held {
            // It gets its share when it is released.
            return Ok(());
        }
        let asked = other.uncommon.pending_terms.map_or(other.terms.quantity, |terms| terms.quantity);
        self.resize_linked(partner, other.uncommon.wanted_quantity.unwrap_or(asked) - quantity)
    }

    /// Brings a linked order's total to `quantity`: by a replace like any other, so that a venue that refuses it,
    /// or answers late, leaves terms and reservations as they are. One request at a time: it waits its turn.
    fn resize_linked(&mut self, order_id: u64, quantity: i64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(order_id).filter(|order| order.is_open()) else {
            return Ok(());
        };
        if order.request.sizing != Sizing::Units {
            return Ok(());
        }
        if quantity <= order.cumulative_quantity {
            return self.cancel_linked(order_id);
        }
        order.uncommon.wanted_quantity = Some(quantity);
        self.resume_linked(order_id)
    }

    /// Asks for the quantity a linked order's fill calls for, once nothing else is asked of the order.
    pub(super) fn resume_linked(&mut self, order_id: u64) -> Result<(), EngineStopped> {
        let waits = |order: &&Order| order.uncommon.wanted_quantity.is_some() && !order.awaits_answer();
        let Some(order) = self.orders.get(order_id).filter(waits) else { return Ok(()) };
        let wanted = order.uncommon.wanted_quantity.filter(|_| order.is_open());
        let (filled, terms) = (order.cumulative_quantity, order.terms);
        if let Some(order) = self.orders.get_mut(order_id) {
            order.uncommon.wanted_quantity = None;
        }
        match wanted {
            Some(quantity) if quantity <= filled => self.start_cancel(order_id),
            Some(quantity) if quantity != terms.quantity => {
                self.replace_linked(order_id, ReplaceTerms { quantity, ..terms })
            }
            _ => Ok(()),
        }
    }

    /// What only reduces may grow with the position it protects; anything else passes the gate.
    fn replace_linked(&mut self, order_id: u64, terms: ReplaceTerms) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get(order_id) else { return Ok(()) };
        let reduces = order.request.is_reduce_only();
        match self.risk.check_replace(&Reservation::of_open(order), &terms, &self.risk_view()) {
            Err(refusal) if !reduces => {
                self.emit_replace_rejected(order_id, &refusal);
                Ok(())
            }
            _ => self.start_replace(order_id, terms),
        }
    }

    /// A closed order takes its partner with it, and its children when it never traded.
    pub(super) fn after_close(&mut self, order_id: u64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get(order_id) else { return Ok(()) };
        let partner = order.uncommon.partner;
        let orphans = if order.has_children && order.cumulative_quantity == 0 {
            self.children_of(order)
        } else {
            Vec::new()
        };
        for child in orphans {
            self.cancel_linked(child)?;
        }
        if partner != 0 { self.cancel_linked(partner) } else { Ok(()) }
    }

    /// The position that the exits of filled parents protected is gone: they must not meet the next one. Those
    /// whose parent may still fill stay, and so does `filled`, the order that ended the position.
    pub(super) fn cancel_exits(&mut self, filled: u64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get(filled) else { return Ok(()) };
        let (account, instrument) = (order.request.account, order.request.instrument);
        let is_alone = |exit: &Order| {
            let parent = self.orders.by_client_id(account, exit.request.parent);
            !exit.is_held && parent.is_none_or(|parent| !parent.is_open())
        };
        let exits: Vec<u64> = self
            .orders
            .open_children()
            .filter(|exit| exit.order_id != filled && exit.request.is_reduce_only())
            .filter(|exit| exit.request.account == account && exit.request.instrument == instrument)
            .filter(|exit| is_alone(exit))
            .map(|exit| exit.order_id)
            .collect();
        exits.into_iter().try_for_each(|exit| self.cancel_linked(exit))
    }

    fn cancel_linked(&mut self, order_id: u64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get(order_id) else { return Ok(()) };
        if order.state.is_closed() || order.state == OrderState::PendingCancel {
            return Ok(());
        }
        if order.is_held {
            return self.close_canceled(order_id, Refusal::of(Rule::PartnerMustBeOpen));
        }
        self.start_cancel(order_id)
    }
}

/// Two orders of which each takes from what the other may still do to a position.
fn protect_together(one: &Order, other: &Order) -> bool {
    let reduces = |order: &Order| order.request.is_reduce_only() && order.request.sizing == Sizing::Units;
    reduces(one) && reduces(other)
}

/// `price` moved by `offset_nano` (10^-9 of its distance from zero), to the nearest tick. Where prices must be positive it is at
/// least one tick.
fn offset_price(price: i64, offset_nano: i64, tick: i64, negative_prices: bool) -> i64 {
    let moved = i128::from(price) * NANO + i128::from(price).abs() * i128::from(offset_nano);
    let ticks = divide_half_even(moved, NANO * i128::from(tick));
    let ticks = if negative_prices { ticks } else { ticks.max(1) };
    i64::try_from(ticks * i128::from(tick)).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::offset_price;

    #[test]
    fn an_offset_moves_the_price_to_the_nearest_tick() {
        assert_eq!(offset_price(10_000, -30_000_000, 1, false), 9_700);
        assert_eq!(offset_price(10_001, -30_000_000, 5, false), 9_700);
        assert_eq!(offset_price(3, -999_999_999, 5, false), 5);
        assert_eq!(offset_price(-10_000, -30_000_000, 1, true), -10_300);
        assert_eq!(offset_price(-10_000, 30_000_000, 1, true), -9_700);
        assert_eq!(offset_price(3, -999_999_999, 5, true), 0);
    }
}
