//! Journals by reference keep the exact order of records they do not hold.

use openbell_kernel::command::TextPayload;
use openbell_kernel::journal::{JournalRule, interleave};
use openbell_kernel::message::Message;
use openbell_kernel::observation::{InputPayload, InputReferenced};
use openbell_kernel::record::{Body, RecordBuffer, payload};
use proptest::prelude::*;

use crate::*;

/// What was sequenced: a command of ours, or a record of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequenced {
    Command,
    Input(u16),
}

fn by_reference() -> Settings {
    Settings { content: Content::ByReference, ..backtest() }
}

fn write(order: &[Sequenced], commit_every: usize) -> (MemoryDisk, JournalWriter) {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, by_reference());
    for (index, what) in order.iter().enumerate() {
        let sequence = writer.next_sequence();
        match what {
            Sequenced::Command => writer.append(&record(sequence)).unwrap(),
            Sequenced::Input(input) => writer.append_reference(*input, 1, sequence, sequence).unwrap(),
        }
        if index % commit_every == 0 {
            assert_eq!(writer.commit(None, 0).unwrap(), sequence);
        }
    }
    writer.commit(None, 0).unwrap();
    (disk, writer)
}

/// The order as the journal tells it.
fn read_order(disk: &MemoryDisk) -> Vec<Sequenced> {
    let (slots, error) = read_all(disk);
    assert!(error.is_none(), "{error:?}");
    let mut order = Vec::new();
    let mut rest = slots.as_slice();
    while let Ok((record, after)) = openbell_kernel::record::split_first(rest) {
        assert_eq!(record[0].sequence, order.len() as u64 + 1);
        if interleave::is_marker(record) {
            for run in interleave::runs(record) {
                (0..run.count).for_each(|_| order.push(Sequenced::Input(run.input)));
            }
        } else {
            order.push(Sequenced::Command);
        }
        rest = after;
    }
    order
}

proptest! {
    #[test]
    fn commands_and_inputs_are_replayed_in_their_exact_order(
        order in prop::collection::vec(
            prop_oneof![Just(Sequenced::Command), (0u16..5).prop_map(Sequenced::Input)], 0..400),
        commit_every in 1usize..100,
    ) {
        let (disk, writer) = write(&order, commit_every);
        prop_assert_eq!(read_order(&disk), order.clone());
        let report = check(&disk).unwrap();
        let commands = order.iter().filter(|&&what| what == Sequenced::Command).count() as u64;
        prop_assert_eq!((report.records, report.records + report.referenced), (commands, order.len() as u64));
        prop_assert_eq!(report.last_sequence + 1, writer.next_sequence());
    }
}

#[test]
fn a_long_run_of_one_input_costs_one_slot() {
    let (disk, mut writer) = write(&[], 1);
    for sequence in 1..=100_000 {
        writer.append_reference(3, 1, sequence, sequence).unwrap();
    }
    assert_eq!(writer.commit(None, 0).unwrap(), 100_000);
    assert_eq!((check(&disk).unwrap().slots, check(&disk).unwrap().referenced), (1, 100_000));
}

#[test]
fn runs_too_long_for_one_marker_or_one_batch_are_split() {
    let (disk, mut writer) = write(&[], 1);
    let run = 1 << 30;
    for index in 0..10 {
        writer.append_reference(0, run, 1 + index * run, 0).unwrap();
    }
    assert_eq!(writer.commit(None, 0).unwrap(), 10 * run);
    let report = check(&disk).unwrap();
    assert_eq!((report.referenced, report.batches), (10 * run, 5));
}

#[test]
fn a_reference_that_does_not_fit_is_refused_and_changes_nothing() {
    let (_, mut writer) = write(&[Sequenced::Input(0)], 1);
    let cases = [
        (1, 5, JournalRule::SequenceMustContinue),
        (0, 2, JournalRule::ReferenceMustBeWellFormed),
        (u64::MAX, 2, JournalRule::ReferenceMustBeWellFormed),
    ];
    for (count, sequence, rule) in cases {
        let error = writer.append_reference(0, count, sequence, 0).unwrap_err();
        assert_eq!(error.rule(), Some(rule), "{error}");
    }
    assert_eq!(writer.next_sequence(), 2);
    let mut full = create(&MemoryDisk::new(), backtest());
    assert!(full.append_reference(0, 1, 1, 0).unwrap_err().to_string().contains("full content"));
}

#[test]
fn an_input_is_declared_by_hash_decoder_and_path() {
    let mut declared = RecordBuffer::new(InputReferenced { sha256: [7; 32] });
    declared.push(InputPayload { input: 3, reserved: [0; 4] });
    declared.push(TextPayload::new("csv-1"));
    declared.push(TextPayload::new("bars.csv"));
    openbell_kernel::record::stamp(declared.slots_mut(), 1, 5);
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, by_reference());
    writer.append(declared.slots()).unwrap();
    writer.commit(None, 0).unwrap();
    let slots = read_all(&disk).0;
    assert_eq!(slots[0].message, Message::InputReferenced as u16);
    assert_eq!(InputReferenced::of(&slots[0]).sha256, [7; 32]);
    assert_eq!(payload::<InputPayload>(&slots).unwrap().input, 3);
    assert_eq!(payload::<TextPayload>(&slots).unwrap().as_bytes(), b"csv-1");
    assert_eq!(slots, declared.slots());
}
