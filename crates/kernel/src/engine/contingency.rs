//! Linked orders: children wait for their parent's fill, partners cancel each other.

use super::{Engine, EngineStopped};
use crate::money::{NANO, divide_half_even};
use crate::orders::Order;
use crate::rules::{Refusal, Rule};
use crate::terms::{OrderState, Sizing};
use crate::venue::VenueRequest;

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
            partner.partner = order.order_id;
            order.partner = partner.order_id;
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
        let (filled, partner) = (order.cumulative_quantity, order.partner);
        let children = if order.has_children { self.children_of(order) } else { Vec::new() };
        for child in children {
            self.feed_child(child, filled, price)?;
        }
        if partner != 0 { self.shrink_partner(order_id, partner, quantity) } else { Ok(()) }
    }

    fn feed_child(&mut self, child: u64, filled: i64, price: i64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(child) else { return Ok(()) };
        if !order.is_held {
            let (instrument, terms) = (order.request.instrument, order.terms);
            order.terms.quantity = filled;
            let request = VenueRequest::Replace {
                order_id: child,
                instrument,
                price: terms.price,
                quantity: filled,
                stop_price: terms.stop_price,
            };
            return self.send(&request, child);
        }
        self.release(child, filled, price)
    }

    /// Gives a held order its quantity and price and sends it through the gate to its venue.
    fn release(&mut self, child: u64, filled: i64, price: i64) -> Result<(), EngineStopped> {
        let tick =
            |engine: &Engine, instrument| engine.instruments.get(instrument).map_or(1, |found| found.tick);
        let Some(instrument) = self.orders.get(child).map(|order| order.request.instrument) else {
            return Ok(());
        };
        let tick = tick(self, instrument);
        let Some(order) = self.orders.get_mut(child) else { return Ok(()) };
        order.is_held = false;
        if order.request.sizing == Sizing::Units {
            order.terms.quantity = filled;
        }
        if order.request.offset_nano != 0 {
            let target = offset_price(price, order.request.offset_nano, tick);
            if order.request.order_type.has_stop() {
                order.terms.stop_price = target;
            } else {
                order.terms.price = target;
            }
        }
        let mut request = order.request;
        (request.price, request.quantity, request.stop_price) =
            (order.terms.price, order.terms.quantity, order.terms.stop_price);
        if let Err(refusal) = self.risk.check_release(child, &request, &self.risk_view()) {
            return self.deny_released(child, refusal);
        }
        self.risk.opened(child, &request);
        self.emit_replaced(child);
        self.send_new(child, Some(price))
    }

    fn deny_released(&mut self, child: u64, refusal: Refusal) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get_mut(child) else { return Ok(()) };
        order.state = OrderState::Denied;
        order.refusal = Some(refusal);
        let (about, asked) = (super::order_entry::about(order), super::order_entry::asked(&order.request));
        self.emit_denied(about, child, asked, &refusal);
        self.closed(child)
    }

    /// Both of a reduce-only pair protect one position: the other keeps what is left of it. Any other pair
    /// is one or the other.
    fn shrink_partner(&mut self, order_id: u64, partner: u64, quantity: i64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get(order_id) else { return Ok(()) };
        let is_reduce_only = order.request.is_reduce_only();
        let Some(other) = self.orders.get_mut(partner).filter(|order| order.is_open()) else { return Ok(()) };
        let left = other.leaves_quantity() - quantity;
        if !is_reduce_only || !other.request.is_reduce_only() || left <= 0 {
            return self.cancel_linked(partner);
        }
        other.terms.quantity -= quantity;
        let (instrument, terms) = (other.request.instrument, other.terms);
        let request = VenueRequest::Replace {
            order_id: partner,
            instrument,
            price: terms.price,
            quantity: terms.quantity,
            stop_price: terms.stop_price,
        };
        if other.is_held { Ok(()) } else { self.send(&request, partner) }
    }

    /// A closed order takes its partner with it, and its children when it never traded.
    pub(super) fn after_close(&mut self, order_id: u64) -> Result<(), EngineStopped> {
        let Some(order) = self.orders.get(order_id) else { return Ok(()) };
        let partner = order.partner;
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

/// `price` moved by `offset_nano` (10^-9 of it), to the nearest tick, at least one tick.
fn offset_price(price: i64, offset_nano: i64, tick: i64) -> i64 {
    let moved = i128::from(price) * (NANO + i128::from(offset_nano));
    let ticks = divide_half_even(moved, NANO * i128::from(tick));
    i64::try_from(ticks.max(1) * i128::from(tick)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::offset_price;

    #[test]
    fn an_offset_moves_the_price_to_the_nearest_tick() {
        assert_eq!(offset_price(10_000, -30_000_000, 1), 9_700);
        assert_eq!(offset_price(10_001, -30_000_000, 5), 9_700);
        assert_eq!(offset_price(3, -999_999_999, 5), 5);
    }
}
