//! Looking into a book without changing it.

use crate::instrument::MAX_UNITS;
use crate::terms::Side;

use super::ladder::mirror;
use super::policy::MatchingPolicy;
use super::slab::NONE;
use super::{Book, index, side_at};

/// All orders at one price.
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
    pub leaves: i64,
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

    /// Leaves of all orders of one side.
    pub fn side_quantity(&self, side: Side) -> i64 {
        self.ladders[index(side)].quantity
    }

    /// Whether a limit order of `side` at `price` would trade now.
    pub fn would_trade(&self, side: Side, price: i64) -> bool {
        let opposite = 1 - index(side);
        let price = price.clamp(-MAX_UNITS, MAX_UNITS);
        self.ladders[opposite].best_key <= mirror(opposite, price)
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

    /// Resting orders of one side in priority order.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = BookOrder> {
        self.ladders[index(side)].iter().flat_map(|(_, level)| self.orders_of(level))
    }

    fn orders_of(&self, level: u32) -> impl Iterator<Item = BookOrder> {
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

    fn order_at(&self, slot: u32) -> BookOrder {
        let level = self.slab.level_of(slot);
        BookOrder {
            order_id: self.slab.order_id(slot),
            account: self.slab.account(slot),
            side: side_at(self.slab.side(level)),
            price: self.slab.price(level),
            leaves: self.slab.quantity(slot),
        }
    }
}
