//! Orders that live at the simulated venue.

use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{OrderType, Sizing, TimeInForce, options};
use crate::venue::VenueOrder;

use super::trail::Trail;

/// From which part of the bar in work an order takes part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Entry {
    /// From the open on, if it arrived by then: every order that was not made inside the bar.
    Open = 0,
    /// Released by a fill at the open: from there on.
    AfterOpen = 1,
    /// Released inside the bar: a stop is examined once in the worst case, everything else waits for the next bar.
    NextBar = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LiveOrder {
    pub terms: VenueOrder,
    pub venue_order_id: u64,
    /// Place in line; a replace that betters the order's terms takes a new one.
    pub priority: u64,
    /// When the present terms reached the venue.
    pub arrival: u64,
    pub filled: i64,
    pub triggered: bool,
    /// Not yet measured against the market: may take. Afterwards it rests.
    pub fresh: bool,
    /// The first update of the market whose trades may fill it.
    pub first_update: u64,
    pub entry: Entry,
    pub taken_in_bar: i64,
    /// Of a trailing stop.
    pub trail: Option<Trail>,
}

impl LiveOrder {
    pub fn is_sized_at_fill(&self) -> bool {
        self.terms.sizing != Sizing::Units
    }

    /// What is left to execute; the ordered figure itself for orders sized at the fill.
    pub fn leaves(&self) -> i64 {
        if self.is_sized_at_fill() {
            self.terms.quantity
        } else {
            self.terms.quantity.saturating_sub(self.filled)
        }
    }

    pub fn awaits_trigger(&self) -> bool {
        self.terms.order_type.waits() && !self.triggered
    }

    /// Executes at whatever price there is: a market order or a triggered stop.
    pub fn is_market(&self) -> bool {
        match self.terms.order_type {
            OrderType::Market => true,
            OrderType::Stop | OrderType::MarketIfTouched | OrderType::TrailingStop => self.triggered,
            OrderType::Limit
            | OrderType::StopLimit
            | OrderType::LimitIfTouched
            | OrderType::TrailingStopLimit
            | OrderType::MarketToLimit
            | OrderType::Pegged => false,
        }
    }

    pub fn limit(&self) -> Option<i64> {
        let has_limit = self.terms.order_type.may_rest();
        has_limit.then_some(self.terms.price)
    }

    pub fn is_post_only(&self) -> bool {
        self.terms.options & options::POST_ONLY != 0
    }

    /// The direction follows from the target and the position at the fill, not from the order's side.
    pub fn seeks_target(&self) -> bool {
        self.terms.sizing == Sizing::TargetPercent
    }

    /// Its executable quantity depends on fills of its account that may still be on their way to the engine.
    pub fn depends_on_account(&self) -> bool {
        self.is_sized_at_fill() || self.terms.options & options::REDUCE_ONLY != 0
    }

    pub fn is_fill_or_kill(&self) -> bool {
        self.terms.time_in_force == TimeInForce::Fok
    }

    /// What does not execute at the first occasion is canceled.
    pub fn is_immediate(&self) -> bool {
        use TimeInForce::{AtClose, AtOpen, Fok, Ioc};
        matches!(self.terms.time_in_force, Ioc | Fok | AtOpen | AtClose)
    }

    pub fn has_expired(&self, time: u64) -> bool {
        self.terms.time_in_force == TimeInForce::Gtd && self.terms.expire_time <= time
    }

    /// A stop becomes a market or limit order that has not met the market yet.
    pub fn trigger(&mut self, first_update: u64) {
        self.triggered = true;
        self.fresh = true;
        self.first_update = first_update;
    }
}

impl State for LiveOrder {
    fn write(&self, out: &mut StateWriter) {
        self.terms.write(out);
        out.u64(self.venue_order_id);
        out.u64(self.priority);
        out.u64(self.arrival);
        out.i64(self.filled);
        out.bool(self.triggered);
        out.bool(self.fresh);
        out.u64(self.first_update);
        out.u8(self.entry as u8);
        out.i64(self.taken_in_bar);
        if let Some(trail) = self.trail.filter(|_| self.terms.order_type.trails()) {
            trail.write(out);
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut order = LiveOrder {
            terms: VenueOrder::read(input)?,
            venue_order_id: input.u64()?,
            priority: input.u64()?,
            arrival: input.u64()?,
            filled: input.i64()?,
            triggered: input.bool()?,
            fresh: input.bool()?,
            first_update: input.u64()?,
            entry: read_entry(input)?,
            taken_in_bar: input.i64()?,
            trail: None,
        };
        if order.terms.order_type.trails() {
            order.trail = Some(Trail::read(input)?);
        }
        Ok(order)
    }
}

fn read_entry(input: &mut StateReader<'_>) -> Result<Entry, StateError> {
    match input.u8()? {
        0 => Ok(Entry::Open),
        1 => Ok(Entry::AfterOpen),
        2 => Ok(Entry::NextBar),
        found => Err(input.invalid("bar entry", u64::from(found))),
    }
}
