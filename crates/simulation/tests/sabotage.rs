//! The proofs are proven: without a sync, a gate or a check they turn red. Runs with `--features sabotage`, which lets
//! a check of the kernel be taken out; no product build has it.
#![cfg(feature = "sabotage")]
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;

use openbell_kernel::clock::Clock;
use openbell_kernel::clock::system::SystemClock;
use openbell_kernel::command::{CancelOrder, SubmitOrder};
use openbell_kernel::disk::MemoryDisk;
use openbell_kernel::journal::{Acceptance, Durability, JournalReader, JournalWriter, skip_record};
use openbell_kernel::live::{
    Failure, InlineSnapshots, JournalToFollow, LiveError, LiveNode, LiveOptions, configure,
};
use openbell_kernel::message::Message;
use openbell_kernel::record::{RecordBuffer, Slot};
use openbell_kernel::ring::Signal;
use openbell_kernel::sabotage::{Check, PANICKING_ORDER, remove};
use openbell_kernel::snapshot::{Owner, SNAPSHOTS_NAME, SnapshotPolicy, SnapshotStore};
use openbell_kernel::terms::Side;
use openbell_simulation::clients::{Clients, set_up};
use openbell_simulation::damage::{Answer, Change, Left, Remains};
use openbell_simulation::disk::{Broken, SECTOR, SimulatedDisk};
use openbell_simulation::exchange::{Exchange, Fold, SHARD, Told, identity, journal_path};
use openbell_simulation::oracle::{Found, Promise, Rule, Violation, Witness};
use openbell_simulation::random::Random;
use openbell_simulation::story::{Story, settings_of};

/// Seeds until one turns red. Every sabotage is found long before the last.
const SEEDS: u64 = 2_000;

fn first_red(check: Option<Check>, broken: Broken) -> Option<(u64, Violation)> {
    remove(check);
    let red = (0..SEEDS).find_map(|seed| {
        let ending = Story::new(seed).on_broken(broken).run();
        Some((seed, ending.verdict.err()?))
    });
    remove(None);
    red
}

fn require_red(check: Option<Check>, broken: Broken) {
    let (seed, violation) = first_red(check, broken).expect("nobody missed it");
    println!("without {check:?} {broken:?}: seed {seed}: {violation}");
}

const HONEST: Broken = Broken { sync: false, directory_sync: false };

#[test]
fn with_everything_in_place_the_same_seeds_are_green() {
    let red = (0..400).find_map(|seed| Story::new(seed).run().verdict.err());
    assert_eq!(red, None);
}

#[test]
fn without_the_sync_the_seeds_turn_red() {
    require_red(None, Broken { sync: true, ..HONEST });
}

#[test]
fn without_the_directory_sync_the_seeds_turn_red() {
    require_red(None, Broken { directory_sync: true, ..HONEST });
}

#[test]
fn without_the_output_gate_the_seeds_turn_red() {
    require_red(Some(Check::OutputGate), HONEST);
}

#[test]
fn without_the_duplicate_check_the_seeds_turn_red() {
    require_red(Some(Check::Duplicate), HONEST);
}

/// A strict journal whose last segment holds nothing any more: it ends on a border and looks whole. Without its snapshots, which would
/// miss it as well.
#[test]
fn without_the_watermark_a_lost_segment_turns_red() {
    let remains = Remains::new(Durability::Strict, Left::Killed).unwrap().without_snapshots();
    let last = last_segment(&remains);
    assert_eq!(remains.restart_after(&last, HEADER_ONLY), Ok(Answer::Refused));
    remove(Some(Check::Watermark));
    let red = remains.restart_after(&last, HEADER_ONLY);
    remove(None);
    assert_eq!(red.unwrap_err().rule, Rule::AcknowledgedMustSurvive);
}

/// A journal without a watermark whose last segment holds nothing any more: only the snapshot knows that there was more.
#[test]
fn without_the_snapshots_place_a_lost_segment_turns_red() {
    let remains = Remains::new(Durability::Os, Left::Killed).unwrap();
    let last = last_segment(&remains);
    assert_eq!(remains.restart_after(&last, HEADER_ONLY), Ok(Answer::Refused));
    remove(Some(Check::SnapshotEnd));
    let red = remains.restart_after(&last, HEADER_ONLY);
    remove(None);
    assert_eq!(red.unwrap_err().rule, Rule::AcknowledgedMustSurvive);
}

/// Of a segment.
const HEADER_ONLY: Change = Change::Cut { length: 512 };

fn last_segment(remains: &Remains) -> PathBuf {
    let segments = remains.files().into_iter().map(|(path, _)| path);
    let segments = segments.filter(|path| path.extension().is_some_and(|end| end == "seg"));
    segments.filter(is_numbered).max().unwrap()
}

#[test]
fn without_reading_a_snapshot_back_the_seeds_turn_red() {
    require_red(Some(Check::SnapshotReadBack), HONEST);
}

#[test]
fn when_retention_removes_too_much_the_seeds_turn_red() {
    require_red(Some(Check::Retention), HONEST);
}

#[test]
fn when_a_removal_is_not_noted_the_seeds_turn_red() {
    require_red(Some(Check::RemovalNote), HONEST);
}

#[test]
fn when_a_journal_opens_in_the_middle_of_a_cut_the_seeds_turn_red() {
    require_red(Some(Check::CutUnfinished), HONEST);
}

fn is_numbered(path: &PathBuf) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
}

/// One cancel, in a batch of its own.
fn cancel(exchange: &mut Exchange, client_order_id: u64) {
    let mut record = RecordBuffer::new(CancelOrder { client_order_id, reserved: [0; 3] });
    record.head_mut().account = 1;
    exchange.submit(record);
    exchange.poll(usize::MAX).unwrap();
}

fn segment() -> PathBuf {
    journal_path().join("00000001.seg")
}

/// Two histories that part after the same beginning: the batch of the one that stands in the journal of the other.
#[test]
fn without_the_chain_a_batch_of_another_history_turns_red() {
    let disk = SimulatedDisk::new(1);
    let mut exchange = Exchange::create(&disk, settings_of(Durability::Batch)).unwrap();
    set_up().into_iter().for_each(|command| exchange.submit(command));
    exchange.poll(usize::MAX).unwrap();
    let mut clients = Clients::new(Random::new(1));
    (0..10).for_each(|_| exchange.submit(clients.next(exchange.time())));
    exchange.poll(usize::MAX).unwrap();

    let other = disk.fork();
    other.kill_process();
    other.restart_process();
    let mut stranger = Exchange::restart(&other, &Told::default()).unwrap().exchange;
    cancel(&mut stranger, 500_001);
    cancel(&mut exchange, 500_002);
    cancel(&mut exchange, 500_003);
    let told = exchange.told();
    drop(exchange);

    let (mine, theirs) = (disk.bytes(&segment()).unwrap(), other.bytes(&segment()).unwrap());
    let at = mine.iter().zip(&theirs).position(|(mine, theirs)| mine != theirs).unwrap() / SECTOR * SECTOR;
    let mixed = [&mine[..at], &theirs[at..at + SECTOR], &mine[at + SECTOR..]].concat();
    disk.put(&segment(), &mixed);
    disk.restart_process();
    assert!(Exchange::restart(&disk, &Told::default()).is_err(), "the chain does not fit");
    remove(Some(Check::Chain));
    let records = read(&disk);
    remove(None);
    // a restart would still miss the hashes that the batches carry; the records alone show it as well
    let mut witness = Witness::default();
    witness.see(&[], told.last_sequence());
    witness.note_told(told);
    let engine = Fold::of(&records).unwrap().engine;
    let found = Found { records: &records, engine: &engine, snapshots: &[] };
    let red = witness.check(&found, Promise::Everything, 5);
    assert_eq!(red.unwrap_err().rule, Rule::RecordsMustBeThoseTold);
}

fn read(disk: &SimulatedDisk) -> Vec<Slot> {
    let mut reader = JournalReader::open(Arc::new(disk.clone()), &journal_path()).unwrap();
    let mut records = Vec::new();
    while let Some(batch) = reader.next_batch().unwrap() {
        records.extend_from_slice(batch.slots);
    }
    records
}

/// Everything a client is told until the node fails, and the failure.
fn told_until_it_fails(live: &LiveNode) -> (Vec<Slot>, LiveError) {
    let mut out = Vec::new();
    loop {
        if let Err(error) = live.take_outputs(&mut out, usize::MAX) {
            return (out, error);
        }
        std::thread::yield_now();
    }
}

fn bid(client_order_id: u64) -> Vec<Slot> {
    SubmitOrder::limit(1, 1, client_order_id, Side::Buy, 900, 1).to_record().slots().to_vec()
}

#[test]
fn a_panic_inside_a_live_engine_is_told_met_again_and_can_be_skipped() {
    let (disk, path) = (Arc::new(MemoryDisk::new()), journal_path());
    let configuration: Vec<Slot> = set_up().iter().flat_map(|record| record.slots().to_vec()).collect();
    let mut writer =
        JournalWriter::create(disk.clone(), &path, &identity(), settings_of(Durability::Batch)).unwrap();
    let node = configure(SHARD, &configuration, SystemClock.now(), Some(&mut writer)).unwrap();
    let panicking = node.sequence() + 2;
    let snapshots = path.join(SNAPSHOTS_NAME);
    let store = SnapshotStore::new(disk.clone(), &snapshots, Owner::of(&identity(), 0));
    let inline = InlineSnapshots {
        journal: JournalToFollow { disk: disk.clone(), path: path.clone(), snapshots },
        store: store.clone(),
        policy: SnapshotPolicy { records: 1, bytes: u64::MAX, interval_ns: u64::MAX },
        most_bytes: 1 << 20,
    };
    let (clock, bell) = (Arc::new(SystemClock), Box::new(Signal::default()));
    let live =
        LiveNode::start_saving(node, writer, clock, bell, LiveOptions::default(), Some(inline)).unwrap();
    assert_eq!(live.submit(&bid(1)).unwrap(), 1);
    let mut out = Vec::new();
    while !out.iter().any(|event: &Slot| event.message == Message::OrderAccepted as u16) {
        live.take_outputs(&mut out, usize::MAX).unwrap();
    }

    assert_eq!(live.submit(&[bid(PANICKING_ORDER), bid(3)].concat()).unwrap(), 2);
    let (out, error) = told_until_it_fails(&live);
    assert!(out.iter().all(|event| event.sequence < panicking), "nothing of a panic is told");
    let told = error.to_string();
    assert!(told.contains(&format!("the engine panicked at sequence {panicking}")), "{told}");
    assert!(told.contains("SubmitOrder("), "{told}");
    let is_of_engine = |error| matches!(error, LiveError::Failed { failure: Failure::Engine, .. });
    assert!(is_of_engine(live.submit(&bid(4)).unwrap_err()));
    assert!(is_of_engine(live.take_outputs(&mut Vec::new(), 1).unwrap_err()));
    assert!(is_of_engine(live.stop().unwrap_err()));
    drop(live);
    assert!(store.sequences().unwrap().iter().all(|&one| one < panicking), "no snapshot of a panic");

    let restart = || openbell_kernel::live::restart(disk.clone(), &path);
    for _ in 0..2 {
        let again = restart().unwrap_err().to_string();
        assert!(again.contains(&format!("the engine panicked at sequence {panicking}")), "{again}");
        assert!(again.contains("SubmitOrder("), "{again}");
    }
    let acceptance = Acceptance {
        actor: "anna".to_owned(),
        reason: "a test".to_owned(),
        time: 0,
        accept_any_file_system: false,
    };
    skip_record(disk.clone(), &path, panicking, &acceptance).unwrap();
    let (node, _, report) = restart().unwrap();
    assert_eq!(report.passed_over, [panicking]);
    assert!(node.engine().orders().by_client_id(1, 1).is_some(), "what was acknowledged is there");
    assert!(node.engine().orders().by_client_id(1, PANICKING_ORDER).is_none());
}
