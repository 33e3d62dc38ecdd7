//! Disks that are full, fail, write short or lose power: nothing acknowledged is lost, nothing is acknowledged after
//! a failure.

use std::io::ErrorKind;

use openbell_kernel::disk::memory::{Fault, Operation};

use crate::*;

/// Commits until something fails; the last acknowledged sequence and the error.
fn run(disk: &MemoryDisk, settings: Settings, batches: u64) -> (u64, Option<JournalError>) {
    let opened = JournalWriter::create(Arc::new(disk.clone()), &journal_path(), &identity(), settings);
    let mut writer = match opened {
        Ok(writer) => writer,
        Err(error) => return (0, Some(error)),
    };
    for round in 0..batches {
        if let Err(error) = commit(&mut writer, 1 + round % 30) {
            assert_over(&mut writer, &error);
            return (writer.durable_sequence(), Some(error));
        }
    }
    (writer.durable_sequence(), None)
}

/// Only a missing next segment is no end.
fn assert_over(writer: &mut JournalWriter, cause: &JournalError) {
    if writer.shortage().is_some() {
        assert!(matches!(cause, JournalError::DiskFull { .. }), "{cause}");
        assert!(matches!(writer.commit(None, 0), Err(JournalError::DiskFull { .. }) | Ok(_)));
    } else {
        assert_stopped(writer, cause);
    }
}

/// After a failure every call names the first cause and nothing more is acknowledged.
fn assert_stopped(writer: &mut JournalWriter, cause: &JournalError) {
    let durable = writer.durable_sequence();
    let next = writer.next_sequence();
    let again = [
        writer.append(&record(next)).unwrap_err(),
        writer.append_reference(0, 1, next, 0).unwrap_err(),
        writer.commit(None, 0).unwrap_err(),
    ];
    for error in again {
        assert!(matches!(error, JournalError::Stopped { .. }), "{error}");
        assert!(error.to_string().contains(&cause.to_string()), "{error}");
    }
    assert_eq!(writer.durable_sequence(), durable);
}

/// After a restart: opens, has at least what was acknowledged, and nothing that was not written.
fn assert_kept(disk: &MemoryDisk, acknowledged: u64, what: &str) {
    if acknowledged == 0 && check(disk).is_err() {
        return;
    }
    let mut writer = open(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    let last = writer.next_sequence() - 1;
    assert!(last >= acknowledged, "{what}: {acknowledged} was acknowledged, {last} is there");
    assert_eq!(read_all(disk).0, records(1..last + 1), "{what}");
    commit(&mut writer, 3).unwrap_or_else(|error| panic!("{what}: {error}"));
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_fails_after_any_call_that_fails() {
    let faults = [Fault::Os(5), Fault::Error(ErrorKind::StorageFull)];
    let operations =
        [Operation::Create, Operation::Write, Operation::Sync, Operation::Rename, Operation::SyncDirectory];
    for operation in operations {
        for nth in 1.. {
            let mut hit = false;
            for fault in faults {
                let disk = MemoryDisk::new();
                disk.fail(operation, nth, fault);
                let (acknowledged, error) = run(&disk, durable(), 40);
                hit |= disk.calls(operation) >= nth;
                disk.cut_power();
                disk.heal();
                assert_kept(&disk, acknowledged, &format!("{operation:?} {nth} {fault:?} {error:?}"));
            }
            if !hit {
                assert!(nth > 1, "{operation:?} is never called");
                break;
            }
        }
    }
}

#[test]
fn short_and_interrupted_writes_are_continued() {
    for nth in 1..20 {
        for fault in [Fault::Short(1), Fault::Short(200), Fault::Error(ErrorKind::Interrupted)] {
            let disk = MemoryDisk::new();
            disk.fail(Operation::Write, nth, fault);
            let (acknowledged, error) = run(&disk, durable(), 10);
            assert!(error.is_none(), "write {nth} {fault:?}: {error:?}");
            assert_eq!(read_all(&disk).0, records(1..acknowledged + 1));
        }
    }
}

#[test]
fn a_failed_sync_acknowledges_nothing_more() {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, durable());
    commit(&mut writer, 4).unwrap();
    disk.fail(Operation::Sync, 1, Fault::Os(5));
    let error = commit(&mut writer, 2).unwrap_err();
    assert!(error.to_string().contains("cannot sync a batch"), "{error}");
    assert_eq!(writer.durable_sequence(), 4);
    assert_stopped(&mut writer, &error);
}

#[test]
fn a_full_disk_names_the_file_and_the_bytes_that_are_needed() {
    for settings in [durable(), backtest()] {
        let mut seen = 0;
        for capacity in (0..20_000).step_by(333) {
            let disk = MemoryDisk::new();
            disk.set_capacity(Some(capacity));
            let (acknowledged, error) = run(&disk, settings, 20);
            if let Some(error) = error {
                let text = error.to_string();
                assert!(matches!(error, JournalError::DiskFull { .. }), "{text}");
                assert!(text.contains(".seg") || text.contains("WATERMARK"), "{text}");
                assert!(text.contains("bytes are needed"), "{text}");
                seen += 1;
            }
            disk.set_capacity(None);
            assert_kept(&disk, acknowledged, &format!("capacity {capacity}"));
        }
        assert!(seen > 10, "the disk was full {seen} times");
    }
}

#[test]
fn a_read_error_refuses_and_names_the_place() {
    let disk = MemoryDisk::new();
    run(&disk, durable(), 40);
    let quiet = disk.calls(Operation::Read);
    check(&disk).unwrap();
    let reads = disk.calls(Operation::Read) - quiet;
    for nth in 1..=reads {
        disk.fail(Operation::Read, nth, Fault::Os(5));
        let error = check(&disk).unwrap_err();
        assert!(error.to_string().contains("cannot read"), "{error}");
        let text = error.to_string();
        assert!(text.contains("segment") || text.contains("WATERMARK"), "{text}");
    }
}

#[test]
fn without_syncs_a_power_cut_may_lose_everything_but_is_never_read_wrong() {
    let disk = MemoryDisk::new();
    run(&disk, backtest(), 40);
    assert_eq!(disk.calls(Operation::Sync) + disk.calls(Operation::SyncDirectory), 0);
    disk.cut_power();
    assert!(check(&disk).is_err());
}
