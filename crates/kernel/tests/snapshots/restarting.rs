//! Restart: snapshot and tail are the same as everything, and what cannot be continued is said.

use std::path::PathBuf;
use std::sync::Arc;

use openbell_kernel::disk::MemoryDisk;
use openbell_kernel::journal::{
    Acceptance, Content, Durability, Identity, JournalReader, JournalWriter, Settings,
};
use openbell_kernel::node::{Mode, Node};
use openbell_kernel::observation::{ClockAdvanced, RecordSkipped};
use openbell_kernel::record::{RecordBuffer, Slot, split_first, stamp};
use openbell_kernel::snapshot::{RestartError, RestartOptions, cut_history, restart};

use crate::order_flow::Day;
use crate::{
    EPOCH, Writer, day, disk, file_bytes, journal_path, options, put_bytes, records, records_of, replayed,
    run, snapshots_path, store,
};

#[test]
fn a_restart_from_any_snapshot_ends_where_the_writer_was() {
    let (disk, all) = (disk(), records(11, 3_000));
    let mut writer = Writer::new(&disk);
    let mut from = 0;
    for sequence in [500, 1_024, 2_500] {
        let to = all.partition_point(|slot| slot.sequence <= sequence);
        writer.take(&all[from..to], 32);
        from = to;
        store(&disk).save(&mut writer.node, writer.journal.position()).unwrap();
    }
    writer.take(&all[from..], 32);
    let Writer { mut node, journal } = writer;
    drop(journal);

    let without = RestartOptions { snapshots: None, ..options() };
    for (options, expected) in [(options(), Some(2_500)), (without, None)] {
        let (mut again, writer, report) = restart(disk.clone(), &journal_path(), &options).unwrap();
        assert_eq!(report.snapshot.map(|(sequence, _)| sequence), expected);
        assert_eq!(report.replayed, node.sequence() - expected.unwrap_or(0));
        assert_eq!((again.state_hash(), again.output_hash()), (node.state_hash(), node.output_hash()));
        assert_eq!(writer.next_sequence(), node.sequence() + 1);
    }
}

#[test]
fn a_restarted_node_writes_on_and_restarts_again() {
    // Without timers, which a live node fires before the next record.
    let (disk, all) = (disk(), records_of(Day { has_specials: false, ..day(11) }, 600));
    let cut = all.partition_point(|slot| slot.sequence <= 400);
    let mut writer = Writer::new(&disk);
    writer.take(&all[..cut], 32);
    store(&disk).save(&mut writer.node, writer.journal.position()).unwrap();
    drop(writer);
    let (mut node, journal, _) = restart(disk.clone(), &journal_path(), &options()).unwrap();
    node.go_live(Box::new(journal));
    submit_all(&mut node, &all[cut..]);
    node.close().unwrap();
    let (mut again, _, _) = restart(disk.clone(), &journal_path(), &options()).unwrap();
    assert_eq!(again.state_hash(), replayed(&all).state_hash());
}

#[test]
fn damaged_snapshots_are_passed_over_down_to_the_journals_begin() {
    let (disk, all) = (disk(), records(11, 300));
    let mut writer = Writer::new(&disk);
    writer.take(&all, 32);
    let path = store(&disk).save(&mut writer.node, writer.journal.position()).unwrap();
    drop(writer.journal);
    let mut bytes = file_bytes(&disk, &path);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    put_bytes(&disk, &path, &bytes);
    let (mut node, _, report) = restart(disk.clone(), &journal_path(), &options()).unwrap();
    assert_eq!((report.snapshot, report.rejected.len()), (None, 1));
    assert_eq!(node.state_hash(), writer.node.state_hash());
}

#[test]
fn a_record_that_stops_the_engine_stops_the_restart_by_name_until_it_is_skipped() {
    let (disk, all) = (disk(), records(11, 30));
    let mut writer = Writer::new(&disk);
    writer.take(&all, 32);
    let (mut journal, expected) = (writer.journal, writer.node.state_hash());
    // Time that goes back cannot come from a sequencer of ours: a broken one wrote this.
    let sequence = journal.next_sequence();
    let output_hash = writer.node.output_hash();
    let append = |journal: &mut JournalWriter, mut record: RecordBuffer, time| {
        stamp(record.slots_mut(), journal.next_sequence(), time);
        journal.append(record.slots()).unwrap();
        journal.commit(None, output_hash).unwrap();
    };
    append(&mut journal, RecordBuffer::new(ClockAdvanced { reserved: [0; 4] }), 5);
    drop(journal);
    for _ in 0..2 {
        let error = restart(disk.clone(), &journal_path(), &options()).unwrap_err().to_string();
        assert!(error.contains(&format!("record {sequence} at time 5 came after")), "{error}");
    }
    let (mut journal, _) = JournalWriter::open(disk.clone(), &journal_path()).unwrap();
    let skip = RecordSkipped { skipped_sequence: sequence, reserved: [0; 3] };
    append(&mut journal, RecordBuffer::new(skip), writer.node.time());
    drop(journal);
    let (mut node, _, report) = restart(disk.clone(), &journal_path(), &options()).unwrap();
    assert_eq!((report.passed_over, node.sequence()), (vec![sequence], sequence + 1));
    assert_eq!(node.state_hash(), expected, "neither the record nor its skipping is state");
}

#[test]
fn a_hash_that_is_not_the_recorded_one_is_named_with_the_last_that_was() {
    let (disk, all) = (disk(), records(11, 2_500));
    let mut writer = Writer::new(&disk);
    let cut = all.partition_point(|slot| slot.sequence <= 1_500);
    writer.take(&all[..cut], 32);
    let (rest, mut lying) = (&all[cut..], Vec::new());
    lying.extend_from_slice(&rest[..rest.partition_point(|slot| slot.sequence <= 1_530)]);
    run(&mut writer.node, &lying);
    writer.journal.append(&lying).unwrap();
    writer.journal.commit(Some((1_530, 1)), writer.node.output_hash()).unwrap();
    drop(writer);
    let error = restart(disk.clone(), &journal_path(), &options()).unwrap_err().to_string();
    assert!(
        error.contains("state hash after sequence 1530") && error.contains("up to sequence 1024"),
        "{error}"
    );
    assert!(JournalReader::open(disk, &journal_path()).is_ok());
}

#[test]
fn a_snapshot_that_is_ahead_of_the_journal_is_refused() {
    let (disk, all) = (disk(), records(11, 300));
    let mut writer = Writer::new(&disk);
    writer.take(&all, 32);
    let mut ahead = writer.position();
    ahead.offset += 4096;
    store(&disk).save(&mut writer.node, ahead).unwrap();
    drop(writer);
    let error = restart(disk, &journal_path(), &options()).unwrap_err();
    assert!(matches!(error, RestartError::Journal(_)), "{error}");
}

/// Has a node give the same places to the same records.
fn submit_all(node: &mut Node, records: &[Slot]) {
    let mut at = 0;
    while at < records.len() {
        let (record, _) = split_first(&records[at..]).unwrap();
        at += record.len();
        node.submit(&mut record.to_vec(), record[0].time).unwrap();
    }
}

#[test]
fn a_journal_whose_begin_is_gone_says_that_it_needs_a_snapshot() {
    let (disk, all) = (disk(), records(11, 3_000));
    let mut writer = Writer::new(&disk);
    writer.take(&all, 32);
    store(&disk).save(&mut writer.node, writer.journal.position()).unwrap();
    let last = writer.position().segment;
    assert!(last > 2, "several segments");
    let before = writer.node.state_hash();
    while !writer.journal.prepare_next().unwrap() {}
    let sequence = writer.position().sequence;
    assert_eq!(writer.journal.remove_sealed_before(sequence).unwrap().last(), Some(&(last - 1)));
    drop(writer.journal);
    let (mut node, journal, _) = restart(disk.clone(), &journal_path(), &options()).unwrap();
    assert_eq!(node.state_hash(), before);
    drop(journal);
    let error = restart(disk, &journal_path(), &RestartOptions::default()).unwrap_err();
    assert!(matches!(error, RestartError::NothingToBeginWith { .. }), "{error}");
    assert!(error.to_string().contains("needs a snapshot at or after"), "{error}");
}

/// Writes until a segment has ended and the next one holds one batch, with a snapshot of the state in between; then has
/// everything removed that is before the snapshot. Returns its sequence, and the file that is left.
fn left_with_one_segment(disk: &Arc<MemoryDisk>) -> (u64, PathBuf) {
    let settings = Settings::of(Durability::Os, Content::Full).with_segment_size(64 << 10);
    let identity = Identity::new(EPOCH, 1, "test");
    let journal = JournalWriter::create(disk.clone(), &journal_path(), &identity, settings).unwrap();
    let mut writer = Writer { node: Node::new(0, Mode::Replay, None), journal };
    let all = records(11, 3_000);
    for batch in all.chunk_by(|one, other| one.sequence / 8 == other.sequence / 8) {
        let before = writer.position();
        if before.sequence > 0 {
            store(disk).save(&mut writer.node, before).unwrap();
        }
        writer.take(batch, usize::MAX);
        let now = writer.position().segment;
        if now > before.segment {
            while !writer.journal.prepare_next().unwrap() {}
            writer.journal.remove_sealed_before(before.sequence + 1).unwrap();
            return (before.sequence, journal_path().join(format!("{now:08}.seg")));
        }
    }
    panic!("no segment ended");
}

/// Found by the simulation: the note of a cut had the time 0 where no record was left to tell a time, and no restart got past it.
#[test]
fn what_notes_a_torn_tail_is_not_before_the_state_it_follows_though_no_record_is_left() {
    let disk = disk();
    let (sequence, segment) = left_with_one_segment(&disk);
    let mut bytes = file_bytes(&disk, &segment);
    bytes[512 + 300] ^= 1;
    put_bytes(&disk, &segment, &bytes);
    for expected in [sequence + 1, sequence + 1] {
        let (node, journal, report) = restart(disk.clone(), &journal_path(), &options()).unwrap();
        assert_eq!(report.snapshot.map(|(sequence, _)| sequence), Some(sequence));
        assert_eq!((node.sequence(), journal.next_sequence()), (expected, expected + 1));
    }
}

/// The same of a cut that a person accepts.
#[test]
fn what_notes_an_accepted_cut_is_not_before_the_state_it_follows_though_no_record_is_left() {
    let disk = disk();
    let (sequence, _) = left_with_one_segment(&disk);
    let acceptance = Acceptance {
        actor: "anna".to_owned(),
        reason: "a test".to_owned(),
        time: 0,
        accept_any_file_system: false,
    };
    cut_history(disk.clone(), &journal_path(), &snapshots_path(), sequence, &acceptance, None).unwrap();
    let (node, _, _) = restart(disk, &journal_path(), &options()).unwrap();
    assert_eq!(node.sequence(), sequence + 1);
}

/// Found by the simulation: the mark of a journal that was ended on purpose stands behind the place of the snapshot, in the
/// same segment. Who keeps the record of the snapshot keeps the mark; who kept only what comes after it lost its place.
#[test]
fn retention_that_keeps_the_record_of_a_snapshot_keeps_its_place() {
    let (disk, all) = (disk(), records(11, 3_000));
    let mut writer = Writer::new(&disk);
    let mut taken = 0;
    for batch in all.chunk_by(|one, other| one.sequence / 8 == other.sequence / 8) {
        writer.take(batch, usize::MAX);
        taken += batch.len();
        if writer.position().offset > 40_000 {
            break;
        }
    }
    let saved = writer.position();
    store(&disk).save(&mut writer.node, saved).unwrap();
    let Writer { node, journal } = writer;
    journal.close(node.checkpoint(), node.output_hash()).unwrap();
    let (journal, _) = JournalWriter::open(disk.clone(), &journal_path()).unwrap();
    let mut writer = Writer { node, journal };
    // Too long for what is left: the segment ends with the mark.
    writer.take(&all[taken..], 512);
    assert_eq!(saved.segment, 1);
    assert!(writer.position().segment > 2);
    while !writer.journal.prepare_next().unwrap() {}
    let expected = writer.node.state_hash();
    for (before, is_there) in [(saved.sequence, true), (saved.sequence + 1, false)] {
        writer.journal.remove_sealed_before(before).unwrap();
        let after = Arc::new(disk.copy());
        after.cut_power(); // and with it the writer that holds the lock
        let restarted = restart(after, &journal_path(), &options());
        assert_eq!(restarted.is_ok(), is_there, "removed before {before}");
        if let Ok((mut node, _, report)) = restarted {
            assert_eq!(report.snapshot.map(|(sequence, _)| sequence), Some(saved.sequence));
            assert_eq!(node.state_hash(), expected);
        }
    }
}
