//! Streaming indicators: one value in, one value out, nothing looked at twice.
//!
//! They use `+ - x /` on doubles only, so a run gives the same bits on every machine.

mod ema;
mod sma;
mod sum;

pub use ema::Ema;
pub use sma::Sma;

use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};

/// Longest period: bounds the memory one command can ask for.
pub const MAX_PERIOD: u64 = 1_000_000;

/// A figure that follows a series of values.
pub trait Indicator {
    /// Takes the next value of the series.
    fn update(&mut self, value: f64);

    /// The figure after the last update; `None` until `period` values have been seen.
    fn value(&self) -> Option<f64>;

    /// The figure before the last update: with [`Indicator::value`] it tells a crossover.
    fn previous(&self) -> Option<f64>;

    fn ready(&self) -> bool {
        self.value().is_some()
    }
}

/// What [`Indicator::value`] and [`Indicator::previous`] answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Output {
    value: Option<f64>,
    previous: Option<f64>,
}

impl Output {
    fn push(&mut self, value: Option<f64>) {
        self.previous = self.value;
        self.value = value;
    }
}

impl State for Output {
    fn write(&self, out: &mut StateWriter) {
        out.option_u64(self.value.map(f64::to_bits));
        out.option_u64(self.previous.map(f64::to_bits));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Output {
            value: input.option_u64()?.map(f64::from_bits),
            previous: input.option_u64()?.map(f64::from_bits),
        })
    }
}

macro_rules! indicators {
    ($($(#[$doc:meta])* $name:ident = $number:literal => $label:literal,)*) => {
        /// Which indicator, by the number in `AddIndicator`. Append-only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum IndicatorKind { $($(#[$doc])* $name = $number,)* }

        impl IndicatorKind {
            pub const ALL: &'static [IndicatorKind] = &[$(IndicatorKind::$name,)*];

            pub const fn from_number(number: u64) -> Option<IndicatorKind> {
                match number { $($number => Some(IndicatorKind::$name),)* _ => None }
            }

            pub const fn name(self) -> &'static str {
                match self { $(IndicatorKind::$name => $label,)* }
            }
        }

        /// Any of the indicators, chosen at run time.
        #[derive(Clone, Debug, PartialEq)]
        pub enum AnyIndicator { $($name($name),)* }

        impl AnyIndicator {
            fn of(kind: IndicatorKind, period: usize) -> Self {
                match kind { $(IndicatorKind::$name => AnyIndicator::$name($name::new(period)),)* }
            }

            pub fn kind(&self) -> IndicatorKind {
                match self { $(AnyIndicator::$name(_) => IndicatorKind::$name,)* }
            }
        }

        impl Indicator for AnyIndicator {
            fn update(&mut self, value: f64) {
                match self { $(AnyIndicator::$name(inner) => inner.update(value),)* }
            }

            fn value(&self) -> Option<f64> {
                match self { $(AnyIndicator::$name(inner) => inner.value(),)* }
            }

            fn previous(&self) -> Option<f64> {
                match self { $(AnyIndicator::$name(inner) => inner.previous(),)* }
            }
        }

        impl State for AnyIndicator {
            fn write(&self, out: &mut StateWriter) {
                out.u8(self.kind() as u8);
                match self { $(AnyIndicator::$name(inner) => inner.write(out),)* }
            }

            fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
                let number = u64::from(input.u8()?);
                match IndicatorKind::from_number(number) {
                    $(Some(IndicatorKind::$name) => Ok(AnyIndicator::$name($name::read(input)?)),)*
                    None => Err(input.invalid("indicator kind", number)),
                }
            }
        }
    };
}

indicators! {
    /// Simple moving average.
    Sma = 1 => "SMA",
    /// Exponential moving average.
    Ema = 2 => "EMA",
}

impl AnyIndicator {
    /// The indicator numbered `kind` over `period` values.
    ///
    /// # Errors
    /// `TermsMustBeKnown` for an unknown kind, `FieldMustBeInRange` for a period outside 1 to [`MAX_PERIOD`].
    pub fn new(kind: u64, period: u64) -> Result<Self, Refusal> {
        let known = IndicatorKind::from_number(kind).ok_or(Refusal::new(
            Rule::TermsMustBeKnown,
            0,
            i128::from(kind),
        ))?;
        if period == 0 || period > MAX_PERIOD {
            return Err(Refusal::new(Rule::FieldMustBeInRange, i128::from(MAX_PERIOD), i128::from(period)));
        }
        Ok(AnyIndicator::of(known, period as usize))
    }
}

/// Reads a period that [`AnyIndicator::new`] would have admitted.
fn read_period(input: &mut StateReader<'_>) -> Result<usize, StateError> {
    let period = input.u64()?;
    if period == 0 || period > MAX_PERIOD {
        return Err(input.invalid("indicator period", period));
    }
    Ok(period as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unknown_kinds_and_periods_out_of_range_are_refused_by_name() {
        assert_eq!(AnyIndicator::new(9, 5).unwrap_err().rule, Rule::TermsMustBeKnown);
        assert_eq!(AnyIndicator::new(1, 0).unwrap_err().rule, Rule::FieldMustBeInRange);
        assert_eq!(AnyIndicator::new(2, MAX_PERIOD + 1).unwrap_err().rule, Rule::FieldMustBeInRange);
    }

    #[test]
    fn previous_is_the_value_before_the_last_update() {
        for &kind in IndicatorKind::ALL {
            let mut indicator = AnyIndicator::new(kind as u64, 2).unwrap();
            indicator.update(1.0);
            assert_eq!((indicator.value(), indicator.ready()), (None, false));
            indicator.update(3.0);
            assert_eq!((indicator.value(), indicator.previous()), (Some(2.0), None));
            indicator.update(5.0);
            assert_eq!(indicator.previous(), Some(2.0));
        }
    }

    fn bytes_of(indicator: &AnyIndicator) -> Vec<u8> {
        let mut out = StateWriter::new();
        indicator.write(&mut out);
        out.into_bytes()
    }

    proptest! {
        #[test]
        fn a_restored_indicator_has_the_same_bytes_and_the_same_future(
            kind in 1u64..=2,
            period in 1u64..9,
            before in prop::collection::vec(-1e6f64..1e6, 0..40),
            after in prop::collection::vec(-1e6f64..1e6, 0..40),
        ) {
            let mut one = AnyIndicator::new(kind, period).unwrap();
            before.iter().for_each(|&value| one.update(value));
            let bytes = bytes_of(&one);
            let mut input = StateReader::new(&bytes);
            let mut two = AnyIndicator::read(&mut input).unwrap();
            input.finish().unwrap();
            prop_assert_eq!(&bytes_of(&two), &bytes);
            for value in after {
                one.update(value);
                two.update(value);
                prop_assert_eq!(bytes_of(&one), bytes_of(&two));
            }
        }
    }
}
