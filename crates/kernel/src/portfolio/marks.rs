//! Last known price of every instrument: what positions are valued at.

use crate::state::{State, StateError, StateReader, StateWriter};
use crate::tracked::{EntityHasher, TrackedList};

/// Prices by instrument id, in the instrument's price units. An instrument never priced has no mark, and
/// whatever needs one then refuses or answers `None`: unknown is never taken for zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Index is id - 1: ids are dense, so a mark costs one load per market event.
    prices: TrackedList<Option<i64>>,
}

impl Marks {
    pub fn get(&self, instrument: u32) -> Option<i64> {
        self.prices.get((instrument as usize).wrapping_sub(1)).copied().flatten()
    }

    /// Takes `price` as the last one. `instrument` must be a listed id; 0 names none and is ignored.
    pub fn set(&mut self, instrument: u32, price: i64) {
        let Some(index) = (instrument as usize).checked_sub(1) else { return };
        while index >= self.prices.len() {
            self.prices.push(None);
        }
        if self.prices.get(index) != Some(&Some(price))
            && let Some(mark) = self.prices.get_mut(index)
        {
            *mark = Some(price);
        }
    }

    pub(crate) fn state_sum(&mut self, hasher: &mut EntityHasher) -> u128 {
        self.prices.sum_by(|index, price| hasher.hash("mark", index as u64 + 1, |out| out.option_i64(*price)))
    }
}

impl State for Marks {
    fn write(&self, out: &mut StateWriter) {
        out.length(self.prices.len());
        self.prices.iter().for_each(|price| out.option_i64(*price));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let len = input.length()?;
        let mut prices = TrackedList::default();
        for _ in 0..len {
            prices.push(input.option_i64()?);
        }
        Ok(Marks { prices })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instrument_never_priced_has_no_mark() {
        let mut marks = Marks::default();
        marks.set(3, 700);
        marks.set(0, 1);
        assert_eq!((marks.get(0), marks.get(1), marks.get(3), marks.get(4)), (None, None, Some(700), None));
    }
}
