//! The segments as they are written: one current, one being prepared, and the watermark that follows them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};

use super::batch::chain;
use super::error::{JournalError, Place};
use super::next_segment::NextSegment;
use super::position::Position;
use super::reader::place;
use super::segment::{Durability, Identity, NEXT_NAME, SegmentHeader, Settings, header_chain};
use super::watermark::WatermarkFile;

/// Where nobody prepares the next segment in time, it is filled by so many times the bytes of each commit, once the
/// current one is half full.
const FILL_RATE: u64 = 4;
const FILL_LEAST: u64 = 64 << 10;

/// Whether the disk has room for what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    Ample,
    /// The next segment could not be prepared because the disk is full, and only so many bytes are left in this
    /// one. They are for cancels and the kill switch; see [`Settings::reserve_bytes`].
    Reserve {
        bytes: u64,
    },
}

#[derive(Debug)]
pub(super) struct SegmentLog {
    current: Current,
    next: NextSegment,
    watermark: Option<WatermarkFile>,
    /// Whether everything written was synced, or need not be.
    is_synced: bool,
}

/// The segment being written.
#[derive(Debug)]
pub(super) struct Current {
    pub number: u32,
    pub path: PathBuf,
    pub file: Box<dyn DiskFile>,
    /// Where the next batch begins.
    pub offset: u64,
    /// The last sequence written.
    pub sequence: u64,
    /// What the next batch has as its previous chain.
    pub chain: u128,
}

impl Current {
    pub(super) fn position(&self) -> Position {
        let Current { number: segment, offset, sequence, chain, .. } = *self;
        Position { segment, offset, sequence, chain }
    }

    fn place(&self, sequence: u64) -> Place {
        place(&self.path, self.number, self.offset, sequence)
    }
}

impl SegmentLog {
    /// Begins a journal in an existing, locked directory without segments. The watermark comes first: no segment is
    /// ever without one.
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        directory: &Path,
        identity: &Identity,
        settings: Settings,
    ) -> Result<Self, JournalError> {
        let first = SegmentHeader::first(identity, settings);
        let begin = Position {
            segment: first.segment,
            offset: settings.header_bytes(),
            sequence: first.first_sequence - 1,
            chain: header_chain(&first.encode()),
        };
        let watermark = match first.has_watermark() {
            true => Some(create_watermark(disk.as_ref(), directory, identity.epoch, &begin)?),
            false => None,
        };
        let mut next = NextSegment::new(disk, directory, identity, settings);
        next.prepare_all(&place(&directory.join(NEXT_NAME), first.segment, 0, first.first_sequence))?;
        let current = next.begin(first.segment, first.first_sequence, first.previous_chain)?;
        Ok(SegmentLog { current, next, watermark, is_synced: true })
    }

    /// Goes on in the segment `current`.
    pub(super) fn resume(current: Current, next: NextSegment, watermark: Option<WatermarkFile>) -> Self {
        SegmentLog { current, next, watermark, is_synced: true }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.next.identity
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.next.settings
    }

    pub(super) fn position(&self) -> Position {
        self.current.position()
    }

    /// Bytes a batch may have, header and padding included.
    pub(super) fn largest_batch(&self) -> u64 {
        self.settings().segment_size - self.settings().header_bytes()
    }

    pub(super) fn room(&self) -> Room {
        let bytes = self.settings().segment_size.saturating_sub(self.current.offset);
        let is_short = self.next.shortage().is_some() && bytes <= self.settings().reserve_bytes();
        if is_short { Room::Reserve { bytes } } else { Room::Ample }
    }

    /// Why the next segment could not be prepared when it was last tried.
    pub(super) fn shortage(&self) -> Option<&JournalError> {
        self.next.shortage()
    }

    /// Makes sure that a batch of `bytes` fits into the current segment; begins the next one if not.
    ///
    /// # Errors
    /// Only after [`JournalError::DiskFull`] is nothing spoiled, and it may be tried again.
    pub(super) fn make_room(&mut self, bytes: u64, sequence: u64) -> Result<(), JournalError> {
        if self.current.offset + bytes <= self.settings().segment_size {
            return Ok(());
        }
        self.next.prepare_all(&self.current.place(sequence))?;
        // what a segment holds is durable before the next one exists, in every mode that syncs at all
        self.sync()?;
        let Current { number, chain, .. } = self.current;
        self.current = self.next.begin(number + 1, sequence, chain)?;
        Ok(())
    }

    /// Writes a sealed batch for which there is room, and makes it as durable as the mode promises. `first` and
    /// `last` are its sequences.
    pub(super) fn write(&mut self, batch: &[u8], first: u64, last: u64) -> Result<(), JournalError> {
        let at = self.current.place(first);
        let needed = batch.len() as u64;
        let file = &mut self.current.file;
        file.write_full_at(batch, at.offset)
            .map_err(|error| JournalError::failed("write a batch", at.clone(), needed, error))?;
        let durability = self.settings().durability;
        self.is_synced = !durability.syncs();
        if durability.syncs_commits() {
            self.sync_segment(at)?;
        }
        self.current.offset += needed;
        self.current.chain = chain(batch);
        self.current.sequence = last;
        if durability.syncs_commits() {
            self.move_watermark(durability == Durability::Strict)?;
        }
        Ok(())
    }

    /// Makes everything written survive a power cut, the watermark included. Does nothing in a mode that never syncs.
    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        if !self.is_synced {
            let at = self.current.place(self.current.sequence);
            self.sync_segment(at)?;
            self.move_watermark(false)?;
        }
        self.watermark.as_mut().map_or(Ok(()), WatermarkFile::sync)
    }

    fn sync_segment(&mut self, at: Place) -> Result<(), JournalError> {
        let synced = self.current.file.sync();
        synced.map_err(|error| JournalError::Failed {
            action: "sync a batch",
            place: at,
            source: error.into(),
        })?;
        self.is_synced = true;
        Ok(())
    }

    fn move_watermark(&mut self, sync: bool) -> Result<(), JournalError> {
        let position = self.current.position();
        let Some(watermark) = &mut self.watermark else { return Ok(()) };
        watermark.write(&position)?;
        if sync { watermark.sync() } else { Ok(()) }
    }

    /// Works on the next segment for a while; `true` when there is nothing left to do.
    pub(super) fn prepare(&mut self, budget: u64) -> Result<bool, JournalError> {
        let at = self.current.place(self.current.sequence);
        self.next.prepare(budget, &at)
    }

    /// Fills the next segment in step with what was written, once this one is half full and nobody has done it in
    /// time. A disk without room for it is no failure yet: this segment still has some.
    pub(super) fn prepare_in_step(&mut self, written: u64) -> Result<(), JournalError> {
        if self.current.offset < self.settings().segment_size / 2 {
            return Ok(());
        }
        match self.prepare(FILL_RATE.saturating_mul(written) + FILL_LEAST) {
            Ok(_) | Err(JournalError::DiskFull { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The file and its name are durable before there is a segment: a disk may keep two new names in any order.
fn create_watermark(
    disk: &dyn Disk,
    directory: &Path,
    epoch: u64,
    begin: &Position,
) -> Result<WatermarkFile, JournalError> {
    let watermark = WatermarkFile::create(disk, directory, epoch, begin)?;
    disk.sync_directory(directory)
        .map_err(|error| JournalError::unreachable("sync the directory", directory, error))?;
    Ok(watermark)
}
