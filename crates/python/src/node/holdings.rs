//! What an engine holds besides what a node is asked for one by one: for tools that look into it.

use openbell_kernel::engine::{AnyVenue, Engine, NameKind};
use openbell_kernel::instrument::Instrument;
use openbell_kernel::terms::Side;
use openbell_kernel::venue::matching::MatchingVenue;
use pyo3::prelude::*;

use super::Node;

/// Number, symbol, currency, price unit, quantity unit, multiplier, tick, lot, venue.
type InstrumentTuple = (u32, String, u32, i64, i64, i64, i64, i64, u16);
/// Price, quantity, orders.
type LevelTuple = (i64, i64, u32);
/// Instrument, session, when it ends by itself, and of its auction price, volume, imbalance, reference price.
type SessionTuple = (u32, u8, u64, Option<(i64, i64, i64, Option<i64>)>);
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
    sessions: Vec<SessionTuple>,
    told_by_order: Vec<u32>,
    positions: Vec<(u32, u32, i64)>,
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
            positions: engine
                .portfolio()
                .accounts()
                .flat_map(|account| {
                    account.positions.values().map(|of| (account.id, of.instrument, of.quantity))
                })
                .filter(|position| position.2 != 0)
                .collect(),
            sessions: instruments().filter_map(|instrument| session(engine, instrument)).collect(),
            told_by_order: instruments()
                .filter(|instrument| {
                    venue_of(engine, instrument)
                        .and_then(|venue| venue.conditions(instrument.id))
                        .is_some_and(|conditions| conditions.by_order)
                })
                .map(|instrument| instrument.id)
                .collect(),
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

/// The venue of our own where an instrument is traded.
fn venue_of<'a>(engine: &'a Engine, instrument: &Instrument) -> Option<&'a MatchingVenue> {
    match engine.venues().get(usize::from(instrument.venue)) {
        Some(AnyVenue::Matching(venue)) => Some(venue),
        _ => None,
    }
}

/// What an instrument is open for on a venue of our own, where anything was ever set.
fn session(engine: &Engine, instrument: &Instrument) -> Option<SessionTuple> {
    let venue = venue_of(engine, instrument)?;
    let conditions = venue.conditions(instrument.id)?;
    let auction = venue.told_auction(instrument.id);
    let auction = auction.map(|(told, reference)| (told.price, told.volume, told.imbalance, reference));
    Some((instrument.id, conditions.session as u8, conditions.until, auction))
}

/// Both sides of an instrument's book on a venue of our own; nothing elsewhere.
fn books(
    engine: &Engine,
    instrument: &Instrument,
    depth: usize,
) -> Vec<(u32, u8, Vec<LevelTuple>, Vec<OrderTuple>)> {
    let Some(venue) = venue_of(engine, instrument) else { return Vec::new() };
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
