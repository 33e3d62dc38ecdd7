//! Where orders and levels live: one pool of 32-byte nodes addressed by `u32`.
//!
//! A level is the sentinel of the circular list of its orders, so linking and unlinking have no branches and
//! an order at either end is nothing special. Slots are reused last in, first out, while they are warm in the
//! cache. Links lie apart from the rest: unlinking touches two neighbors, and eight links share a cache line.

/// No node. Slot 0 exists and is never given out, so that 0 can mean "none" in window and index.
pub(super) const NONE: u32 = 0;

/// Bit of an order's `level`: the order has a reserve, see [`super::aside`].
const RESERVED: u32 = 1 << 31;

/// Bit of a level's tag: its orders are not shown.
pub(super) const HIDDEN: usize = 2;

#[derive(Clone, Copy, Debug, Default)]
struct Link {
    next: u32,
    previous: u32,
}

/// The 24 bytes beside the link.
///
/// | field | of an order | of a level |
/// |---|---|---|
/// | quantity | its leaves | sum of the leaves of its orders |
/// | name | order id | price, as bits |
/// | number | account | how many orders |
/// | level | slot of its level; top bit: has a reserve | tag: side, 0 buy and 1 sell; 2 added: hidden |
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    quantity: i64,
    name: u64,
    number: u32,
    level: u32,
}

const _: () = assert!(size_of::<Link>() + size_of::<Node>() <= 32);

#[derive(Clone, Debug)]
pub(super) struct Slab {
    links: Vec<Link>,
    nodes: Vec<Node>,
    /// Head of the list of free slots, linked by `next`.
    free: u32,
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
        Slab { links: vec![Link::default()], nodes: vec![Node::default()], free: NONE }
    }
}

impl Slab {
    #[inline(always)]
    fn take(&mut self, node: Node) -> u32 {
        let slot = self.free;
        if slot == NONE {
            return self.grow(node);
        }
        self.free = self.links[slot as usize].next;
        self.nodes[slot as usize] = node;
        slot
    }

    #[cold]
    fn grow(&mut self, node: Node) -> u32 {
        self.links.push(Link::default());
        self.nodes.push(node);
        (self.nodes.len() - 1) as u32
    }

    #[inline(always)]
    pub fn free(&mut self, slot: u32) {
        self.links[slot as usize].next = self.free;
        self.free = slot;
    }

    #[inline(always)]
    pub fn new_order(&mut self, order_id: u64, account: u32, leaves: i64) -> u32 {
        self.take(Node { quantity: leaves, name: order_id, number: account, level: NONE })
    }

    #[inline(always)]
    pub fn new_level(&mut self, tag: usize, price: i64) -> u32 {
        let node = Node { quantity: 0, name: price as u64, number: 0, level: tag as u32 };
        let slot = self.take(node);
        self.links[slot as usize] = Link { next: slot, previous: slot };
        slot
    }

    pub fn heap_bytes(&self) -> usize {
        self.links.capacity() * size_of::<Link>() + self.nodes.capacity() * size_of::<Node>()
    }

    /// Puts an order at the end of a level's queue.
    #[inline(always)]
    pub fn append(&mut self, level: u32, order: u32) {
        let links = self.links.as_mut_slice();
        let last = std::mem::replace(&mut links[level as usize].previous, order);
        links[order as usize] = Link { next: level, previous: last };
        links[last as usize].next = order;
        let nodes = self.nodes.as_mut_slice();
        let node = &mut nodes[order as usize];
        node.level = level;
        let leaves = node.quantity;
        let total = &mut nodes[level as usize];
        total.quantity += leaves;
        total.number += 1;
    }

    /// Takes an order out of its level; returns the level, which may be empty now.
    #[inline(always)]
    pub fn detach(&mut self, order: u32) -> u32 {
        let links = self.links.as_mut_slice();
        let Link { next, previous } = links[order as usize];
        links[previous as usize].next = next;
        links[next as usize].previous = previous;
        let nodes = self.nodes.as_mut_slice();
        let Node { quantity, level, .. } = nodes[order as usize];
        let level = level & !RESERVED;
        let total = &mut nodes[level as usize];
        total.quantity -= quantity;
        total.number -= 1;
        level
    }

    #[inline(always)]
    pub fn order(&self, order: u32) -> Order {
        let Node { quantity, name, number, level } = self.nodes[order as usize];
        let has_reserve = level & RESERVED != 0;
        Order { order_id: name, account: number, quantity, level: level & !RESERVED, has_reserve }
    }

    #[inline(always)]
    pub fn total(&self, level: u32) -> LevelTotal {
        let Node { quantity, name, number, level: tag } = self.nodes[level as usize];
        LevelTotal { price: name as i64, quantity, orders: number, tag: tag as usize }
    }

    /// Lowers the leaves of a resting order by `quantity`; returns what is left of it.
    #[inline(always)]
    pub fn reduce(&mut self, order: u32, quantity: i64) -> i64 {
        let nodes = self.nodes.as_mut_slice();
        let node = &mut nodes[order as usize];
        node.quantity -= quantity;
        let (leaves, level) = (node.quantity, node.level & !RESERVED);
        nodes[level as usize].quantity -= quantity;
        leaves
    }

    /// Sets the leaves of an order that is in no level.
    pub fn set_leaves(&mut self, order: u32, leaves: i64) {
        self.nodes[order as usize].quantity = leaves;
    }

    #[inline(always)]
    pub fn order_id(&self, order: u32) -> u64 {
        self.nodes[order as usize].name
    }

    #[inline(always)]
    pub fn account(&self, order: u32) -> u32 {
        self.nodes[order as usize].number
    }

    /// Leaves of an order, total of a level.
    #[inline(always)]
    pub fn quantity(&self, slot: u32) -> i64 {
        self.nodes[slot as usize].quantity
    }

    #[inline(always)]
    pub fn level_of(&self, order: u32) -> u32 {
        self.nodes[order as usize].level & !RESERVED
    }

    #[inline(always)]
    pub fn has_reserve(&self, order: u32) -> bool {
        self.nodes[order as usize].level & RESERVED != 0
    }

    /// Marks an order that lies in a level.
    pub fn mark_reserve(&mut self, order: u32) {
        self.nodes[order as usize].level |= RESERVED;
    }

    #[inline(always)]
    pub fn price(&self, level: u32) -> i64 {
        self.nodes[level as usize].name as i64
    }

    #[inline(always)]
    pub fn side(&self, level: u32) -> usize {
        (self.nodes[level as usize].level & 1) as usize
    }

    /// Side of a level, with [`HIDDEN`] added for one whose orders are not shown.
    #[inline(always)]
    pub fn tag(&self, level: u32) -> usize {
        self.nodes[level as usize].level as usize
    }

    #[inline(always)]
    pub fn orders(&self, level: u32) -> u32 {
        self.nodes[level as usize].number
    }

    /// The node after `slot`: for a level its first order, for the last order the level itself.
    #[inline(always)]
    pub fn next(&self, slot: u32) -> u32 {
        self.links[slot as usize].next
    }

    #[inline(always)]
    pub fn previous(&self, slot: u32) -> u32 {
        self.links[slot as usize].previous
    }
}
