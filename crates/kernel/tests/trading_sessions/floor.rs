//! A trading floor on one engine: commands in, events out in trader's words. Each scene is played again from its
//! records, and from a snapshot after every record; all must come to the same events and the same state.

use openbell_kernel::command::{
    CancelOrder, ChangeTradingSession, ConfigureVenue, DefineCurrency, DepositCash, InstrumentPayload,
    ListInstrument, OpenAccount, ReplaceOrder, SetMarketData, SetPriceBands, SetReferencePrice, SubmitOrder,
    TextPayload,
};
use openbell_kernel::engine::{AnyVenue, Engine};
use openbell_kernel::event;
use openbell_kernel::message::Message;
use openbell_kernel::observation::ClockAdvanced;
use openbell_kernel::record::{Body, RecordBuffer, Slot, flags, payload, split_first, stamp};
use openbell_kernel::rules::Rule;
use openbell_kernel::state::{State, StateReader, StateWriter};
use openbell_kernel::terms::{OrderType, Side, TimeInForce, TradingSession, VenueKind};
use openbell_kernel::venue::matching::{MarketBook, MatchingVenue};

pub use Side::{Buy, Sell};
pub use TradingSession::*;

pub const INSTRUMENT: u32 = 1;
pub const SECOND: u64 = 1_000_000_000;

pub fn command<B: Body>(account: u32, instrument: u32, body: B) -> RecordBuffer {
    let mut record = RecordBuffer::new(body);
    (record.head_mut().account, record.head_mut().instrument) = (account, instrument);
    record
}

/// Two accounts that may go short, and `instruments` of tick and lot 1 at one venue of ours.
pub fn stage(instruments: u32) -> Vec<RecordBuffer> {
    let mut currency = command(0, 0, DefineCurrency { currency: 1, reserved: [0; 3] });
    currency.push(TextPayload::new("USD"));
    let kind = VenueKind::Matching as u32;
    let mut records =
        vec![currency, command(0, 0, ConfigureVenue { venue: 0, kind, currency: 0, reserved: [0; 2] })];
    for instrument in 1..=instruments {
        let listing = ListInstrument {
            price_unit_nano: 10_000_000,
            quantity_unit_nano: 1_000_000_000,
            multiplier_nano: 1_000_000_000,
            currency: 1,
            venue: 0,
        };
        let mut listing = command(0, instrument, listing);
        listing.push(InstrumentPayload { tick: 1, lot: 1, options: 0, reserved: [0; 2] });
        listing.push(TextPayload::new(&format!("I{instrument}")));
        records.push(listing);
    }
    for account in [1, 2] {
        records.push(command(account, 0, OpenAccount { currency: 1, shorting: 1, reserved: [0; 2] }));
        let amount_nano = 9_000_000_000_000_000_000;
        records.push(command(account, 0, DepositCash { amount_nano, currency: 1, reserved: [0; 2] }));
    }
    records
}

/// Buys come from account 1, sells from account 2.
pub fn limit(id: u64, side: Side, price: i64, quantity: i64) -> SubmitOrder {
    SubmitOrder::limit(if side == Buy { 1 } else { 2 }, INSTRUMENT, id, side, price, quantity)
}

pub fn market(id: u64, side: Side, quantity: i64) -> SubmitOrder {
    SubmitOrder { order_type: OrderType::Market, price: 0, ..limit(id, side, 0, quantity) }
}

pub fn stop(id: u64, side: Side, stop_price: i64, quantity: i64) -> SubmitOrder {
    SubmitOrder { order_type: OrderType::Stop, stop_price, ..market(id, side, quantity) }
}

pub fn live_for(time_in_force: TimeInForce, order: SubmitOrder) -> SubmitOrder {
    SubmitOrder { time_in_force, ..order }
}

pub fn bands(
    static_width: u32,
    dynamic_width: u32,
    on_breach: TradingSession,
    seconds: u64,
) -> SetPriceBands {
    let (on_breach, duration_ns) = (on_breach as u64, seconds * SECOND);
    SetPriceBands { static_width, dynamic_width, on_breach, duration_ns, reserved: 0 }
}

pub struct Floor {
    pub engine: Engine,
    records: Vec<Vec<Slot>>,
    events: Vec<Vec<Slot>>,
    pub time: u64,
}

impl Floor {
    pub fn new() -> Self {
        Floor::with(1)
    }

    pub fn with(instruments: u32) -> Self {
        let mut floor =
            Floor { engine: Engine::new(0), records: Vec::new(), events: Vec::new(), time: SECOND };
        for record in stage(instruments) {
            floor.send(record);
        }
        floor
    }

    /// With a reference price, so that orders without a price can be valued.
    pub fn at(reference: i64) -> Self {
        let mut floor = Floor::new();
        floor.set(SetReferencePrice { price: reference, is_known: 0, reserved: [0; 2] });
        floor
    }

    /// Applies a record now; what it led to, in words.
    pub fn send(&mut self, mut record: RecordBuffer) -> Vec<String> {
        stamp(record.slots_mut(), self.records.len() as u64 + 1, self.time);
        self.engine.apply(record.slots()).unwrap();
        self.records.push(record.slots().to_vec());
        self.events.push(self.engine.events().to_vec());
        told(self.engine.events())
    }

    /// All events so far.
    pub fn slots(&self) -> Vec<Slot> {
        self.events.iter().flatten().copied().collect()
    }

    pub fn submit(&mut self, order: SubmitOrder) -> Vec<String> {
        self.send(order.to_record())
    }

    pub fn all(&mut self, orders: &[SubmitOrder]) {
        orders.iter().for_each(|order| drop(self.submit(*order)));
    }

    pub fn cancel(&mut self, account: u32, client_order_id: u64) -> Vec<String> {
        self.send(command(account, 0, CancelOrder { client_order_id, reserved: [0; 3] }))
    }

    pub fn replace(&mut self, account: u32, client_order_id: u64, price: i64, quantity: i64) -> Vec<String> {
        self.send(command(account, 0, ReplaceOrder { client_order_id, price, quantity, stop_price: 0 }))
    }

    pub fn set<B: Body>(&mut self, body: B) -> Vec<String> {
        self.send(command(0, INSTRUMENT, body))
    }

    pub fn open(&mut self, session: TradingSession) -> Vec<String> {
        self.open_until(session, 0)
    }

    pub fn open_until(&mut self, session: TradingSession, until: u64) -> Vec<String> {
        self.set(ChangeTradingSession { session: session as u64, until, reserved: [0; 2] })
    }

    pub fn tell_orders(&mut self) -> Vec<String> {
        self.set(SetMarketData { by_order: 1, reserved: [0; 3] })
    }

    /// Lets time pass, as the sequencer does: a record wherever something is due.
    pub fn wait(&mut self, seconds: u64) -> Vec<String> {
        let end = self.time + seconds * SECOND;
        let mut told = Vec::new();
        while let Some(due) = self.engine.next_due().filter(|due| *due <= end) {
            self.time = due.max(self.time);
            told.extend(self.send(RecordBuffer::new(ClockAdvanced { reserved: [0; 4] })));
        }
        self.time = end;
        told
    }

    pub fn venue(&self) -> &MatchingVenue {
        match &self.engine.venues()[0] {
            AnyVenue::Matching(venue) => venue,
            _ => panic!("the venue is ours"),
        }
    }

    pub fn book(&self) -> &MarketBook {
        self.venue().book(INSTRUMENT).unwrap()
    }

    /// Plays the scene again, whole and from a snapshot after every record.
    pub fn end(mut self) {
        let expected = self.engine.state_hash();
        for first in 0..self.records.len() {
            let mut engine = self.snapshot_after(first);
            for (record, events) in self.records.iter().zip(&self.events).skip(first) {
                engine.apply(record).unwrap();
                assert_eq!(engine.events(), events.as_slice(), "events of record {}", record[0].sequence);
            }
            assert_eq!(engine.state_hash(), expected, "state when played again from {first}");
        }
    }

    /// The state after the first `count` records, written and read back.
    fn snapshot_after(&self, count: usize) -> Engine {
        let mut engine = Engine::new(0);
        self.records[..count].iter().for_each(|record| engine.apply(record).unwrap());
        let hash = engine.state_hash();
        let mut out = StateWriter::new();
        engine.write(&mut out);
        let bytes = out.into_bytes();
        let mut reader = StateReader::new(&bytes);
        let mut restored = Engine::read(&mut reader).unwrap();
        reader.finish().unwrap();
        assert_eq!(restored.state_hash(), hash, "hash of the state restored after {count} records");
        restored
    }
}

/// Events as lines; what is about money and levels is left out.
pub fn told(slots: &[Slot]) -> Vec<String> {
    let (mut rest, mut lines) = (slots, Vec::new());
    while let Ok((event, after)) = split_first(rest) {
        lines.extend(line(event));
        rest = after;
    }
    lines
}

fn session(number: u64) -> &'static str {
    TradingSession::from_number(number as u8).unwrap().name()
}

/// Orders are named by the client's id where the event has it, else by the sequence of their command.
fn line(event: &[Slot]) -> Option<String> {
    let head = &event[0];
    let [a, b, c, d] = head.body;
    let side = if head.has(flags::SELL) { "sell" } else { "buy" };
    let refused = |rule: u64| {
        let rule = Rule::from_number(rule as u16).unwrap().name();
        let figures = payload::<event::RefusalPayload>(event).unwrap();
        format!("{rule} limit {} actual {}", figures.limit(), figures.actual())
    };
    Some(match Message::from_number(head.message).unwrap() {
        Message::OrderAccepted => format!("{b} accepted"),
        Message::OrderDenied | Message::OrderRejected => format!("{b} refused {}", refused(c)),
        Message::OrderFilled => {
            let fill = payload::<event::FillPayload>(event).unwrap();
            format!("{} {side} {c} at {b}", fill.client_order_id)
        }
        Message::OrderCanceled => format!("{b} canceled {}", Rule::from_number(c as u16).unwrap().name()),
        Message::OrderExpired => format!("{b} expired"),
        Message::OrderReplaced => format!("{b} replaced {d} at {c}"),
        Message::OrderTriggered => format!("{b} triggered at {c}"),
        Message::ReplaceRejected => format!("{b} replace refused {}", refused(c)),
        Message::CommandRefused => format!("refused {}", refused(b)),
        Message::TradeExecuted => {
            let trade = payload::<event::TradePayload>(event).unwrap();
            format!("trade {}: {b} at {a} in {}", trade.trade_id, session(trade.session))
        }
        Message::TradingSessionChanged => format!("{} -> {}", session(a), session(b)),
        Message::AuctionIndicated => format!("indicated {b} at {a}, imbalance {}", c as i64),
        Message::AuctionUncrossed => format!("{} uncrossed {b} at {a}, imbalance {}", session(d), c as i64),
        Message::PriceBandBreached => format!("{b} lies beyond {c}"),
        Message::BookOrderAdded => format!("+ {side} {c} at {b}"),
        Message::BookOrderChanged => format!("= {side} {c} at {b}"),
        Message::BookOrderRemoved => format!("- {side} {c} at {b}"),
        _ => return None,
    })
}
