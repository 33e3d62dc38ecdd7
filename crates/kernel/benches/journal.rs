//! What the journal costs: commits at several batch sizes beside a probe of the bare file system in the same minute,
//! checking, sealing, and bytes on disk.
//!
//! `cargo bench --bench journal`; the directory is `OPENBELL_BENCH_DIR`, by default one under `target`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_types)]

mod figures;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use openbell_kernel::disk::RealDisk;
use openbell_kernel::journal::{Content, Durability, Identity, JournalWriter, Settings, prove, verify};
use openbell_kernel::observation::TradeObserved;
use openbell_kernel::record::{SLOT_SIZE, Slot, stamp};

use figures::tell;

const BATCHES: [usize; 5] = [1, 8, 64, 512, 4096];
const ROUNDS: usize = 3;
/// Each measurement ends after so long or so many records.
const LONGEST: Duration = Duration::from_millis(1000);
const MOST_RECORDS: usize = 4_000_000;

fn main() {
    let directory = std::env::var_os("OPENBELL_BENCH_DIR")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("journal-bench"), PathBuf::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("journal, one-slot records of {SLOT_SIZE} bytes, median of {ROUNDS}; load {}", load.trim());
    println!(
        "{:>6} {:>12} {:>12} {:>12} {:>12} {:>9} {:>15} {:>15} {:>10} {:>10}",
        "batch",
        "none rec/s",
        "batch rec/s",
        "strict rec/s",
        "probe rec/s",
        "of probe",
        "p50/p99 us",
        "probe p50/p99",
        "p99/probe",
        "bytes/slot"
    );
    for batch in BATCHES {
        commits(&directory, batch);
    }
    least_batch(&directory);
    checking(&directory);
    fs::remove_dir_all(&directory).ok();
}

/// Rates of the rounds of one measurement, and the times of all their commits.
#[derive(Default)]
struct Measured {
    rates: Vec<f64>,
    times: Vec<Duration>,
}

impl Measured {
    fn add(&mut self, (rate, times): (f64, Vec<Duration>)) {
        self.rates.push(rate);
        self.times.extend(times);
    }

    fn rate(&mut self) -> f64 {
        median(&mut self.rates)
    }

    fn percentile(&mut self, share: usize) -> f64 {
        self.times.sort();
        self.times[self.times.len() * share / 100].as_nanos() as f64 / 1e3
    }

    fn percentiles(&mut self) -> String {
        format!("{:.0}/{:.0}", self.percentile(50), self.percentile(99))
    }
}

fn commits(directory: &Path, batch: usize) {
    let [mut none, mut durable, mut strict, mut probe] = std::array::from_fn(|_| Measured::default());
    let mut per_slot = 0.0;
    for _ in 0..ROUNDS {
        none.add(write(directory, Durability::None, batch));
        durable.add(write(directory, Durability::Batch, batch));
        let report = verify(Arc::new(RealDisk), directory).unwrap();
        per_slot = report.bytes as f64 / report.slots as f64;
        probe.add(bare(directory, batch));
        strict.add(write(directory, Durability::Strict, batch));
    }
    println!(
        "{batch:>6} {:>12.0} {:>12.0} {:>12.0} {:>12.0} {:>9.2} {:>15} {:>15} {:>10.2} {per_slot:>10.1}",
        none.rate(),
        durable.rate(),
        strict.rate(),
        probe.rate(),
        durable.rate() / probe.rate(),
        durable.percentiles(),
        probe.percentiles(),
        durable.percentile(99) / probe.percentile(99),
    );
    tell(&format!("commit p99 / probe p99, batch {batch}"), durable.percentile(99) / probe.percentile(99));
    tell(&format!("bytes per slot, batch {batch}"), per_slot);
}

/// Bytes on disk in the smallest batches for which they are bounded.
fn least_batch(directory: &Path) {
    let batch = 16;
    write(directory, Durability::Batch, batch);
    let report = verify(Arc::new(RealDisk), directory).unwrap();
    let per_slot = report.bytes as f64 / report.slots as f64;
    println!("batches of {batch}: {per_slot:.1} bytes a slot");
    tell(&format!("bytes per slot, batch {batch}"), per_slot);
}

/// Records per second, and the time of each commit.
fn write(directory: &Path, durability: Durability, batch: usize) -> (f64, Vec<Duration>) {
    fs::remove_dir_all(directory).ok();
    let identity = Identity::new(1, 1, "bench");
    let settings = Settings::of(durability, Content::Full);
    let mut writer =
        JournalWriter::create_anywhere(Arc::new(RealDisk), directory, &identity, settings).unwrap();
    writer.prepare_in_background();
    let (mut slots, mut times, mut written) = (batch_of(batch), Vec::new(), 0);
    let begin = Instant::now();
    while begin.elapsed() < LONGEST && written < MOST_RECORDS {
        let before = Instant::now();
        for (slot, sequence) in slots.iter_mut().zip(writer.next_sequence()..) {
            stamp(std::slice::from_mut(slot), sequence, sequence);
        }
        writer.append(&slots).unwrap();
        writer.commit(None, 0).unwrap();
        times.push(before.elapsed());
        written += batch;
    }
    let rate = written as f64 / begin.elapsed().as_secs_f64();
    drop(writer);
    (rate, times)
}

/// The same bytes per commit written to a prepared file and synced, nothing else.
fn bare(directory: &Path, batch: usize) -> (f64, Vec<Duration>) {
    let path = directory.join("probe");
    let bytes = ((batch + 2) * SLOT_SIZE).next_multiple_of(512);
    let file = prepared(&path, 64 << 20);
    let block = vec![7; bytes];
    let (mut offset, mut written, mut times) = (0, 0, Vec::new());
    let begin = Instant::now();
    while begin.elapsed() < LONGEST && written < MOST_RECORDS {
        let before = Instant::now();
        file.write_all_at(&block, offset).unwrap();
        file.sync_data().unwrap();
        times.push(before.elapsed());
        offset = (offset + bytes as u64) % ((64 << 20) - bytes as u64) / 512 * 512;
        written += batch;
    }
    (written as f64 / begin.elapsed().as_secs_f64(), times)
}

fn prepared(path: &Path, size: usize) -> File {
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(path).unwrap();
    file.write_all_at(&vec![0; size], 0).unwrap();
    file.sync_all().unwrap();
    file
}

fn checking(directory: &Path) {
    for batch in [64, 512, 4096] {
        fs::remove_dir_all(directory).ok();
        let identity = Identity::new(1, 1, "bench");
        let settings = Settings::of(Durability::Os, Content::Full);
        let mut writer =
            JournalWriter::create_anywhere(Arc::new(RealDisk), directory, &identity, settings).unwrap();
        let mut slots = batch_of(batch);
        while writer.next_sequence() < MOST_RECORDS as u64 {
            for (slot, sequence) in slots.iter_mut().zip(writer.next_sequence()..) {
                stamp(std::slice::from_mut(slot), sequence, sequence);
            }
            writer.append(&slots).unwrap();
            writer.commit(None, 0).unwrap();
        }
        writer.close(None, 0).unwrap();
        let (mut rates, mut of_core, mut proofs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..2 * ROUNDS {
            let (begin, on_core) = (Instant::now(), core_time());
            let report = verify(Arc::new(RealDisk), directory).unwrap();
            rates.push(report.bytes as f64 / begin.elapsed().as_secs_f64() / 1e9);
            of_core.push(report.bytes as f64 / (core_time() - on_core).as_secs_f64() / 1e9);
        }
        for _ in 0..ROUNDS {
            let begin = Instant::now();
            assert!(prove(Arc::new(RealDisk), directory, None).unwrap().touched.is_none());
            proofs.push(MOST_RECORDS as f64 * SLOT_SIZE as f64 / begin.elapsed().as_secs_f64() / 1e9);
        }
        println!(
            "verify, batches of {batch}, warm: {:.2} GB/s ({:.2} per second of a core), prove {:.2} GB/s",
            median(&mut rates),
            median(&mut of_core),
            median(&mut proofs)
        );
        tell(&format!("verify, batch {batch}"), median(&mut rates));
    }
}

/// How long this thread was on a core: a busy machine does not change it. Zero where the system does not say.
fn core_time() -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split_whitespace().next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

fn batch_of(count: usize) -> Vec<Slot> {
    let trade = |index| TradeObserved { price: 100 + index, quantity: index, trade_id: 1, exchange_time: 2 };
    (0..count as i64).map(|index| Slot::new(trade(index))).collect()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
