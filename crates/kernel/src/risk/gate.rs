//! The gate: limits, kill switches and what open orders hold back.

use std::collections::BTreeSet;

use super::admission::{check_bounds, check_prices, check_quantity, check_terms};
use super::exposure::{Exposure, check_leverage};
use super::interest::{OpenInterest, SideInterest};
use super::limits::{Applicable, LimitKind, Limits};
use super::reservations::{ReplaceTerms, Reservation, Reservations, price_bound};
use crate::command::SubmitOrder;
use crate::instrument::{Instrument, Instruments};
use crate::money::{NANO, Nano};
use crate::portfolio::{Account, FeeSchedules, Marks, Portfolio};
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{OrderType, Side, Sizing};

/// What the gate looks at besides itself.
#[derive(Clone, Copy, Debug)]
pub struct RiskView<'a> {
    pub instruments: &'a Instruments,
    pub portfolio: &'a Portfolio,
    pub marks: &'a Marks,
    pub fees: &'a FeeSchedules,
}

impl<'a> RiskView<'a> {
    pub(super) fn account(&self, id: u32) -> Result<&'a Account, Refusal> {
        self.portfolio.account(id).ok_or(Refusal::new(Rule::AccountMustBeOpen, 0, i128::from(id)))
    }

    pub(super) fn instrument(&self, id: u32) -> Result<&'a Instrument, Refusal> {
        self.instruments.get(id).ok_or(Refusal::new(Rule::InstrumentMustBeListed, 0, i128::from(id)))
    }
}

/// Limits, kill switches and reservations of all accounts.
///
/// The engine calls [`RiskGate::check`], then [`RiskGate::opened`] for an order it accepts, and tells of every
/// fill, replace and end of it. An order that waits for its parent is opened as it is submitted (it counts
/// as open, holds nothing back); when released it is checked and opened again under its id with `parent` 0 and
/// the quantity and price it then has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RiskGate {
    pub(super) limits: Limits,
    killed: BTreeSet<u32>,
    pub(super) reservations: Reservations,
}

/// One order as it is judged: what it would hold back, against what is held without it.
struct Proposal<'a> {
    order: &'a Reservation,
    /// Terms asked for.
    terms: ReplaceTerms,
    limits: Applicable,
    account: &'a Account,
    instrument: &'a Instrument,
    position: i64,
    mark: Option<i64>,
    before: OpenInterest,
    after: OpenInterest,
    is_new: bool,
}

impl RiskGate {
    /// Account or instrument 0 means every one; the most specific limit wins. [`super::LIFTED`] lifts it.
    ///
    /// # Errors
    /// `FieldMustBeInRange` when `value` is negative.
    pub fn set_limit(
        &mut self,
        account: u32,
        instrument: u32,
        kind: LimitKind,
        value: i64,
    ) -> Result<(), Refusal> {
        self.limits.set(account, instrument, kind, value)
    }

    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Refuses every new order and replace of `account` (0 = all) until released, by people only. Returns
    /// whether it was off. Cancels are not the gate's and go on.
    pub fn engage_kill_switch(&mut self, account: u32) -> bool {
        self.killed.insert(account)
    }

    /// Returns whether it was engaged. A switch engaged for all and one engaged for an account are two.
    pub fn release_kill_switch(&mut self, account: u32) -> bool {
        self.killed.remove(&account)
    }

    pub fn is_killed(&self, account: u32) -> bool {
        self.killed_for(account).is_some()
    }

    /// For whom the switch that stops `account` was engaged: 0 for all.
    fn killed_for(&self, account: u32) -> Option<u32> {
        [0, account].into_iter().find(|id| self.killed.contains(id))
    }

    fn check_kill_switch(&self, account: u32) -> Result<(), Refusal> {
        let of = |id| Refusal::new(Rule::KillSwitchMustBeOff, 0, i128::from(id));
        self.killed_for(account).map_or(Ok(()), |id| Err(of(id)))
    }

    /// Whether the order may go to its venue: rules in the order of [`Rule`], the first broken one refuses.
    /// What is unknown (account, instrument, a price a limit needs) refuses.
    ///
    /// # Errors
    /// The rule, with limit and actual.
    pub fn check(&self, order: &SubmitOrder, view: &RiskView<'_>) -> Result<(), Refusal> {
        self.check_parties(order, view)?;
        check_terms(order, view.instrument(order.instrument)?)?;
        self.check_limits(order, view)
    }

    /// The rules before any term is read (2, 3, 6), for an engine that tests others in between.
    ///
    /// # Errors
    /// `AccountMustBeOpen`, `InstrumentMustBeListed`, `KillSwitchMustBeOff`.
    pub fn check_parties(&self, order: &SubmitOrder, view: &RiskView<'_>) -> Result<(), Refusal> {
        view.account(order.account)?;
        view.instrument(order.instrument)?;
        self.check_kill_switch(order.account)
    }

    /// The rules that depend on limits, prices and positions (30 to 40, and 83).
    ///
    /// # Errors
    /// The rule, with limit and actual.
    pub fn check_limits(&self, order: &SubmitOrder, view: &RiskView<'_>) -> Result<(), Refusal> {
        let reservation = Reservation::of(order);
        self.judge(&reservation, reservation.terms, None, view)
    }

    /// Whether an open order may get new terms, each final: judged by the worse of old and new, since either
    /// may execute until the venue has answered.
    ///
    /// # Errors
    /// `OrderMustExist`, and as [`RiskGate::check`].
    pub fn check_replace(
        &self,
        order_id: u64,
        terms: &ReplaceTerms,
        view: &RiskView<'_>,
    ) -> Result<(), Refusal> {
        let unknown = Refusal::new(Rule::OrderMustExist, 0, i128::from(order_id));
        let open = self.reservations.get(order_id).ok_or(unknown)?;
        let instrument = view.instrument(open.instrument)?;
        self.check_kill_switch(open.account)?;
        if terms.quantity <= open.filled && open.sizing != Sizing::ClosePosition {
            let least = i128::from(open.filled) + 1;
            return Err(Refusal::new(Rule::QuantityMustBePositive, least, i128::from(terms.quantity)));
        }
        if open.sizing == Sizing::Units {
            check_quantity(terms.quantity, instrument)?;
        }
        check_prices(open.order_type, terms, instrument)?;
        check_bounds(open.sizing, open.order_type, terms, instrument)?;
        let proposed = Reservation { pending: Some(*terms), ..*open };
        self.judge(&proposed, *terms, Some(open), view)
    }

    fn judge(
        &self,
        order: &Reservation,
        terms: ReplaceTerms,
        replaced: Option<&Reservation>,
        view: &RiskView<'_>,
    ) -> Result<(), Refusal> {
        let account = view.account(order.account)?;
        let instrument = view.instrument(order.instrument)?;
        let before = self.reservations.interest(order.account, order.instrument);
        let mark = view.marks.get(order.instrument);
        let released = replaced.map_or(SideInterest::default(), Reservation::interest);
        let added = interest_at_reference(order, &terms, mark);
        let mut after = before;
        let side = after.side_mut(order.side);
        *side = side.wrapping_minus(&released).plus(&added).ok_or(Refusal::new(
            Rule::NotionalMustBeInBounds,
            Nano::MAX,
            added.priced,
        ))?;
        let proposal = Proposal {
            order,
            terms,
            limits: self.limits.applicable(order.account, order.instrument),
            account,
            instrument,
            position: account.quantity(order.instrument),
            mark,
            before,
            after,
            is_new: replaced.is_none(),
        };
        let exposure = proposal.exposure(&self.reservations, view)?;
        proposal.check_reference_price()?;
        proposal.check_size()?;
        proposal.check_band()?;
        proposal.check_open_orders(&self.reservations)?;
        proposal.check_position()?;
        proposal.check_short()?;
        proposal.check_leverage(exposure.as_ref())?;
        proposal.check_reduction()?;
        proposal.check_gross(exposure.as_ref())?;
        proposal.check_currency()
    }

    /// Holds back what the order could do, O(1). Opening an id again replaces what it held.
    pub fn opened(&mut self, order_id: u64, order: &SubmitOrder) {
        self.reservations.open(order_id, Reservation::of(order));
    }

    /// A replace was sent: from now on the worse of old and new terms is held back.
    pub fn pending_replace(&mut self, order_id: u64, terms: &ReplaceTerms) {
        self.reservations.change(order_id, |order| order.pending = Some(*terms));
    }

    /// The venue changed the order's terms, to these.
    pub fn replaced(&mut self, order_id: u64, terms: &ReplaceTerms) {
        self.reservations.change(order_id, |order| {
            order.terms = *terms;
            order.pending = None;
        });
    }

    /// The venue refused the replace: the old terms stand.
    pub fn replace_rejected(&mut self, order_id: u64) {
        self.reservations.change(order_id, |order| order.pending = None);
    }

    /// Part of the order executed; what did is held no more. Orders that are not open are ignored: a late
    /// fill is the portfolio's.
    pub fn filled(&mut self, order_id: u64, quantity: i64) {
        self.reservations.change(order_id, |order| order.filled = order.filled.saturating_add(quantity));
    }

    /// The order ended, however: it holds nothing and counts no more.
    pub fn closed(&mut self, order_id: u64) {
        self.reservations.close(order_id);
    }

    /// Open orders of `account`, dormant ones included.
    pub fn open_orders(&self, account: u32) -> i64 {
        self.reservations.account(account).map_or(0, |account| account.orders)
    }

    /// Quantities held back by open buys and open sells of `account` in `instrument`.
    pub fn open_quantity(&self, account: u32, instrument: u32) -> (i128, i128) {
        let interest = self.reservations.interest(account, instrument);
        (interest.buys.quantity, interest.sells.quantity)
    }
}

/// The worst price the order is known to trade at: its own, or the mark where that is worse for exposure (a sell
/// above its limit, a stop that the market has passed).
fn reference_price(order: &Reservation, terms: &ReplaceTerms, mark: Option<i64>) -> Option<i64> {
    let own = price_bound(order.side, order.order_type, terms);
    match (order.order_type, order.side) {
        (OrderType::Limit, Side::Sell) | (OrderType::Stop, Side::Buy) => own.max(mark),
        _ => own.or(mark),
    }
}

/// What the order holds back, its leaves valued at the reference price.
fn interest_at_reference(order: &Reservation, terms: &ReplaceTerms, mark: Option<i64>) -> SideInterest {
    let mut interest = order.interest();
    let leaves = i128::from(terms.quantity.saturating_sub(order.filled).max(0));
    if let (Some(price), true) = (reference_price(order, terms, mark), interest.priced > 0) {
        interest.priced = interest.priced.max(leaves * i128::from(price));
    }
    interest
}

impl Proposal<'_> {
    /// May make the position larger, by a quantity known now.
    fn widens(&self) -> bool {
        self.order.sizing == Sizing::Units && !self.order.only_reduces() && !self.order.dormant
    }

    fn reference_price(&self) -> Option<i64> {
        match self.order.dormant {
            true => price_bound(self.order.side, self.order.order_type, &self.terms),
            false => reference_price(self.order, &self.terms, self.mark),
        }
    }

    /// Exposure with the order, where a limit asks for it.
    fn exposure(
        &self,
        reservations: &Reservations,
        view: &RiskView<'_>,
    ) -> Result<Option<Exposure>, Refusal> {
        let limited = self.limits.get(LimitKind::MaxLeverage).is_some()
            || self.limits.account_wide(LimitKind::MaxGrossExposure).is_some()
            || self.limits.instrument_wide(LimitKind::MaxGrossExposure).is_some();
        if !limited || !self.widens() {
            return Ok(None);
        }
        let open = reservations.account(self.account.id);
        Exposure::of(self.account, open, self.instrument, &self.before, &self.after, view)
            .map(Some)
            .ok_or(Refusal::of(Rule::ReferencePriceMustBeKnown))
    }

    /// A price is needed to value the order, to find its band, and for every market order that widens.
    fn check_reference_price(&self) -> Result<(), Refusal> {
        let in_units = self.order.sizing == Sizing::Units && !self.order.dormant;
        let limited = self.limits.get(LimitKind::MaxOrderNotional).is_some();
        let unvalued = in_units && (limited || self.widens()) && self.reference_price().is_none();
        let banded = self.order.order_type == OrderType::Limit && !self.order.dormant;
        let unbanded = banded && self.limits.get(LimitKind::PriceBand).is_some() && self.mark.is_none();
        match unvalued || unbanded {
            true => Err(Refusal::of(Rule::ReferencePriceMustBeKnown)),
            false => Ok(()),
        }
    }

    /// Quantity and notional of the whole order; orders sized at the fill are measured there.
    fn check_size(&self) -> Result<(), Refusal> {
        if self.order.sizing != Sizing::Units {
            return Ok(());
        }
        let notional = match self.reference_price() {
            Some(price) => self.instrument.notional(price, self.terms.quantity).unwrap_or(Nano::MAX),
            None => 0,
        };
        check_order_size(&self.limits, self.terms.quantity, notional)
    }

    /// A limit price near the mark; that of a stop-limit near the stop that wakes it.
    fn check_band(&self) -> Result<(), Refusal> {
        let Some(band) = self.limits.get(LimitKind::PriceBand) else { return Ok(()) };
        let center = match self.order.order_type {
            OrderType::Limit if !self.order.dormant => self.mark,
            OrderType::StopLimit => Some(self.terms.stop_price),
            _ => None,
        };
        let Some(center) = center.filter(|_| self.terms.price > 0) else { return Ok(()) };
        let distance = (i128::from(self.terms.price) - i128::from(center)).abs();
        let center = i128::from(center).max(1);
        if distance * NANO > i128::from(band) * center {
            let actual = (distance * NANO).div_euclid(center) + i128::from(distance * NANO % center != 0);
            return Err(Refusal::new(Rule::PriceMustBeInBand, i128::from(band), actual));
        }
        Ok(())
    }

    fn check_open_orders(&self, reservations: &Reservations) -> Result<(), Refusal> {
        let kind = LimitKind::MaxOpenOrders;
        let of_account = reservations.account(self.account.id).map_or(0, |account| account.orders);
        let counts = [
            (self.limits.instrument_wide(kind), self.before.orders),
            (self.limits.account_wide(kind), of_account),
        ];
        for (limit, orders) in counts {
            let Some(limit) = limit.filter(|&limit| self.is_new && orders >= limit) else { continue };
            let (limit, actual) = (i128::from(limit), i128::from(orders) + 1);
            return Err(Refusal::new(Rule::OpenOrdersMustNotExceedLimit, limit, actual));
        }
        Ok(())
    }

    /// Where all open orders on the order's side, and it, would take the position; positive in its direction.
    fn worst_in_direction(&self) -> i128 {
        let worst = self.after.worst_position(self.position, self.order.side).unwrap_or(i128::MAX);
        worst.saturating_mul(i128::from(self.order.side.sign()))
    }

    fn check_position(&self) -> Result<(), Refusal> {
        let limit = self.limits.get(LimitKind::MaxPosition).filter(|_| self.widens());
        let actual = self.worst_in_direction();
        match limit.map(i128::from) {
            Some(limit) if actual > limit => {
                Err(Refusal::new(Rule::PositionMustNotExceedLimit, limit, actual))
            }
            _ => Ok(()),
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
        if !self.order.only_reduces() || self.order.dormant || !self.is_new {
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

pub(super) fn check_order_size(limits: &Applicable, quantity: i64, notional: Nano) -> Result<(), Refusal> {
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

pub(super) fn check_gross(limits: &Applicable, of_instrument: Nano, gross: Nano) -> Result<(), Refusal> {
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

impl State for RiskGate {
    fn write(&self, out: &mut StateWriter) {
        self.limits.write(out);
        out.length(self.killed.len());
        self.killed.iter().for_each(|&account| out.u32(account));
        self.reservations.write(out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let limits = Limits::read(input)?;
        let len = input.length()?;
        let killed = (0..len).map(|_| input.u32()).collect::<Result<_, _>>()?;
        Ok(RiskGate { limits, killed, reservations: Reservations::read(input)? })
    }
}
