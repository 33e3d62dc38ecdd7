//! A part of a book as a book of its own: what an auction or an order would come to can be tried on it.

use std::ops::RangeInclusive;

use super::ladder::mirror;
use super::policy::{MatchingPolicy, PriceTime, Taker};
use super::report::{BookTrade, NewOrder, ReportSink, SHOW_ALL, Silent};
use super::self_trade::SelfTradeGuard;
use super::slab::{HIDDEN, NONE};
use super::{Book, index, side_at};

/// Adds up what trades.
struct Traded(i64);

impl ReportSink for Traded {
    fn traded(&mut self, trade: &BookTrade) {
        self.0 += trade.quantity;
    }
}

/// Keeps the price of the first trade outside a range.
struct FirstOutside {
    range: RangeInclusive<i64>,
    price: Option<i64>,
}

impl ReportSink for FirstOutside {
    fn traded(&mut self, trade: &BookTrade) {
        if self.price.is_none() && !self.range.contains(&trade.price) {
            self.price = Some(trade.price);
        }
    }
}

impl<P: MatchingPolicy> Book<P> {
    /// The orders that an uncross at `price` could trade, each in its place; what lies beyond that price is not looked at. They
    /// trade by price and time whatever the policy, as in an uncross, so the part needs no other.
    pub fn crossing_part(&self, price: i64) -> Book<PriceTime> {
        let mut part = Book::default();
        part.start_collecting();
        for side in [0, 1] {
            let limit = mirror(side, price);
            let reaches = |level: &u32| mirror(side, self.slab.price(*level)) <= limit;
            for level in self.all_levels(side_at(side)).take_while(reaches) {
                self.copy_level(level, side, &mut part);
            }
        }
        part
    }

    /// How much of `wanted` an order would trade.
    pub(super) fn try_to_trade<G: SelfTradeGuard>(
        &self,
        taker: Taker,
        limit: i64,
        wanted: i64,
        guard: &G,
    ) -> i64 {
        let mut traded = Traded(0);
        self.try_levels(taker, limit, guard, &mut traded, |traded| traded.0 >= wanted);
        traded.0.min(wanted)
    }

    /// The price of the first trade outside `range` that an order with this limit and guard would make.
    pub fn first_trade_outside<G: SelfTradeGuard>(
        &self,
        order: &NewOrder,
        limit: i64,
        range: RangeInclusive<i64>,
        guard: &G,
    ) -> Option<i64> {
        let NewOrder { order_id, account, side, quantity, .. } = *order;
        let taker = Taker { order_id, account, side, leaves: quantity };
        let mut outside = FirstOutside { range, price: None };
        let limit = mirror(1 - index(side), limit);
        self.try_levels(taker, limit, guard, &mut outside, |outside| outside.price.is_some());
        outside.price
    }

    /// Tries an order on a copy of each level that it comes to, until that is enough: where orders share a level, show a
    /// part of themselves or may trade only so much, who comes when decides what trades.
    #[cold]
    #[inline(never)]
    fn try_levels<S: ReportSink, G: SelfTradeGuard>(
        &self,
        mut taker: Taker,
        limit: i64,
        guard: &G,
        sink: &mut S,
        is_enough: impl Fn(&S) -> bool,
    ) {
        let opposite = 1 - index(taker.side);
        guard.on_trial(|| {
            let reaches = |level: &u32| mirror(opposite, self.slab.price(*level)) <= limit;
            for level in self.all_levels(side_at(opposite)).take_while(reaches) {
                let mut part = Book::new(self.policy.for_trial());
                self.copy_level(level, opposite, &mut part);
                // The copies came to rest anew, and those that have a rank keep it.
                part.policy = self.policy.for_trial();
                part.take(&mut taker, limit, guard, sink);
                if taker.leaves == 0 || is_enough(sink) {
                    break;
                }
            }
        });
    }

    fn copy_level<Q: MatchingPolicy>(&self, level: u32, side: usize, part: &mut Book<Q>) {
        let display = if self.slab.tag(level) < HIDDEN { SHOW_ALL } else { 0 };
        let mut slot = self.slab.next(level);
        while slot != level && slot != NONE {
            let order_id = self.slab.order_id(slot);
            let copy = part.slab.new_apart(order_id, self.slab.account(slot), self.slab.quantity(slot));
            part.live.insert(order_id, copy, &part.slab);
            part.rest(side, self.slab.price(level), copy, display, &mut Silent);
            let reserve = self.aside.as_ref().and_then(|aside| aside.reserves.get(&order_id));
            if let Some(&reserve) = reserve {
                part.aside.get_or_insert_default().keep(side, order_id, reserve);
                part.slab.mark_reserve(copy);
            }
            slot = self.slab.next(slot);
        }
    }
}
