//! What goes in comes out, once, in order, and not before it is durable.

use std::sync::Arc;

use openbell_kernel::disk::{MemoryDisk, RealDisk};
use openbell_kernel::event::OrderAccepted;
use openbell_kernel::journal::{Content, Durability, Settings, verify};
use openbell_kernel::live::{LiveError, LiveOptions, LiveState, configure, durability_of, restart};
use openbell_kernel::message::Message;
use openbell_kernel::record::{Body, Slot};
use openbell_kernel::terms::Side;

use crate::market::{
    BUYER, SELLER, bid, cancel, configuration, created, heads, live, market, order, path, reopened, settings,
    submit_all, take_until, until,
};
use crate::stalling::StallingDisk;

const SMALL: LiveOptions = LiveOptions {
    ingress_slots: 64,
    journal_slots: 0,
    egress_slots: 64,
    spins: 0,
    interval_ns: 1_000_000,
    clock_bound_ns: 10_000_000_000,
    accepts_clock: false,
    depth_levels: 0,
    processor: None,
};

fn accepted_ids(out: &[Slot]) -> Vec<u64> {
    heads(out, Message::OrderAccepted).iter().map(|head| OrderAccepted::of(head).client_order_id).collect()
}

#[test]
fn an_order_is_acknowledged_when_durable_and_the_ack_says_how() {
    for (settings, mode) in
        [(Settings::durable(), Durability::Batch), (Settings::backtest(Content::Full), Durability::None)]
    {
        let directory =
            std::env::temp_dir().join(format!("openbell-live-ack-{}-{mode:?}", std::process::id()));
        let (node, writer) = created(Arc::new(RealDisk), &directory, settings);
        let live = live(node, writer, LiveOptions::default());
        assert_eq!(live.submit(&bid(5)).unwrap(), 1);
        let out = take_until(&live, Message::OrderAccepted, 1);
        let ack = heads(&out, Message::OrderAccepted)[0];
        let health = live.health();
        assert_eq!((accepted_ids(&out), durability_of(&ack)), (vec![5], Some(mode)));
        // Where nothing is promised the gate opens when the journal thread has the record.
        let is_durable = ack.sequence <= health.durable_sequence || mode == Durability::None;
        assert!(is_durable && health.sequence == ack.sequence, "{health:?}");
        assert_eq!((health.state, health.durability), (LiveState::Running, mode));
        live.stop().unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
    }
}

#[test]
fn nothing_leaves_before_its_cause_is_durable() {
    let disk = StallingDisk::default();
    let (node, writer) = created(Arc::new(disk.clone()), &path(), settings());
    let live = live(node, writer, LiveOptions::default());
    let before = live.health();
    disk.stall(true);
    submit_all(&live, &[bid(1), order(SELLER, 2, Side::Sell, 90)]);
    until("the engine to have applied both", || live.health().sequence == before.sequence + 2);
    let mut out = Vec::new();
    live.take_outputs(&mut out, usize::MAX).unwrap();
    assert_eq!((out.len(), live.health().durable_sequence), (0, before.durable_sequence));
    assert!(live.health().held_slots > 0, "the trade waits at the gate");
    disk.stall(false);
    let out = take_until(&live, Message::TradeExecuted, 1);
    assert_eq!(heads(&out, Message::OrderFilled).len(), 2);
}

#[test]
fn what_queues_during_a_sync_is_the_next_batch() {
    let disk = StallingDisk::default();
    let (node, writer) = created(Arc::new(disk.clone()), &path(), settings());
    let live = live(node, writer, LiveOptions::default());
    disk.stall(true);
    for id in 1..=100 {
        submit_all(&live, &[bid(id)]);
        until("it to be applied", || live.health().sequence == 7 + id);
    }
    disk.stall(false);
    take_until(&live, Message::OrderAccepted, 100);
    let commits = live.health().commits;
    assert!((1..=2).contains(&commits), "{commits} commits for one record and 99 behind it");
}

#[test]
fn a_slow_reader_makes_submit_answer_busy_and_loses_nothing() {
    let disk = MemoryDisk::new();
    let live = market(&disk, SMALL);
    let (mut submitted, mut out, mut busy) = (0, Vec::new(), 0);
    while submitted < 5_000 {
        if live.submit(&bid(submitted + 1)).unwrap() == 1 {
            submitted += 1;
        } else {
            busy += 1;
            let fill = live.health();
            assert!(fill.held_slots < 64 + 2 * 8, "the gate holds {} slots", fill.held_slots);
            // Reads a little, and only when it must.
            live.take_outputs(&mut out, 16).unwrap();
        }
    }
    live.stop().unwrap();
    live.take_outputs(&mut out, usize::MAX).unwrap();
    assert!(busy > 0, "never busy");
    assert_eq!(accepted_ids(&out), (1..=5_000).collect::<Vec<u64>>());
}

#[test]
fn a_batch_is_taken_in_part_when_the_ring_is_full() {
    let disk = StallingDisk::default();
    let (node, writer) = created(Arc::new(disk.clone()), &path(), settings());
    let live = live(node, writer, SMALL);
    disk.stall(true);
    let all: Vec<Slot> = (1..=1_000).flat_map(bid).collect();
    let mut taken = 0;
    until("the ring to be full", || {
        let now = live.submit(&all[taken..]).unwrap();
        taken += now;
        now == 0
    });
    assert!((64..1_000).contains(&taken), "{taken}");
    disk.stall(false);
    let mut out = Vec::new();
    until("all of them", || {
        taken += live.submit(&all[taken..]).unwrap();
        live.take_outputs(&mut out, usize::MAX).unwrap();
        accepted_ids(&out).len() == 1_000
    });
    assert_eq!(accepted_ids(&out), (1..=1_000).collect::<Vec<u64>>());
}

#[test]
fn stopped_and_restarted_it_is_in_the_same_state() {
    let directory = std::env::temp_dir().join(format!("openbell-live-restart-{}", std::process::id()));
    let (node, writer) = created(Arc::new(RealDisk), &directory, Settings::durable());
    let first = live(node, writer, LiveOptions::default());
    submit_all(&first, &(1..500).map(bid).collect::<Vec<_>>());
    submit_all(&first, &(500..600).map(|id| order(SELLER, id, Side::Sell, 120)).collect::<Vec<_>>());
    submit_all(&first, &(1..50).map(cancel).collect::<Vec<_>>());
    first.stop().unwrap();
    let health = first.health();
    assert_eq!((health.state, health.failure), (LiveState::Stopped, None));
    assert!(verify(Arc::new(RealDisk), &directory).unwrap().closed);

    let (mut node, writer, _) = restart(Arc::new(RealDisk), &directory).unwrap();
    assert_eq!(node.sequence(), health.sequence);
    assert_eq!(Some(node.state_hash()), first.state_hash_at_stop());
    let second = live(node, writer, LiveOptions::default());
    submit_all(&second, &[bid(5_000)]);
    assert_eq!(accepted_ids(&take_until(&second, Message::OrderAccepted, 1)), [5_000]);
    second.stop().unwrap();
    let (mut node, _, _) = restart(Arc::new(RealDisk), &directory).unwrap();
    assert_eq!(Some(node.state_hash()), second.state_hash_at_stop());
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn dropped_without_a_stop_it_ends_its_journal_all_the_same() {
    let disk = MemoryDisk::new();
    let live = market(&disk, LiveOptions::default());
    submit_all(&live, &[bid(1)]);
    drop(live);
    assert_eq!(reopened(&disk).engine().orders().open().count(), 1);
    assert!(verify(Arc::new(disk), &path()).unwrap().closed);
}

#[test]
fn records_that_may_not_come_in_are_named_and_nothing_is_taken() {
    let live = market(&MemoryDisk::new(), LiveOptions::default());
    let mut slots = [bid(1), bid(2)].concat();
    slots[1].message = Message::OrderFilled as u16;
    let found = live.submit(&slots).unwrap_err().to_string();
    assert_eq!(found, "slot 1: OrderFilled is neither a command nor an observation");
    submit_all(&live, &[bid(3)]);
    assert_eq!(accepted_ids(&take_until(&live, Message::OrderAccepted, 1)), [3]);
}

#[test]
fn many_threads_submit_and_each_order_is_answered_once() {
    let live = market(&MemoryDisk::new(), SMALL);
    let mut out = Vec::new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let live = &live;
            scope.spawn(move || {
                let ids = (0..1_000).map(|id| thread * 1_000 + id + 1);
                submit_all(live, &ids.map(bid).collect::<Vec<_>>());
            });
        }
        until("all answers", || {
            live.take_outputs(&mut out, usize::MAX).unwrap();
            accepted_ids(&out).len() == 4_000
        });
    });
    let mut ids = accepted_ids(&out);
    for thread in 0..4 {
        let own: Vec<u64> = ids.iter().copied().filter(|id| (id - 1) / 1_000 == thread).collect();
        assert!(own.is_sorted(), "one thread's orders keep their order");
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=4_000).collect::<Vec<u64>>());
}

#[test]
fn after_the_stop_nothing_is_taken() {
    let live = market(&MemoryDisk::new(), LiveOptions::default());
    live.stop().unwrap();
    live.stop().unwrap();
    assert!(matches!(live.submit(&bid(1)), Err(LiveError::WasStopped)));
    let mut out = Vec::new();
    live.take_outputs(&mut out, usize::MAX).unwrap();
}

#[test]
fn a_configuration_the_engine_refuses_is_named() {
    let mut twice = configuration();
    twice.extend(order(BUYER, 1, Side::Buy, 5));
    assert_eq!(configure(0, &twice, 1, None).unwrap().sequence(), 8);
    let found = configure(0, &[configuration(), configuration()].concat(), 1, None).unwrap_err().to_string();
    assert!(found.starts_with("configuration: record 8 (DefineCurrency) was refused: "), "{found}");
}
