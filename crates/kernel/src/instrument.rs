//! What is traded, with its units and the rules for orders in it.

use crate::money::{NANO, Nano, divide_half_even};
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};

/// Largest price or quantity an order may carry: keeps every product of the two inside 128 bits.
pub const MAX_UNITS: i64 = 1 << 56;

/// One listed instrument. Prices count `price_unit`, quantities count `quantity_unit`; both are immutable.
/// `tick` and `lot` are rules for orders only and never for observed data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instrument {
    pub id: u32,
    pub currency: u32,
    /// One price unit in 10^-9 of the currency.
    pub price_unit_nano: i64,
    /// One quantity unit in 10^-9.
    pub quantity_unit_nano: i64,
    /// Contract multiplier in 10^-9.
    pub multiplier_nano: i64,
    /// In price units.
    pub tick: i64,
    /// In quantity units.
    pub lot: i64,
    /// Which venue trades it: index in the engine's list of venues.
    pub venue: u16,
    /// Orders may have prices of zero and below, as spreads and power do; without it they are refused.
    pub negative_prices: bool,
    /// Money per (price unit x quantity unit) = `value_numerator / value_denominator` nano, reduced.
    pub value_numerator: i128,
    pub value_denominator: i128,
}

impl Instrument {
    /// # Errors
    /// `FieldMustBeInRange` with the offending value when a unit, tick or lot is not positive.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        id: u32,
        currency: u32,
        price_unit_nano: i64,
        quantity_unit_nano: i64,
        multiplier_nano: i64,
        tick: i64,
        lot: i64,
        venue: u16,
    ) -> Result<Self, Refusal> {
        for value in [i64::from(id), price_unit_nano, quantity_unit_nano, multiplier_nano, tick, lot] {
            if value <= 0 {
                return Err(Refusal::new(Rule::FieldMustBeInRange, 1, i128::from(value)));
            }
        }
        let product = i128::from(price_unit_nano)
            .checked_mul(i128::from(quantity_unit_nano))
            .and_then(|value| value.checked_mul(i128::from(multiplier_nano)))
            .ok_or(Refusal::new(Rule::FieldMustBeInRange, i128::MAX, i128::from(multiplier_nano)))?;
        let denominator = NANO * NANO;
        let divisor = greatest_common_divisor(product, denominator);
        Ok(Instrument {
            id,
            currency,
            price_unit_nano,
            quantity_unit_nano,
            multiplier_nano,
            tick,
            lot,
            venue,
            negative_prices: false,
            value_numerator: product / divisor,
            value_denominator: denominator / divisor,
        })
    }

    /// The same instrument, of which prices of zero and below are permitted or not.
    #[must_use]
    pub const fn with_negative_prices(self, negative_prices: bool) -> Self {
        Instrument { negative_prices, ..self }
    }

    /// Money value of `quantity` at `price`, rounded half-even; `None` when it does not fit 128 bits.
    pub fn notional(&self, price: i64, quantity: i64) -> Option<Nano> {
        if let (Some(units), Ok(numerator)) =
            (price.checked_mul(quantity), i64::try_from(self.value_numerator))
        {
            // The product of two factors of 64 bits fits.
            let value = i128::from(units) * i128::from(numerator);
            return Some(divide_half_even(value, self.value_denominator));
        }
        let units = i128::from(price).checked_mul(i128::from(quantity))?;
        Some(divide_half_even(units.checked_mul(self.value_numerator)?, self.value_denominator))
    }

    /// Whether the value of `quantity` at `price` is certainly below 2^90, the bound of an order: two factors below 2^31
    /// and one below 2^28.
    #[inline]
    pub(crate) fn is_far_below_bounds(&self, price: i64, quantity: i64) -> bool {
        (0..1 << 31).contains(&price) && (0..1 << 31).contains(&quantity) && self.value_numerator < 1 << 28
    }

    /// Floor of `quantity` to the lot, toward zero.
    pub fn floor_to_lot(&self, quantity: i64) -> i64 {
        quantity / self.lot * self.lot
    }

    /// `price` in the currency, for indicators and display only.
    pub fn price_as_f64(&self, price: i64) -> f64 {
        nano_as_f64(price, self.price_unit_nano)
    }

    pub fn quantity_as_f64(&self, quantity: i64) -> f64 {
        nano_as_f64(quantity, self.quantity_unit_nano)
    }
}

/// `units` of `unit_nano` as a double. Dividing by an exact power of ten gives the one nearest to the decimal; the
/// product is rounded once, in 64 bits where it fits them (the conversion is one instruction there), else in 128.
fn nano_as_f64(units: i64, unit_nano: i64) -> f64 {
    match units.checked_mul(unit_nano) {
        Some(nano) => nano as f64 / 1e9,
        None => (i128::from(units) * i128::from(unit_nano)) as f64 / 1e9,
    }
}

const fn greatest_common_divisor(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

impl State for Instrument {
    fn write(&self, out: &mut StateWriter) {
        out.u32(self.id);
        out.u32(self.currency);
        out.i64(self.price_unit_nano);
        out.i64(self.quantity_unit_nano);
        out.i64(self.multiplier_nano);
        out.i64(self.tick);
        out.i64(self.lot);
        out.u16(self.venue);
        out.bool(self.negative_prices);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (id, currency) = (input.u32()?, input.u32()?);
        let units = [input.i64()?, input.i64()?, input.i64()?];
        let (tick, lot, venue, negative_prices) = (input.i64()?, input.i64()?, input.u16()?, input.bool()?);
        Instrument::new(id, currency, units[0], units[1], units[2], tick, lot, venue)
            .map(|instrument| instrument.with_negative_prices(negative_prices))
            .map_err(|refusal| input.invalid("instrument", refusal.actual as u64))
    }
}

/// All listed instruments, by id. Ids are given out densely from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instruments {
    listed: Vec<Instrument>,
}

impl Instruments {
    #[inline]
    pub fn get(&self, id: u32) -> Option<&Instrument> {
        self.listed.get((id as usize).wrapping_sub(1))
    }

    /// # Errors
    /// `NameMustBeUnique` when the id is listed already, `FieldMustBeInRange` when it is not the next one.
    pub fn list(&mut self, instrument: Instrument) -> Result<(), Refusal> {
        let next = self.listed.len() as u32 + 1;
        let rule = if instrument.id < next { Rule::NameMustBeUnique } else { Rule::FieldMustBeInRange };
        if instrument.id != next {
            return Err(Refusal::new(rule, i128::from(next), i128::from(instrument.id)));
        }
        self.listed.push(instrument);
        Ok(())
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Instrument> {
        self.listed.iter()
    }
}

impl State for Instruments {
    fn write(&self, out: &mut StateWriter) {
        out.list(self.listed.iter());
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Instruments { listed: input.list()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_price_is_the_same_double_by_way_of_64_and_of_128_bits(units: i64, unit_nano in 1i64..) {
            let wide = (i128::from(units) * i128::from(unit_nano)) as f64 / 1e9;
            prop_assert_eq!(nano_as_f64(units, unit_nano).to_bits(), wide.to_bits());
            let small = (i128::from(units >> 34) * i128::from(unit_nano >> 34)) as f64 / 1e9;
            prop_assert_eq!(nano_as_f64(units >> 34, unit_nano >> 34).to_bits(), small.to_bits());
        }
    }
}
