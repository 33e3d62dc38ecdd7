//! What an engine holds besides what a node is asked for one by one: for tools that look into it.

use openbell_kernel::engine::{AnyVenue, Engine, NameKind};
use openbell_kernel::instrument::Instrument;
use openbell_kernel::terms::Side;
use pyo3::prelude::*;

use super::Node;

/// Number, symbol, currency, price unit, quantity unit, multiplier, tick, lot, venue.
type InstrumentTuple = (u32, String, u32, i64, i64, i64, i64, i64, u16);
/// Price, quantity, orders.
type LevelTuple = (i64, i64, u32);
/// Order id, price, what is shown, what is open.
type OrderTuple = (u64, i64, i64, i64);

/// Instruments, currencies, accounts, limits, switches and books of an engine at one moment.
#[pyclass(frozen, get_all, module = "openbell._kernel")]
pub struct Holdings {
    instruments: Vec<InstrumentTuple>,
    currencies: Vec<(u32, String)>,
    accounts: Vec<(u32, u32)>,
    venue_kinds: Vec<u8>,
    limits: Vec<(u32, u32, u8, i64)>,
    killed: Vec<u32>,
    halted: Vec<u32>,
    books: Vec<(u32, u8, Vec<LevelTuple>, Vec<OrderTuple>)>,
}

#[pymethods]
impl Holdings {
    /// What `node` holds now; `depth` levels of each side of each book, and the orders in them.
    #[new]
    #[pyo3(signature = (node, *, depth=10))]
    fn new(py: Python<'_>, node: &Node, depth: usize) -> PyResult<Self> {
        let inner = node.read(py)?;
        Ok(Holdings::of(inner.node.engine(), depth))
    }
}

impl Holdings {
    fn of(engine: &Engine, depth: usize) -> Self {
        let instruments = || engine.instruments().iter();
        let risk = engine.risk();
        Holdings {
            instruments: instruments().map(|instrument| listed(engine, instrument)).collect(),
            currencies: engine.names(NameKind::Currency).map(|(id, name)| (id, name.to_owned())).collect(),
            accounts: engine.portfolio().accounts().map(|account| (account.id, account.currency)).collect(),
            venue_kinds: engine.venues().iter().map(|venue| venue.kind() as u8).collect(),
            limits: risk
                .limits()
                .iter()
                .map(|(place, kind, value)| (place.0, place.1, kind as u8, value))
                .collect(),
            killed: risk.killed().collect(),
            halted: engine.halted().collect(),
            books: instruments().flat_map(|instrument| books(engine, instrument, depth)).collect(),
        }
    }
}

fn listed(engine: &Engine, instrument: &Instrument) -> InstrumentTuple {
    let Instrument {
        id,
        currency,
        price_unit_nano,
        quantity_unit_nano,
        multiplier_nano,
        tick,
        lot,
        venue,
        ..
    } = *instrument;
    let symbol = engine.name(NameKind::Instrument, id).unwrap_or_default().to_owned();
    (id, symbol, currency, price_unit_nano, quantity_unit_nano, multiplier_nano, tick, lot, venue)
}

/// Both sides of an instrument's book on a venue of our own; nothing elsewhere.
fn books(
    engine: &Engine,
    instrument: &Instrument,
    depth: usize,
) -> Vec<(u32, u8, Vec<LevelTuple>, Vec<OrderTuple>)> {
    let Some(AnyVenue::Matching(venue)) = engine.venues().get(usize::from(instrument.venue)) else {
        return Vec::new();
    };
    let Some(book) = venue.book(instrument.id) else { return Vec::new() };
    let side = |side: Side| {
        let levels = book.levels(side).take(depth);
        let levels: Vec<_> = levels.map(|level| (level.price, level.quantity, level.orders)).collect();
        let last = levels.last().map(|level| level.0 * side.sign());
        let reached = book.orders(side).take_while(|order| Some(order.price * side.sign()) >= last);
        let orders = reached.map(|order| (order.order_id, order.price, order.shown, order.leaves));
        (instrument.id, side as u8, levels, orders.collect())
    };
    vec![side(Side::Buy), side(Side::Sell)]
}
