//! Sealed history: what every ended segment held, hashed so that nobody can change it unnoticed.
//!
//! The file `SEALS` is an array of entries of 256 bytes, only ever appended to:
//!
//! | offset | field | |
//! |---|---|---|
//! | 0 | mark [8] | `OBJSEALS` |
//! | 8 | checksum u32 | CRC32C of the 256 bytes with this field 0 |
//! | 12 | version u16, kind u16 | 1; see [`EntryKind`] |
//! | 16 | epoch u64, number u64 | of the journal; of the entry, from 1 |
//! | 32 | segment u32, reserved u32 | |
//! | 40 | first_sequence u64, last_sequence u64 | of a sealed segment |
//! | 56 | chain [u64; 2] | of its last batch |
//! | 72 | segment_hash [32] | SHA-256 of the whole file of a sealed segment |
//! | 104 | previous_seal [32] | of the entry before; zeros in the first |
//! | 136 | seal [32] | SHA-256 of bytes 12 to 136 |
//! | 168 | signature [64] | Ed25519 over the seal; zeros without a key |
//! | 232 | reserved [24] | 0 |
//!
//! A seal covers the one before, so the last one covers all history: who keeps it elsewhere, or checks signatures,
//! notices every change. Without either, a person who can write the directory can compute all of it anew.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::disk::{Access, Disk, DiskFile};

use super::error::{JournalError, JournalRule, Place};
use super::reader::place;
use super::segment::{SegmentHeader, joined, segment_path, words};

pub(crate) const SEALS_NAME: &str = "SEALS";
pub const SEAL_ENTRY_SIZE: usize = 256;

const MARK: [u8; 8] = *b"OBJSEALS";
const VERSION: u16 = 1;
/// Read and hashed at once.
const HASHED_AT_ONCE: usize = 1 << 20;

/// What an entry says. Numbers are append-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum EntryKind {
    /// The segment ended and held this.
    Sealed = 1,
    /// Segments up to this one were removed on purpose.
    Removed = 2,
    /// This segment and those after it were cut on purpose, and are written and sealed anew.
    Cut = 3,
}

impl EntryKind {
    const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(EntryKind::Sealed),
            2 => Some(EntryKind::Removed),
            3 => Some(EntryKind::Cut),
            _ => None,
        }
    }
}

/// What signs seals: 32 bytes that only the owner of the journal has.
#[derive(Clone)]
pub struct SealKey(SigningKey);

impl SealKey {
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        SealKey(SigningKey::from_bytes(secret))
    }

    /// What signatures are checked with; may be published.
    pub fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("SealKey(secret)")
    }
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct SealEntry {
    mark: [u8; 8],
    checksum: u32,
    version: u16,
    kind: u16,
    pub epoch: u64,
    pub number: u64,
    pub segment: u32,
    reserved: u32,
    pub first_sequence: u64,
    pub last_sequence: u64,
    chain: [u64; 2],
    pub segment_hash: [u8; 32],
    pub previous_seal: [u8; 32],
    pub seal: [u8; 32],
    signature: [u8; 64],
    rest: [u64; 3],
}

const _: () = assert!(size_of::<SealEntry>() == SEAL_ENTRY_SIZE);

impl SealEntry {
    fn of_kind(kind: EntryKind, epoch: u64, segment: u32) -> Self {
        SealEntry {
            mark: MARK,
            checksum: 0,
            version: VERSION,
            kind: kind as u16,
            epoch,
            number: 0,
            segment,
            reserved: 0,
            first_sequence: 0,
            last_sequence: 0,
            chain: [0; 2],
            segment_hash: [0; 32],
            previous_seal: [0; 32],
            seal: [0; 32],
            signature: [0; 64],
            rest: [0; 3],
        }
    }

    /// The last thing done to an entry before it is written.
    fn finish(&mut self, number: u64, previous_seal: [u8; 32], key: Option<&SealKey>) {
        (self.number, self.previous_seal) = (number, previous_seal);
        self.seal = self.computed_seal();
        self.signature = key.map_or([0; 64], |key| key.0.sign(&self.seal).to_bytes());
        self.checksum = self.computed_checksum();
    }

    pub(super) fn kind(&self) -> Option<EntryKind> {
        EntryKind::from_number(self.kind)
    }

    pub(super) fn chain(&self) -> u128 {
        joined(self.chain)
    }

    pub(super) fn is_valid(&self) -> bool {
        self.mark == MARK && self.version == VERSION && self.checksum == self.computed_checksum()
    }

    pub(super) fn computed_seal(&self) -> [u8; 32] {
        Sha256::digest(&self.as_bytes()[12..136]).into()
    }

    /// Whether the holder of the secret to `public_key` has signed it.
    pub(super) fn is_signed_by(&self, public_key: &VerifyingKey) -> bool {
        public_key.verify_strict(&self.seal, &Signature::from_bytes(&self.signature)).is_ok()
    }

    pub(super) fn is_signed(&self) -> bool {
        self.signature != [0; 64]
    }

    fn computed_checksum(&self) -> u32 {
        crc32c::crc32c(SealEntry { checksum: 0, ..*self }.as_bytes())
    }
}

/// The entries of a journal, as far as they are whole.
#[derive(Debug, Default)]
pub(super) struct Seals {
    pub entries: Vec<SealEntry>,
    /// Bytes behind them that are no entry: one whose write was cut short, or damage.
    pub rest: u64,
}

impl Seals {
    /// Reads the file; `None` where there is none.
    pub(super) fn read(disk: &dyn Disk, directory: &Path) -> Result<Option<Seals>, JournalError> {
        let path = directory.join(SEALS_NAME);
        let failed = |error| JournalError::unreachable("read the seals", &path, error);
        let file = match disk.open(&path, Access::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let length = file.length().map_err(failed)?;
        let mut seals = Seals::default();
        let mut bytes = [0; SEAL_ENTRY_SIZE];
        while let Some(left) = length.checked_sub(seals.bytes()).filter(|&left| left > 0) {
            let read = file.read_full_at(&mut bytes, seals.bytes()).map_err(failed)?;
            let entry: SealEntry = zerocopy::transmute!(bytes);
            if read < SEAL_ENTRY_SIZE || !entry.is_valid() {
                seals.rest = left;
                break;
            }
            seals.entries.push(entry);
        }
        Ok(Some(seals))
    }

    /// Bytes of the whole entries.
    fn bytes(&self) -> u64 {
        (self.entries.len() * SEAL_ENTRY_SIZE) as u64
    }

    fn last_seal(&self) -> [u8; 32] {
        self.entries.last().map_or([0; 32], |entry| entry.seal)
    }

    /// The last segment that was removed on purpose; 0 for none.
    pub(super) fn removed(&self) -> u32 {
        let removed = self.entries.iter().filter(|entry| entry.kind() == Some(EntryKind::Removed));
        removed.map(|entry| entry.segment).max().unwrap_or(0)
    }

    /// The seals that stand, by segment.
    pub(super) fn sealed(&self) -> BTreeMap<u32, SealEntry> {
        let mut sealed = BTreeMap::new();
        for entry in &self.entries {
            match entry.kind() {
                Some(EntryKind::Sealed) => {
                    sealed.insert(entry.segment, *entry);
                }
                Some(EntryKind::Cut) => sealed.retain(|&segment, _| segment < entry.segment),
                Some(EntryKind::Removed) | None => {}
            }
        }
        sealed
    }

    /// The first entry that does not follow the one before it, and why.
    pub(super) fn first_broken(&self, epoch: u64) -> Option<(usize, String)> {
        let mut previous = [0; 32];
        for (index, entry) in self.entries.iter().enumerate() {
            let problem = match () {
                () if entry.kind().is_none() => Some("is of an unknown kind"),
                () if entry.epoch != epoch => Some("is of another epoch"),
                () if entry.number != index as u64 + 1 => Some("has another number"),
                () if entry.previous_seal != previous => Some("does not follow the one before it"),
                () if entry.seal != entry.computed_seal() => Some("has a seal that is not its own"),
                () => None,
            };
            if let Some(problem) = problem {
                return Some((index, format!("entry {} {problem}", index + 1)));
            }
            previous = entry.seal;
        }
        None
    }
}

/// SHA-256 of a whole file, some bytes at a time.
pub(super) struct FileHash {
    file: Box<dyn DiskFile>,
    offset: u64,
    hash: Sha256,
}

impl std::fmt::Debug for FileHash {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "FileHash({:?}, {} bytes)", self.file, self.offset)
    }
}

impl FileHash {
    pub(super) fn new(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        Ok(FileHash { file: disk.open(path, Access::Read)?, offset: 0, hash: Sha256::new() })
    }

    /// Goes on for at most `budget` bytes; the hash at the end of the file.
    pub(super) fn advance(&mut self, budget: u64) -> io::Result<Option<[u8; 32]>> {
        let mut buffer = vec![0; HASHED_AT_ONCE];
        let until = self.offset.saturating_add(budget);
        while self.offset < until {
            let read = self.file.read_full_at(&mut buffer, self.offset)?;
            self.hash.update(&buffer[..read]);
            self.offset += read as u64;
            if read < buffer.len() {
                return Ok(Some(std::mem::take(&mut self.hash).finalize().into()));
            }
        }
        Ok(None)
    }
}

/// A segment that ended and is not sealed yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub segment: u32,
    pub first_sequence: u64,
    pub last_sequence: u64,
    pub chain: u128,
}

/// Appends to `SEALS`.
#[derive(Debug)]
pub(super) struct SealFile {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    file: Box<dyn DiskFile>,
    epoch: u64,
    syncs: bool,
    seals: Seals,
    key: Option<SealKey>,
    hashing: Option<FileHash>,
}

impl SealFile {
    /// Makes the file, durable but for its name.
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        directory: &Path,
        header: &SegmentHeader,
    ) -> Result<Self, JournalError> {
        let path = directory.join(SEALS_NAME);
        let syncs = header.settings.durability.syncs();
        let made = disk.create(&path).and_then(|mut file| {
            if syncs {
                file.sync()?;
            }
            Ok(file)
        });
        let at = place(&path, 0, 0, header.first_sequence);
        let file = made.map_err(|error| JournalError::failed("create the seals", at, 0, error))?;
        Ok(SealFile::new(disk, directory, file, header, Seals::default()))
    }

    /// Opens the file of a journal to be continued and changes nothing; [`SealFile::confirm`] comes before the next entry.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        header: &SegmentHeader,
    ) -> Result<Self, JournalError> {
        let path = directory.join(SEALS_NAME);
        let damaged = |entry: u64, found| {
            let at = place(&path, 0, entry * SEAL_ENTRY_SIZE as u64, 0);
            JournalError::Damaged { place: at, rule: JournalRule::SealsMustBeValid, found }
        };
        let Some(seals) = Seals::read(disk.as_ref(), directory)? else {
            return Err(damaged(0, "the file is missing; it is made before the first segment".to_owned()));
        };
        if let Some((index, problem)) = seals.first_broken(header.identity.epoch) {
            return Err(damaged(index as u64, problem));
        }
        if seals.rest > SEAL_ENTRY_SIZE as u64 {
            let whole = seals.entries.len() as u64;
            return Err(damaged(whole, format!("entry {} is damaged and others follow", whole + 1)));
        }
        let file = disk.open(&path, Access::ReadWrite);
        let file = file.map_err(|error| JournalError::unreachable("open the seals", &path, error))?;
        Ok(SealFile::new(disk, directory, file, header, seals))
    }

    fn new(
        disk: Arc<dyn Disk>,
        directory: &Path,
        file: Box<dyn DiskFile>,
        header: &SegmentHeader,
        seals: Seals,
    ) -> Self {
        let (epoch, syncs) = (header.identity.epoch, header.settings.durability.syncs());
        SealFile {
            disk,
            directory: directory.to_owned(),
            file,
            epoch,
            syncs,
            seals,
            key: None,
            hashing: None,
        }
    }

    /// Makes what an earlier process left ready to be continued.
    pub(super) fn confirm(&mut self) -> Result<(), JournalError> {
        let confirmed = self.confirm_last();
        confirmed.map_err(|error| {
            JournalError::unreachable("sync the seals", &self.directory.join(SEALS_NAME), error)
        })
    }

    /// Writes the last entry once more: a sync that failed in an earlier process may have dropped it from the disk
    /// while reads still see it, and the next entry would then stand behind a hole. What a crash left of the entry
    /// after it goes: whoever proves the history must not take it for somebody's doing.
    fn confirm_last(&mut self) -> io::Result<()> {
        if self.seals.rest > 0 {
            self.file.set_length(self.seals.bytes())?;
            if self.syncs {
                self.file.sync()?;
            }
            self.seals.rest = 0;
        }
        let Some(&last) = self.seals.entries.last() else { return Ok(()) };
        self.write(&last, self.seals.bytes() - SEAL_ENTRY_SIZE as u64)
    }

    pub(super) fn sign_with(&mut self, key: SealKey) {
        self.key = Some(key);
    }

    pub(super) fn seals(&self) -> &Seals {
        &self.seals
    }

    /// Works on the seal of an ended segment, for about `budget` bytes of it; whether it is sealed now.
    pub(super) fn seal(&mut self, ended: &Ended, budget: u64) -> Result<bool, JournalError> {
        let path = segment_path(&self.directory, ended.segment);
        let hash = self.hash(&path, budget);
        let at = place(&path, ended.segment, 0, ended.first_sequence);
        let Some(segment_hash) = hash.map_err(|error| JournalError::failed("seal", at, 0, error))? else {
            return Ok(false);
        };
        self.hashing = None;
        let mut entry = SealEntry::of_kind(EntryKind::Sealed, self.epoch, ended.segment);
        (entry.first_sequence, entry.last_sequence) = (ended.first_sequence, ended.last_sequence);
        (entry.chain, entry.segment_hash) = (words(ended.chain), segment_hash);
        self.append(entry)?;
        Ok(true)
    }

    fn hash(&mut self, path: &Path, budget: u64) -> io::Result<Option<[u8; 32]>> {
        let mut hashing = match self.hashing.take() {
            Some(hashing) => hashing,
            None => FileHash::new(self.disk.as_ref(), path)?,
        };
        let done = hashing.advance(budget)?;
        self.hashing = Some(hashing);
        Ok(done)
    }

    /// Writes down that segments up to `segment` are removed, or that those from it on are cut.
    pub(super) fn note(&mut self, kind: EntryKind, segment: u32) -> Result<(), JournalError> {
        self.append(SealEntry::of_kind(kind, self.epoch, segment))
    }

    fn append(&mut self, mut entry: SealEntry) -> Result<(), JournalError> {
        let number = self.seals.entries.len() as u64 + 1;
        entry.finish(number, self.seals.last_seal(), self.key.as_ref());
        let offset = self.seals.bytes();
        let appended = self.write(&entry, offset);
        let at = self.place(offset);
        appended.map_err(|error| JournalError::failed("write a seal", at, SEAL_ENTRY_SIZE as u64, error))?;
        self.seals.entries.push(entry);
        self.seals.rest = 0;
        Ok(())
    }

    fn write(&mut self, entry: &SealEntry, offset: u64) -> io::Result<()> {
        self.file.write_full_at(entry.as_bytes(), offset)?;
        if self.syncs { self.file.sync() } else { Ok(()) }
    }

    fn place(&self, offset: u64) -> Place {
        place(&self.directory.join(SEALS_NAME), 0, offset, 0)
    }
}
