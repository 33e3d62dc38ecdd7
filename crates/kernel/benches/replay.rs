//! What a restart costs: an order journal taken in by the kernel, with and without state hashes, and a whole restart
//! from a snapshot.
//!
//! `cargo bench -p openbell-kernel --bench replay`; `COMMANDS`, `ROUNDS` and `DAYS` make it shorter or longer;
//! `WAYS=1` leaves the state hash out, `LOOK_AHEAD=0` applies each record without a look at the next ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_types)]

mod figures;
#[path = "../tests/order_flow/mod.rs"]
#[allow(dead_code)]
mod order_flow;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use figures::tell;
use openbell_kernel::disk::RealDisk;
use openbell_kernel::engine::Engine;
use openbell_kernel::journal::{Content, Identity, JournalWriter, Settings};
use openbell_kernel::node::{Input, Mode, Node, Poll};
use openbell_kernel::record::{Slot, split_first};
use openbell_kernel::snapshot::{Owner, RestartOptions, SnapshotStore, restart};
use order_flow::{Day, Flow};

const BATCH: usize = 512;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    let (commands, rounds) = (number("COMMANDS", 1_000_000), number("ROUNDS", 3));
    let days = [(10_000, 1), (10_000, 100), (1_000_000, 100)];
    for (live, instruments) in days.into_iter().take(number("DAYS", 3)) {
        let day = Day { seed: 7, accounts: 64, instruments, live, has_specials: false };
        let (records, before) = Flow::of_day(day, commands);
        println!("{commands} order commands, {live} live orders, {instruments} instruments");
        let ways = [("engine, state hash off", None), ("engine, state hash on", Some(1024))];
        for (what, interval) in ways.into_iter().take(number("WAYS", 2)) {
            let mut rates: Vec<f64> = (0..rounds).map(|_| apply(&records, before, interval)).collect();
            let rate = median(&mut rates);
            println!("  {what:<32} {:>6.2} M records/s", rate / 1e6);
            if instruments == 1 {
                tell(&what.replace("engine", "replay"), rate);
            }
        }
        if number("RESTARTS", 1) == 1 {
            restarts(&records, before, rounds);
        }
    }
}

/// Records per second of an engine alone, hashing every `interval` sequences.
fn apply(records: &[Slot], before: usize, interval: Option<u64>) -> f64 {
    let mut engine = Engine::new(0);
    run(&mut engine, &records[..before], None);
    engine.state_hash();
    let begin = Instant::now();
    let applied = run(&mut engine, &records[before..], interval);
    applied as f64 / begin.elapsed().as_secs_f64()
}

fn run(engine: &mut Engine, mut records: &[Slot], interval: Option<u64>) -> usize {
    let looks_ahead = number("LOOK_AHEAD", 1) == 1;
    let (mut applied, mut seen) = (0, usize::MAX);
    while !records.is_empty() {
        if looks_ahead && records.len() <= seen {
            seen = records.len() - engine.look_ahead(records);
        }
        let (record, rest) = split_first(records).unwrap();
        engine.apply(record).unwrap();
        if interval.is_some_and(|interval| record[0].sequence.is_multiple_of(interval)) {
            engine.state_hash();
        }
        applied += 1;
        records = rest;
    }
    applied
}

/// A journal whose commands are the tail of a snapshot: how long each part of a restart takes.
fn restarts(records: &[Slot], before: usize, rounds: usize) {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("replay-bench");
    fs::remove_dir_all(&directory).ok();
    let (size, saved) = write(&directory, records, before);
    println!("  snapshot of {:.1} MB written in {saved:.2?}", size as f64 / 1e6);
    for (what, check_state) in [("restart, state hash off", false), ("restart, state hash on", true)] {
        let options = RestartOptions {
            snapshots: Some(directory.join("snapshots")),
            check_state,
            ..RestartOptions::default()
        };
        let mut seconds: Vec<f64> = (0..rounds).map(|_| restarted(&directory, &options)).collect();
        println!("  {what:<32} {:>6.2} s", median(&mut seconds));
    }
    fs::remove_dir_all(&directory).ok();
}

fn restarted(directory: &Path, options: &RestartOptions) -> f64 {
    let begin = Instant::now();
    let (_, _, report) = restart(Arc::new(RealDisk), directory, options).unwrap();
    let seconds = begin.elapsed().as_secs_f64();
    assert!(report.snapshot.is_some());
    seconds
}

/// Writes the journal as a node does and a snapshot before the commands; its bytes and the time it took.
fn write(directory: &Path, records: &[Slot], before: usize) -> (u64, Duration) {
    let (identity, settings) = (Identity::new(1, 1, "bench"), Settings::backtest(Content::Full));
    let mut journal = JournalWriter::create(Arc::new(RealDisk), directory, &identity, settings).unwrap();
    let mut node = Node::new(0, Mode::Replay, None);
    take(&mut node, &mut journal, &records[..before]);
    let store = SnapshotStore::new(Arc::new(RealDisk), &directory.join("snapshots"), Owner::of(&identity, 0));
    let begin = Instant::now();
    let path = store.save(&mut node, journal.position()).unwrap();
    let saved = begin.elapsed();
    take(&mut node, &mut journal, &records[before..]);
    (fs::metadata(path).unwrap().len(), saved)
}

fn take(node: &mut Node, journal: &mut JournalWriter, records: &[Slot]) {
    let mut at = 0;
    while at < records.len() {
        let mut end = (at + BATCH).min(records.len());
        while end < records.len() && records[end].sequence == records[end - 1].sequence {
            end += 1;
        }
        let mut input = Input::new(&records[at..end], None);
        while node.poll(&mut input, usize::MAX).unwrap() != Poll::Idle {}
        node.take_output();
        journal.append(&records[at..end]).unwrap();
        journal.commit(node.checkpoint(), node.output_hash()).unwrap();
        at = end;
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
