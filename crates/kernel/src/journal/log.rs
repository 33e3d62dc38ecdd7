//! The segments as they are written: one current, one being prepared, and the watermark that follows them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};

use super::batch::chain;
use super::error::{JournalError, Place};
use super::next_segment::{self, PIECE_BYTES, PreparedFile};
use super::position::Position;
use super::reader::place;
use super::retention::remove_sealed_before;
use super::seals::{Ended, SealFile, SealKey};
use super::segment::{Durability, Identity, NEXT_NAME, SegmentHeader, Settings, header_chain};
use super::upkeep::{Upkeep, UpkeepThread};
use super::watermark::WatermarkFile;

/// Where nobody prepares the next segment in time, it is filled by so many times the bytes of each commit, once the
/// current one is half full.
const FILL_RATE: u64 = 4;
const FILL_LEAST: u64 = 64 << 10;
/// Where a thread prepares it, it may fill 3 bytes for every 2 that are written: done after two thirds of a segment, before
/// the reserve begins.
const FILL_STEP: (u64, u64) = (3, 2);

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
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    identity: Identity,
    settings: Settings,
    current: Current,
    prepared: Option<PreparedFile>,
    /// Why the next segment could not be prepared, or the last one sealed, when it was last tried.
    shortage: Option<JournalError>,
    /// Here, or with the thread; with neither only after the thread was lost to a panic.
    upkeep: Option<Upkeep>,
    thread: Option<UpkeepThread>,
    /// What the thread may fill and was not told of yet: it is not woken for less than a piece.
    allowed: u64,
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
    /// Of the first record in it.
    pub first_sequence: u64,
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

    fn ended(&self) -> Ended {
        let Current { number: segment, first_sequence, sequence: last_sequence, chain, .. } = *self;
        Ended { segment, first_sequence, last_sequence, chain }
    }

    fn place(&self, sequence: u64) -> Place {
        place(&self.path, self.number, self.offset, sequence)
    }
}

impl SegmentLog {
    /// Begins a journal in an existing, locked directory without segments. Watermark and seals come first: no segment
    /// is ever without them.
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
            true => Some(WatermarkFile::create(disk.as_ref(), directory, identity.epoch, &begin)?),
            false => None,
        };
        let seals = match first.has_seals() {
            true => Some(SealFile::create(disk.clone(), directory, &first)?),
            false => None,
        };
        // their names are durable before there is a segment: a disk may keep two new names in any order
        if settings.durability.syncs() {
            let synced = disk.sync_directory(directory);
            synced.map_err(|error| JournalError::unreachable("sync the directory", directory, error))?;
        }
        let mut upkeep = Upkeep::new(disk.clone(), directory, &first, seals, Vec::new());
        let prepared = loop {
            if let Some(prepared) = upkeep.fill(u64::MAX)? {
                break prepared;
            }
        };
        let at = place(&directory.join(NEXT_NAME), first.segment, 0, first.first_sequence);
        let current = next_segment::begin(disk.as_ref(), directory, prepared, &first);
        let current =
            current.map_err(|error| JournalError::failed("begin a segment", at, begin.offset, error))?;
        upkeep.turn_to(first.segment + 1, first.first_sequence);
        Ok(SegmentLog::resume(disk, directory, &first, current, upkeep, watermark))
    }

    /// Goes on in the segment `current` of a journal with the header `of`.
    pub(super) fn resume(
        disk: Arc<dyn Disk>,
        directory: &Path,
        of: &SegmentHeader,
        current: Current,
        upkeep: Upkeep,
        watermark: Option<WatermarkFile>,
    ) -> Self {
        SegmentLog {
            disk,
            directory: directory.to_owned(),
            identity: of.identity.clone(),
            settings: of.settings,
            current,
            prepared: None,
            shortage: None,
            upkeep: Some(upkeep),
            thread: None,
            allowed: 0,
            watermark,
            is_synced: true,
        }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
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
        let is_short = self.shortage.is_some() && bytes <= self.settings().reserve_bytes();
        if is_short { Room::Reserve { bytes } } else { Room::Ample }
    }

    /// Why the next segment could not be prepared when it was last tried.
    pub(super) fn shortage(&self) -> Option<&JournalError> {
        self.shortage.as_ref()
    }

    /// Makes sure that a batch of `bytes` fits into the current segment; begins the next one if not.
    ///
    /// # Errors
    /// Only after [`JournalError::DiskFull`] is nothing spoiled, and it may be tried again.
    pub(super) fn make_room(&mut self, bytes: u64, sequence: u64) -> Result<(), JournalError> {
        if self.current.offset + bytes <= self.settings().segment_size {
            return Ok(());
        }
        let prepared = self.take_prepared();
        let prepared = self.remember_shortage(prepared)?;
        // what a segment holds is durable before the next one exists, in every mode that syncs at all
        self.sync()?;
        let begun = self.begin_next(prepared, sequence);
        self.remember_shortage(begun)
    }

    fn begin_next(&mut self, prepared: PreparedFile, sequence: u64) -> Result<(), JournalError> {
        let Current { number, chain, .. } = self.current;
        let header = SegmentHeader {
            segment: number + 1,
            first_sequence: sequence,
            previous_chain: chain,
            ..SegmentHeader::first(&self.identity, self.settings)
        };
        let begun = next_segment::begin(self.disk.as_ref(), &self.directory, prepared, &header);
        let begun = begun.map_err(|error| {
            let at = place(&self.directory.join(NEXT_NAME), header.segment, 0, sequence);
            JournalError::failed("begin a segment", at, self.settings.header_bytes(), error)
        })?;
        let ended = std::mem::replace(&mut self.current, begun).ended();
        if let Some(upkeep) = &mut self.upkeep {
            upkeep.end(ended);
        }
        if let Some(thread) = &mut self.thread {
            thread.end(ended);
            thread.ask(true);
        }
        Ok(())
    }

    /// The file for the next segment, whatever time that takes.
    fn take_prepared(&mut self) -> Result<PreparedFile, JournalError> {
        loop {
            if let Some(prepared) = self.prepared.take() {
                return Ok(prepared);
            }
            self.prepared = match (&mut self.upkeep, &mut self.thread) {
                (Some(upkeep), _) => upkeep.fill(u64::MAX)?,
                (None, Some(thread)) => Some(thread.wait().unwrap_or_else(|| Err(self.lost_thread()))?),
                (None, None) => return Err(self.lost_thread()),
            };
        }
    }

    fn lost_thread(&self) -> JournalError {
        let source = io::Error::other("the thread that prepares segments has ended");
        let place = self.current.place(self.current.sequence);
        JournalError::Failed { action: "prepare the next segment", place, source: source.into() }
    }

    fn remember_shortage<T>(&mut self, done: Result<T, JournalError>) -> Result<T, JournalError> {
        self.shortage = match &done {
            Err(error @ JournalError::DiskFull { .. }) => Some(error.clone()),
            _ => None,
        };
        done
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

    /// Works for a while on what is due, or asks the thread to; `true` when nothing is left to do.
    pub(super) fn prepare(&mut self, budget: u64) -> Result<bool, JournalError> {
        let done = self.prepare_some(budget);
        if matches!(done, Ok(false)) && self.shortage.is_some() && self.prepared.is_none() {
            return done; // under way, and nothing new is known
        }
        self.remember_shortage(done)
    }

    fn prepare_some(&mut self, budget: u64) -> Result<bool, JournalError> {
        match (&mut self.upkeep, &mut self.thread) {
            (Some(upkeep), _) if self.prepared.is_none() && self.settings.durability.fills() => {
                self.prepared = upkeep.fill(budget)?;
                Ok(false)
            }
            (Some(upkeep), _) => upkeep.seal(budget),
            (None, Some(thread)) => {
                match thread.outcome() {
                    Some(prepared) => self.prepared = Some(prepared?),
                    None => thread.ask(self.prepared.is_none()),
                }
                thread.fill_more(budget);
                Ok(self.prepared.is_some())
            }
            (None, None) => Err(self.lost_thread()),
        }
    }

    /// Fills the next segment in step with what was written, once this one is half full and nobody has done it in
    /// time. A disk without room for it is no failure yet: this segment still has some.
    pub(super) fn prepare_in_step(&mut self, written: u64) -> Result<(), JournalError> {
        let is_early = self.thread.is_none() && self.current.offset < self.settings.segment_size / 2;
        if is_early || self.prepared.is_some() || !self.settings.durability.fills() {
            return Ok(());
        }
        let fillable = self.fillable(written);
        let mut done = self.prepare(fillable).map(|_| ());
        let left = self.settings.segment_size.saturating_sub(self.current.offset);
        // nobody may be let into the reserve without knowing that it is one
        if done.is_ok() && left <= self.settings.reserve_bytes() && self.shortage.is_none() {
            done = self.take_prepared().map(|prepared| self.prepared = Some(prepared));
            done = self.remember_shortage(done);
        }
        match done {
            Err(JournalError::DiskFull { .. }) => Ok(()),
            other => other,
        }
    }

    /// How much is to be filled for `written` bytes.
    fn fillable(&mut self, written: u64) -> u64 {
        if self.thread.is_none() {
            return FILL_RATE.saturating_mul(written) + FILL_LEAST;
        }
        self.allowed += written * FILL_STEP.0 / FILL_STEP.1;
        if self.allowed < PIECE_BYTES { 0 } else { std::mem::take(&mut self.allowed) }
    }

    /// From now on a thread does what is due beside the commits.
    pub(super) fn start_thread(&mut self) {
        if let Some(upkeep) = self.upkeep.take() {
            let mut thread = UpkeepThread::start(upkeep);
            thread.ask(self.prepared.is_none());
            self.thread = Some(thread);
        }
    }

    /// The upkeep, back from the thread if it has it.
    fn take_back(&mut self) -> Result<&mut Upkeep, JournalError> {
        if let Some(mut thread) = self.thread.take() {
            while let Some(outcome) = thread.outcome() {
                self.prepared = outcome.ok().or(self.prepared.take());
            }
            self.upkeep = thread.give_back();
        }
        let lost = self.lost_thread();
        self.upkeep.as_mut().ok_or(lost)
    }

    /// Seals every segment that has ended.
    pub(super) fn seal_ended(&mut self) -> Result<(), JournalError> {
        let upkeep = self.take_back()?;
        while !upkeep.seal(u64::MAX)? {}
        Ok(())
    }

    pub(super) fn sign_with(&mut self, key: SealKey) -> Result<(), JournalError> {
        let helped = self.thread.is_some();
        if let Some(seals) = &mut self.take_back()?.seals {
            seals.sign_with(key);
        }
        if helped {
            self.start_thread();
        }
        Ok(())
    }

    /// See [`super::JournalWriter::remove_sealed_before`].
    pub(super) fn remove_sealed_before(&mut self, sequence: u64) -> Result<Vec<u32>, JournalError> {
        let helped = self.thread.is_some();
        let (disk, directory) = (self.disk.clone(), self.directory.clone());
        let removed = match &mut self.take_back()?.seals {
            Some(seals) => remove_sealed_before(disk.as_ref(), &directory, seals, sequence)?,
            None => Vec::new(),
        };
        if helped {
            self.start_thread();
        }
        Ok(removed)
    }
}

impl Drop for SegmentLog {
    /// No thread outlives the lock of its journal.
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.give_back();
        }
    }
}
