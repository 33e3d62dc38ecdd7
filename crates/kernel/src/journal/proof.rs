//! Whether a history is the one that was sealed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::VerifyingKey;

use crate::disk::Disk;

use super::error::{JournalError, JournalRule, Place};
use super::reader::{JournalReader, place, segment_numbers};
use super::report::verify;
use super::seals::{EntryKind, FileHash, SEAL_ENTRY_SIZE, SEALS_NAME, SealEntry, Seals};
use super::segment::segment_path;

/// What [`prove`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub epoch: u64,
    /// Entries of `SEALS`: of sealed segments, of removals, of cuts.
    pub entries: u64,
    /// Segments that are here and sealed; all of them were hashed.
    pub sealed_segments: u32,
    /// The last sequence that a seal covers; 0 when there is none.
    pub sealed_through: u64,
    /// Segments that ended or are being written and have no seal yet: only their own checks hold them.
    pub unsealed_segments: u32,
    /// The last segment that was removed on purpose; 0 for none.
    pub removed_through: u32,
    /// Segments from which on the journal was cut on purpose.
    pub cuts: Vec<u32>,
    /// Whether there are entries, and all from the first signed one on have a signature (of whom, only a public key
    /// tells).
    pub is_signed: bool,
    /// The last seal: covers all that was ever sealed. Kept elsewhere, it tells later that nothing was replaced.
    pub last_seal: [u8; 32],
    /// Where history is not what was sealed, first.
    pub touched: Option<Touched>,
}

/// Something that is not as it was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    pub place: Place,
    pub rule: JournalRule,
    pub found: String,
}

/// Compares the journal in `path` with its seals, and the seals with each other and with `public_key`.
///
/// # Errors
/// What keeps it from looking: no journal, no seals in this mode, a public key that is none, or the operating
/// system. What is not as it was sealed is no error but [`Proof::touched`].
pub fn prove(disk: Arc<dyn Disk>, path: &Path, public_key: Option<[u8; 32]>) -> Result<Proof, JournalError> {
    let key = public_key.map(|bytes| VerifyingKey::from_bytes(&bytes)).transpose();
    let key = key.map_err(|_| JournalError::BadSettings {
        problem: "the public key is not one of Ed25519 (32 bytes, a point of the curve)".to_owned(),
    })?;
    let numbers = segment_numbers(disk.as_ref(), path)?;
    let Some(seals) = Seals::read(disk.as_ref(), path)? else {
        let found = "no SEALS: journals of durability none and of format 1 are not sealed".to_owned();
        return Err(JournalError::NotSealed { path: path.to_owned(), found });
    };
    let sealed = seals.sealed();
    let removed = seals.removed();
    let (epoch, opened) = match JournalReader::open(disk.clone(), path) {
        Ok(reader) => (reader.identity().epoch, None),
        Err(error) => (seals.entries.first().map_or(0, |entry| entry.epoch), Some(touched_by(error)?)),
    };
    let touched = match touched_seals(path, &seals, epoch, key.as_ref()) {
        Some(touched) => Some(touched),
        None => touched_segments(&disk, path, &sealed, removed, &numbers)?.or(opened),
    };
    let last = sealed.last_key_value();
    let is_sealed = |number: &&u32| sealed.contains_key(*number);
    Ok(Proof {
        epoch,
        entries: seals.entries.len() as u64,
        sealed_segments: numbers.iter().filter(is_sealed).count() as u32,
        sealed_through: last.map_or(0, |(_, entry)| entry.last_sequence),
        unsealed_segments: numbers.iter().filter(|number| !is_sealed(number)).count() as u32,
        removed_through: removed,
        cuts: cuts(&seals),
        is_signed: seals.entries.last().is_some_and(SealEntry::is_signed)
            && seals.entries.iter().skip_while(|entry| !entry.is_signed()).all(SealEntry::is_signed),
        last_seal: seals.entries.last().map_or([0; 32], |entry| entry.seal),
        touched: match touched {
            Some(touched) => Some(touched),
            None => touched_tail(disk, path)?,
        },
    })
}

fn cuts(seals: &Seals) -> Vec<u32> {
    let cuts = seals.entries.iter().filter(|entry| entry.kind() == Some(EntryKind::Cut));
    cuts.map(|entry| entry.segment).collect()
}

/// The first entry of `SEALS` that is broken, does not follow, or is not signed by the given key.
fn touched_seals(path: &Path, seals: &Seals, epoch: u64, key: Option<&VerifyingKey>) -> Option<Touched> {
    let touched = |index: usize, rule, found| {
        let offset = (index * SEAL_ENTRY_SIZE) as u64;
        let sequence = seals.entries.get(index).map_or(0, |entry| entry.first_sequence);
        Touched { place: place(&path.join(SEALS_NAME), 0, offset, sequence), rule, found }
    };
    if let Some((index, found)) = seals.first_broken(epoch) {
        return Some(touched(index, JournalRule::SealsMustBeValid, found));
    }
    if let Some(index) = key.and_then(|key| first_unsigned(seals, key)) {
        let how =
            if seals.entries[index].is_signed() { "is signed with another key" } else { "is not signed" };
        return Some(touched(index, JournalRule::SealMustBeSigned, format!("entry {} {how}", index + 1)));
    }
    (seals.rest > 0).then(|| {
        let index = seals.entries.len();
        let found = format!("{} bytes behind entry {index} are no entry", seals.rest);
        touched(index, JournalRule::SealsMustBeValid, found)
    })
}

/// The first entry that the owner of the key has not vouched for. A seal covers all before it, so the first signed one
/// vouches for those of the time before there was a key.
fn first_unsigned(seals: &Seals, key: &VerifyingKey) -> Option<usize> {
    let is_signed = |entry: &SealEntry| entry.is_signed_by(key);
    let first = seals.entries.iter().position(is_signed).unwrap_or(0);
    let unsigned = seals.entries.iter().skip(first).position(|entry| !is_signed(entry));
    unsigned.map(|index| first + index)
}

/// The first sealed segment that is missing or is not what was sealed.
fn touched_segments(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    sealed: &BTreeMap<u32, SealEntry>,
    removed: u32,
    numbers: &[u32],
) -> Result<Option<Touched>, JournalError> {
    for (&segment, entry) in sealed {
        let path = segment_path(directory, segment);
        let at = place(&path, segment, 0, entry.first_sequence);
        if numbers.binary_search(&segment).is_err() {
            if segment <= removed {
                continue;
            }
            let found = format!("segment {segment} was sealed and is missing");
            return Ok(Some(Touched { place: at, rule: JournalRule::SegmentsMustBeComplete, found }));
        }
        let hash = FileHash::new(disk.as_ref(), &path).and_then(|mut hash| hash.advance(u64::MAX));
        let hash = hash.map_err(|error| JournalError::failed("read", at.clone(), 0, error))?;
        if hash != Some(entry.segment_hash) {
            let found = format!("segment {segment} is not what was sealed");
            return Ok(Some(touched_inside(disk, directory, segment, found, at)?));
        }
    }
    Ok(None)
}

/// Looks for the batch that was touched; a change that keeps every checksum and the chain right cannot be placed
/// better than in its segment.
fn touched_inside(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    segment: u32,
    found: String,
    at: Place,
) -> Result<Touched, JournalError> {
    let nearer = verify(disk.clone(), directory).err().map(touched_by).transpose()?;
    Ok(match nearer.filter(|nearer| nearer.place.segment == segment) {
        Some(nearer) => Touched { found: format!("{found}; {}", nearer.found), ..nearer },
        None => Touched { place: at, rule: JournalRule::SegmentMustBeAsSealed, found },
    })
}

/// What is not sealed yet is held by its checksums, its chain and the watermark alone.
fn touched_tail(disk: Arc<dyn Disk>, path: &Path) -> Result<Option<Touched>, JournalError> {
    verify(disk, path).err().map(touched_by).transpose()
}

fn touched_by(error: JournalError) -> Result<Touched, JournalError> {
    match error {
        JournalError::Damaged { place, rule, found } => Ok(Touched { place, rule, found }),
        other => Err(other),
    }
}
