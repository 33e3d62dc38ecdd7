//! Collecting orders without trading, and trading them all at one price.

use crate::rules::{Refusal, Rule};
use crate::terms::Side;

use super::Book;
use super::ladder::mirror;
use super::policy::{LevelQueue, MatchingPolicy, Taker};
use super::report::ReportSink;
use super::self_trade::{SelfTradeGuard, Unguarded};
use super::slab::NONE;

/// What a side wants at one price, hidden orders and reserves included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuctionLevel {
    pub price: i64,
    pub quantity: i64,
}

impl<P: MatchingPolicy> Book<P> {
    /// From now on orders rest without trading, and the book may be crossed.
    pub fn start_collecting(&mut self) {
        self.collecting = true;
    }

    pub fn is_collecting(&self) -> bool {
        self.collecting
    }

    /// From now on orders trade again.
    ///
    /// # Errors
    /// `BookMustNotBeCrossed` with best offer and best bid: uncross it first.
    pub fn stop_collecting(&mut self) -> Result<(), Refusal> {
        if let Some(bid) = self.best_price(Side::Buy)
            && let Some(ask) = self.best_price(Side::Sell)
            && bid >= ask
        {
            return Err(Refusal::new(Rule::BookMustNotBeCrossed, i128::from(ask), i128::from(bid)));
        }
        self.collecting = false;
        Ok(())
    }

    fn best_price(&self, side: Side) -> Option<i64> {
        self.all_levels(side).next().map(|level| self.slab.price(level))
    }

    /// What one side wants, best price first, everything included: what an auction's price is found from.
    pub fn auction_levels(&self, side: Side) -> impl Iterator<Item = AuctionLevel> {
        let mut levels = self.all_levels(side).peekable();
        std::iter::from_fn(move || {
            let level = levels.next()?;
            let price = self.slab.price(level);
            let mut quantity = self.level_leaves(level);
            while let Some(hidden) = levels.next_if(|&next| self.slab.price(next) == price) {
                quantity += self.level_leaves(hidden);
            }
            Some(AuctionLevel { price, quantity })
        })
    }

    fn level_leaves(&self, level: u32) -> i64 {
        match self.aside {
            None => self.slab.quantity(level),
            Some(_) => self.orders_of(level).map(|order| order.leaves).sum(),
        }
    }

    /// Trades bids at or above `price` with offers at or below it, all at `price`, both sides by price and
    /// then time whatever the policy. Returns the quantity traded. The book goes on collecting.
    ///
    /// Reports: the trades, buys in priority order, the buy told as taker; level changes after each pair of
    /// levels that traded.
    pub fn uncross<S: ReportSink>(&mut self, price: i64, sink: &mut S) -> i64 {
        self.uncross_guarded(price, &Unguarded, sink)
    }

    /// As [`Book::uncross`], where `guard` says how much an order may trade: what may trade nothing is canceled when its
    /// turn comes. Self-trades are not asked about, for neither side is the aggressor.
    pub fn uncross_guarded<S: ReportSink, G: SelfTradeGuard>(
        &mut self,
        price: i64,
        guard: &G,
        sink: &mut S,
    ) -> i64 {
        let limits = [mirror(0, price), mirror(1, price)];
        let mut traded = 0;
        loop {
            let levels = [self.reachable(0, limits[0]), self.reachable(1, limits[1])];
            if levels.contains(&NONE) {
                return traded;
            }
            let before = levels.map(|level| self.slab.quantity(level));
            traded += self.uncross_levels(levels, price, guard, sink);
            for (level, before) in levels.into_iter().zip(before) {
                let total = self.slab.total(level);
                self.ladder(total.tag).quantity += total.quantity - before;
                self.settle_level(level, total, sink);
                self.unrank_gone(total.tag & 1);
            }
        }
    }

    /// Trades the orders of a level of bids with those of a level of offers until one level is empty.
    fn uncross_levels<S: ReportSink, G: SelfTradeGuard>(
        &mut self,
        levels: [u32; 2],
        price: i64,
        guard: &G,
        sink: &mut S,
    ) -> i64 {
        let [bids, offers] = levels;
        let mut traded = 0;
        while self.slab.orders(bids) > 0 && self.slab.orders(offers) > 0 {
            let buy = self.slab.next(bids);
            let quantity = self.slab.quantity(buy).min(self.slab.quantity(self.slab.next(offers)));
            let mut taker = Taker {
                order_id: self.slab.order_id(buy),
                account: self.slab.account(buy),
                side: Side::Buy,
                leaves: self.leaves(buy),
            };
            let (slab, live, aside) = (&mut self.slab, &mut self.live, &mut self.aside);
            let mut queue =
                LevelQueue { slab, live, aside, taker: &mut taker, guard, sink, level: bids, price };
            if queue.withdraws_first() {
                continue;
            }
            queue.level = offers;
            if queue.withdraws_first() {
                continue;
            }
            // Asked only where there is somebody to trade with: whom it holds back is said to be held back.
            queue.level = bids;
            let quantity = queue.most_of_first(quantity);
            queue.level = offers;
            let before = queue.incoming();
            if let Some(offer) = queue.first() {
                queue.fill(offer, quantity);
            }
            let quantity = before - queue.incoming();
            queue.level = bids;
            queue.lessen_first(quantity);
            traded += quantity;
        }
        traded
    }
}
