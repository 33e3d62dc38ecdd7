//! How an incoming order is shared among the orders of one level.

use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::Side;

use super::aside::Aside;
use super::live::LiveOrders;
use super::report::{BookCancel, BookDecrement, BookRefresh, BookTrade, ReportSink};
use super::self_trade::{SelfTradeAction, SelfTradeGuard};
use super::side_at;
use super::slab::Slab;

/// A matching policy is a type parameter of [`super::Book`]: each is compiled into its own book, and plain
/// price-time pays nothing for the others. Its settings are state of the book.
pub trait MatchingPolicy: State {
    /// Written before the book's state, so that a snapshot is not read under another policy.
    const NUMBER: u8;

    /// Whether it gives orders a rank by how they came to rest: then it is told of those that better the market.
    const RANKS: bool = false;

    /// Whether orders are met one after the other; it then asks [`LevelQueue::prevents`] about each itself.
    #[inline]
    fn one_by_one(&self) -> bool {
        false
    }

    /// Fills orders of `queue`, all at one price, with at most [`LevelQueue::incoming`], by
    /// [`LevelQueue::fill`]. Called again while both sides have something left; where it fills nothing, the
    /// level goes by time.
    fn match_level<S: ReportSink, G: SelfTradeGuard>(&mut self, queue: &mut LevelQueue<'_, S, G>);

    /// The policy for finding out what an order would come to, without asking anybody.
    fn for_trial(&self) -> Self;

    /// An order came to rest at a new best price of its side, showing `shown`.
    fn bettered(&mut self, _side: Side, _order_id: u64, _shown: i64) {}

    /// The order of a side that has a rank.
    fn ranked(&self, _side: Side) -> Option<u64> {
        None
    }

    /// The ranked order of a side is gone or has lost its place.
    fn unrank(&mut self, _side: Side) {}
}

/// First at the price, first served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceTime;

impl MatchingPolicy for PriceTime {
    const NUMBER: u8 = 1;

    fn for_trial(&self) -> Self {
        PriceTime
    }

    #[inline]
    fn one_by_one(&self) -> bool {
        true
    }

    #[inline(always)]
    fn match_level<S: ReportSink, G: SelfTradeGuard>(&mut self, queue: &mut LevelQueue<'_, S, G>) {
        while queue.incoming() > 0
            && let Some(first) = queue.first()
        {
            if !queue.prevents(first) {
                queue.fill(first, queue.incoming());
            }
        }
    }
}

impl State for PriceTime {
    fn write(&self, _out: &mut StateWriter) {}

    fn read(_input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(PriceTime)
    }
}

/// The side that takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taker {
    pub order_id: u64,
    pub account: u32,
    pub side: Side,
    pub leaves: i64,
}

/// A resting order of the level being matched; valid until it is filled whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestingOrder(u32);

/// The orders of the level being matched, in time order.
pub struct LevelQueue<'a, S: ReportSink, G: SelfTradeGuard> {
    pub(super) slab: &'a mut Slab,
    pub(super) live: &'a mut LiveOrders,
    pub(super) aside: &'a mut Option<Box<Aside>>,
    pub(super) taker: &'a mut Taker,
    pub(super) guard: &'a G,
    pub(super) sink: &'a mut S,
    pub(super) level: u32,
    pub(super) price: i64,
}

impl<S: ReportSink, G: SelfTradeGuard> LevelQueue<'_, S, G> {
    #[inline(always)]
    pub fn first(&self) -> Option<RestingOrder> {
        self.order_or_end(self.slab.next(self.level))
    }

    #[inline]
    pub fn after(&self, order: RestingOrder) -> Option<RestingOrder> {
        self.order_or_end(self.slab.next(order.0))
    }

    #[inline(always)]
    fn order_or_end(&self, slot: u32) -> Option<RestingOrder> {
        (slot != self.level).then_some(RestingOrder(slot))
    }

    /// What is left of the order that takes.
    #[inline(always)]
    pub fn incoming(&self) -> i64 {
        self.taker.leaves
    }

    /// The order that takes.
    pub fn taker(&self) -> u64 {
        self.taker.order_id
    }

    pub fn price(&self) -> i64 {
        self.price
    }

    /// Side of the orders of the level.
    pub fn side(&self) -> Side {
        self.taker.side.opposite()
    }

    /// What an order shows; of a hidden one, its leaves.
    #[inline]
    pub fn leaves(&self, order: RestingOrder) -> i64 {
        self.slab.quantity(order.0)
    }

    pub fn account(&self, order: RestingOrder) -> u32 {
        self.slab.account(order.0)
    }

    pub fn order_id(&self, order: RestingOrder) -> u64 {
        self.slab.order_id(order.0)
    }

    /// What all orders of the level show; of hidden ones, their leaves.
    pub fn quantity(&self) -> i64 {
        self.slab.quantity(self.level)
    }

    pub fn orders(&self) -> u32 {
        self.slab.orders(self.level)
    }

    /// Leaves of all orders of the level, reserves included.
    pub fn leaves_of_all(&self) -> i64 {
        if self.aside.is_none() {
            return self.quantity();
        }
        let mut total = 0;
        let mut next = self.first();
        while let Some(order) = next {
            total += self.slab.quantity(order.0) + self.reserve(order.0);
            next = self.after(order);
        }
        total
    }

    /// Trades `quantity` with `order`: no more than it shows and than the aggressor has left.
    #[inline(always)]
    pub fn fill(&mut self, order: RestingOrder, quantity: i64) {
        let slot = order.0;
        let quantity = quantity.min(self.slab.quantity(slot)).min(self.taker.leaves);
        let quantity = if G::ACTIVE { self.most(slot, quantity) } else { quantity };
        if quantity <= 0 {
            return;
        }
        if G::ACTIVE {
            let Taker { account, side, .. } = *self.taker;
            self.guard.traded(self.slab.account(slot), account, side, quantity);
        }
        let shown = self.slab.reduce(slot, quantity);
        self.taker.leaves -= quantity;
        let maker_order_id = self.slab.order_id(slot);
        self.sink.traded(&BookTrade {
            maker_order_id,
            taker_order_id: self.taker.order_id,
            maker_account: self.slab.account(slot),
            taker_account: self.taker.account,
            taker_side: self.taker.side,
            price: self.price,
            quantity,
            maker_leaves: shown + self.reserve(slot),
            taker_leaves: self.taker.leaves,
        });
        if shown == 0 {
            self.exhausted(slot, maker_order_id);
        }
    }

    /// Cancels what is left of the order that takes, for a policy that cannot say how to go on.
    pub fn cancel_incoming(&mut self, reason: Refusal) {
        let Taker { order_id, account, side, leaves } = *self.taker;
        self.taker.leaves = 0;
        self.sink.canceled(&BookCancel { order_id, account, side, price: self.price, leaves, reason });
    }

    /// Takes `quantity` from the first order without telling of a trade: the other half of one told.
    pub(super) fn lessen_first(&mut self, quantity: i64) {
        let slot = self.slab.next(self.level);
        if self.slab.reduce(slot, quantity) == 0 {
            self.exhausted(slot, self.slab.order_id(slot));
        }
    }

    #[inline]
    fn reserve(&self, slot: u32) -> i64 {
        if !self.slab.has_reserve(slot) {
            return 0;
        }
        self.aside.as_ref().map_or(0, |aside| aside.reserve(self.slab.order_id(slot)))
    }

    /// Shows the next part of an order that shows nothing more, or takes it out.
    #[inline(always)]
    fn exhausted(&mut self, slot: u32, order_id: u64) {
        if self.slab.has_reserve(slot) && self.refresh(slot, order_id) {
            return;
        }
        self.slab.remove(slot);
        self.live.remove(order_id, self.slab);
    }

    #[cold]
    fn refresh(&mut self, slot: u32, order_id: u64) -> bool {
        let side = self.slab.side(self.level);
        let Some(aside) = self.aside.as_mut() else { return false };
        let shown = aside.draw(side, order_id);
        if shown == 0 {
            aside.forget(side, order_id);
            return false;
        }
        let leaves = shown + aside.reserve(order_id);
        self.slab.detach(slot);
        self.slab.set_leaves(slot, shown);
        self.slab.append(self.level, slot);
        self.slab.mark_reserve(slot);
        let (account, price) = (self.slab.account(slot), self.slab.price(self.level));
        let side = side_at(side);
        self.sink.refreshed(&BookRefresh { order_id, account, side, price, shown, leaves });
        true
    }

    /// Asks the guard about `order`; when it must not trade, does what the guard says and returns true.
    #[inline]
    pub fn prevents(&mut self, order: RestingOrder) -> bool {
        if !G::ACTIVE {
            return false;
        }
        let (account, order_id) = (self.slab.account(order.0), self.slab.order_id(order.0));
        match self.guard.action_on(self.taker.account, account, order_id) {
            None => self.is_withdrawn(order.0),
            Some(action) => {
                self.prevent(order.0, action);
                true
            }
        }
    }

    /// Asks the guard about every order of the level before they share it.
    pub(super) fn screen(&mut self) {
        let mut next = self.first();
        while let Some(order) = next
            && self.taker.leaves > 0
        {
            next = self.after(order);
            self.prevents(order);
        }
    }

    /// As much of `quantity` as an order may trade.
    fn most(&self, slot: u32, quantity: i64) -> i64 {
        let (account, order_id) = (self.slab.account(slot), self.slab.order_id(slot));
        self.guard.most(account, order_id, quantity).unwrap_or(0)
    }

    /// As much of `quantity` as the first order may trade.
    pub(super) fn most_of_first(&self, quantity: i64) -> i64 {
        match self.first() {
            Some(first) if G::ACTIVE => self.most(first.0, quantity),
            _ => quantity,
        }
    }

    /// Takes out the first order where it may trade nothing; says whether it did.
    pub(super) fn withdraws_first(&mut self) -> bool {
        G::ACTIVE && self.first().is_some_and(|first| self.is_withdrawn(first.0))
    }

    fn is_withdrawn(&mut self, slot: u32) -> bool {
        let (account, order_id) = (self.slab.account(slot), self.slab.order_id(slot));
        let leaves = self.slab.quantity(slot) + self.reserve(slot);
        // Whether it may trade at all is asked, not how much: the least of it will do.
        match self.guard.most(account, order_id, 1) {
            Ok(_) => false,
            Err(reason) => {
                let reason = Refusal { actual: i128::from(leaves), ..reason };
                let side = side_at(self.slab.side(self.level) & 1);
                let price = self.slab.price(self.level);
                self.sink.canceled(&BookCancel { order_id, account, side, price, leaves, reason });
                self.take_out(slot, order_id);
                true
            }
        }
    }

    fn take_out(&mut self, slot: u32, order_id: u64) {
        let side = self.slab.side(self.level);
        if let Some(aside) = self.aside.as_mut() {
            aside.forget(side, order_id);
        }
        self.slab.remove(slot);
        self.live.remove(order_id, self.slab);
    }

    #[cold]
    fn prevent(&mut self, slot: u32, action: SelfTradeAction) {
        let (resting, aggressor) = (self.slab.order_id(slot), self.taker.order_id);
        if action == SelfTradeAction::DecrementAndCancel {
            self.decrement(slot);
            return;
        }
        if action != SelfTradeAction::CancelAggressor {
            let leaves = self.slab.quantity(slot) + self.reserve(slot);
            self.tell_canceled([resting, aggressor], self.slab.account(slot), self.side(), leaves);
            self.take_out(slot, resting);
        }
        if action != SelfTradeAction::CancelResting {
            let leaves = std::mem::take(&mut self.taker.leaves);
            self.tell_canceled([aggressor, resting], self.taker.account, self.taker.side, leaves);
        }
    }

    /// Takes what would have traded from both; who has nothing left is canceled.
    fn decrement(&mut self, slot: u32) {
        let quantity = self.slab.quantity(slot).min(self.taker.leaves);
        let (resting, account) = (self.slab.order_id(slot), self.slab.account(slot));
        let shown = self.slab.reduce(slot, quantity);
        let leaves = shown + self.reserve(slot);
        self.taker.leaves -= quantity;
        let (taker, taker_leaves) = (*self.taker, self.taker.leaves);
        self.tell_decremented([resting, taker.order_id], account, self.side(), [quantity, leaves]);
        self.tell_decremented([taker.order_id, resting], taker.account, taker.side, [quantity, taker_leaves]);
        if shown == 0 {
            self.exhausted(slot, resting);
        }
    }

    /// `ids` are the order's and that of the order it met; `figures` are what was taken and what is left.
    fn tell_decremented(&mut self, ids: [u64; 2], account: u32, side: Side, figures: [i64; 2]) {
        let [quantity, leaves] = figures;
        if leaves == 0 {
            return self.tell_canceled(ids, account, side, quantity);
        }
        let (order_id, price) = (ids[0], self.price);
        self.sink.decremented(&BookDecrement { order_id, account, side, price, quantity, leaves });
    }

    fn tell_canceled(&mut self, ids: [u64; 2], account: u32, side: Side, leaves: i64) {
        let [order_id, met] = ids;
        let reason = Refusal::new(Rule::SelfTradeMustNotHappen, 0, i128::from(met));
        self.sink.canceled(&BookCancel { order_id, account, side, price: self.price, leaves, reason });
    }
}
