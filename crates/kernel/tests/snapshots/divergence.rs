//! What differs is found at its first record and told in words.

use std::sync::Arc;

use openbell_kernel::command::SubmitOrder;
use openbell_kernel::disk::Disk;
use openbell_kernel::engine::differences;
use openbell_kernel::record::Slot;
use openbell_kernel::snapshot::{Verdict, compare_history, first_difference, state_at};

use crate::{Writer, disk, journal_path, records, replayed, run, snapshots_path, store};

/// The same records but for one order's quantity.
fn with_other_quantity(all: &[Slot], from: u64) -> (Vec<Slot>, u64) {
    let mut other = all.to_vec();
    let at = other
        .iter()
        .position(|slot| {
            slot.sequence >= from && SubmitOrder::from_record(&[*slot]).is_ok() && slot.message == 16
        })
        .unwrap();
    other[at].body[1] += 1;
    (other, all[at].sequence)
}

#[test]
fn the_first_record_that_makes_a_difference_is_found_and_both_states_are_told() {
    let all = records(9, 800);
    let (other, changed) = with_other_quantity(&all, 500);
    let before = all.partition_point(|slot| slot.sequence < changed);
    let after = all.partition_point(|slot| slot.sequence <= changed);
    let (mut here, mut there) = (replayed(&all[..before]), replayed(&other[..before]));
    assert!(first_difference(&mut here, &mut there, &[]).unwrap().is_none());
    run(&mut here, &all[before..after]);
    run(&mut there, &other[before..after]);
    let found = first_difference(&mut here, &mut there, &all[after..]).unwrap().unwrap();
    assert_eq!(found.sequence, changed);
    let words: Vec<String> = found.differences.iter().map(ToString::to_string).collect();
    let order = format!("order {changed}: ");
    assert!(words.iter().any(|line| line.starts_with(&order) && line.contains(" here, ")), "{words:#?}");
}

#[test]
fn equal_states_have_no_difference() {
    let all = records(9, 800);
    assert_eq!(differences(replayed(&all).engine(), replayed(&all).engine()), []);
}

#[test]
fn a_history_is_compared_with_every_hash_and_snapshot_of_it() {
    let (memory, all) = (disk(), records(9, 2_500));
    let disk: Arc<dyn Disk> = memory.clone();
    let mut writer = Writer::new(&memory);
    let cut = all.partition_point(|slot| slot.sequence <= 1_500);
    writer.take(&all[..cut], 32);
    store(&memory).save(&mut writer.node, writer.journal.position()).unwrap();
    writer.take(&all[cut..], 32);
    let compare = || compare_history(&disk, &journal_path(), Some(&snapshots_path()), 7).unwrap();
    let records = writer.node.sequence();
    assert!(matches!(compare(), Verdict::Same { records: same, snapshots: 1 } if same == records));

    // A writer whose state had gone wrong: its snapshot is whole and says something else.
    let (other, changed) = with_other_quantity(&all, 1_480);
    let mut wrong = replayed(&other[..all.partition_point(|slot| slot.sequence <= 1_500)]);
    let (head, _) = store(&memory).newest(1_500, openbell_kernel::node::Mode::Replay).unwrap().node.unwrap();
    store(&memory).save(&mut wrong, head.position).unwrap();
    let Verdict::Snapshot { sequence, differences } = compare() else { panic!("{:?}", compare()) };
    assert_eq!(sequence, 1_500);
    assert!(!differences.is_empty(), "order {changed} was another");
}

#[test]
fn the_state_at_any_sequence_is_that_of_a_replay_up_to_there() {
    let (memory, all) = (disk(), records(9, 1_200));
    let disk: Arc<dyn Disk> = memory.clone();
    let mut writer = Writer::new(&memory);
    let cut = all.partition_point(|slot| slot.sequence <= 700);
    writer.take(&all[..cut], 32);
    store(&memory).save(&mut writer.node, writer.journal.position()).unwrap();
    writer.take(&all[cut..], 32);
    for sequence in [1, 350, 699, 700, 701, 1_000] {
        let mut found = state_at(&disk, &journal_path(), Some(&snapshots_path()), 7, sequence).unwrap();
        let upto = all.partition_point(|slot| slot.sequence <= sequence);
        assert_eq!(found.sequence(), sequence);
        assert_eq!(found.state_hash(), replayed(&all[..upto]).state_hash(), "{sequence}");
    }
}
