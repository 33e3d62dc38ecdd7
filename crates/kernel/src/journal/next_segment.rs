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
use super::reader::place;
use super::segment::{
    FORMAT_VERSION, Identity, NEXT_NAME, SegmentHeader, Settings, header_chain, segment_path,
};

/// Zeros written at once.
const FILL_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct NextSegment {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    pub identity: Identity,
    pub settings: Settings,
    prepared: Option<Prepared>,
    /// Why it could not be filled when it was last tried.
    shortage: Option<JournalError>,
}

#[derive(Debug)]
struct Prepared {
    file: Box<dyn DiskFile>,
    filled: u64,
    is_synced: bool,
}

impl NextSegment {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        directory: &Path,
        identity: &Identity,
        settings: Settings,
    ) -> Self {
        NextSegment {
            disk,
            directory: directory.to_owned(),
            identity: identity.clone(),
            settings,
            prepared: None,
            shortage: None,
        }
    }

    pub(super) fn shortage(&self) -> Option<&JournalError> {
        self.shortage.as_ref()
    }

    /// Fills up to `budget` bytes more, and syncs when full; `true` when nothing is left to do. In a mode that fills
    /// nothing, there never is.
    ///
    /// # Errors
    /// [`JournalError::DiskFull`] may be tried again; after anything else nothing is known about the disk.
    pub(super) fn prepare(&mut self, budget: u64, at: &Place) -> Result<bool, JournalError> {
        let size = self.settings.segment_size;
        if !self.settings.durability.fills() || self.prepared.as_ref().is_some_and(|file| file.is_synced) {
            return Ok(true);
        }
        let mut needed = size;
        let done = self.take().and_then(|mut prepared| {
            let until = prepared.filled.saturating_add(budget).min(size);
            let done = prepared.advance(until, size, self.settings.durability.syncs());
            needed = size - prepared.filled;
            if !matches!(&done, Err((Step::Sync, _))) {
                self.prepared = Some(prepared); // a file whose sync failed is made anew
            }
            done
        });
        let done = done.map_err(|(step, error)| step.failed(at.clone(), needed, error));
        self.remember_shortage(&done);
        done
    }

    fn remember_shortage<T>(&mut self, done: &Result<T, JournalError>) {
        self.shortage = match done {
            Err(error @ JournalError::DiskFull { .. }) => Some(error.clone()),
            _ => None,
        };
    }

    /// Fills what is left.
    ///
    /// # Errors
    /// As [`NextSegment::prepare`].
    pub(super) fn prepare_all(&mut self, at: &Place) -> Result<(), JournalError> {
        self.prepare(u64::MAX, at).map(|_| ())
    }

    /// Gives the prepared file its header and its name.
    ///
    /// # Errors
    /// As [`NextSegment::prepare`]: what is tried again begins with a new file.
    pub(super) fn begin(
        &mut self,
        number: u32,
        first_sequence: u64,
        previous_chain: u128,
    ) -> Result<Current, JournalError> {
        let at = place(&self.directory.join(NEXT_NAME), number, 0, first_sequence);
        let needed = self.settings.header_bytes();
        let begun = self.begin_file(number, first_sequence, previous_chain);
        let begun = begun.map_err(|error| JournalError::failed("begin a segment", at, needed, error));
        self.remember_shortage(&begun);
        begun
    }

    fn begin_file(&mut self, number: u32, first_sequence: u64, previous_chain: u128) -> io::Result<Current> {
        let (identity, settings) = (self.identity.clone(), self.settings);
        let offset = settings.header_bytes();
        let mut file = self.take().map_err(|(_, error)| error)?.file;
        let header = SegmentHeader {
            format: FORMAT_VERSION,
            identity,
            settings,
            segment: number,
            first_sequence,
            previous_chain,
        };
        let bytes = header.encode();
        let mut block = bytes.to_vec();
        block.resize(offset as usize, 0);
        let path = segment_path(&self.directory, number);
        self.publish(file.as_mut(), &block, &path)?;
        let sequence = first_sequence - 1;
        Ok(Current { number, path, file, offset, sequence, chain: header_chain(&bytes) })
    }

    fn publish(&self, file: &mut dyn DiskFile, block: &[u8], path: &Path) -> io::Result<()> {
        let syncs = self.settings.durability.syncs();
        file.write_full_at(block, 0)?;
        if syncs {
            file.sync()?;
        }
        self.disk.rename(&self.directory.join(NEXT_NAME), path)?;
        if syncs {
            self.disk.sync_directory(&self.directory)?;
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Prepared, (Step, io::Error)> {
        if let Some(prepared) = self.prepared.take() {
            return Ok(prepared);
        }
        let file =
            self.disk.create(&self.directory.join(NEXT_NAME)).map_err(|error| (Step::Create, error))?;
        Ok(Prepared { file, filled: 0, is_synced: false })
    }
}

/// What was being done when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    Fill,
    Sync,
}

impl Step {
    fn failed(self, place: Place, needed: u64, error: io::Error) -> JournalError {
        let action = match self {
            Step::Create => "create the next segment",
            Step::Fill => "fill the next segment",
            Step::Sync => "sync the next segment",
        };
        JournalError::failed(action, place, needed, error)
    }
}

impl Prepared {
    fn advance(&mut self, until: u64, size: u64, sync: bool) -> Result<bool, (Step, io::Error)> {
        fill_with_zeros(self.file.as_mut(), &mut self.filled, until).map_err(|error| (Step::Fill, error))?;
        if self.filled < size {
            return Ok(false);
        }
        if sync {
            self.file.sync().map_err(|error| (Step::Sync, error))?;
        }
        self.is_synced = true;
        Ok(true)
    }
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
