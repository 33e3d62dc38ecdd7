//! The watermark: up to where the journal was durable, kept outside the segments.
//!
//! CRC alone cannot tell a write that a crash cut short from damage to what was acknowledged, and a journal that ends
//! exactly between two batches looks whole. The watermark can: what lies below it was synced and must be there.
//!
//! The file `WATERMARK` holds two slots of 128 bytes, at 0 and at 4,096, so that no write of one can tear the other:
//!
//! | offset | field | |
//! |---|---|---|
//! | 0 | mark [8] | `OBJWATER` |
//! | 8 | checksum u32, version u32 | CRC32C of the 128 bytes with this field 0; 1 |
//! | 16 | counter u64, epoch u64 | the valid slot with the higher counter holds |
//! | 32 | segment u32, reserved u32 | of the first batch that may be missing |
//! | 40 | offset u64, sequence u64 | of that batch; of the last durable record |
//! | 56 | chain [u64; 2] | what that batch has as its previous chain |
//! | 72 | reserved [u64; 7] | 0 |
//!
//! It is always written after the sync of what it promises, so it is never ahead of the segments. One slot is written
//! again and again until it was synced, and only then the other: at any moment one of them is whole on the disk.

use std::io;
use std::path::{Path, PathBuf};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::disk::{Access, Disk, DiskFile};

use super::error::{JournalError, JournalRule, Place};
use super::position::Position;
use super::segment::{joined, words};

pub(crate) const WATERMARK_NAME: &str = "WATERMARK";

const MARK: [u8; 8] = *b"OBJWATER";
const VERSION: u32 = 1;
const SLOT_BYTES: usize = 128;
const SLOT_OFFSETS: [u64; 2] = [0, 4096];
/// A reader may come between two writes of one slot; the other one is whole then.
const ATTEMPTS: usize = 3;

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct WatermarkSlot {
    mark: [u8; 8],
    checksum: u32,
    version: u32,
    counter: u64,
    epoch: u64,
    segment: u32,
    reserved: u32,
    offset: u64,
    sequence: u64,
    chain: [u64; 2],
    rest: [u64; 7],
}

const _: () = assert!(size_of::<WatermarkSlot>() == SLOT_BYTES);

impl WatermarkSlot {
    fn new(counter: u64, epoch: u64, position: &Position) -> Self {
        let mut slot = WatermarkSlot {
            mark: MARK,
            checksum: 0,
            version: VERSION,
            counter,
            epoch,
            segment: position.segment,
            reserved: 0,
            offset: position.offset,
            sequence: position.sequence,
            chain: words(position.chain),
            rest: [0; 7],
        };
        slot.checksum = slot.computed_checksum();
        slot
    }

    fn is_valid(&self) -> bool {
        self.mark == MARK && self.version == VERSION && self.checksum == self.computed_checksum()
    }

    fn computed_checksum(&self) -> u32 {
        crc32c::crc32c(WatermarkSlot { checksum: 0, ..*self }.as_bytes())
    }

    fn position(&self) -> Position {
        let WatermarkSlot { segment, offset, sequence, chain, .. } = *self;
        Position { segment, offset, sequence, chain: joined(chain) }
    }
}

/// Which slot holds, and what it says.
struct Newest {
    index: usize,
    slot: WatermarkSlot,
}

/// The valid slot with the higher counter.
fn newest(file: &dyn DiskFile) -> io::Result<Option<Newest>> {
    let mut newest: Option<Newest> = None;
    for (index, &offset) in SLOT_OFFSETS.iter().enumerate() {
        let mut bytes = [0; SLOT_BYTES];
        if file.read_full_at(&mut bytes, offset)? < SLOT_BYTES {
            continue;
        }
        let slot: WatermarkSlot = zerocopy::transmute!(bytes);
        if slot.is_valid() && newest.as_ref().is_none_or(|of| of.slot.counter < slot.counter) {
            newest = Some(Newest { index, slot });
        }
    }
    Ok(newest)
}

fn place(path: &Path, sequence: u64) -> Place {
    Place { path: path.to_owned(), segment: 0, offset: 0, sequence }
}

fn damaged(path: &Path, rule: JournalRule, found: String) -> JournalError {
    JournalError::Damaged { place: place(path, 0), rule, found }
}

fn open_file(disk: &dyn Disk, directory: &Path, access: Access) -> Result<Box<dyn DiskFile>, JournalError> {
    let path = directory.join(WATERMARK_NAME);
    disk.open(&path, access).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let found = "the file is missing; it is made before the first segment".to_owned();
            damaged(&path, JournalRule::WatermarkMustBeValid, found)
        }
        _ => JournalError::unreachable("open the watermark", &path, error),
    })
}

fn require_newest(file: &dyn DiskFile, path: &Path) -> Result<Newest, JournalError> {
    for _ in 0..ATTEMPTS {
        let found =
            newest(file).map_err(|error| JournalError::unreachable("read the watermark", path, error))?;
        if let Some(found) = found {
            return Ok(found);
        }
    }
    let found = "neither of its two slots is whole; a crash spoils at most one".to_owned();
    Err(damaged(path, JournalRule::WatermarkMustBeValid, found))
}

/// Up to where the journal of `epoch` in `directory` is known to be durable.
pub(super) fn read_watermark(
    disk: &dyn Disk,
    directory: &Path,
    epoch: u64,
) -> Result<Position, JournalError> {
    let path = directory.join(WATERMARK_NAME);
    let file = open_file(disk, directory, Access::Read)?;
    let slot = require_newest(file.as_ref(), &path)?.slot;
    if slot.epoch != epoch {
        let found = format!("the watermark is of epoch {:#x}, the journal of {epoch:#x}", slot.epoch);
        return Err(damaged(&path, JournalRule::EpochMustMatch, found));
    }
    Ok(slot.position())
}

/// The writer's watermark.
#[derive(Debug)]
pub(super) struct WatermarkFile {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    epoch: u64,
    counter: u64,
    /// The slot that is written next; the other one is whole and synced.
    index: usize,
    is_synced: bool,
}

impl WatermarkFile {
    /// Makes the file, durable but for its name.
    pub(super) fn create(
        disk: &dyn Disk,
        directory: &Path,
        epoch: u64,
        position: &Position,
    ) -> Result<Self, JournalError> {
        let path = directory.join(WATERMARK_NAME);
        let failed =
            |action, error| JournalError::failed(action, place(&path, position.sequence), 8192, error);
        let mut file = disk.create(&path).map_err(|error| failed("create the watermark", error))?;
        let mut block = vec![0; SLOT_OFFSETS[1] as usize + SLOT_BYTES];
        for (index, &offset) in SLOT_OFFSETS.iter().enumerate() {
            let slot = WatermarkSlot::new(index as u64 + 1, epoch, position);
            block[offset as usize..][..SLOT_BYTES].copy_from_slice(slot.as_bytes());
        }
        let written = file.write_full_at(&block, 0).and_then(|()| file.sync());
        written.map_err(|error| failed("write the watermark", error))?;
        Ok(WatermarkFile { path, file, epoch, counter: 2, index: 0, is_synced: true })
    }

    /// Opens the one that [`read_watermark`] has accepted. What a killed process left unsynced, or a failed sync has
    /// dropped from the cache, is written and synced first, so that the other slot may be overwritten.
    pub(super) fn open(disk: &dyn Disk, directory: &Path, epoch: u64) -> Result<Self, JournalError> {
        let path = directory.join(WATERMARK_NAME);
        let mut file = open_file(disk, directory, Access::ReadWrite)?;
        let Newest { index, slot } = require_newest(file.as_ref(), &path)?;
        let synced = file.write_full_at(slot.as_bytes(), SLOT_OFFSETS[index]).and_then(|()| file.sync());
        synced.map_err(|error| JournalError::unreachable("sync the watermark", &path, error))?;
        Ok(WatermarkFile { path, file, epoch, counter: slot.counter, index: 1 - index, is_synced: true })
    }

    /// Says that everything up to `position` was synced. Survives the end of the process, and a power cut once
    /// [`WatermarkFile::sync`] returned.
    pub(super) fn write(&mut self, position: &Position) -> Result<(), JournalError> {
        self.counter += 1;
        self.is_synced = false;
        let slot = WatermarkSlot::new(self.counter, self.epoch, position);
        let written = self.file.write_full_at(slot.as_bytes(), SLOT_OFFSETS[self.index]);
        written.map_err(|error| self.failed("write the watermark", position.sequence, error))
    }

    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        if self.is_synced {
            return Ok(());
        }
        self.file.sync().map_err(|error| self.failed("sync the watermark", 0, error))?;
        self.is_synced = true;
        self.index = 1 - self.index;
        Ok(())
    }

    fn failed(&self, action: &'static str, sequence: u64, error: io::Error) -> JournalError {
        let source = std::sync::Arc::new(error);
        JournalError::Failed { action, place: place(&self.path, sequence), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemoryDisk;

    fn position(sequence: u64) -> Position {
        Position { segment: 1 + sequence as u32, offset: 512, sequence, chain: 7 << 100 }
    }

    fn made() -> (MemoryDisk, &'static Path, WatermarkFile) {
        let (disk, directory) = (MemoryDisk::new(), Path::new("j"));
        disk.create_directory(directory).unwrap();
        let file = WatermarkFile::create(&disk, directory, 5, &position(0)).unwrap();
        disk.sync_directory(directory).unwrap();
        disk.sync_directory(Path::new(".")).unwrap();
        (disk, directory, file)
    }

    fn read(disk: &MemoryDisk, directory: &Path) -> Result<u64, JournalError> {
        read_watermark(disk, directory, 5).map(|position| position.sequence)
    }

    #[test]
    fn the_last_written_holds_and_the_last_synced_survives_a_power_cut() {
        let (disk, directory, mut file) = made();
        assert_eq!(read(&disk, directory).unwrap(), 0);
        file.write(&position(1)).unwrap();
        file.sync().unwrap();
        file.write(&position(2)).unwrap();
        file.write(&position(3)).unwrap();
        assert_eq!(read(&disk, directory).unwrap(), 3);
        disk.cut_power();
        assert_eq!(read(&disk, directory).unwrap(), 1);
    }

    #[test]
    fn a_torn_write_never_spoils_the_slot_that_was_synced() {
        let (disk, directory, mut file) = made();
        let path = directory.join(WATERMARK_NAME);
        for round in 1..6 {
            let synced = disk.bytes(&path).unwrap();
            file.write(&position(round)).unwrap();
            let written = disk.bytes(&path).unwrap();
            for cut in 0..written.len() {
                let torn = disk.copy();
                torn.put(&path, &[&written[..cut], &synced[cut..]].concat());
                assert!(matches!(read(&torn, directory), Ok(found) if found == round || found + 1 == round));
            }
            file.sync().unwrap();
        }
    }

    #[test]
    fn after_a_kill_the_slot_that_was_not_synced_is_synced_before_the_other_is_written() {
        let (disk, directory, mut file) = made();
        file.write(&position(1)).unwrap();
        drop(file);
        let mut file = WatermarkFile::open(&disk, directory, 5).unwrap();
        file.write(&position(2)).unwrap();
        disk.cut_power();
        assert_eq!(read(&disk, directory).unwrap(), 1);
    }

    #[test]
    fn one_broken_slot_leaves_the_other_and_two_are_refused() {
        let (disk, directory, mut file) = made();
        file.write(&position(1)).unwrap();
        file.sync().unwrap();
        let path = directory.join(WATERMARK_NAME);
        let whole = disk.bytes(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            disk.put(&path, &flipped);
            assert!(read(&disk, directory).unwrap() <= 1, "bit {bit}");
            flipped[SLOT_OFFSETS[1] as usize + 20] ^= 1;
            flipped[20] ^= 1 << (bit % 8);
            disk.put(&path, &flipped);
            let refused = read(&disk, directory);
            assert!(
                refused.is_err() || bit / 8 == 20 || bit / 8 == SLOT_OFFSETS[1] as usize + 20,
                "bit {bit}"
            );
        }
        disk.remove(&path).unwrap();
        let missing = read(&disk, directory).unwrap_err();
        assert_eq!(missing.rule(), Some(JournalRule::WatermarkMustBeValid));
        assert!(missing.to_string().contains("missing"), "{missing}");
    }

    #[test]
    fn a_watermark_of_another_epoch_is_refused() {
        let (disk, directory, _) = made();
        let error = read_watermark(&disk, directory, 6).unwrap_err();
        assert_eq!(error.rule(), Some(JournalRule::EpochMustMatch));
    }
}
