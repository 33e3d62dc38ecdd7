//! Sealed history: what is untouched is proved, what was touched is named; the begin can be removed on purpose.

use openbell_kernel::disk::Disk;
use openbell_kernel::disk::memory::{Fault, Operation};
use openbell_kernel::journal::{Durability, JournalRule, OpenOptions, Proof, SealKey, prove};
use sha2::{Digest, Sha256};

use crate::*;

fn seals() -> PathBuf {
    journal_path().join("SEALS")
}

fn key() -> SealKey {
    SealKey::from_bytes(&[7; 32])
}

/// Several segments, sealed up to the last, which is still being written.
fn sealed(key: Option<SealKey>) -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, durable());
    if let Some(key) = key {
        writer.sign_seals(key).unwrap();
    }
    for _ in 0..30 {
        commit(&mut writer, 9).unwrap();
        while !writer.prepare_next().unwrap() {}
    }
    let disk = disk.copy();
    assert!(check(&disk).unwrap().segments > 3);
    disk
}

fn proof(disk: &MemoryDisk, public_key: Option<[u8; 32]>) -> Proof {
    prove(Arc::new(disk.clone()), &journal_path(), public_key).unwrap()
}

fn touched(disk: &MemoryDisk) -> Option<(u32, JournalRule)> {
    proof(disk, None).touched.map(|touched| (touched.place.segment, touched.rule))
}

#[test]
fn an_untouched_history_is_proved_and_its_hashes_are_those_of_the_files() {
    let disk = sealed(None);
    let proof = proof(&disk, None);
    let segments = check(&disk).unwrap().segments;
    assert_eq!(proof.touched, None);
    assert_eq!((proof.sealed_segments, proof.unsealed_segments), (segments - 1, 1));
    assert!(proof.sealed_through > 100 && !proof.is_signed && proof.removed_through == 0);
    let bytes = disk.bytes(&seals()).unwrap();
    let entry = &bytes[256..512];
    let file: [u8; 32] = Sha256::digest(disk.bytes(&segment(2)).unwrap()).into();
    assert_eq!(entry[72..104], file, "sha256sum of the file tells the same");
    assert_eq!(entry[104..136], bytes[136..168], "the seal before");
    let seal: [u8; 32] = Sha256::digest(&entry[12..136]).into();
    assert_eq!(entry[136..168], seal);
    assert_eq!(bytes[bytes.len() - 256 + 136..bytes.len() - 256 + 168], proof.last_seal);
}

#[test]
fn every_flipped_bit_and_every_cut_of_the_seals_is_found_or_takes_whole_entries() {
    let disk = sealed(Some(key()));
    let whole = disk.bytes(&seals()).unwrap();
    let public_key = key().public_key();
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        disk.put(&seals(), &flipped);
        let found = proof(&disk, Some(public_key)).touched.unwrap_or_else(|| panic!("bit {bit} passes"));
        assert_eq!(found.place.offset, (bit / 8 / 256 * 256) as u64, "bit {bit}: {found:?}");
        // a damaged last entry looks like one that was cut short, and is written anew from what it sealed
        let is_last = bit / 8 >= whole.len() - 256;
        assert_eq!(open(&disk).is_ok(), is_last, "bit {bit}");
    }
    for length in 0..whole.len() {
        let disk = disk.copy();
        disk.put(&seals(), &whole[..length]);
        assert_eq!(proof(&disk, Some(public_key)).touched.is_none(), length % 256 == 0, "cut to {length}");
        if length % 64 == 0 {
            let mut writer = open(&disk).unwrap();
            writer.sign_seals(key()).unwrap();
            while !writer.prepare_next().unwrap() {}
            drop(writer);
            assert_eq!(disk.bytes(&seals()).unwrap(), whole, "sealed anew after a cut to {length}");
        }
    }
    disk.remove(&seals()).unwrap();
    assert_eq!(open(&disk).unwrap_err().rule(), Some(JournalRule::SealsMustBeValid));
}

#[test]
fn every_touched_bit_of_a_sealed_segment_is_found_in_its_segment() {
    let disk = sealed(None);
    for number in [1, 2] {
        let whole = disk.bytes(&segment(number)).unwrap();
        for bit in (0..whole.len() * 8).step_by(41) {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            disk.put(&segment(number), &flipped);
            assert_eq!(touched(&disk).map(|(segment, _)| segment), Some(number), "bit {bit}");
        }
        disk.put(&segment(number), &whole);
    }
    assert_eq!(touched(&disk), None);
}

#[test]
fn a_history_forged_with_right_checksums_and_chain_is_found() {
    let disk = sealed(None);
    let forged = MemoryDisk::new();
    let mut writer = create(&forged, durable());
    for _ in 0..30 {
        let first = writer.next_sequence();
        writer.append(&records(first..first + 9)).unwrap();
        writer.commit(Some((first, u128::from(first) << 64)), u128::from(first + 10)).unwrap(); // other events
        while !writer.prepare_next().unwrap() {}
    }
    drop(writer);
    assert_eq!(check(&forged).unwrap().segments, check(&disk).unwrap().segments);
    let own_seals = forged.bytes(&seals()).unwrap();
    forged.put(&seals(), &disk.bytes(&seals()).unwrap());
    assert_eq!(touched(&forged), Some((1, JournalRule::SegmentMustBeAsSealed)));
    // with seals computed anew only a signature, or the last seal kept elsewhere, tells
    forged.put(&seals(), &own_seals);
    assert_eq!(touched(&forged), None);
    assert_ne!(proof(&forged, None).last_seal, proof(&disk, None).last_seal);
    let unsigned = proof(&forged, Some(key().public_key())).touched.unwrap();
    assert_eq!(unsigned.rule, JournalRule::SealMustBeSigned);
}

#[test]
fn signatures_are_of_the_given_key_or_named() {
    let disk = sealed(Some(key()));
    let own = proof(&disk, Some(key().public_key()));
    assert!(own.is_signed && own.touched.is_none());
    let other = SealKey::from_bytes(&[8; 32]).public_key();
    let found = proof(&disk, Some(other)).touched.unwrap();
    assert_eq!(
        (found.rule, found.found.as_str()),
        (JournalRule::SealMustBeSigned, "entry 1 is signed with another key")
    );
    assert!(!format!("{:?}", key()).contains('7'), "a key is never printed");
    let none = prove(Arc::new(disk), &journal_path(), Some([2; 32]));
    assert!(none.is_err() || none.is_ok_and(|proof| proof.touched.is_some()));
}

#[test]
fn a_key_that_came_later_vouches_for_what_was_sealed_before_and_nobody_may_leave_it_out_afterwards() {
    let disk = sealed(None);
    let before = disk.bytes(&seals()).unwrap().len() / 256;
    let go_on = |signed: bool| {
        let mut writer = open(&disk).unwrap();
        if signed {
            writer.sign_seals(key()).unwrap();
        }
        for _ in 0..30 {
            commit(&mut writer, 9).unwrap();
            while !writer.prepare_next().unwrap() {}
        }
    };
    let public_key = Some(key().public_key());
    let found = proof(&disk, public_key);
    assert!(!found.is_signed && found.touched.unwrap().found == "entry 1 is not signed");
    go_on(true);
    let signed = disk.bytes(&seals()).unwrap().len() / 256;
    assert!(signed > before + 1);
    let found = proof(&disk, public_key);
    assert!(found.is_signed && found.touched.is_none());
    go_on(false);
    let found = proof(&disk, public_key);
    assert!(!found.is_signed);
    assert_eq!(found.touched.unwrap().found, format!("entry {} is not signed", signed + 1));
}

#[test]
fn a_background_thread_prepares_and_seals_the_same() {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, durable());
    writer.sign_seals(key()).unwrap();
    writer.prepare_in_background();
    for round in 0..30 {
        commit(&mut writer, 9).unwrap();
        if round == 12 {
            writer.sign_seals(key()).unwrap(); // takes the work back and hands it out again
        }
    }
    writer.close(None, 0).unwrap();
    let (own, expected) = (proof(&disk, Some(key().public_key())), sealed(Some(key())));
    assert_eq!(own.touched, None);
    assert_eq!(own.unsealed_segments, 1);
    assert_eq!(disk.bytes(&seals()).unwrap(), expected.bytes(&seals()).unwrap());
}

#[test]
fn a_background_thread_tells_of_a_full_disk_and_of_a_failed_one() {
    let disk = MemoryDisk::new();
    let settings = durable().with_segment_size(64 << 10);
    let mut writer = create(&disk, settings);
    disk.set_capacity(Some((64 << 10) + 4224 + 30_000));
    writer.prepare_in_background();
    while writer.room() == Room::Ample {
        commit(&mut writer, 7).unwrap();
    }
    while commit(&mut writer, 7).is_ok() {}
    disk.set_capacity(None);
    let next = writer.next_sequence();
    assert_eq!(writer.commit(None, 0).unwrap(), next - 1);
    assert_eq!(writer.room(), Room::Ample);
    drop(writer);
    assert_eq!(check(&disk).unwrap().last_sequence, next - 1);
    let failing = MemoryDisk::new();
    let mut writer = create(&failing, durable());
    failing.fail(Operation::Create, 1, Fault::Os(5));
    writer.prepare_in_background();
    let error = loop {
        if let Err(error) = commit(&mut writer, 7) {
            break error;
        }
    };
    assert!(error.to_string().contains("cannot create the next segment"), "{error}");
    assert!(matches!(commit(&mut writer, 7), Err(JournalError::Stopped { .. })));
}

#[test]
fn what_a_killed_writer_left_unsealed_is_sealed_when_the_journal_is_opened_again() {
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, durable());
    for _ in 0..30 {
        commit(&mut writer, 9).unwrap();
    }
    drop(writer); // nobody ever had time to seal
    assert_eq!(proof(&disk, None).sealed_segments, 0);
    let mut writer = open(&disk).unwrap();
    while !writer.prepare_next().unwrap() {}
    drop(writer);
    assert_eq!(disk.bytes(&seals()).unwrap(), sealed(None).bytes(&seals()).unwrap());
}

#[test]
fn the_begin_is_removed_in_whole_sealed_segments_and_the_rest_opens_from_its_first() {
    let disk = sealed(None);
    let whole = check(&disk).unwrap();
    let mut writer = open(&disk).unwrap();
    assert_eq!(writer.remove_sealed_before(2).unwrap(), Vec::<u32>::new());
    let second = header_sequence(&disk, 2);
    assert_eq!(
        writer.remove_sealed_before(second - 1).unwrap(),
        Vec::<u32>::new(),
        "a record of it is needed"
    );
    assert_eq!(writer.remove_sealed_before(second).unwrap(), [1]);
    let last_sealed = whole.segments - 1;
    assert_eq!(writer.remove_sealed_before(u64::MAX).unwrap(), (2..=last_sealed).collect::<Vec<_>>());
    commit(&mut writer, 3).unwrap();
    drop(writer);
    let report = check(&disk).unwrap();
    assert_eq!((report.segments, report.last_sequence), (1, whole.last_sequence + 3));
    assert_eq!(read_all(&disk).0, records(report.first_sequence..report.last_sequence + 1));
    let proof = proof(&disk, None);
    assert_eq!((proof.touched, proof.removed_through), (None, last_sealed));
    open(&disk).unwrap();
}

fn header_sequence(disk: &MemoryDisk, number: u32) -> u64 {
    u64::from_le_bytes(disk.bytes(&segment(number)).unwrap()[..8].try_into().unwrap())
}

#[test]
fn a_removal_that_was_interrupted_anywhere_leaves_a_journal_that_opens() {
    let operations = [Operation::Write, Operation::Sync, Operation::Remove, Operation::SyncDirectory];
    for operation in operations {
        for nth in 1..8 {
            for cut_power in [false, true] {
                let disk = sealed(None);
                let last = check(&disk).unwrap().last_sequence;
                let mut writer = open(&disk).unwrap();
                disk.fail(operation, nth, Fault::Os(5));
                writer.remove_sealed_before(u64::MAX).ok();
                drop(writer);
                disk.heal();
                if cut_power {
                    disk.cut_power();
                }
                assert_eq!(check(&disk).unwrap().last_sequence, last, "{operation:?} {nth}");
                assert_eq!(proof(&disk, None).touched, None, "{operation:?} {nth}");
                let mut writer = open(&disk).unwrap();
                writer.remove_sealed_before(u64::MAX).unwrap();
                drop(writer);
                assert_eq!(check(&disk).unwrap().segments, 1);
            }
        }
    }
}

#[test]
fn segments_that_vanish_without_being_removed_are_missed() {
    for lost in [1, 2, 3] {
        let disk = sealed(None);
        let mut writer = open(&disk).unwrap();
        let third = header_sequence(&disk, 2);
        assert_eq!(writer.remove_sealed_before(third).unwrap(), [1]);
        drop(writer);
        disk.remove(&segment(lost)).ok();
        assert_eq!(check(&disk).is_err(), lost > 1, "segment {lost}");
        assert_eq!(touched(&disk).is_some(), lost > 1, "segment {lost}");
    }
}

#[test]
fn a_journal_that_ends_before_what_was_sealed_is_refused_also_without_a_watermark() {
    let settings = Settings::of(Durability::Os, Content::Full).with_segment_size(8192);
    let disk = MemoryDisk::new();
    let mut writer = create(&disk, settings);
    for _ in 0..30 {
        commit(&mut writer, 9).unwrap();
        while !writer.prepare_next().unwrap() {}
    }
    drop(writer);
    let segments = check(&disk).unwrap().segments;
    disk.remove(&segment(segments)).unwrap();
    disk.remove(&segment(segments - 1)).unwrap();
    let error = JournalWriter::open_with(Arc::new(disk.clone()), &journal_path(), &OpenOptions::default())
        .unwrap_err();
    assert_eq!(error.rule(), Some(JournalRule::SegmentsMustBeComplete), "{error}");
    assert!(error.to_string().contains("was sealed"), "{error}");
}

#[test]
fn a_journal_that_is_not_sealed_says_so() {
    let disk = MemoryDisk::new();
    commit(&mut create(&disk, backtest()), 3).unwrap();
    let error = prove(Arc::new(disk), &journal_path(), None).unwrap_err();
    assert!(error.to_string().contains("no SEALS"), "{error}");
}
