//! Damage at rest: one bit or one end of one file, and then a whole restart.

use std::path::{Path, PathBuf};

use openbell_kernel::journal::Durability;

use crate::clients::{Clients, set_up};
use crate::disk::SimulatedDisk;
use crate::exchange::{Exchange, StartError};
use crate::oracle::{Found, Promise, Violation, Witness};
use crate::random::Random;
use crate::story::{is_exact, settings_of};

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

/// A small exchange that has stopped, its disk, and its witness.
#[derive(Debug)]
pub struct Remains {
    disk: SimulatedDisk,
    witness: Witness,
    durability: Durability,
}

impl Remains {
    /// An exchange in the given mode that was closed or killed. Its journal has more than one segment.
    ///
    /// # Errors
    /// An exchange that does not even work on a disk that does.
    pub fn new(durability: Durability, is_closed: bool) -> Result<Self, String> {
        let disk = SimulatedDisk::new(7);
        let mut clients = Clients::new(Random::new(7));
        let mut witness = Witness::default();
        disk.restart_process();
        let started = Exchange::create(&disk, settings_of(durability));
        let mut exchange = started.map_err(|error| error.to_string())?;
        set_up().into_iter().for_each(|command| exchange.submit(command));
        while exchange.sequence() < 130 {
            for _ in 0..5 {
                exchange.submit(clients.next(exchange.time()));
            }
            exchange.poll(usize::MAX).map_err(|error| error.to_string())?;
            let events = exchange.take_output();
            witness.see(&events, exchange.durable_sequence());
        }
        witness.note_hash(exchange.sequence(), exchange.state_hash());
        witness.note_told(exchange.told());
        if is_closed {
            exchange.close().map_err(|error| error.to_string())?;
        }
        drop(exchange);
        disk.kill_process();
        Ok(Remains { disk, witness, durability })
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
        let restarted = match Exchange::restart(&disk) {
            Ok(restarted) => restarted,
            Err(StartError::Journal(_)) => return Ok(Answer::Refused),
            Err(StartError::Engine(error)) => {
                let rule = crate::oracle::Rule::EngineMustGoOn;
                return Err(Violation { rule, found: error.to_string() });
            }
        };
        let found = Found {
            records: &restarted.records,
            events: &restarted.events,
            engine: restarted.exchange.engine(),
        };
        let was_told = restarted.recovery.cut.is_some() && !is_exact(self.durability);
        let promise = if was_told { Promise::Beginning } else { Promise::Everything };
        self.witness.check(&found, promise, 60)?;
        let is_whole = restarted.exchange.sequence() >= self.witness.acknowledged();
        Ok(if is_whole { Answer::Whole } else { Answer::CutAndSaid })
    }
}
