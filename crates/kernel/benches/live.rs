//! The node live: from an order to its durable acknowledgment, and records per second through all threads, beside the
//! same records applied without a journal and a probe that writes and syncs as many bytes.
//!
//! `cargo bench --bench live`; the directory is `OPENBELL_BENCH_DIR`, by default one under `target`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_types)]

mod figures;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use openbell_kernel::clock::Clock;
use openbell_kernel::clock::system::SystemClock;
use openbell_kernel::command::{
    CancelOrder, ConfigureVenue, DefineCurrency, DepositCash, InstrumentPayload, ListInstrument, OpenAccount,
    SubmitOrder, TextPayload,
};
use openbell_kernel::disk::RealDisk;
use openbell_kernel::engine::Engine;
use openbell_kernel::journal::{Content, Durability, Identity, JournalWriter, Settings};
use openbell_kernel::live::{LiveNode, LiveOptions, configure};
use openbell_kernel::message::Message;
use openbell_kernel::node::{Mode, Node};
use openbell_kernel::record::{Body, RecordBuffer, SLOT_SIZE, Slot};
use openbell_kernel::ring::Signal;
use openbell_kernel::terms::{Side, VenueKind};

use figures::tell;

const ROUNDS: usize = 3;
const LONGEST: Duration = Duration::from_millis(1000);
const PROBE_BYTES: usize = 64 << 20;
const MODES: [Durability; 3] = [Durability::None, Durability::Batch, Durability::Strict];

fn main() {
    let directory = std::env::var_os("OPENBELL_BENCH_DIR")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("live-bench"), PathBuf::from);
    println!("one order at a time, from submit to its durable OrderAccepted, microseconds, {ROUNDS} rounds");
    println!("{:>8} {:>8} {:>8} {:>8} {:>10}", "mode", "p50", "p99", "max", "orders");
    for durability in MODES {
        let mut times: Vec<Duration> =
            (0..ROUNDS).flat_map(|_| round_trips(&directory, durability)).collect();
        times.sort();
        let at =
            |share: usize| times[(times.len() * share / 1000).min(times.len() - 1)].as_nanos() as f64 / 1e3;
        let name = durability.name();
        println!("{name:>8} {:>8.1} {:>8.1} {:>8.1} {:>10}", at(500), at(990), at(1000), times.len());
    }
    println!(
        "\norders and cancels per second, acknowledged, median of {ROUNDS} (spread); submitted in batches"
    );
    println!(
        "{:>8} {:>22} {:>22} {:>22} {:>22} {:>10}",
        "batch", "none", "batch", "without a journal", "probe", "ratio"
    );
    for batch in [1, 8, 64, 512, 4096] {
        let [mut none, mut durable, mut bare, mut probed] = std::array::from_fn(|_| Vec::new());
        for _ in 0..ROUNDS {
            none.push(throughput(&directory, Durability::None, batch, None));
            durable.push(throughput(&directory, Durability::Batch, batch, None));
            bare.push(without_journal(batch));
            probed.push(probe(&directory, batch));
        }
        // Of the smaller of what the engine and the disk can do.
        let ratio = median(&durable) / median(&bare).min(median(&probed));
        tell(&format!("durable / smaller of engine and disk, batch {batch}"), ratio);
        println!(
            "{batch:>8} {:>22} {:>22} {:>22} {:>22} {ratio:>10.2}",
            words(&none),
            words(&durable),
            words(&bare),
            words(&probed)
        );
    }
    on_each_processor(&directory);
    fs::remove_dir_all(&directory).ok();
}

/// The node thread kept on one processor after the other: one of them takes the disk's interrupts.
fn on_each_processor(directory: &Path) {
    let batch = 512;
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    println!("\nthe same in `batch`, in batches of {batch}, the node thread kept on one processor");
    println!(
        "{:>9} {:>22} {:>22} {:>22} {:>10}",
        "processor", "batch", "without a journal", "probe", "ratio"
    );
    let mut best: f64 = 0.0;
    for processor in 0..count.min(8) {
        let [mut durable, mut bare, mut probed] = std::array::from_fn(|_| Vec::new());
        for _ in 0..ROUNDS {
            durable.push(throughput(directory, Durability::Batch, batch, Some(processor)));
            bare.push(without_journal(batch));
            probed.push(probe(directory, batch));
        }
        let ratio = median(&durable) / median(&bare).min(median(&probed));
        best = best.max(ratio);
        println!(
            "{processor:>9} {:>22} {:>22} {:>22} {ratio:>10.2}",
            words(&durable),
            words(&bare),
            words(&probed)
        );
    }
    tell(&format!("durable / smaller of engine and disk, batch {batch}, on the best processor"), best);
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

/// Orders that rest, each canceled some hundred orders later, so that the book stays small.
struct Flow {
    next_id: u64,
    cancels_next: bool,
}

impl Flow {
    fn next(&mut self) -> Slot {
        self.cancels_next = !self.cancels_next && self.next_id > 500;
        if self.cancels_next {
            let body = CancelOrder { client_order_id: self.next_id - 500, reserved: [0; 3] };
            return command(1, 0, body).slots()[0];
        }
        self.next_id += 1;
        let price = 1_000 + (self.next_id * 7 % 50) as i64;
        SubmitOrder::limit(1, 1, self.next_id, Side::Buy, price, 1).to_record().slots()[0]
    }
}

fn flow() -> Flow {
    Flow { next_id: 0, cancels_next: false }
}

fn live(directory: &Path, durability: Durability, processor: Option<usize>) -> (LiveNode, Arc<Signal>) {
    fs::remove_dir_all(directory).ok();
    let identity = Identity::new(1, 1, "bench");
    let settings = Settings::of(durability, Content::Full);
    let mut writer = JournalWriter::create(Arc::new(RealDisk), directory, &identity, settings).unwrap();
    let node = configure(0, &configuration(), SystemClock.now(), Some(&mut writer)).unwrap();
    let signal = Arc::new(Signal::default());
    signal.attend();
    let bell = Box::new(signal.clone());
    let options = LiveOptions { processor, ..LiveOptions::default() };
    let live = LiveNode::start(node, writer, Arc::new(SystemClock), bell, options).unwrap();
    (live, signal)
}

fn round_trips(directory: &Path, durability: Durability) -> Vec<Duration> {
    let (live, signal) = live(directory, durability, None);
    let (mut flow, mut out, mut times) = (flow(), Vec::new(), Vec::new());
    let begin = Instant::now();
    while begin.elapsed() < LONGEST {
        let record = flow.next();
        let before = Instant::now();
        assert_eq!(live.submit(&[record]).unwrap(), 1);
        out.clear();
        while out.is_empty() {
            signal.wait(200, Some(1_000_000), || live.health().egress.filled > 0);
            live.take_outputs(&mut out, usize::MAX).unwrap();
        }
        times.push(before.elapsed());
    }
    live.stop().unwrap();
    times
}

/// Acknowledged records per second.
fn throughput(directory: &Path, durability: Durability, batch: usize, processor: Option<usize>) -> f64 {
    let (live, signal) = live(directory, durability, processor);
    let (mut flow, mut out, mut sent, mut answered) = (flow(), Vec::new(), 0, 0);
    let first = live.health().sequence;
    let mut slots: Vec<Slot> = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < LONGEST {
        if slots.is_empty() {
            slots.extend((0..batch).map(|_| flow.next()));
        }
        let taken = live.submit(&slots).unwrap();
        slots.drain(..taken);
        sent += taken as u64;
        out.clear();
        live.take_outputs(&mut out, usize::MAX).unwrap();
        answered = out.last().map_or(answered, |event| event.sequence - first);
        if taken == 0 && out.is_empty() {
            signal.wait(0, Some(100_000), || live.health().egress.filled > 0);
        }
    }
    while answered < sent {
        out.clear();
        live.take_outputs(&mut out, usize::MAX).unwrap();
        answered = out.last().map_or(answered, |event| event.sequence - first);
    }
    let rate = sent as f64 / begin.elapsed().as_secs_f64();
    live.stop().unwrap();
    rate
}

/// Records per second of one thread that writes as many bytes per batch to a prepared file, and syncs each.
fn probe(directory: &Path, batch: usize) -> f64 {
    let path = directory.join("probe");
    let bytes = ((batch + 2) * SLOT_SIZE).next_multiple_of(512);
    let file = fs::File::create(&path).unwrap();
    file.write_all_at(&vec![0; PROBE_BYTES], 0).unwrap();
    file.sync_all().unwrap();
    let block = vec![7; bytes];
    let (mut offset, mut written) = (0, 0);
    let begin = Instant::now();
    while begin.elapsed() < LONGEST {
        file.write_all_at(&block, offset).unwrap();
        file.sync_data().unwrap();
        offset = (offset + bytes as u64) % (PROBE_BYTES - bytes) as u64 / 512 * 512;
        written += batch;
    }
    written as f64 / begin.elapsed().as_secs_f64()
}

/// The same records applied in one thread, their events taken and looked at, nothing written.
fn without_journal(batch: usize) -> f64 {
    let mut node = Node::from_engine(Engine::new(0), Mode::Run, None);
    let mut rest = configuration();
    while !rest.is_empty() {
        let length = usize::from(rest[0].slots);
        node.submit(&mut rest[..length], 1).unwrap();
        rest.drain(..length);
    }
    let (mut flow, mut sent, mut accepted) = (flow(), 0, 0);
    let begin = Instant::now();
    while begin.elapsed() < LONGEST {
        for _ in 0..batch {
            node.submit(&mut [flow.next()], SystemClock.now()).unwrap();
        }
        node.commit().unwrap();
        sent += batch;
        let output = node.take_output();
        accepted += output.iter().filter(|slot| slot.message == Message::OrderAccepted as u16).count();
    }
    assert!(accepted > 0);
    sent as f64 / begin.elapsed().as_secs_f64()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn words(rates: &[f64]) -> String {
    let spread =
        rates.iter().copied().fold(f64::MIN, f64::max) - rates.iter().copied().fold(f64::MAX, f64::min);
    format!("{:.0} (±{:.0}%)", median(rates), spread / median(rates) * 50.0)
}
