//! Last known price of every instrument: what positions are valued at.

use crate::state::{State, StateError, StateReader, StateWriter};

/// Prices by instrument id, in the instrument's price units. An instrument never priced has no mark, and
/// whatever needs one then refuses or answers `None`: unknown is never taken for zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Index is id - 1: ids are dense, so a mark costs one load per market event.
    prices: Vec<Option<i64>>,
}

impl Marks {
    pub fn get(&self, instrument: u32) -> Option<i64> {
        self.prices.get((instrument as usize).wrapping_sub(1)).copied().flatten()
    }

    /// Takes `price` as the last one. `instrument` must be a listed id; 0 names none and is ignored.
    pub fn set(&mut self, instrument: u32, price: i64) {
        let Some(index) = (instrument as usize).checked_sub(1) else { return };
        if index >= self.prices.len() {
            self.prices.resize(index + 1, None);
        }
        self.prices[index] = Some(price);
    }
}

impl State for Marks {
    fn write(&self, out: &mut StateWriter) {
        out.length(self.prices.len());
        self.prices.iter().for_each(|&price| out.option_i64(price));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let len = input.length()?;
        let prices = (0..len).map(|_| input.option_i64()).collect::<Result<_, _>>()?;
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
