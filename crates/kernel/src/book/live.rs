//! The ids of live orders, each with its slot, none for what is gone.
//!
//! Ids arrive shuffled. A table over all ids ever seen would take a cold miss per new order; one over the live
//! ones stays in the cache. A bucket is a word of seven tags, a byte each, compared at once; beside it, and read
//! only where a tag agrees, the seven slots. What does not fit its bucket goes to the next ones, and each bucket
//! counts how many passed it, so that a lookup knows when to stop and a removal leaves no trace.
//!
//! Growing makes a table of twice the size and moves one old bucket per insert: no pause grows with the table.

use super::slab::{NONE, Slab};

/// Ids in a bucket; the eighth byte of its word counts those that passed it.
const PLACES: usize = 7;

/// Slots of a bucket, one unused.
const ROW: usize = 8;

/// Ids per bucket, on average, at which the table doubles.
const FULL: usize = 4;

const INITIAL_BITS: u32 = 1;

/// A byte 1 in every lane.
const ONES: u64 = 0x0101_0101_0101_0101;
/// All bits of a lane but its top one.
const LOWS: u64 = ONES * 0x7F;
/// Top bits of the lanes that hold tags.
const TAG_TOPS: u64 = (ONES << 7) & (u64::MAX >> 8);

/// One more that passed.
const PASSED: u64 = 1 << 56;
/// So many passed that they are counted no more: lookups go on to the next bucket until the table grows.
const PASSED_MANY: u64 = 0xFF << 56;

/// Top bits of the lanes whose byte is `tag`, none else.
///
/// Here and below `inline(always)`: left to itself the compiler makes calls of these steps, each of which costs
/// more than the step; measured, a third of the instructions of a command.
#[inline(always)]
fn lanes(word: u64, tag: u64) -> u64 {
    let difference = word ^ ONES.wrapping_mul(tag);
    !((difference & LOWS).wrapping_add(LOWS) | difference) & TAG_TOPS
}

#[inline(always)]
fn place_of(lanes: u64) -> usize {
    lanes.trailing_zeros() as usize / 8
}

/// Fibonacci product: its upper bits spread both dense and shuffled ids.
#[inline(always)]
fn hash(order_id: u64) -> u64 {
    order_id.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Memory that the system zeroes when it is first touched.
#[derive(Clone, Debug)]
struct Buckets {
    tags: Vec<u64>,
    /// [`ROW`] to a bucket.
    slots: Vec<u32>,
    /// Bucket of a hash = hash >> shift.
    shift: u32,
}

impl Buckets {
    fn new(bits: u32) -> Self {
        Buckets { tags: vec![0; 1 << bits], slots: vec![0; ROW << bits], shift: 64 - bits }
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.tags.len()
    }

    fn heap_bytes(&self) -> usize {
        self.tags.capacity() * size_of::<u64>() + self.slots.capacity() * size_of::<u32>()
    }

    /// Home bucket and tag of a hash; a tag is never 0.
    #[inline(always)]
    fn home(&self, order_id: u64) -> (usize, u64) {
        let hash = hash(order_id);
        (hash.wrapping_shr(self.shift) as usize, (hash >> 32 & 0xFF).max(1))
    }

    #[inline(always)]
    fn next(&self, bucket: usize) -> usize {
        (bucket + 1) & (self.len() - 1)
    }

    /// Bucket, place and slot of an id; slot [`NONE`] when it is not there.
    #[inline(always)]
    fn locate(&self, order_id: u64, slab: &Slab) -> (usize, usize, u32) {
        let (mut bucket, tag) = self.home(order_id);
        loop {
            let word = self.tags[bucket];
            let mut candidates = lanes(word, tag);
            while candidates != 0 {
                let place = place_of(candidates);
                let slot = self.slots[bucket * ROW + place];
                if slab.order_id(slot) == order_id {
                    return (bucket, place, slot);
                }
                candidates &= candidates - 1;
            }
            if word < PASSED {
                return (bucket, 0, NONE);
            }
            bucket = self.next(bucket);
        }
    }

    #[inline(always)]
    fn insert(&mut self, order_id: u64, slot: u32) {
        let (mut bucket, tag) = self.home(order_id);
        loop {
            let word = self.tags[bucket];
            let free = lanes(word, 0);
            if free != 0 {
                let place = place_of(free);
                self.tags[bucket] = word | tag << (place * 8);
                self.slots[bucket * ROW + place] = slot;
                return;
            }
            if word < PASSED_MANY {
                self.tags[bucket] = word + PASSED;
            }
            bucket = self.next(bucket);
        }
    }

    #[inline(always)]
    fn remove(&mut self, order_id: u64, slab: &Slab) -> u32 {
        let (bucket, place, slot) = self.locate(order_id, slab);
        if slot == NONE {
            return NONE;
        }
        self.clear(bucket, place);
        let (home, _) = self.home(order_id);
        if home != bucket {
            self.forget_passing(home, bucket);
        }
        slot
    }

    #[inline(always)]
    fn clear(&mut self, bucket: usize, place: usize) {
        self.tags[bucket] &= !(0xFF << (place * 8));
    }

    #[cold]
    fn forget_passing(&mut self, mut bucket: usize, end: usize) {
        while bucket != end {
            if self.tags[bucket] < PASSED_MANY {
                self.tags[bucket] -= PASSED;
            }
            bucket = self.next(bucket);
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct LiveOrders {
    table: Buckets,
    /// The smaller table that is being left, and how many of its buckets are still to be moved.
    left: Option<(Buckets, usize)>,
    len: usize,
}

impl Default for LiveOrders {
    fn default() -> Self {
        LiveOrders { table: Buckets::new(INITIAL_BITS), left: None, len: 0 }
    }
}

impl LiveOrders {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn heap_bytes(&self) -> usize {
        let left = self.left.as_ref().map_or(0, |(left, _)| left.heap_bytes());
        self.table.heap_bytes() + left
    }

    /// Slot of a live order, [`NONE`] when there is none.
    #[inline(always)]
    pub fn find(&self, order_id: u64, slab: &Slab) -> u32 {
        let (_, _, slot) = self.table.locate(order_id, slab);
        if slot == NONE && self.left.is_some() {
            return self.find_left(order_id, slab);
        }
        slot
    }

    #[cold]
    fn find_left(&self, order_id: u64, slab: &Slab) -> u32 {
        self.left.as_ref().map_or(NONE, |(left, _)| left.locate(order_id, slab).2)
    }

    /// Adds an id that is not there; its order is in `slab` already.
    #[inline(always)]
    pub fn insert(&mut self, order_id: u64, slot: u32, slab: &Slab) {
        if self.left.is_some() {
            self.move_bucket(slab);
        } else if self.len >= self.table.len() * FULL {
            self.grow();
        }
        self.len += 1;
        self.table.insert(order_id, slot);
    }

    #[cold]
    fn grow(&mut self) {
        let bits = 64 - self.table.shift + 1;
        let buckets = self.table.len();
        self.left = Some((std::mem::replace(&mut self.table, Buckets::new(bits)), buckets));
    }

    /// Moves the last bucket of the smaller table; the smaller table goes with its last.
    #[cold]
    fn move_bucket(&mut self, slab: &Slab) {
        let Some((left, buckets)) = &mut self.left else { return };
        *buckets -= 1;
        for place in 0..PLACES {
            if left.tags[*buckets] >> (place * 8) & 0xFF != 0 {
                let slot = left.slots[*buckets * ROW + place];
                left.clear(*buckets, place);
                self.table.insert(slab.order_id(slot), slot);
            }
        }
        if *buckets == 0 {
            self.left = None;
        }
    }

    /// Removes an id; returns its slot, [`NONE`] when it was not there.
    #[inline(always)]
    pub fn remove(&mut self, order_id: u64, slab: &Slab) -> u32 {
        let mut slot = self.table.remove(order_id, slab);
        if slot == NONE && self.left.is_some() {
            slot = self.remove_left(order_id, slab);
        }
        self.len -= usize::from(slot != NONE);
        slot
    }

    #[cold]
    fn remove_left(&mut self, order_id: u64, slab: &Slab) -> u32 {
        self.left.as_mut().map_or(NONE, |(left, _)| left.remove(order_id, slab))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_index_agrees_with_a_map(steps in prop::collection::vec((0u64..2_000, prop::bool::weighted(0.3)), 1..6_000), stride in prop::sample::select(&[1, 3, 0x1_0000_0001, 1 << 40][..])) {
            let mut slab = Slab::default();
            let mut live = LiveOrders::default();
            let mut twin = BTreeMap::new();
            for (id, remove) in steps {
                let id = id.wrapping_mul(stride);
                if remove {
                    let slot = live.remove(id, &slab);
                    prop_assert_eq!(slot, twin.remove(&id).unwrap_or(NONE));
                    if slot != NONE { slab.free(slot); }
                } else {
                    twin.entry(id).or_insert_with(|| {
                        let slot = slab.new_order(id, 0, 1);
                        live.insert(id, slot, &slab);
                        slot
                    });
                }
                prop_assert_eq!(live.len(), twin.len());
            }
            for id in 0u64..2_000 {
                let id = id.wrapping_mul(stride);
                prop_assert_eq!(live.find(id, &slab), twin.get(&id).copied().unwrap_or(NONE));
            }
        }
    }
}
