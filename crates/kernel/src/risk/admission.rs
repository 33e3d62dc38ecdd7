//! Rules that an order's own terms must keep, whatever the account holds.

use crate::command::SubmitOrder;
use crate::instrument::{Instrument, MAX_UNITS};
use crate::money::Nano;
use crate::rules::{Refusal, Rule};
use crate::terms::{OrderType, Sizing};

use super::reservations::ReplaceTerms;

/// Largest notional of an order, in 10^-9 of its currency: about 1.2 billion billions. Its product with a
/// rate or a leverage in 10^-9 still fits 128 bits.
pub const MAX_NOTIONAL: Nano = 1 << 90;

/// Largest target of an order sized by target, in 10^-9 of equity: thousandfold.
const MAX_TARGET: i64 = 1_000 * 1_000_000_000;
const WHOLE: i64 = 1_000_000_000;

/// Quantity, lot, price, tick and bounds of an order as it goes to its venue, in the order of the rules (10 to 16).
///
/// # Errors
/// The first rule that is broken, with what it allows and what the order says.
#[inline]
pub fn check_terms(order: &SubmitOrder, instrument: &Instrument) -> Result<(), Refusal> {
    let terms = ReplaceTerms::of(order);
    check_quantity(order.sizing, order.quantity, instrument)?;
    check_prices(order.order_type, &terms, instrument)?;
    check_bounds(order.sizing, order.order_type, &terms, instrument)
}

/// The same for an order that waits for its parent: it may leave open what it will take from it, the quantity
/// (0), and the price when that is given as an offset.
///
/// # Errors
/// As [`check_terms`].
pub fn check_held_terms(order: &SubmitOrder, instrument: &Instrument) -> Result<(), Refusal> {
    let terms = ReplaceTerms::of(order);
    if order.quantity != 0 {
        check_quantity(order.sizing, order.quantity, instrument)?;
    }
    if order.offset_nano == 0 {
        check_prices(order.order_type, &terms, instrument)?;
    }
    check_bounds(order.sizing, order.order_type, &terms, instrument)
}

pub(super) fn check_quantity(sizing: Sizing, quantity: i64, instrument: &Instrument) -> Result<(), Refusal> {
    let is_signed = matches!(sizing, Sizing::TargetPercent | Sizing::ClosePosition);
    if quantity <= 0 && !is_signed {
        return Err(Refusal::new(Rule::QuantityMustBePositive, 1, i128::from(quantity)));
    }
    if sizing == Sizing::Units && instrument.lot != 1 && quantity % instrument.lot != 0 {
        let lot = i128::from(instrument.lot);
        return Err(Refusal::new(Rule::QuantityMustBeOnLot, lot, i128::from(quantity)));
    }
    Ok(())
}

pub(super) fn check_prices(
    order_type: OrderType,
    terms: &ReplaceTerms,
    instrument: &Instrument,
) -> Result<(), Refusal> {
    let has_limit = order_type.has_limit() || (order_type.may_have_limit() && terms.price != 0);
    let has_stop = order_type.has_stop() || (order_type.may_have_stop() && terms.stop_price != 0);
    let limit = has_limit.then_some((terms.price, Rule::PriceMustBeOnTick));
    let stop = has_stop.then_some((terms.stop_price, Rule::StopPriceMustBeOnTick));
    let prices = [limit, stop];
    for &(price, _) in prices.iter().flatten() {
        if price <= 0 && !instrument.negative_prices {
            return Err(Refusal::new(Rule::PriceMustBePositive, 1, i128::from(price)));
        }
    }
    for &(price, on_tick) in prices.iter().flatten() {
        if instrument.tick != 1 && price % instrument.tick != 0 {
            return Err(Refusal::new(on_tick, i128::from(instrument.tick), i128::from(price)));
        }
    }
    Ok(())
}

/// Bounds inside which no later product can overflow.
pub(super) fn check_bounds(
    sizing: Sizing,
    order_type: OrderType,
    terms: &ReplaceTerms,
    instrument: &Instrument,
) -> Result<(), Refusal> {
    let most = match sizing {
        Sizing::Units => MAX_UNITS,
        Sizing::Percent => WHOLE,
        Sizing::TargetPercent => MAX_TARGET,
        Sizing::ClosePosition => i64::MAX,
    };
    if terms.quantity.unsigned_abs() > most.unsigned_abs() {
        return Err(Refusal::new(Rule::QuantityMustBeInBounds, i128::from(most), i128::from(terms.quantity)));
    }
    let limit = if order_type.may_have_limit() { terms.price } else { 0 };
    let stop = if order_type.may_have_stop() { terms.stop_price } else { 0 };
    // The one farther from zero: below it prices are worth as much.
    let price = if stop.unsigned_abs() > limit.unsigned_abs() { stop } else { limit };
    let quantity = if sizing == Sizing::Units { terms.quantity } else { 1 };
    if instrument.is_far_below_bounds(price, quantity) {
        return Ok(());
    }
    let notional = instrument.notional(price, quantity).map_or(Nano::MAX, Nano::saturating_abs);
    if price.unsigned_abs() > MAX_UNITS as u64 {
        return Err(Refusal::new(Rule::FieldMustBeInRange, i128::from(MAX_UNITS), i128::from(price)));
    }
    if notional > MAX_NOTIONAL {
        return Err(Refusal::new(Rule::NotionalMustBeInBounds, MAX_NOTIONAL, notional));
    }
    Ok(())
}
