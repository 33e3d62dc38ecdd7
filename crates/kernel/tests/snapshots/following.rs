//! The follower: behind the writer, beside it, and after it.

use openbell_kernel::node::Mode;
use openbell_kernel::snapshot::{Follower, SnapshotPolicy, StateImage, restart};

use crate::{Writer, disk, file_bytes, journal_path, options, records, replayed, snapshots_path, store};

const NEVER: SnapshotPolicy = SnapshotPolicy { records: u64::MAX, bytes: u64::MAX, interval_ns: u64::MAX };

#[test]
fn it_takes_in_what_is_durable_and_saves_when_that_is_due() {
    let (disk, all) = (disk(), records(5, 2_000));
    let mut writer = Writer::new(&disk);
    let policy = SnapshotPolicy { interval_ns: 30, ..NEVER };
    let mut follower = Follower::open(disk.clone(), &journal_path(), &snapshots_path(), 7, policy).unwrap();
    for (turn, part) in (0u64..).zip(pieces(&all, 250)) {
        writer.take(part, 16);
        let followed = follower.follow(turn * 10).unwrap();
        assert_eq!(followed.sequence, writer.node.sequence(), "turn {turn}");
        assert_eq!(followed.snapshot.is_some(), turn % 3 == 0 && turn > 0, "turn {turn}");
    }
    let (head, _) = store(&disk).newest(u64::MAX, Mode::Replay).unwrap().node.unwrap();
    let mut node = writer.node;
    drop(writer.journal);
    let (mut again, _, report) = restart(disk, &journal_path(), &options()).unwrap();
    assert_eq!(report.snapshot.map(|(sequence, _)| sequence), Some(head.sequence()));
    assert_eq!(again.state_hash(), node.state_hash());
}

#[test]
fn many_records_or_bytes_are_a_reason_too_and_a_new_follower_begins_at_the_last_snapshot() {
    let (disk, all) = (disk(), records(5, 2_000));
    let mut writer = Writer::new(&disk);
    writer.take(&all, 16);
    for policy in [SnapshotPolicy { records: 500, ..NEVER }, SnapshotPolicy { bytes: 64 * 500, ..NEVER }] {
        let mut follower =
            Follower::open(disk.clone(), &journal_path(), &snapshots_path(), 7, policy).unwrap();
        assert!(follower.follow(0).unwrap().snapshot.is_some() || follower.sequence() > 0);
    }
    let newest = *store(&disk).sequences().unwrap().last().unwrap();
    let mut follower = Follower::open(disk, &journal_path(), &snapshots_path(), 7, NEVER).unwrap();
    assert_eq!(follower.sequence(), newest);
}

/// Whole records, about `size` slots each.
fn pieces(all: &[openbell_kernel::record::Slot], size: usize) -> Vec<&[openbell_kernel::record::Slot]> {
    let (mut rest, mut pieces) = (all, Vec::new());
    while !rest.is_empty() {
        let mut end = size.min(rest.len());
        while end < rest.len() && rest[end].sequence == rest[end - 1].sequence {
            end += 1;
        }
        pieces.push(&rest[..end]);
        rest = &rest[end..];
    }
    pieces
}

#[test]
fn the_copy_of_a_live_state_is_compared_with_what_the_records_make() {
    let (disk, all) = (disk(), records(3, 400));
    let mut writer = Writer::new(&disk);
    writer.take(&all, 16);
    let image = StateImage::of(&mut writer.node).unwrap();
    let open = || {
        let policy = SnapshotPolicy::default();
        Follower::open(disk.clone(), &journal_path(), &snapshots_path(), 7, policy).unwrap()
    };
    open().compare(&image).unwrap();
    // as if a bit had flipped in memory: another order rests
    let mut other = replayed(&records(4, 400));
    let error = open().compare(&StateImage::of(&mut other).unwrap()).unwrap_err().to_string();
    assert!(error.contains("is not what the journal's records make"), "{error}");
    assert!(error.contains("not saved"), "{error}");
}

#[test]
fn a_state_beyond_the_bound_is_not_copied() {
    let (disk, all) = (disk(), records(3, 400));
    let mut writer = Writer::new(&disk);
    writer.take(&all, 16);
    let mut whole = openbell_kernel::state::StateWriter::new();
    writer.node.write_state(&mut whole);
    let bytes = whole.into_bytes().len() as u64;
    assert!(StateImage::within(&mut writer.node, bytes - 1).unwrap().is_none());
    let image = StateImage::within(&mut writer.node, bytes).unwrap().unwrap();
    let position = writer.position();
    let path = store(&disk).save_image(&image, position).unwrap();
    let copied = file_bytes(&disk, &path);
    let saved = store(&disk).save(&mut writer.node, position).unwrap();
    assert_eq!(copied, file_bytes(&disk, &saved), "streamed or copied, the same file");
}
