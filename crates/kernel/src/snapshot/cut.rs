//! An accepted cut of a whole history: the journal, and the snapshots of states that are cut off.
//!
//! A snapshot of what is no more must not be met by a restart, which would refuse the journal that ends before it. So
//! the snapshots go while the cut is under way: whoever is interrupted finds the journal shut until it is finished.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::restart::RestartError;
use super::store::{Owner, SnapshotStore, sequence_in};
use crate::disk::Disk;
use crate::journal::{Acceptance, AcceptedCut, JournalError, SealKey, cut_with, first_sequence};

/// What a snapshot's name ends with when it was put aside.
const ASIDE: &str = ".cut";

/// For looking at snapshots whoever they belong to.
const NOBODY: Owner = Owner { epoch: 0, shard: 0, configuration: 0 };

/// Cuts the journal in `path` behind `sequence` as [`crate::journal::cut_at_signed`] does, and puts snapshots of later states
/// aside, under their names and `.cut`. Interrupted, it can be called again.
///
/// # Errors
/// As [`crate::journal::cut_at`]; [`RestartError::NothingToBeginWith`], before anything is changed, when the journal's
/// begin was removed and no snapshot that would be left is whole.
pub fn cut_history(
    disk: Arc<dyn Disk>,
    journal: &Path,
    snapshots: &Path,
    sequence: u64,
    acceptance: &Acceptance,
    key: Option<SealKey>,
) -> Result<AcceptedCut, RestartError> {
    require_begin(&disk, journal, snapshots, sequence)?;
    let time = acceptance.time.max(saved_time(&disk, snapshots, sequence)?);
    let acceptance = &Acceptance { time, ..acceptance.clone() };
    let put_aside = || put_aside(disk.as_ref(), snapshots, sequence);
    Ok(cut_with(disk.clone(), journal, sequence, acceptance, key, put_aside)?)
}

/// The time of the newest state that stays: where nothing of the journal before the cut is left but that, no record tells
/// it, and what notes the cut must not come before.
fn saved_time(disk: &Arc<dyn Disk>, snapshots: &Path, sequence: u64) -> Result<u64, RestartError> {
    let store = SnapshotStore::new(disk.clone(), snapshots, NOBODY);
    let staying = store.sequences()?.into_iter().filter(|one| *one <= sequence).rev();
    let newest = staying.filter_map(|one| store.read_of_any_owner(one).ok()).next();
    Ok(newest.map_or(0, |snapshot| snapshot.head.time))
}

/// What is left must have something to begin with.
fn require_begin(
    disk: &Arc<dyn Disk>,
    journal: &Path,
    snapshots: &Path,
    sequence: u64,
) -> Result<(), RestartError> {
    let first_sequence = first_sequence(disk.as_ref(), journal)?;
    if first_sequence == 1 {
        return Ok(());
    }
    let store = SnapshotStore::new(disk.clone(), snapshots, NOBODY);
    let serves = |one: &u64| (first_sequence - 1..=sequence).contains(one);
    if store.sequences()?.into_iter().filter(serves).any(|one| store.read_of_any_owner(one).is_ok()) {
        return Ok(());
    }
    let (path, before) = (journal.to_owned(), first_sequence - 1);
    Err(RestartError::NothingToBeginWith { path, first_sequence, before, rejected: Vec::new() })
}

fn put_aside(disk: &dyn Disk, snapshots: &Path, sequence: u64) -> Result<Vec<PathBuf>, JournalError> {
    if !disk.is_directory(snapshots) {
        return Ok(Vec::new());
    }
    let failed = |error| JournalError::unreachable("put snapshots aside", snapshots, error);
    let mut names = disk.list(snapshots).map_err(failed)?;
    let later = |name: &String| sequence_in(name).is_some_and(|one| one > sequence);
    let mut aside = Vec::new();
    for name in names.clone().into_iter().filter(later) {
        let free = free_name(&names, &name);
        disk.rename(&snapshots.join(&name), &snapshots.join(&free)).map_err(failed)?;
        aside.push(snapshots.join(&free));
        names.push(free);
    }
    // also what was renamed by a process that ended before it could sync
    disk.sync_directory(snapshots).map_err(failed)?;
    Ok(aside)
}

/// No earlier cut's.
fn free_name(names: &[String], name: &str) -> String {
    let mut free = format!("{name}{ASIDE}");
    let mut attempt = 1;
    while names.contains(&free) {
        attempt += 1;
        free = format!("{name}{ASIDE}-{attempt}");
    }
    free
}
