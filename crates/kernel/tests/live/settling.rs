//! The watermark of a live node: synced when nothing comes any more, and now and then while something does.

use openbell_kernel::disk::MemoryDisk;
use openbell_kernel::disk::memory::Operation;
use openbell_kernel::live::LiveOptions;
use openbell_kernel::message::Message;

use crate::market::{bid, market, path, submit_all, take_until, until, until_quiet};

/// The last sequence that the watermark names, as a power cut would leave it now.
fn marked(disk: &MemoryDisk) -> u64 {
    let left = disk.copy();
    left.cut_power();
    let bytes = left.bytes(&path().join("WATERMARK")).unwrap();
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    // counter and sequence of its two slots, the newer one of which holds
    [0, 4096].map(|slot| (number(slot + 16), number(slot + 48))).into_iter().max().unwrap().1
}

#[test]
fn once_nothing_comes_the_watermark_is_synced_as_far_as_was_acknowledged() {
    let disk = MemoryDisk::new();
    let live = market(&disk, LiveOptions::default());
    for id in 1..=10 {
        submit_all(&live, &[bid(id)]);
        take_until(&live, Message::OrderAccepted, 1);
    }
    until("the watermark to follow", || marked(&disk) == live.health().durable_sequence);
    until_quiet(&disk);
    let syncs = disk.calls(Operation::Sync);
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(disk.calls(Operation::Sync), syncs, "there is nothing left to sync");
    live.stop().unwrap();
}

#[test]
fn under_load_the_watermark_is_synced_now_and_then() {
    let disk = MemoryDisk::new();
    let live = market(&disk, LiveOptions::default());
    let begun = marked(&disk);
    for id in 1..=1_000 {
        submit_all(&live, &[bid(id)]);
        take_until(&live, Message::OrderAccepted, 1);
    }
    assert!(marked(&disk) > begun, "after a thousand commits it still names {begun}");
    live.stop().unwrap();
}
