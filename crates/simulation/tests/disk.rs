//! The simulated disk keeps and loses what a real one may.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use openbell_kernel::disk::{Access, Disk, DiskFile};
use openbell_simulation::disk::{Broken, Call, EIO, Fault, Manner, SECTOR, SimulatedDisk, Stop, Trigger};

const FILE: &str = "d/f";

/// A disk with an empty file, durable.
fn prepared(seed: u64) -> (SimulatedDisk, Box<dyn DiskFile>) {
    let disk = SimulatedDisk::new(seed);
    disk.create_directory(Path::new("d")).unwrap();
    let mut file = disk.create(Path::new(FILE)).unwrap();
    file.sync().unwrap();
    disk.sync_directory(Path::new("d")).unwrap();
    disk.sync_directory(Path::new(".")).unwrap();
    (disk, file)
}

fn bytes(disk: &SimulatedDisk) -> Vec<u8> {
    disk.bytes(Path::new(FILE)).unwrap_or_default()
}

/// What is left of two sectors of 1, synced, and two sectors of 2, not synced, after a power cut.
fn left_of_rewrite(seed: u64, manner: Manner) -> Vec<u8> {
    let (disk, mut file) = prepared(seed);
    file.write_full_at(&[1; 2 * SECTOR], 0).unwrap();
    file.sync().unwrap();
    file.write_full_at(&[2; 2 * SECTOR], 0).unwrap();
    disk.cut_power_in(manner);
    bytes(&disk)
}

#[test]
fn what_was_synced_survives_every_power_cut() {
    for seed in 0..50 {
        for manner in Manner::ALL {
            let (disk, mut file) = prepared(seed);
            file.write_full_at(b"kept", 0).unwrap();
            file.sync().unwrap();
            file.write_full_at(&[9; 3000], 4096).unwrap();
            disk.cut_power_in(manner);
            assert_eq!(bytes(&disk)[..4], *b"kept", "seed {seed}, {manner:?}");
        }
    }
}

#[test]
fn sectors_that_were_not_synced_survive_in_every_combination() {
    let first_bytes = |manner| {
        let left = (0..100).map(|seed| left_of_rewrite(seed, manner));
        left.map(|bytes| (bytes[0], bytes[SECTOR])).collect::<BTreeSet<_>>()
    };
    assert_eq!(first_bytes(Manner::Nothing), BTreeSet::from([(1, 1)]));
    assert_eq!(first_bytes(Manner::Everything), BTreeSet::from([(2, 2)]));
    assert_eq!(first_bytes(Manner::InOrder), BTreeSet::from([(1, 1), (2, 2)]));
    assert_eq!(first_bytes(Manner::Scattered), BTreeSet::from([(1, 1), (1, 2), (2, 1), (2, 2)]));
    let torn = |bytes: &[u8]| bytes[0] == 2 && bytes[SECTOR - 1] == 1;
    assert!((0..100).any(|seed| torn(&left_of_rewrite(seed, Manner::Torn))));
    assert!((0..100).all(|seed| !torn(&left_of_rewrite(seed, Manner::Scattered))));
}

#[test]
fn a_name_survives_for_certain_only_after_its_directory_was_synced() {
    let names = |manner, seed, sync: bool| {
        let (disk, _file) = prepared(seed);
        disk.create(Path::new("d/new")).unwrap();
        disk.rename(Path::new(FILE), Path::new("d/renamed")).unwrap();
        if sync {
            disk.sync_directory(Path::new("d")).unwrap();
        }
        disk.cut_power_in(manner);
        disk.restart_process();
        disk.list(Path::new("d")).unwrap()
    };
    for manner in Manner::ALL {
        assert_eq!(names(manner, 1, true), ["new", "renamed"]);
    }
    assert_eq!(names(Manner::Nothing, 1, false), ["f"]);
    let scattered: BTreeSet<_> = (0..50).map(|seed| names(Manner::Scattered, seed, false)).collect();
    assert_eq!(scattered.len(), 4, "{scattered:?}");
}

#[test]
fn after_a_failed_sync_reads_see_what_the_disk_will_never_have() {
    let (disk, mut file) = prepared(3);
    file.write_full_at(&[1; SECTOR], 0).unwrap();
    file.sync().unwrap();
    let mut lost = false;
    for value in 2..40 {
        file.write_full_at(&[value; SECTOR], 0).unwrap();
        disk.arm(Trigger { call: Some(Call::Sync), nth: 1 }, Fault::Error(EIO));
        assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(EIO));
        assert_eq!(bytes(&disk)[0], value);
        file.sync().unwrap(); // succeeds, and writes nothing that was dropped
        let after = disk.fork();
        after.cut_power_in(Manner::Everything);
        lost |= bytes(&after)[0] != value;
    }
    assert!(lost);
}

#[test]
fn a_dead_process_calls_nothing_and_its_files_and_locks_are_gone() {
    let (disk, mut file) = prepared(4);
    let held = disk.lock(Path::new("d/LOCK")).unwrap();
    assert_eq!(disk.lock(Path::new("d/LOCK")).unwrap_err().kind(), ErrorKind::WouldBlock);
    disk.arm(Trigger { call: Some(Call::Write), nth: 2 }, Fault::Abort);
    file.write_full_at(b"one", 0).unwrap();
    assert!(file.write_full_at(b"two", 0).is_err());
    assert_eq!(disk.stop(), Some(Stop::Aborted));
    assert!(disk.open(Path::new(FILE), Access::Read).is_err());
    disk.restart_process();
    assert!(file.write_full_at(b"ghost", 0).is_err());
    let again = disk.lock(Path::new("d/LOCK")).unwrap();
    drop(held); // of the process that is gone: it does not give back the new one's lock
    assert_eq!(disk.lock(Path::new("d/LOCK")).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(again);
    disk.lock(Path::new("d/LOCK")).unwrap();
}

#[test]
fn short_calls_are_continued_and_a_full_disk_takes_what_fits() {
    let (disk, mut file) = prepared(5);
    disk.arm(Trigger { call: Some(Call::Write), nth: 1 }, Fault::Short);
    file.write_full_at(&[7; 1000], 0).unwrap();
    assert_eq!(bytes(&disk), [7; 1000]);
    disk.set_capacity(Some(1200));
    assert_eq!(file.write_full_at(&[8; 500], 1000).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(bytes(&disk).len(), 1200);
    disk.set_capacity(None);
    file.write_full_at(&[8; 500], 1000).unwrap();
}

#[test]
fn a_disk_that_lies_tells_success() {
    let (disk, mut file) = prepared(6);
    file.write_full_at(&[1; 4 * SECTOR], 0).unwrap();
    file.sync().unwrap();
    disk.arm(Trigger { call: Some(Call::Write), nth: 1 }, Fault::Lose);
    file.write_full_at(&[2; SECTOR], 0).unwrap();
    file.sync().unwrap();
    let lost = disk.fork();
    lost.cut_power_in(Manner::Everything);
    assert_eq!(bytes(&lost)[0], 1);
    disk.break_promises(Broken { sync: true, directory_sync: false });
    file.write_full_at(&[3; SECTOR], 0).unwrap();
    file.sync().unwrap();
    disk.cut_power_in(Manner::Nothing);
    assert_eq!(bytes(&disk)[0], 1);
}

#[test]
fn a_file_cut_and_written_again_shows_nothing_old() {
    let (disk, mut file) = prepared(8);
    file.write_full_at(&[1; 2 * SECTOR], 0).unwrap();
    file.set_length(100).unwrap();
    file.write_full_at(&[2; 10], 900).unwrap();
    file.sync().unwrap();
    disk.cut_power_in(Manner::Nothing);
    let mut expected = [vec![1; 100], vec![0; 800], vec![2; 10]].concat();
    assert_eq!(bytes(&disk), expected);
    disk.flip(Path::new(FILE), 8 * 900);
    expected[900] ^= 1;
    assert_eq!(bytes(&disk), expected);
}
