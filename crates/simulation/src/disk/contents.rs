//! What one file holds: in the system's memory, on the disk, and on the way between the two.

use std::collections::{BTreeMap, BTreeSet};

use super::loss::Loss;

pub const SECTOR: usize = 512;

type Sector = [u8; SECTOR];

/// One write of a sector that was not synced yet. Numbers count all writes of the machine.
#[derive(Clone, Debug)]
struct Version {
    number: u64,
    bytes: Sector,
}

#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// What a read sees.
    written: Vec<u8>,
    /// What a power cut leaves for certain.
    synced: Vec<u8>,
    /// What was written to a sector since, oldest first: a power cut leaves any of them or none.
    dirty: BTreeMap<usize, Vec<Version>>,
    lengths: Vec<(u64, usize)>,
    /// Sectors a failed sync dropped and called clean: reads still see them, the disk never will.
    dropped: BTreeSet<usize>,
}

impl Contents {
    pub fn durable(bytes: &[u8]) -> Self {
        Contents { written: bytes.to_vec(), synced: bytes.to_vec(), ..Contents::default() }
    }

    pub fn written(&self) -> &[u8] {
        &self.written
    }

    pub fn write(&mut self, number: u64, bytes: &[u8], offset: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        let from = offset.min(self.written.len()) / SECTOR;
        if end > self.written.len() {
            self.written.resize(end, 0);
            self.lengths.push((number, end));
        }
        self.written[offset..end].copy_from_slice(bytes);
        self.touch(number, from..end.div_ceil(SECTOR));
    }

    fn touch(&mut self, number: u64, sectors: std::ops::Range<usize>) {
        for index in sectors {
            let bytes = sector(&self.written, index);
            self.dropped.remove(&index);
            self.dirty.entry(index).or_default().push(Version { number, bytes });
        }
    }

    pub fn set_length(&mut self, number: u64, length: usize) {
        let before = self.written.len();
        if length == before {
            return;
        }
        self.written.resize(length, 0);
        self.lengths.push((number, length));
        if length < before {
            self.dirty.split_off(&length.div_ceil(SECTOR));
            if !length.is_multiple_of(SECTOR) {
                self.touch(number, length / SECTOR..length / SECTOR + 1);
            }
        }
    }

    pub fn sync(&mut self) {
        self.settle_length();
        for (index, versions) in std::mem::take(&mut self.dirty) {
            if let Some(last) = versions.last() {
                put(&mut self.synced, index, &last.bytes);
            }
        }
    }

    fn settle_length(&mut self) {
        for (_, length) in self.lengths.drain(..) {
            self.synced.resize(length, 0);
        }
        self.synced.resize(self.written.len(), 0);
    }

    /// A sync that failed: what `loss` leaves reached the disk; the rest is dropped and called clean, as Linux does.
    pub fn fail_sync(&mut self, loss: &mut Loss) {
        self.settle_length();
        for (index, versions) in std::mem::take(&mut self.dirty) {
            if versions.last().is_some_and(|last| last.number == loss.survivor(&numbers(&versions))) {
                put(&mut self.synced, index, &sector(&self.written, index));
            } else {
                self.dropped.insert(index);
            }
        }
    }

    /// The system needs its memory: what it takes for clean it reads from the disk again.
    pub fn evict(&mut self) {
        for index in std::mem::take(&mut self.dropped) {
            let old = sector(&self.synced, index);
            put(&mut self.written, index, &old);
        }
    }

    /// The power fails.
    pub fn cut(&mut self, loss: &mut Loss) {
        let survivor = loss.survivor(&self.lengths.iter().map(|(number, _)| *number).collect::<Vec<_>>());
        if survivor > 0 {
            let kept = self.lengths.iter().take_while(|(number, _)| *number <= survivor);
            kept.for_each(|(_, length)| self.synced.resize(*length, 0));
        }
        for (index, versions) in std::mem::take(&mut self.dirty) {
            let survivor = loss.survivor(&numbers(&versions));
            let Some(at) = versions.iter().position(|version| version.number == survivor) else { continue };
            let mut bytes = versions[at].bytes;
            if let Some(torn_at) = loss.tear() {
                let before = if at == 0 { sector(&self.synced, index) } else { versions[at - 1].bytes };
                bytes[torn_at..].copy_from_slice(&before[torn_at..]);
            }
            put(&mut self.synced, index, &bytes);
        }
        *self = Contents::durable(&std::mem::take(&mut self.synced));
    }

    /// Damage at rest: what was read and what is on the disk.
    pub fn flip(&mut self, bit: usize) {
        for image in [&mut self.written, &mut self.synced] {
            if let Some(byte) = image.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }
}

fn numbers(versions: &[Version]) -> Vec<u64> {
    versions.iter().map(|version| version.number).collect()
}

/// A sector of an image, zeros where the image ends.
fn sector(image: &[u8], index: usize) -> Sector {
    let mut bytes = [0; SECTOR];
    let rest = image.get(index * SECTOR..).unwrap_or(&[]);
    let count = rest.len().min(SECTOR);
    bytes[..count].copy_from_slice(&rest[..count]);
    bytes
}

/// Puts a sector into an image as far as the image reaches.
fn put(image: &mut [u8], index: usize, bytes: &Sector) {
    let rest = image.get_mut(index * SECTOR..).unwrap_or(&mut []);
    let count = rest.len().min(SECTOR);
    rest[..count].copy_from_slice(&bytes[..count]);
}
