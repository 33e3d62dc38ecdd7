//! How a trailing stop follows the market.

use crate::special_terms::{SpecialTerms, trailing_level};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{OrderType, TrailBy};

use super::orders::LiveOrder;
use super::pricing;

/// What a trailing stop was given: how far it stays behind, and how far its limit lies beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trail {
    /// Price units or 10^-9 of the price, as `by` says.
    distance: i64,
    by: TrailBy,
    limit_offset: i64,
    /// The best price it has followed; what it has not seen yet moves it only beyond. 0 before there was any.
    pub water: i64,
    /// It has been given anew, and stands behind the market as that was then once it is looked at again.
    restarts: bool,
}

impl Trail {
    /// `None` for terms of an order that does not trail.
    pub fn of(terms: &SpecialTerms) -> Option<Self> {
        let by = terms.trail_by?;
        Some(Trail { distance: terms.trail, by, limit_offset: terms.limit_offset, water: 0, restarts: false })
    }
}

impl LiveOrder {
    /// Puts a trailing stop that came without a stop price, or whose trail was given anew, behind the market as it was
    /// then, where that is known; says whether it moved.
    pub fn begin_trail(&mut self, tick: i64) -> bool {
        let has_stop = self.terms.stop_price != 0;
        let Some(trail) = self.trail.as_mut().filter(|trail| trail.water != 0) else { return false };
        if has_stop && !trail.restarts {
            return false;
        }
        trail.restarts = false;
        let price = trail.water;
        self.stand_behind(price, tick)
    }

    /// Lets the stop follow a market at `price`; says whether it moved. It never moves back. Orders that do not trail, or
    /// were triggered, stay as they are.
    pub fn follow(&mut self, price: i64, tick: i64) -> bool {
        if !self.awaits_trigger() {
            return false;
        }
        let has_begun = self.begin_trail(tick);
        let side = self.terms.side;
        let Some(trail) = &mut self.trail else { return false };
        if trail.water != 0 && !pricing::is_better(side, price, trail.water) {
            return has_begun;
        }
        trail.water = price;
        self.stand_behind(price, tick) || has_begun
    }

    fn stand_behind(&mut self, price: i64, tick: i64) -> bool {
        let (Some(trail), side, stop) = (self.trail, self.terms.side, self.terms.stop_price) else {
            return false;
        };
        let level = trailing_level(side, price, trail.distance, Some(trail.by), tick, false);
        let moves = stop == 0 || pricing::is_better(side, level, stop);
        if moves {
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
        let new = Trail { water: old.water, restarts: old.restarts, ..trail.unwrap_or(old) };
        let (old_stop, new_stop) = (before.terms.stop_price, self.terms.stop_price);
        if old_stop != 0 && (new_stop == 0 || pricing::is_better(self.terms.side, old_stop, new_stop)) {
            self.terms.stop_price = old_stop;
        }
        self.trail = Some(new);
        if let Some(price) = price.filter(|_| new != old) {
            self.trail = Some(Trail { water: price, restarts: true, ..new });
        }
        if self.terms.stop_price != 0 {
            self.set_limit();
        }
    }

    /// A market at `price` wakes the order: a stop at a worse price than its own, a touched order at a better one.
    pub fn is_woken_by(&self, price: i64) -> bool {
        let (side, stop) = (self.terms.side, self.terms.stop_price);
        match stop {
            // A trailing stop that has not begun.
            0 => false,
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
        out.i64(self.water);
        out.bool(self.restarts);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let distance = input.i64()?;
        let by = input.u8()?;
        let by = TrailBy::from_number(by).ok_or_else(|| input.invalid("trail", u64::from(by)))?;
        Ok(Trail { distance, by, limit_offset: input.i64()?, water: input.i64()?, restarts: input.bool()? })
    }
}
