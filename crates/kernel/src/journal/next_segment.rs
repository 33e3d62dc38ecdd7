//! The segment after the current one: filled with zeros ahead of its use, then begun.
//!
//! The order of writes, syncs and renames makes sure that a file under a segment's name always begins with a whole
//! header: what does not is damage, never a crash.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};

use super::error::{JournalError, Place};
use super::log::Current;
use super::segment::{NEXT_NAME, SegmentHeader, Settings, header_chain, segment_path};

/// Zeros written at once.
const FILL_BYTES: usize = 1 << 20;
/// Zeros are written and synced in pieces of so many bytes where commits go on beside them: a sync of a commit may have to
/// wait for one. Smaller ones cost more syncs than they save; the figures are in docs/decisions/0024.
pub(super) const PIECE_BYTES: u64 = 128 << 10;

/// Makes the file `next.seg`.
#[derive(Debug)]
pub(super) struct NextSegment {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    settings: Settings,
    filling: Option<Filling>,
}

#[derive(Debug)]
struct Filling {
    file: Box<dyn DiskFile>,
    is_reserved: bool,
    filled: u64,
    synced: u64,
}

/// A file that is full of zeros and synced, as the mode wants it, and waits for its header.
#[derive(Debug)]
pub(super) struct PreparedFile(Box<dyn DiskFile>);

impl NextSegment {
    pub(super) fn new(disk: Arc<dyn Disk>, directory: &Path, settings: Settings) -> Self {
        NextSegment { disk, path: directory.join(NEXT_NAME), settings, filling: None }
    }

    /// Fills up to `budget` bytes more; the file when it is ready.
    ///
    /// # Errors
    /// [`JournalError::DiskFull`] may be tried again; after anything else nothing is known about the disk.
    pub(super) fn prepare(&mut self, budget: u64, at: &Place) -> Result<Option<PreparedFile>, JournalError> {
        let size = if self.settings.durability.fills() { self.settings.segment_size } else { 0 };
        let failed =
            |step: &'static str, needed, error| JournalError::failed(step, at.clone(), needed, error);
        let mut filling = match self.filling.take() {
            Some(filling) => filling,
            None => {
                let created = self.disk.create(&self.path);
                let file = created.map_err(|error| failed("create the next segment", size, error))?;
                Filling { file, is_reserved: false, filled: 0, synced: 0 }
            }
        };
        let until = filling.filled.saturating_add(budget).min(size);
        if let Err(error) = filling.reserve(size).and_then(|()| filling.fill(until)) {
            let needed = size - filling.filled;
            self.filling = Some(filling);
            return Err(failed("fill the next segment", needed, error));
        }
        let is_full = filling.filled == size;
        // a file whose sync failed is made anew
        filling.sync(self.settings, is_full).map_err(|error| failed("sync the next segment", size, error))?;
        if is_full {
            return Ok(Some(PreparedFile(filling.file)));
        }
        self.filling = Some(filling);
        Ok(None)
    }
}

impl Filling {
    /// All of its place on the disk at once: else the file system would have to find some, and write down where, for every
    /// piece, and commits would wait for that.
    fn reserve(&mut self, size: u64) -> io::Result<()> {
        if !self.is_reserved && size > 0 {
            self.file.reserve(size)?;
        }
        self.is_reserved = true;
        Ok(())
    }

    fn fill(&mut self, until: u64) -> io::Result<()> {
        fill_with_zeros(self.file.as_mut(), &mut self.filled, until)
    }

    fn sync(&mut self, settings: Settings, is_full: bool) -> io::Result<()> {
        let is_due = is_full || self.filled - self.synced >= PIECE_BYTES;
        if settings.durability.syncs() && is_due {
            self.file.sync()?;
            self.synced = self.filled;
        }
        Ok(())
    }
}

/// Gives a prepared file its header and its name.
pub(super) fn begin(
    disk: &dyn Disk,
    directory: &Path,
    prepared: PreparedFile,
    header: &SegmentHeader,
) -> io::Result<Current> {
    let PreparedFile(mut file) = prepared;
    let bytes = header.encode();
    let offset = header.settings.header_bytes();
    let mut block = bytes.to_vec();
    block.resize(offset as usize, 0);
    let path = segment_path(directory, header.segment);
    let syncs = header.settings.durability.syncs();
    file.write_full_at(&block, 0)?;
    if syncs {
        file.sync()?;
    }
    disk.rename(&directory.join(NEXT_NAME), &path)?;
    if syncs {
        disk.sync_directory(directory)?;
    }
    let (number, sequence) = (header.segment, header.first_sequence.saturating_sub(1));
    Ok(Current {
        number,
        path,
        file,
        offset,
        first_sequence: header.first_sequence,
        sequence,
        chain: header_chain(&bytes),
    })
}

/// Writes zeros from `at` to `until` and moves `at` with what was written.
pub(super) fn fill_with_zeros(file: &mut dyn DiskFile, at: &mut u64, until: u64) -> io::Result<()> {
    if *at >= until {
        return Ok(());
    }
    let wanted = usize::try_from(until - *at).unwrap_or(FILL_BYTES).min(FILL_BYTES);
    let zeros = vec![0; wanted];
    while *at < until {
        let count = (until - *at).min(wanted as u64) as usize;
        file.write_full_at(&zeros[..count], *at)?;
        *at += count as u64;
    }
    Ok(())
}
