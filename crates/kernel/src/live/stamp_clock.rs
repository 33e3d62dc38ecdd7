//! The time records are stamped with: the machine's, as long as it behaves.

use std::sync::Arc;

use crate::clock::Clock;

/// Never goes back and never leaps. A clock that was set is told from time that passed by a second clock that is
/// never set: while the two disagree by more than a bound, time goes on at the steady one's pace and the problem is
/// reported; it ends when the clock is right again or when a person accepts it.
pub struct StampClock {
    clock: Arc<dyn Clock>,
    /// What was given last.
    last: u64,
    /// The steady clock at that moment.
    steady: u64,
    bound_ns: u64,
    offset_ns: Option<i64>,
}

impl StampClock {
    /// Goes on from `last`, the time of the last record there is (0 for none).
    pub fn new(clock: Arc<dyn Clock>, last: u64, bound_ns: u64) -> Self {
        let (time, steady) = (clock.now().max(last), clock.steady());
        StampClock { clock, last: time, steady, bound_ns, offset_ns: None }
    }

    /// The time to stamp with. A clock that went back by no more than the bound makes it stand still.
    pub fn now(&mut self) -> u64 {
        let (wall, steady) = (self.clock.now(), self.clock.steady());
        let expected = self.last.saturating_add(steady.saturating_sub(self.steady));
        self.steady = steady;
        let is_off = wall.abs_diff(expected) > self.bound_ns;
        self.offset_ns = is_off.then(|| difference(wall, expected));
        self.last = if is_off { expected } else { self.last.max(wall) };
        self.last
    }

    /// Takes the clock's word from now on. One that went back makes time stand still until it has caught up.
    pub fn accept(&mut self) {
        self.last = self.last.max(self.clock.now());
        self.steady = self.clock.steady();
        self.offset_ns = None;
    }

    /// How far the machine's clock is ahead of the time given, while that is more than the bound.
    pub fn offset_ns(&self) -> Option<i64> {
        self.offset_ns
    }

    /// For measuring how long something took.
    pub fn steady(&self) -> u64 {
        self.clock.steady()
    }
}

fn difference(wall: u64, expected: u64) -> i64 {
    let difference = i128::from(wall) - i128::from(expected);
    difference.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const YEAR: u64 = 365 * 86_400 * SECOND;
    const START: u64 = 50 * YEAR;

    #[derive(Default)]
    struct TwoHands {
        wall: AtomicU64,
        steady: AtomicU64,
    }

    impl Clock for TwoHands {
        fn now(&self) -> u64 {
            self.wall.load(Ordering::Relaxed)
        }

        fn steady(&self) -> u64 {
            self.steady.load(Ordering::Relaxed)
        }
    }

    impl TwoHands {
        fn pass(&self, duration_ns: u64) {
            self.wall.fetch_add(duration_ns, Ordering::Relaxed);
            self.steady.fetch_add(duration_ns, Ordering::Relaxed);
        }

        fn set(&self, wall: u64) {
            self.wall.store(wall, Ordering::Relaxed);
        }
    }

    fn started() -> (Arc<TwoHands>, StampClock) {
        let hands = Arc::new(TwoHands::default());
        hands.set(START);
        (hands.clone(), StampClock::new(hands, 0, 10 * SECOND))
    }

    #[test]
    fn an_honest_clock_is_followed() {
        let (hands, mut clock) = started();
        for passed in 1..100 {
            hands.pass(7 * SECOND);
            assert_eq!((clock.now(), clock.offset_ns()), (START + passed * 7 * SECOND, None));
        }
    }

    #[test]
    fn a_small_step_back_makes_time_stand_still() {
        let (hands, mut clock) = started();
        hands.set(START - 2 * SECOND);
        assert_eq!((clock.now(), clock.offset_ns()), (START, None));
        hands.pass(SECOND);
        assert_eq!(clock.now(), START);
        hands.pass(2 * SECOND);
        assert_eq!(clock.now(), START + SECOND);
    }

    #[test]
    fn a_large_step_either_way_is_not_followed_and_is_reported() {
        for (wall, offset) in [(START + YEAR, YEAR as i64), (START - YEAR, -(YEAR as i64))] {
            let (hands, mut clock) = started();
            hands.set(wall);
            assert_eq!((clock.now(), clock.offset_ns()), (START, Some(offset)));
            hands.pass(3 * SECOND);
            assert_eq!((clock.now(), clock.offset_ns()), (START + 3 * SECOND, Some(offset)));
            hands.set(START + 4 * SECOND);
            assert_eq!((clock.now(), clock.offset_ns()), (START + 4 * SECOND, None));
        }
    }

    #[test]
    fn a_person_can_accept_the_clock() {
        let (hands, mut clock) = started();
        hands.set(START + YEAR);
        clock.now();
        clock.accept();
        assert_eq!((clock.now(), clock.offset_ns()), (START + YEAR, None));
    }

    #[test]
    fn the_last_record_is_never_undercut() {
        let hands = Arc::new(TwoHands::default());
        hands.set(START);
        let mut clock = StampClock::new(hands, START + 5, SECOND);
        assert_eq!(clock.now(), START + 5);
    }
}
