//! How much memory saving and restoring a large state takes besides the state: nothing that grows with it.
//!
//! `cargo run --release --example snapshot_memory -- save DIRECTORY 10000000`, then `-- restore DIRECTORY`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_types)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use openbell_kernel::command::{
    ConfigureVenue, DefineCurrency, DepositCash, InstrumentPayload, ListInstrument, OpenAccount, SubmitOrder,
    TextPayload,
};
use openbell_kernel::disk::RealDisk;
use openbell_kernel::engine::Engine;
use openbell_kernel::journal::Position;
use openbell_kernel::node::{Mode, Node};
use openbell_kernel::record::{Body, RecordBuffer, Slot};
use openbell_kernel::snapshot::{Owner, SnapshotStore};
use openbell_kernel::terms::{Side, VenueKind};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let directory = Path::new(arguments.get(2).expect("a directory")).to_owned();
    let owner = Owner { epoch: 1, shard: 0, configuration: 0 };
    let store = SnapshotStore::new(Arc::new(RealDisk), &directory, owner);
    match arguments[1].as_str() {
        "save" => save(&store, arguments.get(3).map_or(10_000_000, |count| count.parse().unwrap())),
        "restore" => restore(&store),
        other => panic!("save or restore, not {other}"),
    }
}

fn save(store: &SnapshotStore, orders: u64) {
    let mut node = Node::from_engine(Engine::new(0), Mode::Run, None);
    let mut rest = configuration();
    while !rest.is_empty() {
        let length = usize::from(rest[0].slots);
        node.submit(&mut rest[..length], 1).unwrap();
        rest.drain(..length);
    }
    for id in 1..=orders {
        let price = 1_000 + (id % 10_000) as i64;
        let order = SubmitOrder::limit(1, 1, id, Side::Buy, price, 1).to_record();
        node.submit(&mut order.slots().to_vec(), 1).unwrap();
        if id % 1_000 == 0 {
            node.commit().unwrap();
            node.take_output();
        }
    }
    node.commit().unwrap();
    node.take_output();
    let held = resident("VmRSS");
    fs::write("/proc/self/clear_refs", "5").unwrap(); // the peak begins anew
    let begin = Instant::now();
    let position = Position { segment: 1, offset: 512, sequence: node.sequence(), chain: 0 };
    let path = store.save(&mut node, position).unwrap();
    let bytes = fs::metadata(path).unwrap().len();
    tell("saved", orders, bytes, begin, held, resident("VmHWM"));
}

fn restore(store: &SnapshotStore) {
    let begin = Instant::now();
    let found = store.newest(u64::MAX, Mode::Replay).unwrap();
    let (head, node) = found.node.expect("a snapshot that is whole");
    let orders = node.engine().orders().iter().count() as u64;
    tell("restored", orders, head.body_length, begin, resident("VmRSS"), resident("VmHWM"));
}

fn tell(what: &str, orders: u64, bytes: u64, begin: Instant, held: u64, peak: u64) {
    println!(
        "{what} {orders} orders in a file of {} MiB in {:.1} s: {} MiB held, {} MiB at the peak",
        bytes >> 20,
        begin.elapsed().as_secs_f64(),
        held >> 10,
        peak >> 10
    );
}

/// A figure of this process in KiB.
fn resident(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches([':', '\t', ' ', 'k', 'B']).parse().unwrap()
}

fn command<B: Body>(account: u32, instrument: u32, body: B) -> RecordBuffer {
    let mut record = RecordBuffer::new(body);
    (record.head_mut().account, record.head_mut().instrument) = (account, instrument);
    record
}

fn configuration() -> Vec<Slot> {
    let mut currency = command(0, 0, DefineCurrency { currency: 1, reserved: [0; 3] });
    currency.push(TextPayload::new("USD"));
    let kind = VenueKind::Matching as u32;
    let venue = command(0, 0, ConfigureVenue { venue: 0, kind, currency: 0, reserved: [0; 2] });
    let listing = ListInstrument {
        price_unit_nano: 10_000_000,
        quantity_unit_nano: 1_000_000_000,
        multiplier_nano: 1_000_000_000,
        currency: 1,
        venue: 0,
    };
    let mut listing = command(0, 1, listing);
    listing.push(InstrumentPayload { tick: 1, lot: 1, options: 0, reserved: [0; 2] });
    listing.push(TextPayload::new("ABC"));
    let opening = command(1, 0, OpenAccount { currency: 1, shorting: 1, reserved: [0; 2] });
    let deposit = DepositCash { amount_nano: 9_000_000_000_000_000_000, currency: 1, reserved: [0; 2] };
    let records = [currency, venue, listing, opening, command(1, 0, deposit)];
    records.iter().flat_map(|record| record.slots().to_vec()).collect()
}
