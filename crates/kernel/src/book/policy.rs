//! How an incoming order is shared among the orders of one level.

use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::Side;

use super::live::LiveOrders;
use super::report::{BookTrade, ReportSink};
use super::slab::Slab;

/// A matching policy is a type parameter of [`super::Book`]: each is compiled into its own book, and plain
/// price-time pays nothing for the others. Its settings are state of the book.
pub trait MatchingPolicy: State {
    /// Written before the book's state, so that a snapshot is not read under another policy.
    const NUMBER: u8;

    /// Fills orders of `queue`, all at one price, with at most `incoming`, by [`LevelQueue::fill`]. What it
    /// leaves unfilled while orders remain does not trade at all.
    fn match_level<S: ReportSink>(&mut self, queue: &mut LevelQueue<'_, S>, incoming: i64);
}

/// First at the price, first served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceTime;

impl MatchingPolicy for PriceTime {
    const NUMBER: u8 = 1;

    #[inline]
    fn match_level<S: ReportSink>(&mut self, queue: &mut LevelQueue<'_, S>, mut incoming: i64) {
        while incoming > 0
            && let Some(first) = queue.first()
        {
            let quantity = incoming.min(queue.leaves(first));
            queue.fill(first, quantity);
            incoming -= quantity;
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
pub struct LevelQueue<'a, S: ReportSink> {
    pub(super) slab: &'a mut Slab,
    pub(super) live: &'a mut LiveOrders,
    pub(super) taker: &'a mut Taker,
    pub(super) sink: &'a mut S,
    pub(super) level: u32,
    pub(super) price: i64,
}

impl<S: ReportSink> LevelQueue<'_, S> {
    #[inline]
    pub fn first(&self) -> Option<RestingOrder> {
        self.order_or_end(self.slab.next(self.level))
    }

    #[inline]
    pub fn after(&self, order: RestingOrder) -> Option<RestingOrder> {
        self.order_or_end(self.slab.next(order.0))
    }

    #[inline]
    fn order_or_end(&self, slot: u32) -> Option<RestingOrder> {
        (slot != self.level).then_some(RestingOrder(slot))
    }

    #[inline]
    pub fn leaves(&self, order: RestingOrder) -> i64 {
        self.slab.quantity(order.0)
    }

    pub fn account(&self, order: RestingOrder) -> u32 {
        self.slab.account(order.0)
    }

    /// Leaves of all orders of the level.
    pub fn quantity(&self) -> i64 {
        self.slab.quantity(self.level)
    }

    pub fn orders(&self) -> u32 {
        self.slab.orders(self.level)
    }

    /// Trades `quantity` with `order`: no more than both have left, however much is asked.
    #[inline]
    pub fn fill(&mut self, order: RestingOrder, quantity: i64) {
        let slot = order.0;
        let quantity = quantity.min(self.slab.quantity(slot)).min(self.taker.leaves);
        if quantity <= 0 {
            return;
        }
        let maker_leaves = self.slab.reduce(slot, quantity);
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
            maker_leaves,
            taker_leaves: self.taker.leaves,
        });
        if maker_leaves == 0 {
            self.slab.detach(slot);
            self.live.remove(maker_order_id, self.slab);
            self.slab.free(slot);
        }
    }
}
