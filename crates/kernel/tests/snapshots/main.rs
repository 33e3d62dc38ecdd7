//! Snapshots from outside: what was saved comes back or is passed over, a restart ends where the writer was, and what
//! differs is named.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../order_flow/mod.rs"]
#[allow(dead_code)] // the benchmark uses the rest
mod order_flow;

mod divergence;
mod files;
mod following;
mod refused;
mod restarting;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use openbell_kernel::disk::{Disk, MemoryDisk};
use openbell_kernel::journal::{Identity, JournalWriter, Position, Settings};
use openbell_kernel::node::{Input, Mode, Node, Poll};
use openbell_kernel::record::Slot;
use openbell_kernel::snapshot::{Owner, RestartOptions, SnapshotStore};
use order_flow::{Day, Flow};

pub const EPOCH: u64 = 0xE0;

pub fn day(seed: u64) -> Day {
    Day { seed, accounts: 4, instruments: 2, live: 40, has_specials: true }
}

pub fn journal_path() -> PathBuf {
    PathBuf::from("exchange/journal")
}

pub fn snapshots_path() -> PathBuf {
    PathBuf::from("exchange/snapshots")
}

pub fn disk() -> Arc<MemoryDisk> {
    Arc::new(MemoryDisk::default())
}

pub fn store(disk: &Arc<MemoryDisk>) -> SnapshotStore {
    let owner = Owner { epoch: EPOCH, shard: 0, configuration: 7 };
    SnapshotStore::new(disk.clone(), &snapshots_path(), owner)
}

pub fn options() -> RestartOptions {
    RestartOptions { snapshots: Some(snapshots_path()), configuration: 7, ..RestartOptions::default() }
}

pub fn create(disk: &Arc<MemoryDisk>) -> JournalWriter {
    let settings = Settings::durable().with_segment_size(64 << 10);
    JournalWriter::create(disk.clone(), &journal_path(), &Identity::new(EPOCH, 1, "test"), settings).unwrap()
}

/// Records of a day, one order after the other.
pub fn records(seed: u64, commands: usize) -> Vec<Slot> {
    records_of(day(seed), commands)
}

pub fn records_of(day: Day, commands: usize) -> Vec<Slot> {
    let mut flow = Flow::new(day);
    (0..commands).for_each(|_| flow.step());
    flow.records().to_vec()
}

/// A node that takes in whole records, in batches of about `batch` slots, and the journal it writes, as a live one does.
pub struct Writer {
    pub node: Node,
    pub journal: JournalWriter,
}

impl Writer {
    pub fn new(disk: &Arc<MemoryDisk>) -> Self {
        Writer { node: Node::new(0, Mode::Replay, None), journal: create(disk) }
    }

    pub fn take(&mut self, records: &[Slot], batch: usize) {
        let mut at = 0;
        while at < records.len() {
            let mut end = (at + batch).min(records.len());
            while end < records.len() && records[end].sequence == records[end - 1].sequence {
                end += 1;
            }
            self.take_batch(&records[at..end]);
            at = end;
        }
    }

    fn take_batch(&mut self, records: &[Slot]) {
        run(&mut self.node, records);
        self.journal.append(records).unwrap();
        self.journal.commit(self.node.checkpoint(), self.node.output_hash()).unwrap();
    }

    pub fn position(&self) -> Position {
        self.journal.position()
    }
}

pub fn run(node: &mut Node, records: &[Slot]) {
    let mut input = Input::new(records, None);
    while node.poll(&mut input, usize::MAX).unwrap() != Poll::Idle {}
    node.take_output();
}

pub fn replayed(records: &[Slot]) -> Node {
    let mut node = Node::new(0, Mode::Replay, None);
    run(&mut node, records);
    node
}

pub fn file_bytes(disk: &MemoryDisk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, openbell_kernel::disk::Access::Read).unwrap();
    let mut bytes = vec![0; file.length().unwrap() as usize];
    file.read_full_at(&mut bytes, 0).unwrap();
    bytes
}

pub fn put_bytes(disk: &MemoryDisk, path: &Path, bytes: &[u8]) {
    disk.create(path).unwrap().write_full_at(bytes, 0).unwrap();
}
