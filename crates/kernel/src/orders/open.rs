//! The open orders of an account, found without a walk over all that the day has seen.
//!
//! Orders come and go by the million and must not pay for it: nothing is noted when one closes. When [`BLOCK`] more have come,
//! as many are looked at that came [`YOUNG`] before, and those still open are kept as bits of one word. Who asks first puts
//! what these words hold into lists by account, then goes through the account's list and the young orders. What has closed
//! since leaves a word or a list when somebody asks, and when there are [`TIMES`] as many. All of it follows from the orders:
//! it is neither saved nor hashed.

use std::collections::BTreeMap;

use super::Order;
use crate::tracked::TrackedList;

/// At least so many orders, the youngest, are looked through one by one: many close before as many others have come.
const YOUNG: usize = 1024;

/// Orders looked at in one go: the bits of a word.
const BLOCK: usize = 64;

/// Fewer words, or places of an account, are not looked through for what has closed.
const SMALL: usize = 64;

/// How far words and lists grow before what has closed is taken out: each look costs every order once more.
const TIMES: usize = 4;

/// Neighbors of which some were open when they were looked at last.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Place of the first.
    first: u32,
    open: u64,
}

impl Block {
    fn places(self) -> impl Iterator<Item = u32> {
        let mut open = self.open;
        std::iter::from_fn(move || {
            let bit = open.trailing_zeros();
            open &= open.checked_sub(1)?;
            Some(self.first + bit)
        })
    }

    /// Without those that have closed.
    fn now(self, orders: &TrackedList<Order>) -> Block {
        let open = self.places().filter(|&place| is_open(orders, place));
        Block { open: open.fold(0, |open, place| open | 1 << (place - self.first)), ..self }
    }
}

/// Places of orders, oldest first.
#[derive(Clone, Debug)]
struct Listed {
    places: Vec<u32>,
    /// How many may be listed before what has closed is taken out.
    most: usize,
}

impl Listed {
    fn forget_closed(&mut self, orders: &TrackedList<Order>) {
        self.places.retain(|&place| is_open(orders, place));
        self.most = (TIMES * self.places.len()).max(SMALL);
    }
}

fn is_open(orders: &TrackedList<Order>, place: u32) -> bool {
    orders.get(place as usize).is_some_and(Order::is_open)
}

/// Where open orders stand.
#[derive(Clone, Debug)]
pub(super) struct OpenOrders {
    by_account: BTreeMap<u32, Listed>,
    /// Younger than those listed by account.
    blocks: Vec<Block>,
    /// How many blocks there may be before what has closed is taken out.
    most: usize,
    /// Orders before this place are closed, listed or in a block; younger ones are looked through.
    seen: usize,
    /// How many orders there are when the next block is looked at.
    due: usize,
}

impl Default for OpenOrders {
    fn default() -> Self {
        OpenOrders {
            by_account: BTreeMap::new(),
            blocks: Vec::new(),
            most: SMALL,
            seen: 0,
            due: YOUNG + BLOCK,
        }
    }
}

impl OpenOrders {
    /// One more order has come.
    #[inline]
    pub fn follow(&mut self, orders: &TrackedList<Order>) {
        if orders.len() >= self.due {
            self.look_at_block(orders);
        }
    }

    #[cold]
    #[inline(never)]
    fn look_at_block(&mut self, orders: &TrackedList<Order>) {
        let of_block = orders.neighbors(self.seen, BLOCK).rev();
        let open = of_block.fold(0, |open, order| open << 1 | u64::from(order.is_open()));
        if open != 0 {
            if self.blocks.len() >= self.most {
                self.blocks.iter_mut().for_each(|block| *block = block.now(orders));
                self.blocks.retain(|block| block.open != 0);
                self.most = (TIMES * self.blocks.len()).max(SMALL);
            }
            self.blocks.push(Block { first: self.seen as u32, open });
        }
        self.seen += BLOCK;
        self.due += BLOCK;
    }

    /// The orders stand at other places now.
    pub fn begin_anew(&mut self, orders: &TrackedList<Order>) {
        *self = OpenOrders::default();
        while orders.len() >= self.due {
            self.look_at_block(orders);
        }
    }

    fn list_by_account(&mut self, orders: &TrackedList<Order>) {
        for place in self.blocks.drain(..).flat_map(Block::places) {
            let Some(order) = orders.get(place as usize).filter(|order| order.is_open()) else { continue };
            let of_account = self.by_account.entry(order.request.account);
            let listed = of_account.or_insert(Listed { places: Vec::new(), most: SMALL });
            if listed.places.len() >= listed.most {
                listed.forget_closed(orders);
            }
            listed.places.push(place);
        }
    }

    /// Places of the open orders of an account (0 = all) in the order of their submission.
    pub fn of(&mut self, account: u32, orders: &TrackedList<Order>) -> Vec<u32> {
        self.list_by_account(orders);
        let mut places = Vec::new();
        let lists = match account {
            0 => self.by_account.range_mut(..),
            _ => self.by_account.range_mut(account..=account),
        };
        for (_, listed) in lists {
            listed.forget_closed(orders);
            places.extend_from_slice(&listed.places);
        }
        places.sort_unstable();
        let young = (self.seen..orders.len()).map(|place| place as u32);
        places.extend(young.filter(|&place| {
            let order = orders.get(place as usize).filter(|order| order.is_open());
            order.is_some_and(|order| account == 0 || order.request.account == account)
        }));
        places
    }

    /// How many orders [`OpenOrders::of`] looks at.
    #[cfg(test)]
    pub fn looked_at(&self, account: u32, orders: &TrackedList<Order>) -> usize {
        let lists = self.by_account.iter().filter(|(of, _)| account == 0 || **of == account);
        let in_blocks = self.blocks.iter().map(|block| block.open.count_ones() as usize);
        lists.map(|(_, listed)| listed.places.len()).chain(in_blocks).sum::<usize>() + orders.len()
            - self.seen
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BLOCK, SMALL, YOUNG};
    use crate::command::SubmitOrder;
    use crate::orders::{Order, Orders};
    use crate::state::{State, StateReader, StateWriter};
    use crate::terms::{OrderState, Side};

    fn insert(orders: &mut Orders, order_id: u64, account: u32) {
        orders.insert(Order::new(order_id, 0, SubmitOrder::limit(account, 1, order_id, Side::Buy, 5, 6)));
    }

    fn close(orders: &mut Orders, order_id: u64) {
        if let Some(order) = orders.get_mut(order_id) {
            order.state = OrderState::Canceled;
        }
    }

    /// By account, as a walk over all orders finds them.
    fn walked(orders: &Orders, account: u32) -> Vec<u64> {
        let mine = orders.open().filter(|order| account == 0 || order.request.account == account);
        mine.map(|order| order.order_id).collect()
    }

    fn found(orders: &mut Orders, account: u32) -> Vec<u64> {
        orders.open_where(account, |_| true)
    }

    fn restored(orders: &Orders) -> Orders {
        let mut out = StateWriter::new();
        orders.write(&mut out);
        let bytes = out.into_bytes();
        Orders::read(&mut StateReader::new(&bytes)).unwrap_or_default()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        /// Steps are account, how many orders come, which share of those open closes then, and what happens after that.
        #[test]
        fn the_open_orders_of_an_account_are_those_a_walk_over_all_finds_restored_or_not(
            steps in prop::collection::vec((1u32..4, 1usize..900, 0u64..8, 0u8..10), 1..14),
        ) {
            let (mut orders, mut next) = (Orders::default(), 1);
            for (account, count, share, then) in steps {
                for _ in 0..count {
                    insert(&mut orders, next, account);
                    next += 1 + next % 3;
                }
                for order_id in walked(&orders, 0).into_iter().filter(|id| id % 8 < share) {
                    close(&mut orders, order_id);
                }
                match then {
                    0 => orders.retire_closed(),
                    1 => orders = restored(&orders),
                    _ => {}
                }
                let mut again = restored(&orders);
                for account in 0..5 {
                    let walked = walked(&orders, account);
                    prop_assert_eq!(&found(&mut again, account), &walked, "restored, account {}", account);
                    prop_assert_eq!(&found(&mut orders, account), &walked, "account {}", account);
                }
            }
        }
    }

    #[test]
    fn what_is_looked_at_does_not_grow_with_the_orders_that_have_closed() {
        let mut orders = Orders::default();
        for order_id in 1..=200_000 {
            insert(&mut orders, order_id, 1 + (order_id % 2) as u32);
            // One in 1,000 stays, the others last for as long as two blocks.
            if let Some(gone) = order_id.checked_sub(2 * BLOCK as u64).filter(|gone| gone % 1_000 != 0) {
                close(&mut orders, gone);
            }
        }
        let open = orders.open().count();
        for account in 0..3 {
            let looked_at = orders.open.looked_at(account, &orders.orders);
            // A word has but one or two of those that stay.
            let most = 2 * open + SMALL + BLOCK + YOUNG;
            assert!(looked_at <= most, "{looked_at} of account {account}, {open} are open");
            found(&mut orders, account);
        }
    }

    #[test]
    fn orders_that_stood_long_and_closed_are_looked_at_once_more() {
        let mut orders = Orders::default();
        (1..=20_000).for_each(|order_id| insert(&mut orders, order_id, 1));
        (1..=20_000).for_each(|order_id| close(&mut orders, order_id));
        assert!(orders.open.looked_at(1, &orders.orders) > 18_000);
        assert_eq!(found(&mut orders, 1), Vec::<u64>::new());
        assert!(orders.open.looked_at(1, &orders.orders) < BLOCK + YOUNG);
    }
}
