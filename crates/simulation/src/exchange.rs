//! The process under test: the real node on the real journal, with our own venue. It lives on a disk that does not
//! promise much, and is started again after each of its deaths.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openbell_kernel::disk::Disk;
use openbell_kernel::engine::{Engine, EngineStopped};
use openbell_kernel::journal::{
    Durability, Identity, JournalError, JournalReader, JournalWriter, Room, Settings,
};
use openbell_kernel::node::{Input, Mode, Node, NodeError, Poll, RecordSink};
use openbell_kernel::record::{RecordBuffer, Slot};
use openbell_kernel::snapshot::{
    ReplayError, RestartError, RestartOptions, RestartReport, SNAPSHOTS_NAME, restart,
};

use crate::disk::SimulatedDisk;

pub const SHARD: u8 = 0;

pub fn journal_path() -> PathBuf {
    PathBuf::from("exchange/journal")
}

pub fn identity() -> Identity {
    Identity::new(0xBE11, 1_700_000_000_000_000_000, "openbell simulation")
}

/// All records the exchange was told, by sequence: what a journal on a perfect disk would hold.
#[derive(Clone, Debug, Default)]
pub struct Told {
    slots: Vec<Slot>,
    /// Where each record ends, by sequence - 1.
    ends: Vec<usize>,
}

impl Told {
    pub fn last_sequence(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Slots of the records up to `sequence`.
    pub fn up_to(&self, sequence: u64) -> &[Slot] {
        &self.slots[..self.end(sequence)]
    }

    pub fn after(&self, sequence: u64) -> &[Slot] {
        &self.slots[self.end(sequence)..]
    }

    /// Slots of the records behind `sequence` up to `until`.
    pub fn between(&self, sequence: u64, until: u64) -> &[Slot] {
        let from = self.end(sequence);
        &self.slots[from..self.end(until).max(from)]
    }

    fn end(&self, sequence: u64) -> usize {
        let count = (sequence as usize).min(self.ends.len());
        count.checked_sub(1).map_or(0, |index| self.ends[index])
    }

    fn push(&mut self, record: &[Slot]) {
        self.slots.extend_from_slice(record);
        self.ends.push(self.slots.len());
    }

    /// Forgets what the journal did not keep: those sequences are given to other records now.
    pub fn truncate(&mut self, sequence: u64) {
        self.slots.truncate(self.end(sequence));
        self.ends.truncate(sequence as usize);
    }

    /// What a journal holds.
    pub fn of(slots: &[Slot]) -> Self {
        let mut told = Told::default();
        records(slots).for_each(|record| told.push(record));
        told
    }
}

/// The records in a run of slots, each with its continuations.
pub fn records(slots: &[Slot]) -> impl Iterator<Item = &[Slot]> {
    let mut rest = slots;
    std::iter::from_fn(move || {
        let length = usize::from(rest.first()?.slots).clamp(1, rest.len());
        let (record, after) = rest.split_at(length);
        rest = after;
        Some(record)
    })
}

/// The journal as the journal thread drives it, with somebody listening to what the node tells it.
#[derive(Debug)]
struct TappedJournal {
    journal: JournalWriter,
    told: Arc<Mutex<Told>>,
    room: Arc<Mutex<Room>>,
    /// Segments that end before this sequence are to go.
    unneeded_before: Arc<Mutex<u64>>,
    /// Of the last record.
    time: u64,
}

/// How often the mode `interval` syncs, by the exchange's own time.
const SYNC_INTERVAL_NS: u64 = 2_000_000_000;

impl TappedJournal {
    /// What a journal thread does between two commits. A full disk is no failure: the next segment can wait.
    fn do_idle_work(&mut self) -> Result<(), JournalError> {
        if self.journal.settings().durability == Durability::Interval {
            self.journal.sync_when_due(self.time, SYNC_INTERVAL_NS)?;
        }
        // now and then nobody has the time
        if !self.time.is_multiple_of(3) || self.journal.shortage().is_some() {
            match self.journal.prepare_next() {
                Ok(false) | Err(JournalError::DiskFull { .. }) => {}
                Ok(true) => self.journal.settle()?,
                Err(error) => return Err(error),
            }
        }
        self.remove_unneeded()?;
        *lock(&self.room) = self.journal.room();
        Ok(())
    }

    fn remove_unneeded(&mut self) -> Result<(), JournalError> {
        let sequence = std::mem::take(&mut *lock(&self.unneeded_before));
        if sequence == 0 {
            return Ok(());
        }
        match self.journal.remove_sealed_before(sequence) {
            Ok(_) | Err(JournalError::DiskFull { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl RecordSink for TappedJournal {
    fn append(&mut self, record: &[Slot], _input: Option<u16>) -> Result<(), JournalError> {
        lock(&self.told).push(record);
        self.time = record[0].time;
        self.journal.append(record)
    }

    fn commit(&mut self, state_hash: Option<(u64, u128)>, output_hash: u128) -> Result<u64, JournalError> {
        let durable = self.journal.commit(state_hash, output_hash)?;
        self.do_idle_work()?;
        Ok(durable)
    }

    fn durable_sequence(&mut self) -> Result<u64, JournalError> {
        Ok(self.journal.durable_sequence())
    }

    fn close(
        self: Box<Self>,
        state_hash: Option<(u64, u128)>,
        output_hash: u128,
    ) -> Result<u64, JournalError> {
        self.journal.close(state_hash, output_hash)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why an exchange did not start.
#[derive(Debug)]
pub enum StartError {
    Journal(JournalError),
    /// A snapshot that cannot be passed over, nothing to begin with, a hash that differs.
    Restart(RestartError),
    Engine(NodeError),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Journal(error) => error.fmt(out),
            StartError::Restart(error) => error.fmt(out),
            StartError::Engine(error) => error.fmt(out),
        }
    }
}

impl From<JournalError> for StartError {
    fn from(error: JournalError) -> Self {
        StartError::Journal(error)
    }
}

impl From<RestartError> for StartError {
    fn from(error: RestartError) -> Self {
        match error {
            RestartError::Journal(error) | RestartError::Replay(ReplayError::Journal(error)) => {
                StartError::Journal(error)
            }
            RestartError::Replay(ReplayError::Node(error)) => StartError::Engine(error),
            other => StartError::Restart(other),
        }
    }
}

/// What a fold of records gives: the state, and every event on the way.
#[derive(Debug)]
pub struct Fold {
    pub engine: Engine,
    pub events: Vec<Slot>,
}

impl Fold {
    /// # Errors
    /// A record the engine stops at.
    pub fn of(slots: &[Slot]) -> Result<Self, EngineStopped> {
        let mut fold = Fold { engine: Engine::new(SHARD), events: Vec::new() };
        fold.go_on(slots)?;
        Ok(fold)
    }

    /// # Errors
    /// A record the engine stops at.
    pub fn go_on(&mut self, slots: &[Slot]) -> Result<(), EngineStopped> {
        for record in records(slots) {
            self.engine.apply(record)?;
            self.events.extend_from_slice(self.engine.events());
        }
        Ok(())
    }
}

/// An exchange that was started again, and what it found.
#[derive(Debug)]
pub struct Restarted {
    pub exchange: Exchange,
    pub report: RestartReport,
    /// Of the first record that is still in the journal.
    pub first_sequence: u64,
    /// The whole history: what was removed from the journal's begin as it was told, then the journal.
    pub records: Vec<Slot>,
}

#[derive(Debug)]
pub struct Exchange {
    node: Node,
    told: Arc<Mutex<Told>>,
    room: Arc<Mutex<Room>>,
    unneeded_before: Arc<Mutex<u64>>,
}

impl Exchange {
    /// Begins a history on the simulated disk.
    ///
    /// # Errors
    /// What the journal answers.
    pub fn create(disk: &SimulatedDisk, settings: Settings) -> Result<Self, StartError> {
        Exchange::create_on(Arc::new(disk.clone()), &journal_path(), settings)
    }

    /// Begins a history on any disk.
    ///
    /// # Errors
    /// What the journal answers.
    pub fn create_on(disk: Arc<dyn Disk>, path: &Path, settings: Settings) -> Result<Self, StartError> {
        let writer = JournalWriter::create(disk, path, &identity(), settings)?;
        let node = Node::from_engine(Engine::new(SHARD), Mode::Run, None);
        Ok(Exchange::on(node, writer, Told::default()))
    }

    /// Goes on where the journal on the simulated disk ends. `past` is what it was told before.
    ///
    /// # Errors
    /// As [`Exchange::restart_on`].
    pub fn restart(disk: &SimulatedDisk, past: &Told) -> Result<Restarted, StartError> {
        Exchange::restart_on(Arc::new(disk.clone()), &journal_path(), past)
    }

    /// Goes on where a journal ends, from its newest whole snapshot as every exchange does.
    ///
    /// # Errors
    /// A journal or snapshot that refuses to be opened, or a record the engine stops at.
    pub fn restart_on(disk: Arc<dyn Disk>, path: &Path, past: &Told) -> Result<Restarted, StartError> {
        let options =
            RestartOptions { snapshots: Some(path.join(SNAPSHOTS_NAME)), ..RestartOptions::default() };
        let (node, writer, report) = restart(disk.clone(), path, &options)?;
        let (first_sequence, kept) = read(disk, path)?;
        let records = [past.up_to(first_sequence - 1), &kept].concat();
        let exchange = Exchange::on(node, writer, Told::of(&records));
        Ok(Restarted { exchange, report, first_sequence, records })
    }

    fn on(mut node: Node, writer: JournalWriter, told: Told) -> Self {
        let told = Arc::new(Mutex::new(told));
        let room = Arc::new(Mutex::new(writer.room()));
        let unneeded_before = Arc::new(Mutex::new(0));
        node.go_live(Box::new(TappedJournal {
            journal: writer,
            told: told.clone(),
            room: room.clone(),
            unneeded_before: unneeded_before.clone(),
            time: 0,
        }));
        Exchange { node, told, room, unneeded_before }
    }

    /// Lets the journal remove segments that end before `sequence` when it has time.
    pub fn remove_before(&mut self, sequence: u64) {
        *lock(&self.unneeded_before) = sequence;
    }

    /// What the journal said of the disk after the last commit: in [`Room::Reserve`] only cancels and the kill
    /// switch may be sent.
    pub fn room(&self) -> Room {
        *lock(&self.room)
    }

    pub fn submit(&mut self, command: RecordBuffer) {
        self.node.command(command);
    }

    /// Works on what waits, at most `budget` records, and commits when nothing is left.
    ///
    /// # Errors
    /// The failure that ends the process.
    pub fn poll(&mut self, budget: usize) -> Result<Poll, NodeError> {
        self.node.poll(&mut Input::resume(&[], 0, None), budget)
    }

    /// # Errors
    /// As [`Exchange::poll`].
    pub fn advance_clock(&mut self, time: u64) -> Result<(), NodeError> {
        self.node.advance_clock(time)
    }

    /// Ends the history on purpose.
    ///
    /// # Errors
    /// As [`Exchange::poll`].
    pub fn close(&mut self) -> Result<(), NodeError> {
        self.node.close()
    }

    /// What may leave the process: events whose cause is as durable as the mode promises.
    pub fn take_output(&mut self) -> Vec<Slot> {
        self.node.take_output()
    }

    pub fn time(&self) -> u64 {
        self.node.time()
    }

    pub fn next_due(&self) -> Option<u64> {
        self.node.engine().next_due()
    }

    pub fn sequence(&self) -> u64 {
        self.node.sequence()
    }

    pub fn durable_sequence(&self) -> u64 {
        self.node.durable_sequence()
    }

    pub fn state_hash(&mut self) -> u128 {
        self.node.state_hash()
    }

    pub fn engine(&self) -> &Engine {
        self.node.engine()
    }

    pub fn told(&self) -> Told {
        lock(&self.told).clone()
    }
}

/// The first sequence in a journal and all its records.
///
/// # Errors
/// What the reader answers.
fn read(disk: Arc<dyn Disk>, path: &Path) -> Result<(u64, Vec<Slot>), JournalError> {
    let mut reader = JournalReader::open(disk, path)?;
    let mut slots = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        slots.extend_from_slice(batch.slots);
    }
    Ok((reader.report().first_sequence, slots))
}
