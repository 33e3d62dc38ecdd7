//! The steps of matching and resting that commands are made of.

use crate::rules::{Refusal, Rule};
use crate::terms::{OrderType, TimeInForce};

use super::aside::Reserve;
use super::ladder::{Ladder, mirror};
use super::policy::{LevelQueue, MatchingPolicy, PriceTime, Taker};
use super::report::{BookCancel, BookReplace, LevelChange, NewOrder, ReportSink, SHOW_ALL};
use super::self_trade::{SelfTradeAction, SelfTradeGuard};
use super::slab::{HIDDEN, LevelTotal, NONE, Order};
use super::{Book, BookOrder, index, side_at};

impl<P: MatchingPolicy> Book<P> {
    /// The best level of `side` that `limit` reaches, [`NONE`] when there is none. Shown before hidden.
    #[inline(always)]
    pub(super) fn reachable(&self, side: usize, limit: i64) -> u32 {
        let ladder = &self.ladders[side];
        if self.aside.is_some() {
            return self.reachable_aside(side, limit);
        }
        if ladder.best_key <= limit { ladder.best_level } else { NONE }
    }

    #[cold]
    fn reachable_aside(&self, side: usize, limit: i64) -> u32 {
        let shown = &self.ladders[side];
        let best = match &self.aside {
            Some(aside) if aside.hidden[side].best_key < shown.best_key => &aside.hidden[side],
            _ => shown,
        };
        if best.best_key <= limit { best.best_level } else { NONE }
    }

    #[inline]
    pub(super) fn ladder(&mut self, tag: usize) -> &mut Ladder {
        if tag < HIDDEN {
            return &mut self.ladders[tag];
        }
        &mut self.aside.get_or_insert_default().hidden[tag - HIDDEN]
    }

    /// Matches against the opposite side, level by level, as far as `limit` reaches.
    #[inline(always)]
    pub(super) fn take<S: ReportSink, G: SelfTradeGuard>(
        &mut self,
        taker: &mut Taker,
        limit: i64,
        guard: &G,
        sink: &mut S,
    ) {
        let opposite = 1 - index(taker.side);
        while taker.leaves > 0 {
            let level = self.reachable(opposite, limit);
            if level == NONE {
                break;
            }
            let before = self.slab.quantity(level);
            let price = self.slab.price(level);
            let (slab, live, aside) = (&mut self.slab, &mut self.live, &mut self.aside);
            let mut queue = LevelQueue { slab, live, aside, taker, guard, sink, level, price };
            if G::ACTIVE && !self.policy.one_by_one() {
                queue.screen();
            }
            let incoming = queue.incoming();
            if queue.first().is_some() && incoming > 0 {
                self.policy.match_level(&mut queue);
                // What a policy leaves while orders remain goes by time, so that no book rests crossed.
                if !self.policy.one_by_one() && queue.incoming() == incoming {
                    PriceTime.match_level(&mut queue);
                }
            }
            let total = self.slab.total(level);
            self.ladder(total.tag).quantity += total.quantity - before;
            self.settle_level(level, total, sink);
            self.unrank_gone(opposite);
        }
    }

    /// Tells a policy that its ranked order is gone or has lost its place at the front of its level.
    #[inline]
    pub(super) fn unrank_gone(&mut self, side: usize) {
        if P::RANKS
            && let Some(order_id) = self.policy.ranked(side_at(side))
            && !self.is_first(order_id)
        {
            self.policy.unrank(side_at(side));
        }
    }

    fn is_first(&self, order_id: u64) -> bool {
        let slot = self.live.find(order_id, &self.slab);
        slot != NONE && self.slab.previous(slot) == self.slab.level_of(slot)
    }

    /// Tells a level's new totals, and drops it when it is empty.
    #[inline(always)]
    pub(super) fn settle_level<S: ReportSink>(&mut self, level: u32, total: LevelTotal, sink: &mut S) {
        let LevelTotal { price, quantity, orders, tag } = total;
        if S::LEVELS && tag < HIDDEN {
            sink.level_changed(&LevelChange { side: side_at(tag), price, quantity, orders });
        }
        if orders == 0 {
            self.ladder(tag).remove(mirror(tag & 1, price));
            self.slab.free(level);
        }
    }

    /// Rests a new order that shows all of itself.
    #[inline(always)]
    pub(super) fn rest_new<S: ReportSink>(&mut self, order: &NewOrder, leaves: i64, sink: &mut S) -> u32 {
        let level = self.level_for(index(order.side), order.price, order.order_id, leaves);
        let slot = self.slab.new_order(level, order.order_id, order.account, leaves);
        if S::LEVELS {
            self.settle_level(level, self.slab.total(level), sink);
        }
        slot
    }

    /// The level at a price for one more order, which is counted in the side's quantity.
    #[inline(always)]
    fn level_for(&mut self, tag: usize, price: i64, order_id: u64, shown: i64) -> u32 {
        let key = mirror(tag & 1, price);
        let ladder = if tag < HIDDEN {
            &mut self.ladders[tag]
        } else {
            &mut self.aside.get_or_insert_default().hidden[tag - HIDDEN]
        };
        if P::RANKS && tag < HIDDEN && key < ladder.best_key {
            self.policy.bettered(side_at(tag), order_id, shown);
        }
        ladder.quantity += shown;
        let mut level = ladder.find(key);
        if level == NONE {
            level = self.slab.new_level(tag, price);
            ladder.insert(key, level);
        }
        level
    }

    /// Puts an order at the end of the queue at `price`, showing at most `display` of it.
    #[inline(always)]
    pub(super) fn rest<S: ReportSink>(
        &mut self,
        side: usize,
        price: i64,
        slot: u32,
        display: i64,
        sink: &mut S,
    ) {
        if display == SHOW_ALL {
            self.append(side, price, slot, sink);
        } else {
            self.rest_partly(side, price, slot, display, sink);
        }
    }

    #[cold]
    fn rest_partly<S: ReportSink>(&mut self, side: usize, price: i64, slot: u32, display: i64, sink: &mut S) {
        if display == 0 {
            self.append(side | HIDDEN, price, slot, sink);
            return;
        }
        let (order_id, leaves) = (self.slab.order_id(slot), self.slab.quantity(slot));
        let shown = leaves.min(display);
        self.slab.set_leaves(slot, shown);
        let reserve = Reserve { display, quantity: leaves - shown };
        self.aside.get_or_insert_default().keep(side, order_id, reserve);
        self.append(side, price, slot, sink);
        self.slab.mark_reserve(slot);
    }

    #[inline(always)]
    fn append<S: ReportSink>(&mut self, tag: usize, price: i64, slot: u32, sink: &mut S) {
        let Order { order_id, quantity, .. } = self.slab.order(slot);
        let level = self.level_for(tag, price, order_id, quantity);
        self.slab.append(level, slot);
        if S::LEVELS {
            self.settle_level(level, self.slab.total(level), sink);
        }
    }

    /// Takes a resting order out of its level; its slot stays taken.
    #[inline(always)]
    pub(super) fn unlink<S: ReportSink>(&mut self, slot: u32, sink: &mut S) {
        let (order, total) = self.slab.detach(slot);
        self.ladder(total.tag).quantity -= order.quantity;
        self.settle_level(order.level, total, sink);
    }

    /// What is open of a resting order, shown or not.
    #[inline(always)]
    pub(super) fn leaves(&self, slot: u32) -> i64 {
        let shown = self.slab.quantity(slot);
        if self.slab.has_reserve(slot) { shown + self.reserve(slot) } else { shown }
    }

    #[cold]
    fn reserve(&self, slot: u32) -> i64 {
        self.aside.as_ref().map_or(0, |aside| aside.reserve(self.slab.order_id(slot)))
    }

    /// Cancels a resting order whose id is no longer live. Returns its leaves.
    #[inline(always)]
    pub(super) fn cancel_slot<S: ReportSink>(&mut self, slot: u32, reason: Refusal, sink: &mut S) -> i64 {
        let (order, total) = self.slab.remove(slot);
        let Order { order_id, account, quantity, level, has_reserve } = order;
        let LevelTotal { price, tag, .. } = total;
        let mut leaves = quantity;
        if has_reserve {
            leaves += self.forget_reserve(tag & 1, order_id);
        }
        sink.canceled(&BookCancel { order_id, account, side: side_at(tag & 1), price, leaves, reason });
        self.ladder(tag).quantity -= quantity;
        self.settle_level(level, total, sink);
        self.unrank_gone(tag & 1);
        leaves
    }

    #[cold]
    fn forget_reserve(&mut self, side: usize, order_id: u64) -> i64 {
        self.aside.as_mut().map_or(0, |aside| aside.forget(side, order_id))
    }

    /// Takes an order out of its level for a new place; returns its display.
    pub(super) fn leave_level<S: ReportSink>(&mut self, slot: u32, sink: &mut S) -> i64 {
        let (order_id, level) = (self.slab.order_id(slot), self.slab.level_of(slot));
        let tag = self.slab.tag(level);
        let mut display = if tag < HIDDEN { SHOW_ALL } else { 0 };
        if self.slab.has_reserve(slot)
            && let Some(aside) = &mut self.aside
        {
            display = aside.reserves.get(&order_id).map_or(display, |reserve| reserve.display);
            aside.forget(tag & 1, order_id);
        }
        self.unlink(slot, sink);
        if P::RANKS && self.policy.ranked(side_at(tag & 1)) == Some(order_id) {
            self.policy.unrank(side_at(tag & 1));
        }
        display
    }

    pub(super) fn decrease<S: ReportSink>(
        &mut self,
        slot: u32,
        terms: &BookReplace,
        less: i64,
        sink: &mut S,
    ) {
        let level = self.slab.level_of(slot);
        let tag = self.slab.tag(level);
        let unseen = match &mut self.aside {
            Some(aside) => aside.cut(tag & 1, terms.order_id, less),
            None => 0,
        };
        let less = less - unseen;
        self.ladder(tag).quantity -= less;
        self.slab.reduce(slot, less);
        sink.replaced(terms);
        if S::LEVELS && less > 0 {
            self.settle_level(level, self.slab.total(level), sink);
        }
    }

    /// How much of `wanted` an order could trade now, reaching as far as `limit`: neither more nor less, so that what is
    /// promised whole is not filled in part.
    pub(super) fn could_trade<G: SelfTradeGuard>(
        &self,
        taker: Taker,
        limit: i64,
        wanted: i64,
        guard: &G,
    ) -> i64 {
        if G::ACTIVE {
            let goes_by_time = self.policy.one_by_one() && self.aside.is_none();
            if !goes_by_time || guard.limits() {
                return self.try_to_trade(taker, limit, wanted, guard);
            }
            return self.could_trade_by_time(taker, limit, wanted, guard);
        }
        let opposite = 1 - index(taker.side);
        let mut found = 0;
        if self.aside.is_none() {
            for (_, level) in self.ladders[opposite].iter().take_while(|&(key, _)| key <= limit) {
                found += self.slab.quantity(level);
                if found >= wanted {
                    return wanted;
                }
            }
            return found;
        }
        for order in self.within(opposite, limit) {
            found += order.leaves;
            if found >= wanted {
                return wanted;
            }
        }
        found
    }

    /// Orders of a side as far as `limit`, in priority order.
    fn within(&self, side: usize, limit: i64) -> impl Iterator<Item = BookOrder> {
        self.orders(side_at(side)).take_while(move |order| mirror(side, order.price) <= limit)
    }

    /// Where each order trades all of itself in its turn, unless it is its owner's.
    fn could_trade_by_time<G: SelfTradeGuard>(
        &self,
        taker: Taker,
        limit: i64,
        wanted: i64,
        guard: &G,
    ) -> i64 {
        let (mut found, mut open) = (0, taker.leaves);
        for order in self.within(1 - index(taker.side), limit) {
            let quantity = order.leaves.min(open);
            match guard.action_on(taker.account, order.account, order.order_id) {
                None => found += quantity,
                Some(SelfTradeAction::CancelResting) => continue,
                Some(SelfTradeAction::DecrementAndCancel) => {}
                Some(_) => break,
            }
            open -= quantity;
            if found >= wanted || open == 0 {
                break;
            }
        }
        found.min(wanted)
    }

    /// Cancels an order whose minimum cannot trade now; says whether it did.
    #[cold]
    pub(super) fn misses_minimum<S: ReportSink, G: SelfTradeGuard>(
        &self,
        order: &NewOrder,
        limit: i64,
        guard: &G,
        sink: &mut S,
    ) -> bool {
        self.misses(order, [limit, order.minimum], Rule::MinimumQuantityMustFillNow, guard, sink)
    }

    /// Cancels an order that cannot trade whole now; says whether it did.
    #[cold]
    pub(super) fn misses_whole<S: ReportSink, G: SelfTradeGuard>(
        &self,
        order: &NewOrder,
        limit: i64,
        guard: &G,
        sink: &mut S,
    ) -> bool {
        self.misses(order, [limit, order.quantity], Rule::FillOrKillMustFillWhole, guard, sink)
    }

    /// `reach` is a limit and the quantity wanted within it.
    fn misses<S: ReportSink, G: SelfTradeGuard>(
        &self,
        order: &NewOrder,
        reach: [i64; 2],
        rule: Rule,
        guard: &G,
        sink: &mut S,
    ) -> bool {
        let [limit, wanted] = reach;
        let NewOrder { order_id, account, side, quantity, .. } = *order;
        let available =
            self.could_trade(Taker { order_id, account, side, leaves: quantity }, limit, wanted, guard);
        if available >= wanted {
            return false;
        }
        let reason = Refusal::new(rule, i128::from(available), i128::from(wanted));
        tell_canceled(order, order.quantity, reason, sink);
        true
    }

    /// Cancels what may not rest.
    #[cold]
    pub(super) fn kill<S: ReportSink>(&self, order: &NewOrder, taker: &Taker, sink: &mut S) {
        let rule = match (order.time_in_force, order.order_type) {
            (TimeInForce::Fok, _) => Rule::FillOrKillMustFillWhole,
            (_, OrderType::Market) => Rule::MarketMustHaveLiquidity,
            _ => Rule::ImmediateOrCancelMustFillNow,
        };
        let traded = order.quantity - taker.leaves;
        let reason = Refusal::new(rule, i128::from(traded), i128::from(order.quantity));
        tell_canceled(order, taker.leaves, reason, sink);
    }
}

fn tell_canceled<S: ReportSink>(order: &NewOrder, leaves: i64, reason: Refusal, sink: &mut S) {
    let NewOrder { order_id, account, side, price, .. } = *order;
    sink.canceled(&BookCancel { order_id, account, side, price, leaves, reason });
}
