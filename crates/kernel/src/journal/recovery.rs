//! Opening a journal to continue it: all of it is checked, a torn tail is kept as a copy and cut off.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile, DiskLock, FileSystem};
use crate::sabotage::{Check, is_removed};

use super::cut_intent::CutIntent;
use super::error::{JournalError, JournalRule, Place};
use super::log::{Current, SegmentLog};
use super::next_segment::fill_with_zeros;
use super::position::Position;
use super::reader::{Batch, JournalReader, OpenSegment, place, segment_header, unsupported};
use super::report::{Report, Tail, watch_to_end};
use super::seals::{Ended, SealFile};
use super::segment::{
    Content, FORMAT_VERSION, LOCK_NAME, RULES_VERSION, SegmentHeader, Settings, segment_path,
};
use super::upkeep::Upkeep;
use super::watermark::WatermarkFile;

/// How a journal is opened to be continued.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Refuses a journal of another epoch.
    pub epoch: Option<u64>,
    /// Where the newest snapshot stands: reading begins with its segment, and a journal that does not come to it, or
    /// tells another history there, is refused. Without one all of the journal is read.
    pub snapshot: Option<Position>,
    /// The caller's clock, UTC nanoseconds: the time of a record that says what was cut off. A time before the last
    /// record's counts as that.
    pub time: u64,
    /// Also on a network or in memory, where a sync promises nothing.
    pub accept_any_file_system: bool,
}

/// What was found and done when a journal was opened for writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Of what was read (all of it, or what follows the begin of the snapshot's segment) before anything was
    /// changed; its `tail` is what was found.
    pub report: Report,
    pub cut: Option<Cut>,
}

/// A torn tail that was cut off: so many bytes from `place` on, kept in `copy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    pub place: Place,
    /// What did not hold there; `None` for a cut that was made by a process that ended before it could say so.
    pub rule: Option<JournalRule>,
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

/// A mode that syncs needs a file system where that means something. `path`, or what of it is there already.
pub(super) fn check_file_system(
    disk: &dyn Disk,
    path: &Path,
    settings: &Settings,
    accept_any: bool,
) -> Result<(), JournalError> {
    if accept_any || !settings.durability.syncs() {
        return Ok(());
    }
    let existing = path.ancestors().find(|part| disk.is_directory(part)).unwrap_or(path);
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let found = disk.file_system(existing);
    match found.map_err(|error| JournalError::unreachable("ask for the file system", existing, error))? {
        FileSystem::Local => Ok(()),
        FileSystem::Memory(file_system) | FileSystem::Network(file_system) => {
            let durability = settings.durability.name();
            Err(JournalError::UnsafeFileSystem { path: path.to_owned(), file_system, durability })
        }
    }
}

/// What can be refused before the lock is taken, so that nothing is created in a directory that is no journal.
fn check_continuable(
    disk: &dyn Disk,
    path: &Path,
    reader: &JournalReader,
    options: &OpenOptions,
    finishes_cut: bool,
) -> Result<(), JournalError> {
    let (found, supported) = (reader.identity().rules_version, RULES_VERSION);
    if found != supported {
        return Err(unsupported(path, "rules of the engine", u64::from(found), u64::from(supported)));
    }
    let (what, found, supported) = ("journal format", u64::from(reader.format()), u64::from(FORMAT_VERSION));
    if found != supported {
        let advice = "it can be read and replayed; continue in a new journal";
        return Err(JournalError::UnsupportedVersion {
            path: path.to_owned(),
            what,
            found,
            supported,
            advice,
        });
    }
    if let Some(expected) = options.epoch.filter(|&epoch| epoch != reader.identity().epoch) {
        let found = reader.identity().epoch;
        return Err(JournalError::ForeignEpoch { path: path.to_owned(), found, expected });
    }
    if !finishes_cut && !is_removed(Check::CutUnfinished) && CutIntent::is_there(disk, path)? {
        return Err(JournalError::CutUnfinished { path: path.to_owned() });
    }
    check_file_system(disk, path, reader.settings(), options.accept_any_file_system)
}

/// Where a cut was begun and not finished, that is what is wrong, whatever else was met first: in the middle of a cut a
/// watermark may be half written, or a snapshot be of what is cut off.
pub(crate) fn or_unfinished_cut(disk: &dyn Disk, path: &Path, met: JournalError) -> JournalError {
    match CutIntent::is_there(disk, path) {
        Ok(true) if !is_removed(Check::CutUnfinished) => {
            JournalError::CutUnfinished { path: path.to_owned() }
        }
        _ => met,
    }
}

/// A journal that is locked, read to its end and judged fit to be continued. Nothing of it was changed: whoever finds
/// another reason to refuse drops this, and every byte is as it was.
#[derive(Debug)]
pub struct Examined {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    lock: Box<dyn DiskLock>,
    report: Report,
    segment: OpenSegment,
    /// And what ended and is not sealed yet.
    sealed: Option<(SealFile, Vec<Ended>)>,
    time: u64,
}

impl Examined {
    /// What was found; its `tail` is what will be cut.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Makes the journal ready to be written: what was left unsynced is made durable, a torn tail is kept as a copy and cut
    /// off.
    pub(super) fn make_ready(self) -> Result<Ready, JournalError> {
        let Examined { disk, path, lock, report, segment, sealed, time } = self;
        let header = segment.header.clone();
        let sealed = match sealed {
            Some((mut seals, ended)) => {
                seals.confirm()?;
                Some((seals, ended))
            }
            None => None,
        };
        let (mut current, length) = reopen(disk.as_ref(), segment, &report)?;
        let cut = match &report.tail {
            Tail::Clean if !journals_cuts(&report.settings) => None,
            Tail::Clean => unreported_cut(disk.as_ref(), &path, &current)?,
            Tail::Torn { place, rule, found, bytes } => {
                let copy = keep_copy(disk.as_ref(), &path, &current, *bytes, &report.settings)?;
                let (place, rule, found) = (place.clone(), Some(*rule), found.clone());
                Some(Cut { place, rule, found, bytes: *bytes, copy })
            }
        };
        let torn = match &report.tail {
            Tail::Clean => 0,
            Tail::Torn { bytes, .. } => *bytes,
        };
        restore_end(&mut current, length, torn, &report)?;
        let watermark = match report.watermark {
            Some(_) => Some(confirm_durable(disk.as_ref(), &path, &report)?),
            None => None,
        };
        let (seals, ended) = sealed.map_or((None, Vec::new()), |(seals, ended)| (Some(seals), ended));
        let mut upkeep = Upkeep::new(disk.clone(), &path, &header, seals, ended);
        upkeep.turn_to(header.segment.saturating_add(1), report.last_sequence.saturating_add(1));
        let log = SegmentLog::resume(disk, &path, &header, current, upkeep, watermark);
        Ok(Ready { log, lock, recovery: Recovery { report, cut }, time })
    }
}

/// A journal to go on with.
pub(super) struct Ready {
    pub log: SegmentLog,
    pub lock: Box<dyn DiskLock>,
    pub recovery: Recovery,
    /// See [`OpenOptions::time`].
    pub time: u64,
}

/// Locks a journal, reads all of it and judges it; `watch` is shown its batches. `finishes_cut`: goes on although a cut was
/// begun, for whoever finishes it.
pub(super) fn examine(
    disk: Arc<dyn Disk>,
    path: &Path,
    options: &OpenOptions,
    finishes_cut: bool,
    watch: &mut dyn FnMut(&Batch<'_>),
) -> Result<Examined, JournalError> {
    let reader = JournalReader::begin(disk.clone(), path, options.snapshot);
    let reader = reader.map_err(|error| match finishes_cut {
        true => error,
        false => or_unfinished_cut(disk.as_ref(), path, error),
    })?;
    check_continuable(disk.as_ref(), path, &reader, options, finishes_cut)?;
    let lock = take_lock(disk.as_ref(), path)?;
    let mut reader = JournalReader::begin(disk.clone(), path, options.snapshot)?;
    let tail = watch_to_end(&mut reader, watch)?;
    let report = Report { tail, ..reader.report().clone() };
    let (segment, numbers) = reader.into_segment();
    let sealed = match segment.header.has_seals() {
        true => Some(open_seals(&disk, path, &segment.header, &numbers)?),
        false => None,
    };
    Ok(Examined { disk, path: path.to_owned(), lock, report, segment, sealed, time: options.time })
}

/// The seals, and the segments that ended before the last one and have none yet. The last seal must be that of the
/// journal as it is.
fn open_seals(
    disk: &Arc<dyn Disk>,
    path: &Path,
    last: &SegmentHeader,
    numbers: &[u32],
) -> Result<(SealFile, Vec<Ended>), JournalError> {
    let seals = SealFile::open(disk.clone(), path, last)?;
    let header = |number| segment_header(disk.as_ref(), path, numbers, number);
    let sealed = seals.seals().sealed().last_key_value().map(|(&segment, entry)| (segment, entry.chain()));
    if let Some((segment, chain)) = sealed {
        let damaged = |rule, found: String| {
            let at = place(&segment_path(path, segment), segment, 0, last.first_sequence);
            Err(JournalError::Damaged { place: at, rule, found })
        };
        if segment >= last.segment {
            let found = format!("segment {segment} was sealed, the journal ends in segment {}", last.segment);
            return damaged(JournalRule::SegmentsMustBeComplete, found);
        }
        if header(segment + 1)?.previous_chain != chain {
            let found = format!("segment {} continues another segment than the one sealed", segment + 1);
            return damaged(JournalRule::SegmentMustBeAsSealed, found);
        }
    }
    let first = numbers.first().copied().unwrap_or(1);
    let begin = sealed.map_or(0, |(segment, _)| segment).max(seals.seals().removed()) + 1;
    let ended = ended_segments(disk, path, last, numbers, begin.max(first))?;
    Ok((seals, ended))
}

/// What ended before the segment `last`, from segment `begin` on.
pub(super) fn ended_segments(
    disk: &Arc<dyn Disk>,
    path: &Path,
    last: &SegmentHeader,
    numbers: &[u32],
    begin: u32,
) -> Result<Vec<Ended>, JournalError> {
    let header = |number| segment_header(disk.as_ref(), path, numbers, number);
    let mut ended = Vec::new();
    for number in begin..last.segment {
        let (this, next) = (header(number)?, header(number + 1)?);
        ended.push(Ended {
            segment: number,
            first_sequence: this.first_sequence,
            last_sequence: next.first_sequence.saturating_sub(1),
            chain: next.previous_chain,
        });
    }
    Ok(ended)
}

/// Whether a cut is journaled. In `none` nothing was promised, and a run that is continued must end as one that was
/// never interrupted; records by reference have times that only their inputs know.
pub(super) fn journals_cuts(settings: &Settings) -> bool {
    settings.durability.fills() && settings.content == Content::Full
}

/// What a killed process had renamed and not synced becomes durable, and the watermark says so.
fn confirm_durable(disk: &dyn Disk, path: &Path, report: &Report) -> Result<WatermarkFile, JournalError> {
    disk.sync_directory(path)
        .map_err(|error| JournalError::unreachable("sync the directory", path, error))?;
    let mut watermark = WatermarkFile::open(disk, path, report.identity.epoch)?;
    watermark.write(&report.end)?;
    watermark.sync()?;
    Ok(watermark)
}

/// The last segment, open for writing, and its length.
fn reopen(disk: &dyn Disk, segment: OpenSegment, report: &Report) -> Result<(Current, u64), JournalError> {
    let file = disk
        .open(&segment.path, Access::ReadWrite)
        .map_err(|error| JournalError::unreachable("open the segment for writing", &segment.path, error))?;
    let Position { segment: number, offset, sequence, chain } = report.end;
    let first_sequence = segment.header.first_sequence;
    let current = Current { number, path: segment.path, file, offset, first_sequence, sequence, chain };
    Ok((current, segment.length))
}

/// A cut at the very end whose process ended before the record of it was written: the copy tells.
fn unreported_cut(disk: &dyn Disk, directory: &Path, current: &Current) -> Result<Option<Cut>, JournalError> {
    let stem = copy_stem(current);
    let Some(name) = names(disk, directory)?.into_iter().rfind(|name| name.starts_with(&stem)) else {
        return Ok(None);
    };
    let copy = directory.join(name);
    let bytes = disk.open(&copy, Access::Read).and_then(|file| file.length());
    let bytes =
        bytes.map_err(|error| JournalError::unreachable("read the copy of a torn tail", &copy, error))?;
    let found = "cut by a process that ended before it could say so".to_owned();
    let place = place(&current.path, current.number, current.offset, current.sequence.saturating_add(1));
    Ok(Some(Cut { place, rule: None, found, bytes, copy }))
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

fn names(disk: &dyn Disk, directory: &Path) -> Result<Vec<String>, JournalError> {
    disk.list(directory).map_err(|error| JournalError::unreachable("list the journal", directory, error))
}

/// How the names of copies of what was cut off at this place begin.
fn copy_stem(current: &Current) -> String {
    format!("torn-{:08}-{:012x}", current.number, current.offset)
}

/// A name that no earlier cut at the same place has taken.
fn free_name(disk: &dyn Disk, directory: &Path, current: &Current) -> Result<PathBuf, JournalError> {
    let names = names(disk, directory)?;
    let stem = copy_stem(current);
    let mut name = format!("{stem}.bin");
    let mut attempt = 1;
    while names.contains(&name) {
        attempt += 1;
        name = format!("{stem}-{attempt}.bin");
    }
    Ok(directory.join(name))
}

/// Leaves nothing but zeros up to the segment's full size behind the last whole batch; in `none` mode, nothing. What
/// a killed process had written and not synced is synced: it counts from now on.
fn restore_end(current: &mut Current, length: u64, torn: u64, report: &Report) -> Result<(), JournalError> {
    let settings = &report.settings;
    let offset = current.offset;
    let restored = if settings.durability.fills() {
        rewrite_unconfirmed(current, report).and_then(|()| fill_end(current, length, torn, settings))
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

/// Writes what lies above the watermark once more, the same bytes in the same place. A sync that failed in an earlier
/// process may have dropped them: reads still find them in the system's cache, the next sync succeeds, and the disk
/// never gets them (Rebello and others, "Can Applications Recover from fsync Failures?", 2020).
fn rewrite_unconfirmed(current: &mut Current, report: &Report) -> io::Result<()> {
    let Some(watermark) = report.watermark else { return Ok(()) };
    let is_here = watermark.segment == current.number;
    let mut at = if is_here { watermark.offset } else { report.settings.header_bytes() };
    let mut buffer = vec![0; usize::try_from(current.offset.saturating_sub(at).min(1 << 20)).unwrap_or(0)];
    while at < current.offset {
        let wanted = (current.offset - at).min(buffer.len() as u64) as usize;
        let read = current.file.read_full_at(&mut buffer[..wanted], at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        current.file.write_full_at(&buffer[..read], at)?;
        at += read as u64;
    }
    Ok(())
}

fn fill_end(current: &mut Current, length: u64, torn: u64, settings: &Settings) -> io::Result<()> {
    let file = current.file.as_mut();
    let mut at = current.offset;
    fill_with_zeros(file, &mut at, current.offset.saturating_add(torn))?;
    let mut missing = length.max(current.offset);
    fill_with_zeros(file, &mut missing, settings.segment_size)?;
    if length > settings.segment_size {
        file.set_length(settings.segment_size)?;
    }
    if settings.durability.syncs() { file.sync() } else { Ok(()) }
}
