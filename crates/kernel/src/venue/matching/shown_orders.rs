//! Market by order: what others have been shown of each resting order.

use crate::hash::Table;
use crate::terms::Side;

/// What happened to a shown order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum OrderChange {
    /// It came to rest, last in the queue at its price.
    Added = 1,
    /// It shows another quantity, at its place.
    Changed = 2,
    /// It left its place.
    Removed = 3,
}

/// One change of a shown order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownOrder {
    pub change: OrderChange,
    pub order_id: u64,
    pub side: Side,
    pub price: i64,
    /// Shown now; of a removed one, shown last.
    pub quantity: i64,
}

/// Orders that show something. Follows from the book, so it is neither written nor hashed.
#[derive(Clone, Debug, Default)]
pub(super) struct ShownOrders {
    orders: Table<u64, (Side, i64, i64)>,
}

impl ShownOrders {
    pub fn add(&mut self, order_id: u64, side: Side, price: i64, quantity: i64) -> ShownOrder {
        self.orders.insert(order_id, (side, price, quantity));
        ShownOrder { change: OrderChange::Added, order_id, side, price, quantity }
    }

    /// It traded or lost `quantity`.
    pub fn reduce(&mut self, order_id: u64, quantity: i64) -> Option<ShownOrder> {
        let shown = self.orders.get(&order_id)?.2;
        if shown <= quantity {
            return self.remove(order_id);
        }
        self.set(order_id, shown - quantity)
    }

    /// It has at most `leaves` left, at its place.
    pub fn cut(&mut self, order_id: u64, leaves: i64) -> Option<ShownOrder> {
        let shown = self.orders.get(&order_id)?.2;
        if leaves < shown { self.set(order_id, leaves) } else { None }
    }

    fn set(&mut self, order_id: u64, quantity: i64) -> Option<ShownOrder> {
        let order = self.orders.get_mut(&order_id)?;
        order.2 = quantity;
        let (side, price, _) = *order;
        Some(ShownOrder { change: OrderChange::Changed, order_id, side, price, quantity })
    }

    pub fn remove(&mut self, order_id: u64) -> Option<ShownOrder> {
        let (side, price, quantity) = self.orders.remove(&order_id)?;
        Some(ShownOrder { change: OrderChange::Removed, order_id, side, price, quantity })
    }

    pub fn contains(&self, order_id: u64) -> bool {
        self.orders.contains_key(&order_id)
    }
}
