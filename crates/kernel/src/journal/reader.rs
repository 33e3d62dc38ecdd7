//! Reads a journal from its first batch to its end and checks everything on the way.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zerocopy::IntoBytes;

use crate::disk::{Access, Disk, DiskFile};
use crate::record::{SLOT_SIZE, Slot};
use crate::sabotage::{Check, is_removed};

use super::batch::{BATCH_HEADER_SIZE, BatchHeader, chain};
use super::bounds::Bounds;
use super::continuity::{Walked, walk};
use super::error::{JournalError, JournalRule, Place};
use super::position::Position;
use super::report::Report;
use super::seals::{SEALS_NAME, Seals};
use super::segment::{
    Durability, FORMAT_VERSION, HeaderBytes, HeaderProblem, Identity, LOCK_NAME, NEXT_NAME, SCHEMA,
    SEGMENT_HEADER_SIZE, SegmentHeader, Settings, header_chain, segment_number, segment_path,
};
use super::upcast::{UPCASTS, Upcast, upcast_all};
use super::watermark::{WATERMARK_NAME, read_watermark};
use super::window::Window;

/// One batch, lying in the reader's window.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    pub header: BatchHeader,
    /// The records in today's layouts, one after the other; markers of references among them.
    pub slots: &'a [Slot],
    /// Where its header is.
    pub segment: u32,
    pub offset: u64,
}

impl<'a> Batch<'a> {
    /// The records of the batch, each with its continuations.
    pub fn records(&self) -> Records<'a> {
        Records::new(self.slots)
    }
}

/// Records of a checked batch.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [Slot],
}

impl<'a> Records<'a> {
    pub(super) fn new(slots: &'a [Slot]) -> Self {
        Records { rest: slots }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [Slot];

    fn next(&mut self) -> Option<&'a [Slot]> {
        let length = usize::from(self.rest.first()?.slots).max(1);
        let (record, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(record)
    }
}

#[derive(Debug)]
pub(super) struct OpenSegment {
    pub path: PathBuf,
    pub file: Box<dyn DiskFile>,
    pub length: u64,
    pub header: SegmentHeader,
    chain: u128,
}

/// What is wrong where the next batch should be; `torn` when a write that was cut short can look so.
#[derive(Debug)]
struct Fault {
    rule: JournalRule,
    found: String,
    torn: bool,
}

impl Fault {
    fn torn(rule: JournalRule, found: String) -> Trouble {
        Trouble::Fault(Fault { rule, found, torn: true })
    }

    fn damage(rule: JournalRule, found: String) -> Trouble {
        Trouble::Fault(Fault { rule, found, torn: false })
    }
}

#[derive(Debug)]
enum Trouble {
    Fault(Fault),
    Error(JournalError),
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Self {
        Trouble::Error(error)
    }
}

/// Reads without the writer's lock: [`JournalReader::next_batch`] to the end, where the last batch may look like a
/// torn tail while somebody writes; [`JournalReader::next_durable`] only as far as the watermark, also while somebody
/// writes.
#[derive(Debug)]
pub struct JournalReader {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    /// Numbers of the segments that are there, ascending.
    numbers: Vec<u32>,
    segment: OpenSegment,
    window: Window,
    offset: u64,
    next_sequence: u64,
    chain: u128,
    report: Report,
    bounds: Bounds,
    /// The watermark when it was last looked at; `None` where the mode keeps none.
    watermark: Option<Position>,
    upcasts: &'static [Upcast],
    /// The records of the last batch in today's layouts, where some of them had older ones.
    upcast: Vec<Slot>,
}

impl JournalReader {
    /// Opens the journal in the directory `path` and checks the header of its first segment.
    ///
    /// # Errors
    /// [`JournalError::NotAJournal`] for what is none, [`JournalError::UnsupportedVersion`] for one written by
    /// a newer program, [`JournalError::Damaged`] for a first segment or a watermark that is missing or broken.
    pub fn open(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, JournalError> {
        JournalReader::begin(disk, path, None)
    }

    /// Opens the journal to read what follows `position`, which a snapshot or a reader's own
    /// [`JournalReader::position`] has told. Only its segment is read up to there: the time it takes does not grow
    /// with the journal.
    ///
    /// # Errors
    /// As [`JournalReader::open`], and [`JournalError::Damaged`] when the journal does not come to `position` or
    /// tells another history there.
    pub fn open_at(disk: Arc<dyn Disk>, path: &Path, position: &Position) -> Result<Self, JournalError> {
        let mut reader = JournalReader::begin(disk, path, Some(*position))?;
        while reader.position().is_before(position) {
            if reader.next_batch()?.is_none() {
                break;
            }
        }
        Ok(reader)
    }

    /// As [`JournalReader::open`], but without holding the journal to its watermark, which may be missing.
    pub(super) fn open_unbound(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, JournalError> {
        JournalReader::begin_with(disk, path, None, |_, _, _| Ok(None))
    }

    /// Reads from the first batch, or from the begin of the segment of `snapshot`.
    pub(super) fn begin(
        disk: Arc<dyn Disk>,
        path: &Path,
        snapshot: Option<Position>,
    ) -> Result<Self, JournalError> {
        JournalReader::begin_with(disk, path, snapshot, |disk, path, header| match header.has_watermark() {
            true => read_watermark(disk, path, header.identity.epoch).map(Some),
            false => Ok(None),
        })
    }

    fn begin_with(
        disk: Arc<dyn Disk>,
        path: &Path,
        snapshot: Option<Position>,
        watermark: impl Fn(&dyn Disk, &Path, &SegmentHeader) -> Result<Option<Position>, JournalError>,
    ) -> Result<Self, JournalError> {
        let numbers = segment_numbers(disk.as_ref(), path)?;
        let last = numbers.last().copied().unwrap_or(1);
        let snapshot = match snapshot {
            Some(position) => Some(past_removed(disk.as_ref(), path, &numbers, position)?),
            None => None,
        };
        let first = match snapshot {
            Some(position) => position.segment.min(last),
            None => first_segment(disk.as_ref(), path, &numbers)?,
        };
        let segment = open_segment(disk.as_ref(), path, &numbers, first, 0)?;
        let SegmentHeader { identity, settings, .. } = segment.header.clone();
        check_schema(path, identity.schema)?;
        // first the watermark, then the segments: while somebody writes it moves on with them
        let watermark = watermark(disk.as_ref(), path, &segment.header)?;
        let mut reader = JournalReader {
            report: Report::new(&segment.header, watermark),
            offset: 0,
            next_sequence: segment.header.first_sequence,
            chain: 0,
            numbers: segment_numbers(disk.as_ref(), path)?,
            disk,
            directory: path.to_owned(),
            segment,
            window: Window::new(),
            bounds: Bounds::default(),
            watermark,
            upcasts: UPCASTS,
            upcast: Vec::new(),
        };
        let begin = Position { offset: settings.header_bytes(), ..reader.position() };
        let held_to = watermark.filter(|_| !is_removed(Check::Watermark));
        reader.bounds = Bounds::new(held_to, snapshot, &begin);
        reader.enter_segment()?;
        Ok(reader)
    }

    pub fn identity(&self) -> &Identity {
        &self.report.identity
    }

    pub fn settings(&self) -> &Settings {
        &self.report.settings
    }

    /// Of the segment that is being read.
    pub fn header(&self) -> &SegmentHeader {
        &self.segment.header
    }

    /// Version of the format the journal is written in.
    pub fn format(&self) -> u8 {
        self.segment.header.format
    }

    #[cfg(test)]
    pub(super) fn use_upcasts(&mut self, upcasts: &'static [Upcast]) {
        self.upcasts = upcasts;
    }

    /// What was read so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The sequence the next record will have.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// The end of what was read.
    pub fn position(&self) -> Position {
        Position {
            segment: self.segment.header.segment,
            offset: self.offset,
            sequence: self.next_sequence.saturating_sub(1),
            chain: self.chain,
        }
    }

    /// The next batch that is durable: below the watermark, or whole where the mode keeps none. `None` when there is
    /// none yet: ask again later, somebody may be writing; [`Report::closed`] says that the writer has ended.
    ///
    /// # Errors
    /// As [`JournalReader::next_batch`], but for torn tails: what is not durable yet is not looked at.
    pub fn next_durable(&mut self) -> Result<Option<Batch<'_>>, JournalError> {
        self.cross_border()?;
        if self.watermark.is_some_and(|watermark| !self.position().is_before(&watermark)) {
            let moved = read_watermark(self.disk.as_ref(), &self.directory, self.identity().epoch)?;
            if !self.position().is_before(&moved) {
                return Ok(None);
            }
            self.watermark = Some(moved);
            self.report.watermark = Some(moved);
            self.bounds.move_watermark(moved);
            self.look_again()?;
        } else if self.watermark.is_none() {
            self.look_again()?;
            return self.next_written();
        }
        self.next_batch()
    }

    /// Goes on to the segment in which the watermark is, where nothing is left before it: what that segment begins with
    /// may be written and not synced.
    fn cross_border(&mut self) -> Result<(), JournalError> {
        let Some(watermark) = self.watermark.filter(|mark| self.position().is_before(mark)) else {
            return Ok(());
        };
        let is_last = self.segment.header.segment.checked_add(1) == Some(watermark.segment);
        if is_last
            && self.next_sequence > watermark.sequence
            && self.peek_header().is_ok_and(|next| next.is_none())
        {
            self.next_segment()?;
        }
        Ok(())
    }

    /// Without a watermark every whole batch counts, and what is not whole is being written.
    fn next_written(&mut self) -> Result<Option<Batch<'_>>, JournalError> {
        let offset = self.offset;
        let header = loop {
            match self.step() {
                Ok(Some(header)) => break header,
                Ok(None) if self.next_segment()? => {}
                Ok(None) | Err(Trouble::Fault(Fault { torn: true, .. })) => return Ok(None),
                Err(Trouble::Error(error)) => return Err(error),
                Err(Trouble::Fault(fault)) => return Err(self.classify(fault)),
            }
        };
        let at = if offset < self.offset { offset } else { self.settings().header_bytes() };
        Ok(Some(self.batch_at(at, header)))
    }

    /// Forgets what the files held when they were last looked at.
    fn look_again(&mut self) -> Result<(), JournalError> {
        self.numbers = segment_numbers(self.disk.as_ref(), &self.directory)?;
        let length = self.segment.file.length();
        self.segment.length = length.map_err(|error| JournalError::failed("read", self.place(), 0, error))?;
        self.window.clear(self.segment.length);
        Ok(())
    }

    /// The next batch, checked; `None` at the end. After an error the reader stays where it is.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] (also for an end before the watermark or the snapshot),
    /// [`JournalError::TornTail`] (see the module for the difference),
    /// [`JournalError::UnsupportedVersion`], or the operating system's [`JournalError::Failed`].
    pub fn next_batch(&mut self) -> Result<Option<Batch<'_>>, JournalError> {
        loop {
            let offset = self.offset;
            match self.step() {
                Ok(Some(header)) => return Ok(Some(self.batch_at(offset, header))),
                Ok(None) => {
                    if !self.next_segment()? {
                        let unreached = self.bounds.unreached();
                        return unreached.map_or(Ok(None), |(rule, found)| Err(self.damaged(rule, found)));
                    }
                }
                Err(Trouble::Error(error)) => return Err(error),
                Err(Trouble::Fault(fault)) => return Err(self.classify(fault)),
            }
        }
    }

    fn batch_at(&self, offset: u64, header: BatchHeader) -> Batch<'_> {
        let bytes = u64::from(header.slot_count) * SLOT_SIZE as u64;
        let slots = match self.upcast.is_empty() {
            true => self.window.slots(offset + BATCH_HEADER_SIZE as u64, bytes),
            false => &self.upcast,
        };
        Batch { header, slots, segment: self.segment.header.segment, offset }
    }

    /// Checks the batch at the current offset and passes it; `None` at the end of the segment.
    fn step(&mut self) -> Result<Option<BatchHeader>, Trouble> {
        let Some(header) = self.peek_header()? else { return Ok(None) };
        self.check_header(&header)?;
        let bytes = header.bytes(self.settings());
        self.fill(self.offset, bytes)?;
        let slots = self.window.slots(self.offset, bytes);
        let walked = check_body(&header, slots.as_bytes(), self.next_sequence)?;
        self.upcast.clear();
        if walked.outdated > 0 {
            upcast_all(&slots[2..2 + header.slot_count as usize], self.upcasts, &mut self.upcast)
                .map_err(|(rule, found)| Fault::damage(rule, found))?;
        }
        self.chain = chain(slots.as_bytes());
        let last = slots.get(1 + header.slot_count as usize).filter(|_| header.slot_count > 0);
        self.report.last_time = last.map_or(self.report.last_time, |slot| slot.time);
        self.offset += bytes;
        self.next_sequence = header.next_sequence();
        let position = self.position();
        self.report.count_batch(&header, u64::from(walked.markers), bytes, position);
        self.check_bounds(&position)?;
        Ok(Some(header))
    }

    fn check_bounds(&mut self, border: &Position) -> Result<(), JournalError> {
        self.bounds.pass(border).map_err(|(rule, found)| self.damaged(rule, found))
    }

    /// The valid header at the current offset; `None` when only zeros or nothing follows.
    fn peek_header(&mut self) -> Result<Option<BatchHeader>, Trouble> {
        let header_bytes = BATCH_HEADER_SIZE as u64;
        self.fill(self.offset, header_bytes)?;
        let Some([first, second]) = self.window.slots(self.offset, header_bytes).first_chunk().copied()
        else {
            return self.require_zero_rest().map(|()| None);
        };
        let header = BatchHeader::from_slots([first, second]);
        if header.is_valid() {
            return Ok(Some(header));
        }
        if first == Slot::ZERO {
            return self.require_zero_rest().map(|()| None);
        }
        if !header.has_mark() {
            let found = format!("message {} where the header of a batch was expected", first.message);
            return Err(Fault::torn(JournalRule::BatchMustBeWhole, found));
        }
        let (written, computed) = header.checksums();
        let found = format!("CRC32C {written:#010x} is written, {computed:#010x} computed");
        Err(Fault::torn(JournalRule::HeaderChecksumMustMatch, found))
    }

    /// What a header with a right checksum must say here. All but a short file is damage.
    fn check_header(&self, header: &BatchHeader) -> Result<(), Trouble> {
        check_schema(&self.directory, header.schema)?;
        let epoch = self.identity().epoch;
        if header.epoch != epoch {
            let found = format!("epoch {:#x} in a journal of epoch {epoch:#x}", header.epoch);
            return Err(Fault::damage(JournalRule::EpochMustMatch, found));
        }
        if header.first_sequence != self.next_sequence {
            let found = format!(
                "the batch begins with sequence {} where {} was expected",
                header.first_sequence, self.next_sequence
            );
            return Err(Fault::damage(JournalRule::SequenceMustContinue, found));
        }
        if header.previous_chain() != self.chain && !is_removed(Check::Chain) {
            let found =
                format!("the batch continues {:032x}, not {:032x}", header.previous_chain(), self.chain);
            return Err(Fault::damage(JournalRule::ChainMustContinue, found));
        }
        let (bytes, left) = (header.bytes(self.settings()), self.segment.length.saturating_sub(self.offset));
        if bytes > left {
            let found = format!("the batch has {bytes} bytes and the file ends after {left}");
            return Err(Fault::torn(JournalRule::BatchMustBeWhole, found));
        }
        Ok(())
    }

    fn require_zero_rest(&mut self) -> Result<(), Trouble> {
        let scan = self.scan()?;
        if scan.end_of_content <= self.offset {
            return Ok(());
        }
        let found =
            format!("bytes that are not zero up to offset {} where no batch begins", scan.end_of_content);
        Err(Fault::torn(JournalRule::RestMustBeZero, found))
    }

    /// Goes on to the next segment; `false` when there is none.
    fn next_segment(&mut self) -> Result<bool, JournalError> {
        let number = self.segment.header.segment.saturating_add(1);
        if self.numbers.last().is_none_or(|&last| last < number) {
            return Ok(false);
        }
        self.segment =
            open_segment(self.disk.as_ref(), &self.directory, &self.numbers, number, self.next_sequence)?;
        self.check_follows()?;
        self.enter_segment()?;
        Ok(true)
    }

    fn enter_segment(&mut self) -> Result<(), JournalError> {
        self.window.clear(self.segment.length);
        self.offset = 0;
        let header_bytes = self.settings().header_bytes();
        self.fill(SEGMENT_HEADER_SIZE as u64, header_bytes - SEGMENT_HEADER_SIZE as u64)?;
        let padding =
            self.window.bytes(SEGMENT_HEADER_SIZE as u64, header_bytes - SEGMENT_HEADER_SIZE as u64);
        if (SEGMENT_HEADER_SIZE + padding.len()) as u64 != header_bytes
            || padding.iter().any(|&byte| byte != 0)
        {
            let found = "the padding of the segment's header is cut or not zero".to_owned();
            return Err(self.damaged(JournalRule::SegmentHeaderMustBeValid, found));
        }
        self.offset = header_bytes;
        self.chain = self.segment.chain;
        let position = self.position();
        self.report.count_segment(header_bytes, self.segment.length, position);
        self.check_bounds(&position)
    }

    /// A later segment must continue the one before, under the same identity and settings.
    fn check_follows(&mut self) -> Result<(), JournalError> {
        let header = self.segment.header.clone();
        self.offset = 0;
        if header.identity.epoch != self.identity().epoch {
            let found = format!("epoch {:#x} after {:#x}", header.identity.epoch, self.identity().epoch);
            return Err(self.damaged(JournalRule::EpochMustMatch, found));
        }
        if header.first_sequence != self.next_sequence {
            let found = format!(
                "the segment begins with sequence {} where {} was expected",
                header.first_sequence, self.next_sequence
            );
            return Err(self.damaged(JournalRule::SequenceMustContinue, found));
        }
        if header.previous_chain != self.chain && !is_removed(Check::Chain) {
            let found =
                format!("the segment continues {:032x}, not {:032x}", header.previous_chain, self.chain);
            return Err(self.damaged(JournalRule::ChainMustContinue, found));
        }
        if header.identity != *self.identity() || header.settings != *self.settings() {
            let found = "identity or settings other than those of the first segment".to_owned();
            return Err(self.damaged(JournalRule::SegmentMustFollow, found));
        }
        Ok(())
    }

    /// Torn tail or damage: was it durable, does anything valid follow?
    fn classify(&mut self, fault: Fault) -> JournalError {
        let Fault { rule, found, torn } = fault;
        if !torn {
            return self.damaged(rule, found);
        }
        let number = self.segment.header.segment;
        if self.numbers.last().is_some_and(|&last| last > number) {
            return self.damaged(rule, format!("{found}; segment {} follows", number + 1));
        }
        if let Some((_, unreached)) = self.bounds.unreached() {
            return self.damaged(rule, format!("{found}; {unreached}"));
        }
        // between two syncs the system writes in any order: what follows a hole was never promised either
        let in_any_order = self.settings().durability == Durability::Interval;
        match self.scan() {
            Err(error) => error,
            Ok(Scan { valid: Some(valid), .. }) if !in_any_order => {
                self.damaged(rule, format!("{found}; a valid batch follows at offset {valid}"))
            }
            Ok(Scan { end_of_content, .. }) => {
                // a file that was filled ahead has zeros behind what was written
                let filled = self.settings().durability.fills();
                let end = if filled { end_of_content } else { self.segment.length };
                let bytes = end.saturating_sub(self.offset);
                JournalError::TornTail { place: self.place(), rule, found, bytes }
            }
        }
    }

    /// Looks through the segment from the current offset to its end.
    fn scan(&mut self) -> Result<Scan, JournalError> {
        let epoch = self.identity().epoch;
        let mut scan = Scan { valid: None, end_of_content: 0 };
        let mut at = self.offset;
        while at < self.segment.length {
            let wanted = Window::BYTES.min(self.segment.length - at);
            self.fill(at, wanted)?;
            let bytes = self.window.bytes(at, wanted);
            if let Some(last) = last_content(bytes) {
                scan.end_of_content = at + last as u64 + 1;
                let slots = self.window.slots(at, wanted);
                // the first slot is where the trouble is: what follows it counts
                let valid = slots.windows(2).skip(1).position(|pair| is_header(pair, epoch));
                scan.valid = scan.valid.or(valid.map(|index| at + ((index + 1) * SLOT_SIZE) as u64));
            }
            let read = bytes.len() as u64;
            if read < wanted || at + read >= self.segment.length {
                break;
            }
            // two slots again, so that no header falls between two windows
            at += read / SLOT_SIZE as u64 * SLOT_SIZE as u64 - BATCH_HEADER_SIZE as u64;
        }
        Ok(scan)
    }

    fn fill(&mut self, offset: u64, bytes: u64) -> Result<(), JournalError> {
        self.window
            .fill(self.segment.file.as_ref(), offset, bytes)
            .map_err(|source| JournalError::failed("read", self.place(), 0, source))
    }

    fn place(&self) -> Place {
        place(&self.segment.path, self.segment.header.segment, self.offset, self.next_sequence)
    }

    fn damaged(&self, rule: JournalRule, found: String) -> JournalError {
        JournalError::Damaged { place: self.place(), rule, found }
    }

    /// The last segment, where a writer goes on, and the numbers of all that are there.
    pub(super) fn into_segment(self) -> (OpenSegment, Vec<u32>) {
        (self.segment, self.numbers)
    }
}

struct Scan {
    /// Offset of the first valid batch header behind the current offset.
    valid: Option<u64>,
    /// After the last byte that is not zero.
    end_of_content: u64,
}

/// Index of the last byte that is not zero. Zeros are passed a slot at a time: there may be a whole segment of them.
fn last_content(bytes: &[u8]) -> Option<usize> {
    let (slots, rest) = bytes.as_chunks::<SLOT_SIZE>();
    let last = |bytes: &[u8]| bytes.iter().rposition(|&byte| byte != 0);
    if let Some(index) = last(rest) {
        return Some(slots.len() * SLOT_SIZE + index);
    }
    let slot = slots.iter().rposition(|slot| slot.iter().fold(0, |bits, byte| bits | byte) != 0)?;
    last(&slots[slot]).map(|index| slot * SLOT_SIZE + index)
}

fn is_header(pair: &[Slot], epoch: u64) -> bool {
    let &[first, second] = pair else { return false };
    let header = BatchHeader::from_slots([first, second]);
    header.has_mark() && header.epoch == epoch && header.is_valid()
}

/// Checks records and padding against the header; returns how many of the records are markers.
fn check_body(header: &BatchHeader, batch: &[u8], next_sequence: u64) -> Result<Walked, Trouble> {
    let body = batch.get(BATCH_HEADER_SIZE..).unwrap_or(&[]);
    let computed = crc32c::crc32c(body);
    if computed != header.body_checksum {
        let found = format!("CRC32C {:#010x} is written, {computed:#010x} computed", header.body_checksum);
        return Err(Fault::torn(JournalRule::BodyChecksumMustMatch, found));
    }
    let slots = <[Slot] as zerocopy::FromBytes>::ref_from_bytes(body).unwrap_or(&[]);
    let records = slots.get(..header.slot_count as usize).unwrap_or(&[]);
    let walked = walk(records, next_sequence).map_err(|broken| Fault::damage(broken.rule, broken.found))?;
    if walked.records != header.record_count || walked.next_sequence != header.next_sequence() {
        let found = format!(
            "{} records up to sequence {}, the header says {} up to {}",
            walked.records,
            walked.next_sequence.saturating_sub(1),
            header.record_count,
            header.next_sequence().saturating_sub(1)
        );
        return Err(Fault::damage(JournalRule::BatchMustCountItsRecords, found));
    }
    Ok(walked)
}

pub(super) fn place(path: &Path, segment: u32, offset: u64, sequence: u64) -> Place {
    Place { path: path.to_owned(), segment, offset, sequence }
}

/// Numbers of the segments in a directory, ascending.
pub(super) fn segment_numbers(disk: &dyn Disk, path: &Path) -> Result<Vec<u32>, JournalError> {
    let not = |found: String| JournalError::NotAJournal { path: path.to_owned(), found };
    let names = disk.list(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => not("there is no such directory".to_owned()),
        io::ErrorKind::NotADirectory => not("it is a file; a directory of segments was expected".to_owned()),
        _ => JournalError::unreachable("list the journal", path, error),
    })?;
    let numbers: Vec<u32> = names.iter().filter_map(|name| segment_number(name)).collect();
    if !numbers.is_empty() {
        return Ok(numbers);
    }
    if names.is_empty() {
        return Err(not("the directory is empty".to_owned()));
    }
    if names.iter().all(|name| [LOCK_NAME, NEXT_NAME, WATERMARK_NAME, SEALS_NAME].contains(&name.as_str())) {
        return Err(not("its creation was not finished; it never held a record".to_owned()));
    }
    let some = names.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
    Err(not(format!("no segment (00000001.seg) among its {} entries: {some}", names.len())))
}

/// The segment with which the journal begins: 1, unless its begin was removed on purpose. While it is being removed,
/// or when that was interrupted, some of the removed segments may still be there.
pub(super) fn first_segment(disk: &dyn Disk, path: &Path, numbers: &[u32]) -> Result<u32, JournalError> {
    if numbers.first() == Some(&1) && numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]) {
        return Ok(1);
    }
    let removed = Seals::read(disk, path)?.map_or(0, |seals| seals.removed());
    let mut first = removed + 1;
    while first > 1 && numbers.binary_search(&(first - 1)).is_ok() {
        first -= 1;
    }
    Ok(first)
}

/// A position at the very end of a segment that was removed on purpose since, as the begin of the segment after it.
/// What is behind it is there: retention keeps records that follow a snapshot, not the segment that the snapshot ends.
fn past_removed(
    disk: &dyn Disk,
    path: &Path,
    numbers: &[u32],
    position: Position,
) -> Result<Position, JournalError> {
    let next = position.segment.saturating_add(1);
    let is_gone = numbers.first() == Some(&next) && first_segment(disk, path, numbers)? == next;
    if !is_gone {
        return Ok(position);
    }
    let OpenSegment { header, chain, .. } = open_segment(disk, path, numbers, next, 0)?;
    let follows = header.first_sequence.checked_sub(1) == Some(position.sequence)
        && header.previous_chain == position.chain;
    let offset = header.settings.header_bytes();
    Ok(if follows {
        Position { segment: next, offset, sequence: position.sequence, chain }
    } else {
        position
    })
}

/// The header of one segment, checked.
pub(super) fn segment_header(
    disk: &dyn Disk,
    directory: &Path,
    numbers: &[u32],
    number: u32,
) -> Result<SegmentHeader, JournalError> {
    open_segment(disk, directory, numbers, number, 0).map(|segment| segment.header)
}

fn check_schema(path: &Path, schema: u16) -> Result<(), JournalError> {
    if schema <= SCHEMA {
        return Ok(());
    }
    Err(unsupported(path, "message registry", u64::from(schema), u64::from(SCHEMA)))
}

pub(super) fn unsupported(path: &Path, what: &'static str, found: u64, supported: u64) -> JournalError {
    let advice = if found > supported {
        "read it with the newer openbell that wrote it"
    } else {
        "read it with the older openbell that wrote it"
    };
    JournalError::UnsupportedVersion { path: path.to_owned(), what, found, supported, advice }
}

fn open_segment(
    disk: &dyn Disk,
    directory: &Path,
    numbers: &[u32],
    number: u32,
    sequence: u64,
) -> Result<OpenSegment, JournalError> {
    let path = segment_path(directory, number);
    let at = place(&path, number, 0, sequence);
    let damaged = |rule, found| JournalError::Damaged { place: at.clone(), rule, found };
    if numbers.binary_search(&number).is_err() {
        let found = format!("segment {number} is missing and a later one is there");
        return Err(damaged(JournalRule::SegmentsMustBeComplete, found));
    }
    let failed = |error| JournalError::failed("read", at.clone(), 0, error);
    let file = disk.open(&path, Access::Read).map_err(failed)?;
    let length = file.length().map_err(failed)?;
    let mut bytes: HeaderBytes = [0; SEGMENT_HEADER_SIZE];
    let read = file.read_full_at(&mut bytes, 0).map_err(failed)?;
    if read < SEGMENT_HEADER_SIZE {
        let found = format!("the file ends after {read} bytes, inside the segment's header");
        return Err(damaged(JournalRule::SegmentHeaderMustBeValid, found));
    }
    let header = SegmentHeader::decode(&bytes).map_err(|problem| match problem {
        HeaderProblem::Version(version) => {
            unsupported(&path, "journal format", u64::from(version), u64::from(FORMAT_VERSION))
        }
        other => damaged(JournalRule::SegmentHeaderMustBeValid, describe(&other)),
    })?;
    if header.segment != number {
        let found = format!("the header is of segment {}", header.segment);
        return Err(damaged(JournalRule::SegmentMustFollow, found));
    }
    Ok(OpenSegment { path, file, length, chain: header_chain(&bytes), header })
}

fn describe(problem: &HeaderProblem) -> String {
    match problem {
        HeaderProblem::NoMark => "the file does not begin as a segment of a journal does".to_owned(),
        HeaderProblem::Checksum { written, computed } => {
            format!("CRC32C {written:#010x} is written, {computed:#010x} computed")
        }
        HeaderProblem::Version(version) => format!("version {version}"),
        HeaderProblem::Field(field) => format!("{field} has an impossible value"),
    }
}
