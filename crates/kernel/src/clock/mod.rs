//! The seam for time. Inside the engine time is a field of a record; a clock is read only by the runtime that
//! stamps records on their way in, and a simulated run brings its own.

pub mod system;

use std::sync::atomic::{AtomicU64, Ordering};

/// Gives the time, in UTC nanoseconds. It may step back: whoever stamps records decides what that means.
pub trait Clock: Send + Sync {
    fn now(&self) -> u64;

    /// Nanoseconds since some moment, which never step: what tells a clock that was set from time that passed.
    /// A clock that is never set may be its own.
    fn steady(&self) -> u64 {
        self.now()
    }
}

/// A clock that stands still until it is told to move: backtests, replays and tests.
#[derive(Debug, Default)]
pub struct ManualClock {
    time: AtomicU64,
}

impl ManualClock {
    pub fn new(time: u64) -> Self {
        ManualClock { time: AtomicU64::new(time) }
    }

    pub fn set(&self, time: u64) {
        self.time.store(time, Ordering::Relaxed);
    }

    /// Moves on by `duration_ns` and stops at the end of time instead of wrapping.
    pub fn advance(&self, duration_ns: u64) {
        let time = self.time.load(Ordering::Relaxed);
        self.set(time.saturating_add(duration_ns));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> u64 {
        self.time.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::system::SystemClock;
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(5);
        assert_eq!((clock.now(), clock.now()), (5, 5));
        clock.advance(7);
        assert_eq!(clock.now(), 12);
        clock.set(3);
        assert_eq!(clock.now(), 3);
        clock.advance(u64::MAX);
        assert_eq!(clock.now(), u64::MAX);
    }

    #[test]
    fn the_system_clock_gives_nanoseconds_of_this_century() {
        let year_2020 = 1_577_836_800_000_000_000;
        let year_2200 = 7_258_118_400_000_000_000;
        assert!((year_2020..year_2200).contains(&SystemClock.now()));
    }
}
