//! What ends a live node, and what it says then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use openbell_kernel::clock::Clock;
use openbell_kernel::disk::MemoryDisk;
use openbell_kernel::disk::memory::{Fault, Operation};
use openbell_kernel::event::OrderAccepted;
use openbell_kernel::journal::JournalWriter;
use openbell_kernel::live::{Failure, LiveError, LiveNode, LiveOptions, LiveState};
use openbell_kernel::message::Message;
use openbell_kernel::record::{Body, Slot};
use openbell_kernel::ring::Signal;

use crate::market::{
    bid, created, heads, market, path, reopened, settings, submit_all, take_until, until, until_quiet,
};

/// Takes what still can be taken, and the error that follows.
fn drained(live: &LiveNode) -> (Vec<Slot>, LiveError) {
    let mut out = Vec::new();
    loop {
        if let Err(error) = live.take_outputs(&mut out, usize::MAX) {
            return (out, error);
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_journal_that_fails_ends_all_acknowledgment() {
    const ENOSPC: i32 = 28;
    const EIO: i32 = 5;
    let faults = [
        (Operation::Sync, EIO, "cannot sync a batch"),
        (Operation::Write, ENOSPC, "no room to write a batch"),
        (Operation::Write, EIO, "cannot write a batch"),
    ];
    for (operation, number, message) in faults {
        let disk = MemoryDisk::new();
        let live = market(&disk, LiveOptions::default());
        submit_all(&live, &[bid(1)]);
        take_until(&live, Message::OrderAccepted, 1);
        let acknowledged = live.health().durable_sequence;
        until_quiet(&disk);
        disk.fail(operation, 1, Fault::Os(number));
        submit_all(&live, &[bid(2)]);
        let (out, error) = drained(&live);
        assert_eq!(heads(&out, Message::OrderAccepted), [], "acknowledged, though its write failed");
        assert!(
            matches!(&error, LiveError::Failed { failure: Failure::Journal, reason } if reason.contains(message)),
            "{error}"
        );
        assert!(error.to_string().contains("segment 1, offset "), "{error}");
        until("the threads to end", || live.health().state == LiveState::Stopped);
        let submitted = live.submit(&bid(3)).unwrap_err();
        assert_eq!(submitted.to_string(), error.to_string());
        assert_eq!(live.stop().unwrap_err().to_string(), error.to_string());
        assert_eq!(live.health().durable_sequence, acknowledged);
        drop(live);
        disk.cut_power();
        let node = reopened(&disk);
        assert!(node.sequence() >= acknowledged);
        assert!(node.engine().orders().by_client_id(1, 1).is_some(), "an acknowledged order is gone");
    }
}

/// A clock whose hands are set by the test.
#[derive(Default)]
struct Hands {
    wall: AtomicU64,
    steady: AtomicU64,
    is_broken: AtomicBool,
}

impl Clock for Hands {
    fn now(&self) -> u64 {
        assert!(!self.is_broken.load(Ordering::Relaxed), "the clock broke");
        self.wall.load(Ordering::Relaxed)
    }

    fn steady(&self) -> u64 {
        self.steady.load(Ordering::Relaxed)
    }
}

const SECOND: u64 = 1_000_000_000;
const YEAR: u64 = 366 * 86_400 * SECOND;

fn with_clock(disk: &MemoryDisk, hands: Arc<Hands>, accepts_clock: bool) -> Result<LiveNode, LiveError> {
    let (node, writer) = created(Arc::new(disk.clone()), &path(), settings());
    let options = LiveOptions { accepts_clock, ..LiveOptions::default() };
    LiveNode::start(node, writer, hands, Box::new(Signal::default()), options)
}

fn time_of_next_ack(live: &LiveNode, id: u64) -> u64 {
    submit_all(live, &[bid(id)]);
    let out = take_until(live, Message::OrderAccepted, 1);
    let ack = heads(&out, Message::OrderAccepted)[0];
    assert_eq!(OrderAccepted::of(&ack).client_order_id, id);
    ack.time
}

#[test]
fn a_clock_that_steps_is_not_followed_and_health_says_so() {
    let hands = Arc::new(Hands::default());
    let start = openbell_kernel::clock::system::SystemClock.now() + 1000 * SECOND;
    hands.wall.store(start, Ordering::Relaxed);
    let live = with_clock(&MemoryDisk::new(), hands.clone(), false).unwrap();
    assert_eq!(time_of_next_ack(&live, 1), start);
    for (wall, id) in [(start + YEAR, 2), (start - YEAR, 3)] {
        hands.wall.store(wall, Ordering::Relaxed);
        assert_eq!(time_of_next_ack(&live, id), start);
        assert_eq!(live.health().clock_offset_ns, Some(wall as i64 - start as i64));
    }
    hands.wall.store(start + 2 * SECOND, Ordering::Relaxed);
    assert_eq!((time_of_next_ack(&live, 4), live.health().clock_offset_ns), (start + 2 * SECOND, None));
    hands.wall.store(start + YEAR, Ordering::Relaxed);
    live.accept_clock();
    assert_eq!((time_of_next_ack(&live, 5), live.health().clock_offset_ns), (start + YEAR, None));
}

#[test]
fn a_clock_that_cannot_be_right_starts_nothing_unless_accepted() {
    let now = openbell_kernel::clock::system::SystemClock.now();
    for (wall, message) in
        [(now - YEAR, "it is behind by more than"), (now + 2 * YEAR, "it is ahead by more than a year")]
    {
        let hands = Arc::new(Hands::default());
        hands.wall.store(wall, Ordering::Relaxed);
        let found = with_clock(&MemoryDisk::new(), hands.clone(), false).unwrap_err().to_string();
        assert!(found.contains(message), "{found}");
        let live = with_clock(&MemoryDisk::new(), hands, true).unwrap();
        assert!(time_of_next_ack(&live, 1) >= now);
    }
}

#[test]
fn a_panic_ends_the_node_and_every_call_says_so() {
    let disk = MemoryDisk::new();
    let hands = Arc::new(Hands::default());
    hands.wall.store(openbell_kernel::clock::system::SystemClock.now(), Ordering::Relaxed);
    let live = with_clock(&disk, hands.clone(), false).unwrap();
    time_of_next_ack(&live, 1);
    hands.is_broken.store(true, Ordering::Relaxed);
    live.submit(&bid(2)).unwrap();
    let (out, error) = drained(&live);
    assert_eq!(out, [], "nothing is trusted after a panic");
    assert!(error.to_string().contains("panicked at sequence 8: the clock broke"), "{error}");
    assert!(matches!(live.submit(&bid(3)), Err(LiveError::Failed { failure: Failure::Engine, .. })));
    assert!(live.stop().is_err());
    assert_eq!(live.health().failure.unwrap().0, Failure::Engine);
    drop(live);
    assert!(JournalWriter::open(Arc::new(disk), &path()).is_ok(), "the lock of a dead node is held");
}
