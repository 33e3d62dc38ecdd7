//! What every scene needs: an account with cash, an instrument, a venue, and a tape of all that was sequenced.

use std::sync::{Arc, Mutex};

use openbell_kernel::command::{
    CancelOrder, ConfigureVenue, DefineCurrency, DepositCash, InstrumentPayload, ListInstrument, OpenAccount,
    ReplaceOrder, SetFeeSchedule, SubmitOrder, TextPayload, VenuePayload,
};
use openbell_kernel::engine::{AnyVenue, Engine};
use openbell_kernel::journal::JournalError;
use openbell_kernel::message::Message;
use openbell_kernel::node::{Input, Mode, Node, Poll, RecordSink};
use openbell_kernel::orders::Order;
use openbell_kernel::record::{Body, RecordBuffer, Slot};
use openbell_kernel::state::{State, StateReader, StateWriter};
use openbell_kernel::terms::{Sizing, VenueKind};

pub const ACCOUNT: u32 = 1;
pub const INSTRUMENT: u32 = 1;
pub const CURRENCY: u32 = 1;
pub const DEPOSIT_NANO: i64 = 1_000_000_000_000;
/// 0.01 x 0.001 of the currency.
pub const UNIT_NANO: i128 = 10_000;
/// Makes fees that need rounding.
pub const TAKER_RATE: i64 = 1_234_567;

/// A journal in memory whose durability lags or fails as told.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    inner: Arc<Mutex<Recorded>>,
}

#[derive(Debug, Default)]
pub struct Recorded {
    pub slots: Vec<Slot>,
    pub commits: Vec<(Option<(u64, u128)>, u128)>,
    /// Nothing becomes durable while set.
    pub stalled: bool,
    pub fails: bool,
    durable: u64,
}

impl Tape {
    pub fn with<T>(&self, look: impl FnOnce(&mut Recorded) -> T) -> T {
        look(&mut self.inner.lock().unwrap())
    }

    pub fn slots(&self) -> Vec<Slot> {
        self.with(|recorded| recorded.slots.clone())
    }
}

impl RecordSink for Tape {
    fn append(&mut self, record: &[Slot], _input: Option<u16>) -> Result<(), JournalError> {
        self.with(|recorded| recorded.slots.extend_from_slice(record));
        Ok(())
    }

    fn commit(&mut self, state_hash: Option<(u64, u128)>, output_hash: u128) -> Result<u64, JournalError> {
        self.with(|recorded| {
            if recorded.fails {
                return Err(JournalError::BadSettings { problem: "the disk is full".to_owned() });
            }
            recorded.commits.push((state_hash, output_hash));
            if !recorded.stalled {
                recorded.durable = recorded.slots.last().map_or(0, |slot| slot.sequence);
            }
            Ok(recorded.durable)
        })
    }

    fn durable_sequence(&mut self) -> Result<u64, JournalError> {
        Ok(self.with(|recorded| recorded.durable))
    }

    fn close(mut self: Box<Self>, state: Option<(u64, u128)>, output: u128) -> Result<u64, JournalError> {
        self.commit(state, output)
    }
}

pub fn command<B: Body>(account: u32, instrument: u32, body: B) -> RecordBuffer {
    let mut record = RecordBuffer::new(body);
    (record.head_mut().account, record.head_mut().instrument) = (account, instrument);
    record
}

/// What stands in the way of every order: currency, venue 0 of `kind`, one instrument, an account with cash and fees.
pub fn set_up(kind: VenueKind) -> Vec<RecordBuffer> {
    let mut currency = command(0, 0, DefineCurrency { currency: u64::from(CURRENCY), reserved: [0; 3] });
    currency.push(TextPayload::new("USD"));
    let mut venue =
        command(0, 0, ConfigureVenue { venue: 0, kind: kind as u32, currency: 0, reserved: [0; 2] });
    venue.push(VenuePayload {
        order_latency_ns: 0,
        report_latency_ns: 0,
        slippage: 0,
        volume_share: 0,
        options: 0,
    });
    vec![
        currency,
        venue,
        listing(INSTRUMENT, 0, "ABC"),
        opening(ACCOUNT),
        deposit(ACCOUNT),
        fees(ACCOUNT, false),
    ]
}

pub fn listing(instrument: u32, venue: u32, symbol: &str) -> RecordBuffer {
    listing_with(
        instrument,
        venue,
        symbol,
        InstrumentPayload { tick: 1, lot: 1, options: 0, reserved: [0; 2] },
    )
}

pub fn listing_with(instrument: u32, venue: u32, symbol: &str, rest: InstrumentPayload) -> RecordBuffer {
    let body = ListInstrument {
        price_unit_nano: 10_000_000,
        quantity_unit_nano: 1_000_000,
        multiplier_nano: 1_000_000_000,
        currency: CURRENCY,
        venue,
    };
    let mut record = command(0, instrument, body);
    record.push(rest);
    record.push(TextPayload::new(symbol));
    record
}

pub fn opening(account: u32) -> RecordBuffer {
    command(account, 0, OpenAccount { currency: u64::from(CURRENCY), shorting: 1, reserved: [0; 2] })
}

pub fn deposit(account: u32) -> RecordBuffer {
    let currency = u64::from(CURRENCY);
    command(account, 0, DepositCash { amount_nano: DEPOSIT_NANO, currency, reserved: [0; 2] })
}

pub fn fees(account: u32, external: bool) -> RecordBuffer {
    let external = u64::from(external);
    let body = SetFeeSchedule { maker_rate: 0, taker_rate: TAKER_RATE, flat_nano: 0, external };
    command(account, 0, body)
}

pub fn cancel(client_order_id: u64) -> RecordBuffer {
    command(ACCOUNT, 0, CancelOrder { client_order_id, reserved: [0; 3] })
}

pub fn replace(client_order_id: u64, price: i64, quantity: i64) -> RecordBuffer {
    command(ACCOUNT, 0, ReplaceOrder { client_order_id, price, quantity, stop_price: 0 })
}

/// A node with its tape, and everything that has come out of it.
#[derive(Debug)]
pub struct Stage {
    pub node: Node,
    pub tape: Tape,
    pub output: Vec<Slot>,
}

impl Stage {
    pub fn of(kind: VenueKind) -> Self {
        let mut stage = Stage::empty();
        set_up(kind).into_iter().for_each(|record| stage.node.command(record));
        stage.run(&[]);
        stage
    }

    pub fn empty() -> Self {
        let tape = Tape::default();
        let node = Node::new(0, Mode::Run, Some(Box::new(tape.clone())));
        Stage { node, tape, output: Vec::new() }
    }

    pub fn engine(&self) -> &Engine {
        self.node.engine()
    }

    pub fn submit(&mut self, order: &SubmitOrder) -> Vec<Slot> {
        self.command(order.to_record())
    }

    /// Sends a command and returns the events it led to.
    pub fn command(&mut self, record: RecordBuffer) -> Vec<Slot> {
        self.node.command(record);
        self.run(&[])
    }

    /// Feeds records until nothing waits; nobody is there to be woken.
    pub fn run(&mut self, slots: &[Slot]) -> Vec<Slot> {
        let mut input = Input::new(slots, Some(0));
        while self.node.poll(&mut input, usize::MAX).unwrap() != Poll::Idle {}
        let events = self.node.take_output();
        self.output.extend_from_slice(&events);
        check(self.engine());
        events
    }

    pub fn observe<B: Body>(&mut self, time: u64, body: B) -> Vec<Slot> {
        let mut record = command(0, INSTRUMENT, body);
        record.head_mut().time = time;
        self.run(record.slots())
    }

    /// The account's order, which the test has sent.
    pub fn order(&self, client_order_id: u64) -> &Order {
        self.engine().orders().by_client_id(ACCOUNT, client_order_id).unwrap()
    }

    pub fn cash(&self) -> i128 {
        self.engine().portfolio().account(ACCOUNT).unwrap().cash_in(CURRENCY)
    }

    pub fn position(&self) -> i64 {
        self.engine().portfolio().quantity(ACCOUNT, INSTRUMENT)
    }
}

/// Names of the events that are not about money, in order.
pub fn told(events: &[Slot]) -> Vec<&'static str> {
    let about_money = ["AccountChanged", "PositionOpened", "PositionChanged", "PositionClosed"];
    let names = events.iter().filter(|slot| slot.message != Message::Continuation as u16);
    let names = names.map(|slot| Message::from_number(slot.message).unwrap().name());
    names.filter(|name| !about_money.contains(name)).collect()
}

pub fn bytes(engine: &Engine) -> Vec<u8> {
    let mut writer = StateWriter::new();
    engine.write(&mut writer);
    writer.into_bytes()
}

pub fn restored(bytes: &[u8]) -> Engine {
    let mut reader = StateReader::new(bytes);
    let engine = Engine::read(&mut reader).unwrap();
    reader.finish().unwrap();
    engine
}

/// Replays `slots` from `engine`: the node at the end, and the events on the way.
pub fn replay(engine: Engine, slots: &[Slot]) -> (Node, Vec<Slot>) {
    let mut node = Node::from_engine(engine, Mode::Replay, None);
    let mut input = Input::new(slots, None);
    while node.poll(&mut input, usize::MAX).unwrap() != Poll::Idle {}
    let output = node.take_output();
    (node, output)
}

/// What holds after every record.
pub fn check(engine: &Engine) {
    for order in engine.orders().iter() {
        let id = order.order_id;
        let remote = engine.instruments().get(order.request.instrument).is_some_and(|instrument| {
            matches!(engine.venues()[usize::from(instrument.venue)], AnyVenue::Remote(_))
        });
        assert_eq!(
            order.uncommon.deadline != 0,
            remote && order.awaits_answer(),
            "deadline of {id} in {:?}",
            order.state
        );
        if order.request.sizing == Sizing::Units && order.cumulative_quantity <= order.terms.quantity {
            assert_eq!(
                order.leaves_quantity() + order.cumulative_quantity,
                order.terms.quantity,
                "order {id}"
            );
        }
    }
    for account in engine.portfolio().accounts() {
        let open = engine.orders().open().filter(|order| order.request.account == account.id).count();
        assert_eq!(
            engine.risk().open_orders(account.id),
            open as i64,
            "reservations of account {}",
            account.id
        );
        let positions = account.positions.values();
        let booked: i128 = positions.map(|of| of.realized - of.cost - of.fees).sum();
        let deposits = account.cash_in(account.currency) - booked;
        assert_eq!(deposits % i128::from(DEPOSIT_NANO), 0, "cash = deposits - cost + realized - fees");
    }
}
