//! Sealing a history anew: for a journal that is whole and whose `SEALS` is lost, damaged or of another history.
//!
//! What the old seals proved is proven no more, so a person has to accept that, and the journal tells who did.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Access, Disk};

use super::cut::{CutKind, cut_record};
use super::doctor::Acceptance;
use super::error::JournalError;
use super::reader::{JournalReader, place, segment_header, segment_numbers};
use super::recovery::{check_file_system, ended_segments, take_lock};
use super::report::read_to_end;
use super::seals::{EntryKind, SEALS_NAME, SealFile, SealKey};
use super::writer::JournalWriter;

/// Puts `SEALS` aside and hashes every ended segment of the journal in `path` into a new one. Says how many, and where
/// the old file is. Interrupted, it can be called again.
///
/// # Errors
/// What verifying refuses: records that are damaged cannot be sealed. [`JournalError::BadSettings`] without actor and
/// reason, [`JournalError::NotSealed`] in a mode without seals, [`JournalError::Locked`].
pub fn reseal(
    disk: Arc<dyn Disk>,
    path: &Path,
    acceptance: &Acceptance,
    key: Option<SealKey>,
) -> Result<(usize, Option<PathBuf>), JournalError> {
    acceptance.check()?;
    let lock = take_lock(disk.as_ref(), path)?;
    let mut reader = JournalReader::open(disk.clone(), path)?;
    check_file_system(disk.as_ref(), path, reader.settings(), acceptance.accept_any_file_system)?;
    if !reader.header().has_seals() {
        let found = "journals of durability none and of format 1 are not sealed".to_owned();
        return Err(JournalError::NotSealed { path: path.to_owned(), found });
    }
    read_to_end(&mut reader)?;
    let (kept, bytes) = put_aside(disk.as_ref(), path)?;
    let sealed = seal_anew(&disk, path, key.clone())?;
    drop(lock);
    let (mut writer, recovery) = JournalWriter::open_with(disk, path, &acceptance.options())?;
    key.map_or(Ok(()), |key| writer.sign_seals(key))?;
    let at = place(&path.join(SEALS_NAME), 0, 0, recovery.report.last_sequence + 1);
    let record = cut_record(CutKind::Seals, &at, bytes, &acceptance.actor, &acceptance.reason);
    writer.append_told(record, acceptance.time.max(recovery.report.last_time))?;
    Ok((sealed, kept))
}

/// Renames `SEALS` to a name that nothing else has; where it went, and its bytes.
fn put_aside(disk: &dyn Disk, directory: &Path) -> Result<(Option<PathBuf>, u64), JournalError> {
    let path = directory.join(SEALS_NAME);
    let failed = |error| JournalError::unreachable("put the seals aside", &path, error);
    let bytes = match disk.open(&path, Access::Read) {
        Ok(file) => file.length().map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, 0)),
        Err(error) => return Err(failed(error)),
    };
    let names = disk.list(directory).map_err(failed)?;
    let free = (1..=u32::MAX).map(|number| format!("seals-{number}.bin")).find(|name| !names.contains(name));
    let kept = directory.join(free.ok_or_else(|| failed(io::ErrorKind::AlreadyExists.into()))?);
    disk.rename(&path, &kept).and_then(|()| disk.sync_directory(directory)).map_err(failed)?;
    Ok((Some(kept), bytes))
}

fn seal_anew(disk: &Arc<dyn Disk>, directory: &Path, key: Option<SealKey>) -> Result<usize, JournalError> {
    let numbers = segment_numbers(disk.as_ref(), directory)?;
    let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) else { return Ok(0) };
    let header = segment_header(disk.as_ref(), directory, &numbers, last)?;
    let mut seals = SealFile::create(disk.clone(), directory, &header)?;
    if let Some(key) = key {
        seals.sign_with(key);
    }
    if first > 1 {
        seals.note(EntryKind::Removed, first - 1)?;
    }
    let ended = ended_segments(disk, directory, &header, &numbers, first)?;
    for segment in &ended {
        while !seals.seal(segment, u64::MAX)? {}
    }
    let synced = disk.sync_directory(directory);
    synced.map_err(|error| JournalError::unreachable("sync the directory", directory, error))?;
    Ok(ended.len())
}
