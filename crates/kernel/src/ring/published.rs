//! A sequence one thread publishes and others read.

use crate::sync::{AtomicU64, Ordering};

/// Only grows. Whoever reads a value also sees everything its publisher did before.
#[derive(Debug)]
pub struct Published(AtomicU64);

impl Published {
    pub fn new(value: u64) -> Self {
        Published(AtomicU64::new(value))
    }

    pub fn publish(&self, value: u64) {
        self.0.store(value, Ordering::Release);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
