//! What an order was when it was looked at.

use openbell_kernel::hash::Table;
use openbell_kernel::orders::Order;
use openbell_kernel::terms::Sizing;
use pyo3::prelude::*;

use crate::events::term;

/// An order as it stood at one moment. Prices and quantities in units.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct OrderRecord {
    #[pyo3(get)]
    order_id: u64,
    #[pyo3(get)]
    client_order_id: u64,
    #[pyo3(get)]
    venue_order_id: u64,
    #[pyo3(get)]
    account: u32,
    #[pyo3(get)]
    instrument: u32,
    #[pyo3(get)]
    price_units: i64,
    /// `price_units` is one, be it 0.
    #[pyo3(get)]
    has_price: bool,
    #[pyo3(get)]
    stop_price_units: i64,
    /// `stop_price_units` is one, be it 0.
    #[pyo3(get)]
    has_stop_price: bool,
    #[pyo3(get)]
    quantity_units: i64,
    #[pyo3(get)]
    cumulative_units: i64,
    #[pyo3(get)]
    leaves_units: i64,
    /// Sum of price x quantity over the fills, in units.
    #[pyo3(get)]
    filled_value: i128,
    /// Waits for its parent's fill.
    #[pyo3(get)]
    is_held: bool,
    #[pyo3(get)]
    is_open: bool,
    /// The price it waited for has come.
    #[pyo3(get)]
    is_triggered: bool,
    /// Sized by percent, target or position: its quantity is not known before the fill.
    #[pyo3(get)]
    is_sized_at_fill: bool,
    /// Bits of its options.
    #[pyo3(get)]
    options: u16,
    /// Number of the client session that entered it, among those of its account; 0 where none did.
    #[pyo3(get)]
    session: u16,
    /// Name of the rule that refused or ended it, with limit and actual.
    #[pyo3(get)]
    refusal: Option<(&'static str, i128, i128)>,
    state: u8,
    side: u8,
    order_type: u8,
    time_in_force: u8,
}

impl From<&Order> for OrderRecord {
    fn from(order: &Order) -> Self {
        let request = &order.request;
        OrderRecord {
            order_id: order.order_id,
            client_order_id: request.client_order_id,
            venue_order_id: order.venue_order_id,
            account: request.account,
            instrument: request.instrument,
            price_units: order.terms.price,
            has_price: order.has_price,
            stop_price_units: order.terms.stop_price,
            has_stop_price: order.has_stop_price(),
            quantity_units: order.terms.quantity,
            cumulative_units: order.cumulative_quantity,
            leaves_units: order.leaves_quantity(),
            filled_value: order.filled_value(),
            is_held: order.is_held,
            is_open: order.is_open(),
            is_triggered: order.is_triggered,
            is_sized_at_fill: request.sizing != Sizing::Units,
            options: request.options,
            session: request.session,
            refusal: order.refusal().map(|refusal| (refusal.rule.name(), refusal.limit, refusal.actual)),
            state: order.state as u8,
            side: request.side as u8,
            order_type: request.order_type as u8,
            time_in_force: request.time_in_force as u8,
        }
    }
}

#[pymethods]
impl OrderRecord {
    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        term(py, "OrderState", self.state)
    }

    #[getter]
    fn side<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        term(py, "Side", self.side)
    }

    #[getter]
    fn order_type<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        term(py, "OrderType", self.order_type)
    }

    #[getter]
    fn time_in_force<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        term(py, "TimeInForce", self.time_in_force)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let name = |term: Bound<'_, PyAny>| Ok::<_, PyErr>(term.getattr("name")?.str()?.to_string());
        let (side, state) = (name(self.side(py)?)?, name(self.state(py)?)?);
        let OrderRecord { client_order_id, instrument, quantity_units, cumulative_units, .. } = self;
        Ok(format!(
            "OrderRecord({client_order_id} {side} {quantity_units} of instrument {instrument}, {state}, \
            filled {cumulative_units})"
        ))
    }
}

/// What is told of a closed order, in 56 bytes: a session day may have millions.
struct ClosedOrder {
    order_id: u64,
    price: i64,
    stop_price: i64,
    quantity: i64,
    cumulative_quantity: i64,
    instrument: u32,
    terms: [u8; 4],
    session: u16,
    has_price: bool,
    has_stop_price: bool,
    is_triggered: bool,
}

/// The orders of a session day that can trade no more, as they were when their engine was asked. See the stub.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct ClosedOrders {
    orders: Table<(u32, u64), ClosedOrder>,
}

impl ClosedOrders {
    pub fn of<'a>(orders: impl Iterator<Item = &'a Order>) -> Self {
        let closed = orders.filter(|order| !order.is_open()).map(|order| {
            let request = &order.request;
            let kept = ClosedOrder {
                order_id: order.order_id,
                price: order.terms.price,
                stop_price: order.terms.stop_price,
                quantity: order.terms.quantity,
                cumulative_quantity: order.cumulative_quantity,
                instrument: request.instrument,
                terms: [
                    request.side as u8,
                    request.order_type as u8,
                    request.time_in_force as u8,
                    order.state as u8,
                ],
                session: request.session,
                has_price: order.has_price,
                has_stop_price: order.has_stop_price(),
                is_triggered: order.is_triggered,
            };
            ((request.account, request.client_order_id), kept)
        });
        ClosedOrders { orders: closed.collect() }
    }
}

/// Order id, instrument, side, type, time in force, state, price, stop price, quantity, cumulative quantity,
/// whether it was triggered, session.
type ClosedRow = (u64, u32, u8, u8, u8, u8, Option<i64>, Option<i64>, i64, i64, bool, u16);

#[pymethods]
impl ClosedOrders {
    fn find(&self, account: u32, client_order_id: u64) -> Option<ClosedRow> {
        let found = self.orders.get(&(account, client_order_id))?;
        let [side, order_type, time_in_force, state] = found.terms;
        Some((
            found.order_id,
            found.instrument,
            side,
            order_type,
            time_in_force,
            state,
            found.has_price.then_some(found.price),
            found.has_stop_price.then_some(found.stop_price),
            found.quantity,
            found.cumulative_quantity,
            found.is_triggered,
            found.session,
        ))
    }

    fn __len__(&self) -> usize {
        self.orders.len()
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<ClosedOrders>()?;
    module.add_class::<OrderRecord>()
}
