//! What a restart costs: an order journal replayed by the kernel, with and without state hashes.
//!
//! `cargo bench -p openbell-kernel --bench replay`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_types)]

#[path = "../tests/order_flow/mod.rs"]
#[allow(dead_code)]
mod order_flow;

use std::time::Instant;

use openbell_kernel::engine::Engine;
use openbell_kernel::record::{Slot, split_first};
use order_flow::{Day, Flow};

const COMMANDS: usize = 1_000_000;
const ROUNDS: usize = 3;

fn main() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    for (live, instruments) in [(10_000, 1), (10_000, 100), (1_000_000, 100)] {
        let day = Day { seed: 7, accounts: 64, instruments, live, has_specials: false };
        let (records, before) = Flow::of_day(day, COMMANDS);
        println!("{COMMANDS} order commands, {live} live orders, {instruments} instruments");
        for _ in 0..rounds {
            apply(&records, before, None);
            apply(&records, before, Some(1024));
        }
    }
}

/// Applies records to an engine, hashing every `interval` sequences.
fn apply(records: &[Slot], before: usize, interval: Option<u64>) {
    let mut engine = Engine::new(0);
    run(&mut engine, &records[..before], None);
    let first = Instant::now();
    let hash = engine.state_hash();
    let first = first.elapsed();
    let begin = Instant::now();
    let applied = run(&mut engine, &records[before..], interval);
    let rate = applied as f64 / begin.elapsed().as_secs_f64();
    let what = if interval.is_some() { "state hash on" } else { "state hash off" };
    println!("  {what:<15} {:.2} M records/s; first hash {first:?} {:x}", rate / 1e6, hash as u16);
}

fn run(engine: &mut Engine, mut records: &[Slot], interval: Option<u64>) -> usize {
    let mut applied = 0;
    while !records.is_empty() {
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
