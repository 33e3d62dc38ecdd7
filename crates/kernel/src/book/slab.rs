//! Where orders and levels live: one pool of 32-byte nodes addressed by `u32`.
//!
//! A level is the sentinel of the circular list of its orders, so linking and unlinking have no branches and
//! an order at either end is nothing special. Slots are reused last in, first out, while they are warm in the
//! cache. A node is half a cache line and never lies across two.
//!
//! Nodes lie in one array, so that finding one takes a comparison and no other memory. While it is small the array
//! moves when it grows, 128 KiB at most; then it gets addresses for a million nodes, whose memory the system gives
//! where it is first touched; what does not fit even there lies in chunks. So making room for an order costs the same
//! however many rest, and what many orders take is what they need.

use prefetch_index::prefetch_index;

/// Nodes made room for with the first: a page.
const FIRST_NODES: usize = 128;

/// Nodes up to which the array grows by moving.
const MOST_MOVED: usize = 1 << 12;

/// Nodes of the array: 32 MiB of addresses.
const ARRAY_NODES: usize = 1 << 20;

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
    /// Slot 0 is in it and never used.
    nodes: Vec<Node>,
    /// Slots from [`ARRAY_NODES`] on.
    chunks: Vec<Box<[Node; CHUNK]>>,
    /// Head of the list of free slots, linked by `next`.
    free: u32,
    /// Nodes of the chunks that were ever taken.
    in_chunks: u32,
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
        Slab { nodes: Vec::new(), chunks: Vec::new(), free: NONE, in_chunks: 0 }
    }
}

impl Slab {
    #[inline(always)]
    fn node(&self, slot: u32) -> &Node {
        match self.nodes.get(slot as usize) {
            Some(node) => node,
            None => self.node_in_chunk(slot),
        }
    }

    #[cold]
    #[inline(never)]
    fn node_in_chunk(&self, slot: u32) -> &Node {
        let place = slot as usize - ARRAY_NODES;
        &self.chunks[place / CHUNK][place % CHUNK]
    }

    /// Has a node of the array fetched.
    #[inline(always)]
    pub fn foresee(&self, slot: u32) {
        prefetch_index(&self.nodes, slot as usize);
    }

    #[inline(always)]
    fn node_mut(&mut self, slot: u32) -> &mut Node {
        if (slot as usize) < self.nodes.len() {
            return &mut self.nodes[slot as usize];
        }
        self.node_in_chunk_mut(slot)
    }

    #[cold]
    #[inline(never)]
    fn node_in_chunk_mut(&mut self, slot: u32) -> &mut Node {
        let place = slot as usize - ARRAY_NODES;
        &mut self.chunks[place / CHUNK][place % CHUNK]
    }

    /// The slot that is taken next.
    #[inline(always)]
    fn vacant(&mut self) -> u32 {
        if self.free == NONE {
            self.grow();
        }
        self.free
    }

    /// Takes the slot that [`Slab::vacant`] said: found once, written once.
    #[inline(always)]
    fn occupy(&mut self, slot: u32, node: Node) {
        let place = self.node_mut(slot);
        let next = place.next;
        *place = node;
        self.free = next;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let len = self.nodes.len();
        if len == ARRAY_NODES {
            self.grow_chunks();
            return;
        }
        if len == self.nodes.capacity() {
            let more = if len < MOST_MOVED { (len / 4).max(FIRST_NODES) } else { ARRAY_NODES - len };
            self.nodes.reserve_exact(more.min(ARRAY_NODES - len));
        }
        if len == NONE as usize {
            self.nodes.push(Node::default());
        }
        self.free = self.nodes.len() as u32;
        self.nodes.push(Node::default());
    }

    fn grow_chunks(&mut self) {
        if self.in_chunks as usize == self.chunks.len() * CHUNK {
            self.chunks.push(Box::new([Node::default(); CHUNK]));
        }
        self.free = ARRAY_NODES as u32 + self.in_chunks;
        self.in_chunks += 1;
    }

    #[inline(always)]
    pub fn free(&mut self, slot: u32) {
        self.node_mut(slot).next = self.free;
        self.free = slot;
    }

    /// An order at the end of a level's queue.
    #[inline(always)]
    pub fn new_order(&mut self, level: u32, order_id: u64, account: u32, leaves: i64) -> u32 {
        let slot = self.vacant();
        let previous = self.extend(level, slot, leaves);
        let node = Node { next: level, previous, quantity: leaves, name: order_id, number: account, level };
        self.occupy(slot, node);
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
        let slot = self.vacant();
        self.occupy(slot, Node { quantity: leaves, name: order_id, number: account, ..Node::default() });
        slot
    }

    #[inline(always)]
    pub fn new_level(&mut self, tag: usize, price: i64) -> u32 {
        let slot = self.vacant();
        let (name, level) = (price as u64, tag as u32);
        self.occupy(slot, Node { next: slot, previous: slot, quantity: 0, name, number: 0, level });
        slot
    }

    /// Of the large array only what was ever touched.
    pub fn heap_bytes(&self) -> usize {
        let nodes = if self.nodes.len() < MOST_MOVED { self.nodes.capacity() } else { self.nodes.len() };
        let chunks = self.chunks.len() * CHUNK * size_of::<Node>();
        nodes * size_of::<Node>() + chunks + self.chunks.capacity() * size_of::<usize>()
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
        let node = *self.node(order);
        self.unlink(node)
    }

    /// As [`Slab::detach`], and frees the order's slot: its id can be read until the slot is taken again.
    #[inline(always)]
    pub fn remove(&mut self, order: u32) -> (Order, LevelTotal) {
        let free = self.free;
        let place = self.node_mut(order);
        let node = *place;
        place.next = free;
        self.free = order;
        self.unlink(node)
    }

    #[inline(always)]
    fn unlink(&mut self, node: Node) -> (Order, LevelTotal) {
        let Node { next, previous, quantity, name, number, level } = node;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids of a level's orders, first to last.
    fn ids(slab: &Slab, level: u32) -> Vec<u64> {
        let next = |slot: u32| Some(slab.next(slot)).filter(|&slot| slot != level);
        std::iter::successors(next(level), |&slot| next(slot)).map(|slot| slab.order_id(slot)).collect()
    }

    #[test]
    fn a_queue_runs_on_where_the_array_ends_and_what_is_freed_last_is_taken_first() {
        let mut slab = Slab::default();
        let level = slab.new_level(0, 7);
        let count = (ARRAY_NODES + 3 * CHUNK) as u64;
        let slots: Vec<u32> = (0..count).map(|id| slab.new_order(level, id, 0, 2)).collect();
        assert_eq!(slots.iter().max(), Some(&(count as u32 + 1)));
        assert_eq!(slab.quantity(level), 2 * count as i64);
        assert_eq!(ids(&slab, level), (0..count).collect::<Vec<_>>());
        let odd: Vec<u32> = slots.iter().copied().skip(1).step_by(2).collect();
        for &slot in &odd {
            slab.detach(slot);
            slab.free(slot);
        }
        assert_eq!(ids(&slab, level), (0..count).step_by(2).collect::<Vec<_>>());
        let again: Vec<u32> = odd.iter().map(|_| slab.new_order(level, 1, 0, 1)).collect();
        assert!(again.iter().eq(odd.iter().rev()));
    }
}
