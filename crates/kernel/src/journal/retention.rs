//! Removal of the begin of a journal. `SEALS` says so first, so that an interrupted removal is no damage.

use std::path::Path;

use crate::disk::Disk;
use crate::sabotage::{Check, is_removed};

use super::error::JournalError;
use super::reader::segment_numbers;
use super::seals::{EntryKind, SealFile};
use super::segment::segment_path;

/// Removes sealed segments of which every record is before `sequence`; their numbers.
pub(super) fn remove_sealed_before(
    disk: &dyn Disk,
    directory: &Path,
    seals: &mut SealFile,
    sequence: u64,
) -> Result<Vec<u32>, JournalError> {
    let sealed = seals.seals().sealed();
    let is_unneeded = |last: u64| last < sequence || is_removed(Check::Retention);
    let ends_before = |number: &u32| sealed.get(number).is_some_and(|entry| is_unneeded(entry.last_sequence));
    let numbers = segment_numbers(disk, directory)?;
    let old: Vec<u32> = numbers.into_iter().take_while(ends_before).collect();
    let Some(&last) = old.last() else { return Ok(old) };
    if seals.seals().removed() < last && !is_removed(Check::RemovalNote) {
        seals.note(EntryKind::Removed, last)?;
    }
    for &number in &old {
        let path = segment_path(directory, number);
        disk.remove(&path).map_err(|error| JournalError::unreachable("remove the segment", &path, error))?;
    }
    let synced = disk.sync_directory(directory);
    synced.map_err(|error| JournalError::unreachable("sync the directory", directory, error))?;
    Ok(old)
}
