//! The output gate: events wait here until their cause is durable.

use crate::record::Slot;
use crate::sabotage::{Check, is_removed};

/// Slots that may have gone before the rest is moved to the front.
const COMPACT_SLOTS: usize = 4096;

/// Events in the order of their causes.
#[derive(Debug, Default)]
pub(super) struct OutputGate {
    slots: Vec<Slot>,
    /// Slots at the front that have left.
    gone: usize,
}

impl OutputGate {
    pub fn extend(&mut self, events: &[Slot]) {
        self.slots.extend_from_slice(events);
    }

    /// Slots that have not left.
    pub fn held(&self) -> usize {
        self.slots.len() - self.gone
    }

    /// Whole events whose cause is at most `durable_sequence`.
    pub fn released(&self, durable_sequence: u64) -> &[Slot] {
        let durable_sequence = if is_removed(Check::OutputGate) { u64::MAX } else { durable_sequence };
        let held = &self.slots[self.gone..];
        match held.last() {
            Some(last) if last.sequence <= durable_sequence => held,
            _ => &held[..held.partition_point(|slot| slot.sequence <= durable_sequence)],
        }
    }

    /// The first `count` slots have left.
    pub fn let_go(&mut self, count: usize) {
        self.gone += count;
        if self.gone == self.slots.len() {
            self.clear();
        } else if self.gone >= COMPACT_SLOTS && self.gone >= self.slots.len() / 2 {
            self.slots.drain(..self.gone);
            self.gone = 0;
        }
    }

    pub fn take(&mut self, durable_sequence: u64) -> Vec<Slot> {
        let released = self.released(durable_sequence);
        if released.len() == self.slots.len() {
            return std::mem::take(&mut self.slots);
        }
        let taken = released.to_vec();
        self.let_go(taken.len());
        taken
    }

    pub fn clear(&mut self) {
        self.slots.clear();
        self.gone = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(sequences: std::ops::Range<u64>) -> Vec<Slot> {
        sequences.map(|sequence| Slot { sequence, ..Slot::ZERO }).collect()
    }

    #[test]
    fn nothing_leaves_before_its_cause_is_durable() {
        let mut gate = OutputGate::default();
        gate.extend(&events(1..10));
        assert_eq!(gate.take(0), []);
        assert_eq!(gate.take(4), events(1..5));
        assert_eq!((gate.take(4), gate.held()), (vec![], 5));
        assert_eq!(gate.take(20), events(5..10));
        assert_eq!(gate.held(), 0);
    }

    #[test]
    fn events_let_go_piece_by_piece_stay_in_order() {
        let mut gate = OutputGate::default();
        let mut left = Vec::new();
        for round in 0..100 {
            gate.extend(&events(round * 1000..(round + 1) * 1000));
            let released = gate.released(round * 990);
            let piece = &released[..released.len().min(999)];
            left.extend_from_slice(piece);
            let count = piece.len();
            gate.let_go(count);
        }
        left.extend(gate.take(u64::MAX));
        assert_eq!(left, events(0..100_000));
    }
}
