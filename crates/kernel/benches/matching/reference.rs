//! The plain minimal reference: what a book costs that does nothing but match.
//!
//! One array of levels over a fixed price range, a bitmap, intrusive lists, 32-bit quantities, no checks, no
//! reports but a checksum of the trades. Array sizes are powers of two and indices are masked, so that the
//! compiler drops the bounds checks. It marks the limit that ours is measured against; it is not for use.

const PRICES: usize = 1 << 14;
const NONE: u32 = u32::MAX;

/// Order-sensitive checksum of trades, the same for every book measured.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Checksum {
    pub hash: u64,
    pub trades: u64,
}

impl Checksum {
    #[inline]
    pub fn add(&mut self, maker: u64, taker: u64, price: i64, quantity: i64) {
        let trade = maker ^ taker.rotate_left(21) ^ (price as u64).rotate_left(42) ^ (quantity as u64) << 7;
        self.hash = (self.hash ^ trade).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        self.trades += 1;
    }
}

#[derive(Clone, Copy)]
struct Node {
    id: u64,
    next: u32,
    previous: u32,
    quantity: u32,
    /// `side << 31 | price`.
    place: u32,
}

#[derive(Clone, Copy)]
struct Level {
    head: u32,
    tail: u32,
}

/// Where an order's node is found by its id.
pub trait Ids {
    fn slot(&self, id: u64) -> Option<u32>;
    fn add(&mut self, id: u64) -> u32;
    /// Forgets an id; returns its slot.
    fn remove(&mut self, id: u64) -> Option<u32>;
}

/// The caller's ids are dense and are the slots.
#[derive(Default)]
pub struct DirectIds;

impl Ids for DirectIds {
    #[inline]
    fn slot(&self, id: u64) -> Option<u32> {
        Some(id as u32)
    }
    #[inline]
    fn add(&mut self, id: u64) -> u32 {
        id as u32
    }
    #[inline]
    fn remove(&mut self, id: u64) -> Option<u32> {
        Some(id as u32)
    }
}

/// Any ids: linear probing, backward shift, slots from a free list.
pub struct HashedIds<const BUCKETS: usize> {
    entries: Box<[(u64, u32); BUCKETS]>,
    free: Vec<u32>,
    next: u32,
}

impl<const BUCKETS: usize> Default for HashedIds<BUCKETS> {
    fn default() -> Self {
        HashedIds { entries: boxed((0, NONE)), free: Vec::new(), next: 0 }
    }
}

#[inline]
fn home(id: u64) -> usize {
    (id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize
}

impl<const BUCKETS: usize> HashedIds<BUCKETS> {
    #[inline]
    fn find(&self, id: u64) -> Option<usize> {
        let mut place = home(id);
        loop {
            let (found, slot) = self.entries[place % BUCKETS];
            if slot == NONE {
                return None;
            }
            if found == id {
                return Some(place);
            }
            place += 1;
        }
    }
}

impl<const BUCKETS: usize> Ids for HashedIds<BUCKETS> {
    #[inline]
    fn slot(&self, id: u64) -> Option<u32> {
        self.find(id).map(|place| self.entries[place % BUCKETS].1)
    }

    #[inline]
    fn add(&mut self, id: u64) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        let mut place = home(id);
        while self.entries[place % BUCKETS].1 != NONE {
            place += 1;
        }
        self.entries[place % BUCKETS] = (id, slot);
        slot
    }

    #[inline]
    fn remove(&mut self, id: u64) -> Option<u32> {
        let mut gap = self.find(id)? % BUCKETS;
        let slot = self.entries[gap].1;
        self.free.push(slot);
        let mut place = gap;
        loop {
            place = (place + 1) % BUCKETS;
            let entry = self.entries[place];
            if entry.1 == NONE {
                break;
            }
            if place.wrapping_sub(home(entry.0)) % BUCKETS >= place.wrapping_sub(gap) % BUCKETS {
                self.entries[gap] = entry;
                gap = place;
            }
        }
        self.entries[gap].1 = NONE;
        Some(slot)
    }
}

/// `NODES` is a power of two above the slots in use.
pub struct Reference<I: Ids, const NODES: usize> {
    ids: I,
    nodes: Box<[Node; NODES]>,
    levels: [Box<[Level; PRICES]>; 2],
    words: [Box<[u64; PRICES / 64]>; 2],
    summary: [[u64; PRICES / 4096]; 2],
    best: [i64; 2],
    pub checksum: Checksum,
}

fn boxed<T: Copy, const N: usize>(value: T) -> Box<[T; N]> {
    match vec![value; N].into_boxed_slice().try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("the vector has N items"),
    }
}

impl<I: Ids + Default, const NODES: usize> Default for Reference<I, NODES> {
    fn default() -> Self {
        let empty = Level { head: NONE, tail: NONE };
        Reference {
            ids: I::default(),
            nodes: boxed(Node { id: 0, next: NONE, previous: NONE, quantity: 0, place: 0 }),
            levels: [boxed(empty), boxed(empty)],
            words: [boxed(0), boxed(0)],
            summary: [[0; PRICES / 4096]; 2],
            best: [-1, PRICES as i64],
            checksum: Checksum::default(),
        }
    }
}

impl<I: Ids, const NODES: usize> Reference<I, NODES> {
    /// `side` 0 buys, 1 sells. What does not trade rests.
    #[inline]
    pub fn submit(&mut self, id: u64, side: usize, price: i64, quantity: u32) {
        let left = self.take(id, side, price, quantity);
        if left > 0 {
            let slot = self.ids.add(id);
            self.rest(id, slot, side, price, left);
        }
    }

    /// Trades what it can and drops the rest.
    #[inline]
    pub fn submit_immediate(&mut self, id: u64, side: usize, price: i64, quantity: u32) {
        self.take(id, side, price, quantity);
    }

    #[inline]
    pub fn cancel(&mut self, id: u64) {
        if let Some(slot) = self.ids.remove(id) {
            self.unlink(slot);
        }
    }

    #[inline]
    pub fn replace(&mut self, id: u64, price: i64, quantity: u32) {
        let Some(slot) = self.ids.slot(id) else { return };
        let node = &mut self.nodes[slot as usize % NODES];
        let side = (node.place >> 31) as usize;
        if i64::from(node.place & 0x7FFF_FFFF) == price && quantity <= node.quantity {
            node.quantity = quantity;
            return;
        }
        self.unlink(slot);
        let left = self.take(id, side, price, quantity);
        if left > 0 {
            self.rest(id, slot, side, price, left);
        } else {
            self.ids.remove(id);
        }
    }

    #[inline]
    fn take(&mut self, id: u64, side: usize, price: i64, mut quantity: u32) -> u32 {
        let opposite = side ^ 1;
        while quantity > 0 {
            let best = self.best[opposite & 1];
            let reaches = if side == 0 { best <= price } else { best >= price };
            if !reaches || best < 0 || best >= PRICES as i64 {
                break;
            }
            let slot = self.levels[opposite & 1][best as usize % PRICES].head;
            let node = &mut self.nodes[slot as usize % NODES];
            let traded = quantity.min(node.quantity);
            node.quantity = node.quantity.wrapping_sub(traded);
            quantity = quantity.wrapping_sub(traded);
            let (maker, gone) = (node.id, node.quantity == 0);
            self.checksum.add(maker, id, best, i64::from(traded));
            if gone {
                self.unlink(slot);
                self.ids.remove(maker);
            }
        }
        quantity
    }

    #[inline]
    fn rest(&mut self, id: u64, slot: u32, side: usize, price: i64, quantity: u32) {
        let at = price as usize % PRICES;
        let level = &mut self.levels[side & 1][at];
        let place = (side as u32) << 31 | price as u32;
        self.nodes[slot as usize % NODES] = Node { id, next: NONE, previous: level.tail, quantity, place };
        let last = std::mem::replace(&mut level.tail, slot);
        if last != NONE {
            self.nodes[last as usize % NODES].next = slot;
            return;
        }
        level.head = slot;
        self.words[side & 1][at / 64] |= 1 << (at % 64);
        self.summary[side & 1][at / 4096] |= 1 << (at / 64 % 64);
        let best = &mut self.best[side & 1];
        *best = if side == 0 { (*best).max(price) } else { (*best).min(price) };
    }

    #[inline]
    fn unlink(&mut self, slot: u32) {
        let Node { next, previous, place, .. } = self.nodes[slot as usize % NODES];
        let (side, at) = ((place >> 31) as usize & 1, (place & 0x7FFF_FFFF) as usize % PRICES);
        let level = &mut self.levels[side][at];
        match previous {
            NONE => level.head = next,
            _ => self.nodes[previous as usize % NODES].next = next,
        }
        match next {
            NONE => level.tail = previous,
            _ => self.nodes[next as usize % NODES].previous = previous,
        }
        if level.head == NONE {
            self.clear(side, at);
        }
    }

    #[inline]
    fn clear(&mut self, side: usize, at: usize) {
        let word = &mut self.words[side][at / 64];
        *word &= !(1 << (at % 64));
        if *word == 0 {
            self.summary[side][at / 4096] &= !(1 << (at / 64 % 64));
        }
        if self.best[side] == at as i64 {
            self.best[side] = if side == 0 { self.highest() } else { self.lowest() };
        }
    }

    fn highest(&self) -> i64 {
        let Some(group) = (0..PRICES / 4096).rev().find(|&group| self.summary[0][group] != 0) else {
            return -1;
        };
        let word = group * 64 + 63 - self.summary[0][group].leading_zeros() as usize;
        (word * 64 + 63) as i64 - i64::from(self.words[0][word % (PRICES / 64)].leading_zeros())
    }

    fn lowest(&self) -> i64 {
        let Some(group) = (0..PRICES / 4096).find(|&group| self.summary[1][group] != 0) else {
            return PRICES as i64;
        };
        let word = group * 64 + self.summary[1][group].trailing_zeros() as usize;
        (word * 64) as i64 + i64::from(self.words[1][word % (PRICES / 64)].trailing_zeros())
    }
}
