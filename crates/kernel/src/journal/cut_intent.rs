//! An accepted cut that was begun: written before the first change and removed after the last, so that an interrupted
//! cut loses nothing it was to keep, and is finished by calling it again.
//!
//! The file `CUT`: 64 bytes, then the slots of records that lie in the batch that is cut and stay.
//!
//! | offset | field | |
//! |---|---|---|
//! | 0 | mark [8] | `OBJCUT01` |
//! | 8 | checksum u32 | CRC32C of the whole file with this field 0 |
//! | 12 | segment u32, offset u64 | where the journal is cut |
//! | 24 | batch_sequence u64, chain [u64; 2] | of the last batch that stays whole |
//! | 48 | sequence u64, time u64 | of the last record that stays |

use std::io;
use std::path::{Path, PathBuf};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::disk::{Access, Disk};
use crate::record::{SLOT_SIZE, Slot};

use super::doctor::Kept;
use super::error::JournalError;
use super::position::Position;
use super::reader::{segment_header, segment_numbers};
use super::segment::{joined, words};

pub(crate) const CUT_NAME: &str = "CUT";

const MARK: [u8; 8] = *b"OBJCUT01";

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Head {
    mark: [u8; 8],
    checksum: u32,
    segment: u32,
    offset: u64,
    batch_sequence: u64,
    chain: [u64; 2],
    sequence: u64,
    time: u64,
}

const _: () = assert!(size_of::<Head>() == SLOT_SIZE);

/// A cut that was begun and not finished.
#[derive(Debug)]
pub(super) struct CutIntent {
    end: Position,
    sequence: u64,
    time: u64,
    again: Vec<Slot>,
}

impl CutIntent {
    /// Whether a cut was begun here and not finished.
    pub(super) fn is_there(disk: &dyn Disk, directory: &Path) -> Result<bool, JournalError> {
        let names = disk.list(directory);
        let names = names.map_err(|error| JournalError::unreachable("list the journal", directory, error))?;
        Ok(names.iter().any(|name| name == CUT_NAME))
    }

    /// The cut that was begun; `None` for none.
    pub(super) fn read(disk: &dyn Disk, directory: &Path) -> Result<Option<Self>, JournalError> {
        if !CutIntent::is_there(disk, directory)? {
            return Ok(None);
        }
        let path = directory.join(CUT_NAME);
        let failed = |error| JournalError::unreachable("read the cut that was begun", &path, error);
        let file = disk.open(&path, Access::Read).map_err(failed)?;
        let slots = usize::try_from(file.length().map_err(failed)?).unwrap_or(0) / SLOT_SIZE;
        let mut slots = vec![Slot::ZERO; slots];
        file.read_full_at(slots.as_mut_bytes(), 0).map_err(failed)?;
        let intent = CutIntent::decode(&slots);
        intent
            .map(Some)
            .ok_or_else(|| failed(io::Error::new(io::ErrorKind::InvalidData, "the file is damaged")))
    }

    fn decode(slots: &[Slot]) -> Option<Self> {
        let (&first, again) = slots.split_first()?;
        let head: Head = zerocopy::transmute!(first);
        if head.mark != MARK || head.checksum != checksum(head, again) {
            return None;
        }
        let Head { segment, offset, batch_sequence, sequence, time, .. } = head;
        let end = Position { segment, offset, sequence: batch_sequence, chain: joined(head.chain) };
        Some(CutIntent { end, sequence, time, again: again.to_vec() })
    }

    /// Makes the intent durable under its name.
    pub(super) fn write(
        disk: &dyn Disk,
        directory: &Path,
        kept: &Kept,
        sequence: u64,
    ) -> Result<(), JournalError> {
        let Position { segment, offset, sequence: batch_sequence, chain } = kept.end;
        let mut head = Head {
            mark: MARK,
            checksum: 0,
            segment,
            offset,
            batch_sequence,
            chain: words(chain),
            sequence,
            time: kept.time,
        };
        head.checksum = checksum(head, &kept.again);
        let (path, temporary) = (directory.join(CUT_NAME), temporary(directory));
        let written = disk.create(&temporary).and_then(|mut file| {
            file.write_full_at(head.as_bytes(), 0)?;
            file.write_full_at(kept.again.as_bytes(), SLOT_SIZE as u64)?;
            file.sync()?;
            disk.rename(&temporary, &path)?;
            disk.sync_directory(directory)
        });
        written.map_err(|error| JournalError::unreachable("write down the cut", &path, error))
    }

    /// Goes on with the cut behind `sequence`; another one has to wait.
    pub(super) fn resume(
        self,
        disk: &dyn Disk,
        directory: &Path,
        sequence: u64,
    ) -> Result<Kept, JournalError> {
        if self.sequence != sequence {
            let found = format!("a cut behind {} was begun and has to be finished first", self.sequence);
            return Err(JournalError::CannotCut { path: directory.to_owned(), sequence, found });
        }
        let numbers = segment_numbers(disk, directory)?;
        let header = segment_header(disk, directory, &numbers, self.end.segment)?;
        Ok(Kept { header, end: self.end, again: self.again, time: self.time })
    }

    /// The cut is finished.
    pub(super) fn remove(disk: &dyn Disk, directory: &Path) -> Result<(), JournalError> {
        let path = directory.join(CUT_NAME);
        let removed = disk.remove(&path).and_then(|()| disk.sync_directory(directory));
        removed.map_err(|error| JournalError::unreachable("remove the note of the cut", &path, error))
    }
}

fn temporary(directory: &Path) -> PathBuf {
    directory.join("CUT.new")
}

fn checksum(head: Head, again: &[Slot]) -> u32 {
    let front = crc32c::crc32c(Head { checksum: 0, ..head }.as_bytes());
    crc32c::crc32c_append(front, again.as_bytes())
}
