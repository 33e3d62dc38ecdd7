//! Market data cost the simulated venue no allocation, whether orders rest or not.
#![allow(clippy::unwrap_used, clippy::expect_used)] // an unwrap that fails is a failing test

mod counting;
#[allow(dead_code)]
#[path = "simulated_venue/floor.rs"]
mod floor;

use floor::{Floor, bar, level, limit, quote, stop, trade};
use openbell_kernel::record::{RecordBuffer, stamp};
use openbell_kernel::terms::Side::{Buy, Sell};
use openbell_kernel::venue::Venue;

/// Three instruments with a bar each, or one round of finer data, per step.
fn bars(step: u64) -> Vec<(RecordBuffer, u64)> {
    let (open_time, close_time) = (10 * step, 10 * step + 10);
    let wave = (step % 7) as i64;
    let prices = [100 + wave, 104 + wave, 97 + wave, 101 + wave];
    (1..=3).map(|id| (bar(id, open_time, close_time, prices, 1_000, id == 3), close_time)).collect()
}

fn ticks(step: u64) -> Vec<(RecordBuffer, u64)> {
    let wave = (step % 7) as i64;
    let records = [
        quote((97 + wave, 10), (101 + wave, 10)),
        trade(99 + wave, 5),
        level(Buy, 97 - wave, step as i64 % 3 * 5, false, false),
        level(Sell, 101 + wave, 5, false, true),
    ];
    records.into_iter().map(|record| (record, 10 * step)).collect()
}

fn feed(floor: &mut Floor, records: &mut [(RecordBuffer, u64)]) {
    for (record, time) in records {
        stamp(record.slots_mut(), 1, *time);
        floor.venue.observe(record.slots());
        while floor.venue.next_report(*time, &floor.books).is_some() {}
    }
}

#[test]
fn market_data_cost_no_allocation() {
    for (name, data) in [("bars", bars as fn(u64) -> _), ("ticks", ticks)] {
        for has_orders in [false, true] {
            let mut floor = Floor::plain();
            let mut step = 0;
            let mut next = |steps: u64| -> Vec<(RecordBuffer, u64)> {
                step += steps;
                (step - steps..step).flat_map(data).collect()
            };
            feed(&mut floor, &mut next(20));
            if has_orders {
                floor.time = floor.time.max(200);
                floor.submit(limit(1, Buy, 50, 5));
                floor.submit(stop(2, Sell, 40, 5));
            }
            feed(&mut floor, &mut next(50));
            let mut rest = next(1_000);
            let count = counting::allocations(|| feed(&mut floor, &mut rest));
            assert_eq!(count, 0, "{name}, orders live: {has_orders}");
        }
    }
}
