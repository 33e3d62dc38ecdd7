//! What goes in comes out.

use openbell_kernel::journal::{Settings, Tail};
use openbell_kernel::record::SLOT_SIZE;
use proptest::prelude::*;

use crate::*;

fn any_settings() -> impl Strategy<Value = Settings> {
    let durable = prop::sample::select(vec![512u32, 4096])
        .prop_map(|sector_size| Settings { sector_size, ..durable().with_segment_size(12288) });
    prop_oneof![durable, Just(backtest())]
}

proptest! {
    #[test]
    fn committed_records_are_read_back_over_any_batches_segments_and_reopenings(
        settings in any_settings(),
        sessions in prop::collection::vec(prop::collection::vec(0u64..60, 1..8), 1..4),
        close in any::<bool>(),
    ) {
        let disk = MemoryDisk::new();
        let mut writer = create(&disk, settings);
        for batches in &sessions {
            for &count in batches {
                let last = commit(&mut writer, count).unwrap();
                prop_assert_eq!(last, writer.next_sequence() - 1);
            }
            if close {
                writer.close(None, 9).unwrap();
            } else {
                drop(writer);
            }
            writer = open(&disk).unwrap();
        }
        let last = writer.next_sequence() - 1;
        let report = check(&disk).unwrap();
        let (read, error) = read_all(&disk);
        prop_assert!(error.is_none(), "{:?}", error);
        prop_assert_eq!(read, records(1..last + 1));
        prop_assert_eq!((report.records, report.last_sequence), (last, last));
        prop_assert_eq!(report.slots as usize, records(1..last + 1).len());
        prop_assert_eq!((report.closed, report.tail), (close, Tail::Clean));
        prop_assert_eq!(report.end, writer.position());
    }
}

#[test]
fn the_report_tells_what_the_last_commit_said() {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, durable());
    assert_eq!(commit(&mut writer, 4).unwrap(), 4);
    assert_eq!(commit(&mut writer, 2).unwrap(), 6);
    assert_eq!((writer.durable_sequence(), writer.buffered_slots()), (6, 0));
    writer.close(Some((6, 66)), 67).unwrap();
    let report = check(&disk).unwrap();
    assert_eq!(report.state_hash, Some((6, 66)));
    assert_eq!(report.output_hash, Some((6, 67)));
    assert_eq!((report.batches, report.durable_sequence, report.first_sequence), (3, 6, 1));
    assert_eq!((report.identity, report.settings), (identity(), durable()));
    assert_eq!((report.bytes, report.file_bytes), (512 + 3 * 512, 8192));
}

#[test]
fn nothing_is_written_without_records() {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, durable());
    assert_eq!(writer.commit(Some((0, 1)), 2).unwrap(), 0);
    assert_eq!(check(&disk).unwrap().batches, 0);
}

#[test]
fn a_commit_longer_than_a_segment_becomes_several_batches() {
    for settings in [durable(), backtest()] {
        let disk = MemoryDisk::new();
        let mut writer = create(&disk, settings);
        assert_eq!(commit(&mut writer, 1000).unwrap(), 1000);
        let report = check(&disk).unwrap();
        assert!(report.batches > 10 && report.segments > 10, "{report:?}");
        assert_eq!((report.last_sequence, report.output_hash), (1000, Some((1000, 1001))));
        assert_eq!(read_all(&disk).0, records(1..1001));
    }
}

#[test]
fn no_sector_with_committed_records_is_written_again() {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, durable());
    let mut before = disk.bytes(&segment(1)).unwrap();
    let mut end = 512;
    for count in [1, 7, 20, 3] {
        commit(&mut writer, count).unwrap();
        let after = disk.bytes(&segment(1)).unwrap();
        let first = before.iter().zip(&after).position(|(old, new)| old != new).unwrap();
        assert_eq!((first / 512 * 512, before.len()), (end, after.len()));
        end = check(&disk).unwrap().bytes as usize;
        assert_eq!(end % 512, 0);
        before = after;
    }
}

#[test]
fn a_backtest_pays_two_slots_per_batch_and_nothing_else() {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, Settings::backtest(Content::Full));
    for _ in 0..10 {
        commit(&mut writer, 50).unwrap();
    }
    let slots = records(1..501).len();
    assert_eq!(disk.bytes(&segment(1)).unwrap().len(), 512 + (10 * 2 + slots) * SLOT_SIZE);
}
