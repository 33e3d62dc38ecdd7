//! The part of a segment that is in memory: aligned slots, filled by positioned reads, reused for the whole
//! journal, so reading costs no memory that grows and no allocation per batch.

use std::io;

use zerocopy::IntoBytes;

use crate::disk::DiskFile;
use crate::record::{SLOT_SIZE, Slot};

/// Small enough to stay in a core's cache between the read, the checksum and the chain.
const WINDOW_SLOTS: usize = (512 << 10) / SLOT_SIZE;

#[derive(Debug)]
pub(crate) struct Window {
    slots: Vec<Slot>,
    /// Offset in the file of the first slot; a multiple of the slot size.
    start: u64,
    /// Bytes that were read.
    filled: usize,
    /// Slots worth reading at once: the whole of a short file.
    ahead: usize,
}

impl Window {
    pub(crate) const BYTES: u64 = (WINDOW_SLOTS * SLOT_SIZE) as u64;

    pub(crate) fn new() -> Self {
        Window { slots: Vec::new(), start: 0, filled: 0, ahead: 0 }
    }

    /// Forgets everything: a file of `length` bytes follows.
    pub(crate) fn clear(&mut self, length: u64) {
        self.filled = 0;
        self.ahead = length.min(Window::BYTES).div_ceil(SLOT_SIZE as u64) as usize;
    }

    /// Makes `bytes` from `offset` (a multiple of the slot size) available, as far as the file goes.
    pub(crate) fn fill(&mut self, file: &dyn DiskFile, offset: u64, bytes: u64) -> io::Result<()> {
        let end = self.start + self.filled as u64;
        if offset >= self.start && offset.saturating_add(bytes) <= end {
            return Ok(());
        }
        let kept = self.keep_from(offset, end);
        let wanted = usize::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?.div_ceil(SLOT_SIZE);
        let size = wanted.max(self.ahead);
        if self.slots.len() < size {
            self.slots.resize(size, Slot::ZERO);
        }
        self.start = offset;
        self.filled = kept;
        let rest = &mut self.slots.as_mut_slice().as_mut_bytes()[kept..];
        self.filled += file.read_full_at(rest, offset + kept as u64)?;
        Ok(())
    }

    /// Moves what is known from `offset` on to the front.
    fn keep_from(&mut self, offset: u64, end: u64) -> usize {
        if offset < self.start || offset >= end {
            return 0;
        }
        let from = (offset - self.start) as usize;
        self.slots.as_mut_slice().as_mut_bytes().copy_within(from..self.filled, 0);
        self.filled - from
    }

    /// Whole slots from `offset`, at most `bytes`, at most what was filled.
    pub(crate) fn slots(&self, offset: u64, bytes: u64) -> &[Slot] {
        let from = (offset.saturating_sub(self.start) / SLOT_SIZE as u64) as usize;
        let filled = self.filled / SLOT_SIZE;
        let count = usize::try_from(bytes / SLOT_SIZE as u64).unwrap_or(usize::MAX);
        let until = from.saturating_add(count).min(filled);
        self.slots.get(from..until).unwrap_or(&[])
    }

    /// What was filled from `offset` on, whole slots or not, at most `bytes`.
    pub(crate) fn bytes(&self, offset: u64, bytes: u64) -> &[u8] {
        let from = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let until = from.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX)).min(self.filled);
        self.slots.as_bytes().get(from..until).unwrap_or(&[])
    }
}
