//! What is opened, what is refused, and what is cut off.

use std::io::ErrorKind;

use openbell_kernel::disk::Disk;
use openbell_kernel::disk::memory::{Fault, Operation};
use openbell_kernel::journal::{CutKind, RULES_VERSION, Recovery, actor_and_reason};
use openbell_kernel::observation::JournalCut;
use openbell_kernel::record::{Body, split_first};

use crate::*;

fn open_with_recovery(disk: &MemoryDisk) -> (JournalWriter, Recovery) {
    JournalWriter::open(Arc::new(disk.clone()), &journal_path()).unwrap()
}

fn text(error: Result<JournalWriter, JournalError>) -> String {
    error.unwrap_err().to_string()
}

#[test]
fn two_writers_at_once_are_refused_and_the_second_comes_in_when_the_first_is_gone() {
    let disk = MemoryDisk::new();
    let first = create(&disk, durable());
    assert!(matches!(open(&disk), Err(JournalError::Locked { .. })));
    let again = JournalWriter::create(Arc::new(disk.clone()), &journal_path(), &identity(), durable());
    assert!(matches!(again, Err(JournalError::Locked { .. })));
    drop(first);
    open(&disk).unwrap();
}

#[test]
fn a_journal_is_never_created_over_another() {
    let disk = MemoryDisk::new();
    drop(create(&disk, durable()));
    let again = JournalWriter::create(Arc::new(disk.clone()), &journal_path(), &identity(), durable());
    assert!(matches!(again, Err(JournalError::AlreadyExists { .. })));
}

#[test]
fn what_is_no_journal_is_named_and_left_alone() {
    let disk = MemoryDisk::new();
    let missing = text(open(&disk));
    assert!(missing.contains("there is no such directory"), "{missing}");
    disk.create_directory(&journal_path()).unwrap();
    let empty = text(open(&disk));
    assert!(empty.contains("the directory is empty"), "{empty}");
    disk.put(&journal_path().join("notes.txt"), b"hello");
    let other = text(open(&disk));
    assert!(other.contains("no segment") && other.contains("notes.txt"), "{other}");
    disk.put(&segment(1), &[b'x'; 9000]);
    let foreign = text(open(&disk));
    assert!(foreign.contains("does not begin as a segment"), "{foreign}");
    assert_eq!(disk.list(&journal_path()).unwrap(), ["00000001.seg", "notes.txt"]);
}

#[test]
fn a_creation_that_was_cut_short_is_said_to_be_one_and_can_be_repeated() {
    let disk = MemoryDisk::new();
    disk.fail(Operation::Rename, 1, Fault::Os(5));
    let failed = JournalWriter::create(Arc::new(disk.clone()), &journal_path(), &identity(), durable());
    assert!(failed.is_err());
    let unfinished = text(open(&disk));
    assert!(unfinished.contains("creation was not finished"), "{unfinished}");
    commit(&mut create(&disk, durable()), 3).unwrap();
}

#[test]
fn a_directory_without_permission_is_named() {
    let disk = MemoryDisk::new();
    drop(create(&disk, durable()));
    disk.fail(Operation::List, 1, Fault::Error(ErrorKind::PermissionDenied));
    let denied = text(open(&disk));
    assert!(denied.contains("runs/journal") && denied.contains("permission denied"), "{denied}");
    disk.fail(Operation::Lock, 1, Fault::Error(ErrorKind::PermissionDenied));
    let denied = text(open(&disk));
    assert!(denied.contains("LOCK") && denied.contains("permission denied"), "{denied}");
}

/// Sets bytes in the header of segment 1 and makes its checksum right again.
fn patch_header(disk: &MemoryDisk, offset: usize, value: &[u8]) {
    let mut bytes = disk.bytes(&segment(1)).unwrap();
    bytes[offset..offset + value.len()].copy_from_slice(value);
    bytes[24..28].fill(0);
    let checksum = crc32c::crc32c(&bytes[..512]);
    bytes[24..28].copy_from_slice(&checksum.to_le_bytes());
    disk.put(&segment(1), &bytes);
}

#[test]
fn a_journal_of_another_version_is_refused_with_what_to_do() {
    let cases: [(usize, &[u8], &str); 4] = [
        (19, &[9], "journal format version 9, this program reads 2: read it with the newer openbell"),
        (19, &[0], "journal format version 0, this program reads 2: read it with the older openbell"),
        (22, &[8, 0], "message registry version 8, this program reads 2"),
        (60, &[7, 0, 0, 0], "rules of the engine version 7, this program reads 2"),
    ];
    for (offset, value, expected) in cases {
        let disk = MemoryDisk::new();
        drop(create(&disk, backtest())); // the watermark of a durable one would say that the header is not its own
        patch_header(&disk, offset, value);
        let error = text(open(&disk));
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_journal_of_other_rules_can_be_read_and_not_continued() {
    let disk = MemoryDisk::new();
    commit(&mut create(&disk, backtest()), 3).unwrap();
    assert_eq!(RULES_VERSION, 2);
    let mut bytes = disk.bytes(&segment(1)).unwrap();
    bytes.truncate(512); // the batch hangs on the header's chain
    disk.put(&segment(1), &bytes);
    patch_header(&disk, 60, &[7, 0, 0, 0]);
    assert_eq!(check(&disk).unwrap().identity.rules_version, 7);
    assert!(matches!(open(&disk), Err(JournalError::UnsupportedVersion { .. })));
}

#[test]
fn a_torn_tail_is_kept_cut_and_told_and_the_journal_goes_on() {
    for settings in [durable(), backtest()] {
        let disk = MemoryDisk::new();
        let mut writer = create(&disk, settings);
        commit(&mut writer, 5).unwrap();
        let before = check(&disk).unwrap();
        let crashed = disk.copy(); // with the watermark as it was before the write that is cut short
        commit(&mut writer, 9).unwrap();
        drop(writer);
        let after = check(&disk).unwrap();
        let whole = disk.bytes(&segment(1)).unwrap();
        for cut in before.bytes as usize + 1..after.bytes as usize {
            let disk = crashed.copy();
            let mut torn = whole.clone();
            torn[cut..].fill(0);
            if settings == backtest() {
                torn.truncate(cut);
            }
            disk.put(&segment(1), &torn);
            let (mut writer, recovery) = open_with_recovery(&disk);
            let Some(found) = recovery.cut else {
                // only padding was cut, or everything was zero
                let whole = read_all(&disk).0 == records(1..15);
                assert!(whole || torn[before.bytes as usize..].iter().all(|&byte| byte == 0), "cut at {cut}");
                continue;
            };
            assert_eq!((found.place.offset, found.place.sequence), (before.bytes, 6), "cut at {cut}");
            let copy = disk.bytes(&found.copy).unwrap();
            assert_eq!(copy, torn[before.bytes as usize..][..copy.len()]);
            assert!(torn[before.bytes as usize + copy.len()..].iter().all(|&byte| byte == 0));
            commit(&mut writer, 2).unwrap();
            drop(writer);
            assert_goes_on_after_cut(&disk, settings, copy.len() as u64, before.bytes);
            assert!(open_with_recovery(&disk).1.cut.is_none());
        }
    }
}

/// Five records, in a durable journal one that says what was cut, and two more.
fn assert_goes_on_after_cut(disk: &MemoryDisk, settings: Settings, bytes: u64, offset: u64) {
    let (read, error) = read_all(disk);
    assert!(error.is_none(), "{error:?}");
    if settings == backtest() {
        assert_eq!(read, records(1..8));
        return;
    }
    let (front, rest) = read.split_at(records(1..6).len());
    let (told, rest) = split_first(rest).unwrap();
    assert_eq!((front, rest), (records(1..6).as_slice(), records(7..9).as_slice()));
    let cut = JournalCut::of(&told[0]);
    assert_eq!((cut.segment, cut.offset, cut.bytes, cut.last_sequence), (1, offset, bytes, 5));
    assert_eq!((told[0].message, told[0].sequence, told[0].time), (74, 6, 5000));
    assert_eq!(CutKind::from_number(cut.kind), Some(CutKind::TornTail));
    let (actor, reason) = actor_and_reason(told);
    assert!(actor == "openbell" && reason.contains("MUST"), "{actor}: {reason}");
}

#[test]
fn two_cuts_at_one_place_keep_both_copies() {
    let disk = MemoryDisk::new();
    drop(create(&disk, backtest()));
    for round in 1..=2u8 {
        let mut bytes = disk.bytes(&segment(1)).unwrap();
        bytes.resize(601, round);
        disk.put(&segment(1), &bytes);
        let copy = open_with_recovery(&disk).1.cut.unwrap().copy;
        assert_eq!(disk.bytes(&copy).unwrap()[88], round);
    }
    let torn = |name: &String| name.starts_with("torn-00000001-000000000200");
    assert_eq!(disk.list(&journal_path()).unwrap().iter().filter(|name| torn(name)).count(), 2);
}

#[test]
fn a_reader_needs_no_lock() {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, durable());
    commit(&mut writer, 3).unwrap();
    assert_eq!(check(&disk).unwrap().last_sequence, 3);
}
