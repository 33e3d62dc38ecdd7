//! Permitted bounds, by account and instrument.

use std::collections::BTreeMap;

use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};

/// What a limit bounds. The unit is in the comment; values are set by `SetRiskLimit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum LimitKind {
    /// Quantity of one order, in the instrument's quantity units.
    MaxOrderQuantity = 1,
    /// Notional of one order at its reference price, in 10^-9 of the currency.
    MaxOrderNotional = 2,
    /// Largest distance of a limit price from the mark, in 10^-9 of the mark.
    PriceBand = 3,
    /// Orders open at once: of the account when set for every instrument, else in that instrument.
    MaxOpenOrders = 4,
    /// Largest position, long or short, that open orders could lead to, in quantity units.
    MaxPosition = 5,
    /// Gross exposure of the account over its equity, in 10^-9: 1.0 is 10^9.
    MaxLeverage = 6,
    /// Gross exposure in 10^-9 of the currency: of the account when set for every instrument, else in that one.
    MaxGrossExposure = 7,
}

const KINDS: usize = 7;

impl LimitKind {
    pub const ALL: [LimitKind; KINDS] = [
        LimitKind::MaxOrderQuantity,
        LimitKind::MaxOrderNotional,
        LimitKind::PriceBand,
        LimitKind::MaxOpenOrders,
        LimitKind::MaxPosition,
        LimitKind::MaxLeverage,
        LimitKind::MaxGrossExposure,
    ];

    pub fn from_number(number: u64) -> Option<LimitKind> {
        Self::ALL.into_iter().find(|&kind| kind as u64 == number)
    }

    const fn index(self) -> usize {
        self as usize - 1
    }
}

/// The limits set at one place; a kind without value is looked up at the next less specific one.
type LimitSet = [Option<i64>; KINDS];

/// The value that lifts a limit: where it is set, no limit of that kind applies, whatever is set for more.
pub const LIFTED: i64 = i64::MAX;

/// Limits by (account, instrument), where 0 stands for every one. The most specific wins, kind by kind:
/// account and instrument, account, instrument, all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    sets: BTreeMap<(u32, u32), LimitSet>,
}

/// The limits that hold for one order: the sets of account and instrument, of the account, of the instrument, of
/// all, most specific first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Applicable<'a> {
    sets: [Option<&'a LimitSet>; 4],
}

impl Limits {
    /// # Errors
    /// `FieldMustBeInRange` when `value` is negative.
    pub fn set(&mut self, account: u32, instrument: u32, kind: LimitKind, value: i64) -> Result<(), Refusal> {
        if value < 0 {
            return Err(Refusal::new(Rule::FieldMustBeInRange, 0, i128::from(value)));
        }
        self.sets.entry((account, instrument)).or_default()[kind.index()] = Some(value);
        Ok(())
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// All that were set, by (account, instrument).
    pub fn iter(&self) -> impl Iterator<Item = ((u32, u32), LimitKind, i64)> + '_ {
        self.sets.iter().flat_map(|(&place, set)| {
            let values = LimitKind::ALL.into_iter().zip(set);
            values.filter_map(move |(kind, value)| value.map(|value| (place, kind, value)))
        })
    }

    /// The value in force; `None` when there is none or it was lifted.
    pub fn get(&self, account: u32, instrument: u32, kind: LimitKind) -> Option<i64> {
        self.applicable(account, instrument).get(kind)
    }

    pub(super) fn applicable(&self, account: u32, instrument: u32) -> Applicable<'_> {
        if self.sets.is_empty() {
            return Applicable::default();
        }
        let places = [(account, instrument), (account, 0), (0, instrument), (0, 0)];
        Applicable { sets: places.map(|place| self.sets.get(&place)) }
    }
}

impl Applicable<'_> {
    /// Most specific over accounts and instruments.
    pub(super) fn get(&self, kind: LimitKind) -> Option<i64> {
        in_force(kind, self.sets)
    }

    /// Most specific of those set for every instrument: a bound of the account as a whole.
    pub(super) fn account_wide(&self, kind: LimitKind) -> Option<i64> {
        in_force(kind, [self.sets[1], self.sets[3]])
    }

    /// Most specific of those set for this very instrument.
    pub(super) fn instrument_wide(&self, kind: LimitKind) -> Option<i64> {
        in_force(kind, [self.sets[0], self.sets[2]])
    }

    /// Whether no limit was set for any of them.
    pub(super) fn are_none(&self) -> bool {
        self.sets.iter().all(Option::is_none)
    }

    /// Whether the account must be valued.
    pub(super) fn bound_exposure(&self) -> bool {
        self.get(LimitKind::MaxLeverage).is_some() || self.bound_gross()
    }

    pub(super) fn bound_gross(&self) -> bool {
        self.account_wide(LimitKind::MaxGrossExposure).is_some()
            || self.instrument_wide(LimitKind::MaxGrossExposure).is_some()
    }
}

fn in_force<const N: usize>(kind: LimitKind, sets: [Option<&LimitSet>; N]) -> Option<i64> {
    let value = sets.into_iter().flatten().find_map(|set| set[kind.index()]);
    value.filter(|&value| value != LIFTED)
}

impl State for Limits {
    fn write(&self, out: &mut StateWriter) {
        out.length(self.sets.len());
        for (&(account, instrument), set) in &self.sets {
            out.u32(account);
            out.u32(instrument);
            set.iter().for_each(|&value| out.option_i64(value));
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut limits = Limits::default();
        for _ in 0..input.length()? {
            let key = (input.u32()?, input.u32()?);
            let mut set = [None; KINDS];
            for value in &mut set {
                *value = input.option_i64()?;
            }
            limits.sets.insert(key, set);
        }
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_limit_wins_kind_by_kind() {
        let mut limits = Limits::default();
        let kind = LimitKind::MaxPosition;
        for (account, instrument, value) in [(0, 0, 1), (0, 2, 2), (1, 0, 3), (1, 2, 4)] {
            limits.set(account, instrument, kind, value).unwrap();
        }
        limits.set(1, 2, LimitKind::PriceBand, 9).unwrap();
        for (account, instrument, value) in [(9, 9, 1), (9, 2, 2), (1, 9, 3), (1, 2, 4)] {
            assert_eq!(limits.get(account, instrument, kind), Some(value), "{account}/{instrument}");
        }
        assert_eq!(limits.get(9, 9, LimitKind::PriceBand), None);
    }

    #[test]
    fn a_lifted_limit_hides_the_less_specific_one() {
        let mut limits = Limits::default();
        limits.set(0, 0, LimitKind::MaxLeverage, 5).unwrap();
        limits.set(7, 0, LimitKind::MaxLeverage, LIFTED).unwrap();
        assert_eq!(limits.get(7, 1, LimitKind::MaxLeverage), None);
        assert_eq!(limits.get(8, 1, LimitKind::MaxLeverage), Some(5));
    }

    #[test]
    fn a_negative_limit_is_refused() {
        let refusal = Limits::default().set(0, 0, LimitKind::MaxLeverage, -1).unwrap_err();
        assert_eq!(refusal, Refusal::new(Rule::FieldMustBeInRange, 0, -1));
    }

    #[test]
    fn every_number_finds_its_kind() {
        for kind in LimitKind::ALL {
            assert_eq!(LimitKind::from_number(kind as u64), Some(kind));
        }
        assert_eq!((LimitKind::from_number(0), LimitKind::from_number(8)), (None, None));
    }
}
