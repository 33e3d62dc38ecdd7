//! Files: whole, damaged, foreign.

use openbell_kernel::disk::Disk;
use openbell_kernel::node::Mode;
use openbell_kernel::snapshot::{KEPT, Owner, SnapshotError, SnapshotStore};

use crate::{Writer, disk, file_bytes, put_bytes, records, run, snapshots_path, store};

#[test]
fn a_node_that_was_saved_has_the_same_hash_and_the_same_future() {
    let (disk, all) = (disk(), records(3, 400));
    let (first, rest) = all.split_at(all.partition_point(|slot| slot.sequence <= 250));
    let mut writer = Writer::new(&disk);
    writer.take(first, 16);
    store(&disk).save(&mut writer.node, writer.journal.position()).unwrap();
    let (head, mut restored) = store(&disk).newest(u64::MAX, Mode::Replay).unwrap().node.unwrap();
    assert_eq!((head.sequence(), head.position), (250, writer.position()));
    for node in [&mut writer.node, &mut restored] {
        run(node, rest);
    }
    assert_eq!(restored.state_hash(), writer.node.state_hash());
    assert_eq!(restored.output_hash(), writer.node.output_hash());
}

#[test]
fn the_newest_two_are_kept() {
    let (disk, all) = (disk(), records(3, 300));
    let mut writer = Writer::new(&disk);
    let mut from = 0;
    for sequence in [50, 100, 150, 200] {
        let to = all.partition_point(|slot| slot.sequence <= sequence);
        writer.take(&all[from..to], 16);
        from = to;
        store(&disk).save(&mut writer.node, writer.journal.position()).unwrap();
    }
    assert_eq!((store(&disk).sequences().unwrap(), KEPT), (vec![150, 200], 2));
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed_and_the_older_one_serves() {
    let (disk, all) = (disk(), records(3, 12));
    let mut writer = Writer::new(&disk);
    let (first, rest) = all.split_at(all.partition_point(|slot| slot.sequence <= 20));
    writer.take(first, 16);
    store(&disk).save(&mut writer.node, writer.journal.position()).unwrap();
    writer.take(rest, 16);
    let path = store(&disk).save(&mut writer.node, writer.journal.position()).unwrap();
    let whole = file_bytes(&disk, &path);
    let refused = |bytes: &[u8], what: &str| {
        put_bytes(&disk, &path, bytes);
        let found = store(&disk).newest(u64::MAX, Mode::Replay).unwrap();
        assert_eq!(found.node.map(|(head, _)| head.sequence()), Some(20), "{what}");
        assert!(found.rejected[0].error.is_damage(), "{what}: {}", found.rejected[0].error);
    };
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refused(&flipped, &format!("bit {bit}"));
    }
    for length in 0..whole.len() {
        refused(&whole[..length], &format!("{length} bytes"));
    }
    refused(&[whole.as_slice(), &[0]].concat(), "one byte more");
}

#[test]
fn a_snapshot_of_somebody_else_is_refused_and_named() {
    let disk = disk();
    let mut writer = Writer::new(&disk);
    writer.take(&records(3, 5), 16);
    store(&disk).save(&mut writer.node, writer.journal.position()).unwrap();
    let own = Owner { epoch: crate::EPOCH, shard: 0, configuration: 7 };
    for (owner, what) in [
        (Owner { epoch: 1, ..own }, "epoch 0xe0, this journal has 0x1"),
        (Owner { shard: 3, ..own }, "shard 0x0, this journal has 0x3"),
        (Owner { configuration: 8, ..own }, "configuration 0x7, this node has 0x8"),
    ] {
        let foreign = SnapshotStore::new(disk.clone(), &snapshots_path(), owner);
        let error = foreign.newest(u64::MAX, Mode::Replay).unwrap_err();
        assert!(
            matches!(error, SnapshotError::Foreign { .. }) && error.to_string().contains(what),
            "{error}"
        );
    }
}

#[test]
fn a_node_that_has_gone_on_is_not_saved_under_an_older_place() {
    let disk = disk();
    let mut writer = Writer::new(&disk);
    let all = records(3, 5);
    writer.take(&all, 16);
    let mut older = writer.journal.position();
    older.sequence -= 1;
    let error = store(&disk).save(&mut writer.node, older).unwrap_err();
    assert!(error.to_string().contains("has gone on"), "{error}");
    assert!(!disk.is_directory(&snapshots_path()));
}
