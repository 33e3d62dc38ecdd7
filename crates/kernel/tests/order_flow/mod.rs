//! A day at an exchange of our own, from a seed: accounts, instruments and their orders, as stamped records.

use openbell_kernel::command::{
    CancelOrder, ConfigureVenue, DefineCurrency, DepositCash, InstrumentPayload, ListInstrument, OpenAccount,
    ReplaceOrder, SetFeeSchedule, StartTimer, SubmitOrder, TextPayload,
};
use openbell_kernel::engine::Engine;
use openbell_kernel::observation::{ClockAdvanced, SessionClosed};
use openbell_kernel::record::{Body, RecordBuffer, Slot, stamp};
use openbell_kernel::terms::{OrderType, Side, TimeInForce, VenueKind};

pub const CURRENCY: u32 = 1;

/// What a day is made of.
#[derive(Clone, Copy, Debug)]
pub struct Day {
    pub seed: u64,
    pub accounts: u32,
    pub instruments: u32,
    /// Orders that rest once the day has begun, and about how many stay.
    pub live: usize,
    /// Stops, timers, expiries and closes of sessions among the orders.
    pub has_specials: bool,
}

/// Generates records while an engine takes them in, so that cancels find orders.
pub struct Flow {
    day: Day,
    state: u64,
    engine: Engine,
    records: Vec<Slot>,
    /// (account, client order id) of orders that were open when they were last looked at.
    live: Vec<(u32, u64)>,
    sent: u64,
    time: u64,
}

impl Flow {
    pub fn new(day: Day) -> Self {
        let mut flow = Flow {
            day,
            state: day.seed,
            engine: Engine::new(0),
            records: Vec::new(),
            live: Vec::new(),
            sent: 0,
            time: 1_700_000_000_000_000_000,
        };
        flow.set_up();
        flow
    }

    /// The records of a whole day: set-up, orders until `live` rest, then `commands` more. Also says how many
    /// slots come before those.
    pub fn of_day(day: Day, commands: usize) -> (Vec<Slot>, usize) {
        let mut flow = Flow::new(day);
        while flow.live.len() < day.live {
            flow.add();
        }
        let before = flow.records.len();
        (0..commands).for_each(|_| flow.step());
        (flow.records, before)
    }

    pub fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    pub fn records(&self) -> &[Slot] {
        &self.records
    }

    pub fn random(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(z ^ z >> 31) * u128::from(below)) >> 64) as u64
    }

    fn set_up(&mut self) {
        let mut currency = RecordBuffer::new(DefineCurrency { currency: CURRENCY.into(), reserved: [0; 3] });
        currency.push(TextPayload::new("USD"));
        self.push(currency, 0, 0);
        let venue =
            ConfigureVenue { venue: 0, kind: VenueKind::Matching as u32, currency: 0, reserved: [0; 2] };
        self.push(RecordBuffer::new(venue), 0, 0);
        (1..=self.day.instruments).for_each(|instrument| self.list(instrument));
        for account in 1..=self.day.accounts {
            let opening = OpenAccount { currency: CURRENCY.into(), shorting: 1, reserved: [0; 2] };
            self.push(RecordBuffer::new(opening), account, 0);
            let deposit =
                DepositCash { amount_nano: i64::MAX / 4, currency: CURRENCY.into(), reserved: [0; 2] };
            self.push(RecordBuffer::new(deposit), account, 0);
            let fees =
                SetFeeSchedule { maker_rate: -100_000, taker_rate: 300_000, flat_nano: 0, external: 0 };
            self.push(RecordBuffer::new(fees), account, 0);
        }
    }

    fn list(&mut self, instrument: u32) {
        let mut listing = RecordBuffer::new(ListInstrument {
            price_unit_nano: 10_000_000,
            quantity_unit_nano: 1_000_000_000,
            multiplier_nano: 1_000_000_000,
            currency: CURRENCY,
            venue: 0,
        });
        listing.push(InstrumentPayload { tick: 1, lot: 1, options: 0, reserved: [0; 2] });
        listing.push(TextPayload::new(&format!("S{instrument}")));
        self.push(listing, 0, instrument);
    }

    /// Sequences a record and applies it.
    pub fn push(&mut self, mut record: RecordBuffer, account: u32, instrument: u32) {
        (record.head_mut().account, record.head_mut().instrument) = (account, instrument);
        self.time += 1_000;
        stamp(record.slots_mut(), self.engine.sequence() + 1, self.time);
        self.engine.apply(record.slots()).unwrap();
        self.records.extend_from_slice(record.slots());
    }

    fn command<B: Body>(&mut self, body: B, account: u32, instrument: u32) {
        self.push(RecordBuffer::new(body), account, instrument);
    }

    fn new_order(&mut self) -> SubmitOrder {
        let account = 1 + self.random(self.day.accounts.into()) as u32;
        let instrument = 1 + self.random(self.day.instruments.into()) as u32;
        let side = if self.random(2) == 0 { Side::Buy } else { Side::Sell };
        let spread = [8, 32, 128, 512][self.random(4) as usize];
        let price = 10_000 - side.sign() * (1 + self.random(spread) as i64);
        let quantity = 1 + self.random(9) as i64;
        self.sent += 1;
        SubmitOrder::limit(account, instrument, self.sent, side, price, quantity)
    }

    fn send(&mut self, order: &SubmitOrder) {
        self.push(order.to_record(), order.account, order.instrument);
        let sent = self.engine.orders().by_client_id(order.account, order.client_order_id);
        if sent.is_some_and(|order| order.is_open()) {
            self.live.push((order.account, order.client_order_id));
        }
    }

    /// An order that rests.
    pub fn add(&mut self) {
        let order = self.new_order();
        self.send(&order);
    }

    /// An order that takes what is there, and rests no longer.
    fn take(&mut self) {
        let mut order = self.new_order();
        order.price = 10_000 + order.side.sign() * 600;
        order.time_in_force = TimeInForce::Ioc;
        // 2 % takers must remove what 55 % adds less 40 % cancels put in, so that the books stay their size.
        let average = if self.live.len() > self.day.live { 60 } else { 20 };
        order.quantity = 1 + self.random(2 * average) as i64;
        self.send(&order);
    }

    /// One that is still open; those found closed on the way are forgotten.
    fn pick(&mut self) -> Option<usize> {
        while !self.live.is_empty() {
            let place = self.random(self.live.len() as u64) as usize;
            let (account, id) = self.live[place];
            if self.engine.orders().by_client_id(account, id).is_some_and(|order| order.is_open()) {
                return Some(place);
            }
            self.live.swap_remove(place);
        }
        None
    }

    fn cancel(&mut self) {
        let Some(place) = self.pick() else { return self.add() };
        let (account, client_order_id) = self.live.swap_remove(place);
        self.command(CancelOrder { client_order_id, reserved: [0; 3] }, account, 0);
    }

    fn replace(&mut self) {
        let Some(place) = self.pick() else { return self.add() };
        let (account, client_order_id) = self.live[place];
        let is_smaller = self.random(2) == 0;
        let price = if is_smaller { 0 } else { 9_000 + self.random(2_000) as i64 };
        let quantity = 1 + self.random(9) as i64;
        self.command(ReplaceOrder { client_order_id, price, quantity, stop_price: 0 }, account, 0);
    }

    fn special(&mut self) {
        match self.random(20) {
            0 => self.command(SessionClosed { session_end: self.time, reserved: [0; 3] }, 0, 0),
            1 => self.command(ClockAdvanced { reserved: [0; 4] }, 0, 0),
            2 => {
                let (timer_id, first_time) = (self.random(50), self.time + self.random(1_000_000));
                self.command(StartTimer { timer_id, first_time, interval_ns: 0, reserved: 0 }, 0, 0);
            }
            3..7 => {
                let mut order = self.new_order();
                order.expire_time = self.time + 1 + self.random(1_000_000);
                order.time_in_force = TimeInForce::Gtd;
                self.send(&order);
            }
            7..9 => {
                let order = SubmitOrder { time_in_force: TimeInForce::Day, ..self.new_order() };
                self.send(&order);
            }
            _ => {
                let mut order = self.new_order();
                (order.order_type, order.price) = (OrderType::Stop, 0);
                order.stop_price = 10_000 + order.side.sign() * (1 + self.random(600) as i64);
                self.send(&order);
            }
        }
    }

    /// The next command of the day.
    pub fn step(&mut self) {
        if self.day.has_specials && self.random(10) == 0 {
            return self.special();
        }
        match self.random(100) {
            0..55 => self.add(),
            55..95 => self.cancel(),
            95..98 => self.replace(),
            _ => self.take(),
        }
    }
}
