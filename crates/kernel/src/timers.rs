//! Timers, fired by the kernel in (time, owner, id) order.

use std::collections::BTreeSet;

use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::tracked::{EntityHasher, TrackedMap};

/// Who started the timer, and the name it gave it.
pub type TimerKey = (u16, u64);

/// One timer; `interval_ns` 0 fires once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    pub participant: u16,
    pub timer_id: u64,
    pub due_time: u64,
    pub interval_ns: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timers {
    by_key: TrackedMap<TimerKey, Timer>,
    by_time: BTreeSet<(u64, TimerKey)>,
}

impl Timers {
    /// Starts a timer; one of the same owner and id is replaced.
    pub fn start(&mut self, timer: Timer) {
        let key = (timer.participant, timer.timer_id);
        if let Some(before) = self.by_key.insert(key, timer) {
            self.by_time.remove(&(before.due_time, key));
        }
        self.by_time.insert((timer.due_time, key));
    }

    /// # Errors
    /// `TimerMustExist` when the participant has no such timer.
    pub fn cancel(&mut self, participant: u16, timer_id: u64) -> Result<(), Refusal> {
        let key = (participant, timer_id);
        let timer =
            self.by_key.remove(key).ok_or(Refusal::new(Rule::TimerMustExist, 0, i128::from(timer_id)))?;
        self.by_time.remove(&(timer.due_time, key));
        Ok(())
    }

    pub fn get(&self, key: TimerKey) -> Option<&Timer> {
        self.by_key.get(key)
    }

    /// In the order of their owners and names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (TimerKey, &Timer)> {
        self.by_key.iter()
    }

    pub fn next_due(&self) -> Option<u64> {
        self.by_time.first().map(|(time, _)| *time)
    }

    /// The first timer due at or before `time`; a repeating one is set to its next time.
    pub fn take_due(&mut self, time: u64) -> Option<Timer> {
        let &(due, key) = self.by_time.first()?;
        if due > time {
            return None;
        }
        self.by_time.pop_first();
        let fired = self.by_key.remove(key)?;
        // One whose next time lies beyond the end of time has fired for the last time.
        if let Some(due_time) = due.checked_add(fired.interval_ns).filter(|_| fired.interval_ns > 0) {
            self.start(Timer { due_time, ..fired });
        }
        Some(fired)
    }

    pub(crate) fn state_sum(&mut self, hasher: &mut EntityHasher) -> u128 {
        self.by_key.sum("timer", hasher)
    }

    pub fn remove_all_of(&mut self, participant: u16) {
        self.by_key.retain(|key, _| key.0 != participant);
        self.by_time.retain(|(_, key)| key.0 != participant);
    }
}

impl State for Timer {
    fn write(&self, out: &mut StateWriter) {
        out.u16(self.participant);
        out.u64(self.timer_id);
        out.u64(self.due_time);
        out.u64(self.interval_ns);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Timer {
            participant: input.u16()?,
            timer_id: input.u64()?,
            due_time: input.u64()?,
            interval_ns: input.u64()?,
        })
    }
}

impl State for Timers {
    fn write(&self, out: &mut StateWriter) {
        out.list(self.by_key.values());
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut timers = Timers::default();
        input.list()?.into_iter().for_each(|timer| timers.start(timer));
        Ok(timers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer(participant: u16, timer_id: u64, due_time: u64, interval_ns: u64) -> Timer {
        Timer { participant, timer_id, due_time, interval_ns }
    }

    #[test]
    fn timers_fire_in_time_then_owner_then_id_order() {
        let mut timers = Timers::default();
        for (participant, id, due) in [(2, 1, 50), (1, 9, 50), (1, 2, 50), (3, 1, 40)] {
            timers.start(timer(participant, id, due, 0));
        }
        let fired: Vec<_> =
            std::iter::from_fn(|| timers.take_due(50)).map(|t| (t.participant, t.timer_id)).collect();
        assert_eq!(fired, [(3, 1), (1, 2), (1, 9), (2, 1)]);
        assert_eq!(timers, Timers::default());
    }

    #[test]
    fn a_repeating_timer_comes_back_after_its_interval() {
        let mut timers = Timers::default();
        timers.start(timer(1, 1, 10, 5));
        assert_eq!(timers.take_due(12).map(|t| t.due_time), Some(10));
        assert_eq!(timers.take_due(12), None);
        assert_eq!(timers.next_due(), Some(15));
    }

    #[test]
    fn starting_a_timer_again_moves_it() {
        let mut timers = Timers::default();
        timers.start(timer(1, 1, 10, 0));
        timers.start(timer(1, 1, 20, 0));
        assert_eq!(timers.next_due(), Some(20));
        assert!(timers.cancel(1, 1).is_ok());
        assert_eq!(timers.cancel(1, 1), Err(Refusal::new(Rule::TimerMustExist, 0, 1)));
    }
}
