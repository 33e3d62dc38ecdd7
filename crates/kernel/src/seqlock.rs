//! A few words that one thread writes and any number read, without either waiting for a lock.
//!
//! The writer makes the version odd, stores the words, makes it even again. A reader that saw an odd version,
//! or another one after than before, has read a mixture and reads again. All words are atomics, so a mixture is
//! a wrong value and never undefined. The writer never looks at the readers: it is a few plain stores.
//!
//! `tests/seqlock_loom.rs` shows with loom, over every order the memory model allows, that no mixture is ever
//! returned; `tests/seqlock_stress.rs` runs it on real threads.

use std::ops::Range;

use crate::sync::{Arc, AtomicU64, Ordering, fence};

#[derive(Debug)]
struct Shared {
    version: AtomicU64,
    words: Box<[AtomicU64]>,
}

/// The one who writes.
#[derive(Debug)]
pub struct SeqlockWriter {
    shared: Arc<Shared>,
    version: u64,
}

/// One who reads.
#[derive(Clone, Debug)]
pub struct SeqlockReader {
    shared: Arc<Shared>,
}

/// `words` words, all 0.
pub fn seqlock(words: usize) -> (SeqlockWriter, SeqlockReader) {
    let words = (0..words).map(|_| AtomicU64::new(0)).collect();
    let shared = Arc::new(Shared { version: AtomicU64::new(0), words });
    (SeqlockWriter { shared: Arc::clone(&shared), version: 0 }, SeqlockReader { shared })
}

impl SeqlockWriter {
    /// Replaces the first words; readers see all of them or none.
    pub fn write(&mut self, values: &[u64]) {
        let all = 0..values.len();
        self.write_parts(values, [all]);
    }

    /// Replaces the words at some places by those of `values` at the same places; readers see all or none.
    pub fn write_parts<const N: usize>(&mut self, values: &[u64], parts: [Range<usize>; N]) {
        self.shared.version.store(self.version + 1, Ordering::Relaxed);
        // No word is stored before the odd version is.
        fence(Ordering::Release);
        for part in parts {
            for (word, &value) in self.shared.words[part.clone()].iter().zip(&values[part]) {
                word.store(value, Ordering::Relaxed);
            }
        }
        self.version += 2;
        self.shared.version.store(self.version, Ordering::Release);
    }

    pub fn reader(&self) -> SeqlockReader {
        SeqlockReader { shared: Arc::clone(&self.shared) }
    }
}

impl SeqlockReader {
    /// Copies the first words to `out` and returns how often they were written, `None` when a write came between.
    pub fn try_read(&self, out: &mut [u64]) -> Option<u64> {
        let before = self.shared.version.load(Ordering::Acquire);
        if before % 2 == 1 {
            return None;
        }
        for (value, word) in out.iter_mut().zip(&self.shared.words) {
            *value = word.load(Ordering::Relaxed);
        }
        // No word is loaded after the version is loaded again.
        fence(Ordering::Acquire);
        let after = self.shared.version.load(Ordering::Relaxed);
        (after == before).then_some(before / 2)
    }

    /// As [`SeqlockReader::try_read`], again and again until no write came between.
    pub fn read(&self, out: &mut [u64]) -> u64 {
        loop {
            if let Some(writes) = self.try_read(out) {
                return writes;
            }
            std::hint::spin_loop();
        }
    }

    pub fn words(&self) -> usize {
        self.shared.words.len()
    }
}
