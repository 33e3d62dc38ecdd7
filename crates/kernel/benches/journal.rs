//! What the journal costs: commits at several batch sizes in both modes beside a probe of the bare file system,
//! checking, and bytes on disk.
//!
//! `cargo bench --bench journal`; the directory is `OPENBELL_BENCH_DIR`, by default one under `target`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_types)]

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use openbell_kernel::disk::RealDisk;
use openbell_kernel::journal::{Content, Identity, JournalWriter, Settings, verify};
use openbell_kernel::observation::TradeObserved;
use openbell_kernel::record::{SLOT_SIZE, Slot, stamp};

const BATCHES: [usize; 5] = [1, 8, 64, 512, 4096];
const ROUNDS: usize = 3;
/// Each measurement ends after so long or so many records.
const LONGEST: Duration = Duration::from_millis(1500);
const MOST_RECORDS: usize = 4_000_000;

fn main() {
    let directory = std::env::var_os("OPENBELL_BENCH_DIR")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("journal-bench"), PathBuf::from);
    println!("journal, one-slot records of {SLOT_SIZE} bytes, median of {ROUNDS}");
    println!(
        "{:>6} {:>14} {:>14} {:>16} {:>8} {:>12} {:>12}",
        "batch", "none rec/s", "batch rec/s", "probe rec/s", "ratio", "p50/p99 us", "bytes/slot"
    );
    for batch in BATCHES {
        commits(&directory, batch);
    }
    checking(&directory);
    fs::remove_dir_all(&directory).ok();
}

fn commits(directory: &Path, batch: usize) {
    let (mut none, mut durable, mut probe) = (Vec::new(), Vec::new(), Vec::new());
    let (mut latencies, mut per_slot) = (Vec::new(), 0.0);
    for _ in 0..ROUNDS {
        none.push(write(directory, Settings::backtest(Content::Full), batch).0);
        let (rate, times, bytes) = write(directory, Settings::durable(), batch);
        durable.push(rate);
        latencies.extend(times);
        per_slot = bytes;
        probe.push(bare(directory, batch));
    }
    latencies.sort();
    let at = |share: usize| latencies[latencies.len() * share / 100].as_micros();
    println!(
        "{batch:>6} {:>14.0} {:>14.0} {:>16.0} {:>8.2} {:>12} {per_slot:>12.1}",
        median(&mut none),
        median(&mut durable),
        median(&mut probe),
        median(&mut durable) / median(&mut probe),
        format!("{}/{}", at(50), at(99))
    );
}

/// Records per second, time of each commit, bytes per slot.
fn write(directory: &Path, settings: Settings, batch: usize) -> (f64, Vec<Duration>, f64) {
    fs::remove_dir_all(directory).ok();
    let identity = Identity::new(1, 1, "bench");
    let mut writer = JournalWriter::create(Arc::new(RealDisk), directory, &identity, settings).unwrap();
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
    let report = verify(Arc::new(RealDisk), directory).unwrap();
    assert_eq!(report.last_sequence, written as u64);
    (rate, times, report.bytes as f64 / report.slots as f64)
}

/// The same bytes per commit written to a prepared file and synced, nothing else.
fn bare(directory: &Path, batch: usize) -> f64 {
    let path = directory.join("probe");
    let bytes = ((batch + 2) * SLOT_SIZE).next_multiple_of(512);
    let file = prepared(&path, 64 << 20);
    let block = vec![7; bytes];
    let (mut offset, mut written) = (0, 0);
    let begin = Instant::now();
    while begin.elapsed() < LONGEST && written < MOST_RECORDS {
        file.write_all_at(&block, offset).unwrap();
        file.sync_data().unwrap();
        offset = (offset + bytes as u64) % ((64 << 20) - bytes as u64) / 512 * 512;
        written += batch;
    }
    written as f64 / begin.elapsed().as_secs_f64()
}

fn prepared(path: &Path, size: usize) -> File {
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(path).unwrap();
    file.write_all_at(&vec![0; size], 0).unwrap();
    file.sync_all().unwrap();
    file
}

fn checking(directory: &Path) {
    for batch in [64, 4096] {
        fs::remove_dir_all(directory).ok();
        let identity = Identity::new(1, 1, "bench");
        let settings = Settings::backtest(Content::Full);
        let mut writer = JournalWriter::create(Arc::new(RealDisk), directory, &identity, settings).unwrap();
        let mut slots = batch_of(batch);
        while writer.next_sequence() < MOST_RECORDS as u64 {
            for (slot, sequence) in slots.iter_mut().zip(writer.next_sequence()..) {
                stamp(std::slice::from_mut(slot), sequence, sequence);
            }
            writer.append(&slots).unwrap();
            writer.commit(None, 0).unwrap();
        }
        drop(writer);
        let mut rates = Vec::new();
        for _ in 0..2 * ROUNDS {
            let begin = Instant::now();
            let report = verify(Arc::new(RealDisk), directory).unwrap();
            rates.push(report.bytes as f64 / begin.elapsed().as_secs_f64() / 1e9);
        }
        println!("verify, batches of {batch}, warm: {:.2} GB/s", median(&mut rates));
    }
}

fn batch_of(count: usize) -> Vec<Slot> {
    let trade = |index| TradeObserved { price: 100 + index, quantity: index, trade_id: 1, exchange_time: 2 };
    (0..count as i64).map(|index| Slot::new(trade(index))).collect()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
