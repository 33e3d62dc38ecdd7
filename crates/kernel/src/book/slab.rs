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

impl Default for Slab {
    fn default() -> Self {
        Slab { links: vec![Link::default()], nodes: vec![Node::default()], free: NONE }
    }
}

impl Slab {
    #[inline]
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

    #[inline]
    pub fn free(&mut self, slot: u32) {
        self.links[slot as usize].next = self.free;
        self.free = slot;
    }

    #[inline]
    pub fn new_order(&mut self, order_id: u64, account: u32, leaves: i64) -> u32 {
        self.take(Node { quantity: leaves, name: order_id, number: account, level: NONE })
    }

    #[inline]
    pub fn new_level(&mut self, tag: usize, price: i64) -> u32 {
        let node = Node { quantity: 0, name: price as u64, number: 0, level: tag as u32 };
        let slot = self.take(node);
        self.links[slot as usize] = Link { next: slot, previous: slot };
        slot
    }

    /// Puts an order at the end of a level's queue.
    #[inline]
    pub fn append(&mut self, level: u32, order: u32) {
        let last = self.links[level as usize].previous;
        self.links[order as usize] = Link { next: level, previous: last };
        self.links[last as usize].next = order;
        self.links[level as usize].previous = order;
        self.nodes[order as usize].level = level;
        let leaves = self.nodes[order as usize].quantity;
        let total = &mut self.nodes[level as usize];
        total.quantity += leaves;
        total.number += 1;
    }

    /// Takes an order out of its level; returns the level, which may be empty now.
    #[inline]
    pub fn detach(&mut self, order: u32) -> u32 {
        let Link { next, previous } = self.links[order as usize];
        self.links[previous as usize].next = next;
        self.links[next as usize].previous = previous;
        let Node { quantity, level, .. } = self.nodes[order as usize];
        let level = level & !RESERVED;
        let total = &mut self.nodes[level as usize];
        total.quantity -= quantity;
        total.number -= 1;
        level
    }

    /// Lowers the leaves of a resting order by `quantity`; returns what is left of it.
    #[inline]
    pub fn reduce(&mut self, order: u32, quantity: i64) -> i64 {
        let node = &mut self.nodes[order as usize];
        node.quantity -= quantity;
        let (leaves, level) = (node.quantity, node.level & !RESERVED);
        self.nodes[level as usize].quantity -= quantity;
        leaves
    }

    /// Sets the leaves of an order that is in no level.
    pub fn set_leaves(&mut self, order: u32, leaves: i64) {
        self.nodes[order as usize].quantity = leaves;
    }

    #[inline]
    pub fn order_id(&self, order: u32) -> u64 {
        self.nodes[order as usize].name
    }

    #[inline]
    pub fn account(&self, order: u32) -> u32 {
        self.nodes[order as usize].number
    }

    /// Leaves of an order, total of a level.
    #[inline]
    pub fn quantity(&self, slot: u32) -> i64 {
        self.nodes[slot as usize].quantity
    }

    #[inline]
    pub fn level_of(&self, order: u32) -> u32 {
        self.nodes[order as usize].level & !RESERVED
    }

    #[inline]
    pub fn has_reserve(&self, order: u32) -> bool {
        self.nodes[order as usize].level & RESERVED != 0
    }

    /// Marks an order that lies in a level.
    pub fn mark_reserve(&mut self, order: u32) {
        self.nodes[order as usize].level |= RESERVED;
    }

    #[inline]
    pub fn price(&self, level: u32) -> i64 {
        self.nodes[level as usize].name as i64
    }

    #[inline]
    pub fn side(&self, level: u32) -> usize {
        (self.nodes[level as usize].level & 1) as usize
    }

    /// Side of a level, with [`HIDDEN`] added for one whose orders are not shown.
    #[inline]
    pub fn tag(&self, level: u32) -> usize {
        self.nodes[level as usize].level as usize
    }

    #[inline]
    pub fn orders(&self, level: u32) -> u32 {
        self.nodes[level as usize].number
    }

    /// The node after `slot`: for a level its first order, for the last order the level itself.
    #[inline]
    pub fn next(&self, slot: u32) -> u32 {
        self.links[slot as usize].next
    }

    #[inline]
    pub fn previous(&self, slot: u32) -> u32 {
        self.links[slot as usize].previous
    }
}
