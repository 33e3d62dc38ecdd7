//! The prices an instrument may trade at: static bands around a reference price, dynamic ones around the last trade.

use crate::instrument::MAX_UNITS;
use crate::money::NANO;
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::TradingSession;

/// From `low` to `high`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceRange {
    pub low: i64,
    pub high: i64,
}

impl PriceRange {
    /// The prices at most `width` (10^-9 of the reference) or `units` away from `reference`, whichever is farther, rounded
    /// towards it.
    pub fn around(reference: i64, width: u32, units: i64) -> Self {
        let center = i128::from(reference);
        let distance = (center.abs() * i128::from(width) / NANO).max(i128::from(units));
        // Half the width of a price, at most: cannot leave 64 bits.
        let bound = |value: i128| value.clamp(i128::from(i64::MIN / 2), i128::from(i64::MAX / 2)) as i64;
        PriceRange { low: bound(center - distance), high: bound(center + distance) }
    }

    pub fn contains(self, price: i64) -> bool {
        (self.low..=self.high).contains(&price)
    }

    /// The prices in both.
    #[must_use]
    pub fn and(self, other: PriceRange) -> PriceRange {
        PriceRange { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    /// # Errors
    /// `PriceMustBeWithinBands` with the bound that `price` lies beyond.
    pub fn check(self, price: i64) -> Result<(), Refusal> {
        let bound = if price < self.low { self.low } else { self.high };
        if self.contains(price) {
            return Ok(());
        }
        Err(Refusal::new(Rule::PriceMustBeWithinBands, i128::from(bound), i128::from(price)))
    }
}

/// Widths of an instrument's bands and what a breach does. Widths are in 10^-9 of the reference price, 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceBands {
    /// Around the reference price: the last auction's, or as set by command. Orders outside are refused.
    pub static_width: u32,
    /// Around the last trade before the order. An order that would trade outside starts `on_breach`.
    pub dynamic_width: u32,
    /// The same in price units, 0 for none: a share of a price near zero is nothing. The wider of the two holds.
    pub static_units: i64,
    pub dynamic_units: i64,
    /// `VolatilityAuction` or `Halted`.
    pub on_breach: TradingSession,
    /// How long that lasts; 0 until a command ends it.
    pub duration_ns: u64,
}

impl PriceBands {
    /// No bands.
    pub const NONE: PriceBands = PriceBands {
        static_width: 0,
        dynamic_width: 0,
        static_units: 0,
        dynamic_units: 0,
        on_breach: TradingSession::VolatilityAuction,
        duration_ns: 0,
    };

    /// # Errors
    /// `FieldMustBeInRange` when a width is the whole price or more, or a breach leads to another session.
    pub fn check(&self) -> Result<(), Refusal> {
        let refuse = |limit: i128, actual: i128| Err(Refusal::new(Rule::FieldMustBeInRange, limit, actual));
        let widest = self.static_width.max(self.dynamic_width);
        if i128::from(widest) >= NANO {
            return refuse(NANO - 1, i128::from(widest));
        }
        for units in [self.static_units, self.dynamic_units] {
            if !(0..=MAX_UNITS).contains(&units) {
                return refuse(i128::from(MAX_UNITS), i128::from(units));
            }
        }
        match self.on_breach {
            TradingSession::VolatilityAuction | TradingSession::Halted => Ok(()),
            other => refuse(TradingSession::VolatilityAuction as i128, other as i128),
        }
    }

    /// A share of a price is no width where prices cross zero.
    ///
    /// # Errors
    /// `BandMustHaveAbsoluteWidth` for a band that has a share only.
    pub fn require_absolute_widths(&self) -> Result<(), Refusal> {
        for (share, units) in
            [(self.static_width, self.static_units), (self.dynamic_width, self.dynamic_units)]
        {
            if share > 0 && units == 0 {
                return Err(Refusal::new(Rule::BandMustHaveAbsoluteWidth, 1, 0));
            }
        }
        Ok(())
    }

    /// Where limit orders may lie.
    pub fn for_orders(&self, reference: Option<i64>) -> Option<PriceRange> {
        let (width, units) = (self.static_width, self.static_units);
        let center = reference.filter(|_| width > 0 || units > 0)?;
        Some(PriceRange::around(center, width, units))
    }

    /// Where trades may happen.
    pub fn for_trades(&self, reference: Option<i64>, last: Option<i64>) -> Option<PriceRange> {
        let (width, units) = (self.dynamic_width, self.dynamic_units);
        let dynamic = last.or(reference).filter(|_| width > 0 || units > 0);
        let dynamic = dynamic.map(|center| PriceRange::around(center, width, units));
        match (self.for_orders(reference), dynamic) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        }
    }
}

impl State for PriceBands {
    fn write(&self, out: &mut StateWriter) {
        out.u32(self.static_width);
        out.u32(self.dynamic_width);
        out.i64(self.static_units);
        out.i64(self.dynamic_units);
        out.u8(self.on_breach as u8);
        out.u64(self.duration_ns);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (static_width, dynamic_width) = (input.u32()?, input.u32()?);
        let (static_units, dynamic_units, session) = (input.i64()?, input.i64()?, input.u8()?);
        let on_breach = TradingSession::from_number(session)
            .ok_or_else(|| input.invalid("trading session", u64::from(session)))?;
        let duration_ns = input.u64()?;
        let bands =
            PriceBands { static_width, dynamic_width, static_units, dynamic_units, on_breach, duration_ns };
        bands.check().map_err(|refusal| input.invalid("price bands", refusal.actual as u64))?;
        Ok(bands)
    }
}
