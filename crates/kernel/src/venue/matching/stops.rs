//! Stops of one instrument, in the order in which they would trigger.

use std::collections::BTreeSet;

use crate::terms::Side;

/// Keys grow away from the first stop to trigger: a sell stop's key is its negated stop price.
#[derive(Clone, Debug, Default)]
pub(super) struct Stops {
    /// Buy, sell: (key, arrival, order id).
    waiting: [BTreeSet<(i64, u64, u64)>; 2],
}

const fn row(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

impl Stops {
    pub fn insert(&mut self, side: Side, stop_price: i64, sequence: u64, order_id: u64) {
        self.waiting[row(side)].insert((stop_price * side.sign(), sequence, order_id));
    }

    pub fn remove(&mut self, side: Side, stop_price: i64, sequence: u64, order_id: u64) {
        self.waiting[row(side)].remove(&(stop_price * side.sign(), sequence, order_id));
    }

    /// Takes the next stop that a trade at `price` triggers.
    pub fn pop_triggered(&mut self, side: Side, price: i64) -> Option<u64> {
        let waiting = &mut self.waiting[row(side)];
        let &(key, _, _) = waiting.first()?;
        if key > price * side.sign() {
            return None;
        }
        waiting.pop_first().map(|(_, _, order_id)| order_id)
    }

    /// Buys, then sells, each as they would trigger.
    pub fn order_ids(&self) -> impl Iterator<Item = u64> {
        self.waiting.iter().flatten().map(|&(_, _, order_id)| order_id)
    }
}
