//! Where orders and levels live: one pool of 32-byte nodes addressed by `u32`.
//!
//! A level is the sentinel of the circular list of its orders, so linking and unlinking have no branches and
//! an order at either end is nothing special. Slots are reused last in, first out, while they are warm in the
//! cache. A node is half a cache line and never lies across two.
//!
//! The pool grows by chunks and never moves: making room for an order costs the same however many rest, and what
//! many orders take is what they need.

/// Nodes of a chunk: a page.
const CHUNK: usize = 128;

/// No node. Slot 0 is never given out, so that 0 can mean "none" in window and index.
pub(super) const NONE: u32 = 0;

/// Bit of an order's `level`: the order has a reserve, see [`super::aside`].
const RESERVED: u32 = 1 << 31;

/// Bit of a level's tag: its orders are not shown.
pub(super) const HIDDEN: usize = 2;

/// | field | of an order | of a level |
/// |---|---|---|
/// | next, previous | its neighbors in the queue, or the level | first and last order |
/// | quantity | its leaves | sum of the leaves of its orders |
/// | name | order id | price, as bits |
/// | number | account | how many orders |
/// | level | slot of its level; top bit: has a reserve | tag: side, 0 buy and 1 sell; 2 added: hidden |
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
struct Node {
    next: u32,
    previous: u32,
    quantity: i64,
    name: u64,
    number: u32,
    level: u32,
}

const _: () = assert!(size_of::<Node>() == 32);

impl Node {
    #[inline(always)]
    fn of_level(&self) -> LevelTotal {
        let Node { quantity, name, number, level: tag, .. } = *self;
        LevelTotal { price: name as i64, quantity, orders: number, tag: tag as usize }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Slab {
    chunks: Vec<Box<[Node; CHUNK]>>,
    /// Head of the list of free slots, linked by `next`.
    free: u32,
    /// Slots from here on were never taken.
    fresh: u32,
}

/// A resting order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub order_id: u64,
    pub account: u32,
    /// What it shows; of a hidden one, its leaves.
    pub quantity: i64,
    pub level: u32,
    pub has_reserve: bool,
}

/// The totals of a level.
#[derive(Clone, Copy, Debug)]
pub(super) struct LevelTotal {
    pub price: i64,
    pub quantity: i64,
    pub orders: u32,
    pub tag: usize,
}

impl Default for Slab {
    fn default() -> Self {
        Slab { chunks: Vec::new(), free: NONE, fresh: NONE + 1 }
    }
}

impl Slab {
    #[inline(always)]
    fn node(&self, slot: u32) -> &Node {
        &self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    #[inline(always)]
    fn node_mut(&mut self, slot: u32) -> &mut Node {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    /// Takes a slot from the free ones.
    #[inline(always)]
    fn take(&mut self) -> u32 {
        if self.free == NONE {
            self.grow();
        }
        let slot = self.free;
        self.free = self.node(slot).next;
        slot
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        if self.fresh as usize >= self.chunks.len() * CHUNK {
            self.chunks.push(Box::new([Node::default(); CHUNK]));
        }
        self.free = self.fresh;
        self.fresh += 1;
    }

    #[inline(always)]
    pub fn free(&mut self, slot: u32) {
        self.node_mut(slot).next = self.free;
        self.free = slot;
    }

    /// An order at the end of a level's queue.
    #[inline(always)]
    pub fn new_order(&mut self, level: u32, order_id: u64, account: u32, leaves: i64) -> u32 {
        let slot = self.take();
        let previous = self.extend(level, slot, leaves);
        *self.node_mut(slot) =
            Node { next: level, previous, quantity: leaves, name: order_id, number: account, level };
        slot
    }

    /// Makes `order` the last of a level and adds its leaves; returns who was the last.
    #[inline(always)]
    fn extend(&mut self, level: u32, order: u32, leaves: i64) -> u32 {
        let total = self.node_mut(level);
        let last = std::mem::replace(&mut total.previous, order);
        total.quantity += leaves;
        total.number += 1;
        self.node_mut(last).next = order;
        last
    }

    /// An order that is in no level yet.
    pub fn new_apart(&mut self, order_id: u64, account: u32, leaves: i64) -> u32 {
        let slot = self.take();
        *self.node_mut(slot) = Node { quantity: leaves, name: order_id, number: account, ..Node::default() };
        slot
    }

    #[inline(always)]
    pub fn new_level(&mut self, tag: usize, price: i64) -> u32 {
        let slot = self.take();
        let (name, level) = (price as u64, tag as u32);
        *self.node_mut(slot) = Node { next: slot, previous: slot, quantity: 0, name, number: 0, level };
        slot
    }

    pub fn heap_bytes(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<Node>() + self.chunks.capacity() * size_of::<usize>()
    }

    /// Puts an order at the end of a level's queue.
    #[inline(always)]
    pub fn append(&mut self, level: u32, order: u32) {
        let leaves = self.node(order).quantity;
        let last = self.extend(level, order, leaves);
        let node = self.node_mut(order);
        (node.next, node.previous, node.level) = (level, last, level);
    }

    /// Takes an order out of its level, which may be empty then. Returns the order and the level's totals.
    #[inline(always)]
    pub fn detach(&mut self, order: u32) -> (Order, LevelTotal) {
        let Node { next, previous, quantity, name, number, level } = *self.node(order);
        self.node_mut(previous).next = next;
        self.node_mut(next).previous = previous;
        let has_reserve = level & RESERVED != 0;
        let level = level & !RESERVED;
        let total = self.node_mut(level);
        total.quantity -= quantity;
        total.number -= 1;
        let total = total.of_level();
        (Order { order_id: name, account: number, quantity, level, has_reserve }, total)
    }

    #[inline(always)]
    pub fn order(&self, order: u32) -> Order {
        let Node { quantity, name, number, level, .. } = *self.node(order);
        let has_reserve = level & RESERVED != 0;
        Order { order_id: name, account: number, quantity, level: level & !RESERVED, has_reserve }
    }

    #[inline(always)]
    pub fn total(&self, level: u32) -> LevelTotal {
        self.node(level).of_level()
    }

    /// Lowers the leaves of a resting order by `quantity`; returns what is left of it.
    #[inline(always)]
    pub fn reduce(&mut self, order: u32, quantity: i64) -> i64 {
        let node = self.node_mut(order);
        node.quantity -= quantity;
        let (leaves, level) = (node.quantity, node.level & !RESERVED);
        self.node_mut(level).quantity -= quantity;
        leaves
    }

    /// Sets the leaves of an order that is in no level.
    pub fn set_leaves(&mut self, order: u32, leaves: i64) {
        self.node_mut(order).quantity = leaves;
    }

    #[inline(always)]
    pub fn order_id(&self, order: u32) -> u64 {
        self.node(order).name
    }

    #[inline(always)]
    pub fn account(&self, order: u32) -> u32 {
        self.node(order).number
    }

    /// Leaves of an order, total of a level.
    #[inline(always)]
    pub fn quantity(&self, slot: u32) -> i64 {
        self.node(slot).quantity
    }

    #[inline(always)]
    pub fn level_of(&self, order: u32) -> u32 {
        self.node(order).level & !RESERVED
    }

    #[inline(always)]
    pub fn has_reserve(&self, order: u32) -> bool {
        self.node(order).level & RESERVED != 0
    }

    /// Marks an order that lies in a level.
    pub fn mark_reserve(&mut self, order: u32) {
        self.node_mut(order).level |= RESERVED;
    }

    #[inline(always)]
    pub fn price(&self, level: u32) -> i64 {
        self.node(level).name as i64
    }

    #[inline(always)]
    pub fn side(&self, level: u32) -> usize {
        (self.node(level).level & 1) as usize
    }

    /// Side of a level, with [`HIDDEN`] added for one whose orders are not shown.
    #[inline(always)]
    pub fn tag(&self, level: u32) -> usize {
        self.node(level).level as usize
    }

    #[inline(always)]
    pub fn orders(&self, level: u32) -> u32 {
        self.node(level).number
    }

    /// The node after `slot`: for a level its first order, for the last order the level itself.
    #[inline(always)]
    pub fn next(&self, slot: u32) -> u32 {
        self.node(slot).next
    }

    #[inline(always)]
    pub fn previous(&self, slot: u32) -> u32 {
        self.node(slot).previous
    }
}
