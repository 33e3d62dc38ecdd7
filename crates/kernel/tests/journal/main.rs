//! The journal from outside: what was committed is read back, what is broken is noticed, what cannot be written is
//! not acknowledged.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod damage;
mod doctor;
mod failures;
mod opening;
mod references;
mod roundtrip;
mod seals;
mod watermark;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use openbell_kernel::command::SubmitOrder;
use openbell_kernel::disk::MemoryDisk;
use openbell_kernel::journal::{
    Content, Identity, JournalError, JournalReader, JournalWriter, Report, Room, Settings, verify,
};
use openbell_kernel::observation::TradeObserved;
use openbell_kernel::record::{Slot, stamp};
use openbell_kernel::terms::Side;

pub fn journal_path() -> PathBuf {
    PathBuf::from("runs/journal")
}

pub fn segment(number: u32) -> PathBuf {
    journal_path().join(format!("{number:08}.seg"))
}

pub fn identity() -> Identity {
    Identity::new(0xBE11, 1_700_000_000_000_000_000, "openbell test")
}

pub fn durable() -> Settings {
    Settings::durable().with_segment_size(8192)
}

pub fn backtest() -> Settings {
    Settings::backtest(Content::Full).with_segment_size(8192)
}

pub fn create(disk: &MemoryDisk, settings: Settings) -> JournalWriter {
    JournalWriter::create(Arc::new(disk.clone()), &journal_path(), &identity(), settings).unwrap()
}

pub fn open(disk: &MemoryDisk) -> Result<JournalWriter, JournalError> {
    JournalWriter::open(Arc::new(disk.clone()), &journal_path()).map(|(writer, _)| writer)
}

pub fn check(disk: &MemoryDisk) -> Result<Report, JournalError> {
    verify(Arc::new(disk.clone()), &journal_path())
}

/// A trade print of one slot, or an order of one to three, by its sequence.
pub fn record(sequence: u64) -> Vec<Slot> {
    let mut slots = if sequence.is_multiple_of(3) {
        let mut order = SubmitOrder::limit(1, 2, sequence, Side::Buy, 100, 5);
        order.stop_price = i64::from(sequence.is_multiple_of(2));
        order.parent = u64::from(sequence.is_multiple_of(6));
        order.to_record().slots().to_vec()
    } else {
        let trade =
            TradeObserved { price: 7, quantity: sequence as i64, trade_id: !sequence, exchange_time: 3 };
        vec![Slot::new(trade)]
    };
    stamp(&mut slots, sequence, sequence * 1000);
    slots
}

pub fn records(sequences: std::ops::Range<u64>) -> Vec<Slot> {
    sequences.flat_map(record).collect()
}

/// Appends and commits records `first..first + count` in one batch.
pub fn commit(writer: &mut JournalWriter, count: u64) -> Result<u64, JournalError> {
    let first = writer.next_sequence();
    writer.append(&records(first..first + count))?;
    writer.commit(Some((first, u128::from(first) << 64)), u128::from(first + count))
}

/// All slots that can be read, and how reading ended.
pub fn read_all(disk: &MemoryDisk) -> (Vec<Slot>, Option<JournalError>) {
    read_from(disk, &journal_path())
}

fn read_from(disk: &MemoryDisk, path: &Path) -> (Vec<Slot>, Option<JournalError>) {
    let mut slots = Vec::new();
    let mut reader = match JournalReader::open(Arc::new(disk.clone()), path) {
        Ok(reader) => reader,
        Err(error) => return (slots, Some(error)),
    };
    loop {
        match reader.next_batch() {
            Ok(Some(batch)) => slots.extend(batch.records().flatten()),
            Ok(None) => return (slots, None),
            Err(error) => return (slots, Some(error)),
        }
    }
}
