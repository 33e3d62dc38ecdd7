//! Every interleaving of the rings, of the published sequence and of sleep and wake, as loom finds them: `make loom`.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use openbell_kernel::record::Slot;
use openbell_kernel::ring::{Producer, Published, Signal, ring};

/// A record of so many slots; every slot carries the number.
fn record(number: u64, slots: u8) -> Vec<Slot> {
    let slot = |index| Slot { sequence: number, slots: if index == 0 { slots } else { index }, ..Slot::ZERO };
    (0..slots).map(slot).collect()
}

/// Few preemptions find nearly all faults (Musuvathi, Qadeer 2007) and keep the models short.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn push_waiting(producer: &mut Producer, slots: &[Slot]) {
    while !producer.push(slots) {
        thread::yield_now();
    }
    producer.publish();
}

#[test]
fn records_come_out_whole_in_order_and_once_through_a_ring_that_is_often_full() {
    explore(|| {
        let (mut producer, mut consumer) = ring(2);
        let writing = thread::spawn(move || {
            (1..=3).for_each(|number| push_waiting(&mut producer, &record(number, 1 + (number % 2) as u8)));
        });
        let mut out = Vec::new();
        while out.len() < 5 {
            if consumer.take(&mut out, 2) == 0 {
                thread::yield_now();
            }
        }
        let expected: Vec<Slot> = (1..=3).flat_map(|number| record(number, 1 + (number % 2) as u8)).collect();
        assert_eq!(out, expected);
        writing.join().unwrap();
    });
}

#[test]
fn what_is_pushed_between_two_publishes_is_seen_as_one() {
    explore(|| {
        let (mut producer, mut consumer) = ring(4);
        let writing = thread::spawn(move || {
            assert!(producer.push(&record(1, 1)) && producer.push(&record(2, 2)));
            producer.publish();
        });
        let mut out = Vec::new();
        let seen = consumer.take(&mut out, 4);
        assert!(seen == 0 || seen == 3, "{seen} slots of a batch of 3");
        if seen == 3 {
            assert_eq!(out, [record(1, 1), record(2, 2)].concat());
        }
        writing.join().unwrap();
    });
}

#[test]
fn a_full_ring_refuses_and_loses_nothing() {
    explore(|| {
        let (mut producer, mut consumer) = ring(2);
        let writing = thread::spawn(move || {
            let taken = (1..=3).filter(|&number| {
                let fits = producer.push(&record(number, 1));
                producer.publish();
                fits
            });
            taken.collect::<Vec<u64>>()
        });
        let mut out = Vec::new();
        consumer.take(&mut out, 2);
        let accepted = writing.join().unwrap();
        consumer.take(&mut out, 2);
        assert_eq!(out.iter().map(|slot| slot.sequence).collect::<Vec<_>>(), accepted);
    });
}

#[test]
fn the_gauge_is_never_below_nothing_nor_above_all() {
    explore(|| {
        let (mut producer, mut consumer) = ring(2);
        let gauge = producer.gauge();
        let writing =
            thread::spawn(move || (1..=2).for_each(|number| push_waiting(&mut producer, &record(number, 1))));
        let reading = thread::spawn(move || consumer.take(&mut Vec::new(), 1));
        assert!(gauge.filled() <= 2);
        writing.join().unwrap();
        let taken = reading.join().unwrap();
        assert_eq!(gauge.filled(), 2 - taken);
    });
}

#[test]
fn who_reads_a_durable_sequence_sees_all_that_was_synced_before() {
    explore(|| {
        let shared = Arc::new((AtomicU64::new(0), Published::new(0)));
        let journal = thread::spawn({
            let shared = shared.clone();
            move || {
                for sequence in 1..=2 {
                    shared.0.store(sequence, Ordering::Relaxed); // the sync
                    shared.1.publish(sequence);
                }
            }
        });
        let durable = shared.1.get();
        let synced = shared.0.load(Ordering::Relaxed);
        assert!(synced >= durable, "{durable} was published, {synced} synced");
        assert!(shared.1.get() >= durable, "the durable sequence went back");
        journal.join().unwrap();
    });
}

#[test]
fn no_wake_is_lost() {
    explore(|| {
        let shared = Arc::new((Signal::default(), AtomicU64::new(0)));
        let sleeping = thread::spawn({
            let shared = shared.clone();
            move || {
                let (signal, work) = &*shared;
                signal.attend();
                while work.load(Ordering::Relaxed) == 0 {
                    signal.wait(0, None, || work.load(Ordering::Relaxed) > 0);
                }
            }
        });
        shared.1.store(1, Ordering::Relaxed);
        shared.0.wake();
        // a wake before the sleeper has said who it is finds nobody; the sleeper then looks before it sleeps
        sleeping.join().unwrap();
    });
}

/// The node sends a record, the journal syncs it and publishes, the node lets its output go: both sleep in between.
#[test]
fn an_output_leaves_after_its_record_was_synced_and_it_does_leave() {
    explore(|| {
        struct Link {
            work: Signal,
            node: Signal,
            durable: Published,
            synced: AtomicU64,
        }
        let (mut producer, mut consumer) = ring(2);
        let link = Arc::new(Link {
            work: Signal::default(),
            node: Signal::default(),
            durable: Published::new(0),
            synced: AtomicU64::new(0),
        });
        let journal = thread::spawn({
            let link = link.clone();
            move || {
                link.work.attend();
                let mut batch = Vec::new();
                while batch.last().is_none_or(|slot: &Slot| slot.sequence < 1) {
                    if consumer.take(&mut batch, 2) == 0 {
                        link.work.wait(0, None, || consumer.available() > 0);
                    }
                }
                link.synced.store(1, Ordering::Relaxed);
                link.durable.publish(1);
                link.node.wake();
            }
        });
        // a thread of its own: loom cannot unpark one that joins
        let node = thread::spawn(move || {
            link.node.attend();
            assert!(producer.push(&record(1, 1)));
            producer.publish();
            link.work.wake();
            while link.durable.get() < 1 {
                link.node.wait(0, None, || link.durable.get() > 0);
            }
            assert_eq!(link.synced.load(Ordering::Relaxed), 1, "an output left before its record was synced");
        });
        node.join().unwrap();
        journal.join().unwrap();
    });
}
