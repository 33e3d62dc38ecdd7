//! The gate: limits, kill switches and what open orders hold back.

use std::collections::BTreeSet;

use super::admission::{check_bounds, check_held_terms, check_prices, check_quantity, check_terms};
use super::limits::{LimitKind, Limits};
use super::proposal::Proposal;
use super::reservations::{Held, ReplaceTerms, Reservation, Reservations, Room};
use crate::command::SubmitOrder;
use crate::instrument::{Instrument, Instruments};
use crate::orders::Order;
use crate::portfolio::{Account, FeeSchedules, Marks, Portfolio};
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::Sizing;
use crate::tracked::{EntityHasher, Tracked};

/// What the gate looks at besides itself.
#[derive(Clone, Copy, Debug)]
pub struct RiskView<'a> {
    pub instruments: &'a Instruments,
    pub portfolio: &'a Portfolio,
    pub marks: &'a Marks,
    pub fees: &'a FeeSchedules,
}

impl<'a> RiskView<'a> {
    pub(crate) fn account(&self, id: u32) -> Result<&'a Account, Refusal> {
        self.portfolio.account(id).ok_or(Refusal::new(Rule::AccountMustBeOpen, 0, i128::from(id)))
    }

    pub(crate) fn instrument(&self, id: u32) -> Result<&'a Instrument, Refusal> {
        self.instruments.get(id).ok_or(Refusal::new(Rule::InstrumentMustBeListed, 0, i128::from(id)))
    }
}

/// Limits, kill switches and reservations of all accounts.
///
/// The engine calls [`RiskGate::check`], then [`RiskGate::opened`] for an order it accepts, and tells of every
/// change and of the end of it. An order that waits for its parent passes [`RiskGate::check_held`] instead: it counts as
/// open and holds nothing back. When released it passes [`RiskGate::check_release`] with the quantity and price it then
/// has, and holds back what they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RiskGate {
    pub(super) limits: Tracked<Limits>,
    killed: BTreeSet<u32>,
    pub(super) reservations: Reservations,
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

    pub fn limits(&self) -> &Limits {
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

    /// Accounts whose kill switch is on; 0 stands for all.
    pub fn killed(&self) -> impl Iterator<Item = u32> + '_ {
        self.killed.iter().copied()
    }

    pub fn is_killed(&self, account: u32) -> bool {
        self.killed_for(account).is_some()
    }

    /// For whom the switch that stops `account` was engaged: 0 for all.
    fn killed_for(&self, account: u32) -> Option<u32> {
        [0, account].into_iter().find(|id| self.killed.contains(id))
    }

    pub(crate) fn check_kill_switch(&self, account: u32) -> Result<(), Refusal> {
        let of = |id| Refusal::new(Rule::KillSwitchMustBeOff, 0, i128::from(id));
        self.killed_for(account).map_or(Ok(()), |id| Err(of(id)))
    }

    /// Room for a plain limit order that passes all other rules; `None` where a limit, a switch or a sum could refuse it.
    #[inline]
    pub(crate) fn room_at_a_glance(
        &mut self,
        order: &SubmitOrder,
        account: &Account,
        instrument: &Instrument,
    ) -> Option<Room<'_>> {
        let passes = (self.killed.is_empty() || !self.is_killed(order.account))
            && (self.limits.is_empty() || self.limits.applicable(order.account, instrument.id).are_none())
            && account.shorting
            && !instrument.negative_prices
            && account.currency == instrument.currency;
        if !passes {
            return None;
        }
        self.reservations.room(order.account, instrument.id, order.side)
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

    /// Whether an order may wait for its parent: its parties, the terms it has, its size and the number of open
    /// orders. The rest is tested when it is released.
    ///
    /// # Errors
    /// As [`RiskGate::check`].
    pub fn check_held(&self, order: &SubmitOrder, view: &RiskView<'_>) -> Result<(), Refusal> {
        self.check_parties(order, view)?;
        check_held_terms(order, view.instrument(order.instrument)?)?;
        let reservation = Reservation::held(order);
        Proposal::new(self, &reservation, reservation.terms, None, view)?.check()
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
        Proposal::new(self, &reservation, reservation.terms, None, view)?.check()
    }

    /// Whether an order that waited for its parent may go to its venue now: `order` has its final quantity and
    /// price. It was counted when it was submitted and is not counted twice.
    ///
    /// # Errors
    /// The first of the rules on terms and limits that is broken. The kill switch is not asked again: the order
    /// was accepted before, and mostly it protects a position.
    pub fn check_release(&self, order: &SubmitOrder, view: &RiskView<'_>) -> Result<(), Refusal> {
        check_terms(order, view.instrument(order.instrument)?)?;
        let reservation = Reservation::of(order);
        let waiting = Reservation::held(order);
        Proposal::new(self, &reservation, reservation.terms, Some(&waiting), view)?.check()
    }

    /// Whether an open order may get new terms, each final: judged by the worse of old and new, since either
    /// may execute until the venue has answered.
    ///
    /// # Errors
    /// As [`RiskGate::check`].
    pub(crate) fn check_replace(
        &self,
        open: &Reservation,
        terms: &ReplaceTerms,
        view: &RiskView<'_>,
    ) -> Result<(), Refusal> {
        let instrument = view.instrument(open.instrument)?;
        self.check_kill_switch(open.account)?;
        if open.sizing == Sizing::Units && terms.quantity <= open.filled {
            let least = i128::from(open.filled) + 1;
            return Err(Refusal::new(Rule::QuantityMustBePositive, least, i128::from(terms.quantity)));
        }
        check_quantity(open.sizing, terms.quantity, instrument)?;
        check_prices(open.order_type, terms, instrument)?;
        check_bounds(open.sizing, open.order_type, terms, instrument)?;
        let proposed = Reservation { pending: Some(*terms), ..*open };
        Proposal::new(self, &proposed, *terms, Some(open), view)?.check()
    }

    /// Holds back what an order could do that is open from now on, O(1); one that waits for its parent is only counted.
    #[inline]
    pub(crate) fn opened(&mut self, order: &Reservation) {
        self.reservations.open(order);
    }

    /// An open order changed: part of it executed, it was released, it has other terms or other terms were asked for, and
    /// from then on the worse of old and new is held back.
    #[inline]
    pub(crate) fn changed(&mut self, before: &Reservation, after: &Reservation) {
        self.reservations.change(before, after);
    }

    /// An order that was open and held back `held` traded, or ended.
    #[inline]
    pub(crate) fn lessened(&mut self, held: &Held, order: &Order) {
        self.reservations.lessen(held, order);
    }

    /// The order ended, however: it holds nothing and counts no more.
    #[inline]
    pub(crate) fn closed(&mut self, order: &Reservation) {
        self.reservations.close(order);
    }

    /// Open orders of `account`, those that wait for their parent included.
    pub fn open_orders(&self, account: u32) -> i64 {
        self.reservations.account(account).map_or(0, |account| account.orders)
    }

    /// Quantities held back by open buys and open sells of `account` in `instrument`.
    pub fn open_quantity(&self, account: u32, instrument: u32) -> (i128, i128) {
        let interest = self.reservations.interest(account, instrument);
        (interest.buys.quantity, interest.sells.quantity)
    }
}

impl RiskGate {
    pub(crate) fn state_sum(&mut self, hasher: &mut EntityHasher) -> u128 {
        let limits = self.limits.hash("limits", hasher);
        let killed = hasher.hash("killed", 0u64, |out| self.write_killed(out));
        limits.wrapping_add(killed)
    }

    fn write_killed(&self, out: &mut StateWriter) {
        out.length(self.killed.len());
        self.killed.iter().for_each(|&account| out.u32(account));
    }
}

/// Limits and kill switches: what is held back follows from the orders.
impl State for RiskGate {
    fn write(&self, out: &mut StateWriter) {
        self.limits.write(out);
        self.write_killed(out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let limits = Limits::read(input)?;
        let len = input.length()?;
        let killed = (0..len).map(|_| input.u32()).collect::<Result<_, _>>()?;
        Ok(RiskGate { limits: Tracked::new(limits), killed, reservations: Reservations::default() })
    }
}
