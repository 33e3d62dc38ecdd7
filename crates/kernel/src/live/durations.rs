//! How long the last commits took.

use std::sync::atomic::{AtomicU64, Ordering};

const KEPT: usize = 1024;

/// The last [`KEPT`] durations; one thread records, any thread asks.
#[derive(Debug)]
pub(super) struct RecentDurations {
    nanoseconds: Box<[AtomicU64]>,
    recorded: AtomicU64,
}

impl Default for RecentDurations {
    fn default() -> Self {
        let nanoseconds = (0..KEPT).map(|_| AtomicU64::new(0)).collect();
        RecentDurations { nanoseconds, recorded: AtomicU64::new(0) }
    }
}

impl RecentDurations {
    pub fn record(&self, duration_ns: u64) {
        let recorded = self.recorded.load(Ordering::Relaxed);
        self.nanoseconds[recorded as usize % KEPT].store(duration_ns, Ordering::Relaxed);
        self.recorded.store(recorded + 1, Ordering::Relaxed);
    }

    /// How many there were since the beginning.
    pub fn recorded(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    /// Median and 99th percentile; `None` before the first.
    pub fn p50_p99(&self) -> Option<(u64, u64)> {
        let count = (self.recorded() as usize).min(KEPT);
        let mut sorted: Vec<u64> =
            self.nanoseconds[..count].iter().map(|duration| duration.load(Ordering::Relaxed)).collect();
        sorted.sort_unstable();
        let at = |share: usize| sorted.get(count * share / 100).copied();
        Some((at(50)?, at(99)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_count() {
        let durations = RecentDurations::default();
        assert_eq!(durations.p50_p99(), None);
        durations.record(1_000_000);
        assert_eq!(durations.p50_p99(), Some((1_000_000, 1_000_000)));
        for duration_ns in 0..KEPT as u64 {
            durations.record(duration_ns);
        }
        assert_eq!((durations.p50_p99(), durations.recorded()), (Some((512, 1013)), 1025));
    }
}
