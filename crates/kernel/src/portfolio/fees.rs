//! What a fill costs: a rate for makers, one for takers, a flat part.

use crate::hash::Table;
use crate::money::{NANO, Nano, divide_half_even};
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::Liquidity;

/// Largest rate, either sign: the whole notional.
pub const MAX_RATE: i64 = NANO as i64;

/// Fees of one fill. Rates are in 10^-9 of the notional (negative = rebate), `flat_nano` in 10^-9 of the
/// currency per fill. `external`: a model outside the kernel names the real fee of each fill, and what this
/// schedule gives is only held back when an order is sized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeSchedule {
    pub maker_rate: i64,
    pub taker_rate: i64,
    pub flat_nano: i64,
    pub external: bool,
}

impl FeeSchedule {
    pub const FREE: FeeSchedule = FeeSchedule { maker_rate: 0, taker_rate: 0, flat_nano: 0, external: false };

    /// Fee of a fill worth `notional` (its absolute value counts), rounded half-even once.
    pub fn fee(&self, notional: Nano, liquidity: Liquidity) -> Nano {
        let rate = match liquidity {
            Liquidity::Maker => self.maker_rate,
            Liquidity::Taker => self.taker_rate,
        };
        rated(notional.saturating_abs(), rate).saturating_add(Nano::from(self.flat_nano))
    }

    /// The most a fill worth `notional` can cost when it is not known yet who makes and who takes; a rebate
    /// is not counted on.
    pub fn worst_fee(&self, notional: Nano) -> Nano {
        let maker = self.fee(notional, Liquidity::Maker);
        maker.max(self.fee(notional, Liquidity::Taker)).max(0)
    }

    /// The rate [`FeeSchedule::worst_fee`] grows with.
    pub(crate) fn worst_rate(&self) -> i64 {
        self.maker_rate.max(self.taker_rate).max(0)
    }
}

/// `notional x rate`, where the product may not fit although the result does: rates are at most 1.
fn rated(notional: Nano, rate: i64) -> Nano {
    match notional.checked_mul(Nano::from(rate)) {
        Some(product) => divide_half_even(product, NANO),
        None => divide_half_even(notional, NANO).saturating_mul(Nano::from(rate)),
    }
}

impl State for FeeSchedule {
    fn write(&self, out: &mut StateWriter) {
        out.i64(self.maker_rate);
        out.i64(self.taker_rate);
        out.i64(self.flat_nano);
        out.bool(self.external);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (maker_rate, taker_rate, flat_nano) = (input.i64()?, input.i64()?, input.i64()?);
        Ok(FeeSchedule { maker_rate, taker_rate, flat_nano, external: input.bool()? })
    }
}

/// Schedules by (account, instrument), where 0 stands for every one. The most specific wins: account and
/// instrument, account, instrument, all. Without any, trading is free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeeSchedules {
    /// Looked up for every fill; written in the order of the keys.
    schedules: Table<(u32, u32), FeeSchedule>,
    /// Whether there are any for an account and an instrument, an account, an instrument, all: what nobody set need not
    /// be looked for.
    kinds: [bool; 4],
}

impl FeeSchedules {
    /// # Errors
    /// `FieldMustBeInRange` when a rate is above 1 or below -1 or the flat part is negative.
    pub fn set(&mut self, account: u32, instrument: u32, schedule: FeeSchedule) -> Result<(), Refusal> {
        for rate in [schedule.maker_rate, schedule.taker_rate] {
            if !(-MAX_RATE..=MAX_RATE).contains(&rate) {
                return Err(Refusal::new(Rule::FieldMustBeInRange, i128::from(MAX_RATE), i128::from(rate)));
            }
        }
        if schedule.flat_nano < 0 {
            return Err(Refusal::new(Rule::FieldMustBeInRange, 0, i128::from(schedule.flat_nano)));
        }
        self.keep(account, instrument, schedule);
        Ok(())
    }

    fn keep(&mut self, account: u32, instrument: u32, schedule: FeeSchedule) {
        self.kinds[usize::from(account == 0) << 1 | usize::from(instrument == 0)] = true;
        self.schedules.insert((account, instrument), schedule);
    }

    pub fn for_(&self, account: u32, instrument: u32) -> FeeSchedule {
        [(account, instrument), (account, 0), (0, instrument), (0, 0)]
            .iter()
            .zip(self.kinds)
            .filter(|(_, is_there)| *is_there)
            .find_map(|(key, _)| self.schedules.get(key))
            .copied()
            .unwrap_or(FeeSchedule::FREE)
    }
}

impl State for FeeSchedules {
    fn write(&self, out: &mut StateWriter) {
        out.length(self.schedules.len());
        let mut sorted: Vec<_> = self.schedules.iter().collect();
        sorted.sort_unstable_by_key(|(place, _)| **place);
        for (&(account, instrument), schedule) in sorted {
            out.u32(account);
            out.u32(instrument);
            schedule.write(out);
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut schedules = FeeSchedules::default();
        for _ in 0..input.length()? {
            let (account, instrument) = (input.u32()?, input.u32()?);
            schedules.keep(account, instrument, FeeSchedule::read(input)?);
        }
        Ok(schedules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_BASIS_POINTS: i64 = 1_000_000;

    fn taker(rate: i64) -> FeeSchedule {
        FeeSchedule { taker_rate: rate, ..FeeSchedule::FREE }
    }

    #[test]
    fn a_fee_is_rounded_half_even_once_and_the_flat_part_comes_on_top() {
        let schedule =
            FeeSchedule { maker_rate: -500_000_000, taker_rate: 500_000_000, flat_nano: 7, external: false };
        for (notional, liquidity, expected) in [
            (3, Liquidity::Taker, 2 + 7),
            (5, Liquidity::Taker, 2 + 7),
            (-5, Liquidity::Taker, 2 + 7),
            (3, Liquidity::Maker, -2 + 7),
            (0, Liquidity::Taker, 7),
        ] {
            assert_eq!(schedule.fee(notional, liquidity), expected, "{notional} {liquidity:?}");
        }
    }

    #[test]
    fn the_largest_notional_is_charged_without_overflow() {
        let whole = taker(MAX_RATE).fee(i128::MAX, Liquidity::Taker);
        assert!((i128::MAX - whole) < NANO, "{whole}");
    }

    #[test]
    fn a_rebate_is_not_counted_on_when_fees_are_held_back() {
        assert_eq!(taker(-TEN_BASIS_POINTS).worst_fee(10_000), 0);
        assert_eq!(FeeSchedule { maker_rate: TEN_BASIS_POINTS, ..taker(0) }.worst_fee(10_000), 10);
    }

    #[test]
    fn the_most_specific_schedule_wins() {
        let mut schedules = FeeSchedules::default();
        assert_eq!(schedules.for_(1, 1), FeeSchedule::FREE);
        for (account, instrument, rate) in [(0, 0, 1), (0, 2, 2), (1, 0, 3), (1, 2, 4)] {
            schedules.set(account, instrument, taker(rate)).unwrap();
        }
        for (account, instrument, rate) in [(9, 9, 1), (9, 2, 2), (1, 9, 3), (1, 2, 4)] {
            assert_eq!(schedules.for_(account, instrument).taker_rate, rate, "{account}/{instrument}");
        }
    }

    #[test]
    fn a_rate_above_the_notional_and_a_negative_flat_part_are_refused() {
        let mut schedules = FeeSchedules::default();
        let refusal = schedules.set(0, 0, taker(MAX_RATE + 1)).unwrap_err();
        assert_eq!(refusal, Refusal::new(Rule::FieldMustBeInRange, 1_000_000_000, 1_000_000_001));
        let refusal = schedules.set(0, 0, FeeSchedule { flat_nano: -1, ..taker(0) }).unwrap_err();
        assert_eq!(refusal, Refusal::new(Rule::FieldMustBeInRange, 0, -1));
    }
}
