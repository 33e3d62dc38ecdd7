//! What commands to come will look at, fetched before they are due.
//!
//! Where books are many or large, a command waits for memory several times, each time for an address that only the memory
//! before it tells: bucket, order, neighbors. The processor works ahead over a command or two by itself. Whoever has a batch knows
//! more: it says [`FAR_AHEAD`] commands before one is due which id it is about, and [`SOON`] commands before, when the bucket
//! has come, that the order itself is wanted. Nothing waits for these fetches, and they change nothing but the time taken.

use crate::terms::Side;

use super::ladder::mirror;
use super::policy::MatchingPolicy;
use super::{Book, index};

/// Commands from [`Book::foresee`] to the command.
pub const FAR_AHEAD: usize = 8;

/// Commands from [`Book::foresee_order`] to the command.
pub const SOON: usize = 4;

/// Live orders from which on this pays in a book that is used alone. A smaller one lies in the processor's own cache.
const LARGE: usize = 1 << 15;

impl<P: MatchingPolicy> Book<P> {
    /// Has what a command on `order_id` looks at first fetched; of a new order also what its side and price lead to.
    #[inline(always)]
    pub fn foresee(&self, order_id: u64, new: Option<(Side, i64)>) {
        self.live.foresee(order_id);
        if let Some((side, price)) = new {
            let own = index(side);
            self.ladders[own].foresee(mirror(own, price));
        }
    }

    /// Has a live order fetched, once [`Book::foresee`] has brought what says where it is.
    #[inline(always)]
    pub fn foresee_order(&self, order_id: u64) {
        self.slab.foresee(self.live.likely(order_id));
    }

    /// Whether foreseeing pays in this book if it is used alone.
    pub fn is_large(&self) -> bool {
        self.len() >= LARGE
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NewOrder, PriceTime, Silent};
    use super::*;

    #[test]
    fn the_order_fetched_is_the_one_that_the_id_has() {
        let mut book: Book<PriceTime> = Book::default();
        for id in 0..5_000 {
            let order = NewOrder::limit(id << 20, Side::Buy, 100 + (id % 50) as i64, 1);
            assert!(book.submit(&order, &mut Silent).is_ok());
        }
        let right = (0..5_000).filter(|id| {
            let order_id = id << 20;
            book.live.likely(order_id) == book.live.find(order_id, &book.slab)
        });
        assert!(
            right.count() > 4_500,
            "a few may share their bucket and their tag with another, or lie elsewhere"
        );
    }
}
