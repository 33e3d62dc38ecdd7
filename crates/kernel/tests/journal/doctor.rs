//! What a person may do to a journal: cut it with an accepted loss, pass over a record. Copies and words stay.

use openbell_kernel::disk::Disk;
use openbell_kernel::disk::memory::{Fault, Operation};
use openbell_kernel::journal::{
    Acceptance, CutKind, Durability, JournalRule, SealKey, actor_and_reason, cut_at, cut_at_signed, prove,
    reseal, segment_headers, skip_record, skipped,
};
use openbell_kernel::message::Message;
use openbell_kernel::observation::{JournalCut, RecordSkipped};
use openbell_kernel::record::Body;

use crate::*;

fn anna() -> Acceptance {
    Acceptance {
        actor: "anna".to_owned(),
        reason: "bits rotted on the second disk".to_owned(),
        time: 1 << 60,
        accept_any_file_system: false,
    }
}

/// 30 batches of 9 records over several segments, sealed where the mode seals.
fn long(settings: Settings) -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, settings);
    for _ in 0..30 {
        commit(&mut writer, 9).unwrap();
        while !writer.prepare_next().unwrap() {}
    }
    drop(writer);
    disk.copy()
}

fn cut(disk: &MemoryDisk, sequence: u64) -> Result<openbell_kernel::journal::AcceptedCut, JournalError> {
    cut_at(Arc::new(disk.clone()), &journal_path(), sequence, &anna())
}

/// The journal is `records(1..last + 1)` and a `JournalCut` by anna.
fn assert_cut(disk: &MemoryDisk, last: u64, what: &str) {
    let (read, error) = read_all(disk);
    assert!(error.is_none(), "{what}: {error:?}");
    let kept = records(1..last + 1);
    assert_eq!(read[..kept.len()], kept, "{what}");
    let told = &read[kept.len()..];
    assert_eq!((told[0].message, told[0].sequence), (Message::JournalCut as u16, last + 1), "{what}");
    let body = JournalCut::of(&told[0]);
    assert_eq!(CutKind::from_number(body.kind), Some(CutKind::Accepted));
    assert_eq!(actor_and_reason(told), ("anna".to_owned(), anna().reason));
    assert_eq!(told[0].time, 1 << 60);
}

#[test]
fn a_journal_is_cut_behind_any_record_and_what_was_cut_is_kept() {
    for settings in
        [durable(), backtest(), Settings::of(Durability::Os, Content::Full).with_segment_size(8192)]
    {
        for sequence in [0, 1, 9, 10, 64, 131, 200, 269, 270] {
            let disk = long(settings);
            let before = segment_files(&disk);
            let done = cut(&disk, sequence).unwrap();
            let what = format!("{:?} {sequence}", settings.durability);
            assert_cut(&disk, sequence, &what);
            assert_kept_bytes(&disk, &before, &done, &what);
            let mut writer = open(&disk).unwrap();
            assert_eq!(writer.next_sequence(), sequence + 2, "{what}");
            commit(&mut writer, 4).unwrap();
            drop(writer);
            check(&disk).unwrap();
        }
    }
}

fn segment_files(disk: &MemoryDisk) -> Vec<Vec<u8>> {
    (1..).map_while(|number| disk.bytes(&segment(number))).collect()
}

/// Whatever was in the segments behind the cut is in the copies.
fn assert_kept_bytes(
    disk: &MemoryDisk,
    before: &[Vec<u8>],
    done: &openbell_kernel::journal::AcceptedCut,
    what: &str,
) {
    let copies: Vec<Vec<u8>> = done.copies.iter().map(|path| disk.bytes(path).unwrap()).collect();
    assert_eq!(copies.iter().map(|copy| copy.len() as u64).sum::<u64>(), done.bytes, "{what}");
    let (number, offset) = (done.place.segment as usize, done.place.offset as usize);
    let end = &before[number - 1][offset..];
    let later = &before[number..];
    let first_is_end = copies.len() > later.len();
    let copied = if first_is_end { copies[0].clone() } else { Vec::new() };
    assert!(end.starts_with(&copied) && end[copied.len()..].iter().all(|&byte| byte == 0), "{what}");
    let wholes: Vec<_> = copies.iter().skip(usize::from(first_is_end)).rev().collect();
    assert_eq!(wholes, later.iter().collect::<Vec<_>>(), "{what}");
}

#[test]
fn a_damaged_journal_can_be_cut_before_the_damage_and_not_behind_it() {
    let disk = long(durable());
    let mut bytes = disk.bytes(&segment(2)).unwrap();
    bytes[5000] ^= 1;
    disk.put(&segment(2), &bytes);
    let place = open(&disk).unwrap_err().place().unwrap().clone();
    let error = cut(&disk, place.sequence).unwrap_err();
    assert!(matches!(error, JournalError::CannotCut { .. }), "{error}");
    assert!(error.to_string().contains("it can be read up to"), "{error}");
    assert!(disk.list(&journal_path()).unwrap().iter().all(|name| !name.starts_with("cut")));
    cut(&disk, place.sequence - 1).unwrap();
    assert_cut(&disk, place.sequence - 1, "damaged");
    open(&disk).unwrap();
}

#[test]
fn what_was_lost_below_the_watermark_can_be_accepted() {
    let disk = long(durable());
    let last = segment_files(&disk).len() as u32;
    disk.remove(&segment(last)).unwrap();
    assert_eq!(open(&disk).unwrap_err().rule(), Some(JournalRule::EndMustReachWatermark));
    let kept =
        u64::from_le_bytes(long(durable()).bytes(&segment(last)).unwrap()[..8].try_into().unwrap()) - 1;
    cut(&disk, kept).unwrap();
    assert_cut(&disk, kept, "lost segment");
    let disk = long(durable());
    disk.remove(&journal_path().join("WATERMARK")).unwrap();
    cut(&disk, 270).unwrap();
    assert_cut(&disk, 270, "lost watermark");
}

#[test]
fn a_cut_into_sealed_history_is_noted_in_the_seals_and_sealed_anew() {
    let disk = long(durable());
    cut(&disk, 20).unwrap();
    let mut writer = open(&disk).unwrap();
    for _ in 0..30 {
        commit(&mut writer, 9).unwrap();
        while !writer.prepare_next().unwrap() {}
    }
    drop(writer);
    let proof = prove(Arc::new(disk.clone()), &journal_path(), None).unwrap();
    assert_eq!((proof.touched, proof.cuts), (None, vec![1]));
    assert!(proof.sealed_segments > 2 && proof.unsealed_segments == 1);
}

#[test]
fn a_cut_that_was_interrupted_anywhere_loses_nothing_and_can_be_repeated() {
    let operations = [
        Operation::Create,
        Operation::Write,
        Operation::Sync,
        Operation::Rename,
        Operation::SyncDirectory,
        Operation::Read,
    ];
    for operation in operations {
        for nth in 1.. {
            let disk = long(durable());
            let quiet = disk.calls(operation);
            disk.fail(operation, nth, Fault::Os(5));
            let first = cut(&disk, 131);
            if disk.calls(operation) - quiet < nth {
                break;
            }
            disk.cut_power();
            disk.heal();
            let again = cut(&disk, 131);
            let what = format!("{operation:?} {nth}: {first:?}, {again:?}");
            again.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_cut(&disk, 131, &what);
        }
    }
}

#[test]
fn a_cut_needs_an_actor_a_reason_and_a_record_that_is_there() {
    let disk = long(durable());
    for (actor, reason, missing) in [("", "why", "actor is empty"), ("anna", " ", "reason is empty")] {
        let acceptance = Acceptance { actor: actor.to_owned(), reason: reason.to_owned(), ..anna() };
        let error = cut_at(Arc::new(disk.clone()), &journal_path(), 5, &acceptance).unwrap_err();
        assert!(error.to_string().contains(missing), "{error}");
    }
    let error = cut(&disk, 271).unwrap_err();
    assert!(error.to_string().contains("it ends with sequence 270"), "{error}");
    let writer = open(&disk).unwrap();
    assert!(matches!(cut(&disk, 5), Err(JournalError::Locked { .. })));
    drop(writer);
}

#[test]
fn a_record_that_is_to_be_skipped_is_named_by_the_journal_itself() {
    let disk = long(durable());
    let skip = |sequence| skip_record(Arc::new(disk.clone()), &journal_path(), sequence, &anna());
    assert_eq!((skip(17).unwrap(), skip(3).unwrap()), (271, 272));
    for (sequence, text) in [(17, "skipped already"), (0, "holds sequences 1 to 272"), (400, "1 to 272")] {
        let error = skip(sequence).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
    let mut reader = JournalReader::open(Arc::new(disk.clone()), &journal_path()).unwrap();
    assert_eq!(skipped(&mut reader).unwrap().into_iter().collect::<Vec<_>>(), [3, 17]);
    let (read, _) = read_all(&disk);
    let told = read.iter().position(|slot| slot.message == Message::RecordSkipped as u16).unwrap();
    assert_eq!(RecordSkipped::of(&read[told]).skipped_sequence, 17);
    assert_eq!(actor_and_reason(&read[told..told + usize::from(read[told].slots)]).0, "anna");
}

#[test]
fn the_heads_of_the_segments_are_told() {
    let disk = long(durable());
    let headers = segment_headers(&disk, &journal_path()).unwrap();
    let numbers: Vec<u32> = headers.iter().map(|header| header.segment).collect();
    assert_eq!(numbers, (1..=headers.len() as u32).collect::<Vec<_>>());
    assert!(headers.windows(2).all(|pair| pair[0].first_sequence < pair[1].first_sequence));
}

fn seals_path() -> PathBuf {
    journal_path().join("SEALS")
}

#[test]
fn a_journal_whose_seals_are_lost_or_damaged_is_sealed_anew_as_it_stands_and_says_so() {
    let key = SealKey::from_bytes(&[7; 32]);
    let seal_anew =
        |disk: &MemoryDisk| reseal(Arc::new(disk.clone()), &journal_path(), &anna(), Some(key.clone()));
    let proof =
        |disk: &MemoryDisk| prove(Arc::new(disk.clone()), &journal_path(), Some(key.public_key())).unwrap();
    for is_begin_removed in [false, true] {
        let disk = long(durable());
        let mut at = 200;
        if is_begin_removed {
            // What tells of the removal stays whole: without it nobody knows that it was no loss.
            let mut writer = open(&disk).unwrap();
            assert_eq!(writer.remove_sealed_before(100).unwrap().first(), Some(&1));
            at += disk.bytes(&seals_path()).unwrap().len();
            for _ in 0..30 {
                commit(&mut writer, 9).unwrap();
                while !writer.prepare_next().unwrap() {}
            }
        }
        let mut damaged = disk.bytes(&seals_path()).unwrap();
        damaged[at] ^= 1;
        disk.put(&seals_path(), &damaged);
        assert_eq!(open(&disk).unwrap_err().rule(), Some(JournalRule::SealsMustBeValid));
        let last = check(&disk).unwrap().last_sequence;
        let (sealed, kept) = seal_anew(&disk).unwrap();
        assert_eq!(disk.bytes(&kept.unwrap()).unwrap(), damaged, "the old seals are kept");
        let proven = proof(&disk);
        assert_eq!((proven.touched.clone(), proven.sealed_segments as usize), (None, sealed));
        assert!(proven.is_signed && (proven.removed_through > 0) == is_begin_removed);
        let (read, _) = read_all(&disk);
        let told = read.iter().position(|slot| slot.message == Message::JournalCut as u16).unwrap();
        let body = JournalCut::of(&read[told]);
        assert_eq!((CutKind::from_number(body.kind), body.last_sequence), (Some(CutKind::Seals), last));
        assert_eq!(actor_and_reason(&read[told..]), ("anna".to_owned(), anna().reason));
        commit(&mut open(&disk).unwrap(), 9).unwrap();
        disk.remove(&seals_path()).unwrap();
        if is_begin_removed {
            let refused = seal_anew(&disk).unwrap_err();
            assert_eq!(
                refused.rule(),
                Some(JournalRule::SegmentsMustBeComplete),
                "lost or removed: who knows"
            );
            continue;
        }
        assert_eq!(seal_anew(&disk).unwrap().1, None, "there was nothing to keep");
        assert_eq!(proof(&disk).touched, None);
    }
}

#[test]
fn damaged_records_are_not_sealed_anew_and_neither_is_what_a_writer_has_open() {
    let seal_anew = |disk: &MemoryDisk| reseal(Arc::new(disk.clone()), &journal_path(), &anna(), None);
    let disk = long(durable());
    let writer = open(&disk).unwrap();
    assert!(matches!(seal_anew(&disk), Err(JournalError::Locked { .. })));
    drop(writer);
    let mut touched = disk.bytes(&segment(2)).unwrap();
    touched[900] ^= 1;
    disk.put(&segment(2), &touched);
    let before = disk.bytes(&seals_path());
    assert!(matches!(seal_anew(&disk), Err(JournalError::Damaged { .. })));
    assert_eq!(disk.bytes(&seals_path()), before);
    assert!(matches!(seal_anew(&long(backtest())), Err(JournalError::NotSealed { .. })));
    let nobody = Acceptance { actor: " ".to_owned(), ..anna() };
    let refused = reseal(Arc::new(disk), &journal_path(), &nobody, None).unwrap_err();
    assert!(refused.to_string().contains("actor is empty"), "{refused}");
}

#[test]
fn a_cut_of_signed_history_is_signed_too() {
    let key = SealKey::from_bytes(&[7; 32]);
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, durable());
    writer.sign_seals(key.clone()).unwrap();
    for _ in 0..30 {
        commit(&mut writer, 9).unwrap();
        while !writer.prepare_next().unwrap() {}
    }
    drop(writer);
    for (with, touched) in [(Some(key.clone()), false), (None, true)] {
        let disk = disk.copy();
        cut_at_signed(Arc::new(disk.clone()), &journal_path(), 100, &anna(), with).unwrap();
        let proven = prove(Arc::new(disk), &journal_path(), Some(key.public_key())).unwrap();
        assert_eq!(proven.touched.is_some(), touched, "{:?}", proven.touched);
        assert_eq!(proven.cuts.len(), 1);
    }
}
