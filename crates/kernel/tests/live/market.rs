//! A market with one instrument and two accounts on a live node.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use openbell_kernel::clock::Clock;
use openbell_kernel::clock::system::SystemClock;
use openbell_kernel::command::{
    CancelOrder, ConfigureVenue, DefineCurrency, DepositCash, InstrumentPayload, ListInstrument, OpenAccount,
    SubmitOrder, TextPayload,
};
use openbell_kernel::disk::memory::Operation;
use openbell_kernel::disk::{Disk, MemoryDisk};
use openbell_kernel::journal::{Identity, JournalWriter, Settings};
use openbell_kernel::live::{LiveNode, LiveOptions, configure, restart};
use openbell_kernel::message::Message;
use openbell_kernel::node::Node;
use openbell_kernel::record::{Body, RecordBuffer, Slot, split_first};
use openbell_kernel::ring::Signal;
use openbell_kernel::terms::{Side, VenueKind};

pub const CURRENCY: u32 = 1;
pub const INSTRUMENT: u32 = 1;
pub const BUYER: u32 = 1;
pub const SELLER: u32 = 2;
/// Longer than any step of a test takes; nothing is measured with it.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn command<B: Body>(account: u32, instrument: u32, body: B) -> RecordBuffer {
    let mut record = RecordBuffer::new(body);
    (record.head_mut().account, record.head_mut().instrument) = (account, instrument);
    record
}

pub fn configuration() -> Vec<Slot> {
    let mut currency = command(0, 0, DefineCurrency { currency: u64::from(CURRENCY), reserved: [0; 3] });
    currency.push(TextPayload::new("USD"));
    let kind = VenueKind::Matching as u32;
    let venue = command(0, 0, ConfigureVenue { venue: 0, kind, currency: 0, reserved: [0; 2] });
    let listing = ListInstrument {
        price_unit_nano: 10_000_000,
        quantity_unit_nano: 1_000_000_000,
        multiplier_nano: 1_000_000_000,
        currency: CURRENCY,
        venue: 0,
    };
    let mut listing = command(0, INSTRUMENT, listing);
    listing.push(InstrumentPayload { tick: 1, lot: 1, options: 0, reserved: [0; 2] });
    listing.push(TextPayload::new("ABC"));
    let mut records = vec![currency, venue, listing];
    for account in [BUYER, SELLER] {
        let currency = u64::from(CURRENCY);
        records.push(command(account, 0, OpenAccount { currency, shorting: 1, reserved: [0; 2] }));
        let amount_nano = 9_000_000_000_000_000_000;
        records.push(command(account, 0, DepositCash { amount_nano, currency, reserved: [0; 2] }));
    }
    records.iter().flat_map(|record| record.slots().to_vec()).collect()
}

pub fn order(account: u32, client_order_id: u64, side: Side, price: i64) -> Vec<Slot> {
    SubmitOrder::limit(account, INSTRUMENT, client_order_id, side, price, 1).to_record().slots().to_vec()
}

/// A bid far below the market: it rests.
pub fn bid(client_order_id: u64) -> Vec<Slot> {
    order(BUYER, client_order_id, Side::Buy, 100 + (client_order_id % 50) as i64)
}

pub fn cancel(client_order_id: u64) -> Vec<Slot> {
    command(BUYER, 0, CancelOrder { client_order_id, reserved: [0; 3] }).slots().to_vec()
}

pub fn path() -> PathBuf {
    PathBuf::from("exchange")
}

/// A configured node and its journal on `disk`.
pub fn created(disk: Arc<dyn Disk>, path: &Path, settings: Settings) -> (Node, JournalWriter) {
    let identity = Identity::new(7, 1, "test");
    let mut writer = JournalWriter::create(disk, path, &identity, settings).unwrap();
    let node = configure(0, &configuration(), SystemClock.now(), Some(&mut writer)).unwrap();
    (node, writer)
}

pub fn live(node: Node, writer: JournalWriter, options: LiveOptions) -> LiveNode {
    let bell = Box::new(Signal::default());
    LiveNode::start(node, writer, Arc::new(SystemClock), bell, options).unwrap()
}

/// Segments small enough for a disk in memory.
pub fn settings() -> Settings {
    Settings { segment_size: 1 << 20, ..Settings::durable() }
}

/// A market on a disk in memory, ready to trade.
pub fn market(disk: &MemoryDisk, options: LiveOptions) -> LiveNode {
    let (node, writer) = created(Arc::new(disk.clone()), &path(), settings());
    live(node, writer, options)
}

pub fn reopened(disk: &MemoryDisk) -> Node {
    restart(Arc::new(disk.clone()), &path()).unwrap().0
}

/// Waits until `is_so`; a test that waits for ever fails.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// Waits until nothing was asked of the disk for a while: else a fault would meet the upkeep that follows a commit.
pub fn until_quiet(disk: &MemoryDisk) {
    let calls = || [Operation::Write, Operation::Sync].map(|operation| disk.calls(operation));
    let (mut seen, mut since) = (calls(), Instant::now());
    until("the end of the upkeep", || {
        let now = calls();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        since.elapsed() > Duration::from_millis(100)
    });
}

/// Submits whole records, again when busy.
pub fn submit_all(live: &LiveNode, records: &[Vec<Slot>]) {
    for record in records {
        until("room in the ingress ring", || live.submit(record).unwrap() == 1);
    }
}

/// Takes outputs until `count` events of `message` have come.
pub fn take_until(live: &LiveNode, message: Message, count: usize) -> Vec<Slot> {
    let mut out = Vec::new();
    until("events", || {
        live.take_outputs(&mut out, usize::MAX).unwrap();
        heads(&out, message).len() >= count
    });
    out
}

pub fn events(slots: &[Slot]) -> Vec<&[Slot]> {
    let (mut rest, mut events) = (slots, Vec::new());
    while let Ok((event, after)) = split_first(rest) {
        events.push(event);
        rest = after;
    }
    assert!(rest.is_empty(), "half an event");
    events
}

pub fn heads(slots: &[Slot], message: Message) -> Vec<Slot> {
    events(slots).iter().map(|event| event[0]).filter(|head| head.message == message as u16).collect()
}
