//! A second engine that follows the journal and writes the snapshots, so that the one that trades never waits for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(doc)]
use super::error::SnapshotError;
use super::replay::{Replay, genesis, passed_over_so_far, reader_from};
use super::restart::RestartError;
use super::store::{Owner, SnapshotStore, StateImage};
use crate::disk::Disk;
use crate::journal::{JournalReader, Position};
use crate::node::Mode;
use crate::record::SLOT_SIZE;

/// When a snapshot is due: whichever comes first, of what has come since the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotPolicy {
    pub records: u64,
    /// Of records in the journal.
    pub bytes: u64,
    pub interval_ns: u64,
}

impl Default for SnapshotPolicy {
    /// Every 30 seconds; earlier after 4 million records or 512 MiB of them, so that a restart stays short.
    fn default() -> Self {
        SnapshotPolicy { records: 4_000_000, bytes: 512 << 20, interval_ns: 30_000_000_000 }
    }
}

impl SnapshotPolicy {
    /// Whether so many records and bytes, or so long a time, are enough for the next one.
    pub fn is_due(&self, records: u64, bytes: u64, passed_ns: u64) -> bool {
        records >= self.records || bytes >= self.bytes || passed_ns >= self.interval_ns
    }
}

/// What one look at the journal brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Records taken in.
    pub records: u64,
    /// The last one, whose hash was that of the journal if it has one there.
    pub sequence: u64,
    pub snapshot: Option<PathBuf>,
    /// The journal was closed: nothing will follow.
    pub is_closed: bool,
}

/// Follows one journal up to what is durable in it.
#[derive(Debug)]
pub struct Follower {
    reader: JournalReader,
    replay: Replay,
    store: SnapshotStore,
    policy: SnapshotPolicy,
    /// The last batch that was taken in ends here.
    end: Position,
    saved: Saved,
}

/// What has come since the last snapshot.
#[derive(Clone, Copy, Debug, Default)]
struct Saved {
    records: u64,
    bytes: u64,
    time_ns: Option<u64>,
}

impl Follower {
    /// Begins at the newest snapshot that is whole, else at the journal's first record.
    ///
    /// # Errors
    /// As [`super::restart`].
    pub fn open(
        disk: Arc<dyn Disk>,
        journal: &Path,
        snapshots: &Path,
        configuration: u128,
        policy: SnapshotPolicy,
    ) -> Result<Self, RestartError> {
        let first = JournalReader::open(disk.clone(), journal)?;
        let (identity, begin) = (first.identity().clone(), first.position());
        let store = SnapshotStore::new(disk.clone(), snapshots, Owner::of(&identity, configuration));
        let found = store.newest(u64::MAX, Mode::Replay)?;
        let position = found.node.as_ref().map(|(head, _)| head.position);
        if position.is_none() && begin.sequence != 0 {
            return Err(RestartError::NothingToBeginWith {
                path: journal.to_owned(),
                first_sequence: begin.sequence + 1,
                before: begin.sequence,
                rejected: found.rejected,
            });
        }
        let mut node = found.node.map_or_else(|| genesis(identity.shard), |(_, node)| node);
        node.pass_over(passed_over_so_far(&mut reader_from(disk.clone(), journal, position.as_ref())?)?);
        let reader = reader_from(disk, journal, position.as_ref())?;
        let end = reader.position();
        Ok(Follower { reader, replay: Replay::new(node), store, policy, end, saved: Saved::default() })
    }

    pub fn sequence(&mut self) -> u64 {
        self.replay.node().sequence()
    }

    /// Takes in what has become durable, compares the hashes on the way, and saves the state when that is due at
    /// `now_ns`, the caller's clock.
    ///
    /// # Errors
    /// A journal that is damaged, a record that stops the engine, a hash that differs, a snapshot that cannot be
    /// written. What was saved before stays.
    pub fn follow(&mut self, now_ns: u64) -> Result<Followed, RestartError> {
        let since = *self.saved.time_ns.get_or_insert(now_ns);
        let (before, mut snapshot) = (self.replay.records(), None);
        while let Some(batch) = self.reader.next_durable()? {
            let bytes = (batch.slots.len() * SLOT_SIZE) as u64;
            let taken = self.replay.records();
            self.replay.take(&batch)?;
            self.end = self.reader.position();
            self.saved.records += self.replay.records() - taken;
            self.saved.bytes += bytes;
            if self.policy.is_due(self.saved.records, self.saved.bytes, 0) {
                snapshot = Some(self.save(now_ns)?);
            }
        }
        if self.saved.records > 0 && self.policy.is_due(0, 0, now_ns.saturating_sub(since)) {
            snapshot = Some(self.save(now_ns)?);
        }
        Ok(Followed {
            records: self.replay.records() - before,
            sequence: self.end.sequence,
            snapshot,
            is_closed: self.reader.report().closed,
        })
    }

    /// Takes in what is durable, up to the end of the batch with the record `sequence`, and saves nothing; whether it got
    /// there.
    ///
    /// # Errors
    /// As [`Follower::follow`].
    pub fn follow_to(&mut self, sequence: u64) -> Result<bool, RestartError> {
        while self.sequence() < sequence {
            let Some(batch) = self.reader.next_durable()? else { return Ok(false) };
            self.replay.take(&batch)?;
            self.end = self.reader.position();
        }
        Ok(true)
    }

    /// Compares the copy of a live state with the state that the records up to there make.
    ///
    /// # Errors
    /// As [`Follower::follow`], and [`SnapshotError::NotReplayed`] for a state that is another one, or whose records are not
    /// there.
    pub fn compare(&mut self, image: &StateImage) -> Result<(), RestartError> {
        self.follow_to(image.sequence())?;
        Ok(image.require_same(self.replay.node())?)
    }

    /// Saves the state now.
    ///
    /// # Errors
    /// As [`SnapshotStore::save`].
    pub fn save(&mut self, now_ns: u64) -> Result<PathBuf, RestartError> {
        let path = self.store.save(self.replay.node(), self.end)?;
        self.saved = Saved { time_ns: Some(now_ns), ..Saved::default() };
        Ok(path)
    }
}
