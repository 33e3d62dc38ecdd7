//! Requests to remote venues as rows.

use openbell_kernel::engine::OutboxEntry;
use openbell_kernel::venue::{VenueOrder, VenueRequest};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use zerocopy::{Immutable, IntoBytes};

use crate::arrays::Row;

const SUBMIT: u8 = 1;
const REPLACE: u8 = 2;
const CANCEL: u8 = 3;
const QUERY: u8 = 4;

/// One request. What a kind of request does not say is 0.
#[derive(Clone, Copy, Default, IntoBytes, Immutable)]
#[repr(C)]
pub struct OutboxRow {
    cause_sequence: u64,
    order_id: u64,
    client_order_id: u64,
    price: i64,
    quantity: i64,
    stop_price: i64,
    expire_time: u64,
    account: u32,
    instrument: u32,
    venue: u16,
    options: u16,
    kind: u8,
    side: u8,
    order_type: u8,
    time_in_force: u8,
}

impl From<&OutboxEntry> for OutboxRow {
    fn from(entry: &OutboxEntry) -> Self {
        let row = match entry.request {
            VenueRequest::Submit(order) => submit(&order),
            VenueRequest::Replace { order_id, instrument, price, quantity, stop_price } => {
                let kind = REPLACE;
                OutboxRow { kind, order_id, instrument, price, quantity, stop_price, ..OutboxRow::default() }
            }
            VenueRequest::Cancel { order_id, instrument } => {
                OutboxRow { kind: CANCEL, order_id, instrument, ..OutboxRow::default() }
            }
            VenueRequest::Query { order_id, instrument, client_order_id } => {
                OutboxRow { kind: QUERY, order_id, instrument, client_order_id, ..OutboxRow::default() }
            }
        };
        OutboxRow { cause_sequence: entry.cause_sequence, venue: entry.venue, ..row }
    }
}

fn submit(order: &VenueOrder) -> OutboxRow {
    OutboxRow {
        kind: SUBMIT,
        order_id: order.order_id,
        client_order_id: order.client_order_id,
        account: order.account,
        instrument: order.instrument,
        side: order.side as u8,
        order_type: order.order_type as u8,
        time_in_force: order.time_in_force as u8,
        options: order.options,
        price: order.price,
        quantity: order.quantity,
        stop_price: order.stop_price,
        expire_time: order.expire_time,
        ..OutboxRow::default()
    }
}

impl Row for OutboxRow {
    const FIELDS: &'static [(&'static str, &'static str, usize)] = &[
        ("cause_sequence", "<u8", 0),
        ("order_id", "<u8", 8),
        ("client_order_id", "<u8", 16),
        ("price", "<i8", 24),
        ("quantity", "<i8", 32),
        ("stop_price", "<i8", 40),
        ("expire_time", "<u8", 48),
        ("account", "<u4", 56),
        ("instrument", "<u4", 60),
        ("venue", "<u2", 64),
        ("options", "<u2", 66),
        ("kind", "u1", 68),
        ("side", "u1", 69),
        ("order_type", "u1", 70),
        ("time_in_force", "u1", 71),
    ];

    fn cell() -> &'static PyOnceLock<Py<PyAny>> {
        static DTYPE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        &DTYPE
    }
}

/// The dtype of requests to remote venues; see `openbell.kernel.node`.
#[pyfunction]
pub fn outbox_dtype(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    OutboxRow::dtype(py)
}
