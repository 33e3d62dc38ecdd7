//! Restart: the newest snapshot that is whole, then the journal from there on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::error::SnapshotError;
use super::replay::{Replay, ReplayError, genesis, note_passed_over, reader_from, take_in};
use super::store::{Found, Owner, Rejected, SnapshotStore};
use crate::disk::Disk;
use crate::journal::{
    Examined, JournalError, JournalReader, JournalWriter, OpenOptions, Recovery, Report, or_unfinished_cut,
};
use crate::node::{Mode, Node};
use crate::record::Slot;

/// How a restart goes about it.
#[derive(Clone, Debug)]
pub struct RestartOptions {
    /// Where snapshots are; `None` replays everything.
    pub snapshots: Option<PathBuf>,
    /// What else must be the same as when the snapshots were written; see [`Owner`].
    pub configuration: u128,
    /// How the journal is opened; its `snapshot` is found here.
    pub open: OpenOptions,
    /// Whether state hashes are taken and compared on the way.
    pub check_state: bool,
}

impl Default for RestartOptions {
    fn default() -> Self {
        RestartOptions { snapshots: None, configuration: 0, open: OpenOptions::default(), check_state: true }
    }
}

/// What a restart found and did.
#[derive(Debug)]
pub struct RestartReport {
    /// The sequence and the file it began from; `None` for the journal's first record.
    pub snapshot: Option<(u64, PathBuf)>,
    /// Newer snapshots that were damaged.
    pub rejected: Vec<Rejected>,
    /// Records that came after it.
    pub replayed: u64,
    /// Records of those that were passed over.
    pub passed_over: Vec<u64>,
    pub recovery: Recovery,
}

#[derive(Debug, Error)]
pub enum RestartError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(
        "{}: the journal begins with sequence {first_sequence}, so a restart needs a snapshot at or after {before}, and there is none that is whole{}",
        path.display(), listed(rejected)
    )]
    NothingToBeginWith { path: PathBuf, first_sequence: u64, before: u64, rejected: Vec<Rejected> },
}

fn listed(rejected: &[Rejected]) -> String {
    rejected.iter().map(|one| format!("; {}", one.error)).collect()
}

/// Opens a journal to go on with it and brings a node to its end. The node is in [`Mode::Replay`] and writes nowhere;
/// [`Node::go_live`] lets it go on. A refusal changes nothing in the directory.
///
/// # Errors
/// What [`JournalWriter::open_with`] refuses; a snapshot of somebody else; a record that stops the engine, by name; a
/// hash that is not the recorded one; a journal whose begin is gone without a snapshot to take its place.
pub fn restart(
    disk: Arc<dyn Disk>,
    path: &Path,
    options: &RestartOptions,
) -> Result<(Node, JournalWriter, RestartReport), RestartError> {
    let (mut node, at_end) = replay_to_end(disk, path, options, &mut |_| ())?;
    let (writer, report) = at_end.go_on(&mut node)?;
    Ok((node, writer, report))
}

/// The journal of a node that was brought to its end: locked, and not changed yet. Whoever finds another reason not to
/// start drops it.
#[derive(Debug)]
pub struct AtEnd {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    examined: Examined,
    snapshot: Option<(u64, PathBuf)>,
    rejected: Vec<Rejected>,
    replayed: u64,
    passed_over: Vec<u64>,
}

/// The first half of [`restart`], which changes nothing; `watch` is shown the events of what is replayed, batch by batch
/// and in order. [`AtEnd::go_on`] is the other half.
///
/// # Errors
/// As [`restart`].
pub fn replay_to_end(
    disk: Arc<dyn Disk>,
    path: &Path,
    options: &RestartOptions,
    watch: &mut dyn FnMut(&[Slot]),
) -> Result<(Node, AtEnd), RestartError> {
    let reader = JournalReader::open(disk.clone(), path);
    let reader = reader.map_err(|error| or_unfinished_cut(disk.as_ref(), path, error))?;
    let identity = reader.identity().clone();
    let owner = Owner::of(&identity, options.configuration);
    let store =
        options.snapshots.as_ref().map(|directory| SnapshotStore::new(disk.clone(), directory, owner));
    let nothing = Found { node: None, rejected: Vec::new() };
    let found = store.as_ref().map_or(Ok(nothing), |store| store.newest(u64::MAX, Mode::Replay))?;
    let position = found.node.as_ref().map(|(head, _)| head.position);
    // what is noted of a torn tail must not come before the state it is replayed on
    let time = found.node.as_ref().map_or(0, |(head, _)| head.time).max(options.open.time);
    let open = OpenOptions { snapshot: position, time, ..options.open.clone() };
    let (since, mut skipped) = (position.map_or(0, |position| position.sequence), BTreeSet::new());
    let examined = JournalWriter::examine(disk.clone(), path, &open, &mut |batch| {
        note_passed_over(batch, since, &mut skipped);
    })?;
    if found.node.is_none() && examined.report().first_sequence != 1 {
        let first_sequence = examined.report().first_sequence;
        return Err(RestartError::NothingToBeginWith {
            path: path.to_owned(),
            first_sequence,
            before: first_sequence - 1,
            rejected: found.rejected,
        });
    }
    let snapshot = found.node.as_ref().map(|(head, _)| head.sequence());
    let snapshot = snapshot.zip(store.as_ref()).map(|(sequence, store)| (sequence, store.path(sequence)));
    let mut node = found.node.map_or_else(|| genesis(identity.shard), |(_, node)| node);
    node.hash_state(options.check_state);
    node.pass_over(skipped.clone());
    let mut replay = Replay::new(node);
    take_rest(&mut replay, reader_from(disk.clone(), path, position.as_ref())?, watch)?;
    let replayed = replay.records();
    let mut node = replay.into_node();
    node.hash_state(true);
    let at_end = AtEnd {
        disk,
        path: path.to_owned(),
        examined,
        snapshot,
        rejected: found.rejected,
        replayed,
        passed_over: skipped.into_iter().collect(),
    };
    Ok((node, at_end))
}

/// Replays what is left, up to a torn tail, which has been judged before.
fn take_rest(
    replay: &mut Replay,
    mut reader: JournalReader,
    watch: &mut dyn FnMut(&[Slot]),
) -> Result<(), RestartError> {
    loop {
        match reader.next_batch() {
            Ok(Some(batch)) => replay.take_watched(&batch, watch)?,
            Ok(None) | Err(JournalError::TornTail { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

impl AtEnd {
    /// The snapshot it began from; `None` for the journal's first record.
    pub fn begin(&self) -> Option<u64> {
        self.snapshot.as_ref().map(|(sequence, _)| *sequence)
    }

    /// What was found in the journal.
    pub fn journal(&self) -> &Report {
        self.examined.report()
    }

    /// Opens the journal to be written, and has `node`, the one that was brought to its end, take in what that adds: the
    /// record that a torn tail was cut off, which no event follows.
    ///
    /// # Errors
    /// As [`Examined::go_on`].
    pub fn go_on(self, node: &mut Node) -> Result<(JournalWriter, RestartReport), RestartError> {
        let AtEnd { disk, path, examined, snapshot, rejected, mut replayed, passed_over } = self;
        let end = examined.report().end;
        let (writer, recovery) = examined.go_on()?;
        if writer.position().sequence > node.sequence() {
            let before = node.sequence();
            let mut reader = reader_from(disk, &path, Some(&end))?;
            while let Some(batch) = reader.next_batch()? {
                take_in(node, &batch)?;
            }
            replayed += node.sequence() - before;
        }
        Ok((writer, RestartReport { snapshot, rejected, replayed, passed_over, recovery }))
    }
}
