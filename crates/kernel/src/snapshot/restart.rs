//! Restart: the newest snapshot that is whole, then the journal from there on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::error::SnapshotError;
use super::replay::{Replay, ReplayError, genesis, passed_over, reader_from};
use super::store::{Found, Owner, Rejected, SnapshotStore};
use crate::disk::Disk;
use crate::journal::{JournalError, JournalReader, JournalWriter, OpenOptions, Recovery, or_unfinished_cut};
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
/// [`Node::go_live`] lets it go on.
///
/// # Errors
/// What [`JournalWriter::open_with`] refuses; a snapshot of somebody else; a record that stops the engine, by name; a
/// hash that is not the recorded one; a journal whose begin is gone without a snapshot to take its place.
pub fn restart(
    disk: Arc<dyn Disk>,
    path: &Path,
    options: &RestartOptions,
) -> Result<(Node, JournalWriter, RestartReport), RestartError> {
    restart_watched(disk, path, options, &mut |_| ())
}

/// As [`restart`]; `watch` is shown the events of what is replayed, batch by batch and in order.
///
/// # Errors
/// As [`restart`].
pub fn restart_watched(
    disk: Arc<dyn Disk>,
    path: &Path,
    options: &RestartOptions,
    watch: &mut dyn FnMut(&[Slot]),
) -> Result<(Node, JournalWriter, RestartReport), RestartError> {
    let reader = JournalReader::open(disk.clone(), path);
    let reader = reader.map_err(|error| or_unfinished_cut(disk.as_ref(), path, error))?;
    let identity = reader.identity().clone();
    let owner = Owner::of(&identity, options.configuration);
    let store =
        options.snapshots.as_ref().map(|directory| SnapshotStore::new(disk.clone(), directory, owner));
    let nothing = Found { node: None, rejected: Vec::new() };
    let found = store.map_or(Ok(nothing), |store| store.newest(u64::MAX, Mode::Replay))?;
    let position = found.node.as_ref().map(|(head, _)| head.position);
    // what is noted of a torn tail must not come before the state it is replayed on
    let time = found.node.as_ref().map_or(0, |(head, _)| head.time).max(options.open.time);
    let open = OpenOptions { snapshot: position, time, ..options.open.clone() };
    let (writer, recovery) = JournalWriter::open_with(disk.clone(), path, &open)?;
    if found.node.is_none() && recovery.report.first_sequence != 1 {
        let first_sequence = recovery.report.first_sequence;
        return Err(RestartError::NothingToBeginWith {
            path: path.to_owned(),
            first_sequence,
            before: first_sequence - 1,
            rejected: found.rejected,
        });
    }
    let snapshot = found.node.as_ref().map(|(head, _)| head.sequence());
    let snapshot = snapshot.zip(options.snapshots.as_ref()).map(|(sequence, directory)| {
        (sequence, SnapshotStore::new(disk.clone(), directory, owner).path(sequence))
    });
    let mut node = found.node.map_or_else(|| genesis(identity.shard), |(_, node)| node);
    node.hash_state(options.check_state);
    let skipped = passed_over(&mut reader_from(disk.clone(), path, position.as_ref())?)?;
    node.pass_over(skipped.clone());
    let mut reader = reader_from(disk, path, position.as_ref())?;
    let mut replay = Replay::new(node);
    while let Some(batch) = reader.next_batch()? {
        replay.take_watched(&batch, watch)?;
    }
    let replayed = replay.records();
    let mut node = replay.into_node();
    node.hash_state(true);
    let passed_over = skipped.into_iter().collect();
    Ok((node, writer, RestartReport { snapshot, rejected: found.rejected, replayed, passed_over, recovery }))
}
