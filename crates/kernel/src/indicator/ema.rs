//! Exponential moving average.

use super::sum::Sum;
use super::{Indicator, Output, read_period};
use crate::state::{State, StateError, StateReader, StateWriter};

/// `value += (x - value) * 2 / (period + 1)`, seeded with the mean of the first `period` values: what TA-Lib
/// does in its default compatibility mode, and so what most charts show. Seeding with the first value alone
/// (pandas `ewm(adjust=False)`) gives other figures for the first few periods.
#[derive(Clone, Debug, PartialEq)]
pub struct Ema {
    period: usize,
    weight: f64,
    /// Values seen while seeding, at most `period`, and their sum.
    seen: usize,
    seed: Sum,
    output: Output,
}

impl Ema {
    /// An average over `period` values, at least 1.
    pub fn new(period: usize) -> Self {
        let period = period.max(1);
        let weight = 2.0 / (period as f64 + 1.0);
        Ema { period, weight, seen: 0, seed: Sum::default(), output: Output::default() }
    }

    /// Takes one of the first `period` values; the last of them gives the seed.
    fn seed(&mut self, value: f64) -> Option<f64> {
        self.seed.add(value);
        self.seen += 1;
        (self.seen == self.period).then(|| self.seed.mean(self.period))
    }
}

impl Indicator for Ema {
    fn update(&mut self, value: f64) {
        let next = match self.output.value {
            Some(last) => Some((value - last) * self.weight + last),
            None => self.seed(value),
        };
        self.output.push(next);
    }

    fn value(&self) -> Option<f64> {
        self.output.value
    }

    fn previous(&self) -> Option<f64> {
        self.output.previous
    }
}

impl State for Ema {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.period as u64);
        out.u64(self.seen as u64);
        self.seed.write(out);
        self.output.write(out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut ema = Ema::new(read_period(input)?);
        let seen = input.u64()?;
        ema.seed = Sum::read(input)?;
        ema.output = Output::read(input)?;
        if seen > ema.period as u64 || ema.output.value.is_some() != (seen == ema.period as u64) {
            return Err(input.invalid("count of values seen", seen));
        }
        ema.seen = seen as usize;
        Ok(ema)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_is_the_mean_and_then_each_value_weighs_two_over_period_plus_one() {
        let mut ema = Ema::new(3);
        let values: Vec<_> = [1.0, 2.0, 6.0, 7.0, 1.0]
            .map(|value| {
                ema.update(value);
                ema.value()
            })
            .into();
        assert_eq!(values, [None, None, Some(3.0), Some(5.0), Some(3.0)]);
    }

    #[test]
    fn a_state_that_is_seeded_without_a_value_is_refused() {
        let mut ema = Ema::new(3);
        ema.update(1.0);
        ema.seen = 3;
        let mut out = StateWriter::new();
        ema.write(&mut out);
        assert!(Ema::read(&mut StateReader::new(out.as_slice())).is_err());
    }
}
