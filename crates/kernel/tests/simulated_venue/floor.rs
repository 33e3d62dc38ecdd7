//! A small engine around the venue: books fills, links orders, keeps a log to assert on.

use std::collections::BTreeMap;

use openbell_kernel::command::VenuePayload;
use openbell_kernel::observation::{
    BarObserved, BarPayload, BookLevelObserved, FeedGapObserved, QuoteObserved, TradeObserved,
};
use openbell_kernel::record::{RecordBuffer, flags, stamp};
use openbell_kernel::rules::{Refusal, Rule};
use openbell_kernel::state::{State, StateReader, StateWriter};
use openbell_kernel::terms::{Liquidity, OrderType, Side, Sizing, TimeInForce, options};
use openbell_kernel::venue::simulated::SimulatedVenue;
use openbell_kernel::venue::{Outcome, Venue, VenueContext, VenueOrder, VenueReport, VenueRequest};

pub const INSTRUMENT: u32 = 1;
const NANO: i128 = 1_000_000_000;

/// Cash and positions of each account, in units of price x quantity, as the venue may ask for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    pub tick: i64,
    /// 10^-9 of one price unit x quantity unit.
    pub cash_nano: i128,
    pub fee_rate: i128,
    pub positions: BTreeMap<(u32, u32), i64>,
    pub marks: BTreeMap<u32, i64>,
    /// Largest quantity of one execution; stands for a margin limit that cuts.
    pub most: i64,
}

impl Default for Books {
    fn default() -> Self {
        Books {
            tick: 1,
            cash_nano: 1_000_000 * NANO,
            fee_rate: 0,
            positions: BTreeMap::new(),
            marks: BTreeMap::new(),
            most: i64::MAX,
        }
    }
}

impl Books {
    pub fn position(&self, account: u32, instrument: u32) -> i64 {
        self.positions.get(&(account, instrument)).copied().unwrap_or(0)
    }

    pub fn equity_nano(&self) -> i128 {
        let value = |(&(_, instrument), &quantity): (&(u32, u32), &i64)| {
            let mark = self.marks.get(&instrument).copied().unwrap_or(0);
            i128::from(mark) * i128::from(quantity) * NANO
        };
        self.cash_nano + self.positions.iter().map(value).sum::<i128>()
    }

    fn book(&mut self, order: &VenueOrder, price: i64, quantity: i64) {
        let signed = quantity * order.side.sign();
        let notional = i128::from(price) * i128::from(quantity);
        self.cash_nano -= i128::from(price) * i128::from(signed) * NANO;
        self.cash_nano -= notional * self.fee_rate;
        self.marks.insert(order.instrument, price);
        *self.positions.entry((order.account, order.instrument)).or_default() += signed;
    }
}

impl VenueContext for Books {
    fn executable_quantity(&self, order: &VenueOrder, leaves: i64, price: i64) -> Result<i64, Refusal> {
        assert!(price > 0, "asked for an execution at {price}");
        let position = self.position(order.account, order.instrument);
        let closable = (-position * order.side.sign()).max(0);
        let quantity = match order.sizing {
            Sizing::Units if order.options & options::REDUCE_ONLY != 0 => {
                if closable == 0 {
                    return Err(Refusal::of(Rule::ReduceOnlyMustReduce));
                }
                leaves.min(closable)
            }
            Sizing::Units => leaves,
            Sizing::ClosePosition => closable,
            Sizing::TargetPercent => {
                let value = self.equity_nano() * i128::from(order.quantity) / NANO;
                let target = i64::try_from(value / (i128::from(price) * NANO)).unwrap();
                let signed = target - position;
                return if signed == 0 {
                    Err(Refusal::of(Rule::SizedQuantityMustBePositive))
                } else {
                    Ok(signed)
                };
            }
            Sizing::Percent => {
                let each = i128::from(price) * (NANO + self.fee_rate);
                i64::try_from(self.equity_nano() * i128::from(order.quantity) / NANO / each).unwrap()
            }
        };
        match quantity.min(self.most) {
            0 => Err(Refusal::of(Rule::SizedQuantityMustBePositive)),
            quantity => Ok(quantity),
        }
    }

    fn position(&self, account: u32, instrument: u32) -> i64 {
        Books::position(self, account, instrument)
    }

    fn tick(&self, _: u32) -> i64 {
        self.tick
    }
}

/// What the floor remembers of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub pulled: u64,
    pub report: VenueReport,
}

#[derive(Clone, Debug)]
pub struct Floor {
    pub venue: SimulatedVenue,
    pub books: Books,
    pub orders: BTreeMap<u64, VenueOrder>,
    /// A fill of the key cancels the value.
    pub partners: BTreeMap<u64, u64>,
    /// A fill of the key releases the values.
    pub children: BTreeMap<u64, Vec<VenueOrder>>,
    /// A fill of the key replaces an order.
    pub replacements: BTreeMap<u64, VenueRequest>,
    pub log: Vec<Line>,
    pub time: u64,
    /// The venue is read back from its bytes between a report and what follows from it.
    pub restores_before_reacting: bool,
}

pub fn terms() -> VenuePayload {
    VenuePayload { order_latency_ns: 0, report_latency_ns: 0, slippage: 0, volume_share: 0, options: 0 }
}

impl Floor {
    pub fn new(terms: VenuePayload) -> Self {
        Floor {
            venue: SimulatedVenue::new(terms).unwrap(),
            books: Books::default(),
            orders: BTreeMap::new(),
            partners: BTreeMap::new(),
            children: BTreeMap::new(),
            replacements: BTreeMap::new(),
            log: Vec::new(),
            time: 0,
            restores_before_reacting: false,
        }
    }

    pub fn plain() -> Self {
        Floor::new(terms())
    }

    pub fn submit(&mut self, order: VenueOrder) {
        self.send(VenueRequest::Submit(order));
    }

    pub fn cancel(&mut self, order_id: u64) {
        self.send(VenueRequest::Cancel { order_id, instrument: INSTRUMENT });
    }

    pub fn replace(&mut self, order_id: u64, price: i64, quantity: i64, stop_price: i64) {
        self.send(VenueRequest::Replace { order_id, instrument: INSTRUMENT, price, quantity, stop_price });
    }

    pub fn send(&mut self, request: VenueRequest) {
        if let VenueRequest::Submit(order) = request {
            self.orders.insert(order.order_id, order);
        }
        self.venue.request(&request, self.time);
        self.pull();
    }

    /// Pulls until there is nothing, as the engine does after every input.
    pub fn pull(&mut self) {
        while self.pull_one() {}
        let due = self.venue.next_due();
        assert!(due.is_none_or(|due| due > self.time), "due at {due:?} but nothing came at {}", self.time);
    }

    pub fn pull_one(&mut self) -> bool {
        let Some(report) = self.venue.next_report(self.time, &self.books) else {
            return false;
        };
        if self.restores_before_reacting {
            self.venue = restored(&self.venue);
        }
        self.log.push(Line { pulled: self.time, report });
        if let Outcome::Filled { price, quantity, .. } = report.outcome {
            let mut order = self.orders[&report.order_id];
            if order.sizing == Sizing::TargetPercent && quantity < 0 {
                order.side = Side::Sell;
            } else if order.sizing == Sizing::TargetPercent {
                order.side = Side::Buy;
            }
            let quantity = quantity.abs();
            assert!(quantity > 0, "a fill of nothing: {report:?}");
            self.books.book(&order, price, quantity);
            self.react(&report, price, quantity);
        }
        true
    }

    fn react(&mut self, report: &VenueReport, price: i64, quantity: i64) {
        if let Some(partner) = self.partners.remove(&report.order_id) {
            self.partners.remove(&partner);
            let instrument = self.orders[&report.order_id].instrument;
            self.venue.request(&VenueRequest::Cancel { order_id: partner, instrument }, self.time);
        }
        if let Some(replacement) = self.replacements.remove(&report.order_id) {
            self.venue.request(&replacement, self.time);
        }
        for mut child in self.children.remove(&report.order_id).unwrap_or_default() {
            child.released_at = Some(price);
            child.quantity = quantity;
            self.orders.insert(child.order_id, child);
            self.venue.request(&VenueRequest::Submit(child), self.time);
        }
    }

    pub fn at(&mut self, time: u64) -> &mut Self {
        while let Some(due) = self.venue.next_due().filter(|&due| due < time) {
            self.time = self.time.max(due);
            self.pull();
        }
        self.time = time;
        self
    }

    /// Moves to `time` and pulls what is due then too.
    pub fn run_to(&mut self, time: u64) {
        self.at(time).pull();
    }

    pub fn observe(&mut self, mut record: RecordBuffer, time: u64) {
        self.at(time);
        stamp(record.slots_mut(), 1, time);
        self.venue.observe(record.slots());
        self.pull();
    }

    /// A bar of `INSTRUMENT` from `open_time` to `close_time`.
    pub fn bar(&mut self, open_time: u64, close_time: u64, prices: [i64; 4]) {
        self.observe(bar(INSTRUMENT, open_time, close_time, prices, 1_000, true), close_time);
    }

    pub fn quote(&mut self, time: u64, bid: (i64, i64), ask: (i64, i64)) {
        self.observe(quote(bid, ask), time);
    }

    pub fn trade(&mut self, time: u64, price: i64, quantity: i64) {
        self.observe(trade(price, quantity), time);
    }

    /// Level changes as one message: `(side, price, quantity)`.
    pub fn levels(&mut self, time: u64, levels: &[(Side, i64, i64)], clear: bool) {
        for (index, &(side, price, quantity)) in levels.iter().enumerate() {
            let is_last = index + 1 == levels.len();
            self.observe(level(side, price, quantity, clear && index == 0, is_last), time);
        }
    }

    pub fn gap(&mut self, time: u64) {
        let body = FeedGapObserved { expected: 1, received: 3, exchange_time: time, reserved: 0 };
        self.observe(flagged(RecordBuffer::new(body), flags::LAST_OF_MESSAGE), time);
    }

    pub fn finish(&mut self, time: u64) {
        self.at(time);
        self.venue.finish(time);
        self.pull();
    }

    /// `(order, price, quantity, liquidity)` of each fill.
    pub fn fills(&self) -> Vec<(u64, i64, i64, Liquidity)> {
        let fill = |line: &Line| match line.report.outcome {
            Outcome::Filled { price, quantity, liquidity, .. } => {
                Some((line.report.order_id, price, quantity, liquidity))
            }
            _ => None,
        };
        self.log.iter().filter_map(fill).collect()
    }

    /// `(order, price, quantity)` of each fill.
    pub fn prices(&self) -> Vec<(u64, i64, i64)> {
        self.fills().into_iter().map(|(order, price, quantity, _)| (order, price, quantity)).collect()
    }

    pub fn last(&self, order_id: u64) -> Outcome {
        self.lines(order_id).last().expect("no report of that order").report.outcome
    }

    pub fn lines(&self, order_id: u64) -> Vec<Line> {
        self.log.iter().filter(|line| line.report.order_id == order_id).cloned().collect()
    }

    /// The rule with which the order ended.
    pub fn rule(&self, order_id: u64) -> Option<Rule> {
        match self.last(order_id) {
            Outcome::Canceled { refusal }
            | Outcome::Rejected { refusal }
            | Outcome::CancelRejected { refusal }
            | Outcome::ReplaceRejected { refusal } => Some(refusal.rule),
            _ => None,
        }
    }
}

pub fn bytes(venue: &SimulatedVenue) -> Vec<u8> {
    let mut out = StateWriter::new();
    venue.write(&mut out);
    out.into_bytes()
}

pub fn restored(venue: &SimulatedVenue) -> SimulatedVenue {
    let bytes = bytes(venue);
    let mut input = StateReader::new(&bytes);
    let venue = SimulatedVenue::read(&mut input).unwrap();
    input.finish().unwrap();
    venue
}

fn flagged(mut record: RecordBuffer, bits: u16) -> RecordBuffer {
    record.head_mut().instrument = INSTRUMENT;
    record.head_mut().flags = bits;
    record
}

/// Prices are open, high, low, close.
pub fn bar(
    instrument: u32,
    open_time: u64,
    close_time: u64,
    prices: [i64; 4],
    volume: i64,
    is_last: bool,
) -> RecordBuffer {
    let [open, high, low, close] = prices;
    let mut record = RecordBuffer::new(BarObserved { open, high, low, close });
    record.push(BarPayload { volume, open_time, close_time, interval_ns: close_time - open_time, trades: 0 });
    let mut record = flagged(record, if is_last { flags::LAST_OF_MESSAGE } else { 0 });
    record.head_mut().instrument = instrument;
    record
}

pub fn quote(bid: (i64, i64), ask: (i64, i64)) -> RecordBuffer {
    let body = QuoteObserved { bid_price: bid.0, bid_quantity: bid.1, ask_price: ask.0, ask_quantity: ask.1 };
    flagged(RecordBuffer::new(body), flags::LAST_OF_MESSAGE)
}

pub fn trade(price: i64, quantity: i64) -> RecordBuffer {
    let body = TradeObserved { price, quantity, trade_id: 1, exchange_time: 0 };
    flagged(RecordBuffer::new(body), flags::LAST_OF_MESSAGE)
}

pub fn level(side: Side, price: i64, quantity: i64, clear: bool, is_last: bool) -> RecordBuffer {
    let mut bits = if side == Side::Sell { flags::SELL } else { 0 };
    bits |= if clear { flags::CLEAR | flags::SNAPSHOT } else { 0 };
    bits |= if is_last { flags::LAST_OF_MESSAGE } else { 0 };
    flagged(RecordBuffer::new(BookLevelObserved { price, quantity, update_id: 1, exchange_time: 0 }), bits)
}

pub fn market(order_id: u64, side: Side, quantity: i64) -> VenueOrder {
    VenueOrder {
        order_id,
        client_order_id: order_id,
        account: 1,
        instrument: INSTRUMENT,
        side,
        order_type: OrderType::Market,
        time_in_force: TimeInForce::Gtc,
        sizing: Sizing::Units,
        options: 0,
        price: 0,
        quantity,
        stop_price: 0,
        expire_time: 0,
        released_at: None,
    }
}

pub fn limit(order_id: u64, side: Side, price: i64, quantity: i64) -> VenueOrder {
    VenueOrder { order_type: OrderType::Limit, price, ..market(order_id, side, quantity) }
}

pub fn stop(order_id: u64, side: Side, stop_price: i64, quantity: i64) -> VenueOrder {
    VenueOrder { order_type: OrderType::Stop, stop_price, ..market(order_id, side, quantity) }
}

pub fn stop_limit(order_id: u64, side: Side, stop_price: i64, price: i64, quantity: i64) -> VenueOrder {
    VenueOrder { order_type: OrderType::StopLimit, price, stop_price, ..market(order_id, side, quantity) }
}

pub fn with(order: VenueOrder, time_in_force: TimeInForce) -> VenueOrder {
    VenueOrder { time_in_force, ..order }
}
