//! What an order may say beyond side, type, price, quantity and time in force: how much it shows, what it follows,
//! what wakes it, whom it must not meet. Most orders say none of it, so it is kept aside, by order id, wherever
//! orders are kept: a plain order has [`options::ASIDE`] unset and pays a test of that bit.

use crate::book::SelfTradeAction;
use crate::command::{ConditionsPayload, SubmitOrder, TermsPayload, zeros};
use crate::instrument::{Instrument, MAX_UNITS};
use crate::record::{RecordBuffer, Slot, payload};
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{OrderType, Peg, Side, Sizing, TimeInForce, TrailBy, TriggerBy, options};

/// A whole in 10^-9.
const WHOLE: i64 = 1_000_000_000;

/// The uncommon terms of one order. A field at its default asks for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpecialTerms {
    /// Most that an iceberg shows at once, in quantity units; 0 shows all.
    pub display_quantity: i64,
    /// Least that must trade on arrival, in quantity units; 0 for none.
    pub minimum_quantity: i64,
    /// How far a trailing stop stays behind: price units, or 10^-9 of the price.
    pub trail: i64,
    pub trail_by: Option<TrailBy>,
    /// How far the limit of a trailing stop-limit lies beyond its stop, price units.
    pub limit_offset: i64,
    pub peg: Option<Peg>,
    /// Added to the price a pegged order follows, price units, signed.
    pub peg_offset: i64,
    /// What wakes a stop or touched order; the last trade unless said.
    pub trigger_by: Option<TriggerBy>,
    /// What happens when it meets an order of the same owner; as its account has it unless said.
    pub self_trade: Option<SelfTradeAction>,
    /// Orders of one group are of one owner, whatever their accounts; 0 for the account's own.
    pub self_trade_group: u32,
    /// A price of 0 is meant, where the type may go without: a pegged order's limit.
    pub zero_price: bool,
    /// A stop price of 0 is meant, where the type may go without: where a trailing stop begins.
    pub zero_stop_price: bool,
}

/// A number that names a term; 0 where the order does not say.
fn named<T>(number: u8, of: impl Fn(u8) -> Option<T>) -> Result<Option<T>, Refusal> {
    match of(number) {
        None if number != 0 => Err(Refusal::new(Rule::TermsMustBeKnown, 0, i128::from(number))),
        found => Ok(found),
    }
}

fn misfit(order: &SubmitOrder) -> Refusal {
    Refusal::new(Rule::TermsMustFitOrderType, 0, i128::from(order.order_type as u8))
}

fn require(holds: bool, refusal: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal) }
}

impl SpecialTerms {
    /// The special terms of an order's record, `None` where it has none.
    ///
    /// # Errors
    /// `TermsMustBeKnown` with the number that names nothing.
    pub fn from_record(record: &[Slot], order: &SubmitOrder) -> Result<Option<Self>, Refusal> {
        let mut said = Self::said(record)?;
        said.keep_meaningful_zeros(order.order_type);
        let is_plain = order.order_type as u8 <= OrderType::StopLimit as u8
            && order.options & options::SPECIAL == 0
            && said == SpecialTerms::default();
        Ok((!is_plain).then_some(said))
    }

    /// What a record says, nothing where it says nothing.
    ///
    /// # Errors
    /// As [`SpecialTerms::from_record`].
    pub fn said(record: &[Slot]) -> Result<Self, Refusal> {
        if record.len() == 1 {
            return Ok(SpecialTerms::default());
        }
        let terms = payload::<TermsPayload>(record);
        let mut said = match payload::<ConditionsPayload>(record) {
            Some(conditions) if conditions.zeros & !zeros::ALL != 0 => {
                let (limit, actual) = (i128::from(zeros::ALL), i128::from(conditions.zeros));
                return Err(Refusal::new(Rule::TermsMustBeKnown, limit, actual));
            }
            Some(conditions) => SpecialTerms {
                trail: conditions.trail,
                trail_by: named(conditions.trail_by, TrailBy::from_number)?,
                limit_offset: conditions.limit_offset,
                peg: named(conditions.peg, Peg::from_number)?,
                peg_offset: conditions.peg_offset,
                trigger_by: named(conditions.trigger_by, TriggerBy::from_number)?,
                self_trade: named(conditions.self_trade, SelfTradeAction::from_number)?,
                self_trade_group: conditions.self_trade_group,
                zero_price: conditions.zeros & zeros::PRICE != 0,
                zero_stop_price: conditions.zeros & zeros::STOP_PRICE != 0,
                ..SpecialTerms::default()
            },
            None => SpecialTerms::default(),
        };
        said.display_quantity = terms.map_or(0, |terms| terms.display_quantity);
        said.minimum_quantity = terms.map_or(0, |terms| terms.minimum_quantity);
        Ok(said)
    }

    /// Appends what an order's record carries beside its plain terms.
    pub fn push(&self, order: &SubmitOrder, record: &mut RecordBuffer) {
        self.push_with(order.stop_price, order.expire_time, record);
    }

    /// Appends what a replace asks for.
    pub fn push_new(&self, record: &mut RecordBuffer) {
        self.push_with(0, 0, record);
    }

    fn push_with(&self, stop_price: i64, expire_time: u64, record: &mut RecordBuffer) {
        let has_sizes = self.display_quantity != 0 || self.minimum_quantity != 0;
        if stop_price != 0 || expire_time != 0 || has_sizes {
            record.push(TermsPayload {
                stop_price,
                display_quantity: self.display_quantity,
                minimum_quantity: self.minimum_quantity,
                expire_time,
                reserved: 0,
            });
        }
        let sizes = SpecialTerms {
            display_quantity: self.display_quantity,
            minimum_quantity: self.minimum_quantity,
            ..SpecialTerms::default()
        };
        if *self != sizes {
            record.push(self.conditions());
        }
    }

    /// All but what [`TermsPayload`] has room for.
    pub fn conditions(&self) -> ConditionsPayload {
        ConditionsPayload {
            trail: self.trail,
            limit_offset: self.limit_offset,
            peg_offset: self.peg_offset,
            trail_by: self.trail_by.map_or(0, |by| by as u8),
            peg: self.peg.map_or(0, |peg| peg as u8),
            trigger_by: self.trigger_by.map_or(0, |by| by as u8),
            self_trade: self.self_trade.map_or(0, |action| action as u8),
            self_trade_group: self.self_trade_group,
            zeros: u64::from(self.zero_price) * zeros::PRICE
                + u64::from(self.zero_stop_price) * zeros::STOP_PRICE,
        }
    }

    /// Forgets zeros of an order whose type says by itself that it has the price, or that it has none.
    pub(crate) const fn keep_meaningful_zeros(&mut self, order_type: OrderType) {
        self.zero_price &= order_type.may_have_limit() && !order_type.has_limit();
        self.zero_stop_price &= order_type.may_have_stop() && !order_type.has_stop();
    }

    /// `price` of an order whose type may go without, if it is one.
    pub(crate) const fn optional_price(&self, price: i64) -> Option<i64> {
        if price != 0 || self.zero_price { Some(price) } else { None }
    }

    /// As [`SpecialTerms::optional_price`], the stop price.
    pub(crate) const fn optional_stop_price(&self, stop_price: i64) -> Option<i64> {
        if stop_price != 0 || self.zero_stop_price { Some(stop_price) } else { None }
    }

    /// These terms with all that `new` says in their place; the prices are told beside them.
    pub fn merged(&self, new: &SpecialTerms) -> SpecialTerms {
        let keep = |new: i64, old: i64| if new == 0 { old } else { new };
        SpecialTerms {
            display_quantity: keep(new.display_quantity, self.display_quantity),
            minimum_quantity: keep(new.minimum_quantity, self.minimum_quantity),
            trail: keep(new.trail, self.trail),
            trail_by: new.trail_by.or(self.trail_by),
            limit_offset: keep(new.limit_offset, self.limit_offset),
            peg: new.peg.or(self.peg),
            peg_offset: keep(new.peg_offset, self.peg_offset),
            trigger_by: new.trigger_by.or(self.trigger_by),
            self_trade: new.self_trade.or(self.self_trade),
            self_trade_group: if new.self_trade_group == 0 {
                self.self_trade_group
            } else {
                new.self_trade_group
            },
            zero_price: new.zero_price || self.zero_price,
            zero_stop_price: new.zero_stop_price || self.zero_stop_price,
        }
    }

    /// Whether the terms make sense with each other and with the order they belong to.
    ///
    /// # Errors
    /// `SizingMustBeSupported`, `TermsMustFitOrderType` (a term that the type does not have, or two that contradict;
    /// with the number of the type), `DisplayMustNotExceedQuantity`, `MinimumMustNotExceedQuantity`,
    /// `QuantityMustBeOnLot`, `TrailMustBePositive`, `TrailMustBeInBounds`, `PriceMustBeOnTick` (an offset or trail).
    pub fn check(&self, order: &SubmitOrder, instrument: &Instrument) -> Result<(), Refusal> {
        if order.sizing != Sizing::Units {
            let limit = i128::from(Sizing::Units as u8);
            return Err(Refusal::new(Rule::SizingMustBeSupported, limit, i128::from(order.sizing as u8)));
        }
        self.check_fit(order)?;
        require(
            instrument.negative_prices || !(self.zero_price || self.zero_stop_price),
            Refusal::new(Rule::PriceMustBePositive, 1, 0),
        )?;
        self.check_sizes(order, instrument)?;
        self.check_trail(order, instrument)?;
        for offset in [self.peg_offset, self.limit_offset] {
            check_distance(offset, instrument)?;
        }
        Ok(())
    }

    /// Terms that the type does not have, and terms that contradict.
    fn check_fit(&self, order: &SubmitOrder) -> Result<(), Refusal> {
        let has = |option: u16| order.options & option != 0;
        let (kind, force) = (order.order_type, order.time_in_force);
        let is_pegged = kind == OrderType::Pegged;
        let is_immediate = matches!(force, TimeInForce::Ioc | TimeInForce::Fok);
        let is_auction = matches!(force, TimeInForce::AtOpen | TimeInForce::AtClose);
        let shows_part = self.display_quantity != 0 || has(options::HIDDEN);
        let trails = self.trail != 0 || self.trail_by.is_some();
        let fits = [
            self.trail_by.is_some() == kind.trails() && (kind.trails() || !trails),
            self.peg.is_some() == is_pegged && (is_pegged || self.peg_offset == 0),
            self.trigger_by.is_none() || kind.waits(),
            self.limit_offset == 0 || kind == OrderType::TrailingStopLimit,
            self.display_quantity == 0 || !has(options::HIDDEN),
            !shows_part || kind.may_rest(),
            !has(options::SLIDE) || (kind.may_rest() && !is_immediate && kind != OrderType::MarketToLimit),
            !has(options::ALL_OR_NONE)
                || (!shows_part
                    && self.minimum_quantity == 0
                    && !is_pegged
                    // Its limit is found when it trades, so how much could trade is not known before.
                    && kind != OrderType::MarketToLimit
                    && !has(options::POST_ONLY | options::SLIDE)),
            !is_pegged || !is_immediate,
            !is_pegged || self.minimum_quantity == 0,
            !is_auction
                || (kind as u8 <= OrderType::Limit as u8
                    && self.minimum_quantity == 0
                    // Auctions trade what they can of each order.
                    && !has(options::ALL_OR_NONE)),
        ];
        require(fits.iter().all(|fits| *fits), misfit(order))
    }

    fn check_sizes(&self, order: &SubmitOrder, instrument: &Instrument) -> Result<(), Refusal> {
        let sizes = [
            (self.display_quantity, Rule::DisplayMustNotExceedQuantity),
            (self.minimum_quantity, Rule::MinimumMustNotExceedQuantity),
        ];
        for (size, rule) in sizes {
            let refusal = |rule, limit: i64| Refusal::new(rule, i128::from(limit), i128::from(size));
            require(size >= 0, refusal(Rule::QuantityMustBePositive, 1))?;
            require(order.quantity == 0 || size <= order.quantity, refusal(rule, order.quantity))?;
            require(size % instrument.lot == 0, refusal(Rule::QuantityMustBeOnLot, instrument.lot))?;
        }
        Ok(())
    }

    fn check_trail(&self, order: &SubmitOrder, instrument: &Instrument) -> Result<(), Refusal> {
        if !order.order_type.trails() {
            return Ok(());
        }
        let refusal = |rule, limit: i64| Refusal::new(rule, i128::from(limit), i128::from(self.trail));
        require(self.trail > 0, refusal(Rule::TrailMustBePositive, 1))?;
        require(self.limit_offset >= 0, misfit(order))?;
        match self.trail_by {
            Some(TrailBy::Percent) => {
                require(self.trail < WHOLE, refusal(Rule::TrailMustBeInBounds, WHOLE - 1))
            }
            _ => {
                require(self.trail <= MAX_UNITS, refusal(Rule::TrailMustBeInBounds, MAX_UNITS))?;
                check_distance(self.trail, instrument)
            }
        }
    }
}

/// Where a trailing stop of `side` stands when the price it follows is at `price`: behind it by the trail, on the tick,
/// away from the market. Where prices must be positive it is never below a tick.
pub(crate) fn trailing_level(
    side: Side,
    price: i64,
    trail: i64,
    trail_by: Option<TrailBy>,
    tick: i64,
    negative_prices: bool,
) -> i64 {
    let sign = i128::from(side.sign());
    let (price, trail, tick) = (i128::from(price), i128::from(trail), i128::from(tick.max(1)));
    let exact = match trail_by {
        // In 10^-9 until it is rounded.
        Some(TrailBy::Percent) => price * i128::from(WHOLE) + sign * price.abs() * trail,
        _ => (price + sign * trail) * i128::from(WHOLE),
    };
    let unit = tick * i128::from(WHOLE);
    let ticks = match side {
        Side::Buy => -(-exact).div_euclid(unit),
        Side::Sell => exact.div_euclid(unit),
    };
    let ticks = if negative_prices { ticks } else { ticks.max(1) };
    i64::try_from(ticks * tick).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX })
}

fn check_distance(distance: i64, instrument: &Instrument) -> Result<(), Refusal> {
    let refusal = |rule, limit: i64| Refusal::new(rule, i128::from(limit), i128::from(distance));
    require(distance.unsigned_abs() <= MAX_UNITS as u64, refusal(Rule::FieldMustBeInRange, MAX_UNITS))?;
    require(distance % instrument.tick == 0, refusal(Rule::PriceMustBeOnTick, instrument.tick))
}

impl State for SpecialTerms {
    fn write(&self, out: &mut StateWriter) {
        let figures = [self.display_quantity, self.minimum_quantity, self.trail];
        figures.into_iter().for_each(|figure| out.i64(figure));
        out.i64(self.limit_offset);
        out.i64(self.peg_offset);
        out.u32(self.self_trade_group);
        let conditions = self.conditions();
        let names = [conditions.trail_by, conditions.peg, conditions.trigger_by, conditions.self_trade];
        names.into_iter().for_each(|name| out.u8(name));
        out.bool(self.zero_price);
        out.bool(self.zero_stop_price);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut figures = [0; 5];
        for figure in &mut figures {
            *figure = input.i64()?;
        }
        let self_trade_group = input.u32()?;
        let mut names = [0; 4];
        for name in &mut names {
            *name = input.u8()?;
        }
        let [zero_price, zero_stop_price] = [input.bool()?, input.bool()?];
        let invalid = |_| input.invalid("special terms", 0);
        let [display_quantity, minimum_quantity, trail, limit_offset, peg_offset] = figures;
        Ok(SpecialTerms {
            display_quantity,
            minimum_quantity,
            trail,
            trail_by: named(names[0], TrailBy::from_number).map_err(invalid)?,
            limit_offset,
            peg: named(names[1], Peg::from_number).map_err(invalid)?,
            peg_offset,
            trigger_by: named(names[2], TriggerBy::from_number).map_err(invalid)?,
            self_trade: named(names[3], SelfTradeAction::from_number).map_err(invalid)?,
            self_trade_group,
            zero_price,
            zero_stop_price,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_stop_stands_on_the_tick_away_from_the_market_and_never_below_one() {
        let percent = Some(TrailBy::Percent);
        let amount = Some(TrailBy::Amount);
        for (side, price, trail, by, tick, expected) in [
            (Side::Sell, 1_000, 30, amount, 1, 970),
            (Side::Buy, 1_000, 30, amount, 1, 1_030),
            (Side::Sell, 1_001, 10_000_000, percent, 1, 990),
            (Side::Buy, 1_001, 10_000_000, percent, 1, 1_012),
            (Side::Sell, 1_001, 10_000_000, percent, 5, 990),
            (Side::Sell, 10, 30, amount, 5, 5),
            (Side::Buy, i64::MAX / 128, i64::MAX / 128, amount, 1, i64::MAX / 64 - 1),
        ] {
            let found = trailing_level(side, price, trail, by, tick, false);
            assert_eq!(found, expected, "{price} {trail} {by:?}");
        }
        for (side, price, trail, by, tick, expected) in [
            (Side::Sell, 10, 30, amount, 1, -20),
            (Side::Sell, 10, 30, amount, 7, -21),
            (Side::Buy, -40, 30, amount, 1, -10),
            (Side::Sell, -1_000, 10_000_000, percent, 1, -1_010),
            (Side::Buy, -1_001, 10_000_000, percent, 1, -990),
            (Side::Buy, 0, 10_000_000, percent, 1, 0),
        ] {
            let found = trailing_level(side, price, trail, by, tick, true);
            assert_eq!(found, expected, "{price} {trail} {by:?}");
        }
    }
}
