//! One small world for all risk tests: an account of 10,000 in cents, shares on a lot of 1, contracts on a lot of 5.

mod extremes;
mod refusals;
mod reservations;
mod sizing;
mod twin;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use super::{LimitKind, ReplaceTerms, Reservation, RiskGate, RiskView};
use crate::command::SubmitOrder;
use crate::instrument::{Instrument, Instruments};
use crate::money::{NANO, Nano};
use crate::portfolio::{FeeSchedule, FeeSchedules, Marks, Portfolio};
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateReader, StateWriter};
use crate::terms::{OrderType, Side, Sizing, options};
use crate::venue::VenueOrder;

pub const ACCOUNT: u32 = 1;
/// May not sell short.
pub const CAUTIOUS: u32 = 2;
/// Without cash.
pub const POOR: u32 = 3;
pub const USD: u32 = 1;
/// Priced in cents, one by one, marked at 100.00.
pub const SHARE: u32 = 1;
/// On a tick of 5 cents and a lot of 5, marked at 50.00.
pub const CONTRACT: u32 = 2;
/// Never priced.
pub const UNPRICED: u32 = 3;
/// In another currency, marked at 100.00.
pub const FOREIGN: u32 = 4;

pub const ONE: i64 = NANO as i64;

/// The gate and, beside it, the open orders as an engine keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    gate: RiskGate,
    orders: BTreeMap<u64, Reservation>,
}

impl Deref for Gate {
    type Target = RiskGate;

    fn deref(&self) -> &RiskGate {
        &self.gate
    }
}

impl DerefMut for Gate {
    fn deref_mut(&mut self) -> &mut RiskGate {
        &mut self.gate
    }
}

impl Gate {
    pub fn opened(&mut self, order_id: u64, order: &SubmitOrder) {
        self.put(order_id, Reservation::of(order));
    }

    pub fn held(&mut self, order_id: u64, order: &SubmitOrder) {
        self.put(order_id, Reservation::held(order));
    }

    fn put(&mut self, order_id: u64, order: Reservation) {
        if let Some(before) = self.orders.insert(order_id, order) {
            self.gate.closed(&before);
        }
        self.gate.opened(&order);
    }

    fn change(&mut self, order_id: u64, change: impl FnOnce(&mut Reservation)) {
        let Some(order) = self.orders.get_mut(&order_id) else { return };
        let before = *order;
        change(order);
        self.gate.changed(&before, order);
    }

    pub fn pending_replace(&mut self, order_id: u64, terms: &ReplaceTerms) {
        self.change(order_id, |order| order.pending = Some(*terms));
    }

    pub fn replaced(&mut self, order_id: u64, terms: &ReplaceTerms) {
        self.change(order_id, |order| (order.terms, order.pending) = (*terms, None));
    }

    pub fn replace_rejected(&mut self, order_id: u64) {
        self.change(order_id, |order| order.pending = None);
    }

    pub fn filled(&mut self, order_id: u64, quantity: i64) {
        self.change(order_id, |order| order.filled = order.filled.saturating_add(quantity));
    }

    pub fn closed(&mut self, order_id: u64) {
        if let Some(order) = self.orders.remove(&order_id) {
            self.gate.closed(&order);
        }
    }

    /// The gate as it is after a restart: read back, and told of every open order.
    pub fn restarted(&self) -> Gate {
        let mut gate = restored(&self.gate);
        self.orders.values().for_each(|order| gate.opened(order));
        Gate { gate, orders: self.orders.clone() }
    }

    pub fn check_replace(
        &self,
        order_id: u64,
        terms: &ReplaceTerms,
        view: &RiskView<'_>,
    ) -> Result<(), Refusal> {
        self.gate.check_replace(&self.orders[&order_id], terms, view)
    }
}

#[derive(Clone)]
pub struct World {
    pub instruments: Instruments,
    pub portfolio: Portfolio,
    pub marks: Marks,
    pub fees: FeeSchedules,
    pub gate: Gate,
}

impl World {
    pub fn new() -> Self {
        let mut world = World {
            instruments: Instruments::default(),
            portfolio: Portfolio::default(),
            marks: Marks::default(),
            fees: FeeSchedules::default(),
            gate: Gate::default(),
        };
        for (id, currency, tick, lot) in
            [(SHARE, USD, 1, 1), (CONTRACT, USD, 5, 5), (UNPRICED, USD, 1, 1), (FOREIGN, 2, 1, 1)]
        {
            let instrument = Instrument::new(id, currency, 10_000_000, ONE, ONE, tick, lot, 0).unwrap();
            world.instruments.list(instrument).unwrap();
        }
        for (account, shorting) in [(ACCOUNT, true), (CAUTIOUS, false), (POOR, true)] {
            world.portfolio.open_account(account, USD, shorting).unwrap();
        }
        for account in [ACCOUNT, CAUTIOUS] {
            world.portfolio.deposit(account, USD, 10_000 * NANO).unwrap();
        }
        world.marks.set(SHARE, 10_000);
        world.marks.set(CONTRACT, 5_000);
        world.marks.set(FOREIGN, 10_000);
        world
    }

    pub fn view(&self) -> RiskView<'_> {
        RiskView {
            instruments: &self.instruments,
            portfolio: &self.portfolio,
            marks: &self.marks,
            fees: &self.fees,
        }
    }

    pub fn limit(mut self, kind: LimitKind, value: i64) -> Self {
        self.gate.set_limit(0, 0, kind, value).unwrap();
        self
    }

    /// Trades at the mark, or at 100.00 where there is none.
    pub fn hold(mut self, account: u32, instrument: u32, quantity: i64) -> Self {
        let side = if quantity > 0 { Side::Buy } else { Side::Sell };
        let price = self.marks.get(instrument).unwrap_or(10_000);
        self.trade(account, instrument, side, price, quantity.abs(), 0);
        self
    }

    pub fn trade(&mut self, account: u32, instrument: u32, side: Side, price: i64, quantity: i64, fee: Nano) {
        let instrument = self.instruments.get(instrument).unwrap();
        self.portfolio.book_fill(account, instrument, side, price, quantity, fee).unwrap();
    }

    pub fn open(mut self, order_id: u64, order: &SubmitOrder) -> Self {
        self.gate.opened(order_id, order);
        self
    }

    pub fn hold_back(mut self, order_id: u64, order: &SubmitOrder) -> Self {
        self.gate.held(order_id, order);
        self
    }

    pub fn charge(mut self, rate: i64) -> Self {
        let schedule = FeeSchedule { maker_rate: rate, taker_rate: rate, ..FeeSchedule::FREE };
        self.fees.set(0, 0, schedule).unwrap();
        self
    }

    pub fn check(&self, order: &SubmitOrder) -> Result<(), Refusal> {
        self.gate.check(order, &self.view())
    }

    pub fn executable(&self, order: &VenueOrder, leaves: i64, price: i64) -> Result<i64, Refusal> {
        self.gate.executable_quantity(order, leaves, price, &self.view())
    }
}

pub fn market(instrument: u32, side: Side, quantity: i64) -> SubmitOrder {
    SubmitOrder::market(ACCOUNT, instrument, 1, side, quantity)
}

pub fn limit(instrument: u32, side: Side, price: i64, quantity: i64) -> SubmitOrder {
    SubmitOrder::limit(ACCOUNT, instrument, 1, side, price, quantity)
}

pub fn stop(instrument: u32, side: Side, stop_price: i64, quantity: i64) -> SubmitOrder {
    SubmitOrder { order_type: OrderType::Stop, stop_price, ..market(instrument, side, quantity) }
}

pub fn stop_limit(instrument: u32, side: Side, stop_price: i64, price: i64, quantity: i64) -> SubmitOrder {
    SubmitOrder { order_type: OrderType::StopLimit, stop_price, ..limit(instrument, side, price, quantity) }
}

pub fn sized(instrument: u32, side: Side, sizing: Sizing, quantity: i64) -> SubmitOrder {
    SubmitOrder { sizing, ..market(instrument, side, quantity) }
}

pub fn close(instrument: u32, side: Side) -> SubmitOrder {
    sized(instrument, side, Sizing::ClosePosition, 0)
}

pub fn reduce_only(order: SubmitOrder) -> SubmitOrder {
    SubmitOrder { options: options::REDUCE_ONLY, ..order }
}

pub fn of(account: u32, order: SubmitOrder) -> SubmitOrder {
    SubmitOrder { account, ..order }
}

pub fn at_venue(order: &SubmitOrder) -> VenueOrder {
    VenueOrder {
        order_id: 1,
        client_order_id: order.client_order_id,
        account: order.account,
        instrument: order.instrument,
        side: order.side,
        order_type: order.order_type,
        time_in_force: order.time_in_force,
        sizing: order.sizing,
        options: order.options,
        price: order.price,
        quantity: order.quantity,
        stop_price: order.stop_price,
        expire_time: order.expire_time,
        released_at: None,
    }
}

pub fn refused(rule: Rule, limit: i128, actual: i128) -> Refusal {
    Refusal::new(rule, limit, actual)
}

pub fn bytes(state: &impl State) -> Vec<u8> {
    let mut out = StateWriter::new();
    state.write(&mut out);
    out.into_bytes()
}

pub fn restored<T: State>(state: &T) -> T {
    let bytes = bytes(state);
    let mut input = StateReader::new(&bytes);
    let restored = T::read(&mut input).unwrap();
    input.finish().unwrap();
    restored
}
