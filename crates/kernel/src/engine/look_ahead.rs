//! What waiting records will ask for, looked at before they are applied.
//!
//! Most of the time of an order command is spent waiting for memory: its order, its reservation and its place at the
//! venue lie in lines that nobody has touched for a while, and each is found through another. Looked up for several
//! records at once, the processor waits for them at the same time. Nothing is changed and nothing is remembered.

use std::hint::black_box;

use super::{AnyVenue, Engine};
use crate::command::{CancelOrder, ReplaceOrder, SubmitOrderBody};
use crate::message::Message;
use crate::orders::Order;
use crate::record::{Body, Slot};

/// Slots that are looked at together.
pub const LOOK_AHEAD: usize = 16;

impl Engine {
    /// Looks up what the first [`LOOK_AHEAD`] of `slots` are about, and says how many of them it looked at.
    pub fn look_ahead(&self, slots: &[Slot]) -> usize {
        let slots = &slots[..slots.len().min(LOOK_AHEAD)];
        let mut places = [None; LOOK_AHEAD];
        for (place, slot) in places.iter_mut().zip(slots) {
            let client_order_id = named_order(slot);
            *place = client_order_id.and_then(|id| self.orders.place_by_client_id(slot.account, id));
        }
        let mut orders: [Option<&Order>; LOOK_AHEAD] = [None; LOOK_AHEAD];
        let mut seen = 0;
        for (order, place) in orders.iter_mut().zip(places) {
            *order = place.and_then(|place| self.orders.at(place));
            seen ^= order.map_or(0, touched);
        }
        for order in orders.into_iter().flatten() {
            let instrument = self.instruments.get(order.request.instrument);
            let venue = instrument.and_then(|listed| self.venues.get(usize::from(listed.venue)));
            if let Some(AnyVenue::Matching(venue)) = venue {
                seen ^= venue.look_up(order.request.instrument, order.order_id);
            }
        }
        black_box(seen);
        slots.len()
    }
}

/// The client's id of the order that a record is about.
fn named_order(head: &Slot) -> Option<u64> {
    match Message::from_number(head.message)? {
        Message::SubmitOrder => Some(SubmitOrderBody::of(head).client_order_id),
        Message::CancelOrder => Some(CancelOrder::of(head).client_order_id),
        Message::ReplaceOrder => Some(ReplaceOrder::of(head).client_order_id),
        _ => None,
    }
}

/// Reads from several of the lines an order lies in.
fn touched(order: &Order) -> u64 {
    let figures = order.filled_value() as u64 ^ order.cumulative_quantity as u64 ^ order.terms.price as u64;
    figures ^ order.venue_order_id ^ u64::from(order.has_children)
}
