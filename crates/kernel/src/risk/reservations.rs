//! What every open order holds back, and the sums of it per account and instrument.

use super::interest::{OpenInterest, SideInterest};
use crate::command::SubmitOrder;
use crate::numbered::Numbered;
use crate::orders::Order;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{OrderType, Side, Sizing, TimeInForce, options};

/// The terms of an order that a replace can change, each final. `quantity` is the total, filled part included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplaceTerms {
    pub price: i64,
    pub quantity: i64,
    pub stop_price: i64,
}

impl ReplaceTerms {
    pub(super) const fn of(order: &SubmitOrder) -> Self {
        ReplaceTerms { price: order.price, quantity: order.quantity, stop_price: order.stop_price }
    }
}

/// One open order as risk sees it: a view of it that is made when it is needed, never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub(super) account: u32,
    pub(super) instrument: u32,
    pub(super) side: Side,
    pub(super) order_type: OrderType,
    pub(super) time_in_force: TimeInForce,
    pub(super) sizing: Sizing,
    pub(super) options: u16,
    /// Waits for its parent: cannot execute yet, so it holds nothing back but counts as open.
    pub(super) is_held: bool,
    pub(super) terms: ReplaceTerms,
    /// Asked for and not answered: the worse of both is held back.
    pub(super) pending: Option<ReplaceTerms>,
    pub(super) filled: i64,
}

impl Reservation {
    /// What an order that is open would hold back as it is now.
    #[inline]
    pub(crate) fn of_open(order: &Order) -> Self {
        Reservation {
            is_held: order.is_held,
            terms: order.terms,
            pending: order.uncommon.pending_terms,
            filled: order.cumulative_quantity,
            ..Reservation::of(&order.request)
        }
    }

    /// Of a new order, on its way to its venue.
    #[inline]
    pub(super) fn of(order: &SubmitOrder) -> Self {
        Reservation {
            account: order.account,
            instrument: order.instrument,
            side: order.side,
            order_type: order.order_type,
            time_in_force: order.time_in_force,
            sizing: order.sizing,
            options: order.options,
            is_held: false,
            terms: ReplaceTerms::of(order),
            pending: None,
            filled: 0,
        }
    }

    pub(super) fn held(order: &SubmitOrder) -> Self {
        Reservation { is_held: true, ..Reservation::of(order) }
    }

    /// What a plain limit order at its venue may still trade: it holds back that, and its price times that.
    #[inline(always)]
    fn plain_leaves(&self) -> Option<i64> {
        let is_plain = matches!(self.order_type, OrderType::Limit)
            && matches!(self.sizing, Sizing::Units)
            && self.options & options::REDUCE_ONLY == 0
            && !self.is_held
            && self.pending.is_none()
            && self.terms.price > 0;
        is_plain.then(|| self.terms.quantity.saturating_sub(self.filled).max(0))
    }

    /// Can only bring the position nearer to zero.
    pub(super) const fn only_reduces(&self) -> bool {
        self.options & options::REDUCE_ONLY != 0 || matches!(self.sizing, Sizing::ClosePosition)
    }

    /// Executes at once or never: nothing sent after it can execute before it.
    const fn is_immediate(&self) -> bool {
        let waits = matches!(self.time_in_force, TimeInForce::AtOpen | TimeInForce::AtClose);
        matches!(self.order_type, OrderType::Market) && !waits
    }

    /// What the order holds back.
    pub(super) fn interest(&self) -> SideInterest {
        if self.is_held {
            return SideInterest::default();
        }
        let now = self.interest_under(&self.terms);
        match &self.pending {
            None => now,
            Some(terms) => worse_of(&now, &self.interest_under(terms)),
        }
    }

    fn interest_under(&self, terms: &ReplaceTerms) -> SideInterest {
        let leaves = i128::from(terms.quantity.saturating_sub(self.filled).max(0));
        let nothing = SideInterest::default();
        match (self.sizing, self.only_reduces(), self.is_immediate()) {
            (Sizing::ClosePosition, _, true) => SideInterest { closing_all: 1, ..nothing },
            (Sizing::Units, true, true) => SideInterest { closing: leaves, ..nothing },
            (Sizing::Units, false, _) => match price_bound(self.side, self.order_type, terms) {
                Some(price) => {
                    SideInterest { quantity: leaves, priced: leaves * i128::from(price), ..nothing }
                }
                None => SideInterest { quantity: leaves, unpriced: leaves, ..nothing },
            },
            (Sizing::Percent | Sizing::TargetPercent, false, _) => {
                SideInterest { unsized_orders: 1, ..nothing }
            }
            // Waits and only reduces: may never execute, and does no harm when it does.
            _ => nothing,
        }
    }
}

/// Room for a plain order among what its account holds back.
pub(crate) struct Room<'a> {
    orders: &'a mut i64,
    of_instrument: &'a mut i64,
    side: &'a mut SideInterest,
}

impl Room<'_> {
    /// Holds back a plain limit order of which nothing has traded yet.
    #[inline]
    pub(crate) fn take(self, order: &SubmitOrder) {
        *self.orders += 1;
        *self.of_instrument += 1;
        self.side.add_plain(order.quantity, order.price);
    }
}

/// What an order holds back before part of it trades or it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held {
    /// A plain limit order at its venue, this much of it.
    Plain(i64),
    Any(Reservation),
}

impl Held {
    #[inline]
    pub(crate) fn of(order: &Order) -> Self {
        plain_leaves(order).map_or_else(|| Held::Any(Reservation::of_open(order)), Held::Plain)
    }
}

/// As [`Reservation::plain_leaves`], without making one.
#[inline]
fn plain_leaves(order: &Order) -> Option<i64> {
    let request = &order.request;
    let is_plain = request.order_type == OrderType::Limit
        && request.sizing == Sizing::Units
        && request.options & options::REDUCE_ONLY == 0
        && !order.is_held
        && order.uncommon.pending_terms.is_none()
        && order.terms.price > 0;
    is_plain.then(|| order.terms.quantity.saturating_sub(order.cumulative_quantity).max(0))
}

fn worse_of(a: &SideInterest, b: &SideInterest) -> SideInterest {
    SideInterest {
        quantity: a.quantity.max(b.quantity),
        priced: a.priced.max(b.priced),
        unpriced: a.unpriced.max(b.unpriced),
        // What is counted on as done is the lesser.
        closing: a.closing.min(b.closing),
        closing_all: a.closing_all.min(b.closing_all),
        unsized_orders: a.unsized_orders.max(b.unsized_orders),
    }
}

/// The price an order values itself at, as a distance from zero: its limit, or the price that will make it a market order.
/// `None` for a market order, and for one whose price follows from the market. Nothing bounds how far below zero an order trades: where
/// that is permitted whoever judges it looks at the mark too.
pub(super) fn price_bound(side: Side, order_type: OrderType, terms: &ReplaceTerms) -> Option<i64> {
    let (price, stop) = (terms.price.saturating_abs(), terms.stop_price.saturating_abs());
    let is_below_zero = terms.price < 0 || terms.stop_price < 0;
    match (order_type, side) {
        (OrderType::Market, _) => None,
        (OrderType::Stop | OrderType::MarketIfTouched, _) => Some(stop),
        (OrderType::Limit, _) => Some(price),
        (OrderType::StopLimit | OrderType::LimitIfTouched, Side::Buy) if !is_below_zero => Some(price),
        // Sold at the limit or better, after the market came to the stop.
        (OrderType::StopLimit | OrderType::LimitIfTouched, _) => Some(price.max(stop)),
        // These have their price from the market, and 0 before.
        (OrderType::TrailingStop, _) => Some(stop).filter(|&stop| stop > 0),
        (OrderType::TrailingStopLimit, _) => Some(price.max(stop)).filter(|&worst| worst > 0),
        (OrderType::MarketToLimit, _) => Some(price).filter(|&price| price > 0),
        // A limit on what it pays; what it sells at least for says nothing about the most.
        (OrderType::Pegged, Side::Buy) => Some(terms.price).filter(|&price| price > 0),
        (OrderType::Pegged, Side::Sell) => None,
    }
}

/// Open orders of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AccountInterest {
    pub(super) orders: i64,
    pub(super) instruments: Numbered<u32, OpenInterest>,
}

/// What open orders hold back, in sums per account and instrument. They follow from the orders: whoever opens, changes or
/// closes one tells of it, and after a restart of all that are open.
///
/// Entries of accounts and instruments stay once they were used, so that orders coming and going allocate nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Reservations {
    accounts: Numbered<u32, AccountInterest>,
}

impl Reservations {
    pub(super) fn account(&self, account: u32) -> Option<&AccountInterest> {
        self.accounts.get(&account)
    }

    #[inline]
    pub(super) fn interest(&self, account: u32, instrument: u32) -> &OpenInterest {
        let account = self.accounts.get(&account);
        account.and_then(|account| account.instruments.get(&instrument)).unwrap_or(OpenInterest::NONE)
    }

    /// Holds back what the order could do.
    #[inline]
    pub(super) fn open(&mut self, reservation: &Reservation) {
        let (count, interest) = self.entry(reservation);
        *count += 1;
        interest.orders += 1;
        let side = interest.side_mut(reservation.side);
        if let Some(leaves) = reservation.plain_leaves() {
            return side.add_plain(leaves, reservation.terms.price);
        }
        *side = side.wrapping_plus(&reservation.interest());
    }

    #[inline]
    pub(super) fn close(&mut self, reservation: &Reservation) {
        let (count, interest) = self.entry(reservation);
        *count -= 1;
        interest.orders -= 1;
        let side = interest.side_mut(reservation.side);
        if let Some(leaves) = reservation.plain_leaves() {
            return side.add_plain(-leaves, reservation.terms.price);
        }
        *side = side.wrapping_minus(&reservation.interest());
    }

    #[inline]
    pub(super) fn change(&mut self, before: &Reservation, after: &Reservation) {
        if let (Some(held), Some(holds)) = (before.plain_leaves(), after.plain_leaves()) {
            let side = self.entry(after).1.side_mut(after.side);
            side.add_plain(-held, before.terms.price);
            return side.add_plain(holds, after.terms.price);
        }
        let (held, holds) = (before.interest(), after.interest());
        if held == holds {
            return;
        }
        let side = self.entry(after).1.side_mut(after.side);
        *side = side.wrapping_minus(&held).wrapping_plus(&holds);
    }

    /// Takes out what an order holds back no more that was open, and the order itself where it is closed.
    #[inline]
    pub(super) fn lessen(&mut self, held: &Held, order: &Order) {
        let held = match held {
            Held::Plain(held) => *held,
            Held::Any(held) => return self.lessen_any(held, order),
        };
        let (request, price) = (&order.request, order.terms.price);
        let (count, interest) = self.entry_of(request.account, request.instrument);
        let holds = match order.is_open() {
            true => order.terms.quantity.saturating_sub(order.cumulative_quantity).max(0),
            false => 0,
        };
        let closed = i64::from(!order.is_open());
        *count -= closed;
        interest.orders -= closed;
        interest.side_mut(request.side).add_plain(holds - held, price);
    }

    fn lessen_any(&mut self, held: &Reservation, order: &Order) {
        let holds = Reservation::of_open(order);
        self.change(held, &holds);
        if !order.is_open() {
            self.close(&holds);
        }
    }

    /// Where a plain order of `side` may be held back, if it would find room there.
    #[inline]
    pub(super) fn room(&mut self, account: u32, instrument: u32, side: Side) -> Option<Room<'_>> {
        let (orders, interest) = self.entry_of(account, instrument);
        let of_instrument = &mut interest.orders;
        let side = match side {
            Side::Buy => &mut interest.buys,
            Side::Sell => &mut interest.sells,
        };
        side.has_room().then_some(Room { orders, of_instrument, side })
    }

    /// How many orders the account has, and what it holds back in the instrument.
    #[inline]
    fn entry(&mut self, reservation: &Reservation) -> (&mut i64, &mut OpenInterest) {
        self.entry_of(reservation.account, reservation.instrument)
    }

    #[inline]
    fn entry_of(&mut self, account: u32, instrument: u32) -> (&mut i64, &mut OpenInterest) {
        let account = self.accounts.get_or_default(account);
        let interest = account.instruments.get_or_default(instrument);
        (&mut account.orders, interest)
    }

    /// Where orders are open, and what they hold back.
    fn held(&self) -> impl Iterator<Item = (u32, u32, &OpenInterest)> {
        self.accounts.iter().flat_map(|(&account, interest)| {
            let held = interest.instruments.iter().filter(|(_, held)| held.orders != 0);
            held.map(move |(&instrument, held)| (account, instrument, held))
        })
    }
}

impl PartialEq for Reservations {
    fn eq(&self, other: &Self) -> bool {
        self.held().eq(other.held())
    }
}

impl Eq for Reservations {}

impl State for ReplaceTerms {
    fn write(&self, out: &mut StateWriter) {
        out.i64(self.price);
        out.i64(self.quantity);
        out.i64(self.stop_price);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(ReplaceTerms { price: input.i64()?, quantity: input.i64()?, stop_price: input.i64()? })
    }
}
