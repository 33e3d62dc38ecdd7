//! An order, or new terms of one, as it is judged against limits.

use super::exposure::{Exposure, check_leverage, reference_price_must_be_known};
use super::gate::{RiskGate, RiskView};
use super::interest::{OpenInterest, SideInterest};
use super::limits::{Applicable, LimitKind};
use super::reservations::{ReplaceTerms, Reservation, Reservations, price_bound};
use crate::instrument::Instrument;
use crate::money::{NANO, Nano};
use crate::portfolio::Account;
use crate::rules::{Refusal, Rule};
use crate::terms::{OrderType, Side, Sizing};

/// One order as it is judged: what it would hold back, against what is held without it.
pub(super) struct Proposal<'a> {
    order: &'a Reservation,
    /// Terms asked for.
    terms: ReplaceTerms,
    limits: Applicable<'a>,
    reservations: &'a Reservations,
    view: &'a RiskView<'a>,
    account: &'a Account,
    instrument: &'a Instrument,
    position: i64,
    mark: Option<i64>,
    before: &'a OpenInterest,
    /// What the order's side would hold back with it.
    side_after: SideInterest,
    /// Its reservation so far: under old terms, or waiting for its parent.
    replaced: Option<&'a Reservation>,
}

impl<'a> Proposal<'a> {
    pub(super) fn new(
        gate: &'a RiskGate,
        order: &'a Reservation,
        terms: ReplaceTerms,
        replaced: Option<&'a Reservation>,
        view: &'a RiskView<'a>,
    ) -> Result<Self, Refusal> {
        let account = view.account(order.account)?;
        let mark = view.marks.get(order.instrument);
        let instrument = view.instrument(order.instrument)?;
        let before = gate.reservations.interest(order.account, order.instrument);
        let added = interest_at_reference(order, &terms, mark, instrument);
        let side = before.side(order.side);
        let side_after = match replaced {
            None => side.plus(&added),
            Some(replaced) => side.wrapping_minus(&replaced.interest()).plus(&added),
        };
        let side_after =
            side_after.ok_or(Refusal::new(Rule::NotionalMustBeInBounds, Nano::MAX, added.priced))?;
        Ok(Proposal {
            order,
            terms,
            limits: gate.limits.applicable(order.account, order.instrument),
            reservations: &gate.reservations,
            view,
            account,
            instrument,
            position: account.quantity(order.instrument),
            mark,
            before,
            side_after,
            replaced,
        })
    }

    /// The rules in the order of their numbers, 30 to 40 and 83.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.limits.are_none() {
            return self.check_without_limits();
        }
        let exposure = self.exposure()?;
        self.check_reference_price()?;
        self.check_size()?;
        self.check_band()?;
        self.check_open_orders()?;
        self.check_position()?;
        self.check_short()?;
        self.check_leverage(exposure.as_ref())?;
        self.check_reduction()?;
        self.check_gross(exposure.as_ref())?;
        self.check_currency()
    }

    /// What is left of the rules where nobody set a limit, in the same order.
    fn check_without_limits(&self) -> Result<(), Refusal> {
        self.check_reference_price()?;
        self.check_short()?;
        self.check_reduction()?;
        self.check_currency()
    }

    /// What all open orders would hold back with it.
    fn after(&self) -> OpenInterest {
        let mut after = *self.before;
        *after.side_mut(self.order.side) = self.side_after;
        after
    }

    /// May make the position larger, by a quantity known now.
    fn widens(&self) -> bool {
        self.order.sizing == Sizing::Units && !self.order.only_reduces() && !self.order.is_held
    }

    fn reference_price(&self) -> Option<i64> {
        match self.order.is_held {
            true => price_bound(self.order.side, self.order.order_type, &self.terms),
            false => reference_price(self.order, &self.terms, self.mark, self.instrument),
        }
    }

    /// Exposure with the order, where a limit asks for it.
    fn exposure(&self) -> Result<Option<Exposure>, Refusal> {
        if !self.limits.bound_exposure() || !self.widens() {
            return Ok(None);
        }
        let open = self.reservations.account(self.account.id);
        Exposure::of(self.account, open, self.instrument, self.before, &self.after(), self.view)
            .map(Some)
            .ok_or_else(|| reference_price_must_be_known(self.account, self.instrument.id, self.view))
    }

    /// A price is needed to value the order, to find its band, and for every market order that widens.
    fn check_reference_price(&self) -> Result<(), Refusal> {
        let in_units = self.order.sizing == Sizing::Units && !self.order.is_held;
        let limited = self.limits.get(LimitKind::MaxOrderNotional).is_some();
        let unvalued = in_units && (limited || self.widens()) && self.reference_price().is_none();
        let banded = self.order.order_type == OrderType::Limit && !self.order.is_held;
        let unbanded = banded && self.limits.get(LimitKind::PriceBand).is_some() && self.mark.is_none();
        match unvalued || unbanded {
            true => Err(Refusal::new(Rule::ReferencePriceMustBeKnown, 0, i128::from(self.instrument.id))),
            false => Ok(()),
        }
    }

    /// Quantity and notional of the whole order; orders sized at the fill are measured there.
    fn check_size(&self) -> Result<(), Refusal> {
        if self.order.sizing != Sizing::Units {
            return Ok(());
        }
        let is_limited = self.limits.get(LimitKind::MaxOrderNotional).is_some();
        let notional = match self.reference_price().filter(|_| is_limited) {
            Some(price) => self.instrument.notional(price, self.terms.quantity).unwrap_or(Nano::MAX),
            None => 0,
        };
        check_order_size(&self.limits, self.terms.quantity, notional)
    }

    /// A limit price near the mark; that of a stop-limit near the stop that wakes it.
    fn check_band(&self) -> Result<(), Refusal> {
        let Some(band) = self.limits.get(LimitKind::PriceBand) else { return Ok(()) };
        let center = match self.order.order_type {
            OrderType::Limit if !self.order.is_held => self.mark,
            OrderType::StopLimit | OrderType::LimitIfTouched => Some(self.terms.stop_price),
            _ => None,
        };
        // That of one which waits may be decided by its parent's fill.
        let has_price = self.terms.price != 0 || (self.instrument.negative_prices && !self.order.is_held);
        let Some(center) = center.filter(|_| has_price) else { return Ok(()) };
        let distance = (i128::from(self.terms.price) - i128::from(center)).abs();
        let center = i128::from(center).abs().max(1);
        if distance * NANO > i128::from(band) * center {
            let actual = (distance * NANO).div_euclid(center) + i128::from(distance * NANO % center != 0);
            return Err(Refusal::new(Rule::PriceMustBeInBand, i128::from(band), actual));
        }
        Ok(())
    }

    fn check_open_orders(&self) -> Result<(), Refusal> {
        let kind = LimitKind::MaxOpenOrders;
        let of_account = self.reservations.account(self.account.id).map_or(0, |account| account.orders);
        let counts = [
            (self.limits.instrument_wide(kind), self.before.orders),
            (self.limits.account_wide(kind), of_account),
        ];
        for (limit, orders) in counts {
            let Some(limit) = limit.filter(|&limit| self.replaced.is_none() && orders >= limit) else {
                continue;
            };
            let (limit, actual) = (i128::from(limit), i128::from(orders) + 1);
            return Err(Refusal::new(Rule::OpenOrdersMustNotExceedLimit, limit, actual));
        }
        Ok(())
    }

    /// Where all open orders on the order's side, and it, would take the position; positive in its direction.
    fn worst_in_direction(&self) -> i128 {
        let worst = self.after().worst_position(self.position, self.order.side).unwrap_or(i128::MAX);
        worst.saturating_mul(i128::from(self.order.side.sign()))
    }

    fn check_position(&self) -> Result<(), Refusal> {
        let limit = self.limits.get(LimitKind::MaxPosition).filter(|_| self.widens());
        let Some(limit) = limit.map(i128::from) else { return Ok(()) };
        let actual = self.worst_in_direction();
        match actual > limit {
            true => Err(Refusal::new(Rule::PositionMustNotExceedLimit, limit, actual)),
            false => Ok(()),
        }
    }

    /// `limit` of the refusal is what is left to sell.
    fn check_short(&self) -> Result<(), Refusal> {
        if self.account.shorting {
            return Ok(());
        }
        let refusal = |left, asked| Err(Refusal::new(Rule::ShortMustBeAllowed, left, asked));
        if self.order.sizing == Sizing::TargetPercent && self.terms.quantity < 0 {
            return refusal(0, i128::from(self.terms.quantity));
        }
        let short = self.worst_in_direction();
        if self.widens() && self.order.side == Side::Sell && short > 0 {
            let asked = i128::from(self.terms.quantity.saturating_sub(self.order.filled));
            return refusal((asked - short).max(0), asked);
        }
        Ok(())
    }

    /// Only what makes the exposure larger is held to the limits of it.
    fn check_leverage(&self, exposure: Option<&Exposure>) -> Result<(), Refusal> {
        match (self.limits.get(LimitKind::MaxLeverage), exposure) {
            (Some(limit), Some(exposure)) if exposure.grows() => {
                check_leverage(exposure.gross, exposure.equity, limit)
            }
            _ => Ok(()),
        }
    }

    /// There must be something to reduce, or an open order that may yet bring it.
    fn check_reduction(&self) -> Result<(), Refusal> {
        let goes_out = !self.order.is_held && self.replaced.is_none_or(|order| order.is_held);
        if !self.order.only_reduces() || !goes_out {
            return Ok(());
        }
        let unsized_orders = self.before.buys.unsized_orders + self.before.sells.unsized_orders;
        let opposite = self.before.side(self.order.side.opposite()).quantity;
        let held = -i128::from(self.position) * i128::from(self.order.side.sign());
        match unsized_orders > 0 || held.saturating_add(opposite) > 0 {
            true => Ok(()),
            false => Err(Refusal::new(Rule::ReduceOnlyMustReduce, 0, i128::from(self.terms.quantity))),
        }
    }

    fn check_gross(&self, exposure: Option<&Exposure>) -> Result<(), Refusal> {
        let Some(exposure) = exposure.filter(|exposure| exposure.grows()) else { return Ok(()) };
        check_gross(&self.limits, exposure.of_instrument, exposure.gross)
    }

    fn check_currency(&self) -> Result<(), Refusal> {
        let (limit, actual) = (self.account.currency, self.instrument.currency);
        match limit == actual {
            true => Ok(()),
            false => Err(Refusal::new(Rule::CurrencyMustMatch, i128::from(limit), i128::from(actual))),
        }
    }
}

/// The worst price the order is known to trade at: its own, or the mark where that is worse for exposure (a sell
/// above its limit, a stop that the market has passed). Where prices may be negative every order is worth the farther from zero.
fn reference_price(
    order: &Reservation,
    terms: &ReplaceTerms,
    mark: Option<i64>,
    instrument: &Instrument,
) -> Option<i64> {
    let own = price_bound(order.side, order.order_type, terms);
    let mark = mark.map(i64::saturating_abs);
    match (order.order_type, order.side) {
        _ if instrument.negative_prices => own.max(mark),
        (OrderType::Limit, Side::Sell) | (OrderType::Stop | OrderType::TrailingStop, Side::Buy) => {
            own.max(mark)
        }
        _ => own.or(mark),
    }
}

/// What the order holds back, its leaves valued at the reference price.
fn interest_at_reference(
    order: &Reservation,
    terms: &ReplaceTerms,
    mark: Option<i64>,
    instrument: &Instrument,
) -> SideInterest {
    let mut interest = order.interest();
    let leaves = i128::from(terms.quantity.saturating_sub(order.filled).max(0));
    let is_priced = interest.quantity > 0 && interest.unpriced == 0;
    if let (Some(price), true) = (reference_price(order, terms, mark, instrument), is_priced) {
        interest.priced = interest.priced.max(leaves * i128::from(price));
    }
    interest
}

pub(super) fn check_order_size(
    limits: &Applicable<'_>,
    quantity: i64,
    notional: Nano,
) -> Result<(), Refusal> {
    let measures = [
        (LimitKind::MaxOrderQuantity, Rule::QuantityMustNotExceedLimit, i128::from(quantity)),
        (LimitKind::MaxOrderNotional, Rule::NotionalMustNotExceedLimit, notional),
    ];
    for (kind, rule, actual) in measures {
        match limits.get(kind).map(i128::from) {
            Some(limit) if actual > limit => return Err(Refusal::new(rule, limit, actual)),
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn check_gross(limits: &Applicable<'_>, of_instrument: Nano, gross: Nano) -> Result<(), Refusal> {
    let kind = LimitKind::MaxGrossExposure;
    let measures = [(limits.instrument_wide(kind), of_instrument), (limits.account_wide(kind), gross)];
    for (limit, actual) in measures {
        match limit.map(i128::from) {
            Some(limit) if actual > limit => {
                return Err(Refusal::new(Rule::GrossExposureMustNotExceedLimit, limit, actual));
            }
            _ => {}
        }
    }
    Ok(())
}
