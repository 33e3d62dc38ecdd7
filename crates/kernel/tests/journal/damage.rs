//! Every flipped bit and every cut is noticed, or is a torn tail of what was last written.

use openbell_kernel::disk::Disk;
use openbell_kernel::journal::{JournalRule, Tail};

use crate::*;

/// Three batches in segment 1, two in segment 2; closed or not.
fn small(settings: Settings, close: bool) -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, settings);
    for count in [1, 20, 50, 30, 4] {
        commit(&mut writer, count).unwrap();
    }
    if close {
        writer.close(Some((105, 5)), 6).unwrap();
    }
    let disk = disk.copy();
    assert_eq!(check(&disk).unwrap().segments, 2);
    disk
}

fn flipped(disk: &MemoryDisk, path: &Path, bytes: &[u8], bit: usize) -> MemoryDisk {
    let mut damaged = bytes.to_vec();
    damaged[bit / 8] ^= 1 << (bit % 8);
    disk.put(path, &damaged);
    disk.clone()
}

/// Whether somebody who knows the journal was closed sees that something is wrong.
fn noticed(disk: &MemoryDisk) -> bool {
    check(disk).and_then(|report| report.require_closed(&journal_path())).is_err()
}

fn assert_prefix(disk: &MemoryDisk, all: &[Slot], what: &str) {
    let (read, _) = read_all(disk);
    assert!(all.starts_with(&read), "{what}: a record was read that was never written");
}

#[test]
fn every_flipped_bit_of_a_closed_journal_is_noticed() {
    for settings in [durable(), backtest()] {
        let disk = small(settings, true);
        let all = read_all(&disk).0;
        assert!(!noticed(&disk));
        for number in [1, 2] {
            let path = segment(number);
            let bytes = disk.bytes(&path).unwrap();
            for bit in 0..bytes.len() * 8 {
                let disk = flipped(&disk, &path, &bytes, bit);
                assert!(noticed(&disk), "segment {number}, bit {bit}");
                if bit % 97 == 0 {
                    assert_prefix(&disk, &all, &format!("segment {number}, bit {bit}"));
                }
            }
            disk.put(&path, &bytes);
        }
    }
}

#[test]
fn without_closing_a_flip_behind_the_end_or_above_the_watermark_passes_as_a_torn_tail_and_no_other() {
    for settings in [durable(), backtest()] {
        let disk = small(settings, false);
        let path = segment(2);
        let bytes = disk.bytes(&path).unwrap();
        let end = (check(&disk).unwrap().bytes - check_segment_bytes(&disk)) as usize;
        let promised = if settings.durability.syncs() { end } else { end - last_batch_bytes(&disk) };
        for bit in 0..bytes.len() * 8 {
            let result = check(&flipped(&disk, &path, &bytes, bit));
            let torn = matches!(&result, Ok(report) if report.tail != Tail::Clean);
            assert!(torn || result.is_err(), "bit {bit} passes");
            assert_eq!(torn, bit / 8 >= promised, "bit {bit}: {result:?}");
        }
    }
}

/// Used bytes of segment 1.
fn check_segment_bytes(disk: &MemoryDisk) -> u64 {
    let mut reader = JournalReader::open(Arc::new(disk.clone()), &journal_path()).unwrap();
    let mut bytes = 0;
    while let Some(batch) = reader.next_batch().unwrap() {
        if batch.segment == 1 {
            bytes = reader.position().offset;
        }
    }
    bytes
}

fn last_batch_bytes(disk: &MemoryDisk) -> usize {
    let mut reader = JournalReader::open(Arc::new(disk.clone()), &journal_path()).unwrap();
    let mut last = 0;
    while let Some(batch) = reader.next_batch().unwrap() {
        last = batch.offset as usize;
    }
    let end = check(disk).unwrap().bytes - check_segment_bytes(disk);
    end as usize - last
}

#[test]
fn every_truncation_of_a_closed_journal_is_noticed_unless_it_takes_nothing() {
    for settings in [durable(), backtest()] {
        let disk = small(settings, true);
        let all = read_all(&disk).0;
        for number in [1, 2] {
            let path = segment(number);
            let bytes = disk.bytes(&path).unwrap();
            let content = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
            for length in 0..bytes.len() {
                disk.put(&path, &bytes[..length]);
                let lost = length < content;
                assert!(noticed(&disk) || !lost, "segment {number} cut to {length}");
                assert_prefix(&disk, &all, &format!("segment {number} cut to {length}"));
            }
            disk.put(&path, &bytes);
        }
    }
}

#[test]
fn the_loss_of_a_whole_segment_is_noticed() {
    for lost in [1, 2] {
        let disk = small(durable(), true);
        disk.remove(&segment(lost)).unwrap();
        assert!(noticed(&disk), "segment {lost}");
    }
    let disk = small(durable(), true);
    disk.rename(&segment(2), &segment(3)).unwrap();
    let error = check(&disk).unwrap_err();
    assert_eq!(error.rule(), Some(JournalRule::SegmentsMustBeComplete), "{error}");
    let place = error.place().unwrap();
    assert_eq!((place.segment, place.path.clone()), (2, segment(2)));
}

#[test]
fn damage_names_segment_offset_sequence_and_rule_and_touches_nothing() {
    let disk = small(durable(), false);
    let mut bytes = disk.bytes(&segment(1)).unwrap();
    bytes[1024 + 200] ^= 1; // body of the second batch
    disk.put(&segment(1), &bytes);
    let error = open(&disk).unwrap_err();
    assert_eq!(error.rule(), Some(JournalRule::BodyChecksumMustMatch));
    let place = error.place().unwrap();
    assert_eq!((place.segment, place.offset, place.sequence), (1, 1024, 2));
    let text = error.to_string();
    for part in ["00000001.seg", "segment 1", "offset 1024", "sequence 2", "BODY_CHECKSUM_MUST_MATCH"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(disk.bytes(&segment(1)).unwrap(), bytes);
    assert!(disk.list(&journal_path()).unwrap().iter().all(|name| !name.starts_with("torn")));
}

#[test]
fn a_segment_or_batch_of_another_journal_does_not_fit() {
    let foreign = |epoch| {
        let disk = MemoryDisk::new();
        let identity = Identity { epoch, ..identity() };
        let mut writer =
            JournalWriter::create(Arc::new(disk.clone()), &journal_path(), &identity, durable()).unwrap();
        for count in [1, 20, 51, 29, 4] {
            commit(&mut writer, count).unwrap();
        }
        disk
    };
    for (epoch, rule) in [(0xBE11, JournalRule::SequenceMustContinue), (7, JournalRule::EpochMustMatch)] {
        let disk = small(durable(), false);
        disk.put(&segment(2), &foreign(epoch).bytes(&segment(2)).unwrap());
        assert_eq!(check(&disk).unwrap_err().rule(), Some(rule));
    }
    // the same sequences under the same epoch, but another history
    let (disk, other) = (small(durable(), false), MemoryDisk::new());
    let mut writer = create(&other, durable());
    for count in [1, 20, 50, 30, 4] {
        let first = writer.next_sequence();
        writer.append(&records(first..first + count)).unwrap();
        writer.commit(None, 1).unwrap();
    }
    drop(writer);
    let mut bytes = disk.bytes(&segment(1)).unwrap();
    bytes[1024..].copy_from_slice(&other.bytes(&segment(1)).unwrap()[1024..]);
    disk.put(&segment(1), &bytes);
    let error = check(&disk).unwrap_err();
    assert_eq!(error.rule(), Some(JournalRule::ChainMustContinue));
    assert_eq!(error.place().map(|place| (place.segment, place.offset)), Some((1, 1024)));
    let disk = small(durable(), false);
    disk.put(&segment(2), &other.bytes(&segment(2)).unwrap());
    assert_eq!(check(&disk).unwrap_err().rule(), Some(JournalRule::ChainMustContinue));
}

#[test]
fn a_flip_in_the_last_batch_of_a_segment_that_another_follows_is_damage() {
    let disk = small(durable(), false);
    let last = check_segment_bytes(&disk) as usize - 200;
    let mut bytes = disk.bytes(&segment(1)).unwrap();
    bytes[last] ^= 8;
    disk.put(&segment(1), &bytes);
    let error = check(&disk).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("segment 2 follows"), "{error}");
}
