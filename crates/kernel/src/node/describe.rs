//! A record in words.

use std::any::Any;

use crate::command::SubmitOrder;
use crate::message::Message;
use crate::observation::{AllocationAssessed, AllocationPayload};
use crate::record::{Body, Slot, payloads};

/// A record in words, for a person who has to find out why two runs differ.
pub fn describe(record: &[Slot]) -> String {
    let head = &record[0];
    let name = Message::from_number(head.message).map_or("unknown", Message::name);
    if head.message == Message::SubmitOrder as u16
        && let Ok(order) = SubmitOrder::from_record(record)
    {
        return format!(
            "{name}({} {} {} units of instrument {} at {} stop {}, client order id {})",
            order.side.name(),
            order.order_type.name(),
            order.quantity,
            order.instrument,
            order.price,
            order.stop_price,
            order.client_order_id
        );
    }
    if head.message == Message::AllocationAssessed as u16 {
        let AllocationAssessed { order_id, price, orders, from, incoming } = AllocationAssessed::of(head);
        let shares: Vec<i64> =
            payloads::<AllocationPayload>(record).flat_map(|payload| payload.quantities).collect();
        let shares = &shares[..shares.len().min((orders.saturating_sub(from)) as usize)];
        return format!(
            "{name}(order {order_id} with {incoming} at {price} of instrument {}: {shares:?} to orders {} to {} of {orders})",
            head.instrument,
            from + 1,
            from as usize + shares.len()
        );
    }
    format!("{name}(instrument {}, body {:?})", head.instrument, head.body)
}

/// What a panic said.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}
