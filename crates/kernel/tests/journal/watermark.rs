//! The opening table: what is clean, what is a torn tail, what is refused because it was durable once.

use openbell_kernel::disk::memory::{Fault, Operation};
use openbell_kernel::disk::{Disk, FileSystem};
use openbell_kernel::journal::{Durability, JournalRule, OpenOptions, Position, Tail};

use crate::*;

const SYNCING: [Durability; 3] = [Durability::Strict, Durability::Batch, Durability::Interval];

fn in_mode(durability: Durability) -> Settings {
    Settings::of(durability, Content::Full).with_segment_size(8192)
}

fn watermark() -> PathBuf {
    journal_path().join("WATERMARK")
}

/// A disk with `batches` batches of 7 records each, and the writer's position after each.
fn written(settings: Settings, batches: usize) -> (MemoryDisk, Vec<Position>) {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, settings);
    let mut positions = vec![writer.position()];
    for _ in 0..batches {
        commit(&mut writer, 7).unwrap();
        positions.push(writer.position());
    }
    writer.sync().unwrap();
    (disk.copy(), positions)
}

fn open_with(disk: &MemoryDisk, options: &OpenOptions) -> Result<JournalWriter, JournalError> {
    JournalWriter::open_with(Arc::new(disk.clone()), &journal_path(), options).map(|(writer, _)| writer)
}

/// Puts zeros from `from` to the end of a segment.
fn erase(disk: &MemoryDisk, number: u32, from: u64) {
    let mut bytes = disk.bytes(&segment(number)).unwrap();
    bytes[from as usize..].fill(0);
    disk.put(&segment(number), &bytes);
}

#[test]
fn every_mode_writes_and_reads_back_and_says_which_it_is() {
    for durability in Durability::ALL {
        let (disk, positions) = written(in_mode(durability), 40);
        let report = check(&disk).unwrap();
        assert_eq!((report.settings.durability, report.last_sequence), (durability, 280));
        assert_eq!((report.end, report.tail), (positions[40], Tail::Clean));
        assert_eq!(report.watermark, durability.syncs().then_some(positions[40]));
        assert_eq!(disk.bytes(&watermark()).is_some(), durability.syncs());
        assert_eq!(open(&disk).unwrap().next_sequence(), 281);
    }
}

#[test]
fn a_journal_that_ends_before_its_watermark_is_refused_also_between_two_batches() {
    for durability in SYNCING {
        let (disk, positions) = written(in_mode(durability), 4);
        for position in &positions[..4] {
            let disk = disk.copy();
            erase(&disk, 1, position.offset);
            let before = disk.bytes(&segment(1)).unwrap();
            for error in [check(&disk).unwrap_err(), open(&disk).unwrap_err()] {
                assert_eq!(error.rule(), Some(JournalRule::EndMustReachWatermark), "{error}");
                let place = error.place().unwrap();
                let expected = (1, position.offset, position.sequence + 1);
                assert_eq!((place.segment, place.offset, place.sequence), expected);
            }
            assert_eq!(disk.bytes(&segment(1)).unwrap(), before);
        }
    }
}

#[test]
fn a_missing_last_segment_is_noticed_by_the_watermark() {
    let (disk, _) = written(durable(), 12);
    disk.remove(&segment(2)).unwrap();
    let error = open(&disk).unwrap_err();
    assert_eq!(error.rule(), Some(JournalRule::EndMustReachWatermark), "{error}");
}

#[test]
fn an_older_watermark_is_no_trouble_and_a_newer_or_foreign_one_is() {
    let (disk, positions) = written(durable(), 4);
    let (older, _) = written(durable(), 2);
    let (newer, _) = written(durable(), 6);
    disk.put(&watermark(), &older.bytes(&watermark()).unwrap());
    assert_eq!(check(&disk).unwrap().end, positions[4]);
    disk.put(&watermark(), &newer.bytes(&watermark()).unwrap());
    assert_eq!(open(&disk).unwrap_err().rule(), Some(JournalRule::EndMustReachWatermark));
    // the same place in another history
    let other = MemoryDisk::new();
    let mut writer = create(&other, durable());
    writer.append(&records(1..29)).unwrap();
    writer.commit(None, 99).unwrap();
    disk.put(&watermark(), &other.bytes(&watermark()).unwrap());
    let error = open(&disk).unwrap_err();
    assert_eq!(error.rule(), Some(JournalRule::WatermarkMustMatch), "{error}");
}

#[test]
fn a_missing_or_broken_watermark_is_refused() {
    let (disk, _) = written(durable(), 4);
    disk.put(&watermark(), b"");
    let error = open(&disk).unwrap_err();
    assert_eq!(error.rule(), Some(JournalRule::WatermarkMustBeValid), "{error}");
    disk.remove(&watermark()).unwrap();
    let error = open(&disk).unwrap_err();
    assert!(
        error.to_string().contains("WATERMARK: segment 0") && error.to_string().contains("missing"),
        "{error}"
    );
}

#[test]
fn no_flip_or_cut_of_the_watermark_loses_a_record_or_refuses_what_a_crash_can_leave() {
    let (disk, positions) = written(durable(), 4);
    let whole = disk.bytes(&watermark()).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        disk.put(&watermark(), &flipped);
        assert_eq!(check(&disk).unwrap().end, positions[4], "bit {bit}");
    }
    for length in 0..whole.len() {
        disk.put(&watermark(), &whole[..length]);
        match check(&disk) {
            Ok(report) => assert!(length >= 128 && report.end == positions[4], "cut to {length}"),
            Err(error) => assert!(length < 128, "cut to {length}: {error}"),
        }
    }
}

#[test]
fn a_flip_in_anything_durable_is_refused_in_every_mode_that_syncs() {
    for durability in SYNCING {
        let (disk, positions) = written(in_mode(durability), 3);
        let bytes = disk.bytes(&segment(1)).unwrap();
        for bit in (0..positions[3].offset as usize * 8).step_by(3) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            disk.put(&segment(1), &flipped);
            let error = check(&disk).expect_err(&format!("{durability:?}: bit {bit}"));
            assert!(error.place().is_some(), "{error}");
        }
    }
}

#[test]
fn what_was_not_synced_in_interval_mode_is_cut_also_when_a_hole_precedes_valid_batches() {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, in_mode(Durability::Interval));
    commit(&mut writer, 7).unwrap();
    assert!(writer.sync_when_due(5_000_000, 1_000_000).unwrap());
    assert!(!writer.sync_when_due(5_900_000, 1_000_000).unwrap());
    let synced = writer.position();
    assert_eq!(commit(&mut writer, 7).unwrap(), 14);
    let hole = writer.position();
    commit(&mut writer, 7).unwrap();
    let crashed = disk.copy();
    let mut bytes = disk.bytes(&segment(1)).unwrap();
    bytes[synced.offset as usize..hole.offset as usize].fill(0); // the system wrote the later batch first
    crashed.put(&segment(1), &bytes);
    let (writer, recovery) = JournalWriter::open(Arc::new(crashed.clone()), &journal_path()).unwrap();
    assert_eq!((recovery.report.last_sequence, writer.next_sequence()), (7, 9));
    assert!(recovery.cut.unwrap().bytes > 512);
    assert_eq!(check(&crashed).unwrap().tail, Tail::Clean);
    // in batch mode the same is damage: one batch at a time is under way
    let (disk, positions) = written(durable(), 3);
    let (older, _) = written(durable(), 1);
    disk.put(&watermark(), &older.bytes(&watermark()).unwrap());
    let mut bytes = disk.bytes(&segment(1)).unwrap();
    bytes[positions[1].offset as usize..positions[2].offset as usize].fill(0);
    disk.put(&segment(1), &bytes);
    assert!(open(&disk).unwrap_err().to_string().contains("a valid batch follows"));
}

#[test]
fn opening_with_a_snapshot_reads_from_its_segment_and_holds_the_journal_to_it() {
    let (disk, positions) = written(durable(), 40);
    let last = positions[40].segment;
    assert!(last > 3);
    let snapshot = positions.iter().rfind(|position| position.segment == last - 1).unwrap();
    let options = OpenOptions { snapshot: Some(*snapshot), ..OpenOptions::default() };
    let reads = disk.calls(Operation::Read);
    let writer = open_with(&disk, &options).unwrap();
    assert_eq!(writer.position(), positions[40]);
    let read = disk.calls(Operation::Read) - reads;
    drop(writer);
    let reads = disk.calls(Operation::Read);
    drop(open(&disk).unwrap());
    assert!(read < disk.calls(Operation::Read) - reads, "{read} calls");
    // damage before it is not looked at, damage behind it is found
    let mut bytes = disk.bytes(&segment(1)).unwrap();
    bytes[700] ^= 1;
    disk.put(&segment(1), &bytes);
    open_with(&disk, &options).unwrap();
    open(&disk).unwrap_err();
    let elsewhere = Position { chain: 5, ..*snapshot };
    let error = open_with(&disk, &OpenOptions { snapshot: Some(elsewhere), ..options.clone() }).unwrap_err();
    assert_eq!(error.rule(), Some(JournalRule::SnapshotMustMatch), "{error}");
    let beyond = Position { offset: 8000, sequence: 1000, ..positions[40] };
    let error = open_with(&disk, &OpenOptions { snapshot: Some(beyond), ..options }).unwrap_err();
    assert_eq!(error.rule(), Some(JournalRule::EndMustReachSnapshot), "{error}");
}

#[test]
fn reading_begins_behind_a_position() {
    let (disk, positions) = written(durable(), 40);
    for position in positions {
        let mut reader = JournalReader::open_at(Arc::new(disk.clone()), &journal_path(), &position).unwrap();
        let mut read = Vec::new();
        while let Some(batch) = reader.next_batch().unwrap() {
            read.extend_from_slice(batch.slots);
        }
        assert_eq!(read, records(position.sequence + 1..281));
    }
}

#[test]
fn a_reader_follows_while_the_journal_is_written_and_sees_nothing_that_is_not_durable() {
    for durability in Durability::ALL {
        let disk = MemoryDisk::new();
        let mut writer = create(&disk, in_mode(durability));
        let mut reader = JournalReader::open(Arc::new(disk.clone()), &journal_path()).unwrap();
        let (mut read, mut synced) = (Vec::new(), 0);
        for round in 1..60u64 {
            let last = commit(&mut writer, round % 9).unwrap();
            if durability == Durability::Interval && round.is_multiple_of(7) {
                writer.sync().unwrap();
                synced = last;
            }
            let promised = if durability == Durability::Interval { synced } else { last };
            if round % 3 == 0 {
                while let Some(batch) = reader.next_durable().unwrap() {
                    read.extend_from_slice(batch.slots);
                }
                // a new segment syncs the one before
                let seen = reader.report().last_sequence;
                assert!(seen >= promised && read == records(1..seen + 1), "{durability:?} {round}: {seen}");
                assert!(reader.next_durable().unwrap().is_none() && !reader.report().closed);
                if durability.syncs() {
                    let after = disk.copy();
                    after.cut_power();
                    assert!(check(&after).unwrap().last_sequence >= seen, "{durability:?} {round}: {seen}");
                }
            }
        }
        writer.close(None, 0).unwrap();
        while reader.next_durable().unwrap().is_some() {}
        assert!(reader.report().closed, "{durability:?}");
    }
}

#[test]
fn a_batch_being_written_is_not_shown_to_a_follower() {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, durable());
    commit(&mut writer, 3).unwrap();
    let mut reader = JournalReader::open(Arc::new(disk.clone()), &journal_path()).unwrap();
    assert!(reader.next_durable().unwrap().is_some());
    disk.fail(Operation::Sync, 1, Fault::Os(5));
    commit(&mut writer, 3).unwrap_err(); // written, but not synced
    assert!(reader.next_durable().unwrap().is_none());
    assert_eq!(reader.report().last_sequence, 3);
}

#[test]
fn a_killed_writers_last_batch_is_synced_before_anything_is_promised_on_it() {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, durable());
    commit(&mut writer, 3).unwrap();
    disk.fail(Operation::Sync, 1, Fault::Os(5)); // stands for a kill between write and sync
    commit(&mut writer, 3).unwrap_err();
    drop(writer);
    assert_eq!(open(&disk).unwrap().durable_sequence(), 6);
    disk.cut_power();
    assert_eq!(check(&disk).unwrap().last_sequence, 6);
}

#[test]
fn memory_and_networks_are_refused_where_syncs_matter_unless_accepted() {
    for kind in [FileSystem::Memory("tmpfs"), FileSystem::Network("NFS")] {
        let disk = MemoryDisk::new();
        disk.set_file_system(kind);
        let (arc, path) = (Arc::new(disk.clone()), journal_path());
        for durability in Durability::ALL {
            let made = JournalWriter::create(arc.clone(), &path, &identity(), in_mode(durability));
            if durability.syncs() {
                let text = made.unwrap_err().to_string();
                assert!(text.contains("runs/journal") && text.contains(durability.name()), "{text}");
                assert!(!disk.is_directory(&path), "nothing was touched");
            }
        }
    }
    let (disk, _) = written(durable(), 2);
    disk.set_file_system(FileSystem::Memory("tmpfs"));
    assert!(matches!(open(&disk), Err(JournalError::UnsafeFileSystem { .. })));
    let anyway = OpenOptions { accept_any_file_system: true, ..OpenOptions::default() };
    open_with(&disk, &anyway).unwrap();
}

#[test]
fn a_journal_of_another_epoch_is_refused_by_name() {
    let (disk, _) = written(durable(), 2);
    let epoch = |epoch| OpenOptions { epoch: Some(epoch), ..OpenOptions::default() };
    drop(open_with(&disk, &epoch(0xBE11)).unwrap());
    let text = open_with(&disk, &epoch(7)).unwrap_err().to_string();
    assert!(text.contains("epoch 0xbe11, 0x7 was expected"), "{text}");
}

#[test]
fn on_a_full_disk_the_reserve_is_told_and_room_found_again_without_reopening() {
    let disk = MemoryDisk::new();
    let settings = durable().with_segment_size(64 << 10);
    let mut writer = create(&disk, settings);
    assert_eq!((settings.reserve_bytes(), writer.room()), (8192, Room::Ample));
    disk.set_capacity(Some((64 << 10) + 4224 + 30_000)); // the watermark, one segment, not two
    assert!(matches!(writer.prepare_next(), Err(JournalError::DiskFull { .. })));
    assert_eq!(writer.room(), Room::Ample);
    while writer.room() == Room::Ample {
        commit(&mut writer, 7).unwrap();
    }
    let Room::Reserve { bytes } = writer.room() else { panic!("ample") };
    assert!(bytes <= 8192 && bytes > 7168, "{bytes}");
    for _ in 0..bytes / 512 {
        let sequence = writer.next_sequence();
        writer
            .append(&record(sequence)[..1].iter().map(|slot| Slot { slots: 1, ..*slot }).collect::<Vec<_>>())
            .unwrap();
        writer.commit(None, 0).unwrap();
    }
    assert_eq!(writer.room(), Room::Reserve { bytes: 0 });
    let durable = writer.durable_sequence();
    for _ in 0..3 {
        assert!(matches!(commit(&mut writer, 2), Err(JournalError::DiskFull { .. })));
        assert_eq!(writer.durable_sequence(), durable);
    }
    assert!(writer.shortage().unwrap().to_string().contains("no room"));
    disk.set_capacity(None);
    assert_eq!(writer.commit(None, 0).unwrap(), durable + 6);
    assert_eq!((writer.room(), writer.shortage().is_none()), (Room::Ample, true));
    drop(writer);
    assert_eq!(check(&disk).unwrap().last_sequence, durable + 6);
}

#[test]
fn a_commit_of_several_segments_on_a_full_disk_keeps_what_it_could_not_write() {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, durable());
    disk.set_capacity(Some(4224 + 3 * 8192));
    writer.append(&records(1..1001)).unwrap();
    assert!(matches!(writer.commit(None, 7), Err(JournalError::DiskFull { .. })));
    let durable = writer.durable_sequence();
    assert!(durable > 50 && durable < 1000, "{durable}");
    assert_eq!(check(&disk).unwrap().last_sequence, durable);
    disk.set_capacity(None);
    assert_eq!(writer.commit(None, 7).unwrap(), 1000);
    assert_eq!(read_all(&disk).0, records(1..1001));
}

#[test]
fn preparing_ahead_leaves_nothing_for_the_commits_to_do() {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, durable());
    while !writer.prepare_next().unwrap() {}
    assert!(disk.bytes(&journal_path().join("next.seg")).unwrap().len() == 8192);
    let syncs = disk.calls(Operation::Sync);
    for _ in 0..10 {
        commit(&mut writer, 3).unwrap();
    }
    assert_eq!(disk.calls(Operation::Sync) - syncs, 10, "one sync for each commit and none besides");
}
