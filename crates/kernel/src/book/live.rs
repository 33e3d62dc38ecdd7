//! The ids of live orders, each with its slot, none for what is gone.
//!
//! Ids arrive shuffled. A table over all ids ever seen would take a cold miss per new order; one over the live
//! ones stays in the cache. A bucket has the size of half a cache line: a word of six tags, a byte each, compared at once, and
//! six slots. What does not fit its bucket goes to the next ones, and each bucket counts how many passed it, so
//! that a lookup knows when to stop and a removal leaves no trace.
//!
//! Growing makes a table of twice the size and moves one old bucket per insert: no pause grows with the table. A small
//! table is moved at once, in a microsecond or two: each insert while one is being left goes a long way, and a thousand
//! small books that grow were most of the time on it.

use prefetch_index::prefetch_index;
use zerocopy::FromZeros;

use super::slab::{NONE, Slab};

/// Ids in a bucket; the upper two bytes of its word count those that passed it.
const PLACES: usize = 6;

/// Ids per bucket, on average, at which the table doubles.
const FULL: usize = 3;

const INITIAL_BITS: u32 = 1;

/// Bits of the first table that a book needs which holds more than a handful of orders: 1 KiB.
const SMALL_BITS: u32 = 5;

/// Buckets of a table that is moved at once when it grows.
const MOVED_AT_ONCE: usize = 64;

/// A byte 1 in every lane.
const ONES: u64 = 0x0101_0101_0101_0101;
/// Top bits of the lanes that hold tags.
const TAG_TOPS: u64 = (ONES << 7) & (u64::MAX >> 16);

/// One more that passed.
const PASSED: u64 = 1 << 48;
/// So many passed that they are counted no more: lookups go on to the next bucket until the table grows.
const PASSED_MANY: u64 = 0xFFFF << 48;

/// Top bits of the lanes whose byte is `tag`. The lowest one is right; a lane above it may be said to agree
/// when it differs from `tag` in its last bit only, which costs a look at an order and nothing else.
///
/// Here and below `inline(always)`: left to itself the compiler makes calls of these steps, each of which costs
/// more than the step; measured, a third of the instructions of a command.
#[inline(always)]
fn lanes(word: u64, tag: u64) -> u64 {
    let difference = word ^ ONES.wrapping_mul(tag);
    difference.wrapping_sub(ONES) & !difference & TAG_TOPS
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

/// Not aligned to its size: memory of a larger alignment than the allocator's own is zeroed by hand, which made a
/// pause of each doubling, while a bucket across two cache lines costs little.
#[derive(Clone, Copy, Debug, FromZeros)]
#[repr(C)]
struct Bucket {
    word: u64,
    slots: [u32; PLACES],
}

const _: () = assert!(size_of::<Bucket>() == 32);

#[derive(Clone, Debug)]
struct Buckets {
    buckets: Vec<Bucket>,
    /// Bucket of a hash = hash >> shift.
    shift: u32,
}

impl Buckets {
    /// The memory is zeroed by the system where it is first touched, so that making a large table takes no time.
    fn new(bits: u32) -> Self {
        let buckets = Bucket::new_vec_zeroed(1 << bits)
            .unwrap_or_else(|_| std::alloc::handle_alloc_error(std::alloc::Layout::new::<Bucket>()));
        Buckets { buckets, shift: 64 - bits }
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.buckets.len()
    }

    fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }

    /// Home bucket and tag of a hash; a tag is never 0, which is a free place, nor 1, which [`lanes`] may take for it.
    #[inline(always)]
    fn home(&self, order_id: u64) -> (usize, u64) {
        let hash = hash(order_id);
        (hash.wrapping_shr(self.shift) as usize, (hash >> 32 & 0xFF).max(2))
    }

    #[inline(always)]
    fn next(&self, bucket: usize) -> usize {
        (bucket + 1) & (self.len() - 1)
    }

    /// Bucket, place and slot of an id; slot [`NONE`] when it is not there.
    #[inline(always)]
    fn locate(&self, order_id: u64, slab: &Slab) -> (usize, usize, u32) {
        let (mut index, tag) = self.home(order_id);
        loop {
            let bucket = &self.buckets[index];
            let mut candidates = lanes(bucket.word, tag);
            while candidates != 0 {
                let place = place_of(candidates);
                let slot = bucket.slots[place];
                if slab.order_id(slot) == order_id {
                    return (index, place, slot);
                }
                candidates &= candidates - 1;
            }
            if bucket.word < PASSED {
                return (index, 0, NONE);
            }
            index = self.next(index);
        }
    }

    #[inline(always)]
    fn insert(&mut self, order_id: u64, slot: u32) {
        let (mut index, tag) = self.home(order_id);
        loop {
            let bucket = &mut self.buckets[index];
            let free = lanes(bucket.word, 0);
            if free != 0 {
                let place = place_of(free);
                bucket.word |= tag << (place * 8);
                bucket.slots[place] = slot;
                return;
            }
            if bucket.word < PASSED_MANY {
                bucket.word += PASSED;
            }
            index = self.next(index);
        }
    }

    /// Inserts the ids of a bucket of another table.
    fn take_in(&mut self, bucket: &Bucket, slab: &Slab) {
        for (place, &slot) in bucket.slots.iter().enumerate() {
            if bucket.word >> (place * 8) & 0xFF != 0 {
                self.insert(slab.order_id(slot), slot);
            }
        }
    }

    fn remove(&mut self, order_id: u64, slab: &Slab) -> u32 {
        let (index, place, slot) = self.locate(order_id, slab);
        if slot == NONE {
            return NONE;
        }
        self.buckets[index].word &= !(0xFF << (place * 8));
        self.forget_passing(self.home(order_id).0, index);
        slot
    }

    fn forget_passing(&mut self, mut index: usize, end: usize) {
        while index != end {
            if self.buckets[index].word < PASSED_MANY {
                self.buckets[index].word -= PASSED;
            }
            index = self.next(index);
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct LiveOrders {
    table: Buckets,
    /// The smaller table that is being left, and how many of its buckets are still to be moved.
    left: Option<Box<(Buckets, usize)>>,
    len: usize,
    /// Ids from which on an insert has more to do than to insert: the table is full, or one is being left.
    room: usize,
}

/// A place for an id that is not there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vacancy {
    bucket: usize,
    place: usize,
    tag: u64,
}

impl Default for LiveOrders {
    fn default() -> Self {
        LiveOrders { table: Buckets::new(INITIAL_BITS), left: None, len: 0, room: FULL << INITIAL_BITS }
    }
}

impl LiveOrders {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn heap_bytes(&self) -> usize {
        let left = self.left.as_ref().map_or(0, |left| left.0.heap_bytes());
        self.table.heap_bytes() + left
    }

    /// Slot of a live order, [`NONE`] when there is none.
    #[inline]
    pub fn find(&self, order_id: u64, slab: &Slab) -> u32 {
        let (_, _, slot) = self.table.locate(order_id, slab);
        match &self.left {
            Some(left) if slot == NONE => left.0.locate(order_id, slab).2,
            _ => slot,
        }
    }

    /// Has the bucket of an id fetched.
    #[inline(always)]
    pub fn foresee(&self, order_id: u64) {
        prefetch_index(&self.table.buckets, self.table.home(order_id).0);
    }

    /// The slot that an id has if it is the first its bucket says it could be; any other or [`NONE`] if it is not.
    #[inline(always)]
    pub fn likely(&self, order_id: u64) -> u32 {
        let (bucket, tag) = self.table.home(order_id);
        let bucket = &self.table.buckets[bucket];
        bucket.slots.get(place_of(lanes(bucket.word, tag))).copied().unwrap_or(NONE)
    }

    /// A place for an id where one look shows that it is not there and fits, as it does for nearly all new ids.
    #[inline(always)]
    pub fn vacancy(&self, order_id: u64) -> Option<Vacancy> {
        let (bucket, tag) = self.table.home(order_id);
        let word = self.table.buckets[bucket].word;
        let free = lanes(word, 0);
        let plain = (lanes(word, tag) | word >> 48) == 0 && free != 0 && self.len < self.room;
        plain.then_some(Vacancy { bucket, place: place_of(free), tag })
    }

    /// Adds an id in the place found for it, with nothing added or removed since.
    #[inline(always)]
    pub fn fill(&mut self, vacancy: Vacancy, slot: u32) {
        let Vacancy { bucket, place, tag } = vacancy;
        let bucket = &mut self.table.buckets[bucket];
        bucket.word |= tag << (place * 8);
        bucket.slots[place] = slot;
        self.len += 1;
    }

    /// Adds an id that is not there; its order is in `slab` already.
    pub fn insert(&mut self, order_id: u64, slot: u32, slab: &Slab) {
        if self.len >= self.room {
            if self.left.is_some() { self.move_bucket(slab) } else { self.grow(slab) }
        }
        self.len += 1;
        self.table.insert(order_id, slot);
    }

    #[cold]
    fn grow(&mut self, slab: &Slab) {
        let bits = (64 - self.table.shift + 1).max(SMALL_BITS);
        let left = std::mem::replace(&mut self.table, Buckets::new(bits));
        if left.len() <= MOVED_AT_ONCE {
            left.buckets.iter().for_each(|bucket| self.table.take_in(bucket, slab));
            self.room = self.table.len() * FULL;
            return;
        }
        let buckets = left.len();
        self.left = Some(Box::new((left, buckets)));
        self.room = 0;
    }

    /// Moves the last bucket of the smaller table; the smaller table goes with its last.
    #[cold]
    fn move_bucket(&mut self, slab: &Slab) {
        let Some((left, buckets)) = self.left.as_deref_mut() else { return };
        *buckets -= 1;
        let bucket = &mut left.buckets[*buckets];
        self.table.take_in(bucket, slab);
        bucket.word &= !(PASSED - 1);
        if *buckets == 0 {
            self.left = None;
            self.room = self.table.len() * FULL;
        }
    }

    /// Removes an id; returns its slot, [`NONE`] when it was not there.
    #[inline(always)]
    pub fn remove(&mut self, order_id: u64, slab: &Slab) -> u32 {
        let (bucket, tag) = self.table.home(order_id);
        let bucket = &mut self.table.buckets[bucket];
        let candidates = lanes(bucket.word, tag);
        if candidates != 0 {
            let place = place_of(candidates);
            let slot = bucket.slots[place];
            if slab.order_id(slot) == order_id {
                bucket.word &= !(0xFF << (place * 8));
                self.len -= 1;
                return slot;
            }
        }
        self.remove_elsewhere(order_id, slab)
    }

    /// For an id that is not the first its bucket says it could be.
    #[cold]
    #[inline(never)]
    fn remove_elsewhere(&mut self, order_id: u64, slab: &Slab) -> u32 {
        let mut slot = self.table.remove(order_id, slab);
        if let Some(left) = &mut self.left
            && slot == NONE
        {
            slot = left.0.remove(order_id, slab);
        }
        self.len -= usize::from(slot != NONE);
        slot
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
            let level = slab.new_level(0, 0);
            let mut live = LiveOrders::default();
            let mut twin = BTreeMap::new();
            for (id, remove) in steps {
                let id = id.wrapping_mul(stride);
                if remove {
                    let slot = live.remove(id, &slab);
                    prop_assert_eq!(slot, twin.remove(&id).unwrap_or(NONE));
                    if slot != NONE {
                        slab.detach(slot);
                        slab.free(slot);
                    }
                } else {
                    twin.entry(id).or_insert_with(|| {
                        let slot = slab.new_order(level, id, 0, 1);
                        match live.vacancy(id) {
                            Some(vacancy) => live.fill(vacancy, slot),
                            None => live.insert(id, slot, &slab),
                        }
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
