//! What is set for one instrument: its session, price bands, tick table and order sizes. An instrument for which
//! nothing was ever set trades continuously, within no bounds, and pays for none of this.

use crate::book::check_price;
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{OrderType, TimeInForce, TradingSession};
use crate::venue::VenueOrder;

use super::auction::Indication;
use super::bands::PriceBands;

/// Rows of a tick table, at most.
pub const MAX_TICK_ROWS: usize = 64;

/// Conditions of one instrument. Prices and quantities in its units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    pub session: TradingSession,
    /// When the session ends by itself; 0 for not.
    pub until: u64,
    pub bands: PriceBands,
    /// Price of the last auction, or as set by command.
    pub reference_price: Option<i64>,
    /// Tick from a price on, in ascending order of prices.
    pub(super) ticks: Vec<(i64, i64)>,
    /// Smallest and largest quantity of an order, 0 for no bound.
    pub sizes: [i64; 2],
    /// Every visible order is told.
    pub by_order: bool,
    /// What was last told of the auction that collects.
    pub(super) indication: Indication,
}

impl Default for Conditions {
    fn default() -> Self {
        Conditions {
            session: TradingSession::Continuous,
            until: 0,
            bands: PriceBands::NONE,
            reference_price: None,
            ticks: Vec::new(),
            sizes: [0; 2],
            by_order: false,
            indication: Indication::default(),
        }
    }
}

impl Conditions {
    /// Whether an order may come in now.
    ///
    /// # Errors
    /// In this order: `TradingMustNotBeHalted`, `SessionMustTakeOrder` (limit the session, actual the time in
    /// force), `QuantityMustReachMinimum`, `QuantityMustBeInBounds`, `PriceMustBeOnTick`,
    /// `StopPriceMustBeOnTick`, `PriceMustBeWithinBands`.
    pub(super) fn check_order(&self, order: &VenueOrder) -> Result<(), Refusal> {
        self.check_session(order)?;
        self.check_terms(order)
    }

    /// As [`Conditions::check_order`], for the new terms of a live order.
    ///
    /// # Errors
    /// As [`Conditions::check_order`], the time in force left out.
    pub(super) fn check_replace(&self, order: &VenueOrder) -> Result<(), Refusal> {
        self.check_open(order)?;
        self.check_terms(order)
    }

    fn check_open(&self, order: &VenueOrder) -> Result<(), Refusal> {
        match self.session {
            TradingSession::Halted => {
                Err(Refusal::new(Rule::TradingMustNotBeHalted, 0, i128::from(order.instrument)))
            }
            TradingSession::Closed => Err(self.refused(order)),
            _ => Ok(()),
        }
    }

    fn refused(&self, order: &VenueOrder) -> Refusal {
        let (limit, actual) = (self.session as i128, order.time_in_force as i128);
        Refusal::new(Rule::SessionMustTakeOrder, limit, actual)
    }

    /// The table in `docs/venue.md`, "Sessions".
    fn check_session(&self, order: &VenueOrder) -> Result<(), Refusal> {
        self.check_open(order)?;
        let takes = match order.time_in_force {
            TimeInForce::AtOpen => {
                matches!(self.session, TradingSession::PreOpen | TradingSession::OpeningAuction)
            }
            TimeInForce::Ioc | TimeInForce::Fok => self.session == TradingSession::Continuous,
            _ => true,
        };
        if takes { Ok(()) } else { Err(self.refused(order)) }
    }

    fn check_terms(&self, order: &VenueOrder) -> Result<(), Refusal> {
        let [minimum, maximum] = self.sizes;
        let quantity = order.quantity;
        if quantity < minimum {
            let (limit, actual) = (i128::from(minimum), i128::from(quantity));
            return Err(Refusal::new(Rule::QuantityMustReachMinimum, limit, actual));
        }
        if maximum > 0 && quantity > maximum {
            let (limit, actual) = (i128::from(maximum), i128::from(quantity));
            return Err(Refusal::new(Rule::QuantityMustBeInBounds, limit, actual));
        }
        if order.order_type.has_limit() {
            self.check_tick(order.price, Rule::PriceMustBeOnTick)?;
        }
        if order.order_type.has_stop() {
            self.check_tick(order.stop_price, Rule::StopPriceMustBeOnTick)?;
        }
        match self.bands.for_orders(self.reference_price) {
            Some(range) if order.order_type.has_limit() => range.check(order.price),
            _ => Ok(()),
        }
    }

    fn check_tick(&self, price: i64, rule: Rule) -> Result<(), Refusal> {
        let row = self.ticks.partition_point(|&(from, _)| from <= price);
        let Some(&(_, tick)) = row.checked_sub(1).and_then(|row| self.ticks.get(row)) else { return Ok(()) };
        if price % tick == 0 {
            return Ok(());
        }
        Err(Refusal::new(rule, i128::from(tick), i128::from(price)))
    }

    /// Sets the tick from a price on; tick 0 takes the row out.
    ///
    /// # Errors
    /// `FieldMustBeInRange` for a negative tick, a price out of range, or a row above [`MAX_TICK_ROWS`].
    pub(super) fn set_tick(&mut self, from_price: i64, tick: i64) -> Result<(), Refusal> {
        check_price(from_price)?;
        if tick < 0 {
            return Err(Refusal::new(Rule::FieldMustBeInRange, 0, i128::from(tick)));
        }
        match self.ticks.binary_search_by_key(&from_price, |row| row.0) {
            Ok(row) if tick == 0 => drop(self.ticks.remove(row)),
            Ok(row) => self.ticks[row].1 = tick,
            Err(_) if tick == 0 => {}
            Err(_) if self.ticks.len() == MAX_TICK_ROWS => {
                let limit = MAX_TICK_ROWS as i128;
                return Err(Refusal::new(Rule::FieldMustBeInRange, limit, limit + 1));
            }
            Err(row) => self.ticks.insert(row, (from_price, tick)),
        }
        Ok(())
    }

    /// # Errors
    /// `FieldMustBeInRange` for a negative bound, or a largest quantity below the smallest.
    pub(super) fn set_sizes(&mut self, minimum: i64, maximum: i64) -> Result<(), Refusal> {
        let least = minimum.min(maximum);
        if least < 0 {
            return Err(Refusal::new(Rule::FieldMustBeInRange, 0, i128::from(least)));
        }
        if maximum > 0 && maximum < minimum {
            return Err(Refusal::new(Rule::FieldMustBeInRange, i128::from(minimum), i128::from(maximum)));
        }
        self.sizes = [minimum, maximum];
        Ok(())
    }
}

/// Whether an order waits outside the book for the closing auction.
pub(super) fn waits_for_close(order: &VenueOrder, session: TradingSession) -> bool {
    order.time_in_force == TimeInForce::AtClose && session != TradingSession::ClosingAuction
}

/// # Errors
/// `OrderTypeMustBeSupported`: a stop for an auction would have to trigger in it.
pub(super) fn check_auction_type(order: &VenueOrder) -> Result<(), Refusal> {
    let for_auction = matches!(order.time_in_force, TimeInForce::AtOpen | TimeInForce::AtClose);
    let suits = matches!(order.order_type, OrderType::Market | OrderType::Limit);
    if for_auction && !suits {
        let actual = order.order_type as i128;
        return Err(Refusal::new(Rule::OrderTypeMustBeSupported, 0, actual));
    }
    Ok(())
}

impl State for Conditions {
    fn write(&self, out: &mut StateWriter) {
        out.u8(self.session as u8);
        out.u64(self.until);
        self.bands.write(out);
        out.option_i64(self.reference_price);
        out.length(self.ticks.len());
        for &(from, tick) in &self.ticks {
            out.i64(from);
            out.i64(tick);
        }
        self.sizes.iter().for_each(|size| out.i64(*size));
        out.bool(self.by_order);
        let Indication { price, volume, imbalance } = self.indication;
        [price, volume, imbalance].iter().for_each(|figure| out.i64(*figure));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let session = input.u8()?;
        let session = TradingSession::from_number(session)
            .ok_or_else(|| input.invalid("trading session", u64::from(session)))?;
        let mut conditions =
            Conditions { session, until: input.u64()?, bands: State::read(input)?, ..Self::default() };
        conditions.reference_price = input.option_i64()?;
        for _ in 0..input.length()? {
            let (from, tick) = (input.i64()?, input.i64()?);
            if tick <= 0 || conditions.set_tick(from, tick).is_err() {
                return Err(input.invalid("row of a tick table", tick as u64));
            }
        }
        let [minimum, maximum] = [input.i64()?, input.i64()?];
        conditions
            .set_sizes(minimum, maximum)
            .map_err(|_| input.invalid("size of orders", minimum as u64))?;
        conditions.by_order = input.bool()?;
        conditions.indication =
            Indication { price: input.i64()?, volume: input.i64()?, imbalance: input.i64()? };
        Ok(conditions)
    }
}
