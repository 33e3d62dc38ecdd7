//! The state that a node saves itself, compared with a replay of its journal on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::spawn;
use std::time::{Duration, Instant};

use openbell_kernel::clock::system::SystemClock;
use openbell_kernel::disk::MemoryDisk;
use openbell_kernel::live::{InlineSnapshots, JournalToFollow, LiveNode, LiveOptions};
use openbell_kernel::message::Message;
use openbell_kernel::ring::Signal;
use openbell_kernel::snapshot::{Owner, SNAPSHOTS_NAME, SnapshotPolicy, SnapshotStore};

use crate::market::{bid, cancel, created, path, settings, submit_all, take_until, until};

/// The replay is as far as the journal when a copy is offered, and more comes while the copy is on its way: it must not run
/// past what it is to be compared with. The machine is busy, so that the saving thread is held up anywhere.
#[test]
fn copies_go_on_being_saved_while_the_replay_keeps_up_with_a_busy_journal() {
    let disk = MemoryDisk::new();
    let (node, writer) = created(Arc::new(disk.clone()), &path(), settings());
    let snapshots = path().join(SNAPSHOTS_NAME);
    let store = SnapshotStore::new(Arc::new(disk.clone()), &snapshots, Owner::of(writer.identity(), 0));
    let inline = InlineSnapshots {
        journal: JournalToFollow { disk: Arc::new(disk.clone()), path: path(), snapshots },
        store: store.clone(),
        policy: SnapshotPolicy { records: u64::MAX, bytes: u64::MAX, interval_ns: 150_000_000 },
        most_bytes: 1 << 20,
    };
    let (clock, bell) = (Arc::new(SystemClock), Box::new(Signal::default()));
    let live =
        LiveNode::start_saving(node, writer, clock, bell, LiveOptions::default(), Some(inline)).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let busy = [(); 4].map(|()| {
        let is_over = is_over.clone();
        spawn(move || while !is_over.load(Ordering::Relaxed) {})
    });
    let begin = Instant::now();
    for number in 1.. {
        submit_all(&live, &[bid(number), cancel(number)]);
        take_until(&live, Message::OrderCanceled, 1);
        if live.health().upkeep_trouble.is_some() || begin.elapsed() > Duration::from_secs(2) {
            break;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(live.health().upkeep_trouble, None);
    let before = store.sequences().unwrap().last().copied();
    assert!(before.is_some(), "nothing was saved in two seconds");
    for number in 1_000_000..1_000_100 {
        submit_all(&live, &[bid(number), cancel(number)]);
        take_until(&live, Message::OrderCanceled, 1);
    }
    until("a snapshot of what came last", || store.sequences().unwrap().last().copied() > before);
    live.stop().unwrap();
}
