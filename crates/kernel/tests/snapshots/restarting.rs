//! Restart: snapshot and tail are the same as everything, and what cannot be continued is said.

use openbell_kernel::journal::{JournalReader, JournalWriter};
use openbell_kernel::node::Node;
use openbell_kernel::observation::{ClockAdvanced, RecordSkipped};
use openbell_kernel::record::{RecordBuffer, Slot, split_first, stamp};
use openbell_kernel::snapshot::{RestartError, RestartOptions, restart};

use crate::order_flow::Day;
use crate::{
    Writer, day, disk, file_bytes, journal_path, options, put_bytes, records, records_of, replayed, run,
    store,
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
