//! Looking into a book without changing it.

use crate::terms::Side;

use super::ladder::mirror;
use super::policy::MatchingPolicy;
use super::report::NewOrder;
use super::slab::{HIDDEN, NONE};
use super::{Book, MAX_PRICE, index, side_at};

/// What is shown at one price: hidden orders and reserves are not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    pub price: i64,
    pub quantity: i64,
    pub orders: u32,
}

/// Best bid and offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopOfBook {
    pub bid: Option<Level>,
    pub ask: Option<Level>,
}

/// A resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookOrder {
    pub order_id: u64,
    pub account: u32,
    pub side: Side,
    pub price: i64,
    /// What is open, shown or not.
    pub leaves: i64,
    /// What others see of it.
    pub shown: i64,
}

/// What must trade or leave at the price before an order's turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueuePosition {
    pub orders_ahead: u32,
    pub quantity_ahead: i64,
}

impl<P: MatchingPolicy> Book<P> {
    /// Levels of one side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> {
        self.ladders[index(side)].iter().map(|(_, slot)| self.level(slot))
    }

    /// The best `count` levels of one side.
    pub fn depth(&self, side: Side, count: usize) -> Vec<Level> {
        self.levels(side).take(count).collect()
    }

    pub fn top(&self) -> TopOfBook {
        TopOfBook { bid: self.best(Side::Buy), ask: self.best(Side::Sell) }
    }

    /// The best level of one side.
    pub fn best(&self, side: Side) -> Option<Level> {
        let level = self.ladders[index(side)].best_level;
        (level != NONE).then(|| self.level(level))
    }

    /// What one side shows at `price`.
    pub fn level_at(&self, side: Side, price: i64) -> Option<Level> {
        let side = index(side);
        let level = self.ladders[side].get(mirror(side, price.clamp(-MAX_PRICE, MAX_PRICE)));
        let level = (level != NONE).then(|| self.level(level))?;
        (level.price == price).then_some(level)
    }

    /// The next worse level than that of a key, or the best, with its key.
    pub(super) fn level_after(&self, side: usize, key: Option<i64>) -> Option<(i64, Level)> {
        let ladder = &self.ladders[side];
        let (key, level) = ladder.at_or_after(key.map_or(i64::MIN, |key| key + 1))?;
        Some((key, self.level(level)))
    }

    /// What one side shows.
    pub fn side_quantity(&self, side: Side) -> i64 {
        self.ladders[index(side)].quantity
    }

    /// Whether a limit order of `side` at `price` would trade now, with shown or hidden orders.
    pub fn would_trade(&self, side: Side, price: i64) -> bool {
        !self.collecting && self.crosses(side, price)
    }

    pub(super) fn crosses(&self, side: Side, price: i64) -> bool {
        let opposite = 1 - index(side);
        self.reachable(opposite, mirror(opposite, price.clamp(-MAX_PRICE, MAX_PRICE))) != NONE
    }

    /// Whether `ask` says yes to every resting order that a new limit order would trade with, in their turn: ids and
    /// leaves. `false` where orders are hidden or show a part of themselves only. Of a book that trades.
    #[inline]
    pub fn all_reached(&self, order: &NewOrder, mut ask: impl FnMut(u64, i64) -> bool) -> bool {
        if self.aside.is_some() {
            return false;
        }
        let opposite = 1 - index(order.side);
        let (ladder, limit) = (&self.ladders[opposite], mirror(opposite, order.price));
        let (mut key, mut level, mut wanted) = (ladder.best_key, ladder.best_level, order.quantity);
        while key <= limit && level != NONE {
            let mut slot = self.slab.next(level);
            while slot != level {
                let leaves = self.slab.quantity(slot);
                if !ask(self.slab.order_id(slot), leaves) {
                    return false;
                }
                wanted -= leaves;
                if wanted <= 0 {
                    return true;
                }
                slot = self.slab.next(slot);
            }
            (key, level) = ladder.at_or_after(key + 1).unwrap_or((key, NONE));
        }
        true
    }

    /// Memory outside the book itself: orders, levels, index and windows, not what few orders need beside.
    pub fn heap_bytes(&self) -> usize {
        let ladders: usize = self.ladders.iter().map(|ladder| ladder.heap_bytes()).sum();
        self.slab.heap_bytes() + self.live.heap_bytes() + ladders
    }

    pub fn contains(&self, order_id: u64) -> bool {
        self.live.find(order_id, &self.slab) != NONE
    }

    pub fn order(&self, order_id: u64) -> Option<BookOrder> {
        let slot = self.live.find(order_id, &self.slab);
        (slot != NONE).then(|| self.order_at(slot))
    }

    /// Counted by walking the queue: its cost is the number of orders ahead.
    pub fn queue_position(&self, order_id: u64) -> Option<QueuePosition> {
        let slot = self.live.find(order_id, &self.slab);
        if slot == NONE {
            return None;
        }
        let level = self.slab.level_of(slot);
        let mut position = QueuePosition::default();
        let mut ahead = self.slab.previous(slot);
        while ahead != level {
            position.orders_ahead += 1;
            position.quantity_ahead += self.slab.quantity(ahead);
            ahead = self.slab.previous(ahead);
        }
        Some(position)
    }

    /// Resting orders of one side in priority order: at a price, the hidden ones last.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = BookOrder> {
        self.all_levels(side).flat_map(|level| self.orders_of(level))
    }

    /// Levels of one side, best first, hidden ones after the shown ones of their price.
    pub(super) fn all_levels(&self, side: Side) -> impl Iterator<Item = u32> {
        let side = index(side);
        let mut shown = self.ladders[side].iter().peekable();
        let mut hidden = self.aside.iter().flat_map(move |aside| aside.hidden[side].iter()).peekable();
        std::iter::from_fn(move || {
            let hidden_first = match (shown.peek(), hidden.peek()) {
                (Some((key, _)), Some((hidden_key, _))) => hidden_key < key,
                (None, _) => true,
                _ => false,
            };
            if hidden_first { hidden.next() } else { shown.next() }.map(|(_, level)| level)
        })
    }

    pub(super) fn orders_of(&self, level: u32) -> impl Iterator<Item = BookOrder> {
        let mut slot = level;
        std::iter::from_fn(move || {
            slot = self.slab.next(slot);
            (slot != level).then(|| self.order_at(slot))
        })
    }

    fn level(&self, slot: u32) -> Level {
        Level {
            price: self.slab.price(slot),
            quantity: self.slab.quantity(slot),
            orders: self.slab.orders(slot),
        }
    }

    pub(super) fn order_at(&self, slot: u32) -> BookOrder {
        let level = self.slab.level_of(slot);
        let shown = if self.slab.tag(level) < HIDDEN { self.slab.quantity(slot) } else { 0 };
        BookOrder {
            order_id: self.slab.order_id(slot),
            account: self.slab.account(slot),
            side: side_at(self.slab.side(level)),
            price: self.slab.price(level),
            leaves: self.leaves(slot),
            shown,
        }
    }
}
