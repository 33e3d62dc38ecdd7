//! What few orders need and no other order pays for: reserves of icebergs, and levels of hidden orders.
//!
//! An iceberg rests like any order, with what it shows; what it does not show is its reserve, found by its id.
//! A hidden order rests in a level of its own beside the shown one and trades after it at the same price.

use crate::hash::Table;

use super::ladder::Ladder;

/// The part of an iceberg that is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reserve {
    /// Most that is shown at once.
    pub display: i64,
    pub quantity: i64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Aside {
    /// By order id. Never iterated.
    pub reserves: Table<u64, Reserve>,
    /// Buy, sell: sum of the reserves.
    pub reserved: [i64; 2],
    /// Hidden orders, buy and sell.
    pub hidden: [Ladder; 2],
}

impl Aside {
    /// What a side holds and does not show.
    pub fn unseen(&self, side: usize) -> i64 {
        self.reserved[side] + self.hidden[side].quantity
    }

    pub fn reserve(&self, order_id: u64) -> i64 {
        self.reserves.get(&order_id).map_or(0, |reserve| reserve.quantity)
    }

    /// Forgets an order's reserve; returns what was in it.
    pub fn forget(&mut self, side: usize, order_id: u64) -> i64 {
        let quantity = self.reserves.remove(&order_id).map_or(0, |reserve| reserve.quantity);
        self.reserved[side] -= quantity;
        quantity
    }

    pub fn keep(&mut self, side: usize, order_id: u64, reserve: Reserve) {
        self.forget(side, order_id);
        self.reserved[side] += reserve.quantity;
        self.reserves.insert(order_id, reserve);
    }

    /// Takes the next part to show out of a reserve, 0 when it is used up.
    pub fn draw(&mut self, side: usize, order_id: u64) -> i64 {
        let Some(reserve) = self.reserves.get_mut(&order_id) else { return 0 };
        let part = reserve.display.min(reserve.quantity);
        reserve.quantity -= part;
        self.reserved[side] -= part;
        part
    }

    /// Takes up to `quantity` out of a reserve; returns how much it was.
    pub fn cut(&mut self, side: usize, order_id: u64, quantity: i64) -> i64 {
        let Some(reserve) = self.reserves.get_mut(&order_id) else { return 0 };
        let part = quantity.min(reserve.quantity);
        reserve.quantity -= part;
        self.reserved[side] -= part;
        part
    }
}
