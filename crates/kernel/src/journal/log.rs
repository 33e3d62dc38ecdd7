//! Where batches go: the segment being written, and the one after it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};

use super::batch::chain;
use super::error::JournalError;
use super::next_segment::NextSegment;
use super::reader::place;
use super::segment::{Identity, Settings};

/// The next segment is filled by so many times the bytes of each commit, once the current one is half full.
const FILL_RATE: u64 = 4;
const FILL_LEAST: u64 = 64 << 10;

#[derive(Debug)]
pub(super) struct SegmentLog {
    current: Current,
    next: NextSegment,
}

/// The segment being written.
#[derive(Debug)]
pub(super) struct Current {
    pub number: u32,
    pub path: PathBuf,
    pub file: Box<dyn DiskFile>,
    /// Where the next batch begins.
    pub offset: u64,
    /// What the next batch has as its previous chain.
    pub chain: u128,
}

impl SegmentLog {
    /// Begins a journal in an existing, locked directory without segments.
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        directory: &Path,
        identity: &Identity,
        settings: Settings,
    ) -> Result<Self, JournalError> {
        let mut next = NextSegment::new(disk, directory, identity, settings);
        let current = next.begin(1, identity.first_sequence, 0)?;
        Ok(SegmentLog { current, next })
    }

    /// Goes on in the segment `current`.
    pub(super) fn resume(current: Current, next: NextSegment) -> Self {
        SegmentLog { current, next }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.next.identity
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.next.settings
    }

    pub(super) fn chain(&self) -> u128 {
        self.current.chain
    }

    /// Bytes a batch may have, header and padding included.
    pub(super) fn largest_batch(&self) -> u64 {
        self.settings().segment_size - self.settings().header_bytes()
    }

    /// Makes sure that a batch of `bytes` fits into the current segment; begins the next one if not.
    pub(super) fn make_room(&mut self, bytes: u64, sequence: u64) -> Result<(), JournalError> {
        if self.current.offset + bytes > self.settings().segment_size {
            let Current { number, chain, .. } = self.current;
            self.current = self.next.begin(number + 1, sequence, chain)?;
        }
        Ok(())
    }

    /// Writes a sealed batch for which there is room, and syncs it where the mode says so.
    pub(super) fn write(&mut self, batch: &[u8], sequence: u64) -> Result<(), JournalError> {
        let Current { path, number, offset, .. } = &self.current;
        let at = place(path, *number, *offset, sequence);
        let needed = batch.len() as u64;
        let syncs = self.settings().durability.syncs();
        let file = &mut self.current.file;
        file.write_full_at(batch, at.offset)
            .map_err(|error| JournalError::failed("write a batch", at.clone(), needed, error))?;
        if syncs {
            file.sync().map_err(|error| JournalError::failed("sync a batch", at, needed, error))?;
        }
        self.current.offset += needed;
        self.current.chain = chain(batch);
        Ok(())
    }

    /// Goes on filling the next segment in step with what was written, once this one is half full. A disk without
    /// room for it is no failure yet: this segment still has some.
    pub(super) fn prepare_in_step(&mut self, written: u64, sequence: u64) -> Result<(), JournalError> {
        let Current { path, number, offset, .. } = &self.current;
        if *offset < self.settings().segment_size / 2 {
            return Ok(());
        }
        let at = place(path, *number, *offset, sequence);
        match self.next.prepare(FILL_RATE.saturating_mul(written) + FILL_LEAST, &at) {
            Err(JournalError::DiskFull { .. }) => Ok(()),
            other => other,
        }
    }
}
