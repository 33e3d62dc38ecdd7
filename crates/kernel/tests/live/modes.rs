//! The durability modes on the journal's thread.

use std::sync::Arc;

use openbell_kernel::disk::MemoryDisk;
use openbell_kernel::disk::memory::{Fault, Operation};
use openbell_kernel::journal::{Content, Durability, Settings};
use openbell_kernel::live::{LiveOptions, durability_of};
use openbell_kernel::message::Message;

use crate::market::{bid, created, heads, live, path, reopened, settings, submit_all, take_until, until};

#[test]
fn every_mode_acknowledges_and_is_named_in_the_ack() {
    for durability in Durability::ALL {
        let disk = MemoryDisk::new();
        let segment_size = settings().segment_size;
        let settings = Settings { segment_size, ..Settings::of(durability, Content::Full) };
        let (node, writer) = created(Arc::new(disk.clone()), &path(), settings);
        let live = live(node, writer, LiveOptions::default());
        submit_all(&live, &(1..=50).map(bid).collect::<Vec<_>>());
        let out = take_until(&live, Message::OrderAccepted, 50);
        for ack in heads(&out, Message::OrderAccepted) {
            assert_eq!(durability_of(&ack), Some(durability));
        }
        live.stop().unwrap();
        assert_eq!(reopened(&disk).engine().orders().open().count(), 50, "{durability:?}");
    }
}

#[test]
fn what_strict_and_batch_acknowledged_survives_a_power_cut() {
    for durability in [Durability::Strict, Durability::Batch] {
        let disk = MemoryDisk::new();
        let (node, writer) = created(Arc::new(disk.clone()), &path(), Settings { durability, ..settings() });
        let live = live(node, writer, LiveOptions::default());
        submit_all(&live, &(1..=50).map(bid).collect::<Vec<_>>());
        take_until(&live, Message::OrderAccepted, 50);
        disk.cut_power();
        disk.fail(Operation::Write, 1, Fault::Os(5)); // the dead write no more
        drop(live);
        assert_eq!(reopened(&disk).engine().orders().open().count(), 50, "{durability:?}");
    }
}

#[test]
fn the_mode_interval_syncs_without_being_asked() {
    let disk = MemoryDisk::new();
    let settings = Settings { durability: Durability::Interval, ..settings() };
    let (node, writer) = created(Arc::new(disk.clone()), &path(), settings);
    let live = live(node, writer, LiveOptions { interval_ns: 1_000_000, ..LiveOptions::default() });
    submit_all(&live, &[bid(1)]);
    take_until(&live, Message::OrderAccepted, 1);
    let syncs = disk.calls(Operation::Sync);
    submit_all(&live, &[bid(2)]);
    until("a sync", || disk.calls(Operation::Sync) > syncs);
}
