//! The proofs are proven: without a sync, a gate or a check they turn red. Runs with `--features sabotage`, which lets
//! a check of the kernel be taken out; no product build has it.
#![cfg(feature = "sabotage")]
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use openbell_kernel::command::CancelOrder;
use openbell_kernel::journal::Durability;
use openbell_kernel::record::RecordBuffer;
use openbell_kernel::sabotage::{Check, remove};
use openbell_simulation::clients::{Clients, set_up};
use openbell_simulation::damage::{Answer, Change, Remains};
use openbell_simulation::disk::{Broken, SECTOR, SimulatedDisk};
use openbell_simulation::exchange::{Exchange, journal_path};
use openbell_simulation::oracle::{Rule, Violation};
use openbell_simulation::random::Random;
use openbell_simulation::story::{Story, settings_of};

/// Seeds until one turns red. Every sabotage is found long before the last.
const SEEDS: u64 = 400;

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
    assert_eq!(first_red(None, HONEST), None);
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

/// A strict journal whose last segment is gone: it ends on a border and looks whole.
#[test]
fn without_the_watermark_a_lost_segment_turns_red() {
    let remains = Remains::new(Durability::Strict, false).unwrap();
    let segments = remains.files().into_iter().map(|(path, _)| path);
    let last = segments.filter(|path| path.extension().is_some_and(|end| end == "seg")).filter(is_numbered);
    let last = last.max().unwrap();
    assert_eq!(remains.restart_after(&last, Change::Remove), Ok(Answer::Refused));
    remove(Some(Check::Watermark));
    let red = remains.restart_after(&last, Change::Remove);
    remove(None);
    assert_eq!(red.unwrap_err().rule, Rule::AcknowledgedMustSurvive);
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
    let mut stranger = Exchange::restart(&other).unwrap().exchange;
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
    assert!(Exchange::restart(&disk).is_err(), "the chain does not fit");
    disk.restart_process();
    remove(Some(Check::Chain));
    let restarted = Exchange::restart(&disk);
    remove(None);
    let mut witness = openbell_simulation::oracle::Witness::default();
    witness.see(&[], told.last_sequence());
    witness.note_told(told);
    let restarted = restarted.unwrap();
    let found = openbell_simulation::oracle::Found {
        records: &restarted.records,
        events: &restarted.events,
        engine: restarted.exchange.engine(),
    };
    let red = witness.check(&found, openbell_simulation::oracle::Promise::Everything, 5);
    assert_eq!(red.unwrap_err().rule, Rule::RecordsMustBeThoseTold);
}
