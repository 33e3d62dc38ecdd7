//! The ids of live orders, each with its slot: 8 bytes per entry, two to four entries per id, none for what is
//! gone.
//!
//! Ids arrive shuffled. A table over all ids ever seen would take a cold miss per new order; one over the live
//! ones stays in the cache. Open addressing with 32 bits of hash beside the slot: a probe that meets another
//! hash needs no look at the order. Removal shifts followers back, so there are no tombstones, no cleaning
//! pauses, and a cancel costs what it costs.

use super::slab::{NONE, Slab};

/// `hash << 32 | slot`; 0 is empty because slot 0 is never given out.
#[derive(Clone, Debug)]
pub(super) struct LiveOrders {
    entries: Vec<u64>,
    len: usize,
    /// Entry of a hash = hash >> shift.
    shift: u32,
}

const INITIAL_BITS: u32 = 4;

/// Entries of a table that is still small: half a mebibyte.
const SMALL: usize = 1 << 16;

impl Default for LiveOrders {
    fn default() -> Self {
        LiveOrders { entries: vec![0; 1 << INITIAL_BITS], len: 0, shift: 32 - INITIAL_BITS }
    }
}

/// Upper half of a Fibonacci product: spreads both dense and shuffled ids.
#[inline]
fn hash(order_id: u64) -> u32 {
    (order_id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

impl LiveOrders {
    pub fn len(&self) -> usize {
        self.len
    }

    /// Places kept per id: many while the table fits the nearest caches, where a longer probe costs more than
    /// room does; few beyond, where each place costs a cache miss somewhere.
    #[inline]
    fn places_per_id(&self) -> usize {
        if self.entries.len() < SMALL { 4 } else { 2 }
    }

    #[inline]
    fn mask(&self) -> usize {
        self.entries.len() - 1
    }

    /// Where the id is, or the empty place where it would go.
    #[inline]
    fn probe(&self, order_id: u64, slab: &Slab) -> (usize, u32) {
        let hash = hash(order_id);
        let mask = self.mask();
        let mut place = (hash >> self.shift) as usize & mask;
        loop {
            let entry = self.entries[place];
            let slot = entry as u32;
            if slot == NONE || ((entry >> 32) as u32 == hash && slab.order_id(slot) == order_id) {
                return (place, slot);
            }
            place = (place + 1) & mask;
        }
    }

    /// Slot of a live order, [`NONE`] when there is none.
    #[inline]
    pub fn find(&self, order_id: u64, slab: &Slab) -> u32 {
        self.probe(order_id, slab).1
    }

    /// Adds an id that is not there.
    #[inline]
    pub fn insert(&mut self, order_id: u64, slot: u32) {
        if self.len * self.places_per_id() >= self.entries.len() {
            self.grow();
        }
        self.len += 1;
        self.place(u64::from(hash(order_id)) << 32 | u64::from(slot));
    }

    #[inline]
    fn place(&mut self, entry: u64) {
        let mask = self.mask();
        let mut place = ((entry >> 32) as u32 >> self.shift) as usize & mask;
        while self.entries[place] != 0 {
            place = (place + 1) & mask;
        }
        self.entries[place] = entry;
    }

    #[cold]
    fn grow(&mut self) {
        let doubled = vec![0; self.entries.len() * 2];
        let old = std::mem::replace(&mut self.entries, doubled);
        self.shift -= 1;
        old.into_iter().filter(|&entry| entry != 0).for_each(|entry| self.place(entry));
    }

    /// Removes an id; returns its slot, [`NONE`] when it was not there.
    #[inline]
    pub fn remove(&mut self, order_id: u64, slab: &Slab) -> u32 {
        let (place, slot) = self.probe(order_id, slab);
        if slot != NONE {
            self.len -= 1;
            self.close_gap(place);
        }
        slot
    }

    /// Moves followers of `gap` back to where a probe for them would now end.
    #[inline]
    fn close_gap(&mut self, mut gap: usize) {
        let mask = self.mask();
        let mut place = gap;
        loop {
            place = (place + 1) & mask;
            let entry = self.entries[place];
            if entry == 0 {
                break;
            }
            let home = ((entry >> 32) as u32 >> self.shift) as usize & mask;
            if (place.wrapping_sub(home) & mask) >= (place.wrapping_sub(gap) & mask) {
                self.entries[gap] = entry;
                gap = place;
            }
        }
        self.entries[gap] = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_index_agrees_with_a_map(steps in prop::collection::vec((0u64..200, any::<bool>()), 1..2_000)) {
            let mut slab = Slab::default();
            let mut live = LiveOrders::default();
            let mut twin = BTreeMap::new();
            for (id, remove) in steps {
                let id = id.wrapping_mul(0x1_0000_0001);
                if remove {
                    let slot = live.remove(id, &slab);
                    prop_assert_eq!(slot, twin.remove(&id).unwrap_or(NONE));
                    if slot != NONE { slab.free(slot); }
                } else {
                    twin.entry(id).or_insert_with(|| {
                        let slot = slab.new_order(id, 0, 1);
                        live.insert(id, slot);
                        slot
                    });
                }
                prop_assert_eq!(live.len(), twin.len());
            }
            for id in 0u64..200 {
                let id = id.wrapping_mul(0x1_0000_0001);
                prop_assert_eq!(live.find(id, &slab), twin.get(&id).copied().unwrap_or(NONE));
            }
        }
    }
}
