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
use super::segment::{Identity, NEXT_NAME, SegmentHeader, Settings, header_chain, segment_path};

/// Zeros written at once.
const FILL_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct NextSegment {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    pub identity: Identity,
    pub settings: Settings,
    prepared: Option<Prepared>,
}

#[derive(Debug)]
struct Prepared {
    file: Box<dyn DiskFile>,
    filled: u64,
    synced: bool,
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
        }
    }

    /// Fills up to `budget` bytes more; syncs when full. Does nothing in a mode without syncs.
    pub(super) fn prepare(&mut self, budget: u64, at: &Place) -> Result<(), JournalError> {
        if !self.settings.durability.syncs() {
            return Ok(());
        }
        let size = self.settings.segment_size;
        let mut prepared = self.take()?;
        let done = prepared.advance(prepared.filled.saturating_add(budget).min(size), size);
        let needed = size - prepared.filled;
        self.prepared = Some(prepared);
        done.map_err(|error| JournalError::failed("prepare the next segment", at.clone(), needed, error))
    }

    /// Finishes the preparation and gives the file its header and its name.
    pub(super) fn begin(
        &mut self,
        number: u32,
        first_sequence: u64,
        previous_chain: u128,
    ) -> Result<Current, JournalError> {
        let at = place(&self.directory.join(NEXT_NAME), number, 0, first_sequence);
        self.prepare(u64::MAX, &at)?;
        let mut file = self.take()?.file;
        let (identity, settings) = (self.identity.clone(), self.settings);
        let header = SegmentHeader { identity, settings, segment: number, first_sequence, previous_chain };
        let bytes = header.encode();
        let offset = settings.header_bytes();
        let mut block = bytes.to_vec();
        block.resize(offset as usize, 0);
        let path = segment_path(&self.directory, number);
        self.publish(file.as_mut(), &block, &path)
            .map_err(|error| JournalError::failed("begin a segment", at, offset, error))?;
        Ok(Current { number, path, file, offset, chain: header_chain(&bytes) })
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

    fn take(&mut self) -> Result<Prepared, JournalError> {
        if let Some(prepared) = self.prepared.take() {
            return Ok(prepared);
        }
        let path = self.directory.join(NEXT_NAME);
        let created = self.disk.create(&path);
        let file = created.map_err(|error| JournalError::unreachable("create the file", &path, error))?;
        Ok(Prepared { file, filled: 0, synced: false })
    }
}

impl Prepared {
    fn advance(&mut self, until: u64, size: u64) -> io::Result<()> {
        fill_with_zeros(self.file.as_mut(), &mut self.filled, until)?;
        if self.filled == size && !self.synced {
            self.file.sync()?;
            self.synced = true;
        }
        Ok(())
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
