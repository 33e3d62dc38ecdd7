//! Opening a journal to continue it: all of it is checked, a torn tail is kept as a copy and cut off.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile, DiskLock};

use super::error::{JournalError, JournalRule, Place};
use super::log::{Current, SegmentLog};
use super::next_segment::{NextSegment, fill_with_zeros};
use super::reader::{JournalReader, unsupported};
use super::report::{Report, Tail, read_to_end};
use super::segment::{LOCK_NAME, RULES_VERSION, Settings};

/// What was found and done when a journal was opened for writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Of the journal as it is now; its `tail` is what was found.
    pub report: Report,
    pub cut: Option<Cut>,
}

/// A torn tail that was cut off: so many bytes from `place` on, kept in `copy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    pub place: Place,
    pub rule: JournalRule,
    pub found: String,
    pub bytes: u64,
    pub copy: PathBuf,
}

/// The lock of the journal in `path`.
pub(super) fn take_lock(disk: &dyn Disk, path: &Path) -> Result<Box<dyn DiskLock>, JournalError> {
    let file = path.join(LOCK_NAME);
    disk.lock(&file).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => JournalError::Locked { path: path.to_owned() },
        _ => JournalError::unreachable("lock the file", &file, error),
    })
}

pub(super) fn recover(
    disk: Arc<dyn Disk>,
    path: &Path,
) -> Result<(SegmentLog, Box<dyn DiskLock>, Recovery), JournalError> {
    // looked at before the lock, so that nothing is created in a directory that is no journal
    let version = JournalReader::open(disk.clone(), path)?.identity().rules_version;
    if version != RULES_VERSION {
        return Err(unsupported(path, "rules of the engine", u64::from(version), u64::from(RULES_VERSION)));
    }
    let lock = take_lock(disk.as_ref(), path)?;
    let mut reader = JournalReader::open(disk.clone(), path)?;
    let tail = read_to_end(&mut reader)?;
    let report = Report { tail, ..reader.report().clone() };
    let (mut current, length) = reopen(disk.as_ref(), reader)?;
    let cut = match &report.tail {
        Tail::Clean => None,
        Tail::Torn { place, rule, found, bytes } => {
            let copy = keep_copy(disk.as_ref(), path, &current, *bytes, &report.settings)?;
            Some(Cut { place: place.clone(), rule: *rule, found: found.clone(), bytes: *bytes, copy })
        }
    };
    restore_end(&mut current, length, cut.as_ref().map_or(0, |cut| cut.bytes), &report)?;
    let next = NextSegment::new(disk, path, &report.identity, report.settings);
    Ok((SegmentLog::resume(current, next), lock, Recovery { report, cut }))
}

/// The last segment, open for writing, and its length.
fn reopen(disk: &dyn Disk, reader: JournalReader) -> Result<(Current, u64), JournalError> {
    let (segment, offset, chain) = reader.into_end();
    let file = disk
        .open(&segment.path, Access::ReadWrite)
        .map_err(|error| JournalError::unreachable("open the segment for writing", &segment.path, error))?;
    let number = segment.header.segment;
    Ok((Current { number, path: segment.path, file, offset, chain }, segment.length))
}

/// Copies the torn bytes into a file of their own, durable before anything is cut.
fn keep_copy(
    disk: &dyn Disk,
    directory: &Path,
    current: &Current,
    bytes: u64,
    settings: &Settings,
) -> Result<PathBuf, JournalError> {
    let path = free_name(disk, directory, current)?;
    let copied = copy_bytes(disk, current, bytes, &path).and_then(|mut copy| {
        if settings.durability.syncs() {
            copy.sync()?;
            disk.sync_directory(directory)?;
        }
        Ok(())
    });
    if let Err(error) = copied {
        disk.remove(&path).ok(); // half a copy helps nobody
        return Err(JournalError::unreachable("write the copy of the torn tail", &path, error));
    }
    Ok(path)
}

fn copy_bytes(disk: &dyn Disk, from: &Current, bytes: u64, to: &Path) -> io::Result<Box<dyn DiskFile>> {
    let mut copy = disk.create(to)?;
    let mut buffer = vec![0; usize::try_from(bytes.min(1 << 20)).unwrap_or(0)];
    let mut done = 0;
    while done < bytes {
        let wanted = (bytes - done).min(buffer.len() as u64) as usize;
        let read = from.file.read_full_at(&mut buffer[..wanted], from.offset + done)?;
        if read == 0 {
            break;
        }
        copy.write_full_at(&buffer[..read], done)?;
        done += read as u64;
    }
    Ok(copy)
}

/// A name that no earlier cut at the same place has taken.
fn free_name(disk: &dyn Disk, directory: &Path, current: &Current) -> Result<PathBuf, JournalError> {
    let names = disk
        .list(directory)
        .map_err(|error| JournalError::unreachable("list the journal", directory, error))?;
    let stem = format!("torn-{:08}-{:012x}", current.number, current.offset);
    let mut name = format!("{stem}.bin");
    let mut attempt = 1;
    while names.contains(&name) {
        attempt += 1;
        name = format!("{stem}-{attempt}.bin");
    }
    Ok(directory.join(name))
}

/// Leaves nothing but zeros up to the segment's full size behind the last whole batch; in `none` mode, nothing.
fn restore_end(current: &mut Current, length: u64, torn: u64, report: &Report) -> Result<(), JournalError> {
    let settings = &report.settings;
    let offset = current.offset;
    let restored = if settings.durability.syncs() {
        fill_end(current, length, torn, settings.segment_size)
    } else if length > offset {
        current.file.set_length(offset)
    } else {
        Ok(())
    };
    restored.map_err(|error| {
        let at = Place {
            path: current.path.clone(),
            segment: current.number,
            offset,
            sequence: report.last_sequence.saturating_add(1),
        };
        JournalError::failed("restore the end", at, settings.segment_size.saturating_sub(length), error)
    })
}

fn fill_end(current: &mut Current, length: u64, torn: u64, segment_size: u64) -> io::Result<()> {
    let file = current.file.as_mut();
    let mut at = current.offset;
    fill_with_zeros(file, &mut at, current.offset.saturating_add(torn))?;
    let mut missing = length.max(current.offset);
    fill_with_zeros(file, &mut missing, segment_size)?;
    if length > segment_size {
        file.set_length(segment_size)?;
    }
    if torn > 0 || length != segment_size { file.sync() } else { Ok(()) }
}
