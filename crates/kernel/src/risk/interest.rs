//! What open orders could still do to a position: running sums, so that a check costs no walk over orders.

use crate::instrument::Instrument;
use crate::money::{Nano, divide_half_even};
use crate::terms::Side;

/// What one order holds back, or the sum of what orders on one side of one instrument hold back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SideInterest {
    /// Quantity that could still trade and widen the position.
    pub(super) quantity: i128,
    /// Sum of price x quantity of those with a price of their own.
    pub(super) priced: i128,
    /// Quantity of those without: worth the mark, whatever it will be.
    pub(super) unpriced: i128,
    /// Quantity of market orders that only reduce: taken as done by the other side.
    pub(super) closing: i128,
    /// Market orders that close the whole position.
    pub(super) closing_all: i64,
    /// Orders sized at the fill: what they will do is not known yet.
    pub(super) unsized_orders: i64,
}

impl SideInterest {
    pub(super) const NONE: SideInterest =
        SideInterest { quantity: 0, priced: 0, unpriced: 0, closing: 0, closing_all: 0, unsized_orders: 0 };

    /// `None` when a sum does not fit.
    pub(super) fn plus(&self, other: &SideInterest) -> Option<SideInterest> {
        Some(SideInterest {
            quantity: self.quantity.checked_add(other.quantity)?,
            priced: self.priced.checked_add(other.priced)?,
            unpriced: self.unpriced.checked_add(other.unpriced)?,
            closing: self.closing.checked_add(other.closing)?,
            closing_all: self.closing_all.checked_add(other.closing_all)?,
            unsized_orders: self.unsized_orders.checked_add(other.unsized_orders)?,
        })
    }

    /// Sums wrap, so that what is taken out again always restores them. The gate refuses an order whose sum
    /// does not fit; terms that only a venue confirmed could still get there.
    pub(super) const fn wrapping_plus(&self, other: &SideInterest) -> SideInterest {
        SideInterest {
            quantity: self.quantity.wrapping_add(other.quantity),
            priced: self.priced.wrapping_add(other.priced),
            unpriced: self.unpriced.wrapping_add(other.unpriced),
            closing: self.closing.wrapping_add(other.closing),
            closing_all: self.closing_all.wrapping_add(other.closing_all),
            unsized_orders: self.unsized_orders.wrapping_add(other.unsized_orders),
        }
    }

    /// Adds what a limit order holds back of which `leaves` may trade; takes it out where they are negative.
    #[inline(always)]
    pub(super) fn add_plain(&mut self, leaves: i64, price: i64) {
        self.quantity = self.quantity.wrapping_add(i128::from(leaves));
        self.priced = self.priced.wrapping_add(i128::from(leaves) * i128::from(price));
    }

    /// Whether the sums are so far from what fits that one more order cannot matter: it adds less than 2^113.
    #[inline]
    pub(super) const fn has_room(&self) -> bool {
        const MOST: u128 = 1 << 120;
        self.quantity.unsigned_abs() < MOST && self.priced.unsigned_abs() < MOST
    }

    pub(super) const fn wrapping_minus(&self, other: &SideInterest) -> SideInterest {
        SideInterest {
            quantity: self.quantity.wrapping_sub(other.quantity),
            priced: self.priced.wrapping_sub(other.priced),
            unpriced: self.unpriced.wrapping_sub(other.unpriced),
            closing: self.closing.wrapping_sub(other.closing),
            closing_all: self.closing_all.wrapping_sub(other.closing_all),
            unsized_orders: self.unsized_orders.wrapping_sub(other.unsized_orders),
        }
    }

    /// Price x quantity of all that could trade, in units and far from zero on either side; `None` when a mark is needed and unknown.
    fn units(&self, mark: Option<i64>) -> Option<i128> {
        match self.unpriced {
            _ if self.priced < 0 => None,
            0 => Some(self.priced),
            unpriced => self.priced.checked_add(unpriced.checked_mul(i128::from(mark?).abs())?),
        }
    }
}

/// Open orders of one account in one instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OpenInterest {
    pub(super) orders: i64,
    pub(super) buys: SideInterest,
    pub(super) sells: SideInterest,
}

impl OpenInterest {
    pub(super) const NONE: &OpenInterest =
        &OpenInterest { orders: 0, buys: SideInterest::NONE, sells: SideInterest::NONE };

    pub(super) const fn side(&self, side: Side) -> &SideInterest {
        match side {
            Side::Buy => &self.buys,
            Side::Sell => &self.sells,
        }
    }

    pub(super) const fn side_mut(&mut self, side: Side) -> &mut SideInterest {
        match side {
            Side::Buy => &mut self.buys,
            Side::Sell => &mut self.sells,
        }
    }

    /// The position once pending market orders that only close it have: they execute before anything sent
    /// after them, so `close()` and then `buy()` in one hook are looked at in that order. An order that must
    /// wait (limit, stop, at the close) may never execute and is not counted on.
    pub(super) fn position_after_closing(&self, position: i64) -> i128 {
        let position = i128::from(position);
        let closers = if position > 0 { &self.sells } else { &self.buys };
        match closers.closing_all {
            0 => position.signum() * (position.abs() - closers.closing).max(0),
            _ => 0,
        }
    }

    /// The position if every open order of `side`, and none of the other, executes.
    pub(super) fn worst_position(&self, position: i64, side: Side) -> Option<i128> {
        let quantity = self.side(side).quantity;
        self.position_after_closing(position).checked_add(i128::from(side.sign()).checked_mul(quantity)?)
    }

    /// The largest exposure that open orders can lead to: every buy or every sell executes. What is held is
    /// worth the mark, an order its own price. `None` when a mark is needed and unknown or a figure does not fit.
    pub(super) fn worst_exposure(
        &self,
        position: i64,
        instrument: &Instrument,
        mark: Option<i64>,
    ) -> Option<Nano> {
        let held = self.position_after_closing(position);
        let held_units = if held == 0 { 0 } else { held.abs().checked_mul(i128::from(mark?).abs())? };
        let long = side_units(held, held_units, &self.buys, mark)?;
        let short = side_units(held.checked_neg()?, held_units, &self.sells, mark)?;
        value_of_units(instrument, held_units.max(long).max(short))
    }
}

/// Exposure in units if all of `orders` execute; `held` counts in their direction.
fn side_units(held: i128, held_units: i128, orders: &SideInterest, mark: Option<i64>) -> Option<i128> {
    let units = orders.units(mark)?;
    if held >= 0 {
        return held_units.checked_add(units);
    }
    // The first part of the orders only covers; the rest is worth their average price, rounded up. Where the
    // product does not fit, all of them count: too much is the safe side.
    let widening = held.checked_add(orders.quantity)?;
    match widening > 0 {
        false => Some(0),
        true => Some(units.checked_mul(widening).map_or(units, |product| {
            product.div_euclid(orders.quantity) + i128::from(product % orders.quantity != 0)
        })),
    }
}

/// Money worth of a sum of price x quantity, rounded half-even; `None` when it does not fit.
pub(super) fn value_of_units(instrument: &Instrument, units: i128) -> Option<Nano> {
    Some(divide_half_even(units.checked_mul(instrument.value_numerator)?, instrument.value_denominator))
}
