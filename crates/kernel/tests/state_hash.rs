//! The state hash that is kept up to date is the one that is computed from nothing, at every moment.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code)] // the benchmark uses the rest
mod order_flow;

use openbell_kernel::engine::Engine;
use openbell_kernel::record::split_first;
use openbell_kernel::state::{State, StateReader, StateWriter};
use order_flow::{Day, Flow};

fn restored(engine: &Engine) -> Engine {
    let mut out = StateWriter::new();
    engine.write(&mut out);
    let mut input = StateReader::new(out.as_slice());
    let engine = Engine::read(&mut input).unwrap();
    input.finish().unwrap();
    engine
}

fn seed() -> u64 {
    std::env::var("OPENBELL_SEED").ok().map_or(1, |text| text.parse().unwrap())
}

fn day(seed: u64) -> Day {
    println!("seed {seed}: OPENBELL_SEED={seed} cargo test -p openbell-kernel --test state_hash");
    Day { seed, accounts: 5, instruments: 3, live: 60, has_specials: true }
}

#[test]
fn the_kept_hash_is_the_computed_one_whenever_it_is_asked_for() {
    for seed in seed()..seed() + 8 {
        let mut flow = Flow::new(day(seed));
        for step in 0..3_000 {
            flow.step();
            // Seldom asked, much has changed and gone in between; often asked, little has.
            let every = [1, 7, 64, 500][step / 750];
            if step % every == 0 {
                let kept = flow.engine().state_hash();
                assert_eq!(restored(flow.engine()).state_hash(), kept, "seed {seed}, step {step}");
            }
        }
    }
}

#[test]
fn a_restored_engine_has_the_same_future() {
    let mut flow = Flow::new(day(seed()));
    let mut copies = Vec::new();
    for step in 0..2_000 {
        flow.step();
        if step % 400 == 0 {
            copies.push((restored(flow.engine()), flow.records().len()));
        }
    }
    let last = flow.engine().state_hash();
    for (mut copy, mut at) in copies {
        while at < flow.records().len() {
            let (record, _) = split_first(&flow.records()[at..]).unwrap();
            copy.apply(record).unwrap();
            at += record.len();
        }
        assert_eq!(copy.state_hash(), last);
    }
}

#[test]
fn the_order_of_a_queue_is_part_of_the_state() {
    use openbell_kernel::command::{ReplaceOrder, SubmitOrder};
    use openbell_kernel::record::RecordBuffer;
    use openbell_kernel::terms::Side;

    // Two orders at one price; either leaves its place and comes back. Same orders, same terms, another queue.
    let queue = |moved: u64| {
        let mut flow = Flow::new(Day { seed: 1, accounts: 1, instruments: 1, live: 0, has_specials: false });
        for id in [1, 2] {
            flow.push(SubmitOrder::limit(1, 1, id, Side::Buy, 100, 5).to_record(), 1, 1);
        }
        for price in [99, 100] {
            let replace = ReplaceOrder { client_order_id: moved, price, quantity: 0, stop_price: 0 };
            flow.push(RecordBuffer::new(replace), 1, 0);
        }
        flow.engine().state_hash()
    };
    assert_ne!(queue(1), queue(2));
}

#[test]
fn a_look_ahead_changes_nothing() {
    let (records, _) = Flow::of_day(day(seed()), 3_000);
    let [mut with, mut without] = [(); 2].map(|()| Engine::new(0));
    let mut rest = &records[..];
    while !rest.is_empty() {
        assert!(with.look_ahead(rest) > 0);
        let (record, after) = split_first(rest).unwrap();
        with.apply(record).unwrap();
        without.apply(record).unwrap();
        assert_eq!(with.events(), without.events());
        rest = after;
    }
    assert_eq!(with.state_hash(), without.state_hash());
}
