//! Damage at rest: one bit or one end of one file, and then a whole restart.

use std::path::{Path, PathBuf};

use openbell_kernel::journal::Durability;
use openbell_kernel::record::Slot;

use crate::beside::{Following, Saved, needed_from, remove_before, snapshots_path, whole_snapshots};
use crate::clients::{Clients, set_up};
use crate::disk::SimulatedDisk;
use crate::exchange::{Exchange, Restarted, StartError};
use crate::oracle::{Found, Promise, Rule, Violation, Witness};
use crate::random::Random;
use crate::story::{is_exact, settings_of};
use crate::watermark;

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Flip { bit: usize },
    Cut { length: usize },
    Remove,
}

/// How the exchange took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It refused to start.
    Refused,
    /// It started, said that it cut something off, and what was acknowledged may have been in it.
    CutAndSaid,
    /// It started with everything that was acknowledged.
    Whole,
}

/// How an exchange is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Killed,
    Closed,
    /// Killed, and the begin of its journal removed: it starts from its snapshots only.
    Shortened,
}

impl Left {
    pub const ALL: [Left; 3] = [Left::Killed, Left::Closed, Left::Shortened];

    pub const fn name(self) -> &'static str {
        match self {
            Left::Killed => "killed",
            Left::Closed => "closed",
            Left::Shortened => "shortened",
        }
    }

    /// Until here the exchange trades: until both its snapshots lie in the second segment when the first is to go.
    const fn last_sequence(self) -> u64 {
        match self {
            Left::Killed | Left::Closed => 80,
            Left::Shortened => 110,
        }
    }
}

/// A small exchange that has stopped, its disk, and its witness.
#[derive(Debug)]
pub struct Remains {
    disk: SimulatedDisk,
    witness: Witness,
    durability: Durability,
    left: Left,
    /// What it starts again with when nothing is damaged; held against everything once.
    whole: Whole,
}

#[derive(Clone, Debug, Default)]
struct Whole {
    records: Vec<Slot>,
    state_hash: u128,
}

/// A snapshot is due after so many records.
const SNAPSHOT_RECORDS: u64 = 10;

impl Remains {
    /// An exchange in the given mode. Its journal has more than one segment, a seal and two snapshots.
    ///
    /// # Errors
    /// An exchange that does not even work on a disk that does.
    pub fn new(durability: Durability, left: Left) -> Result<Self, String> {
        let disk = SimulatedDisk::new(7);
        let mut clients = Clients::new(Random::new(7));
        let mut witness = Witness::default();
        disk.restart_process();
        let started = Exchange::create(&disk, settings_of(durability));
        let mut exchange = started.map_err(|error| error.to_string())?;
        let mut following = Following::default();
        set_up().into_iter().for_each(|command| exchange.submit(command));
        while exchange.sequence() < left.last_sequence() {
            (0..3).for_each(|_| exchange.submit(clients.next(exchange.time())));
            let time = exchange.time() + 100;
            let polled = exchange.advance_clock(time).and_then(|()| exchange.poll(usize::MAX));
            polled.map_err(|error| error.to_string())?;
            let events = exchange.take_output();
            witness.see(&events, exchange.durable_sequence());
            let looked = following.look(&disk, SNAPSHOT_RECORDS, exchange.time());
            looked.map_err(|error| error.to_string())?;
        }
        witness.note_hash(exchange.sequence(), exchange.state_hash());
        witness.note_told(exchange.told());
        if left == Left::Closed {
            exchange.close().map_err(|error| error.to_string())?;
        }
        drop(exchange);
        disk.restart_process();
        if left == Left::Shortened {
            let removed = remove_before(&disk, needed_from(&disk));
            removed.map_err(|error| error.to_string())?;
        }
        disk.kill_process();
        let mut remains = Remains { disk, witness, durability, left, whole: Whole::default() };
        remains.whole = remains.undamaged()?;
        Ok(remains)
    }

    /// With nothing but its journal.
    pub fn without_snapshots(self) -> Self {
        for (path, _) in self.disk.files() {
            if path.starts_with(snapshots_path()) {
                self.disk.erase(&path);
            }
        }
        self
    }

    /// The damage must find something of every kind.
    fn undamaged(&self) -> Result<Whole, String> {
        let disk = self.disk.fork();
        disk.restart_process();
        let restarted = Exchange::restart(&disk, self.witness.told()).map_err(|error| error.to_string())?;
        let (first, snapshots) = (restarted.first_sequence, whole_snapshots(&disk));
        if snapshots.len() != 2 || (first > 1) != (self.left == Left::Shortened) {
            let count = snapshots.len();
            return Err(format!("{:?}: {count} whole snapshots, a journal from sequence {first}", self.left));
        }
        self.check(&restarted, &snapshots, Promise::Everything).map_err(|violation| violation.to_string())?;
        let state_hash = restarted.exchange.engine().clone().state_hash();
        Ok(Whole { records: restarted.records, state_hash })
    }

    fn check(&self, found: &Restarted, snapshots: &[Saved], promise: Promise) -> Result<(), Violation> {
        let (records, engine) = (&found.records[..], found.exchange.engine());
        self.witness
            .check(&Found { records, engine, snapshots }, promise, self.left.last_sequence() / 2)
            .map(|_| ())
    }

    /// Files that hold something, with their lengths.
    pub fn files(&self) -> Vec<(PathBuf, usize)> {
        let mut files = self.disk.files();
        files.retain(|(_, length)| *length > 0);
        files
    }

    /// Restarts after the change.
    ///
    /// # Errors
    /// The rule that does not hold then.
    pub fn restart_after(&self, path: &Path, change: Change) -> Result<Answer, Violation> {
        let disk = self.disk.fork();
        match change {
            Change::Flip { bit } => disk.flip(path, bit),
            Change::Cut { length } => {
                let bytes = disk.bytes(path).unwrap_or_default();
                disk.put(path, &bytes[..length.min(bytes.len())]);
            }
            Change::Remove => disk.erase(path),
        }
        disk.restart_process();
        let durable = watermark::on(&disk);
        let restarted = match Exchange::restart(&disk, self.witness.told()) {
            Ok(restarted) => restarted,
            Err(StartError::Engine(error)) => {
                return Err(Violation { rule: Rule::EngineMustGoOn, found: error.to_string() });
            }
            Err(error) if self.must_pass_over(path) => {
                let rule = Rule::DamagedSnapshotMustBePassedOver;
                return Err(Violation { rule, found: error.to_string() });
            }
            Err(_) => return Ok(Answer::Refused),
        };
        let is_same = restarted.records == self.whole.records
            && restarted.exchange.engine().clone().state_hash() == self.whole.state_hash;
        if is_same {
            return Ok(Answer::Whole);
        }
        let was_told = restarted.report.recovery.cut.is_some() && !is_exact(self.durability);
        let promise = if was_told { Promise::UpTo(durable) } else { Promise::Everything };
        self.check(&restarted, &whole_snapshots(&disk), promise)?;
        let is_whole = restarted.exchange.sequence() >= self.witness.acknowledged();
        Ok(if is_whole { Answer::Whole } else { Answer::CutAndSaid })
    }

    /// One damaged snapshot keeps nobody from starting, and what is only prepared is no history.
    fn must_pass_over(&self, path: &Path) -> bool {
        path.starts_with(snapshots_path()) || path.file_name().is_some_and(|name| name == "next.seg")
    }
}
