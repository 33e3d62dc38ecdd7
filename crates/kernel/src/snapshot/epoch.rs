//! A new epoch: the history goes on in a new journal, from a snapshot of the old one's end.
//!
//! An epoch is bound to the rules it was written under. Other rules give other events from the same records, so nobody
//! replays across the border: what the old rules came to is the snapshot, and the new journal begins behind it.

use std::path::Path;
use std::sync::Arc;

use super::error::SnapshotError;
use super::head::SnapshotHead;
use super::restart::RestartError;
use super::store::{Owner, SnapshotStore};
use crate::disk::Disk;
use crate::journal::{Identity, JournalError, JournalReader, JournalWriter, Position, Report, Tail, verify};
use crate::node::Mode;

/// Where an epoch's journal and snapshots are.
#[derive(Clone, Copy, Debug)]
pub struct EpochPlace<'a> {
    pub journal: &'a Path,
    pub snapshots: &'a Path,
}

/// By the sequence in its name: the head of a snapshot, or what is wrong with it.
pub type CheckedHeads = Vec<(u64, Result<SnapshotHead, SnapshotError>)>;

/// Every snapshot in a directory, all of each checked, whoever it belongs to.
///
/// # Errors
/// A directory that cannot be read.
pub fn snapshot_heads(disk: &Arc<dyn Disk>, directory: &Path) -> Result<CheckedHeads, SnapshotError> {
    let nobody = Owner { epoch: 0, shard: 0, configuration: 0 };
    let store = SnapshotStore::new(disk.clone(), directory, nobody);
    let sequences = store.sequences()?.into_iter();
    Ok(sequences
        .map(|sequence| (sequence, store.read_of_any_owner(sequence).map(|found| found.head)))
        .collect())
}

/// Begins the epoch after the one in `from` in the places of `to`, which must not exist, under this program's rules.
/// Returns its number. Nothing of `from` is changed; who calls it takes the old journal out of use.
///
/// # Errors
/// A journal that is damaged or ends with a write cut short; [`SnapshotError::Missing`] when no snapshot is whole and of
/// exactly its end; what the operating system answers.
pub fn begin_epoch(
    disk: &Arc<dyn Disk>,
    from: EpochPlace<'_>,
    to: EpochPlace<'_>,
    created_time: u64,
    created_by: &str,
    accept_any_file_system: bool,
) -> Result<u64, RestartError> {
    let report = verify(disk.clone(), from.journal)?;
    if let Tail::Torn { place, rule, found, bytes } = report.tail {
        return Err(JournalError::TornTail { place, rule, found, bytes }.into());
    }
    let old = Owner::of(&report.identity, 0);
    let store = SnapshotStore::new(disk.clone(), from.snapshots, old);
    let snapshot =
        store.read_of_any_owner(report.last_sequence).map_err(|error| at_the_end(&store, &report, error))?;
    if !is_of(&snapshot.head, &report.identity) {
        return Err(missing(&store, &report, "it is of another history".to_owned()).into());
    }
    // It stands where the journal has its chain, and nothing but the batch that closes the journal follows.
    JournalReader::open_at(disk.clone(), from.journal, &snapshot.head.position)?;
    let configuration = snapshot.head.configuration;
    let (_, mut node) = snapshot.into_node(Mode::Replay)?;
    let epoch = report.identity.epoch.checked_add(1).unwrap_or(1);
    let identity = Identity {
        epoch,
        shard: report.identity.shard,
        first_sequence: report.last_sequence + 1,
        ..Identity::new(epoch, created_time, created_by)
    };
    let create = if accept_any_file_system { JournalWriter::create_anywhere } else { JournalWriter::create };
    let writer = create(disk.clone(), to.journal, &identity, report.settings)?;
    let position: Position = writer.position();
    drop(writer);
    SnapshotStore::new(disk.clone(), to.snapshots, Owner::of(&identity, configuration))
        .save(&mut node, position)?;
    Ok(epoch)
}

/// Whether a snapshot is of the history that a journal tells.
fn is_of(head: &SnapshotHead, identity: &Identity) -> bool {
    (head.epoch, head.shard, head.rules_version) == (identity.epoch, identity.shard, identity.rules_version)
}

fn at_the_end(store: &SnapshotStore, report: &Report, error: SnapshotError) -> SnapshotError {
    missing(store, report, error.to_string())
}

fn missing(store: &SnapshotStore, report: &Report, found: String) -> SnapshotError {
    SnapshotError::Missing { path: store.path(report.last_sequence), sequence: report.last_sequence, found }
}
