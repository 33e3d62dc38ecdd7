//! How a trailing stop follows the market.

use crate::special_terms::{SpecialTerms, trailing_level};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{OrderType, TrailBy};

use super::orders::LiveOrder;
use super::pricing::{self, Ticks};

/// What a trailing stop was given: how far it stays behind, and how far its limit lies beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trail {
    /// Price units or 10^-9 of the price, as `by` says.
    distance: i64,
    by: TrailBy,
    limit_offset: i64,
    /// The best price it has followed; what it has not seen yet moves it only beyond.
    pub water: Option<i64>,
    /// The order's stop price is one, be it 0.
    pub has_stop: bool,
    /// It has been given anew, and stands behind the market as that was then once it is looked at again.
    restarts: bool,
}

impl Trail {
    /// `None` for terms of an order that does not trail.
    pub fn of(terms: &SpecialTerms) -> Option<Self> {
        let by = terms.trail_by?;
        Some(Trail {
            distance: terms.trail,
            by,
            limit_offset: terms.limit_offset,
            water: None,
            has_stop: terms.zero_stop_price,
            restarts: false,
        })
    }

    /// How far, of what, and how far beyond: what its owner gives.
    const fn given(&self) -> (i64, TrailBy, i64) {
        (self.distance, self.by, self.limit_offset)
    }
}

impl LiveOrder {
    /// Puts a trailing stop that came without a stop price, or whose trail was given anew, behind the market as it was
    /// then, where that is known; says whether it moved.
    pub fn begin_trail(&mut self, ticks: Ticks) -> bool {
        let Some(trail) = self.trail.as_mut() else { return false };
        let Some(price) = trail.water.filter(|_| trail.restarts || !trail.has_stop) else { return false };
        trail.restarts = false;
        self.stand_behind(price, ticks)
    }

    /// Lets the stop follow a market at `price`; says whether it moved. It never moves back. Orders that do not trail, or
    /// were triggered, stay as they are.
    pub fn follow(&mut self, price: i64, ticks: Ticks) -> bool {
        if !self.awaits_trigger() {
            return false;
        }
        let has_begun = self.begin_trail(ticks);
        let side = self.terms.side;
        let Some(trail) = &mut self.trail else { return false };
        if trail.water.is_some_and(|water| !pricing::is_better(side, price, water)) {
            return has_begun;
        }
        trail.water = Some(price);
        self.stand_behind(price, ticks) || has_begun
    }

    fn stand_behind(&mut self, price: i64, ticks: Ticks) -> bool {
        let (side, stop) = (self.terms.side, self.terms.stop_price);
        let Some(trail) = &mut self.trail else { return false };
        let level = trailing_level(side, price, trail.distance, Some(trail.by), ticks.size, ticks.negative);
        let moves = !trail.has_stop || pricing::is_better(side, level, stop);
        if moves {
            trail.has_stop = true;
            self.terms.stop_price = level;
            self.set_limit();
        }
        moves
    }

    /// The limit of a trailing stop-limit lies beyond its stop.
    pub fn set_limit(&mut self) {
        if let Some(trail) = self.trail.filter(|_| self.terms.order_type == OrderType::TrailingStopLimit) {
            let offset = trail.limit_offset.saturating_mul(self.terms.side.sign());
            self.terms.price = self.terms.stop_price.saturating_add(offset);
        }
    }

    /// New terms of an order that trails. Another trail begins anew at `price`, where the market is now, if that is known; of
    /// two stops the one nearer to the market holds. One that was triggered trails no more.
    pub fn trail_anew(&mut self, before: &LiveOrder, trail: Option<Trail>, price: Option<i64>) {
        let Some(old) = before.trail.filter(|_| !self.triggered) else { return };
        let asked = trail.unwrap_or(old);
        let (old_stop, new_stop) = (before.terms.stop_price, self.terms.stop_price);
        let says_stop = new_stop != 0 || trail.is_some_and(|trail| trail.has_stop);
        let has_stop = old.has_stop || says_stop;
        if old.has_stop && (!says_stop || pricing::is_better(self.terms.side, old_stop, new_stop)) {
            self.terms.stop_price = old_stop;
        }
        let new = Trail { water: old.water, restarts: old.restarts, has_stop, ..asked };
        self.trail = Some(new);
        if let Some(price) = price.filter(|_| new.given() != old.given()) {
            self.trail = Some(Trail { water: Some(price), restarts: true, ..new });
        }
        if has_stop {
            self.set_limit();
        }
    }

    /// A market at `price` wakes the order: a stop at a worse price than its own, a touched order at a better one.
    pub fn is_woken_by(&self, price: i64) -> bool {
        let (side, stop) = (self.terms.side, self.terms.stop_price);
        match self.trail {
            // A trailing stop that has not begun.
            Some(Trail { has_stop: false, .. }) => false,
            _ if self.terms.order_type.is_touched() => !pricing::is_better(side, stop, price),
            _ => pricing::triggers(side, stop, price),
        }
    }
}

impl State for Trail {
    fn write(&self, out: &mut StateWriter) {
        out.i64(self.distance);
        out.u8(self.by as u8);
        out.i64(self.limit_offset);
        out.option_i64(self.water);
        out.bool(self.has_stop);
        out.bool(self.restarts);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let distance = input.i64()?;
        let by = input.u8()?;
        let by = TrailBy::from_number(by).ok_or_else(|| input.invalid("trail", u64::from(by)))?;
        let (limit_offset, water) = (input.i64()?, input.option_i64()?);
        Ok(Trail { distance, by, limit_offset, water, has_stop: input.bool()?, restarts: input.bool()? })
    }
}
