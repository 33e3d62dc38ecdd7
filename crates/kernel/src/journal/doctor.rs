//! What a person may do to a journal that cannot go on by itself: cut it with an accepted loss, pass over a record.
//! Both are told by the journal itself, with who did it and why.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile};
use crate::message::Message;
use crate::observation::RecordSkipped;
use crate::record::{Body, RecordBuffer, Slot};

use super::cut::{CutKind, cut_record, with_texts};
use super::cut_intent::CutIntent;
use super::error::{JournalError, Place};
use super::next_segment::fill_with_zeros;
use super::position::Position;
use super::reader::{JournalReader, place, segment_header, segment_numbers};
use super::recovery::{OpenOptions, take_lock};
use super::seals::{EntryKind, SealFile, SealKey};
use super::segment::{SegmentHeader, segment_path};
use super::watermark::WatermarkFile;
use super::writer::JournalWriter;

/// Who answers for what is done to a journal, and why: kept in the journal, 36 and 216 bytes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    pub actor: String,
    pub reason: String,
    /// The caller's clock, UTC nanoseconds.
    pub time: u64,
    /// Also on a network or in memory, where a sync promises nothing.
    pub accept_any_file_system: bool,
}

impl Acceptance {
    pub(super) fn check(&self) -> Result<(), JournalError> {
        let missing = if self.actor.trim().is_empty() { "actor" } else { "reason" };
        if self.actor.trim().is_empty() || self.reason.trim().is_empty() {
            let problem = format!("an acceptance needs an actor and a reason; {missing} is empty");
            return Err(JournalError::BadSettings { problem });
        }
        Ok(())
    }

    pub(super) fn options(&self) -> OpenOptions {
        let accept_any_file_system = self.accept_any_file_system;
        OpenOptions { time: self.time, accept_any_file_system, ..OpenOptions::default() }
    }
}

/// What [`cut_at`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedCut {
    /// The last record that was kept.
    pub last_sequence: u64,
    /// Where the first byte was taken off.
    pub place: Place,
    /// Bytes that were taken off, those of whole later segments included (zeros filled ahead are not counted in the
    /// segment that was cut).
    pub bytes: u64,
    /// Files that hold what was taken off: the end of a segment first, then whole later segments, then snapshots.
    pub copies: Vec<PathBuf>,
}

/// Cuts the journal in `path` behind the record `sequence`, whatever was durable or is damaged behind it. What is
/// taken off is kept in files beside it, the cut is noted in `SEALS`, and the journal goes on with a `JournalCut`
/// (also in the mode `none`). Interrupted, it can be called again.
///
/// # Errors
/// [`JournalError::CannotCut`] when the journal cannot be read up to `sequence` or does not hold it, or when it stands
/// by reference; [`JournalError::BadSettings`] without actor and reason; [`JournalError::Locked`], or what the
/// operating system answers.
pub fn cut_at(
    disk: Arc<dyn Disk>,
    path: &Path,
    sequence: u64,
    acceptance: &Acceptance,
) -> Result<AcceptedCut, JournalError> {
    cut_at_signed(disk, path, sequence, acceptance, None)
}

/// As [`cut_at`]; what `SEALS` says of the cut is signed.
///
/// # Errors
/// As [`cut_at`].
pub fn cut_at_signed(
    disk: Arc<dyn Disk>,
    path: &Path,
    sequence: u64,
    acceptance: &Acceptance,
    key: Option<SealKey>,
) -> Result<AcceptedCut, JournalError> {
    cut_with(disk, path, sequence, acceptance, key, || Ok(Vec::new()))
}

/// As [`cut_at_signed`]. `put_aside` takes away, durably, what else is of the history that is cut off, and says where it
/// is now: once the cut is begun and before it is done, so that it is done again when the cut is interrupted.
pub(crate) fn cut_with(
    disk: Arc<dyn Disk>,
    path: &Path,
    sequence: u64,
    acceptance: &Acceptance,
    key: Option<SealKey>,
    put_aside: impl FnOnce() -> Result<Vec<PathBuf>, JournalError>,
) -> Result<AcceptedCut, JournalError> {
    acceptance.check()?;
    let lock = take_lock(disk.as_ref(), path)?;
    let kept = match CutIntent::read(disk.as_ref(), path)? {
        Some(intent) => intent.resume(disk.as_ref(), path, sequence)?,
        None => {
            let kept = read_kept(&disk, path, sequence)?;
            CutIntent::write(disk.as_ref(), path, &kept, sequence)?;
            kept
        }
    };
    let aside = put_aside()?;
    let (place, bytes, mut copies) = cut_off(&disk, path, &kept, key.clone())?;
    copies.extend(aside);
    drop(lock);
    let mut writer = JournalWriter::open_to_finish_cut(disk.clone(), path, &acceptance.options())?;
    key.map_or(Ok(()), |key| writer.sign_seals(key))?;
    writer.append(&kept.again)?;
    let record = cut_record(CutKind::Accepted, &place, bytes, &acceptance.actor, &acceptance.reason);
    writer.append_told(record, acceptance.time.max(kept.time))?;
    CutIntent::remove(disk.as_ref(), path)?;
    Ok(AcceptedCut { last_sequence: sequence, place, bytes, copies })
}

/// What stays.
#[derive(Debug)]
pub(super) struct Kept {
    pub header: SegmentHeader,
    /// The end of the last batch that stays whole.
    pub end: Position,
    /// Records of the next batch that stay: they are written again.
    pub again: Vec<Slot>,
    /// Of the last record that stays.
    pub time: u64,
}

/// Reads up to `sequence`, past a watermark or snapshot that no longer holds.
fn read_kept(disk: &Arc<dyn Disk>, path: &Path, sequence: u64) -> Result<Kept, JournalError> {
    let cannot = |found: String| JournalError::CannotCut { path: path.to_owned(), sequence, found };
    let mut reader = JournalReader::open_unbound(disk.clone(), path)?;
    if sequence.saturating_add(1) < reader.next_sequence() {
        let first = reader.next_sequence();
        return Err(cannot(format!("the journal begins with sequence {first}")));
    }
    let mut kept =
        Kept { header: reader.header().clone(), end: reader.position(), again: Vec::new(), time: 0 };
    while kept.end.sequence < sequence {
        let batch = match reader.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => return Err(cannot(format!("it ends with sequence {}", kept.end.sequence))),
            Err(error) => return Err(cannot(format!("it can be read up to {}: {error}", kept.end.sequence))),
        };
        kept.time = batch.header.time.max(kept.time);
        if batch.header.next_sequence() - 1 > sequence {
            let stay: Vec<&[Slot]> = batch.records().take_while(|of| of[0].sequence <= sequence).collect();
            if stay.iter().any(|record| record[0].message == Message::Interleave as u16) {
                return Err(cannot("it lies in a batch of records that stand by reference".to_owned()));
            }
            kept.time = stay.last().map_or(kept.time, |record| record[0].time);
            kept.again = stay.concat();
            return Ok(kept);
        }
        kept.time = batch.slots.last().map_or(kept.time, |slot| slot.time);
        kept.end = reader.position();
        kept.header = reader.header().clone();
    }
    Ok(kept)
}

/// Takes off what does not stay: later segments from the last on, so that the journal stays one, then the watermark,
/// then the end of the segment.
fn cut_off(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    kept: &Kept,
    key: Option<SealKey>,
) -> Result<(Place, u64, Vec<PathBuf>), JournalError> {
    let Position { segment, offset, sequence, .. } = kept.end;
    let path = segment_path(directory, segment);
    let at = place(&path, segment, offset, sequence.saturating_add(1));
    let failed = |action, error| JournalError::failed(action, at.clone(), 0, error);
    let syncs = kept.header.settings.durability.syncs();
    if kept.header.has_seals() {
        note_cut(disk, directory, kept, key)?;
    }
    let mut copies = Vec::new();
    let mut bytes = keep_end(disk.as_ref(), directory, kept, &mut copies)
        .map_err(|error| failed("keep a copy", error))?;
    let later = segment_numbers(disk.as_ref(), directory)?.into_iter().filter(|&number| number > segment);
    for number in later.collect::<Vec<_>>().into_iter().rev() {
        let copy = free_name(disk.as_ref(), directory, number, 0)
            .map_err(|error| failed("list the journal", error))?;
        let from = segment_path(directory, number);
        let length = disk.open(&from, Access::Read).and_then(|file| file.length());
        bytes += length.map_err(|error| failed("look at a later segment", error))?;
        disk.rename(&from, &copy).map_err(|error| failed("put a later segment aside", error))?;
        copies.push(copy);
    }
    if syncs {
        disk.sync_directory(directory).map_err(|error| failed("sync the directory", error))?;
    }
    if kept.header.has_watermark() {
        // made anew: it may be missing, broken or of another history
        let epoch = kept.header.identity.epoch;
        WatermarkFile::create(disk.as_ref(), directory, epoch, &kept.end)?;
        disk.sync_directory(directory).map_err(|error| failed("sync the directory", error))?;
    }
    erase_end(disk.as_ref(), &path, kept).map_err(|error| failed("erase the end", error))?;
    Ok((at, bytes, copies))
}

/// Says in `SEALS` that what was sealed from this segment on no longer stands.
fn note_cut(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    kept: &Kept,
    key: Option<SealKey>,
) -> Result<(), JournalError> {
    let mut seals = SealFile::open(disk.clone(), directory, &kept.header)?;
    if let Some(key) = key {
        seals.sign_with(key);
    }
    let segment = kept.end.segment;
    if seals.seals().sealed().keys().any(|&sealed| sealed >= segment) {
        seals.note(EntryKind::Cut, segment)?;
    }
    Ok(())
}

/// Copies the end of the segment that is cut; how many bytes.
fn keep_end(disk: &dyn Disk, directory: &Path, kept: &Kept, copies: &mut Vec<PathBuf>) -> io::Result<u64> {
    let Position { segment, offset, .. } = kept.end;
    let file = disk.open(&segment_path(directory, segment), Access::Read)?;
    let end = end_of_content(file.as_ref(), offset)?;
    if end <= offset {
        return Ok(0);
    }
    let path = free_name(disk, directory, segment, offset)?;
    let mut copy = disk.create(&path)?;
    let mut buffer = vec![0; 1 << 20];
    let mut at = offset;
    while at < end {
        let wanted = (end - at).min(buffer.len() as u64) as usize;
        let read = file.read_full_at(&mut buffer[..wanted], at)?;
        if read == 0 {
            break;
        }
        copy.write_full_at(&buffer[..read], at - offset)?;
        at += read as u64;
    }
    copy.sync()?;
    disk.sync_directory(directory)?;
    copies.push(path);
    Ok(end - offset)
}

/// After the last byte from `offset` on that is not zero.
fn end_of_content(file: &dyn DiskFile, offset: u64) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 20];
    let (mut at, mut end) = (offset, offset);
    loop {
        let read = file.read_full_at(&mut buffer, at)?;
        if let Some(last) = buffer[..read].iter().rposition(|&byte| byte != 0) {
            end = at + last as u64 + 1;
        }
        if read < buffer.len() {
            return Ok(end);
        }
        at += read as u64;
    }
}

fn erase_end(disk: &dyn Disk, path: &Path, kept: &Kept) -> io::Result<()> {
    let mut file = disk.open(path, Access::ReadWrite)?;
    let mut at = kept.end.offset;
    if kept.header.settings.durability.fills() {
        fill_with_zeros(file.as_mut(), &mut at, kept.header.settings.segment_size)?;
    } else {
        file.set_length(at)?;
    }
    file.sync()
}

/// A name for a copy that nothing else has.
fn free_name(disk: &dyn Disk, directory: &Path, segment: u32, offset: u64) -> io::Result<PathBuf> {
    let names = disk.list(directory)?;
    let stem = format!("cut-{segment:08}-{offset:012x}");
    let name =
        |attempt: u32| if attempt == 1 { format!("{stem}.bin") } else { format!("{stem}-{attempt}.bin") };
    let free = (1..=u32::MAX).map(name).find(|name| !names.contains(name));
    free.map(|name| directory.join(name)).ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}

/// Journals that the record `sequence` is passed over at every replay: it stops the engine. Returns the sequence of
/// the `RecordSkipped`.
///
/// # Errors
/// [`JournalError::CannotSkip`] when the journal does not hold it or it was skipped before; otherwise as
/// [`JournalWriter::open`].
pub fn skip_record(
    disk: Arc<dyn Disk>,
    path: &Path,
    sequence: u64,
    acceptance: &Acceptance,
) -> Result<u64, JournalError> {
    acceptance.check()?;
    let examined = JournalWriter::examine(disk.clone(), path, &acceptance.options(), &mut |_| ())?;
    let report = examined.report().clone();
    let cannot = |found: String| JournalError::CannotSkip { path: path.to_owned(), sequence, found };
    if !(report.first_sequence..=report.last_sequence).contains(&sequence) {
        let (first, last) = (report.first_sequence, report.last_sequence);
        return Err(cannot(format!("the journal holds sequences {first} to {last}")));
    }
    if skipped(&mut JournalReader::open(disk, path)?)?.contains(&sequence) {
        return Err(cannot("it is skipped already".to_owned()));
    }
    let (mut writer, _) = examined.go_on()?;
    let record = RecordBuffer::new(RecordSkipped { skipped_sequence: sequence, reserved: [0; 3] });
    let record = with_texts(record, &acceptance.actor, &acceptance.reason);
    let time = acceptance.time.max(report.last_time);
    writer.append_told(record, time)?;
    Ok(writer.next_sequence() - 1)
}

/// The records that are passed over, of what `reader` has left to read. A record is skipped by a later one, so the
/// whole rest has to be read before any of it is replayed; a torn tail ends it.
///
/// # Errors
/// As [`JournalReader::next_batch`].
pub fn skipped(reader: &mut JournalReader) -> Result<BTreeSet<u64>, JournalError> {
    let mut skipped = BTreeSet::new();
    loop {
        let batch = match reader.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) | Err(JournalError::TornTail { .. }) => return Ok(skipped),
            Err(error) => return Err(error),
        };
        let told = batch.slots.iter().filter(|slot| slot.message == Message::RecordSkipped as u16);
        skipped.extend(told.map(|slot| RecordSkipped::of(slot).skipped_sequence));
    }
}

/// The sequence a journal begins with, whatever is wrong behind it.
///
/// # Errors
/// As [`JournalReader::open`].
pub(crate) fn first_sequence(disk: &dyn Disk, path: &Path) -> Result<u64, JournalError> {
    let numbers = segment_numbers(disk, path)?;
    let first = numbers.first().copied().unwrap_or(1);
    segment_header(disk, path, &numbers, first).map(|header| header.first_sequence)
}

/// The head of each segment that is there: what `openbell journal inspect` shows.
///
/// # Errors
/// As [`JournalReader::open`].
pub fn segment_headers(disk: &dyn Disk, path: &Path) -> Result<Vec<SegmentHeader>, JournalError> {
    let numbers = segment_numbers(disk, path)?;
    numbers.iter().map(|&number| segment_header(disk, path, &numbers, number)).collect()
}
