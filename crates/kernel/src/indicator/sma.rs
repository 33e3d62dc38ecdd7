//! Simple moving average: the mean of the last `period` values.

use super::sum::Sum;
use super::{Indicator, Output, read_period};
use crate::state::{State, StateError, StateReader, StateWriter};

/// The plain running sum (add the newest, subtract the oldest) drifts, and two averages of equal values then
/// compare as if they had crossed. This one keeps its rounding errors, and each time the ring has turned once
/// it goes on with a sum made of the ring's values alone, so nothing older lives on in it. The result is the
/// double nearest to the true mean of the window.
#[derive(Clone, Debug, PartialEq)]
pub struct Sma {
    period: usize,
    /// The last values, oldest at `next` once full.
    ring: Vec<f64>,
    next: usize,
    window: Sum,
    /// Sum of the values since the ring last began: the whole window when it ends.
    turn: Sum,
    output: Output,
}

impl Sma {
    /// An average over `period` values, at least 1.
    pub fn new(period: usize) -> Self {
        Sma {
            period: period.max(1),
            ring: Vec::new(),
            next: 0,
            window: Sum::default(),
            turn: Sum::default(),
            output: Output::default(),
        }
    }

    /// Puts `value` in the place of the oldest one.
    fn shift(&mut self, value: f64) {
        if self.ring.len() < self.period {
            self.ring.push(value);
        } else {
            self.window.add(-self.ring[self.next]);
            self.ring[self.next] = value;
        }
        self.window.add(value);
        self.turn.add(value);
        self.next += 1;
        if self.next == self.period {
            self.window = std::mem::take(&mut self.turn);
            self.next = 0;
        }
    }
}

impl Indicator for Sma {
    fn update(&mut self, value: f64) {
        self.shift(value);
        let full = self.ring.len() == self.period;
        self.output.push(full.then(|| self.window.mean(self.period)));
    }

    fn value(&self) -> Option<f64> {
        self.output.value
    }

    fn previous(&self) -> Option<f64> {
        self.output.previous
    }
}

impl State for Sma {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.period as u64);
        out.length(self.ring.len());
        self.ring.iter().for_each(|&value| out.f64(value));
        out.u64(self.next as u64);
        self.window.write(out);
        self.turn.write(out);
        self.output.write(out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let period = read_period(input)?;
        let len = input.length()?;
        let ring = (0..len).map(|_| input.f64()).collect::<Result<Vec<_>, _>>()?;
        let next = input.u64()?;
        // A ring that is not full yet is written from its start.
        let consistent =
            if len < period { next == len as u64 } else { len == period && next < period as u64 };
        if !consistent {
            return Err(input.invalid("place in the ring", next));
        }
        Ok(Sma {
            period,
            ring,
            next: next as usize,
            window: Sum::read(input)?,
            turn: Sum::read(input)?,
            output: Output::read(input)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prices of a seeded random walk on a 0.01 tick, far from the powers of two that hide rounding.
    fn walk(steps: usize) -> impl Iterator<Item = f64> {
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        let mut cents = 6_184_237i64;
        (0..steps).map(move |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            cents = (cents + (state >> 54) as i64 - 511).max(1);
            cents as f64 / 100.0
        })
    }

    /// Mean of a window summed afresh.
    fn fresh_mean(window: &[f64]) -> f64 {
        let mut sum = Sum::default();
        window.iter().for_each(|&value| sum.add(value));
        sum.mean(window.len())
    }

    #[test]
    fn a_million_steps_do_not_drift_by_one_bit() {
        let values: Vec<f64> = walk(1_000_000).collect();
        for period in [1, 7, 30] {
            let mut sma = Sma::new(period);
            for (index, &value) in values.iter().enumerate() {
                sma.update(value);
                if index + 1 >= period {
                    let expected = fresh_mean(&values[index + 1 - period..=index]);
                    assert_eq!(sma.value(), Some(expected), "period {period}, step {index}");
                }
            }
        }
    }

    #[test]
    fn averages_of_a_constant_are_that_constant_whatever_the_period() {
        let mut averages: Vec<Sma> = [3, 10, 30, 49].map(Sma::new).into();
        for value in std::iter::repeat_n(0.3, 40).chain(std::iter::repeat_n(0.1, 200)) {
            averages.iter_mut().for_each(|sma| sma.update(value));
        }
        assert!(averages.iter().all(|sma| sma.value() == Some(0.1)), "{averages:?}");
    }

    #[test]
    fn one_huge_value_leaves_nothing_behind() {
        let mut sma = Sma::new(4);
        for value in [1.0, 1e300, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0] {
            sma.update(value);
        }
        assert_eq!(sma.value(), Some(4.5));
    }

    #[test]
    fn a_state_whose_place_lies_outside_the_ring_is_refused() {
        let mut sma = Sma::new(3);
        walk(5).for_each(|value| sma.update(value));
        sma.next = 3;
        let mut out = StateWriter::new();
        sma.write(&mut out);
        assert!(Sma::read(&mut StateReader::new(out.as_slice())).is_err());
    }
}
